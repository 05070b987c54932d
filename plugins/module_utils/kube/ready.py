# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this object ready, and if not, why: one pure function per kind."""

from __future__ import annotations

import dataclasses
import typing as t

Obj = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class State:
    """ready; failed: it will not become ready by waiting; why: in words, '' where ready."""

    ready: bool
    why: str = ""
    failed: bool = False


READY = State(True)

# Kinds whose controller writes a condition; until it is there they are not ready. (Other kinds without
# conditions count as ready, as kstatus has it: most have no controller that reports.)
_EXPECTED = {
    ("cert-manager.io", "Certificate"): "Ready",
    ("cert-manager.io", "CertificateRequest"): "Ready",
    ("cert-manager.io", "Issuer"): "Ready",
    ("cert-manager.io", "ClusterIssuer"): "Ready",
    ("bitnami.com", "SealedSecret"): "Synced",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "Established",
    ("apiregistration.k8s.io", "APIService"): "Available",
}


def assess(obj: Obj) -> State:
    """State of a live object."""
    metadata = obj.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return State(False, "it is being deleted")
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    kind = str(obj.get("kind", ""))
    rule = _RULES.get((group, kind))
    if rule is not None:
        return rule(obj.get("spec") or {}, obj.get("status") or {}, metadata)
    return _conditions(obj.get("status") or {}, metadata, _EXPECTED.get((group, kind)))


def condition(status: Obj, name: str) -> Obj | None:
    for entry in status.get("conditions") or []:
        if isinstance(entry, dict) and entry.get("type") == name:
            return t.cast(Obj, entry)
    return None


def _conditions(status: Obj, metadata: Obj, expected: str | None) -> State:
    if not isinstance(status, dict):
        return READY
    seen = status.get("observedGeneration")
    if isinstance(seen, int) and seen < int(metadata.get("generation") or 0):
        return State(False, "its controller has not seen the change yet")
    for name in (expected,) if expected else ("Ready", "Available"):
        entry = condition(status, name)
        if entry is None:
            if expected:
                return State(False, f"its controller has not reported {name} yet")
            continue
        about = entry.get("observedGeneration")
        if isinstance(about, int) and about < int(metadata.get("generation") or 0):
            return State(False, f"{name} is about an older generation")
        if entry.get("status") != "True":
            return State(False, f"{name} is {entry.get('status')}{_reason(entry)}")
        return READY
    return READY


def _reason(entry: Obj) -> str:
    words = ": ".join(str(entry[key]) for key in ("reason", "message") if entry.get(key))
    return f" ({words})" if words else ""


def _observed(status: Obj, metadata: Obj) -> bool:
    return int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)


