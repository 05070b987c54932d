# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness of each kind, and waiting that says who is late and why."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube import order
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError
from ansible_collections.enclii.platform.plugins.module_utils.kube.manifests import Wanted
from ansible_collections.enclii.platform.plugins.module_utils.kube.ready import assess, pod_reason
from ansible_collections.enclii.platform.plugins.module_utils.kube.waiting import Waiter

Obj = dict[str, t.Any]


def obj(kind: str, api: str, status: Obj | None = None, spec: Obj | None = None, **metadata: t.Any) -> Obj:
    meta = {"name": "x", "namespace": "n", "uid": "u", "generation": 2, **metadata}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec or {}, "status": status or {}}


def cond(kind: str, status: str = "True", **more: t.Any) -> Obj:
    return {"conditions": [{"type": kind, "status": status, **more}], "observedGeneration": 2}


DONE = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
TWO = {"replicas": 2}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


@pytest.mark.parametrize(
    ("live", "why"),
    [
        (obj("Deployment", "apps/v1", DONE, TWO), None),
        (obj("Deployment", "apps/v1", {**DONE, "observedGeneration": 1}, TWO), "has not seen"),
        (obj("Deployment", "apps/v1", {**DONE, "updatedReplicas": 1}, TWO), "1 of 2 replicas updated"),
        (obj("Deployment", "apps/v1", {**DONE, "replicas": 3}, TWO), "1 old replicas still running"),
        (obj("Deployment", "apps/v1", {**DONE, "availableReplicas": 0}, TWO), "0 of 2 replicas available"),
        (obj("Deployment", "apps/v1", {"observedGeneration": 2}, {"replicas": 0}), None),
        (obj("Deployment", "apps/v1", {**DONE, "conditions": [LATE]}, TWO), "FAILED its rollout is past the deadline"),
        (obj("StatefulSet", "apps/v1", {**DONE, "currentRevision": "a", "updateRevision": "a"}, TWO), None),
        (obj("StatefulSet", "apps/v1", {**DONE, "readyReplicas": 1}, TWO), "1 of 2 replicas ready"),
        (obj("StatefulSet", "apps/v1", {**DONE, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1}, TWO), "1 of 2"),
        (obj("DaemonSet", "apps/v1", {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3,
                                      "numberAvailable": 2}), "2 of 3 pods available"),
        (obj("DaemonSet", "apps/v1", {"observedGeneration": 2}), None),
        (obj("Job", "batch/v1", cond("Complete")), None),
        (obj("Job", "batch/v1", cond("Failed", reason="BackoffLimitExceeded")), "FAILED it failed (BackoffLimitExceeded)"),
        (obj("Job", "batch/v1", {"failed": 1}), "0 of 1 completions, 1 failed pods"),
        (obj("Job", "batch/v1", {}, {"suspend": True}), None),
        (obj("Pod", "v1", {"phase": "Running", **cond("Ready")}), None),
        (obj("Pod", "v1", {"phase": "Succeeded"}), None),
        (obj("Pod", "v1", {"phase": "Failed", "message": "evicted"}), "FAILED evicted"),
        (obj("Pod", "v1", {"phase": "Pending"}), "it is Pending"),
        (obj("PersistentVolumeClaim", "v1", {"phase": "Bound"}), None),
        (obj("PersistentVolumeClaim", "v1", {"phase": "Pending"}), "it is Pending"),
        (obj("PersistentVolumeClaim", "v1", {"phase": "Lost"}), "FAILED its volume is lost"),
        (obj("CustomResourceDefinition", "apiextensions.k8s.io/v1", cond("Established")), None),
        (obj("CustomResourceDefinition", "apiextensions.k8s.io/v1"), "not reported Established"),
        (obj("APIService", "apiregistration.k8s.io/v1", cond("Available", "False", reason="MissingEndpoints")), "MissingEndpoints"),
        (obj("Certificate", "cert-manager.io/v1", cond("Ready")), None),
        (obj("Certificate", "cert-manager.io/v1"), "not reported Ready"),
        (obj("Certificate", "cert-manager.io/v1", cond("Ready", observedGeneration=1)), "older generation"),
        (obj("SealedSecret", "bitnami.com/v1alpha1", cond("Synced", "False", message="no key")), "no key"),
        (obj("Anything", "example.org/v1"), None),
        (obj("Anything", "example.org/v1", cond("Ready", "False", reason="Why")), "Ready is False (Why)"),
        (obj("Anything", "example.org/v1", cond("Available", "Unknown")), "Available is Unknown"),
        (obj("Anything", "example.org/v1", {"observedGeneration": 1}), "has not seen"),
        (obj("ConfigMap", "v1"), None),
        (obj("ConfigMap", "v1", deletionTimestamp="2026"), "being deleted"),
        (obj("Namespace", "v1", {"phase": "Terminating"}), "it is Terminating"),
        (obj("Service", "v1", {}, {"type": "LoadBalancer"}), "no load balancer address"),
        (obj("Service", "v1", {}, {"type": "ClusterIP"}), None),
    ],
)  # fmt: skip
def test_assess(live: Obj, why: str | None) -> None:
    state = assess(live)
    assert state.ready is (why is None)
    if why is not None:
        assert why.removeprefix("FAILED ") in state.why and state.failed is why.startswith("FAILED")


