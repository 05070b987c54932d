# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What repositories say, as pgBackRest 2.55.1 said it, and what is made of it."""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t

import pytest
import scripts
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.postgres.repository import (
    SEGMENTS,
    Archive,
    Limits,
    Run,
    Segment,
    explain,
    is_sound,
    judge,
    lsn,
    segment,
    shorten,
)

ROOT = pathlib.Path(__file__).resolve().parents[4]
RECORDED = pathlib.Path(__file__).with_name("recorded.json")
Obj = dict[str, t.Any]


enclii_backup = scripts.load("images/patroni/bin/enclii-backup")


@pytest.fixture
def told() -> Obj:
    """A full, a differential and an incremental backup, a minute old."""
    return copy.deepcopy(json.loads(RECORDED.read_text())["sound"])


def recorded(name: str) -> Obj:
    found: Obj = json.loads(RECORDED.read_text())[name]
    return found


def names(found: Obj) -> list[str]:
    return [one["name"] for one in found["findings"]]


def judged(told: Obj, **limits: float) -> Obj:
    return judge(told, "postgres", Limits(**limits))


# -- whole ones --------------------------------------------------------------------------------


def test_a_sound_repository(told: Obj) -> None:
    found = judged(told)
    assert (found["state"], found["findings"], found["notices"]) == ("ok", [], [])
    assert [one["type"] for one in found["backups"]] == ["full", "diff", "incr"]
    assert found["last"]["incr"] == found["backups"][2]["label"]
    assert found["bytes"] == sum(one["info"]["repository"]["delta"] for one in told["info"][0]["backup"])
    assert found["encrypted"] is True
    assert all(is_sound(one) for one in found["backups"])


@pytest.mark.parametrize(
    ("seconds", "limits", "expected"),
    [
        (0, {}, []),
        (20 * 60, {}, ["archive-old"]),
        (31 * 3600, {"archive": 0}, ["backup-old"]),
        (200 * 3600, {"archive": 0}, ["full-old", "backup-old"]),
        (200 * 3600, {"archive": 0, "full": 0, "backup": 0}, []),
    ],
)
def test_ages(told: Obj, seconds: int, limits: dict[str, float], expected: list[str]) -> None:
    told["now"] += seconds
    assert names(judged(told, **limits)) == expected


# -- broken ones -------------------------------------------------------------------------------


def test_a_backup_with_wrong_pages_is_told_and_does_not_count(told: Obj) -> None:
    for one in told["info"][0]["backup"]:
        one["error"] = one["type"] == "full"
    found = judged(told)
    assert names(found) == ["page-errors", "full-old"]
    assert found["last"]["full"] == ""
    assert found["full_age_hours"] is None


def test_a_backup_whose_base_is_gone(told: Obj) -> None:
    del told["info"][0]["backup"][0]
    found = judged(told)
    assert names(found) == ["backup-incomplete", "backup-incomplete", "full-old"]


def test_an_empty_backup(told: Obj) -> None:
    told["info"][0]["backup"][2]["info"]["size"] = 0
    assert names(judged(told)) == ["backup-empty"]


def test_no_backup_and_no_wal(told: Obj) -> None:
    told["info"][0]["backup"] = []
    told["archive"] = {}
    assert names(judged(told)) == ["no-backup", "archive-empty"]


def test_what_is_under_way_is_a_notice(told: Obj) -> None:
    told["unfinished"] = ["20261123-124321F"]
    found = judged(told)
    assert found["state"] == "ok"
    assert "20261123-124321F" in found["notices"][0]


def test_another_cluster(told: Obj) -> None:
    ours = str(told["info"][0]["db"][0]["system-id"])
    assert names(judge(told, "postgres", Limits(), system_id=ours)) == []
    assert names(judge(told, "postgres", Limits(), system_id="1")) == ["other-cluster"]


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("wrong key", "wrong-key"),
        ("wrong secret", "wrong-credentials"),
        ("wrong access key", "wrong-credentials"),
        ("no bucket", "bucket-missing"),
        ("empty bucket", "stanza-missing"),
        ("no secret", "secret-missing"),
        ("store down", "unreachable"),
        ("other authority", "wrong-certificate"),
    ],
)
def test_a_repository_that_cannot_be_read(name: str, finding: str) -> None:
    found = judged(recorded(name))
    assert names(found) == [finding]
    text = found["findings"][0]["text"]
    assert len(text) < 400
    assert "***" not in text
    assert "AWSAccessKeyId" not in text
    assert found["backups"] == []
    assert found["archive"]["current"] is False


