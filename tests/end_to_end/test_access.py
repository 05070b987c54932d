# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3 on a real cluster: accounts of the platform can what is declared and nothing else, and holes opened on purpose are found by name."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from labrun import LabRun, Outcome

Obj = dict[str, t.Any]
SPACE, VOLUMES = "e-access", "e-volumes"
SYSTEM = "enclii-system"
# What an administrator may do by mistake, and somebody else on purpose.
HOLES = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {SPACE}}}
---
# everything, for the account of a component
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: e-admin}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: metrics-server, namespace: {SYSTEM}}}]
---
# exec, for people and for a group that accounts are in
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: e-exec, namespace: {SPACE}}}
rules: [{{apiGroups: [""], resources: [pods/exec], verbs: [create]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: e-exec, namespace: {SPACE}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: e-exec}}
subjects:
  - {{apiGroup: rbac.authorization.k8s.io, kind: Group, name: e-people}}
  - {{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts:cert-manager"}}
---
# a role that somebody slips into another one, which the account of a component has
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: e-slipped-in, labels: {{e.enclii.dev/to: whole}}}}
rules: [{{apiGroups: [""], resources: [serviceaccounts/token], verbs: [create]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: e-whole}}
aggregationRule: {{clusterRoleSelectors: [{{matchLabels: {{e.enclii.dev/to: whole}}}}]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: e-whole}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: e-whole}}
subjects: [{{kind: ServiceAccount, name: sealed-secrets-controller, namespace: {SYSTEM}}}]
---
# impersonation
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: e-other}}
rules: [{{apiGroups: [""], resources: [users, groups], verbs: [impersonate]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: e-other}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: e-other}}
subjects: [{{kind: ServiceAccount, name: local-path-provisioner, namespace: enclii-nodes}}]
---
# an account that no component knows
apiVersion: v1
kind: ServiceAccount
metadata: {{name: e-forgotten, namespace: {SYSTEM}}}
"""
VOLUME = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {VOLUMES}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data, namespace: {VOLUMES}}}
spec: {{accessModes: [ReadWriteOnce], storageClassName: enclii-local, resources: {{requests: {{storage: 16Mi}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: user, namespace: {VOLUMES}}}
spec:
  restartPolicy: Never
  containers:
    - name: user
      image: docker.io/library/busybox:1.36
      command: [sh, -c, "echo kept > /data/word && cat /data/word"]
      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: data}}}}]
"""


def access(lab: LabRun, report: Path) -> tuple[Outcome, Obj]:
    run = lab.playbook("access", "-e", f"baseline_access_report={report}")
    return run, json.loads(report.read_text(encoding="utf-8"))


def who(entry: Obj) -> str:
    return f"{entry['namespace']}/{entry['name']}" if entry["namespace"] else entry["name"]


@pytest.fixture(scope="module")
def platform(cluster: LabRun) -> LabRun:
    """The whole platform, inside its walls."""
    cluster.playbook("platform").succeeded()
    return cluster


@pytest.fixture(scope="module")
def sound(platform: LabRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Obj]:
    return access(platform, tmp_path_factory.mktemp("access") / "report.json")


def test_accounts_can_what_is_declared_and_nothing_else(sound: tuple[Outcome, Obj]) -> None:
    run, told = sound
    run.succeeded()
    assert told["ok"] is True
    proof = told["proof"]
    assert (proof["mismatches"], proof["undeclared"], proof["unneeded"]) == ([], [], [])
    assert proof["statements"] > 50
    assert proof["asked"] > 500
    assert proof["asked"] / proof["seconds"] > 100


def test_accounts_that_nobody_uses_hand_out_no_token(platform: LabRun, sound: tuple[Outcome, Obj]) -> None:
    assert sound[1]["proof"]["unused_with_token"] == []
    for space in (SYSTEM, "cert-manager", "enclii-nodes"):
        assert platform.get("serviceaccount", "default", "-n", space)["automountServiceAccountToken"] is False


def test_everyone_who_can_read_secrets_is_known(sound: tuple[Outcome, Obj]) -> None:
    entry = next(one for one in sound[1]["report"] if one["power"] == "read-secrets")
    assert {who(one) for one in entry["everyone"]} == {
        "cert-manager/cert-manager",
        "cert-manager/cert-manager-cainjector",
        "cert-manager/cert-manager-webhook",
        f"{SYSTEM}/sealed-secrets-controller",
    }
    assert all(one["reason"] and len(one["path"]) >= 3 for one in entry["everyone"])
    assert {"kube-system/generic-garbage-collector", "system:masters"} <= {who(one) for one in entry["system"]}
    powers = {one["power"]: one["everyone"] for one in sound[1]["report"]}
    assert [powers[name] for name in ("everything", "exec", "impersonate", "escalate", "bind", "write-rbac")] == [
        []
    ] * 6


def test_what_was_proved_is_kept_as_evidence(platform: LabRun, sound: tuple[Outcome, Obj]) -> None:
    sound[0].succeeded()
    kept = platform.get("evidence", "-n", SYSTEM, "-l", "evidence.enclii.dev/kind=access")["items"]
    newest = max(kept, key=lambda one: one["spec"]["ended"])["spec"]
    assert newest["verdict"] == "PASS"
    assert newest["figures"]["reviews"] == sound[1]["proof"]["asked"]


