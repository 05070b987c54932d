# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the controller's versions, and what is not done with which."""

from __future__ import annotations

import typing as t

import pytest
import sealing

from ansible_collections.enclii.platform.plugins.module_utils.sealing import versions
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.mark.parametrize(
    ("version", "count"),
    [
        ("0.29.0", 6),
        ("0.30.0", 5),
        ("0.36.0", 4),
        ("0.38.4", 3),
        ("0.39.0", 1),
        ("0.39.1", 1),
        ("0.40.0", 0),
        ("1.0.0", 0),
        ("", 0),
    ],
)
def test_faults_by_version(version: str, count: int) -> None:
    assert len(versions.faults(version)) == count
    assert all(fault.reference and fault.paths for fault in versions.faults(version))


@pytest.mark.parametrize(
    ("version", "path", "words"),
    [
        ("0.35.0", "rotate", "PR 2049"),
        ("0.39.1", "rotate", "executes the template"),
        ("0.38.2", "verify", "bit by bit"),
        ("", "rotate", "version is not known"),
        ("latest", "verify", "version is not known"),
    ],
)
def test_a_path_with_a_fault_is_refused(version: str, path: str, words: str) -> None:
    with pytest.raises(SealingError, match=words) as caught:
        versions.refuse(version, path)
    assert "private keys" in caught.value.next_step


@pytest.mark.parametrize(("version", "path"), [("0.40.0", "rotate"), ("0.39.0", "verify"), ("v0.41.2", "rotate")])
def test_a_path_without_a_fault_is_not(version: str, path: str) -> None:
    versions.refuse(version, path)


def test_numbers_are_compared_as_numbers() -> None:
    assert versions.before("0.9.9", "0.10.0")
    assert not versions.before("0.100.0", "0.40.0")
    assert not versions.before("unknown", "0.40.0")


@pytest.fixture
def server() -> t.Iterator[sealing.StandIn]:
    with sealing.StandIn(sealing.SealingKey()) as running:
        rules = [
            {"apiGroups": [""], "resources": ["services"], "verbs": ["get"], "resourceNames": ["sealed-secrets"]},
            {
                "apiGroups": [""], "resources": ["services/proxy"], "verbs": ["create", "get"],
                "resourceNames": ["http:sealed-secrets:", "http:sealed-secrets:http", "sealed-secrets"],
            },
        ]  # fmt: skip
        running.add(f"{RBAC}/namespaces/kube-system/roles", "proxier", "kube-system", rules=rules)
        running.add(f"{RBAC}/namespaces/kube-system/roles", "reader", "kube-system", rules=rules[:1])
        running.add(f"{RBAC}/clusterroles", "all", rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
        yield running


def bind(server: sealing.StandIn, role: str, group: str, kind: str = "Role") -> None:
    place = f"{RBAC}/namespaces/kube-system/rolebindings" if kind == "Role" else f"{RBAC}/clusterrolebindings"
    server.add(
        place, f"{role}-of-{group.replace(':', '-')}", "kube-system" if kind == "Role" else "",
        roleRef={"kind": kind, "name": role}, subjects=[{"kind": "Group", "name": group}],
    )  # fmt: skip


def bindings(server: sealing.StandIn) -> list[str]:
    return versions.open_to_everybody(sealing.client_for(server.url), "kube-system", "sealed-secrets")


def test_bindings_by_which_everybody_reaches_the_controller(server: sealing.StandIn) -> None:
    bind(server, "proxier", "ops")
    bind(server, "reader", "system:authenticated")
    elsewhere = [
        {
            "apiGroups": [""],
            "resources": ["services/proxy"],
            "verbs": ["*"],
            "resourceNames": ["http:grafana:", "sealed"],
        }
    ]
    server.add(f"{RBAC}/namespaces/kube-system/roles", "elsewhere", "kube-system", rules=elsewhere)
    bind(server, "elsewhere", "system:authenticated")
    assert bindings(server) == []
    bind(server, "proxier", "system:authenticated")
    bind(server, "all", "system:serviceaccounts", "ClusterRole")
    assert bindings(server) == [
        "ClusterRoleBinding all-of-system-serviceaccounts to system:serviceaccounts",
        "RoleBinding kube-system/proxier-of-system-authenticated to system:authenticated",
    ]


def test_an_old_controller_that_everybody_reaches_is_critical() -> None:
    open_to = ["RoleBinding kube-system/x to system:authenticated"]
    assert [one["level"] for one in versions.findings("0.40.0", [])] == []
    assert [one["level"] for one in versions.findings("0.40.0", open_to)] == ["warning"]
    assert [one["level"] for one in versions.findings("0.39.0", [])] == ["error"]
    critical = versions.findings("0.39.0", open_to)[0]
    assert critical["level"] == "critical"
    assert open_to[0] in critical["what"]
    assert "rbac.serviceProxier.bind=false" in critical["next_step"]
    assert {one["level"] for one in versions.findings("", None)} == {"warning"}
    assert "not released completely" in versions.findings("0.38.4", [])[-1]["what"]
