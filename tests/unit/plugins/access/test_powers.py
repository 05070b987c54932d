# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: which rules are dangerous, and what makes a declared power cover a found one."""

from __future__ import annotations

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.access.declared import covers
from ansible_collections.enclii.platform.plugins.module_utils.access.grammar import exemption
from ansible_collections.enclii.platform.plugins.module_utils.access.model import Grant, Path, Rule, Subject
from ansible_collections.enclii.platform.plugins.module_utils.access.powers import POWERS, Finding, find

RBAC = "rbac.authorization.k8s.io"
AUTHENTICATION = "authentication.k8s.io"
PATH = Path("b", "r", "x")
MINE = Subject.account("a", "x")


def powers(rule: Rule, namespace: str = "") -> set[str]:
    return {one.power for one in find(Grant(MINE, namespace, rule, PATH))}


@pytest.mark.parametrize(
    ("verbs", "groups", "resource", "expected"),
    [
        ("get", "", "secrets", {"read-secrets"}),
        ("watch", "", "secrets", {"read-secrets"}),
        ("patch", "", "secrets", {"write-secrets"}),
        ("delete", "", "secrets", {"delete"}),
        ("deletecollection", "apps", "deployments", {"delete"}),
        ("get", "", "configmaps", set()),
        ("get", "", "pods/exec", {"exec"}),
        ("create", "", "pods/exec", {"exec"}),
        ("delete", "", "pods/exec", {"delete"}),
        ("create", "", "pods/attach", {"attach"}),
        ("create", "", "pods/portforward", {"port-forward"}),
        ("update", "", "services/proxy", {"proxy"}),
        ("patch", "", "pods/ephemeralcontainers", {"ephemeral-containers"}),
        ("create", "", "pods", {"create-pods"}),
        ("update", "apps", "deployments", {"create-pods"}),
        ("create", "batch", "cronjobs", {"create-pods"}),
        ("create", "", "serviceaccounts/token", {"create-tokens"}),
        ("impersonate", "", "serviceaccounts", {"impersonate"}),
        ("impersonate", "", "groups", {"impersonate"}),
        ("impersonate", AUTHENTICATION, "uids", {"impersonate"}),
        ("impersonate", AUTHENTICATION, "userextras", {"impersonate"}),
        ("impersonate", AUTHENTICATION, "userextras/scopes", {"impersonate"}),
        ("impersonate", AUTHENTICATION, "*/scopes", {"impersonate", "wildcard"}),
        ("get", AUTHENTICATION, "userextras/scopes", set()),
        # what is constrained is asked for in one group, and grants nothing in the core group
        ("impersonate:user-info", "", "users", set()),
        ("impersonate:user-info", AUTHENTICATION, "users", {"impersonate"}),
        ("impersonate:user-info", AUTHENTICATION, "groups", {"impersonate"}),
        ("impersonate:user-info", AUTHENTICATION, "userextras/scopes", {"impersonate"}),
        ("impersonate:serviceaccount", AUTHENTICATION, "serviceaccounts", {"impersonate"}),
        ("impersonate:arbitrary-node", AUTHENTICATION, "nodes", {"impersonate"}),
        ("impersonate:associated-node", AUTHENTICATION, "nodes", {"impersonate"}),
        ("impersonate:some-day", AUTHENTICATION, "users", {"impersonate"}),
        ("impersonate-on:user-info:list", "", "pods", set()),
        ("escalate", RBAC, "roles", {"escalate"}),
        ("bind", RBAC, "clusterroles", {"bind"}),
        ("create", RBAC, "rolebindings", {"write-rbac"}),
        ("patch", RBAC, "clusterroles", {"write-rbac"}),
        ("get", "", "nodes/proxy", {"node-proxy"}),
        ("get", "", "nodes/metrics", set()),
        ("patch", "admissionregistration.k8s.io", "validatingwebhookconfigurations", {"write-admission"}),
        ("delete", "admissionregistration.k8s.io", "validatingadmissionpolicybindings", {"write-admission", "delete"}),
        ("update", "apiregistration.k8s.io", "apiservices", {"write-apis"}),
        ("update", "apiextensions.k8s.io", "customresourcedefinitions", {"write-apis"}),
        ("update", "certificates.k8s.io", "certificatesigningrequests/approval", {"sign-certificates"}),
        ("sign", "certificates.k8s.io", "signers", {"sign-certificates"}),
        ("patch", "", "namespaces", {"write-walls"}),
        ("delete", "networking.k8s.io", "networkpolicies", {"write-walls", "delete"}),
        ("create", "", "persistentvolumes", {"create-volumes"}),
        ("get", "", "*", {"read-secrets", "exec", "attach", "port-forward", "proxy", "node-proxy", "wildcard"}),
        ("*", "", "configmaps", {"wildcard", "delete"}),
        ("get", "*", "configmaps", {"wildcard"}),
    ],
)
def test_power(verbs: str, groups: str, resource: str, expected: set[str]) -> None:
    assert powers(Rule((verbs,), (groups,), (resource,))) == expected


