# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One clear error for each way it can go wrong: file, document, object, cause, next step, and what was done by then."""

from __future__ import annotations

import json
import pathlib
import threading
import time
import typing as t

import apiserver
import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube import front
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError


def test_unparsable_yaml_names_file_document_and_line(kube: t.Any, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "objects.yaml"
    source.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\na: b: 'canary'\n")
    error = kube.fail(src=str(source))
    assert error.reason == "unparsable" and "canary" not in str(error)
    assert str(error).startswith(f"file {source}, document 2: not readable as YAML: line 5, column 5: ")
    assert "Nothing was changed" in str(error) and kube.names("cm") == set()


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        ("just a text", "it is a str, not a mapping"),
        ("kind: ConfigMap\nmetadata: {name: x}", "apiVersion is missing"),
        ("apiVersion: v1\nmetadata: {name: x}", "kind is missing"),
        ("apiVersion: v1\nkind: ConfigMap", "metadata is missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}", "metadata.name is missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a}", "generateName cannot be applied twice"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 12}", "metadata.name is a int, not a text"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {a: 1}}", "the value of a is not a text"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}", "metadata.namespace is missing"),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: x, namespace: y}", "it is cluster-wide"),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: y}\nstringData: {a: 1}",
            "stringData is not a text",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: no-such}",
            "the namespace no-such does not exist",
        ),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good, namespace: NS}", "it is there twice"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, name: y}", "the key is there twice in one mapping"),
        ("apiVersion: v1\nkind: Deployments\nmetadata: {name: x}", "serves no kind Deployments in v1"),
    ],
)
def test_bad_document_changes_nothing(kube: t.Any, tmp_path: pathlib.Path, document: str, cause: str) -> None:
    source = tmp_path / "objects.yaml"
    good = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: good, namespace: {kube.namespace}}}\n"
    source.write_text(f"{good}---\n{document.replace('NS', kube.namespace)}\n")
    error = kube.fail(src=str(source))
    assert cause in str(error) and f"file {source}, document 2" in str(error) and "Nothing was changed" in str(error)
    assert kube.names("cm") == set()


def test_missing_file_and_no_input(kube: t.Any) -> None:
    assert "No such file" in str(kube.fail(src="/nonexistent/x.yaml"))
    assert "neither definition nor src" in str(kube.fail())


def test_quota_says_what_was_done_before(kube: t.Any) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": kube.namespace},
        "spec": {"hard": {"services": "0"}},
    }
    kube.apply(quota)
    path = f"/api/v1/namespaces/{kube.namespace}/resourcequotas/q/status"
    kube.server.raw(
        path,
        "PATCH",
        {"status": {"hard": {"services": "0"}, "used": {"services": "0"}}},
        "application/merge-patch+json",
    )
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": kube.namespace},
        "spec": {"ports": [{"port": 1}]},
    }
    hook = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": kube.namespace, "labels": {"x": "y"}}}
    error = kube.fail(hook, service)
    assert error.reason == "quota" and "exceeded quota: q" in str(error)
    assert f"Done before: 1 changed (Namespace {kube.namespace})" in str(error).replace("adopted", "changed")
    assert [entry["kind"] for entry in error.objects] == ["Namespace"]


def test_pod_security_and_admission_policy(kube: t.Any) -> None:
    kube.server.kubectl("label", "ns", kube.namespace, "pod-security.kubernetes.io/enforce=restricted")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": kube.namespace},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    }
    for check in (True, False):
        error = kube.fail(pod, check=check)
        assert (
            error.reason == "admission"
            and "allowPrivilegeEscalation" in str(error)
            and "Pod Security level" in str(error)
        )
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": kube.namespace},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ]
            },
            "validations": [{"expression": "object.metadata.name != 'evil'", "message": "no evil names"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": kube.namespace},
        "spec": {
            "policyName": kube.namespace,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}}},
        },
    }
    kube.apply(policy, binding)
    try:
        deadline = time.monotonic() + 15
        while kube.apply(kube.config_map("evil"), check=True, state="absent") and time.monotonic() < deadline:
            try:
                kube.apply(kube.config_map("evil"), check=True)
            except KubeError as error:
                assert error.reason == "admission" and "no evil names" in str(error)
                return
            time.sleep(0.2)
        raise AssertionError("the policy was never enforced")
    finally:
        kube.apply(policy, binding, state="absent")


