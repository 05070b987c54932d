# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: what our own templates give to whom, held against what is declared, without a cluster."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

import house
from ansible_collections.enclii.platform.plugins.module_utils.access import declared, judge
from ansible_collections.enclii.platform.plugins.module_utils.access.graph import Graph, Objects
from ansible_collections.enclii.platform.plugins.module_utils.access.model import Subject

Obj = dict[str, Any]
# Resources whose objects have names that are known before, so that a rule which reads or changes one can name it.
NAMED = {"secrets", "configmaps", "leases", "serviceaccounts", "services", "endpoints"}
BY_NAME = {"get", "update", "patch", "delete"}
# Cluster-wide is what has no namespace, and what is watched in all of them; each with its reason.
CLUSTER_WIDE = {
    "nodes", "persistentvolumes", "storageclasses", "customresourcedefinitions",  # no namespace
    "persistentvolumeclaims",  # made in any namespace, and answered with a volume
    "events",  # written beside the claim they are about
    "evidence",  # for readers, who are bound in a namespace, and for kube-state-metrics, which watches kinds cluster-wide
}  # fmt: skip
DELETES = {
    ("Role local-path-provisioner", "pods"): "its helpers, named after volumes",
    ("ClusterRole enclii-local-path-provisioner", "persistentvolumes"): "a volume goes with its claim",
    ("Role enclii-evidence-writer", "evidence"): "the last N are kept",
}


def objects(rendered: Obj, *kinds: str) -> list[Obj]:
    return [one for component in rendered.values() for one in component["objects"] if one["kind"] in kinds]


def label(obj: Obj) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


def rules(rendered: Obj) -> list[tuple[Obj, Obj]]:
    return [(role, rule) for role in objects(rendered, "Role", "ClusterRole") for rule in role.get("rules") or []]


def declarations(rendered: Obj) -> list[declared.Declared]:
    return declared.read([component["data"] for component in rendered.values()])


def graph(rendered: Obj) -> Graph:
    return Graph(
        Objects(
            objects(rendered, "ClusterRole"),
            objects(rendered, "ClusterRoleBinding"),
            objects(rendered, "Role"),
            objects(rendered, "RoleBinding"),
        )
    )


def test_there_are_roles_to_judge(rendered: Obj) -> None:
    """Everything below would pass without any."""
    assert {label(role) for role, _rule in rules(rendered)} >= {
        "Role local-path-provisioner",
        "Role enclii-evidence-writer",
    }


def test_no_rule_has_a_wildcard(rendered: Obj) -> None:
    wild = [f"{label(role)}: {rule}" for role, rule in rules(rendered) if "*" in "".join(map(str, rule.values()))]
    assert wild == []


def test_rules_name_what_they_can_name(rendered: Obj) -> None:
    loose = [
        f"{label(role)}: {rule}"
        for role, rule in rules(rendered)
        if NAMED & set(rule.get("resources", [])) and BY_NAME & set(rule["verbs"]) and not rule.get("resourceNames")
    ]
    assert loose == []


def test_only_what_has_to_be_is_cluster_wide(rendered: Obj) -> None:
    wide = [
        f"{label(role)}: {resource}"
        for role, rule in rules(rendered)
        for resource in rule.get("resources", [])
        if role["kind"] == "ClusterRole" and resource not in CLUSTER_WIDE
    ]
    assert wide == []


def test_nothing_deletes_without_a_reason(rendered: Obj) -> None:
    deletes = {
        (label(role), resource)
        for role, rule in rules(rendered)
        for resource in rule.get("resources", [])
        if {"delete", "deletecollection"} & set(rule["verbs"])
    }
    assert deletes == set(DELETES)


