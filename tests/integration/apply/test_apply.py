# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apply against a real API server: what changes, what is proven unchanged, what check mode foretells."""

from __future__ import annotations

import base64
import copy
import typing as t
import uuid

import pytest

DEPLOYMENT: dict[str, t.Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "securityContext": {"runAsNonRoot": True},
                "initContainers": [{"name": "one", "image": "a"}, {"name": "two", "image": "b"}],
                "containers": [
                    {
                        "name": "web",
                        "image": "example.org/web:1",
                        "args": ["--x", "--y"],
                        "env": [
                            {"name": "A", "value": "1"},
                            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                        ],
                        "ports": [{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}],
                        "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}},
                        "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
                        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
                "tolerations": [{"key": "x", "operator": "Exists"}],
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": {"matchLabels": {"app": "web"}},
                    }
                ],
            },
        },
    },
}

OTHERS: list[dict[str, t.Any]] = [
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}, "automountServiceAccountToken": False},
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"k": "value"},
        "data": {"b": "YQ=="},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"name": "a", "port": 80, "targetPort": 8080}, {"name": "b", "port": 81}],
        },
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "web"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["s"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "web"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
        "subjects": [{"kind": "ServiceAccount", "name": "web"}],
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web"},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [{"podSelector": {"matchLabels": {"a": "b"}}}], "ports": [{"port": 80, "protocol": "TCP"}]}
            ],
        },
    },
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    },
    {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "web"}, "spec": {"hard": {"pods": "100"}}},
    {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "web"},
        "spec": {
            "schedule": "*/5 * * * *",
            "jobTemplate": {
                "spec": {
                    "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b:1"}]}}
                }
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "web"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    },
]


def many(namespace: str) -> list[dict[str, t.Any]]:
    objects = copy.deepcopy([DEPLOYMENT, *OTHERS])
    for item in objects:
        item["metadata"]["namespace"] = namespace
    return objects