def webhook(kube: t.Any, side_effects: str) -> dict[str, t.Any]:
    name = f"{kube.namespace}.example.org"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": name,
                "admissionReviewVersions": ["v1"],
                "sideEffects": side_effects,
                "failurePolicy": "Fail",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "timeoutSeconds": 1,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ],
            }
        ],
    }


def test_webhook_that_does_not_answer(kube: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.enclii.platform.plugins.module_utils.kube import client

    monkeypatch.setattr(client, "PATIENCE", 1.0)
    hook = webhook(kube, "None")
    kube.apply(hook)
    try:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                kube.apply(kube.config_map("a"), check=True)
            except KubeError as error:
                assert (
                    error.reason == "admission"
                    and "failed calling webhook" in str(error)
                    and "pods and service" in str(error)
                )
                return
            time.sleep(0.2)
        raise AssertionError("the webhook was never called")
    finally:
        kube.apply(hook, state="absent")


def plain(kube: t.Any, **more: t.Any) -> dict[str, t.Any]:
    return {
        "kubeconfig": None,
        "host": kube.server.host,
        "ca_cert": str(kube.server.ca),
        "api_key": "plain-token",
        **more,
    }


def test_forbidden_names_the_right(kube: t.Any) -> None:
    error = kube.fail(kube.config_map("a"), **plain(kube))
    assert error.reason == "forbidden" and 'User "plain" cannot get resource "configmaps"' in str(error)
    assert "Nothing was changed" in str(error)


def test_refused_token(kube: t.Any) -> None:
    error = kube.fail(kube.config_map("a"), **plain(kube, api_key="canary-wrong"))
    assert error.reason == "unauthorized" and "does not accept the token" in str(error) and "canary" not in str(error)


def test_expired_client_certificate(kube: t.Any) -> None:
    server = kube.server
    now = time.time()
    stamp = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(now - days * 86400)) for days in (3, 1)]
    (server.home / "index").write_text("")
    (server.home / "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\n"
        "commonName=supplied\norganizationName=optional\n"
    )
    server.sign("old", "/O=system:masters/CN=admin")
    server.openssl(
        "ca",
        "-batch",
        "-config",
        "ca.conf",
        "-in",
        "old.csr",
        "-out",
        "old.crt",
        "-cert",
        "ca.crt",
        "-keyfile",
        "ca.key",
        "-startdate",
        stamp[0],
        "-enddate",
        stamp[1],
        "-rand_serial",
        "-notext",
    )
    error = kube.fail(
        kube.config_map("a"),
        kubeconfig=None,
        host=server.host,
        ca_cert=str(server.ca),
        client_cert=str(server.home / "old.crt"),
        client_key=str(server.home / "old.key"),
    )
    day = time.strftime("%Y-%m-%d", time.gmtime(now - 86400))
    assert error.reason == "unauthorized" and f"the client certificate expired on {day}" in str(error)


def test_unreachable(kube: t.Any) -> None:
    port = apiserver._free_port()
    started = time.monotonic()
    error = kube.fail(kube.config_map("a"), **plain(kube, host=f"https://127.0.0.1:{port}"))
    assert error.reason == "unreachable" and "connection refused" in str(error) and time.monotonic() - started < 4
    error = kube.fail(kube.config_map("a"), **plain(kube, host="https://no-such-name.invalid"))
    assert error.reason == "unreachable" and "does not resolve" in str(error)


def test_certificates_that_do_not_match(kube: t.Any) -> None:
    error = kube.fail(kube.config_map("a"), **plain(kube, ca_cert=None))
    assert (
        error.reason == "unreachable"
        and "certificate is not accepted" in str(error)
        and "Give the cluster's CA" in str(error)
    )
    error = kube.fail(kube.config_map("a"), **plain(kube, ca_cert=__file__))
    assert error.reason == "config" and "CA certificate" in str(error)
    assert kube.apply(
        kube.config_map("a"), kubeconfig=None, host=kube.server.host, api_key=kube.server.token, validate_certs=False
    )["changed"]


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        (lambda c: c.pop("current-context"), "it has no current-context"),
        (lambda c: c.update({"current-context": "other"}), "it has no context named 'other'"),
        (lambda c: c["users"].clear(), "it has no user named 'admin'"),
        (lambda c: c["users"][0]["user"].update({"client-key": "gone.key"}), "No such file"),
        (lambda c: c["users"][0]["user"].pop("client-key"), "its key is missing"),
        (lambda c: c["clusters"][0]["cluster"].pop("server"), "no API server address"),
    ],
)
def test_bad_kubeconfig(kube: t.Any, edit: t.Callable[[t.Any], t.Any], cause: str) -> None:
    content = json.loads(kube.server.kubeconfig.read_text())
    edit(content)
    path = kube.server.home / "bad-kubeconfig"
    path.write_text(json.dumps(content))
    error = kube.fail(kube.config_map("a"), kubeconfig=str(path))
    assert error.reason == "config" and cause in str(error)


