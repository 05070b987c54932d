# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key for Secrets at rest: made once, never replaced, for root alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.node import encryption


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "encryption" / "config.json"
    encryption.create(path, "secretbox", lambda size: b"k" * size)
    data = json.loads(path.read_text())
    providers = data["resources"][0]["providers"]
    assert base64.b64decode(providers[0]["secretbox"]["keys"][0]["secret"]) == b"k" * 32
    assert providers[1] == {"identity": {}}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert encryption.provider_of(path) == "secretbox"
    with pytest.raises(FileExistsError):
        encryption.create(path, "secretbox")
    assert json.loads(path.read_text()) == data
    assert [entry.name for entry in path.parent.iterdir()] == ["config.json"]


def test_two_keys_differ(tmp_path: Path) -> None:
    for name in ("a", "b"):
        encryption.create(tmp_path / name, "aescbc")
    assert (tmp_path / "a").read_text() != (tmp_path / "b").read_text()
    assert encryption.provider_of(tmp_path / "a") == "aescbc"


def test_no_file_has_no_provider(tmp_path: Path) -> None:
    assert encryption.provider_of(tmp_path / "missing") == ""


@pytest.mark.parametrize(
    "text", ["", "{}", "kind: EncryptionConfiguration", '{"resources": [{"providers": [{}]}]}', "[]"]
)
def test_a_foreign_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "f").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        encryption.provider_of(tmp_path / "f")
