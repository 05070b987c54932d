# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: the words in which access is declared, the questions they become, and what is said where an answer differs."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.access import declared, grammar, judge, words
from ansible_collections.enclii.platform.plugins.module_utils.access.graph import Graph, Objects
from ansible_collections.enclii.platform.plugins.module_utils.access.model import ANONYMOUS, Subject, Thing
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

Obj = dict[str, t.Any]
NONE = Graph(Objects())
SPACES = ["a", "b", "c"]
SERVED = {Thing("secrets"), Thing("pods"), Thing("pods", "", "exec")}


def component(**access: t.Any) -> Obj:
    return {"name": "shop", "namespace": "a", "state": "present", "access": [{"account": "api", **access}]}


def questions(can: list[str] | None = None, cannot: list[str] | None = None, graph: Graph = NONE) -> list[str]:
    read = declared.read([component(can=can or [], cannot=cannot or [])])
    return [str(one.request) for one in declared.expectations(read, graph, SPACES)]


def graph_of(*rules: Obj, **more: t.Any) -> Graph:
    """A graph in which account a/api has these rules, in namespace a."""
    subject = {"kind": "ServiceAccount", "name": "api", "namespace": "a"}
    bound = {
        "metadata": {"name": "bound", "namespace": "a"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [subject],
    }
    role = {"metadata": {"name": "r", "namespace": "a"}, "rules": list(rules)}
    return Graph(Objects(roles=[role], role_bindings=[bound], **more))


NAMED = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["login"]}
EXEC = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("get nodes", ["get nodes"]),
        ("get secrets in *", ["get secrets"]),
        ("get,list secrets in a", ["get secrets in a", "list secrets in a"]),
        ("get secrets,pods in a", ["get secrets in a", "get pods in a"]),
        ("get secrets named x,y in a", ["get secrets named x in a", "get secrets named y in a"]),
        ("patch deployments.apps/scale in a", ["patch deployments.apps/scale in a"]),
        ("* * in *", ["* *.*"]),
        ("get /metrics,/healthz", ["get /metrics", "get /healthz"]),
    ],
)
def test_can(text: str, expected: list[str]) -> None:
    assert questions(can=[text]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("get nodes", ["get nodes"]),
        ("get secrets in a", ["get secrets in a"]),
        ("get secrets in *", ["get secrets", "get secrets in a", "get secrets in b", "get secrets in c"]),
        ("get secrets outside a,b", ["get secrets", "get secrets in c"]),
    ],
)
def test_cannot_is_asked_for_every_namespace(text: str, expected: list[str]) -> None:
    assert questions(cannot=[text]) == expected


def test_cannot_means_not_even_one_by_name() -> None:
    asked = questions(cannot=["get secrets in a", "list secrets in a"], graph=graph_of(NAMED))
    assert asked == ["get secrets in a", "get secrets named login in a", "list secrets in a"]
    assert questions(cannot=["get secrets named other in a"], graph=graph_of(NAMED)) == ["get secrets named other in a"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("secrets", "verbs and resources"),
        ("gett secrets in a", "'gett' is no verb"),
        ("get Secrets in a", "'Secrets' is no resource"),
        ("get secrets at a", "'at' is not expected"),
        ("get secrets in", "nothing follows 'in'"),
        ("get secrets in a in b", "'in' is not expected"),
        ("get secrets in a outside b", "only one of"),
        ("get secrets in A", "'A' is no namespace"),
        ("get /x in a", "a path has no names"),
        ("get secrets named , in a", "a list is empty"),
        ("get pods/exec/x in a", "is no resource"),
    ],
)
def test_statement_nobody_can_read(text: str, cause: str) -> None:
    with pytest.raises(KubeError) as caught:
        declared.read([component(cannot=[text])])
    assert cause in str(caught.value)
    assert "shop: api cannot" in str(caught.value)
    assert caught.value.reason == "invalid"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (grammar.statement, grammar.exemption):
        try:
            assert read(text).text == text
        except grammar.GrammarError as error:
            assert str(error)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    exceptions = [
        {"power": "fly in *", "reason": "x"},
        {"power": "exec in *", "reason": " "},
        {"power": "exec", "reason": "x"},
    ]
    wrong = component(can=["get secrets outside b", "nothing"], cannot=["* secrets in a"], exceptions=exceptions)
    with pytest.raises(KubeError) as caught:
        declared.read([wrong, {**component(), "state": "absent"}, component()])
    for words_ in (
        "names no power",
        "has no reason",
        "does not say where",
        "asks for all of them at once",
        "for cannot only",
        "verbs and resources",
        "declared twice",
    ):
        assert words_ in str(caught.value)