def test_server_restarting_in_the_middle_is_waited_for(kube: t.Any) -> None:
    """The API server goes away under 400 writes and comes back; nothing is lost and nothing fails."""
    objects = [kube.config_map(f"n{n:03}") for n in range(400)]
    outcome: list[t.Any] = []
    worker = threading.Thread(target=lambda: outcome.append(kube.apply(*objects)))
    worker.start()
    deadline = time.monotonic() + 20
    while len(kube.names("cm")) < 20 and time.monotonic() < deadline:
        pass
    kube.server.stop_api()
    assert worker.is_alive(), "it had ended before the server went away"
    time.sleep(0.5)
    kube.server.start_api()
    worker.join(60)
    assert outcome and sum(outcome[0]["counts"].values()) == 400 and len(kube.names("cm")) == 400
    assert kube.apply(*objects)["counts"] == {"unchanged": 400}


def test_cluster_info(kube: t.Any) -> None:
    from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import Unreachable

    params = {
        "kubeconfig": str(kube.server.kubeconfig),
        "identity_namespace": kube.namespace,
        "identity_name": "id",
        "api_groups": ["apps", "none.example.org"],
        "crds": ["a.example.org"],
        "releases": True,
        "allow_unreachable": True,
    }
    class_ = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "provisioner": "x/y",
        "allowVolumeExpansion": True,
        "metadata": {"name": kube.namespace, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    }
    kube.apply(kube.config_map("id", {"inventory": "local"}), class_)
    found = front.cluster_info(params, {})
    assert found["releases"] == front.release_info({**params, "check_objects": True}, {})["releases"]
    assert found["reachable"] and found["identity"] == {"inventory": "local"} and found["version"]["minor"] == "36"
    assert found["kube_system_uid"] == kube.server.get("ns", "kube-system")["metadata"]["uid"]
    kube.apply(kube.config_map("member"), apply_set=kube.set())
    inside = front.cluster_info({**params, "inside": True}, {})
    assert inside["sets"] == ["set"] and "namespaces" not in found
    assert inside["namespaces"][kube.namespace]["kubernetes.io/metadata.name"] == kube.namespace
    assert found["api_groups"] == {"apps": ["v1"], "none.example.org": []} and found["crds"] == {"a.example.org": False}
    assert {
        "name": kube.namespace,
        "provisioner": "x/y",
        "default": True,
        "allow_volume_expansion": True,
        "volume_binding_mode": "Immediate",
        "reclaim_policy": "Delete",
    } in found["storage_classes"]
    away = {**params, "kubeconfig": None, "host": f"https://127.0.0.1:{apiserver._free_port()}"}
    assert front.cluster_info(away, {})["reachable"] is False
    assert "connection refused" in front.cluster_info(away, {})["cause"]
    with pytest.raises(Unreachable):
        front.cluster_info({**away, "allow_unreachable": False}, {})
    assert front.cluster_info({**params, "kubeconfig": "/nonexistent"}, {})["reachable"] is False


