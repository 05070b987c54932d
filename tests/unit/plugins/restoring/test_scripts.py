# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the script makes of listings and words, without a repository."""

from __future__ import annotations

import io
import json
import pathlib
import sys
import typing as t

import pytest
import scripts

BIN = pathlib.Path(__file__).resolve().parents[4] / "images" / "patroni" / "bin"
Obj = dict[str, t.Any]


proof = scripts.load("images/patroni/bin/enclii-restore-proof")
recorder = scripts.load("images/patroni/bin/enclii-restore-record")


# -- WAL ------------------------------------------------------------------------------------------


def backup(start: str, stop: str, lsn: str = "0/3000120") -> Obj:
    return {"label": "20261123-010000F", "archive": {"start": start, "stop": stop}, "lsn": {"stop": lsn}}


def archive(*names: str) -> Obj:
    return {name: ("0" * 40, 1, 100 + number) for number, name in enumerate(names)}


def test_segments_from_the_backup_to_the_newest_are_needed() -> None:
    names = [f"0000000100000000000000{number:02X}" for number in (3, 4, 5)]
    wanted, final = proof.needed(backup(names[0], names[0]), {"type": "latest"}, archive(*names), {})
    assert (wanted, final) == (names, 1)


def test_a_log_file_of_4_gib_ends_with_ff() -> None:
    names = ["0000000100000001000000FE", "0000000100000001000000FF", "000000010000000200000000"]
    wanted, _ = proof.needed(
        backup(names[0], names[0], "1/FE000120"), {"type": "latest"}, archive(names[0], names[2]), {}
    )
    assert wanted == names
    with pytest.raises(proof.Failed) as caught:
        proof.continuous(backup(names[0], names[0]), wanted, archive(names[0], names[2]))
    assert caught.value.told["name"] == "missing_wal" and caught.value.told["object"] == f"WAL {names[1]}"


def test_timelines_are_followed_through_their_history() -> None:
    there = archive(
        "000000010000000000000003", "000000010000000000000004", "000000020000000000000005", "000000020000000000000006",
        "000000030000000000000006", "000000030000000000000007", "000000010000000000000009",
    )  # fmt: skip
    histories = {2: "1\t0/5000100\tno recovery target\n", 3: "1\t0/5000100\tx\n2\t0/6000200\tx\n"}
    wanted, final = proof.needed(
        backup("000000010000000000000003", "000000010000000000000003"), {"type": "latest"}, there, histories
    )
    assert final == 3
    assert wanted == [
        "000000010000000000000003", "000000010000000000000004", "000000020000000000000005", "000000030000000000000006",
        "000000030000000000000007",
    ]  # fmt: skip


def test_a_backup_from_beside_the_newest_timeline_is_none() -> None:
    late = backup("000000010000000000000009", "000000010000000000000009", "0/9000120")
    with pytest.raises(proof.Failed) as caught:
        proof.needed(late, {"type": "latest"}, archive(late["archive"]["start"]), {2: "1\t0/5000100\tx\n"})
    assert caught.value.told["name"] == "wrong_timeline"


def test_what_the_live_cluster_has_archived_last_is_needed_too() -> None:
    one = backup("000000010000000000000003", "000000010000000000000003")
    wanted, _ = proof.needed(
        one, {"type": "latest"}, archive("000000010000000000000003"), {}, "000000010000000000000005"
    )
    assert wanted[-1] == "000000010000000000000005"
    # of an older timeline it says nothing
    there = archive("000000010000000000000003", "000000020000000000000004")
    wanted, final = proof.needed(one, {"type": "latest"}, there, {2: "1\t0/4000100\tx\n"}, "000000010000000000000009")
    assert (wanted[-1], final) == ("000000020000000000000004", 2)


@pytest.mark.parametrize("archived", ["", "000000020000000000000004"])
def test_a_timeline_without_its_history_is_missing_wal(archived: str) -> None:
    """Whether its WAL is there, or the live cluster says that it was archived."""
    one = backup("000000010000000000000003", "000000010000000000000003")
    there = archive("000000010000000000000003", *([] if archived else ["000000020000000000000004"]))
    with pytest.raises(proof.Failed) as caught:
        proof.needed(one, {"type": "latest"}, there, {}, archived)
    assert caught.value.told["object"] == "WAL 00000002.history"


