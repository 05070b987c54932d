# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: replicas first, one at a time, then a switchover, then the old leader; from any point where a run was killed."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.postgres import rolling
from ansible_collections.enclii.platform.plugins.module_utils.postgres.rolling import Cluster, Member, Step

LEADER, REPLICAS = "pg-0", ("pg-1", "pg-2")


def one(name: str, **fields: t.Any) -> Member:
    lead = name == LEADER
    whole = {
        "name": name, "uid": f"uid-{name}", "revision": "new", "ready": True, "terminating": False,
        "role": "primary" if lead else "replica", "state": "running" if lead else "streaming", "timeline": 1, "location": 100,
        "pending_restart": False,
    }  # fmt: skip
    return Member(**{**whole, **fields})


def cluster(*members: Member, **fields: t.Any) -> Cluster:
    found = tuple(members) or tuple(one(name) for name in (LEADER, *REPLICAS))
    return Cluster(
        **{
            "name": "pg",
            "leader": LEADER,
            "revision": "new",
            "replicas": len(found),
            "paused": False,
            "members": found,
            **fields,
        }
    )


def short(step: Step) -> tuple[str, str]:
    return step.action, step.member


def test_nothing_to_do() -> None:
    assert rolling.plan(cluster()) == Step("none")


@pytest.mark.parametrize(
    ("members", "action", "member"),
    [
        pytest.param(
            [one("pg-0", revision="old"), one("pg-1", revision="old"), one("pg-2", revision="old")],
            "delete",
            "pg-2",
            id="all old",
        ),
        pytest.param(
            [one("pg-0", revision="old"), one("pg-1", revision="old"), one("pg-2")], "delete", "pg-1", id="one done"
        ),
        pytest.param([one("pg-0", revision="old"), one("pg-1"), one("pg-2")], "switchover", "pg-0", id="replicas done"),
        pytest.param(
            [one("pg-0", revision="old"), one("pg-1", revision="old"), one("pg-2", ready=False)],
            "wait",
            "pg-2",
            id="not back yet",
        ),
        pytest.param(
            [one("pg-0", revision="old"), one("pg-1"), one("pg-2", terminating=True)], "wait", "pg-2", id="stopping"
        ),
        pytest.param(
            [one("pg-0", revision="old"), one("pg-1"), one("pg-2", state="running")],
            "wait",
            "pg-2",
            id="does not stream",
        ),
        pytest.param(
            [one("pg-0", revision="old"), one("pg-1"), one("pg-2", timeline=2)], "wait", "pg-2", id="other timeline"
        ),
        pytest.param(
            [one("pg-0"), one("pg-1"), one("pg-2", revision="old", ready=False)],
            "delete",
            "pg-2",
            id="a bad update, corrected",
        ),
        pytest.param(
            [one("pg-0", revision="old", ready=False), one("pg-1"), one("pg-2")],
            "wait",
            "pg-0",
            id="never a leader that is not ready",
        ),
        pytest.param(
            [one("pg-0"), one("pg-1", ready=False), one("pg-2", revision="old", ready=False)],
            "wait",
            "pg-1",
            id="two are not ready",
        ),
        pytest.param([one("pg-0", revision="old")], "delete", "pg-0", id="alone"),
    ],
)
def test_next_step(members: list[Member], action: str, member: str) -> None:
    assert short(rolling.plan(cluster(*members))) == (action, member)


def test_who_is_furthest_takes_over() -> None:
    members = [one("pg-0", revision="old"), one("pg-1", location=900), one("pg-2", location=800)]
    assert rolling.plan(cluster(*members)).candidate == "pg-1"


def test_who_is_not_a_synchronous_standby_yet_is_waited_for() -> None:
    """Patroni refuses to hand over to it."""
    members = [one("pg-0", revision="old"), one("pg-1", location=900), one("pg-2", location=800)]
    step = rolling.plan(cluster(*members, synchronous=("pg-0", "pg-2")))
    assert (step.action, step.member) == ("wait", "pg-1") and "not among the synchronous standbys yet" in step.reason
    assert rolling.plan(cluster(*members, synchronous=("pg-0", "pg-2", "pg-1"))).candidate == "pg-1"
    # nobody is while the leader is new
    assert rolling.plan(cluster(*members, synchronous=("pg-0",))).action == "wait"


@pytest.mark.parametrize(
    ("annotations", "read"),
    [
        (None, None),
        ({}, None),
        ({"leader": "", "sync_standby": "pg-1"}, None),
        ({"leader": "pg-0"}, ("pg-0",)),
        ({"leader": "pg-0", "sync_standby": "pg-1,pg-2", "quorum": "1"}, ("pg-0", "pg-1", "pg-2")),
    ],
)
def test_synchronous_standbys_are_read(annotations: dict[str, str] | None, read: tuple[str, ...] | None) -> None:
    workload = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "updateRevision": "pg-new"}}
    sync = None if annotations is None else {"metadata": {"annotations": annotations}}
    assert rolling.cluster("pg", workload, [POD], None, None, sync).synchronous == read


def test_after_the_switchover_the_old_leader_is_a_replica() -> None:
    members = [
        one("pg-0", revision="old", state="streaming", timeline=2),
        one("pg-1", state="running", timeline=2),
        one("pg-2", timeline=2),
    ]
    assert short(rolling.plan(cluster(*members, leader="pg-1"))) == ("delete", "pg-0")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"revision": ""}, "has not seen the change"),
        ({"leader": ""}, "has no leader"),
        ({"leader": "pg-9"}, r"has no leader \(pg-9 is gone\)"),
        ({"replicas": 5}, "3 of 5 pods"),
    ],
)
def test_waits(fields: dict[str, t.Any], reason: str) -> None:
    step = rolling.plan(cluster(**fields))
    assert step.action == "wait"
    assert re.search(reason, step.reason)