def test_a_check_changes_nothing_and_proves_the_same(platform: LabRun, sound: tuple[Outcome, Obj]) -> None:
    sound[0].succeeded()
    before = platform.kubectl("get", "evidence", "-n", SYSTEM, "-o", "name")
    run = platform.playbook("access", "--check").succeeded()
    assert run.changed == {"localhost": 0}
    assert platform.kubectl("get", "evidence", "-n", SYSTEM, "-o", "name") == before


@pytest.fixture(scope="module")
def holed(
    platform: LabRun, sound: tuple[Outcome, Obj], tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[tuple[Outcome, Obj]]:
    sound[0].succeeded()
    platform.kubectl("apply", "--server-side", "-f", "-", given=HOLES)
    try:
        platform.until("the role is aggregated", lambda: platform.get("clusterrole", "e-whole").get("rules"))
        yield access(platform, tmp_path_factory.mktemp("access") / "report.json")
    finally:
        platform.kubectl("delete", "--wait=false", "-f", "-", given=HOLES)


def test_holes_are_found_by_name_with_their_paths(holed: tuple[Outcome, Obj]) -> None:
    run, told = holed
    assert run.rc != 0
    undeclared = {(who(one), one["power"]): one["path"] for one in told["proof"]["undeclared"]}
    assert all(one["confirmed"] for one in told["proof"]["undeclared"])
    assert undeclared[f"{SYSTEM}/metrics-server", "everything"][:2] == [
        "ClusterRoleBinding e-admin",
        "ClusterRole cluster-admin",
    ]
    exec_path = [
        "member of group system:serviceaccounts:cert-manager",
        f"RoleBinding {SPACE}/e-exec",
        f"Role {SPACE}/e-exec",
        "create pods/exec",
    ]
    accounts = {account for account, power in undeclared if power == "exec"}
    assert accounts == {
        f"cert-manager/{name}"
        for name in ("cert-manager", "cert-manager-cainjector", "cert-manager-webhook", "default")
    }
    assert all(undeclared[account, "exec"] == exec_path for account in accounts)
    assert undeclared[f"{SYSTEM}/sealed-secrets-controller", "create-tokens"] == [
        "ClusterRoleBinding e-whole", "ClusterRole e-whole", "aggregated from ClusterRole e-slipped-in", "create serviceaccounts/token",
    ]  # fmt: skip
    assert undeclared["enclii-nodes/local-path-provisioner", "impersonate"][0] == "ClusterRoleBinding e-other"
    assert told["proof"]["unused_with_token"] == [f"{SYSTEM}/e-forgotten"]


def test_statements_that_are_no_longer_true_are_found_too(holed: tuple[Outcome, Obj]) -> None:
    broken = {(one["account"], one["statement"]) for one in holed[1]["proof"]["mismatches"]}
    assert (f"{SYSTEM}/metrics-server", "get,list,watch secrets in *") in broken
    assert (f"{SYSTEM}/sealed-secrets-controller", "create serviceaccounts/token in *") in broken
    assert "is not declared" in holed[0].output
    assert "ClusterRoleBinding e-admin → ClusterRole cluster-admin" in holed[0].output


def test_people_with_exec_are_in_the_report(holed: tuple[Outcome, Obj]) -> None:
    entry = next(one for one in holed[1]["report"] if one["power"] == "exec")
    people = next(one for one in entry["everyone"] if one["name"] == "e-people")
    assert (people["scope"], people["path"][0]) == (f"namespace {SPACE}", f"RoleBinding {SPACE}/e-exec")


def test_volumes_are_made_used_and_removed_with_what_is_left_of_the_rights(platform: LabRun) -> None:
    platform.kubectl("apply", "--server-side", "-f", "-", given=VOLUME)
    try:
        platform.kubectl(
            "wait", "-n", VOLUMES, "--for=jsonpath={.status.phase}=Succeeded", "pod/user", "--timeout=120s"
        )
        assert platform.kubectl("logs", "-n", VOLUMES, "user") == "kept\n"
        volume = platform.get("pvc", "data", "-n", VOLUMES)["spec"]["volumeName"]
        platform.kubectl("delete", "pod/user", "pvc/data", "-n", VOLUMES, "--timeout=60s")
        platform.until("the volume is gone", lambda: not platform.kubectl("get", "pv", volume, "--ignore-not-found"))
        log = platform.kubectl("logs", "-n", "enclii-nodes", "deploy/local-path-provisioner")
        assert "forbidden" not in log
    finally:
        platform.kubectl("delete", "namespace", VOLUMES, "--wait=false", "--ignore-not-found")


def test_pods_without_an_account_of_their_own_have_no_token(platform: LabRun) -> None:
    for space, name in (("enclii-nodes", "local-path-provisioner"), ("cert-manager", "cert-manager")):
        assert platform.get("serviceaccount", name, "-n", space)["automountServiceAccountToken"] is False
    pods = [
        one for space in (SYSTEM, "cert-manager", "enclii-nodes") for one in platform.get("pods", "-n", space)["items"]
    ]
    running = [one for one in pods if one["status"]["phase"] == "Running"]
    assert running
    assert {one["spec"]["serviceAccountName"] for one in running} <= {
        "cert-manager",
        "cert-manager-cainjector",
        "cert-manager-webhook",
        "local-path-provisioner",
        "metrics-server",
        "sealed-secrets-controller",
    }
