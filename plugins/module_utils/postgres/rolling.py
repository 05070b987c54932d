# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done next so that every member runs what it should: no Ansible inside, and no memory.

Each step follows from what the cluster says now, so that a run that was killed goes on where it stood: replicas first, one by one and each
back in step before the next; then a switchover; then the old leader, which is a replica by then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Obj = Mapping[str, Any]
# What is in Patroni's dynamic configuration and not the inventory's to say.
KEPT = ("pause", "standby_cluster")


class Member(NamedTuple):
    """A pod and what Patroni says of it. state: running, streaming, starting, …; location: bytes of WAL, 0 where it says none."""

    name: str
    uid: str
    revision: str
    ready: bool
    terminating: bool
    role: str
    state: str
    timeline: int
    location: int
    pending_restart: bool


class Cluster(NamedTuple):
    """leader: name of the pod that holds the lock, or ""; revision: what every pod should run; replicas: how many there should be.

    synchronous: who may take over while commits are replicated to a quorum; None where they are not. Patroni refuses all others.
    """

    name: str
    leader: str
    revision: str
    replicas: int
    paused: bool
    members: tuple[Member, ...]
    synchronous: tuple[str, ...] | None = None


class Step(NamedTuple):
    """action: none | wait | stop | delete | switchover | restart; member: which pod; candidate: who becomes leader; reason: for people."""

    action: str
    member: str = ""
    candidate: str = ""
    reason: str = ""


def member(pod: Obj) -> Member:
    """A pod as the API server has it, with the status that Patroni keeps in an annotation."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    said = _json((metadata.get("annotations") or {}).get("status"))
    labels = metadata.get("labels") or {}
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or []}
    return Member(
        name=metadata["name"],
        uid=metadata.get("uid") or "",
        revision=str(labels.get("controller-revision-hash") or ""),
        ready=conditions.get("Ready") == "True",
        terminating=bool(metadata.get("deletionTimestamp")),
        role=str(said.get("role") or labels.get("role") or ""),
        state=str(said.get("replication_state") or said.get("state") or ""),
        timeline=int(said.get("timeline") or 0),
        location=int(said.get("xlog_location") or 0),
        pending_restart=bool(said.get("pending_restart")),
    )


def cluster(
    name: str, workload: Obj, pods: Sequence[Obj], leader: Obj | None, config: Obj | None, sync: Obj | None = None
) -> Cluster:
    """From the StatefulSet, its pods, and the ConfigMaps <name>-leader, <name>-config and <name>-sync."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    seen = int(status.get("observedGeneration") or 0) >= int(workload["metadata"].get("generation") or 0)
    return Cluster(
        name=name,
        leader=str(_annotations(leader).get("leader") or ""),
        revision=str(status.get("updateRevision") or "") if seen else "",
        replicas=1 if spec.get("replicas") is None else int(spec["replicas"]),
        paused=bool(_json(_annotations(config).get("config")).get("pause")),
        members=tuple(sorted((member(pod) for pod in pods), key=lambda one: one.name)),
        synchronous=_synchronous(_annotations(sync)),
    )


def _synchronous(said: Obj) -> tuple[str, ...] | None:
    """The leader and the standbys that Patroni has written down, None where it has none."""
    if not said.get("leader"):
        return None
    return (
        str(said["leader"]),
        *(one.strip() for one in str(said.get("sync_standby") or "").split(",") if one.strip()),
    )


def plan(now: Cluster, done: Sequence[str] = ()) -> Step:
    """The next step. done: "<action> <member>" of this run; a step that was taken twice and did not help ends it."""
    if not now.revision:
        return Step("wait", reason=f"StatefulSet {now.name}: its controller has not seen the change yet")
    leader = next((one for one in now.members if one.name == now.leader), None)
    stale = [one for one in now.members if one.revision != now.revision]
    waiting = [(one, why) for one in now.members if (why := unfit(one, leader, now.synchronous))]
    if now.paused and (stale or any(one.pending_restart for one in now.members)):
        return Step(
            "stop",
            reason=f"cluster {now.name} is paused, so that nobody would take over. Resume it: patronictl resume, in any of its pods",
        )
    # What does not work and is old anyway is made anew: a bad update is got rid of so. One at a time, while all others work.
    if len(waiting) == 1 and waiting[0][0] in stale and not waiting[0][0].terminating and waiting[0][0] is not leader:
        return _once(Step("delete", waiting[0][0].name, reason=f"it runs an old revision, and {waiting[0][1]}"), done)
    if waiting:
        return Step("wait", waiting[0][0].name, reason="; ".join(f"{one.name}: {why}" for one, why in waiting))
    if len(now.members) < now.replicas:
        return Step("wait", reason=f"{len(now.members)} of {now.replicas} pods are there")
    if leader is None:
        return Step(
            "wait", reason=f"cluster {now.name} has no leader" + (f" ({now.leader} is gone)" if now.leader else "")
        )
    return _outdated(now, leader, stale, done) or _restarts(now, leader, done) or Step("none")


