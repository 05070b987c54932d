# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes over when a pod stops, and what is said where nobody does. That it works is tried in tests/integration/patroni."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import scripts

BIN = pathlib.Path(__file__).resolve().parents[4] / "images" / "patroni" / "bin"
Obj = dict[str, t.Any]


prestop = scripts.load("images/patroni/bin/enclii-prestop")


def member(name: str, role: str, state: str = "streaming", lag: float = 0) -> Obj:
    return {"Member": name, "Role": role, "State": state, "Lag in MB": lag}


LEADER = member("postgres-0", "Leader", "running")


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([member("postgres-1", "Replica"), member("postgres-2", "Quorum Standby", lag=3)], "postgres-2"),
        ([member("postgres-1", "Sync Standby", lag=3), member("postgres-2", "Sync Standby")], "postgres-2"),
        ([member("postgres-1", "Replica", lag=3), member("postgres-2", "Replica", lag=1)], "postgres-2"),
        ([member("postgres-1", "Quorum Standby", "starting"), member("postgres-2", "Replica", lag=9)], "postgres-2"),
        ([member("postgres-1", "Replica", "stopped")], None),
        ([], None),
    ],
)
def test_the_nearest_synchronous_replica_takes_over(others: list[Obj], chosen: str | None) -> None:
    assert prestop.candidate([LEADER, *others], "postgres-0") == chosen


def test_a_replica_hands_nothing_over() -> None:
    assert prestop.candidate([LEADER, member("postgres-1", "Quorum Standby")], "postgres-1") is None


def patronictl(place: pathlib.Path, lists: list[list[Obj]], said: str) -> str:
    """A program that lists these in turn, the last one for ever, and says that of a switchover. Like the real one it ends with 0."""
    for number, one in enumerate(lists):
        (place / f"list-{number}").write_text(json.dumps(one))
    program = place / "patronictl"
    program.write_text(
        f"#!/bin/sh\ncd {place}\n[ \"$3\" = switchover ] && {{ echo '{said}'; exit 0; }}\n"
        "n=$(cat at 2>/dev/null || echo 0)\ncat list-$n\n[ -e list-$((n+1)) ] && echo $((n+1)) >at\nexit 0\n"
    )
    program.chmod(0o755)
    return str(program)


def test_it_waits_until_somebody_else_leads(tmp_path: pathlib.Path) -> None:
    other = member("postgres-1", "Quorum Standby")
    then = [member("postgres-0", "Replica", "stopped"), member("postgres-1", "Leader", "running")]
    program = patronictl(tmp_path, [[LEADER, other], [LEADER, other], then], "Successfully switched over")
    assert prestop.hand_over("postgres-0", "postgres", 20, program=program) == "handed over to postgres-1"


def test_a_switchover_that_was_refused_is_none(tmp_path: pathlib.Path) -> None:
    program = patronictl(tmp_path, [[LEADER, member("postgres-1", "Replica")]], "Switchover failed, details: 412")
    with pytest.raises(ValueError, match="postgres-0 still leads: Switchover failed, details: 412"):
        prestop.hand_over("postgres-0", "postgres", 0.1, program=program)
