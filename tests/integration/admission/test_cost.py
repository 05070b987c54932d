# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the policies cost the API server, and how far away the limits of CEL are. `pytest -rP` shows the figures."""

from __future__ import annotations

import copy
import statistics
import time
import typing as t

import pytest
from admission import good

DIGEST = "sha256:" + "ab" * 32
LONG = "ghcr.io/madfam/" + "a-quite-long-name-of-a-repository/" * 5 + "switchyard-api:1.4.2-build.20260101@" + DIGEST


def pod_of(containers: int, variables: int, kind: str = "Deployment", **more: t.Any) -> dict[str, t.Any]:
    """A workload with so many containers, each with so many environment variables of some length."""
    obj = good(kind)
    spec = obj["spec"] if kind == "Pod" else obj["spec"]["template"]["spec"]
    template = spec["containers"][0] | {"image": LONG} | more
    env = [
        {"name": f"SOME_LONG_NAME_OF_A_SETTING_{n}", "value": f"https://user@example.com/{n}" * 3}
        for n in range(variables)
    ]
    spec["containers"] = [copy.deepcopy(template) | {"name": f"container-{n}", "env": env} for n in range(containers)]
    return obj


@pytest.mark.parametrize(("containers", "variables"), [(1, 10), (20, 50), (100, 20)])
def test_large_pods_stay_within_the_limits_of_cel(walls: t.Any, containers: int, variables: int) -> None:
    answer = walls.admin.create(pod_of(containers, variables), walls.spaces["enforce"])
    assert answer.ok, answer.message


def test_large_pods_that_break_every_rule_are_told_so(walls: t.Any) -> None:
    """The dearest case: every pattern matches and every message is composed."""
    bad = pod_of(
        20, 50, image="busybox", resources=None, livenessProbe=None, readinessProbe=None, imagePullPolicy="Never"
    )
    for container in bad["spec"]["template"]["spec"]["containers"]:
        container["env"] = [{"name": f"{one['name']}_PASSWORD", "value": one["value"]} for one in container["env"]]
    message = walls.admin.create(bad, walls.spaces["enforce"]).message
    assert "[image-tag]" in message and "cost" not in message and message.endswith("... and more")


def test_beyond_the_limit_is_refused_and_not_let_through(walls: t.Any) -> None:
    """How many containers it takes: far more than the 20 that are promised."""
    containers = 100
    while (answer := walls.admin.create(pod_of(containers, 20), walls.spaces["enforce"])).ok and containers < 6400:
        containers *= 2
    print(
        f"limit of CEL: not at {containers // 2} containers with 20 variables each, at {containers}: {answer.message[-160:]}"
    )
    assert containers > 200
    assert answer.ok or "budget" in answer.message or "cost" in answer.message


def cost_of(walls: t.Any, calls: dict[str, t.Callable[[], t.Any]], rounds: int) -> dict[str, tuple[float, float]]:
    """Name -> milliseconds from request to answer (median), and of the server's processor (mean), on one connection.

    Rounds come by turns, a block of each, so that what else the machine does falls on all of them.
    """
    took: dict[str, list[float]] = {name: [] for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    for _block in range(5):
        for name, call in calls.items():
            before = walls.server.cpu_seconds()
            for _round in range(rounds // 5):
                began = time.perf_counter()
                assert call().ok
                took[name].append(1000 * (time.perf_counter() - began))
            spent[name] += 1000 * (walls.server.cpu_seconds() - before)
    return {name: (statistics.median(values), spent[name] / len(values)) for name, values in took.items()}


@pytest.mark.parametrize(("containers", "variables", "most"), [(1, 5, 5.0), (20, 20, 50.0)])
def test_latency(walls: t.Any, containers: int, variables: int, most: float) -> None:
    deployment = pod_of(containers, variables)
    spaces = {"without": walls.spaces["free"], "enforce": walls.spaces["enforce"], "observe": walls.spaces["observe"]}

    def creates(namespace: str) -> t.Callable[[], t.Any]:
        return lambda: walls.admin.create(deployment, namespace)

    cost = cost_of(walls, {name: creates(namespace) for name, namespace in spaces.items()}, 100)
    told = ", ".join(f"{name} {wall:.2f} ms ({cpu:.2f} ms of CPU)" for name, (wall, cpu) in cost.items())
    print(f"a Deployment of {containers} containers with {variables} variables each: {told}")
    assert cost["enforce"][1] - cost["without"][1] < most


def test_what_does_not_change_containers_costs_next_to_nothing(walls: t.Any) -> None:
    """A change of labels ends at the match condition."""
    spaces = {"without": walls.spaces["free"], "enforce": walls.spaces["enforce"]}
    for namespace in spaces.values():
        assert walls.admin.create(pod_of(20, 20), namespace, dry=False).ok

    def patches(namespace: str) -> t.Callable[[], t.Any]:
        return lambda: walls.admin.patch("Deployment", namespace, "web", {"metadata": {"labels": {"a": "b"}}}, dry=True)

    try:
        cost = cost_of(walls, {name: patches(namespace) for name, namespace in spaces.items()}, 50)
    finally:
        for namespace in spaces.values():
            walls.admin.call("DELETE", walls.admin.path("Deployment", namespace, "web"))
    told = ", ".join(f"{name} {wall:.2f} ms ({cpu:.2f} ms of CPU)" for name, (wall, cpu) in cost.items())
    print(f"a label of a Deployment of 20 containers: {told}")
    assert cost["enforce"][1] - cost["without"][1] < 20


def test_time_until_parameters_and_labels_are_in_force(walls: t.Any) -> None:
    took = {}
    for mode in ("enforce", "observe", ""):
        namespace = walls.space()
        began = time.monotonic()
        walls.label(namespace, mode)
        took[mode or "without"] = time.monotonic() - began
    began = time.monotonic()
    walls.in_force()
    print(
        f"in force after: parameters {time.monotonic() - began:.2f} s, "
        + ", ".join(f"{m} {s:.2f} s" for m, s in took.items())
    )