def test_a_position_needs_wal_up_to_it() -> None:
    one = backup("000000010000000000000003", "000000010000000000000003")
    for value, last in (("0/5000000", 4), ("0/5000001", 5), ("0/3000200", 3)):
        wanted, _ = proof.needed(one, {"type": "lsn", "value": value}, {}, {})
        assert wanted[-1] == f"0000000100000000000000{last:02X}"


def test_a_moment_needs_wal_up_to_the_first_that_was_archived_after_it() -> None:
    names = [f"0000000100000000000000{number:02X}" for number in (3, 4, 5, 6)]
    target = {"type": "time", "value": "1970-01-01T00:01:41+00:00"}
    wanted, _ = proof.needed(backup(names[0], names[0]), target, archive(*names), {})
    assert wanted == names[:3]


def test_gaps_are_told_as_ranges() -> None:
    names = [f"0000000100000000000000{number:02X}" for number in (3, 4, 5, 8)]
    assert proof.ranges(names) == [f"{names[0]} to {names[2]}", names[3]]


# -- files ----------------------------------------------------------------------------------------


class Listed:
    stanza = "postgres"

    def __init__(self, **sizes: int) -> None:
        self.sizes = {name.replace("__", "/"): size for name, size in sizes.items()}

    def listing(self, _path: str) -> Obj:
        return {name: (size, 0) for name, size in self.sizes.items()}


MANIFEST = """[backrest]
backrest-format=5

[target:file]
pg_data/base/1/1={"bni":1,"bno":100,"checksum":"a","repo-size":50,"size":90}
pg_data/base/1/2={"bni":1,"bno":0,"checksum":"a","repo-size":100,"size":190}
pg_data/base/1/3={"checksum":"a","repo-size":10,"size":20}
pg_data/base/1/4={"size":0}

[target:file:default]
mode="0600"
"""


def test_files_of_a_backup_are_there_and_as_long_as_they_must_be() -> None:
    good = {"bundle__1": 150, "pg_data__base__1__3.zst": 10}
    assert proof.files_complete(Listed(**good), "L", MANIFEST) == 160
    for sizes, name in (
        ({**good, "bundle__1": 149}, "truncated_file"),
        ({"bundle__1": 150}, "missing_file"),
    ):
        with pytest.raises(proof.Failed) as caught:
            proof.files_complete(Listed(**sizes), "L", MANIFEST)
        assert caught.value.told["name"] == name


def test_what_pgbackrest_says_is_told_in_one_printable_line() -> None:
    said = "2026-11-23 12:00:00.000 P00   WARN: x\n2026-11-23 12:00:00.000 P00  ERROR: [039]: HTTP request failed\n      HINT: look\nmore"
    assert proof.cause(said) == "[039]: HTTP request failed HINT: look"
    told = proof.classed(said, "missing_backup", "It").told
    assert told["name"] == "no_access"
    assert proof.Failed("a", "b", "c\x00\n d", "e").told["cause"] == "c? d"


# -- recording ------------------------------------------------------------------------------------


RESULT = {
    "enclii-restore-proof": 1, "verdict": "PASS", "failures": [], "checks": [{"name": "rows", "verdict": "PASS", "why": ""}],
    "phases": {"restore": 1.5, "total": 3.0}, "figures": {"rpo_seconds": 4.0}, "versions": {"postgresql": "17.12"},
    "facts": {"system_id": "77"}, "notices": [], "started": "2026-11-23T03:40:00.000Z", "ended": "2026-11-23T03:41:00.250Z",
}  # fmt: skip


class Server:
    """Answers as the API server does, as far as the recorder asks."""

    def __init__(self, *pods: Obj, logs: str = "", system: str = "77") -> None:
        self.pods, self.logs, self.system, self.evidence = pods, logs, system, []

    def ask(self, method: str, path: str, query: t.Any = None, body: t.Any = None, plain: bool = False) -> t.Any:
        if path.endswith("/log"):
            assert plain
            return self.logs
        if path.endswith("/pods"):
            return {"items": list(self.pods)}
        if path.endswith("/enclii-cluster"):
            return {"data": {"inventory": "prod", "uid": "u-1"}}
        if path.endswith("-config"):
            return {"metadata": {"annotations": {"initialize": self.system}}}
        if method == "POST":
            self.evidence.append(body)
            return body
        if method == "DELETE":
            self.evidence = [one for one in self.evidence if not path.endswith(one["metadata"]["name"])]
            return {}
        assert query is not None
        return {"items": self.evidence}


