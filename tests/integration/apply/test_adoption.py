# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that kubectl or Helm made become ours, and what is an autoscaler's or an injector's stays theirs."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

LAST = "kubectl.kubernetes.io/last-applied-configuration"


def managers(live: t.Any) -> set[tuple[str, str]]:
    return {(entry["manager"], entry["operation"]) for entry in live["metadata"]["managedFields"]}


def deployment(kube: t.Any, **spec: t.Any) -> dict[str, t.Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": kube.namespace},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
            **spec,
        },
    }


WAYS: dict[str, list[str]] = {
    "kubectl-client-side-apply": ["apply", "-f", "-"],
    "kubectl": ["apply", "--server-side", "-f", "-"],
    "kubectl-create": ["create", "-f", "-"],
    "helm-update": ["create", "--field-manager=helm", "-f", "-"],
    "helm-apply": ["apply", "--server-side", "--field-manager=helm", "-f", "-"],
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_taken_over(kube: t.Any, way: str) -> None:
    made = kube.config_map("a", {"keep": "1", "change": "1", "drop": "1"})
    kube.server.kubectl(*WAYS[way], stdin=json.dumps(made))
    kube.server.kubectl("patch", "cm", "a", "-n", kube.namespace, "-p", '{"data":{"theirs":"1"}}')
    wanted = kube.config_map("a", {"keep": "1", "change": "2"})
    foretold = kube.apply(wanted, check=True, diff=True)
    real = kube.apply(wanted, diff=True)
    assert foretold["diff"] == real["diff"] and kube.actions(foretold) == kube.actions(real) == {
        "ConfigMap/a": "adopted"
    }
    live = kube.live("cm", "a")
    assert live["data"] == {"keep": "1", "change": "2", "theirs": "1"}
    assert LAST not in live["metadata"].get("annotations", {})
    assert managers(live) == {("enclii-platform", "Apply"), ("kubectl-patch", "Update")}
    assert kube.apply(wanted)["counts"] == {"unchanged": 1}


def test_peoples_edits_are_not_taken_over(kube: t.Any) -> None:
    kube.server.kubectl("apply", "-f", "-", stdin=json.dumps(kube.config_map("a", {"x": "1"})))
    kube.server.kubectl("patch", "cm", "a", "-n", kube.namespace, "-p", '{"data":{"x":"by hand"}}')
    error = kube.fail(kube.config_map("a", {"x": "2"}))
    assert error.reason == "conflict" and "kubectl-patch" in str(error)
    assert kube.live("cm", "a")["data"] == {"x": "by hand"}
    checked = kube.fail(kube.config_map("a", {"x": "2"}), check=True)
    assert checked.reason == "conflict" and "kubectl-patch" in str(checked)


def test_after_adoption_a_foreign_write_is_a_conflict(kube: t.Any) -> None:
    kube.apply(kube.config_map("a", {"x": "1", "y": "1"}))
    changed = kube.config_map("a", {"x": "2"})
    kube.server.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(changed))
    error = kube.fail(kube.config_map("a", {"x": "1", "y": "1"}))
    assert error.reason == "conflict" and ".data.x is owned by kubectl" in str(error)


def test_namespace_keeps_labels_of_others(kube: t.Any) -> None:
    space = kube.namespace + "-n"
    made = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": space, "labels": {"pod-security.kubernetes.io/enforce": "restricted", "mine": "1"}},
    }
    kube.server.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    wanted = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": {"mine": "2"}}}
    assert kube.actions(kube.apply(wanted)) == {f"Namespace/{space}": "adopted"}
    labels = kube.server.get("ns", space)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted" and labels["mine"] == "2"
    assert kube.apply(wanted)["counts"] == {"unchanged": 1}


def test_replicas_left_out_stay_at_adoption(kube: t.Any) -> None:
    kube.server.kubectl("apply", "-f", "-", stdin=json.dumps(deployment(kube, replicas=5)))
    wanted = deployment(kube)
    foretold, real = kube.apply(wanted, check=True, diff=True), kube.apply(wanted, diff=True)
    assert foretold["diff"] == real["diff"]
    live = kube.live("deploy", "web")
    assert live["spec"]["replicas"] == 5
    assert ("kubectl-client-side-apply", "Update") in managers(live), "it keeps owning replicas, and only that"
    assert kube.apply(wanted)["counts"] == {"unchanged": 1}