def patches(kube: t.Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the writes a run sends."""
    from ansible_collections.enclii.platform.plugins.module_utils.kube import client

    seen: list[str] = []
    original = client.Client.request

    def spy(self: t.Any, method: str, path: str, *args: t.Any, **options: t.Any) -> t.Any:
        if method != "GET":
            seen.append(f"{method} {path.rpartition('/')[2]}")
        return original(self, method, path, *args, **options)

    monkeypatch.setattr(client.Client, "request", spy)
    return seen


@pytest.mark.parametrize("with_set", [True, False])
def test_everything_twice_sends_nothing(kube: t.Any, monkeypatch: pytest.MonkeyPatch, with_set: bool) -> None:
    params = {"apply_set": kube.set()} if with_set else {}
    first = kube.apply(*many(kube.namespace), **params)
    assert set(kube.actions(first).values()) == {"created"} and first["changed"]
    versions = {
        item["metadata"]["uid"]: item["metadata"]["resourceVersion"]
        for item in kube.server.get("deploy,sa,secret,svc,role,netpol,pdb,quota,cronjob,pvc", "-n", kube.namespace)[
            "items"
        ]
    }
    seen = patches(kube, monkeypatch)
    second = kube.apply(*many(kube.namespace), **params)
    assert not second["changed"] and second["counts"] == {"unchanged": 11}
    assert seen == []
    assert versions == {
        item["metadata"]["uid"]: item["metadata"]["resourceVersion"]
        for item in kube.server.get("deploy,sa,secret,svc,role,netpol,pdb,quota,cronjob,pvc", "-n", kube.namespace)[
            "items"
        ]
    }


def test_normalised_values_are_applied_for_real_and_are_no_change(kube: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = many(kube.namespace)[:1]
    container = objects[0]["spec"]["template"]["spec"]["containers"][0]
    container["resources"]["limits"] = {"cpu": "1000m", "memory": "1024Mi"}
    objects[0]["spec"]["template"]["spec"]["nodeSelector"] = {}
    kube.apply(*objects)
    seen = patches(kube, monkeypatch)
    second = kube.apply(*objects)
    assert seen == ["PATCH web"], "cpu 1000m is stored as 1, so it can only be applied"
    assert second["counts"] == {"unchanged": 1} and not second["changed"]


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda d: d["spec"].update(replicas=3), "a value"),
        (lambda d: d["spec"]["template"]["spec"]["containers"][0]["env"].reverse(), "the order of a keyed list"),
        (lambda d: d["spec"]["template"]["spec"]["containers"][0]["env"].pop(), "an item less"),
        (lambda d: d["spec"]["template"]["spec"]["containers"][0].pop("livenessProbe"), "a field less"),
        (lambda d: d["spec"]["template"]["spec"]["containers"][0]["args"].reverse(), "an atomic list"),
        (lambda d: d["metadata"]["labels"].update(x="y"), "a label more"),
        (lambda d: d["spec"]["template"]["spec"]["containers"][0]["ports"][1].update(containerPort=82), "a list key"),
    ],
)
def test_each_edit_is_seen(kube: t.Any, edit: t.Callable[[t.Any], None], why: str) -> None:
    objects = many(kube.namespace)[:1]
    kube.apply(*objects)
    edit(objects[0])
    result = kube.apply(*objects, diff=True)
    assert result["counts"] == {"changed": 1}, why
    assert result["diff"][0]["before"] != result["diff"][0]["after"]
    assert kube.apply(*objects)["counts"] == {"unchanged": 1}


def test_drift_by_others_is_put_right_or_reported(kube: t.Any) -> None:
    wanted = kube.config_map("a", {"x": "1", "y": "2"})
    kube.apply(wanted)
    kube.server.kubectl("patch", "cm", "a", "-n", kube.namespace, "-p", '{"data":{"x":"9","z":"3"}}')
    error = kube.fail(wanted)
    assert error.reason == "conflict"
    assert str(error) == (
        f"ConfigMap {kube.namespace}/a (definition, document 1): .data.x is owned by kubectl-patch. "
        "Leave these fields out, or set force_conflicts: true to take them. Nothing was changed."
    )
    assert kube.apply(wanted, check=True, force_conflicts=True)["counts"] == {"changed": 1}
    assert kube.live("cm", "a")["data"]["x"] == "9"
    assert kube.apply(wanted, force_conflicts=True)["counts"] == {"changed": 1}
    assert kube.live("cm", "a")["data"] == {"x": "1", "y": "2", "z": "3"}, "what others added stays theirs"
    assert kube.apply(wanted)["counts"] == {"unchanged": 1}


def test_field_removed_from_definition_goes_away(kube: t.Any) -> None:
    kube.apply(kube.config_map("a", {"x": "1", "y": "2"}))
    kube.apply(kube.config_map("a", {"x": "1"}))
    assert kube.live("cm", "a")["data"] == {"x": "1"}


def test_status_write_by_a_controller_is_no_change(kube: t.Any) -> None:
    objects = many(kube.namespace)[:1]
    objects[0]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "1000m"
    kube.apply(*objects)
    path = f"/apis/apps/v1/namespaces/{kube.namespace}/deployments/web/status"
    kube.server.raw(path, "PATCH", {"status": {"replicas": 1}}, "application/merge-patch+json")
    assert kube.apply(*objects)["counts"] == {"unchanged": 1}


# -- check mode -------------------------------------------------------------------------------------


def crd(group: str, scope: str = "Namespaced") -> dict[str, t.Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "size": {"type": "integer"},
                                        "ratio": {"type": "number"},
                                        "when": {"type": "string", "nullable": True},
                                        "hosts": {
                                            "type": "array",
                                            "items": {"type": "string"},
                                            "x-kubernetes-list-type": "set",
                                        },
                                        "plain": {"type": "array", "items": {"type": "string"}},
                                        "keyed": {
                                            "type": "array",
                                            "x-kubernetes-list-type": "map",
                                            "x-kubernetes-list-map-keys": ["k"],
                                            "items": {
                                                "type": "object",
                                                "required": ["k"],
                                                "properties": {"k": {"type": "string"}, "v": {"type": "string"}},
                                            },
                                        },
                                        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                        "named": {
                                            "type": "object",
                                            "additionalProperties": {
                                                "type": "object",
                                                "properties": {
                                                    "n": {"type": "integer", "default": 7},
                                                    "m": {"type": "string"},
                                                },
                                            },
                                        },
                                    },
                                },
                                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                            },
                        }
                    },
                }
            ],
        },
    }


def thing(group: str, namespace: str | None, **spec: t.Any) -> dict[str, t.Any]:
    metadata = {"name": "one", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": metadata, "spec": spec or {"size": 1}}


def test_check_mode_on_empty_then_real_then_unchanged(kube: t.Any) -> None:
    group, space = f"g{uuid.uuid4().hex[:6]}.example.org", kube.namespace + "-new"
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
        crd(group),
        thing(group, space),
        {**kube.config_map("a"), "metadata": {"name": "a", "namespace": space}},
    ]
    params = {"apply_set": {"name": "set", "namespace": space, "kind": "ConfigMap", "prune": True}}
    foretold = kube.apply(*objects, check=True, diff=True, **params)
    assert foretold["changed"] and foretold["counts"] == {"created": 4}
    assert [bool(entry.get("predicted")) for entry in foretold["objects"]] == [False, False, True, True]
    assert "does not exist yet" in foretold["objects"][3]["note"]
    assert kube.server.kubectl("get", "ns", space, check=False) == ""
    assert kube.apply(*objects, **params)["counts"] == {"created": 4}
    assert kube.apply(*objects, **params)["changed"] is False
    again = kube.apply(*objects, check=True, **params)
    assert not again["changed"] and again["counts"] == {"unchanged": 4}


def test_check_mode_changes_nothing_and_tells_the_truth(kube: t.Any) -> None:
    kube.apply(kube.config_map("a"), apply_set=kube.set())
    before = kube.server.get("cm", "-n", kube.namespace)
    wanted = [kube.config_map("b"), kube.config_map("c", {"x": "1"})]
    foretold = kube.apply(*wanted, check=True, apply_set=kube.set())
    assert kube.actions(foretold) == {"ConfigMap/b": "created", "ConfigMap/c": "created", "ConfigMap/a": "deleted"}
    assert kube.server.get("cm", "-n", kube.namespace)["items"] == before["items"]
    real = kube.apply(*wanted, apply_set=kube.set())
    assert kube.actions(real) == kube.actions(foretold)


def test_unknown_kind_is_an_error_but_in_check_mode_a_warning(kube: t.Any) -> None:
    wanted = thing("nowhere.example.org", kube.namespace)
    error = kube.fail(wanted, kube.config_map("a"))
    assert error.reason == "unknown_kind" and "serves no kind Thing in nowhere.example.org/v1" in str(error)
    assert kube.names("cm") == set()
    foretold = kube.apply(wanted, check=True)
    assert foretold["objects"][0]["predicted"] and "not served yet" in foretold["warnings"][0]
    near = kube.fail({**kube.config_map("a"), "apiVersion": "apps/v1"})
    assert "ConfigMap is served as v1" in str(near)


# -- custom resources -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "sends_again"),
    [
        ({"size": 3, "hosts": ["b", "a"], "plain": ["x", "y"]}, False),
        ({"keyed": [{"k": "b", "v": "1"}, {"k": "a"}]}, False),
        ({"free": {"deep": {"list": [1, {"a": None}]}, "empty": {}}}, True),
        ({"free": {"deep": {"list": [1, {"a": 2}]}, "empty": {}, "none": []}}, False),
        ({"named": {"x": {"n": 1}, "y": {"m": "z"}}}, False),
        ({"named": {"x": {}}}, True),
        ({"ratio": 1.0}, True),
        ({"ratio": 0.5}, False),
        ({"when": None}, True),
    ],
)
def test_custom_resources(
    kube: t.Any, server: t.Any, monkeypatch: pytest.MonkeyPatch, spec: t.Any, sends_again: bool
) -> None:
    group = "kinds.example.org"
    kube.apply(crd(group))
    wanted = thing(group, kube.namespace, **spec)
    assert kube.apply(wanted)["counts"] == {"created": 1}
    seen = patches(kube, monkeypatch)
    assert kube.apply(wanted)["counts"] == {"unchanged": 1}
    assert bool(seen) == sends_again


def test_unknown_field_is_refused(kube: t.Any) -> None:
    kube.apply(crd("kinds.example.org"))
    error = kube.fail(thing("kinds.example.org", kube.namespace, sise=1))
    assert error.reason == "invalid" and "sise" in str(error)
    builtin = kube.fail({**kube.config_map("a"), "dada": {}})
    assert builtin.reason == "invalid" and "dada" in str(builtin)


# -- secrets ----------------------------------------------------------------------------------------


def test_secret_values_appear_nowhere(kube: t.Any) -> None:
    def secret(value: str) -> dict[str, t.Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": kube.namespace},
            "stringData": {"password": value, "fixed": "canary-fixed"},
        }

    results = [
        kube.apply(secret("canary-1"), diff=True, check=True),
        kube.apply(secret("canary-1"), diff=True),
        kube.apply(secret("canary-22"), diff=True, check=True),
        kube.apply(secret("canary-22"), diff=True),
        kube.apply(secret("canary-22"), diff=True, state="absent"),
    ]
    bad = {**secret("canary-1"), "data": {"x y": "canary-3", "z": "!canary-4!"}, "type": "kubernetes.io/tls"}
    texts = [
        repr(results),
        str(kube.fail(bad)),
        str(kube.fail({**secret("canary-1"), "stringDate": {"a": "canary-5"}})),
    ]
    for text in texts:
        assert "canary" not in text and base64.b64encode(b"canary")[:7].decode() not in text
    after = results[3]["diff"][0]["after"]
    assert "password: '******** (changed)'" in after and "fixed: '********'" in after


def test_string_data_is_owned_as_data(kube: t.Any) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": kube.namespace},
        "stringData": {"a": "x"},
    }
    kube.apply(secret)
    kube.apply({**secret, "stringData": {"b": "y"}})
    assert kube.live("secret", "s")["data"] == {"b": "eQ=="}