def unfit(one: Member, leader: Member | None, synchronous: Sequence[str] | None = None) -> str:
    """Why no other member may be touched now, or ""."""
    if one.terminating:
        return "it is being stopped"
    if not one.ready:
        return f"it is not ready ({one.state or 'Patroni has said nothing yet'})"
    if leader is not None and one.name != leader.name:
        if one.state != "streaming":
            return f"it does not stream from the leader ({one.state or 'Patroni has said nothing yet'})"
        if one.timeline and leader.timeline and one.timeline != leader.timeline:
            return f"it is on timeline {one.timeline}, and the leader on {leader.timeline}"
        if synchronous is not None and one.name not in synchronous:
            return "it streams, and is not among the synchronous standbys yet"
    return ""


def _outdated(now: Cluster, leader: Member, stale: Sequence[Member], done: Sequence[str]) -> Step | None:
    replicas = [one for one in stale if one.name != leader.name]
    if replicas:
        return _once(Step("delete", replicas[-1].name, reason="a replica that runs an old revision"), done)
    if not stale:
        return None
    others = [one for one in now.members if one.name != leader.name]
    if not others:
        return _once(
            Step("delete", leader.name, reason="the only member runs an old revision: nobody can take over"), done
        )
    chosen = max(others, key=lambda one: (one.location, one.name))
    return _once(Step("switchover", leader.name, chosen.name, "the leader runs an old revision"), done)


def _restarts(now: Cluster, leader: Member, done: Sequence[str]) -> Step | None:
    """Replicas, the leader in place, and replicas once more: some parameters may only fall after the leader's."""
    pending = [one for one in now.members if one.pending_restart]
    for one in sorted(pending, key=lambda one: (one.name == leader.name, one.name)):
        taken = list(done).count(f"restart {one.name}")
        if taken == 0 or (taken == 1 and one.name != leader.name and f"restart {leader.name}" in done):
            return Step("restart", one.name, reason="parameters have changed that count from a start on")
    return None


def _once(step: Step, done: Sequence[str]) -> Step:
    if list(done).count(f"{step.action} {step.member}") < 2:
        return step
    return Step("stop", step.member, reason=f"{step.action} of {step.member} was tried twice, and still: {step.reason}")


def configuration(live: Obj | None, wanted: Obj) -> tuple[str, bool]:
    """(the dynamic configuration as text, whether it has to be written). live: ConfigMap <name>-config, None before it is there."""
    held = _json(_annotations(live).get("config"))
    whole = {**json.loads(json.dumps(wanted)), **{key: held[key] for key in KEPT if key in held}}
    return json.dumps(whole, sort_keys=True, separators=(",", ":")), bool(held) and held != whole


def changes(live: Obj | None, wanted: Obj) -> list[str]:
    """Names of what differs, such as postgresql.parameters.work_mem."""
    text, _differs = configuration(live, wanted)
    return _differences(_json(_annotations(live).get("config")), json.loads(text))


def _differences(held: Obj, whole: Obj, path: str = "") -> list[str]:
    found = []
    for key in sorted({*held, *whole}):
        here = f"{path}.{key}" if path else str(key)
        one, other = held.get(key), whole.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += _differences(one, other, here)
        elif one != other or (key in held) != (key in whole):
            found.append(here)
    return found


def _annotations(one: Obj | None) -> Obj:
    return ((one or {}).get("metadata") or {}).get("annotations") or {}


def _json(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