def test_a_paused_cluster_is_left_alone() -> None:
    step = rolling.plan(cluster(one("pg-0", revision="old"), paused=True))
    assert (step.action, "patronictl resume" in step.reason) == ("stop", True)
    assert rolling.plan(cluster(paused=True)).action == "none"


def test_what_was_tried_twice_ends_the_run() -> None:
    old = [one("pg-0", revision="old"), one("pg-1"), one("pg-2")]
    assert rolling.plan(cluster(*old), ["switchover pg-0"]).action == "switchover"
    assert rolling.plan(cluster(*old), ["switchover pg-0"] * 2).action == "stop"


def test_restarts_replicas_then_the_leader_then_replicas_once_more() -> None:
    members = [one(name, pending_restart=True) for name in (LEADER, *REPLICAS)]
    done: list[str] = []
    for _ in range(9):
        step = rolling.plan(cluster(*members), done)
        if step.action == "none":
            break
        done.append(f"{step.action} {step.member}")
    assert done == ["restart pg-1", "restart pg-2", "restart pg-0", "restart pg-1", "restart pg-2"]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=3, max_size=5), st.integers(0, 2))
def test_while_somebody_is_out_of_step_no_working_pod_is_touched(
    flags: list[tuple[bool, bool, bool]], lead: int
) -> None:
    leader = f"pg-{lead}"
    members = [
        one(
            f"pg-{number}",
            revision="old" if old else "new",
            ready=ready,
            terminating=gone,
            state="running" if number == lead else "streaming",
        )
        for number, (old, ready, gone) in enumerate(flags)
    ]
    step = rolling.plan(cluster(*members, leader=leader))
    fit = [member.name for member in members if member.ready and not member.terminating]
    if len(fit) < len(members):
        assert step.action in ("wait", "delete")
        assert step.action == "wait" or step.member not in fit
    if step.action == "delete":
        assert step.member != leader


class World:
    """A cluster that does what it is told, one look later: for runs that are killed between any two steps."""

    def __init__(self, size: int) -> None:
        self.leader = "pg-0"
        self.revisions = {f"pg-{number}": "old" for number in range(size)}
        self.down: str | None = None
        self.out: list[str] = []

    def look(self) -> Cluster:
        members = [
            one(
                name,
                revision=revision,
                ready=name != self.down,
                state="running" if name == self.leader else "streaming",
            )
            for name, revision in self.revisions.items()
        ]
        self.down = None
        return cluster(*members, leader=self.leader)

    def do(self, step: Step) -> None:
        self.out.append(f"{step.action} {step.member}")
        if step.action == "delete":
            assert step.member != self.leader
            self.revisions[step.member], self.down = "new", step.member
        elif step.action == "switchover":
            self.leader = step.candidate


@pytest.mark.parametrize("killed_after", range(6))
def test_a_run_that_is_killed_anywhere_is_taken_up(killed_after: int) -> None:
    world = World(3)
    looks = 0
    for limit in (killed_after, 99):
        done: list[str] = []
        for _ in range(limit):
            looks += 1
            step = rolling.plan(world.look(), done)
            if step.action == "none":
                break
            if step.action != "wait":
                done.append(f"{step.action} {step.member}")
                world.do(step)
    assert set(world.revisions.values()) == {"new"}
    assert world.out == ["delete pg-2", "delete pg-1", "switchover pg-0", "delete pg-0"]


POD: dict[str, t.Any] = {
    "metadata": {
        "name": "pg-1", "uid": "u", "labels": {"controller-revision-hash": "pg-1a2b", "role": "replica"},
        "annotations": {"status": json.dumps({"state": "running", "role": "replica", "replication_state": "streaming", "timeline": 3,
                                              "xlog_location": 4711, "pending_restart": True})},
    },
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}  # fmt: skip


def test_a_pod_is_read() -> None:
    found = rolling.member(POD)
    assert found == Member("pg-1", "u", "pg-1a2b", True, False, "replica", "streaming", 3, 4711, True)


@pytest.mark.parametrize("status", [None, "", "no JSON", "[]"])
def test_a_pod_of_which_patroni_has_said_nothing(status: str | None) -> None:
    found = rolling.member({"metadata": {"name": "pg-1", "annotations": {"status": status}}})
    assert (found.state, found.ready, found.revision) == ("", False, "")
    assert "Patroni has said nothing yet" in rolling.unfit(found._replace(ready=True), one(LEADER))


def test_a_revision_counts_once_the_controller_has_seen_the_change() -> None:
    workload = {
        "metadata": {"generation": 2},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "updateRevision": "pg-old"},
    }
    assert rolling.cluster("pg", workload, [POD], None, None).revision == ""


def config(text: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"annotations": {"config": text if isinstance(text, str) else json.dumps(text)}}}


def test_configuration() -> None:
    wanted = {"ttl": 30, "postgresql": {"parameters": {"work_mem": "4MB"}}}
    assert rolling.configuration(config(wanted), wanted)[1] is False
    assert rolling.configuration(None, wanted)[1] is False, "before there is a cluster there is nothing to write"
    text, differs = rolling.configuration(config({"ttl": 30, "pause": True, "loop_wait": 3}), wanted)
    assert (json.loads(text), differs) == ({**wanted, "pause": True}, True)


def test_changes_are_named() -> None:
    live = config({"ttl": 20, "loop_wait": 3, "postgresql": {"parameters": {"jit": "off", "work_mem": "4MB"}}})
    wanted = {"ttl": 30, "postgresql": {"parameters": {"work_mem": "8MB", "jit": "off"}}}
    assert rolling.changes(live, wanted) == ["loop_wait", "postgresql.parameters.work_mem", "ttl"]