def test_everything_has_every_power() -> None:
    assert powers(Rule(("*",), ("*",), ("*",))) == set(POWERS)
    assert powers(Rule(("*",), urls=("*",))) == {"wildcard"}


@pytest.mark.parametrize(
    ("verbs", "group", "resource"),
    [
        ("get", "", "nodes/proxy"),
        ("impersonate", "", "users"),
        ("impersonate:user-info", AUTHENTICATION, "users"),
        ("escalate", RBAC, "clusterroles"),
        ("create", "", "persistentvolumes"),
        ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ],
)
def test_a_namespace_holds_nothing_of_the_cluster(verbs: str, group: str, resource: str) -> None:
    rule = Rule((verbs,), (group,), (resource,))
    assert powers(rule)
    assert powers(rule, "a") == set()


def test_every_power_has_a_meaning_and_a_request_that_its_rule_allows() -> None:
    for power in POWERS.values():
        assert power.meaning
    for verbs, group, resource in [
        ("get", "", "secrets"),
        ("create", "batch", "jobs"),
        ("*", "*", "*"),
        ("get", "", "*"),
        ("impersonate:serviceaccount", AUTHENTICATION, "serviceaccounts"),
    ]:
        for name in ((), ("n",)):
            rule = Rule((verbs,), (group,), (resource,), name)
            for finding in find(Grant(MINE, "a", rule, PATH)):
                assert rule.allows(finding.request()), finding


def found(
    power: str = "read-secrets", what: str = "secrets", namespace: str = "", names: tuple[str, ...] = ()
) -> Finding:
    return Finding(power, MINE, ("get",), what, namespace, names, PATH)


@pytest.mark.parametrize(
    ("text", "finding", "covered"),
    [
        ("read-secrets in *", found(), True),
        ("read-secrets in *", found(namespace="a"), True),
        ("read-secrets in a", found(namespace="a"), True),
        ("read-secrets in a,b", found(namespace="b"), True),
        ("read-secrets in a", found(namespace="b"), False),
        ("read-secrets in a", found(), False),
        ("read-secrets named x in a", found(namespace="a", names=("x",)), True),
        ("read-secrets named x,y in a", found(namespace="a", names=("x",)), True),
        ("read-secrets named x in a", found(namespace="a", names=("x", "y")), False),
        ("read-secrets named x in a", found(namespace="a"), False),
        ("delete of pods in *", found("delete", "pods"), True),
        ("delete of pods in *", found("delete", "secrets"), False),
        ("delete in *", found("delete", "secrets"), True),
        ("exec in *", found(), False),
        ("write-admission", found("write-admission", "x.admissionregistration.k8s.io"), True),
        ("everything in *", found(), True),
    ],
)
def test_exception_covers(text: str, finding: Finding, covered: bool) -> None:
    assert covers(exemption(text), finding) is covered