def ended(uid: str = "0a1b2c3d-1", phase: str = "Succeeded", **status: t.Any) -> Obj:
    about = {"name": f"postgres-restore-proof-{uid}", "uid": uid, "creationTimestamp": "2026-11-23T03:40:00Z"}
    return {"metadata": about, "status": {"phase": phase, **status}}


def recorded(server: Server, keep: int = 10) -> int:
    asked = type(
        "Asked",
        (),
        {
            "namespace": "enclii-data",
            "cluster": "postgres",
            "evidence_namespace": "enclii-system",
            "valid_for": 50,
            "keep": keep,
        },
    )
    return int(recorder.record(server, asked))


def test_a_proof_is_recorded_once(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(ended(), ended("1", "Running"), logs=f"repository …\n{json.dumps(RESULT, separators=(',', ':'))}\n")
    assert recorded(server) == 1 and recorded(server) == 0
    (one,) = server.evidence
    assert one["spec"]["verdict"] == "PASS" and one["spec"]["subject"] == "enclii-data/postgres"
    assert one["spec"]["expires"] == "2026-11-25T05:41:00.250000Z"
    assert one["spec"]["figures"] == {"restore_seconds": 1.5, "rpo_seconds": 4.0}
    assert one["spec"]["cluster"] == "u-1"
    assert "PASS" in capsys.readouterr().out


def test_it_writes_what_the_collection_would(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime, timedelta

    from ansible_collections.enclii.platform.plugins.module_utils.evidence.objects import record

    monkeypatch.setattr(sys, "stdout", io.StringIO())
    server = Server(ended(), logs=json.dumps(RESULT, separators=(",", ":")))
    recorded(server)
    mine = server.evidence[0]
    theirs = record(
        kind="restore-proof", subject="enclii-data/postgres", verdict="PASS", started=datetime.fromisoformat(str(RESULT["started"])),
        ended=datetime.fromisoformat(str(RESULT["ended"])), valid_for=timedelta(hours=50), random=lambda _count: bytes.fromhex("0a1b2c3d"),
    )  # fmt: skip
    assert mine["metadata"] == theirs["metadata"]
    assert {**mine["spec"], **{name: theirs["spec"][name] for name in ("figures", "versions", "details")}} == {
        **theirs["spec"], "inventory": "prod", "cluster": "u-1",
    }  # fmt: skip


def test_a_pod_that_told_nothing_is_no_pass() -> None:
    state = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-23T03:50:00Z"}}
    server = Server(ended(phase="Failed", containerStatuses=[{"state": state}]), logs="repository …\n")
    assert recorded(server) == 1
    spec = server.evidence[0]["spec"]
    assert spec["verdict"] == "UNKNOWN" and "OOMKilled, exit code 137" in spec["findings"][0]


def test_a_backup_of_another_cluster_fails_whatever_the_proof_says() -> None:
    server = Server(ended(), logs=json.dumps(RESULT, separators=(",", ":")), system="78")
    recorded(server)
    spec = server.evidence[0]["spec"]
    assert spec["verdict"] == "FAIL" and spec["findings"][0].startswith("other_cluster")


def test_the_newest_are_kept_and_the_newest_pass_beside_them() -> None:
    def one(name: str, verdict: str, hour: int) -> Obj:
        spec = {"kind": "restore-proof", "subject": "s", "verdict": verdict, "ended": f"2026-11-23T{hour:02}:00:00Z"}
        return {"metadata": {"name": name}, "spec": spec}

    items = [one("a", "PASS", 1), one("b", "PASS", 2), one("c", "FAIL", 3), one("d", "FAIL", 4)]
    assert recorder.surplus(items, "s", 1) == ["a", "c"]
