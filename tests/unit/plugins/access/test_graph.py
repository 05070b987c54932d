# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: what matches what in RBAC, and by which path. tests/integration/access holds the same graph against a real API server."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.access.graph import Graph, Objects, selects
from ansible_collections.enclii.platform.plugins.module_utils.access.model import (
    Request,
    Rule,
    Subject,
    Thing,
    as_subject,
)

Obj = dict[str, t.Any]
GET = ["get"]


def rule(
    verbs: list[str], resources: list[str], names: list[str] | None = None, groups: list[str] | None = None
) -> Obj:
    return {"verbs": verbs, "resources": resources, "apiGroups": groups or [""], "resourceNames": names or []}


def role(name: str, *rules: Obj, namespace: str = "", **more: t.Any) -> Obj:
    labels = more.pop("labels", {})
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "rules": list(rules), **more}


def binding(name: str, ref: str, *subjects: Obj, namespace: str = "") -> Obj:
    kind, _slash, target = ref.partition("/")
    return {
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"kind": kind, "name": target},
        "subjects": list(subjects),
    }


def account(name: str, namespace: str = "") -> Obj:
    return {"kind": "ServiceAccount", "name": name, **({"namespace": namespace} if namespace else {})}


@pytest.mark.parametrize(
    ("given", "request_", "allowed"),
    [
        (rule(GET, ["secrets"]), Request("get", Thing("secrets")), True),
        (rule(GET, ["secrets"]), Request("get", Thing("secrets"), name="a"), True),
        (rule(GET, ["secrets"]), Request("list", Thing("secrets")), False),
        (rule(["*"], ["secrets"]), Request("list", Thing("secrets")), True),
        (rule(GET, ["secrets"]), Request("get", Thing("secrets", "other")), False),
        (rule(GET, ["*"], groups=["*"]), Request("get", Thing("pods", "any", "exec")), True),
        (rule(GET, ["pods"]), Request("get", Thing("pods", "", "exec")), False),
        (rule(GET, ["pods/*"]), Request("get", Thing("pods", "", "exec")), False),
        (rule(GET, ["*/exec"]), Request("get", Thing("pods", "", "exec")), True),
        (rule(GET, ["*/exec"]), Request("get", Thing("pods")), False),
        (rule(GET, ["pods/exec"]), Request("get", Thing("pods")), False),
        (rule(GET, ["secrets"], ["a"]), Request("get", Thing("secrets"), name="a"), True),
        (rule(GET, ["secrets"], ["a"]), Request("get", Thing("secrets"), name="b"), False),
        (rule(GET, ["secrets"], ["a"]), Request("get", Thing("secrets")), False),
        (rule(GET, ["secrets"]), Request("get", url="/metrics"), False),
        ({"verbs": GET, "nonResourceURLs": ["/healthz/*"]}, Request("get", url="/healthz/etcd"), True),
        ({"verbs": GET, "nonResourceURLs": ["/healthz/*"]}, Request("get", url="/healthz"), False),
        ({"verbs": GET, "nonResourceURLs": ["/healthz*"]}, Request("get", url="/healthz"), True),
        ({"verbs": GET, "nonResourceURLs": ["*"]}, Request("get", url="/any"), True),
        ({"verbs": GET, "nonResourceURLs": ["*"]}, Request("get", Thing("pods")), False),
    ],
)  # fmt: skip
def test_rule(given: Obj, request_: Request, allowed: bool) -> None:
    assert Rule.read(given).allows(request_) is allowed


def graph_of(**objects: t.Any) -> Graph:
    return Graph(Objects(**objects))


def can(graph: Graph, subject: Subject, request: Request) -> list[list[str]]:
    return [path.steps() for path in graph.paths(request, subject.user, subject.groups)]


SECRETS = Request("get", Thing("secrets"), "a")
EVERYWHERE = Request("get", Thing("secrets"))


def test_a_role_binding_grants_in_its_namespace_only() -> None:
    graph = graph_of(
        cluster_roles=[role("reader", rule(GET, ["secrets"]))],
        roles=[role("local", rule(["list"], ["secrets"]), namespace="a")],
        role_bindings=[
            binding("one", "ClusterRole/reader", account("x"), namespace="a"),
            binding("two", "Role/local", account("x"), namespace="a"),
            binding("lost", "Role/local", account("x"), namespace="b"),
        ],
    )
    mine = Subject.account("a", "x")
    assert can(graph, mine, SECRETS) == [["RoleBinding a/one", "ClusterRole reader", "get secrets"]]
    assert can(graph, mine, Request("list", Thing("secrets"), "a")) == [
        ["RoleBinding a/two", "Role a/local", "list secrets"]
    ]
    assert can(graph, mine, EVERYWHERE) == []
    assert can(graph, Subject.account("b", "x"), Request("list", Thing("secrets"), "b")) == []