def test_another_stanza_in_the_same_place(told: Obj) -> None:
    found = judge(told, "orders", Limits())
    assert names(found) == ["stanza-missing"]
    assert "it holds postgres" in found["findings"][0]["text"]


def test_words_that_nobody_knows_are_told_as_they_are() -> None:
    assert explain("[ArchiveTimeoutError] x")[0] == "unreadable"
    assert shorten("[SomeError] what\nHINT: never mind") == "[SomeError] what"
    assert shorten("") == "it says nothing"


# -- WAL ---------------------------------------------------------------------------------------


def test_segments_and_positions() -> None:
    assert segment("000000010000000A000000FF") == Segment(1, 10 * SEGMENTS + 255)
    assert Segment(1, 11 * SEGMENTS).name == "000000010000000B00000000"
    assert lsn("2/5000028") == (2 << 32) + 0x5000028
    with pytest.raises(ValueError, match="is no WAL segment"):
        segment("00000001.history")


@given(st.integers(1, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_segment_is_its_name(timeline: int, number: int) -> None:
    assert segment(Segment(timeline, number).name) == Segment(timeline, number)


@given(st.sets(st.integers(0, 600), min_size=1))
def test_what_is_missing_is_what_is_not_there(numbers: set[int]) -> None:
    files = {f"{Segment(1, one).name}-{'a' * 40}.zst": {"size": 1, "time": one} for one in numbers}
    archive = Archive(enclii_backup.fold(files))
    there = {n for run in archive.runs for n in range(run.first, run.last + 1)}
    gone = {n for run in archive.missing(Run(1, 0, 600)) for n in range(run.first, run.last + 1)}
    assert there == numbers
    assert gone == set(range(601)) - numbers
    assert archive.newest == Segment(1, max(numbers)).name
    # no two ranges touch each other
    assert len(archive.runs) == len(numbers) - len([n for n in numbers if n - 1 in numbers])


def test_folding_knows_what_is_no_segment() -> None:
    name = "000000010000000000000003"
    files = {
        f"{name}-{'a' * 40}.zst": {"size": 10, "time": 5},
        f"{name}-{'b' * 40}.zst": {"size": 10, "time": 6},
        f"{name}.00000028.backup": {"size": 1, "time": 7},
        f"000000010000000000000004.partial-{'c' * 40}.zst": {"size": 2, "time": 8},
        "00000002.history": {"size": 1, "time": 9},
        "archive.info": {"size": 1, "time": 9},
    }
    found = enclii_backup.fold(files)
    assert found["ranges"] == [[name, name]]
    assert found["duplicates"] == [name]
    assert found["newest"] == {"segment": name, "time": 6}
    assert found["bytes"] == 25


def archive(*ranges: tuple[str, str], **histories: str) -> Archive:
    """archive(("1:5", "1:9")): segments 5 to 9 of timeline 1; t2="1 0/9000000": where it was left."""

    def name(text: str) -> str:
        timeline, _, number = text.partition(":")
        return Segment(int(timeline), int(number)).name

    told = {f"{int(key[1:]):08X}": text.replace(" ", "\t") + "\twhy" for key, text in histories.items()}
    return Archive({"ranges": [[name(a), name(b)] for a, b in ranges], "histories": told})


@pytest.mark.parametrize(
    ("found", "start", "gaps"),
    [
        (archive(("1:2", "1:9")), Segment(1, 2), []),
        (archive(("1:2", "1:4"), ("1:6", "1:9")), Segment(1, 2), [Run(1, 5, 5)]),
        # Left in segment 9: of timeline 1 everything before it, then timeline 2 from 9 on.
        (archive(("1:2", "1:8"), ("2:9", "2:12"), t2="1 0/9000028"), Segment(1, 2), []),
        (archive(("1:2", "1:7"), ("2:9", "2:12"), t2="1 0/9000028"), Segment(1, 2), [Run(1, 8, 8)]),
        (archive(("1:2", "1:8"), ("2:10", "2:12"), t2="1 0/9000028"), Segment(1, 2), [Run(2, 9, 9)]),
        # What timeline 1 wrote after it was left is on no way.
        (archive(("1:2", "1:8"), ("1:11", "1:11"), ("2:9", "2:12"), t2="1 0/9000028"), Segment(1, 2), []),
        # A backup of timeline 2 needs nothing of timeline 1.
        (archive(("2:9", "2:12"), t2="1 0/9000028"), Segment(2, 10), []),
        # Timeline 3 came from 1: 2 is abandoned.
        (archive(("1:2", "1:9"), ("2:9", "2:9"), ("3:10", "3:11"), t2="1 0/9000028", t3="1 0/A000000"), Segment(1, 2), []),
    ],
)  # fmt: skip
def test_gaps_on_the_way_to_the_newest_timeline(found: Archive, start: Segment, gaps: list[Run]) -> None:
    assert found.gaps(start) == gaps


def test_a_backup_of_an_abandoned_timeline_leads_nowhere() -> None:
    found = archive(("1:2", "1:20"), ("2:9", "2:12"), t2="1 0/9000028")
    assert found.path(Segment(1, 15)) == []
    assert archive().path(Segment(1, 1)) == []


def test_a_gap_is_told_with_its_segments(told: Obj) -> None:
    one = told["archive"]["17-1"]
    first, last = one["ranges"][0]
    one["ranges"] = [[first, "000000010000000000000007"], ["000000010000000000000009", last]]
    found = judged(told)
    assert names(found) == ["wal-gap"]
    assert "000000010000000000000008 (1 segment)" in found["findings"][0]["text"]
    one["ranges"] = [["000000010000000000000003", last]]
    assert names(judged(told)) == ["wal-missing", "full-old", "wal-gap"]


def test_a_timeline_without_its_history(told: Obj) -> None:
    told["archive"]["17-1"]["ranges"].append(["000000020000000000000009", "00000002000000000000000A"])
    assert names(judged(told)) == ["history-missing"]
    told["archive"]["17-1"]["histories"] = {"00000002": "1\t0/9000028\tno recovery target specified\n"}
    found = judged(told)
    assert names(found) == []
    assert found["archive"]["timelines"] == [1, 2]


# -- the program in the pod ----------------------------------------------------------------------


def test_a_backup_is_judged_by_what_it_is() -> None:
    one = {"type": "incr", "error": False, "info": {"size": 5}}
    assert enclii_backup.unsound(one, "incr") == ""
    assert enclii_backup.unsound({**one, "type": "full"}, "diff") == ""
    assert "full was asked for" in enclii_backup.unsound(one, "full")
    assert "is empty" in enclii_backup.unsound({**one, "info": {"size": 0}}, "incr")
    assert "wrong checksums: base/5/1259" in enclii_backup.unsound(
        {**one, "error": True, "error-list": ["base/5/1259"]}, "incr"
    )


def test_what_a_server_quotes_of_the_key_is_hidden() -> None:
    text = (
        "x<Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>y"
    )
    assert enclii_backup.hidden(text) == "x<Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message></Error>y"


def test_the_first_error_is_the_cause() -> None:
    text = (
        "2026-11-23 12:40:01.078 P00   WARN: unable to check pg1: [OptionRequiredError] raised\n"
        "2026-11-23 12:40:01.078 P00  ERROR: [056]: unable to find primary cluster - cannot proceed\n"
        "                                    HINT: are all available clusters in recovery?\n"
        "2026-11-23 12:40:01.078 P00   INFO: stanza-create command end: aborted with exception [056]\n"
    )
    assert enclii_backup.cause(text) == (
        "unable to find primary cluster - cannot proceed HINT: are all available clusters in recovery?; "
        "unable to check pg1: [OptionRequiredError] raised"
    )
    assert enclii_backup.cause("") == "it says nothing"