def pod(**state: t.Any) -> Obj:
    return {"status": {"containerStatuses": [{"name": "c", **state}]}}


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}), "container c: ImagePullBackOff no such image"),
        (pod(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": {"exitCode": 2}}),
         "container c: CrashLoopBackOff, last exit code 2"),
        (pod(state={"terminated": {"exitCode": 1, "message": "oops"}}), "container c: exit code 1 oops"),
        (pod(state={"running": {}}, ready=False), "container c: running, not ready"),
        (pod(state={"waiting": {"reason": "ContainerCreating"}}), "container c: ContainerCreating"),
        ({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]}},
         "not scheduled (Unschedulable: 0/3 nodes)"),
    ],
)  # fmt: skip
def test_pod_reason(live: Obj, reason: str) -> None:
    assert pod_reason(live) == reason


class Cluster:
    """Objects that change with the time: {path: [(from second, object), …]}."""

    def __init__(self, objects: dict[str, list[tuple[float, Obj | None]]], pods: list[Obj] | None = None) -> None:
        self.objects, self.pods, self.now, self.looks = objects, pods or [], 0.0, 0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds <= 0.5, "polling has to be quick"
        self.now += seconds

    def map(self, work: t.Callable[[t.Any], t.Any], items: t.Any) -> list[t.Any]:
        return [work(item) for item in items]

    def find(self, path: str) -> Obj | None:
        self.looks += 1
        return [found for since, found in self.objects[path] if since <= self.now][-1]

    def list(self, _path: str, _query: t.Any) -> list[Obj]:
        return self.pods


def waiter(cluster: Cluster) -> Waiter:
    return Waiter(cluster, cluster)  # type: ignore[arg-type]


def wanted(kind: str = "Deployment") -> Wanted:
    return Wanted({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}}, "file f.yaml, document 1", "n")


SPEC = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}}


def test_ready_after_a_while_and_nothing_asked_where_it_is_ready() -> None:
    late, done = (
        obj("Deployment", "apps/v1", {**DONE, "availableReplicas": 1}, SPEC),
        obj("Deployment", "apps/v1", DONE, SPEC),
    )
    cluster = Cluster({"/x": [(0, late), (3, done)]})
    waiter(cluster).until_ready([("/x", wanted(), late)], 10)
    assert 3 <= cluster.now < 3.5
    looks = cluster.looks
    waiter(cluster).until_ready([("/x", wanted(), done)], 10)
    assert cluster.looks == looks


