# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's S3 server before it runs: who may do what, which files it gets, and that no secret is where others see it."""

from __future__ import annotations

import json
import pathlib
import stat
import subprocess

import pytest

from lab import builds, inventory, nodes, s3, state


@pytest.fixture
def lab(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> state.Lab:
    monkeypatch.setattr(state, "CLONE", tmp_path)
    return state.Lab("one", subnet="10.80.7.0/24", port=20025, paths={"charts": "/c", "bin": "/b", "store": "/s"})


def kept(lab: state.Lab) -> dict[pathlib.Path, bytes]:
    return {path: path.read_bytes() for path in lab.directory.rglob("*") if path.is_file()}


def test_nothing_beside_the_nodes_has_an_address_of_theirs(lab: state.Lab) -> None:
    assert lab.s3_address == "10.80.7.4"
    lasts = [*state.SERVICES.values(), *state.Lab("one", workers=12).nodes.values()]
    assert len(set(lasts)) == len(lasts)


def test_keys_are_made_once_and_only_their_owner_reads_them(lab: state.Lab) -> None:
    s3.prepare(lab)
    before = kept(lab)
    s3.prepare(lab)
    assert kept(lab) == before
    secret = [lab.s3 / name for name in ("root.env", "users/users.json", "tls.key", "ca.key")]
    secret += [lab.s3_user(user) / name for user in state.S3_USERS for name in ("key", "secret")]
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0 or path.parent == lab.s3, path
    assert len({s3.credentials(lab, user) for user in state.S3_USERS}) == 3
    accounts = json.loads((lab.s3 / "users" / "users.json").read_text())["accessAccounts"]
    assert {one["role"] for one in accounts.values()} == {"user"}
    assert s3.credentials(lab, "root")[0] not in accounts


def test_the_certificate_is_for_the_servers_address(lab: state.Lab) -> None:
    s3.prepare(lab)
    argv = ["openssl", "verify", "-CAfile", lab.s3_ca, "-purpose", "sslserver", "-verify_ip"]
    assert subprocess.run([*argv, "10.80.7.4", lab.s3 / "tls.crt"], check=False, capture_output=True).returncode == 0
    assert subprocess.run([*argv, "10.80.7.5", lab.s3 / "tls.crt"], check=False, capture_output=True).returncode != 0


def test_who_reads_may_only_read() -> None:
    statements = s3.policy({"writer": "W", "reader": "R"})["Statement"]
    allowed = {action for one in statements if one["Principal"]["AWS"] == ["R"] for action in one["Action"]}
    assert allowed == {"s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject"}
    assert {tuple(one["Principal"]["AWS"]) for one in statements} == {("W",), ("R",)}
    assert not any("*" in action for one in statements for action in one["Action"])


def test_no_secret_is_in_the_words_that_start_it_nor_in_the_inventory(
    lab: state.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[str] = []
    monkeypatch.setattr(nodes, "podman", lambda *given: words.extend(map(str, given)) or "")
    monkeypatch.setattr(builds, "binary", lambda name, program: pathlib.Path("/built", name, program))
    lab.images = {"debian": "a:b"}
    nodes.start_services(lab, {"one-store": "running", "one-registry": "running"})
    assert words[words.index("--ip") + 1] == "10.80.7.4" and f"{lab.s3}/root.env" in words
    shown = json.dumps([words, inventory.inventory(lab)])
    for user in state.S3_USERS:
        assert not any(part in shown for part in s3.credentials(lab, user))


def test_the_inventory_says_where_it_is_and_where_the_keys_lie(lab: state.Lab) -> None:
    s3.prepare(lab)
    told = inventory.inventory(lab)["all"]["vars"]["lab_s3"]
    assert (told["address"], told["port"], told["bucket"]) == ("10.80.7.4", 7070, "enclii-backups")
    assert "BEGIN CERTIFICATE" in pathlib.Path(told["ca_cert"]).read_text()
    for user in ("writer", "reader"):
        assert (pathlib.Path(told[user]) / "secret").read_text() == s3.credentials(lab, user)[1]
    assert "root" not in told
