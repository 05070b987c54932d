# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a run: probe pods as Pod Security's strictest level wants them, its policies, its script."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence

from ..flows.model import Facts
from .plan import WITNESS, Design, Prober

RUN, ROLE = "probe.enclii.dev/run", "probe.enclii.dev/role"
# On pods that other policies isolate already: only those may the run's own policies select, for they would isolate the rest.
WALLED_IN, WALLED_OUT = "probe.enclii.dev/walled-in", "probe.enclii.dev/walled-out"
PLAN = "probe.enclii.dev/plan"
IDENTITY = "probe.enclii.dev/identity"
SELECTOR = RUN  # whatever carries it
Obj = dict[str, t.Any]


def labels(run: str) -> dict[str, str]:
    """None that anybody else uses: a flow may go by any label of a pod, and its probe pod must carry those as they are."""
    return {RUN: run}


def greeting(run: str, key: str) -> str:
    return f"{run} {key}"


def name_of(run: str, number: int, one: Prober) -> str:
    plain = re.sub(r"[^a-z0-9-]+", "-", one.key.partition("/")[2].lower()).strip("-")[:38].strip("-")
    return f"probe-{run}-{number}-{plain}"


def pod_labels(run: str, one: Prober, walled: tuple[bool, bool]) -> dict[str, str]:
    """walled: whether other policies isolate it, (on the way in, on the way out)."""
    found = {**one.identity.labels, **labels(run), ROLE: one.role}
    for label, is_walled in zip((WALLED_IN, WALLED_OUT), walled, strict=True):
        if is_walled:
            found[label] = "true"
    return found


def pod(
    run: str,
    number: int,
    one: Prober,
    *,
    owner: Obj,
    image: str,
    gauge: int,
    lifetime: int,
    walled: tuple[bool, bool],
    account: str = "",
) -> Obj:
    """owner: the ConfigMap with the script, in the same namespace.

    It is the pod's controller, so that no workload adopts a pod that carries its labels; and the pod is never ready, so
    that no Service sends it anybody but one that publishes what is not ready; such kinds of pods are left out.
    """
    listen = [f"{port.protocol}/{port.port}" for port in one.ports] + ([] if one.role == WITNESS else [f"TCP/{gauge}"])
    words = [word for place in listen for word in ("--listen", place)]
    security: Obj = {
        "runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    if any(port.port < 1024 for port in one.ports):
        security["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name_of(run, number, one),
            "namespace": one.identity.namespace,
            "labels": pod_labels(run, one, walled),
            "annotations": {IDENTITY: one.key},
            "ownerReferences": [_owner(owner)],
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": lifetime,
            "terminationGracePeriodSeconds": 1,
            # Its name matters where only some may run; no token of it is mounted.
            **({"serviceAccountName": account} if account else {}),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "tolerations": [],
            "readinessGates": [{"conditionType": "probe.enclii.dev/never"}],
            "securityContext": security,
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-I", "-S", "/probe/script/in_pod.py"],
                    "args": ["--greeting", greeting(run, one.key), "--plan", "/probe/pod/plan", *words],
                    "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
                    "resources": {
                        "requests": {"cpu": "5m", "memory": "24Mi"},
                        "limits": {"cpu": "250m", "memory": "64Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [
                        {"name": "script", "mountPath": "/probe/script", "readOnly": True},
                        {"name": "pod", "mountPath": "/probe/pod", "readOnly": True},
                    ],
                }
            ],
            "volumes": [
                {"name": "script", "configMap": {"name": owner["metadata"]["name"]}},
                # The plan arrives here: a changed annotation reaches the pod within a second, a changed ConfigMap within a minute.
                {
                    "name": "pod",
                    "downwardAPI": {
                        "items": [{"path": "plan", "fieldRef": {"fieldPath": f"metadata.annotations['{PLAN}']"}}]
                    },
                },
            ],
        },
    }


def _owner(config_map: Obj) -> Obj:
    about = config_map["metadata"]
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "name": about["name"], "uid": about["uid"], "controller": True,
        "blockOwnerDeletion": False,
    }  # fmt: skip


def script(run: str, namespace: str, text: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"probe-{run}", "namespace": namespace, "labels": labels(run)},
        "data": {"in_pod.py": text},
    }


def namespace(run: str, name: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted", **labels(run)}},
    }


def policies(run: str, made: Design, owners: Mapping[str, Obj], facts: Facts) -> list[Obj]:
    """What lets the run prove that its pods live, beside what it tests.

    Every pod may reach every pod of the run on the gauge's port, and the witness all of them, the cluster's DNS and the
    API server. Only pods that other policies isolate are selected, so that no wall appears where there is none.
    """
    found = []
    ours = {"namespaceSelector": {}, "podSelector": {"matchLabels": {RUN: run}}}
    witness = {"namespaceSelector": {}, "podSelector": {"matchLabels": {RUN: run, ROLE: WITNESS}}}
    gauge = [{"port": made.gauge, "protocol": "TCP"}]
    for space in made.namespaces:
        selected = {"matchLabels": {RUN: run, WALLED_IN: "true"}}
        rules: list[Obj] = [{"from": [ours], "ports": gauge}, {"from": [witness]}]
        found.append(_policy(run, "in", owners[space], selected, "Ingress", rules))
        selected = {"matchLabels": {RUN: run, WALLED_OUT: "true"}}
        found.append(_policy(run, "out", owners[space], selected, "Egress", [{"to": [ours], "ports": gauge}]))
    dns = facts.dns or {}
    rules = [{"to": [ours]}]
    if dns.get("labels"):
        peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": dns["namespace"]}},
                "podSelector": {"matchLabels": dict(dns["labels"])}}  # fmt: skip
        rules.append({"to": [peer]})
    rules += [
        {"to": [{"ipBlock": {"cidr": f"{host}/{128 if ':' in host else 32}"}}], "ports": [{"port": port, "protocol": "TCP"}]}
        for host, port in facts.api_server
    ]  # fmt: skip
    selected = {"matchLabels": {RUN: run, ROLE: WITNESS}}
    found.append(_policy(run, WITNESS, owners[made.home], selected, "Egress", rules))
    return found


def _policy(run: str, suffix: str, owner: Obj, selected: Obj, direction: str, rules: Sequence[Obj]) -> Obj:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"probe-{run}-{suffix}",
            "namespace": owner["metadata"]["namespace"],
            "labels": labels(run),
            "ownerReferences": [_owner(owner)],
        },
        "spec": {"podSelector": selected, "policyTypes": [direction], direction.lower(): list(rules)},
    }