def test_timeout_names_pods_and_reasons() -> None:
    late = obj("Deployment", "apps/v1", {**DONE, "availableReplicas": 1}, SPEC)
    bad = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x-1"}, "status": {"containerStatuses": [
        {"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}}  # fmt: skip
    with pytest.raises(KubeError) as caught:
        waiter(Cluster({"/x": [(0, late)]}, [bad])).until_ready([("/x", wanted(), None)], 5)
    assert str(caught.value) == (
        "Deployment n/x (file f.yaml, document 1): not ready after 5 s: 1 of 2 replicas available "
        "(pod x-1: container c: ImagePullBackOff no such image). "
        "Repair what it waits for, or give wait_timeout more seconds; nothing was pruned."
    )


def test_what_failed_for_good_is_told_at_once() -> None:
    failed = obj("Job", "batch/v1", cond("Failed", reason="BackoffLimitExceeded"))
    cluster = Cluster({"/x": [(0, failed)]})
    with pytest.raises(KubeError, match="it failed"):
        waiter(cluster).until_ready([("/x", wanted("Job"), failed)], 600)
    assert cluster.now < 1


def test_claim_that_binds_late_is_ready() -> None:
    claim = obj("PersistentVolumeClaim", "v1", {"phase": "Pending"}, {"storageClassName": "local"})
    path = "/apis/storage.k8s.io/v1/storageclasses/local"
    late = Cluster({"/x": [(0, claim)], path: [(0, {"volumeBindingMode": "WaitForFirstConsumer"})]})
    waiter(late).until_ready([("/x", wanted(), claim)], 5)
    with pytest.raises(KubeError, match="it is Pending"):
        waiter(Cluster({"/x": [(0, claim)], path: [(0, {})]})).until_ready([("/x", wanted(), claim)], 5)


def test_gone_means_gone_or_made_anew() -> None:
    live = obj("ConfigMap", "v1", finalizers=["example.org/hold"])
    waiter(Cluster({"/x": [(0, live), (1, None)]})).until_gone([("/x", "ConfigMap n/x", "u")], 5)
    waiter(Cluster({"/x": [(0, {**live, "metadata": {"uid": "new"}})]})).until_gone([("/x", "ConfigMap n/x", "u")], 5)
    with pytest.raises(
        KubeError, match=r"ConfigMap n/x: it is still there 5 s after its deletion; finalizers: example.org/hold"
    ):
        waiter(Cluster({"/x": [(0, live)]})).until_gone([("/x", "ConfigMap n/x", "u")], 5)


@pytest.mark.parametrize(
    ("group", "kind", "phase"),
    [
        ("", "Namespace", order.NAMESPACES),
        ("apiextensions.k8s.io", "CustomResourceDefinition", order.DEFINITIONS),
        ("rbac.authorization.k8s.io", "ClusterRole", order.BASE),
        ("", "ServiceAccount", order.BASE),
        ("", "Secret", order.BASE),
        ("", "Service", order.BASE),
        ("", "LimitRange", order.BASE),
        ("", "ResourceQuota", order.LIMITS),
        ("policy", "PodDisruptionBudget", order.BASE),
        ("apps", "Deployment", order.WORKLOADS),
        ("batch", "CronJob", order.WORKLOADS),
        ("", "Pod", order.WORKLOADS),
        ("cert-manager.io", "Certificate", order.WORKLOADS),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", order.LATE),
        ("apiregistration.k8s.io", "APIService", order.LATE),
    ],
)
def test_phases(group: str, kind: str, phase: int) -> None:
    assert order.phase(group, kind) == phase


def test_a_denial_comes_after_what_is_allowed() -> None:
    allowing = {"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}}
    denying = {"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": []}}
    assert order.phase("networking.k8s.io", "NetworkPolicy", allowing) == order.BASE
    assert order.phase("networking.k8s.io", "NetworkPolicy", denying) == order.LIMITS
    marked = {"metadata": {"labels": {order.CLOSES: "egress"}}}
    assert order.phase("networking.k8s.io", "NetworkPolicy", {**allowing, **marked}) == order.CLOSING
    assert order.phase("networking.k8s.io", "NetworkPolicy", {**denying, **marked}) == order.LIMITS
    assert order.phase("", "ConfigMap", marked) == order.BASE
    assert order.BASE < order.CLOSING < order.LIMITS < order.WORKLOADS
    assert len(order.PHASES) == order.LATE + 1
