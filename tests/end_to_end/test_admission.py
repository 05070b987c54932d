# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B4 with what comes after admission: controllers and kubelets. tests/integration/admission has the rules one by one."""

from __future__ import annotations

import json
import typing as t

import pytest
from admission import good
from labrun import LabRun

SPACE = "proof-admission"
BUSYBOX = "docker.io/library/busybox:1.36"


@pytest.fixture(scope="module")
def walled(cluster: LabRun) -> t.Iterator[LabRun]:
    """The cluster with its walls, and a namespace that enforces."""
    cluster.playbook("platform", "--tags", "baseline").succeeded()
    yield from spaced(cluster)


def spaced(cluster: LabRun) -> t.Iterator[LabRun]:
    walls(cluster, "enforce")
    try:
        yield cluster
    finally:
        cluster.kubectl("delete", "namespace", SPACE, "--wait=true", "--timeout=120s")


def walls(cluster: LabRun, mode: str) -> None:
    labels = {"enclii.dev/walls": mode, "enclii.dev/purpose": "environment"} if mode else {}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": labels}}
    cluster.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(body))


def workload(kind: str, name: str, seconds: int = 3600, **changes: t.Any) -> dict[str, t.Any]:
    command = {"exec": {"command": ["true"]}}
    fields = {"image": BUSYBOX, "command": ["sleep", str(seconds)], "readinessProbe": command, "livenessProbe": command}
    fields["resources"] = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
    obj = good(kind, name, **(fields | changes))
    obj["spec"]["template"]["spec"] |= {"terminationGracePeriodSeconds": 0}
    return obj


def apply(cluster: LabRun, obj: dict[str, t.Any]) -> None:
    cluster.kubectl("apply", "-n", SPACE, "-f", "-", given=json.dumps(obj))


def failure(cluster: LabRun, name: str) -> str:
    """Why the controller cannot make pods; empty where it can."""
    conditions = cluster.get("deployment", "-n", SPACE, name)["status"].get("conditions", [])
    return "".join(one.get("message", "") for one in conditions if one["type"] == "ReplicaFailure")


def test_expressions_fit_every_kind_they_are_for(walled: LabRun) -> None:
    """The controller manager checks their types and says so in the status."""

    def checked() -> list[t.Any] | None:
        ours = [
            one["status"] for one in walled.get("validatingadmissionpolicies")["items"]
            if one["metadata"]["name"].startswith("enclii-")
        ]  # fmt: skip
        done = len(ours) >= 3 and all("typeChecking" in one for one in ours)
        return [one["typeChecking"].get("expressionWarnings", []) for one in ours] if done else None

    assert not any(walled.until("types are checked", checked, 60))


def test_what_complies_runs(walled: LabRun) -> None:
    apply(walled, workload("Deployment", "complies"))
    apply(walled, workload("Job", "ends", 1, readinessProbe=None, livenessProbe=None))
    walled.kubectl("rollout", "status", "-n", SPACE, "deployment/complies", "--timeout=90s")
    walled.kubectl("wait", "-n", SPACE, "--for=condition=Complete", "job/ends", "--timeout=90s")


def test_what_was_bad_before_lives_on_and_its_new_pods_tell_why_they_are_refused(walled: LabRun) -> None:
    walls(walled, "")
    apply(walled, workload("Deployment", "old", resources=None, livenessProbe=None))
    walled.kubectl("rollout", "status", "-n", SPACE, "deployment/old", "--timeout=90s")
    walls(walled, "enforce")
    walled.kubectl("label", "-n", SPACE, "deployment/old", "a=b")
    walled.kubectl("scale", "-n", SPACE, "deployment/old", "--replicas=2")
    walled.until("the controller says why", lambda: "[liveness]" in failure(walled, "old"), 60)
    assert '[resources] container "api"' in failure(walled, "old")
    assert walled.get("deployment", "-n", SPACE, "old")["status"]["readyReplicas"] == 1
    walled.kubectl("scale", "-n", SPACE, "deployment/old", "--replicas=1")
    walled.until("it has settled", lambda: not failure(walled, "old"), 60)


def test_it_can_be_debugged(walled: LabRun) -> None:
    name = walled.get("pods", "-n", SPACE, "-l", "app=old")["items"][0]["metadata"]["name"]
    debug = ("debug", "-n", SPACE, name, "--attach=false")
    walled.kubectl(*debug, "-c", "helper", f"--image={BUSYBOX}", "--", "sleep", "1")
    walled.kubectl(*debug, "-c", "other", "--image=busybox", "--", "sleep", "1", check=False)
    found = walled.get("pod", "-n", SPACE, name)["spec"]["ephemeralContainers"]
    assert [one["name"] for one in found] == ["helper"]


def test_observed_it_runs(walled: LabRun) -> None:
    walls(walled, "observe")
    walled.kubectl("scale", "-n", SPACE, "deployment/old", "--replicas=2")
    walled.kubectl("rollout", "status", "-n", SPACE, "deployment/old", "--timeout=90s")
    walls(walled, "enforce")