def test_a_cluster_role_binding_grants_everywhere_and_needs_the_namespace_of_an_account() -> None:
    graph = graph_of(
        cluster_roles=[role("reader", rule(GET, ["secrets"]))],
        cluster_role_bindings=[binding("one", "ClusterRole/reader", account("x", "a"), account("nowhere"))],
    )
    assert can(graph, Subject.account("a", "x"), EVERYWHERE)
    assert can(graph, Subject.account("a", "x"), SECRETS)
    assert graph.subjects() == [Subject("Group", "system:masters"), Subject.account("a", "x")]


def test_a_group_is_named_in_the_path() -> None:
    graph = graph_of(
        cluster_roles=[role("reader", rule(GET, ["secrets"]))],
        role_bindings=[
            binding("all", "ClusterRole/reader", {"kind": "Group", "name": "system:serviceaccounts:a"}, namespace="a")
        ],
    )
    steps = ["member of group system:serviceaccounts:a", "RoleBinding a/all", "ClusterRole reader", "get secrets"]
    assert can(graph, Subject.account("a", "x"), SECRETS) == [steps]
    assert can(graph, Subject.account("b", "x"), SECRETS) == []


def test_an_aggregated_rule_names_the_role_it_comes_from() -> None:
    aggregate = {"clusterRoleSelectors": [{"matchLabels": {"to": "view"}}]}
    graph = graph_of(
        cluster_roles=[
            role("view", rule(GET, ["pods"]), rule(GET, ["secrets"]), aggregationRule=aggregate),
            role("plain", rule(GET, ["pods"]), labels={"to": "view"}),
            role("evil", rule(GET, ["secrets"]), labels={"to": "view"}),
        ],
        cluster_role_bindings=[binding("viewers", "ClusterRole/view", {"kind": "Group", "name": "people"})],
    )
    assert [path.steps() for path in graph.paths(SECRETS, "jane", ["people"])] == [
        ["member of group people", "ClusterRoleBinding viewers", "ClusterRole view", "aggregated from ClusterRole evil", "get secrets"]
    ]  # fmt: skip


def test_what_is_not_aggregated_yet_grants_nothing_yet() -> None:
    aggregate = {"clusterRoleSelectors": [{"matchLabels": {"to": "view"}}]}
    graph = graph_of(
        cluster_roles=[
            role("view", aggregationRule=aggregate),
            role("evil", rule(GET, ["secrets"]), labels={"to": "view"}),
        ],
        cluster_role_bindings=[binding("viewers", "ClusterRole/view", {"kind": "Group", "name": "people"})],
    )
    assert graph.paths(SECRETS, "jane", ["people"]) == []


def test_the_group_that_may_do_everything_needs_no_role() -> None:
    assert graph_of().paths(SECRETS, "root", ["system:masters"])
    assert graph_of().paths(Request("get", url="/x"), "root", ["system:masters"])


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}, True),
    ],
)
def test_selector(selector: Obj, chosen: bool) -> None:
    assert selects(selector, {"a": "1"}) is chosen


@pytest.mark.parametrize(
    ("given", "subject", "system"),
    [
        ({"kind": "User", "name": "system:serviceaccount:a:x"}, Subject.account("a", "x"), False),
        ({"kind": "User", "name": "system:kube-scheduler"}, Subject("User", "system:kube-scheduler"), True),
        ({"kind": "User", "name": "system:anonymous"}, Subject("User", "system:anonymous"), False),
        ({"kind": "Group", "name": "system:unauthenticated"}, Subject("Group", "system:unauthenticated"), False),
        ({"kind": "Group", "name": "system:nodes"}, Subject("Group", "system:nodes"), True),
        ({"kind": "Group", "name": "kubeadm:cluster-admins"}, Subject("Group", "kubeadm:cluster-admins"), True),
        ({"kind": "Group", "name": "system:authenticated"}, Subject("Group", "system:authenticated"), False),
        ({"kind": "Group", "name": "system:serviceaccounts"}, Subject("Group", "system:serviceaccounts"), False),
        ({"kind": "Group", "name": "people"}, Subject("Group", "people"), False),
        (account("coredns", "kube-system"), Subject.account("kube-system", "coredns"), True),
        (account("api", "shop"), Subject.account("shop", "api"), False),
    ],
)
def test_kubernetes_own_are_told_apart(given: Obj, subject: Subject, system: bool) -> None:
    assert as_subject(given, "") == subject
    assert subject.system is system


def test_a_review_says_no_more_than_was_asked() -> None:
    assert Request("get", Thing("pods", "", "log"), "a").attributes() == {
        "resourceAttributes": {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "a"}
    }
    assert Request("get", url="/x").attributes() == {"nonResourceAttributes": {"verb": "get", "path": "/x"}}