def test_an_absent_component_declares_nothing() -> None:
    assert declared.read([{**component(can=["get pods in a"]), "state": "external"}]) == []


def mismatches(graph: Graph, answer: bool, **access: t.Any) -> list[Obj]:
    read = declared.read([component(**access)])
    expected = declared.expectations(read, graph, SPACES)
    answers = {(one.declared.subject, one.request): answer for one in expected}
    return judge.mismatches(expected, answers, graph, SERVED)


def test_mismatch_names_account_statement_and_path() -> None:
    (found,) = mismatches(graph_of(EXEC), True, cannot=["create pods/exec in a"])
    assert (found["account"], found["what"], found["expected"], found["seen"]) == (
        "a/api", "create pods/exec in a", "cannot", "allowed",
    )  # fmt: skip
    assert found["paths"] == [["RoleBinding a/bound", "Role a/r", "create pods/exec"]]
    assert words.wrong({"mismatches": [found], "undeclared": [], "unused_with_token": []}) == [
        "account a/api: cannot 'create pods/exec in a' is declared, seen allowed: create pods/exec in a, "
        "by RoleBinding a/bound → Role a/r → create pods/exec (shop)"
    ]


def test_what_has_one_cause_is_one_line() -> None:
    found = mismatches(NONE, True, cannot=["create,get pods/exec in *", "get secrets in a"])
    lines = words.wrong({"mismatches": found, "undeclared": [], "unused_with_token": []})
    assert len(found) == 9
    assert len(lines) == 2
    assert "create pods/exec, create pods/exec in a, create pods/exec in b and 5 more, by granted" in lines[0]


def test_mismatch_that_no_role_explains() -> None:
    (found,) = mismatches(NONE, True, cannot=["create pods/exec in a"])
    assert found["paths"] == [["granted by another authorizer than RBAC"]]


def test_a_right_that_is_missing() -> None:
    (found,) = mismatches(NONE, False, can=["get pods in a"])
    assert (found["expected"], found["seen"], found["paths"]) == ("can", "denied", [])
    assert mismatches(NONE, True, can=["get pods in a"]) == []


def test_a_resource_that_is_not_served_proves_nothing() -> None:
    (found,) = mismatches(NONE, False, cannot=["get secret in a"])
    assert found["seen"] == "the cluster serves no such resource"
    assert mismatches(NONE, False, cannot=["impersonate users", "get nodes/proxy"]) == []


def undeclared(graph: Graph, *exceptions: str) -> list[str]:
    read = declared.read([component(exceptions=[{"power": one, "reason": "x"} for one in exceptions])])
    return [str(one) for one in judge.undeclared(graph, [Subject.account("a", "api")], read)]


def test_an_undeclared_power_is_found_by_name() -> None:
    assert undeclared(graph_of(EXEC)) == ["account a/api: exec (create pods/exec) in a"]
    assert undeclared(graph_of(EXEC), "exec in a") == []
    assert undeclared(graph_of(EXEC), "exec in b") == ["account a/api: exec (create pods/exec) in a"]