def test_bindings_give_our_roles_to_our_accounts_alone(rendered: Obj) -> None:
    accounts = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in objects(rendered, "ServiceAccount")}
    roles = {label(role) for role in objects(rendered, "Role", "ClusterRole")}
    for binding in objects(rendered, "RoleBinding", "ClusterRoleBinding"):
        assert f"{binding['roleRef']['kind']} {binding['roleRef']['name']}" in roles, label(binding)
        for subject in binding["subjects"]:
            assert subject["kind"] == "ServiceAccount", label(binding)
            assert (subject["namespace"], subject["name"]) in accounts, label(binding)


def test_accounts_hand_out_no_token_unasked(rendered: Obj) -> None:
    found = objects(rendered, "ServiceAccount")
    assert found
    assert [label(one) for one in found if one.get("automountServiceAccountToken") is not False] == []


def test_accounts_of_ours_hold_only_declared_powers(rendered: Obj) -> None:
    subjects = [
        Subject.account(one["metadata"]["namespace"], one["metadata"]["name"])
        for one in objects(rendered, "ServiceAccount")
    ]
    found = judge.undeclared(graph(rendered), subjects, declarations(rendered))
    assert [str(one) for one in found] == []


def test_what_is_declared_of_them_is_what_they_have(rendered: Obj) -> None:
    """Of accounts of charts only the lab can tell."""
    mine = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in objects(rendered, "ServiceAccount")}
    ours = [one for one in declarations(rendered) if (one.subject.namespace, one.subject.name) in mine]
    roles = graph(rendered)
    assert judge.unneeded(roles, ours) == []
    spaces = sorted({"elsewhere", *(one.subject.namespace for one in ours)})
    wrong = [
        f"{one.declared.subject}: {one.text}: {one.request}"
        for one in declared.expectations(ours, roles, spaces)
        if bool(roles.paths(one.request, one.declared.subject.user, one.declared.subject.groups)) is not one.allowed
    ]
    assert wrong == []


def test_other_templates_with_roles_are_these_and_only_read() -> None:
    """Templates that no component renders: nobody sees a role in them but this test."""
    templates = {
        path.relative_to(house.ROOT / "roles"): path.read_text(encoding="utf-8")
        for path in (house.ROOT / "roles").glob("*/templates/*.j2")
    }
    found = {path: text for path, text in templates.items() if re.search(r"^kind: (Cluster)?Role$", text, re.MULTILINE)}
    assert [str(path) for path in found] == ["kubernetes/templates/kube-router.yaml.j2"]
    for text in found.values():
        documents = [one for one in yaml.safe_load_all(re.sub(r"{{.*?}}", "x", text)) if one]
        assert any(one["kind"] == "ClusterRole" for one in documents)
        roles = Graph(Objects(documents_of(documents, "ClusterRole"), documents_of(documents, "ClusterRoleBinding")))
        subject = Subject.account("kube-system", "kube-router")
        rules_ = [grant.rule for grant in roles.of_subject(subject)]
        assert rules_
        assert {verb for rule in rules_ for verb in rule.verbs} == {"get", "list", "watch"}
        assert judge.held(roles, subject) == []


def documents_of(documents: list[Obj], kind: str) -> list[Obj]:
    return [one for one in documents if one["kind"] == kind]


@pytest.mark.parametrize("role", ["storage", "cert_manager", "sealed_secrets", "metrics_server"])
def test_every_component_with_accounts_declares_them(role: str, rendered: Obj) -> None:
    found = [one for one in declarations(rendered) if one.component == role]
    assert found
    assert all(one.can and one.cannot for one in found)


def test_a_narrower_unsealer_is_declared_narrower(rendered: Obj) -> None:
    """docs/access.md: additionalNamespaces; the case `turned` sets it."""
    data = rendered["sealed_secrets"]["data"]
    (one,) = [one for one in declarations(rendered) if one.component == "sealed_secrets"]
    spaces = {space for given in one.exemptions for space in given.spaces}
    assert spaces == ({"enclii-dev", "enclii-system"} if data["values"] else {"*", "enclii-system"})
