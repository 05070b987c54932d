# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What evidence says at a moment, and what retention deletes whoever writes at the same time."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.evidence.objects import record
from ansible_collections.enclii.platform.plugins.module_utils.evidence.store import judge, surplus_of

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
Obj = dict[str, t.Any]


def seen(verdict: str, ended: datetime, valid_for: timedelta = 24 * HOUR, findings: t.Sequence[str] = ()) -> Obj:
    return record(
        kind="k", subject="s", verdict=verdict, started=ended, ended=ended, valid_for=valid_for, findings=findings
    )


@pytest.mark.parametrize(
    ("group", "state", "why"),
    [
        ([], "UNKNOWN", "there is none"),
        ([seen("PASS", NOW - HOUR)], "PASS", ""),
        ([seen("PASS", NOW)], "PASS", ""),
        ([seen("FAIL", NOW - HOUR, findings=["a", "b", "c", "d"])], "FAIL", "a; b; c"),
        ([seen("FAIL", NOW - HOUR)], "FAIL", "it names no findings"),
        ([seen("UNKNOWN", NOW - HOUR, findings=["nobody answers"])], "UNKNOWN", "nobody answers"),
        ([seen("PASS", NOW - 2 * HOUR), seen("FAIL", NOW - HOUR)], "FAIL", "it names no findings"),
        ([seen("FAIL", NOW - 2 * HOUR), seen("PASS", NOW - HOUR)], "PASS", ""),
        # to the moment it expires, and not a moment longer
        ([seen("PASS", NOW - HOUR, HOUR + timedelta(microseconds=1))], "PASS", ""),
        ([seen("PASS", NOW - HOUR, HOUR)], "UNKNOWN", "it said PASS and expired at 2026-11-23T04:00:00.000000Z"),
        ([seen("FAIL", NOW - 2 * HOUR, HOUR)], "UNKNOWN", "it said FAIL and expired"),
        # an older one that still counts does not stand in for the newest
        ([seen("PASS", NOW - 3 * HOUR, 99 * HOUR), seen("FAIL", NOW - 2 * HOUR, HOUR)], "UNKNOWN", "it said FAIL"),
        ([seen("PASS", NOW + timedelta(minutes=4))], "PASS", ""),
        ([seen("PASS", NOW + HOUR)], "UNKNOWN", "ends in the future"),
    ],
)
def test_state(group: list[Obj], state: str, why: str) -> None:
    told = judge("k", "s", group, NOW)
    assert (told.kind, told.subject, told.state) == ("k", "s", state)
    assert (why in told.why if why else told.why == "") and told.passed == (state == "PASS")


def test_state_tells_of_the_newest_and_of_the_last_pass() -> None:
    told = judge("k", "s", [seen("FAIL", NOW - HOUR), seen("PASS", NOW - 3 * HOUR), seen("PASS", NOW - 2 * HOUR)], NOW)
    assert told.verdict == "FAIL" and told.ended == "2026-11-23T03:00:00.000000Z"
    assert told.last_pass == "2026-11-23T02:00:00.000000Z"
    assert told.as_dict()["last_pass"] == told.last_pass and told.as_dict()["findings"] == []


def ages(group: list[Obj]) -> list[float]:
    return [(NOW - datetime.fromisoformat(one["spec"]["ended"])) / HOUR for one in group]


def test_retention_keeps_the_newest_and_the_newest_pass() -> None:
    group = [seen("PASS" if age in (8, 9) else "FAIL", NOW - age * HOUR) for age in (3, 1, 9, 2, 8, 5)]
    assert ages(surplus_of(group, 2)) == [9, 5, 3]
    assert ages(surplus_of(group, 1)) == [9, 5, 3, 2]
    assert surplus_of(group, 6) == [] and surplus_of([], 1) == []
    assert ages(surplus_of([one for one in group if one["spec"]["verdict"] == "FAIL"], 1)) == [5, 3, 2]


@given(
    st.lists(st.sampled_from(["PASS", "FAIL", "UNKNOWN"]), min_size=1, max_size=14),
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=80),
    st.permutations(range(14)),
)
def test_retention_by_many_writers_that_may_be_killed(
    verdicts: list[str], keep: int, steps: list[tuple[int, int]], order: list[int]
) -> None:
    """Each step lets one of four writers go on: create, look, delete one, delete the next …, or be killed.

    Whatever the order, the newest that were ever written are there, and so is the newest PASS of all that were.
    """
    there: dict[str, Obj] = {}
    written: list[Obj] = []
    plans: list[list[Obj] | None] = [None] * 4
    waiting = [(verdict, NOW + position * HOUR) for verdict, position in zip(verdicts, order, strict=False)]

    def newest(group: t.Iterable[Obj]) -> list[str]:
        return [one["metadata"]["name"] for one in sorted(group, key=lambda one: one["spec"]["ended"], reverse=True)]

    def holds() -> None:
        passes = newest(one for one in written if one["spec"]["verdict"] == "PASS")
        assert set(newest(written)[:keep]) <= set(there) and set(passes[:1]) <= set(there)

    for writer, choice in steps:
        plan = plans[writer]
        if choice == 3:
            plans[writer] = None  # killed: what it had planned is forgotten
        elif plan:
            there.pop(plan.pop(0)["metadata"]["name"], None)
        elif choice == 0 and waiting:
            obj = seen(*waiting.pop())
            there[obj["metadata"]["name"]] = obj
            written.append(obj)
        else:
            plans[writer] = surplus_of(list(there.values()), keep)
        holds()
    for obj in surplus_of(list(there.values()), keep):
        del there[obj["metadata"]["name"]]
    holds()
    assert len(there) <= keep + 1