def test_cluster_info_tells_of_the_network(kube: t.Any) -> None:
    """This server listens on loopback, so that it names no endpoint of its own, and it has neither nodes nor DNS: all are made here."""
    params = {
        "kubeconfig": str(kube.server.kubeconfig),
        "identity_namespace": kube.namespace,
        "identity_name": "id",
        "api_groups": [],
        "crds": [],
        "releases": False,
        "inside": False,
        "network": True,
        "allow_unreachable": False,
    }
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": kube.namespace, "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
    }
    dns = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": kube.namespace, "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
        "spec": {
            "selector": {"k8s-app": "kube-dns"},
            "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "metrics", "port": 9153}],
        },
    }
    own = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": kube.namespace,
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.10"]}],
        "ports": [{"name": "https", "port": 6443}],
    }
    kube.apply(node, dns, own)
    try:
        found = front.cluster_info(params, {})["network"]
    finally:
        kube.apply(node, dns, own, state="absent")
    assert found["api_server"] == [{"address": "192.0.2.10", "port": 6443}] and found["control_plane"] == ["192.0.2.10"]
    assert found["nodes"] == [] and found["pod_networks"] == ["10.244.0.0/24"]
    assert found["dns"]["namespace"] == "kube-system" and found["dns"]["labels"] == {"k8s-app": "kube-dns"}
    assert found["dns"]["ports"] == [{"port": 53, "protocol": "UDP"}] and len(found["dns"]["addresses"]) == 1
    assert "network" not in front.cluster_info({**params, "network": False}, {})


def test_wait_says_what_is_not_ready(kube: t.Any) -> None:
    """There is no controller behind this server, so a rollout never begins."""
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": kube.namespace},
                  "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
                      "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}}  # fmt: skip
    kube.apply(kube.config_map("old"), apply_set=kube.set())
    started = time.monotonic()
    error = kube.fail(deployment, kube.config_map("a"), wait=True, wait_timeout=1, apply_set=kube.set())
    assert time.monotonic() - started < 4
    assert (
        error.reason == "not_ready"
        and f"Deployment {kube.namespace}/web" in str(error)
        and "has not seen the change" in str(error)
    )
    assert "old" in kube.names("cm"), "nothing is pruned before everything is ready"
    path = f"/apis/apps/v1/namespaces/{kube.namespace}/deployments/web/status"
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1}
    timer = threading.Timer(1, kube.server.raw, (path, "PATCH", {"status": status}, "application/merge-patch+json"))
    timer.start()
    result = kube.apply(deployment, kube.config_map("a"), wait=True, apply_set=kube.set())
    timer.join()
    assert kube.actions(result) == {
        "Deployment/web": "unchanged",
        "ConfigMap/a": "unchanged",
        "ConfigMap/old": "deleted",
    }


def test_absent_waits_for_finalizers_and_names_them(kube: t.Any) -> None:
    held = kube.config_map("held", finalizers=["example.org/hold"])
    kube.apply(held)
    error = kube.fail(held, state="absent", wait=True, wait_timeout=1)
    assert error.reason == "timeout" and "finalizers: example.org/hold" in str(error)
    kube.server.kubectl("patch", "cm", "held", "-n", kube.namespace, "-p", '{"metadata":{"finalizers":null}}')
    assert kube.apply(held, state="absent", wait=True)["counts"] == {"absent": 1}


def test_server_name_of_the_kubeconfig(kube: t.Any) -> None:
    content = json.loads(kube.server.kubeconfig.read_text())
    for name, good in (("kubernetes.test", True), ("other.test", False)):
        content["clusters"][0]["cluster"]["tls-server-name"] = name
        (kube.server.home / "named").write_text(json.dumps(content))
        if good:
            assert kube.apply(kube.config_map("a"), kubeconfig=str(kube.server.home / "named"))["changed"]
        else:
            error = kube.fail(kube.config_map("a"), kubeconfig=str(kube.server.home / "named"))
            assert error.reason == "unreachable" and "in the certificate" in str(error)


def test_few_rights_are_enough(kube: t.Any) -> None:
    """An account that may neither look at namespaces nor at autoscalers applies what it may."""
    space = kube.namespace
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "few", "namespace": space},
            "rules": [{"apiGroups": ["apps", ""], "resources": ["deployments", "configmaps"],
                       "verbs": ["get", "create", "patch"]}]}  # fmt: skip
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "few", "namespace": space},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "few"},
               "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "plain"}]}  # fmt: skip
    kube.apply(role, binding)
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": space},
                  "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {
                      "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}}  # fmt: skip
    objects = [deployment, *(kube.config_map(f"c{number}") for number in range(12))]
    assert kube.apply(*objects, **plain(kube))["counts"] == {"created": 13}
    assert kube.apply(*objects, **plain(kube))["counts"] == {"unchanged": 13}
    error = kube.fail(deployment, state="absent", **plain(kube))
    assert error.reason == "forbidden" and "cannot delete resource" in str(error) and "(delete)" in str(error)