def _deployment(spec: Obj, status: Obj, metadata: Obj) -> State:
    if not _observed(status, metadata):
        return State(False, "its controller has not seen the change yet")
    progressing = condition(status, "Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        return State(False, f"its rollout is past the deadline{_reason(progressing)}", failed=True)
    wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
    updated, total = int(status.get("updatedReplicas") or 0), int(status.get("replicas") or 0)
    available = int(status.get("availableReplicas") or 0)
    if updated < wanted:
        return State(False, f"{updated} of {wanted} replicas updated")
    if total > updated:
        return State(False, f"{total - updated} old replicas still running")
    if available < updated:
        return State(False, f"{available} of {updated} replicas available")
    return READY


def _stateful_set(spec: Obj, status: Obj, metadata: Obj) -> State:
    if not _observed(status, metadata):
        return State(False, "its controller has not seen the change yet")
    wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
    ready = int(status.get("readyReplicas") or 0)
    if ready < wanted:
        return State(False, f"{ready} of {wanted} replicas ready")
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return READY
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    updated = int(status.get("updatedReplicas") or 0)
    if partition:
        return (
            READY
            if updated >= wanted - partition
            else State(False, f"{updated} of {wanted - partition} replicas updated")
        )
    if wanted and status.get("updateRevision") != status.get("currentRevision"):
        return State(False, f"{updated} of {wanted} replicas updated")
    return READY


def _daemon_set(spec: Obj, status: Obj, metadata: Obj) -> State:
    if not _observed(status, metadata):
        return State(False, "its controller has not seen the change yet")
    wanted = int(status.get("desiredNumberScheduled") or 0)
    updated, available = int(status.get("updatedNumberScheduled") or 0), int(status.get("numberAvailable") or 0)
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete" and updated < wanted:
        return State(False, f"{updated} of {wanted} nodes updated")
    return READY if available >= wanted else State(False, f"{available} of {wanted} pods available")


def _replica_set(spec: Obj, status: Obj, metadata: Obj) -> State:
    wanted = 1 if spec.get("replicas") is None else int(spec["replicas"])
    available = int(status.get("availableReplicas") or 0)
    if not _observed(status, metadata) or available < wanted:
        return State(False, f"{available} of {wanted} replicas available")
    return READY


def _job(spec: Obj, status: Obj, _metadata: Obj) -> State:
    failed, complete = condition(status, "Failed"), condition(status, "Complete")
    if failed and failed.get("status") == "True":
        return State(False, f"it failed{_reason(failed)}", failed=True)
    if complete and complete.get("status") == "True":
        return READY
    if spec.get("suspend"):
        return READY
    wanted = spec.get("completions") or 1
    return State(
        False, f"{status.get('succeeded') or 0} of {wanted} completions, {status.get('failed') or 0} failed pods"
    )


def _pod(_spec: Obj, status: Obj, _metadata: Obj) -> State:
    phase = status.get("phase")
    if phase == "Succeeded":
        return READY
    if phase == "Failed":
        return State(False, pod_reason({"status": status}) or "it failed", failed=True)
    ready = condition(status, "Ready")
    if ready and ready.get("status") == "True":
        return READY
    return State(False, pod_reason({"status": status}) or f"it is {phase or 'not scheduled yet'}")


def pod_reason(pod: Obj) -> str:
    """Why a pod is not ready: what its containers wait for, or why it has no node."""
    status = pod.get("status") or {}
    for entry in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        state = entry.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            last = ((entry.get("lastState") or {}).get("terminated")) or {}
            code = f", last exit code {last['exitCode']}" if "exitCode" in last else ""
            return f"container {entry.get('name')}: {waiting['reason']}{code} {waiting.get('message') or ''}".strip()
        if ended and ended.get("exitCode"):
            return f"container {entry.get('name')}: exit code {ended['exitCode']} {ended.get('message') or ''}".strip()
    scheduled = condition(status, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        return f"not scheduled{_reason(scheduled)}"
    for entry in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waiting = (entry.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return f"container {entry.get('name')}: {waiting['reason']} {waiting.get('message') or ''}".strip()
        if not entry.get("ready") and "running" in (entry.get("state") or {}):
            return f"container {entry.get('name')}: running, not ready"
    return str(status.get("message") or "")


def _claim(_spec: Obj, status: Obj, metadata: Obj) -> State:
    if status.get("phase") == "Bound":
        return READY
    if status.get("phase") == "Lost":
        return State(False, "its volume is lost", failed=True)
    selected = (metadata.get("annotations") or {}).get("volume.kubernetes.io/selected-node")
    return State(
        False, f"it is {status.get('phase') or 'Pending'}" + (f", node {selected} selected" if selected else "")
    )


def _namespace(_spec: Obj, status: Obj, _metadata: Obj) -> State:
    return READY if status.get("phase") == "Active" else State(False, f"it is {status.get('phase')}")


def _service(spec: Obj, status: Obj, _metadata: Obj) -> State:
    if spec.get("type") == "LoadBalancer" and not (status.get("loadBalancer") or {}).get("ingress"):
        return State(False, "it has no load balancer address yet")
    return READY


def _ready(_spec: Obj, _status: Obj, _metadata: Obj) -> State:
    return READY


_RULES: dict[tuple[str, str], t.Callable[[Obj, Obj, Obj], State]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Namespace"): _namespace,
    ("", "Service"): _service,
    # Their conditions speak of load and of rules, not of readiness.
    ("autoscaling", "HorizontalPodAutoscaler"): _ready,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): _ready,
    ("networking.k8s.io", "Ingress"): _ready,
}
