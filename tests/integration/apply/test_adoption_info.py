# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real API server says about walls that are to come: by its warnings, and without a change."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.adoption import front
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

Obj = dict[str, t.Any]
NETWORK: Obj = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
    "spec": {"selector": {"k8s-app": "kube-dns"}, "ports": [{"port": 53, "protocol": "UDP"}]},
}  # fmt: skip


def pod_spec(**container: t.Any) -> Obj:
    safe = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "main", "image": "example.com/web:1", "securityContext": safe, **container}],
    }


def pod(name: str, labels: dict[str, str] | None = None, **container: t.Any) -> Obj:
    metadata = {"name": name, "labels": labels or {"flow.enclii.dev/none": ""}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(**container)}


def deployment(name: str, **container: t.Any) -> Obj:
    template = {"metadata": {"labels": {"app": name, "flow.enclii.dev/none": ""}}, "spec": pod_spec(**container)}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def judged(kube: t.Any, **params: t.Any) -> Obj:
    given = {name: option.get("default") for name, option in front.ADOPTION_INFO.items()}
    given |= {"kubeconfig": str(kube.server.kubeconfig), "namespaces": [kube.namespace], **params}
    return t.cast("Obj", front.adoption_info(given, {"HOME": "/nonexistent"}))


def findings(kube: t.Any, area: str, **params: t.Any) -> dict[str, str]:
    """Object to cause, of one area."""
    found = judged(kube, **params)["namespaces"][0]["findings"]
    return {one["object"]: one["cause"] for one in found if one["area"] == area}


@pytest.fixture
def watched(kube: t.Any) -> t.Iterator[t.Any]:
    """A namespace that a policy watches: no image may be latest, and each container has a name for its version."""
    kube.apply(NETWORK)
    name = f"{kube.namespace}-latest"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                        "resources": ["pods", "deployments"],
                    }
                ]
            },
            "matchConditions": [{
                "name": "changed",
                "expression": "oldObject == null || request.kind.kind == 'Pod' || object.spec.template != oldObject.spec.template",
            }],
            "validations": [{
                "expression": "request.kind.kind == 'Pod' ? !object.spec.containers[0].image.endsWith(':latest')"
                              " : !object.spec.template.spec.containers[0].image.endsWith(':latest')",
                "messageExpression": "request.kind.kind + ' ' + object.metadata.name + ': its image is latest'",
            }],
        },
    }  # fmt: skip
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Warn"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}}},
        },
    }  # fmt: skip
    kube.apply(policy, binding)
    yield kube
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        kube.server.kubectl("delete", kind, name)


def until_watched(kube: t.Any) -> None:
    """A policy is in force a moment after it was written."""
    end = time.monotonic() + 20
    while any("no admission policy" in cause for cause in findings(kube, "admission").values()):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_an_empty_namespace_and_one_that_is_to_come_are_ready(kube: t.Any) -> None:
    kube.apply(NETWORK)
    found = judged(kube, namespaces=[kube.namespace, "not-there-yet"])
    assert found["ready"]
    assert [one["exists"] for one in found["namespaces"]] == [True, False]


def test_pod_security_names_the_pods_that_would_not_come_back(kube: t.Any) -> None:
    kube.apply(NETWORK, pod("good"), pod("root", securityContext={"runAsUser": 0}), namespace=kube.namespace)
    was = kube.server.get("namespace", kube.namespace)["metadata"]["resourceVersion"]
    found = findings(kube, "pod-security")
    assert list(found) == [f"Pod {kube.namespace}/root"]
    assert "allowPrivilegeEscalation" in found[f"Pod {kube.namespace}/root"]
    assert kube.server.get("namespace", kube.namespace)["metadata"]["resourceVersion"] == was
    assert findings(kube, "pod-security", levels={kube.namespace: "privileged"}) == {}


def test_what_no_policy_watches_is_not_ready(kube: t.Any) -> None:
    kube.apply(NETWORK, pod("good"), namespace=kube.namespace)
    found = judged(kube)
    assert not found["ready"]
    assert findings(kube, "admission") == {
        f"Namespace {kube.namespace}": "no admission policy watches it, so nobody knows yet what it would refuse"
    }


def test_admission_warns_of_each_workload_and_nothing_is_made(watched: t.Any) -> None:
    kube = watched
    late = {"image": "example.com/web:latest"}
    kube.apply(
        deployment("good"), deployment("bad", **late), pod("alone", **late), pod("right"), namespace=kube.namespace
    )
    until_watched(kube)
    assert findings(kube, "admission") == {
        f"Deployment {kube.namespace}/bad": "its image is latest",
        f"Pod {kube.namespace}/alone": "its image is latest",
    }
    assert kube.names("deployments") == {"good", "bad"}
    assert kube.names("pods") == {"alone", "right"}


def test_flows_quota_and_limits_are_judged_together(watched: t.Any) -> None:
    kube = watched
    big = pod("big", {"app": "big"}, resources={"requests": {"cpu": "3"}, "limits": {"memory": "4Gi"}})
    kube.apply(big, namespace=kube.namespace)
    until_watched(kube)
    limits = {kube.namespace: {"quota": {"requests.cpu": "2"}, "limits": {"max": {"memory": "1Gi"}}}}
    found = judged(kube, limits=limits)
    told = {(one["area"], one["object"]) for one in found["namespaces"][0]["findings"] if one["breaks"]}
    assert told == {
        ("network", f"Pod {kube.namespace}/big"),
        ("quota", f"ResourceQuota {kube.namespace}/enclii-quota"),
        ("limits", f"Pod {kube.namespace}/big, container main"),
    }
    assert f"{kube.namespace}: without walls, 1 workload, 1 pod: 3 things would break" in found["report"]


def test_flows_that_are_wrong_are_an_error_with_all_of_them(kube: t.Any) -> None:
    kube.apply(NETWORK)
    with pytest.raises(KubeError, match="there is no component of that name"):
        judged(kube, flows=[{"name": "x", "from": "nobody", "to": {"namespace": "a"}, "port": 1}])