def test_power_by_a_group_is_the_accounts() -> None:
    group = {"kind": "Group", "name": "system:authenticated"}
    bound = {"metadata": {"name": "all"}, "roleRef": {"kind": "ClusterRole", "name": "admin"}, "subjects": [group]}
    role = {"metadata": {"name": "admin"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    graph = Graph(Objects(cluster_roles=[role], cluster_role_bindings=[bound]))
    assert undeclared(graph) == ["account a/api: everything (* *.*) everywhere"]
    entry = judge.shown(judge.undeclared(graph, [Subject.account("a", "api")], [])[0], {})
    assert entry["path"][0] == "member of group system:authenticated"


def test_a_power_that_is_declared_and_gone() -> None:
    read = declared.read([component(exceptions=[{"power": "exec in a", "reason": "x"}])])
    assert judge.unneeded(graph_of(EXEC), read) == []
    assert judge.unneeded(NONE, read) == [{"component": "shop", "account": "a/api", "power": "exec in a"}]


def test_accounts_nobody_uses_give_no_token() -> None:
    accounts = [judge.Account(Subject.account("a", name), mount) for name, mount in
                (("api", None), ("default", None), ("off", False), ("on", True))]  # fmt: skip
    assert judge.unused_with_token(accounts, declared.read([component()])) == ["a/default", "a/on"]


def test_report_tells_kubernetes_own_apart_and_names_everything_once() -> None:
    subjects = [
        {"kind": "Group", "name": "people"},
        {"kind": "ServiceAccount", "name": "gc", "namespace": "kube-system"},
    ]
    bound = {"metadata": {"name": "all"}, "roleRef": {"kind": "ClusterRole", "name": "admin"}, "subjects": subjects}
    role = {"metadata": {"name": "admin"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    read = declared.read([component(exceptions=[{"power": "exec in a", "reason": "It must."}])])
    report = judge.report(graph_of(EXEC, cluster_roles=[role], cluster_role_bindings=[bound]), read)
    power = next(one for one in report if one["power"] == "exec")
    assert [(one["name"], one["scope"], one["reason"]) for one in power["everyone"]] == [
        ("people", "everywhere", ""),
        ("api", "namespace a", "It must."),
    ]
    assert {one["name"] for one in power["system"]} == {"gc", "system:masters"}
    lines = words.of_report(report)
    assert [line for line in lines if "group people" in line] == [
        "  group people everywhere: ClusterRoleBinding all → ClusterRole admin → * *.*"
    ]
    assert (
        "  account a/api namespace a: RoleBinding a/bound → Role a/r → create pods/exec (declared: It must.)" in lines
    )


def test_a_group_is_followed_to_its_members_among_the_accounts() -> None:
    groups = [{"kind": "Group", "name": name} for name in ("system:serviceaccounts:a", "people")]
    bound = {"metadata": {"name": "all"}, "roleRef": {"kind": "ClusterRole", "name": "shell"}, "subjects": groups}
    role = {"metadata": {"name": "shell"}, "rules": [EXEC]}
    names = [("a", "api"), ("a", "one"), ("a", "three"), ("a", "two"), ("b", "far")]
    accounts = [judge.Account(Subject.account(space, name), None) for space, name in names]
    read = declared.read([component(exceptions=[{"power": "exec in *", "reason": "It must."}])])
    graph = Graph(Objects(cluster_roles=[role], cluster_role_bindings=[bound]))
    (power,) = [one for one in judge.report(graph, read, accounts) if one["power"] == "exec"]
    told = [(one["name"], one["member_of"], one["reason"]) for one in power["everyone"]]
    through = "system:serviceaccounts:a"
    assert told == [
        ("people", "", ""), (through, "", ""), ("api", through, "It must."), ("one", through, ""), ("three", through, ""),
        ("two", through, ""),
    ]  # fmt: skip
    assert power["everyone"][2]["path"][:2] == [f"member of group {through}", "ClusterRoleBinding all"]
    assert [line for line in words.of_report([power]) if "group" in line] == [
        "  group people everywhere: ClusterRoleBinding all → ClusterRole shell → create pods/exec",
        f"  group {through} everywhere: ClusterRoleBinding all → ClusterRole shell → create pods/exec"
        "; in it are account a/api, account a/one, account a/three and 1 more",
    ]


@pytest.mark.parametrize(
    "subject", [{"kind": "User", "name": "system:anonymous"}, {"kind": "Group", "name": "system:unauthenticated"}]
)
def test_who_shows_no_login_has_no_power(subject: Obj) -> None:
    bound = {"metadata": {"name": "open"}, "roleRef": {"kind": "ClusterRole", "name": "admin"}, "subjects": [subject]}
    role = {"metadata": {"name": "admin"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    graph = Graph(Objects(cluster_roles=[role], cluster_role_bindings=[bound]))
    assert ANONYMOUS.groups == ("system:unauthenticated",)
    (found,) = judge.undeclared(graph, [ANONYMOUS], [])
    line = words.of_undeclared(judge.shown(found, {}))
    assert "user system:anonymous: everything is open to everybody without a login" in line
    assert "ClusterRoleBinding open" in line
    (power,) = [one for one in judge.report(graph, []) if one["power"] == "everything"]
    assert [one["name"] for one in power["everyone"]] == [subject["name"]]
