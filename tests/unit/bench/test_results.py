# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of the long proofs: what makes one stale."""

from __future__ import annotations

import datetime
import json
import pathlib
import subprocess

import pytest

from house import ROOT
from proof import results

NOW = datetime.datetime(2026, 11, 23, 12, 0, 0, tzinfo=datetime.UTC)
GOOD = {"ok": True, "ended": "2026-11-20T12:00:00Z", "commit": "0123456789abcdef"}


def told(folder: pathlib.Path, changed: str = "", **more: object) -> str:
    (folder / "proof-one.json").write_text(json.dumps({**GOOD, **more}))
    asked: list[tuple[str, ...]] = []

    def git(*words: str) -> str:
        asked.append(words)
        return changed

    said = results.state("one", ("roles/one", "images/one"), NOW, folder, git)
    assert all(words == ("diff", "--name-only", GOOD["commit"], "--", "roles/one", "images/one") for words in asked)
    return said


def test_fresh(tmp_path: pathlib.Path) -> None:
    assert told(tmp_path) == ""


def test_missing(tmp_path: pathlib.Path) -> None:
    assert results.state("one", ("roles",), NOW, tmp_path) == "missing: make proof-one"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ok": False}, "failed on 2026-11-20T12:00:00Z: see proof-one.json"),
        ({"ended": "2026-10-24T11:59:59Z"}, "older than 30 days (2026-10-24T11:59:59Z)"),
        ({"changed": "roles/one/a\nroles/one/b\n"}, "older than what it proves: roles/one/a and 1 more changed since"),
    ],
)
def test_stale(tmp_path: pathlib.Path, more: dict[str, object], said: str) -> None:
    assert told(tmp_path, **more) == said  # type: ignore[arg-type]


def test_of_a_commit_that_is_not_here(tmp_path: pathlib.Path) -> None:
    (tmp_path / "proof-one.json").write_text(json.dumps(GOOD))

    def git(*words: str) -> str:
        raise subprocess.CalledProcessError(128, words)

    assert results.state("one", (), NOW, tmp_path, git) == "of a commit that is not in this clone (012345678)"


def test_every_proof_names_what_there_is() -> None:
    found = results.proofs()
    assert found
    for paths in found.values():
        assert all((ROOT / path).exists() for path in paths)


def test_written_with_commit_and_versions(tmp_path: pathlib.Path) -> None:
    path = results.write("one", {"server": "17.6"}, {"gap_s": 1}, ok=True, now=NOW, folder=tmp_path)
    written = json.loads(path.read_text())
    assert len(written.pop("commit")) == 40
    assert isinstance(written.pop("clean"), bool)
    assert written == {
        "proof": "one", "ended": "2026-11-23T12:00:00Z", "versions": {"server": "17.6"}, "figures": {"gap_s": 1}, "ok": True,
    }  # fmt: skip