def hpa(kube: t.Any) -> dict[str, t.Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": kube.namespace},
        "spec": {
            "minReplicas": 2,
            "maxReplicas": 9,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                }
            ],
        },
    }


def scale(kube: t.Any, replicas: int) -> None:
    path = f"/apis/apps/v1/namespaces/{kube.namespace}/deployments/web/scale"
    kube.server.raw(path, "PATCH", {"spec": {"replicas": replicas}}, "application/merge-patch+json")


def test_replicas_under_an_autoscaler_are_never_ours(kube: t.Any) -> None:
    wanted = [deployment(kube, replicas=3), hpa(kube)]
    kube.apply(*wanted)
    assert kube.live("deploy", "web")["spec"]["replicas"] == 3
    second = kube.apply(*wanted)
    assert kube.live("deploy", "web")["spec"]["replicas"] == 3, "giving up the field must not reset it to 1"
    assert "left to HorizontalPodAutoscaler web" in second["objects"][0]["note"]
    scale(kube, 7)
    third = kube.apply(*wanted, force_conflicts=True)
    assert kube.live("deploy", "web")["spec"]["replicas"] == 7
    assert third["counts"] == {"unchanged": 2} and not third["changed"]


def test_replicas_under_an_autoscaler_at_adoption(kube: t.Any) -> None:
    kube.server.kubectl("apply", "-f", "-", stdin=json.dumps(deployment(kube, replicas=4)))
    kube.apply(hpa(kube))
    kube.apply(deployment(kube, replicas=2))
    assert kube.live("deploy", "web")["spec"]["replicas"] == 4


@pytest.mark.parametrize("with_bundle", [False, True])
def test_ca_bundle_is_never_taken_over(kube: t.Any, with_bundle: bool) -> None:
    name = f"{kube.namespace}.example.org"
    hook: dict[str, t.Any] = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": name,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "clientConfig": {"service": {"name": "x", "namespace": kube.namespace}},
                "rules": [
                    {
                        "apiGroups": ["x.example.org"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["y"],
                    }
                ],
            }
        ],
    }
    try:
        made = copy.deepcopy(hook)
        if with_bundle:
            made["webhooks"][0]["clientConfig"]["caBundle"] = "Cg=="
        kube.server.kubectl("create", "--field-manager=helm", "-f", "-", stdin=json.dumps(made))
        path = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}"
        bundle = "LS0tLS1CRUdJTg=="
        kube.server.raw(
            path + "?fieldManager=cainjector",
            "PATCH",
            [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}],
            "application/json-patch+json",
        )
        assert kube.actions(kube.apply(hook)) == {f"ValidatingWebhookConfiguration/{name}": "adopted"}
        live = kube.server.get("validatingwebhookconfiguration", name)
        assert live["webhooks"][0]["clientConfig"]["caBundle"] == bundle
        assert kube.apply(hook)["counts"] == {"unchanged": 1}
    finally:
        kube.server.kubectl("delete", "validatingwebhookconfiguration", name, "--ignore-not-found")


@pytest.mark.parametrize("way", ["kubectl-client-side-apply", "helm-update"])
def test_items_that_are_not_wanted_go_away_in_check_mode_too(kube: t.Any, way: str) -> None:
    made = deployment(kube, replicas=1)
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    container["ports"] = [{"containerPort": 80}, {"containerPort": 81}]
    made["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    kube.server.kubectl(*WAYS[way], stdin=json.dumps(made))
    wanted = deployment(kube, replicas=1)
    wanted["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "B", "value": "3"}]
    foretold, real = kube.apply(wanted, check=True, diff=True), kube.apply(wanted, diff=True)
    assert foretold["diff"] == real["diff"]
    container = kube.live("deploy", "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "B", "value": "3"}] and "ports" not in container
    assert kube.apply(wanted)["counts"] == {"unchanged": 1}
