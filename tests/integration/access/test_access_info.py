# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: what access_info says of a real API server: holes that somebody opened are found by name, with their path."""

from __future__ import annotations

import typing as t

import apiserver
import pytest
from rbac import API, HOME, Access, Obj, obj, ref

from ansible_collections.enclii.platform.plugins.module_utils.access import front
from ansible_collections.enclii.platform.plugins.module_utils.access.powers import POWERS
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

ONE = {"kind": "ServiceAccount", "name": "one", "namespace": "a"}
GROUP = {"apiGroup": API, "kind": "Group", "name": "e-people"}


def rule(verbs: str, resources: str, group: str = "", names: list[str] | None = None) -> Obj:
    found: Obj = {"verbs": verbs.split(","), "resources": resources.split(","), "apiGroups": [group]}
    return {**found, "resourceNames": names} if names else found


def component(**access: t.Any) -> Obj:
    return {"name": "shop", "namespace": "a", "access": [{"account": "one", **access}]}


def found(result: Obj, power: str) -> list[tuple[str, str, list[str]]]:
    return [
        (one["name"], one["scope"], one["path"])
        for entry in result["report"]
        if entry["power"] == power
        for one in entry["everyone"]
    ]


def undeclared(result: Obj) -> set[tuple[str, str, str]]:
    return {
        (f"{one['namespace']}/{one['name']}", one["power"], one["path"][0]) for one in result["proof"]["undeclared"]
    }


def test_what_is_declared_is_proved(access: Access) -> None:
    access.write(
        [
            obj("Role", "e-own", "a", rules=[rule("get", "secrets", names=["login"]), rule("get,list", "configmaps")]),
            obj("RoleBinding", "e-own", "a", roleRef=ref("Role", "e-own"), subjects=[ONE]),
        ]
    )
    result = access.info(
        [
            component(
                can=["get secrets named login in a", "get,list configmaps in a"],
                cannot=[
                    "list secrets in *",
                    "get secrets outside a",
                    "get secrets named other in a",
                    "create pods/exec in *",
                ],
                exceptions=[{"power": "read-secrets named login in a", "reason": "It logs in."}],
            )
        ]
    )
    assert result["proof"]["mismatches"] == []
    assert result["proof"]["undeclared"] == []
    assert result["proof"]["unneeded"] == []
    # the server's namespaces are all asked about: "in no namespace" is proved for each
    assert result["proof"]["asked"] > 2 * 4
    # accounts of the namespace that nobody declares, with a token for every pod
    assert result["proof"]["unused_with_token"] == ["a/default", "a/two"]
    assert result["ok"] is False


def test_cluster_admin_for_an_account_is_found(access: Access) -> None:
    access.write([obj("ClusterRoleBinding", "e-hole", roleRef=ref("ClusterRole", "cluster-admin"), subjects=[ONE])])
    result = access.info([component(cannot=["get secrets in *"])])
    assert undeclared(result) >= {("a/one", "everything", "ClusterRoleBinding e-hole")}
    assert ("one", "everywhere", ["ClusterRoleBinding e-hole", "ClusterRole cluster-admin", "* *.*"]) in found(
        result, "exec"
    )
    mismatch = result["proof"]["mismatches"][0]
    assert (mismatch["account"], mismatch["seen"]) == ("a/one", "allowed")
    assert mismatch["paths"] == [["ClusterRoleBinding e-hole", "ClusterRole cluster-admin", "* *.*"]]
    assert all(one["confirmed"] for one in result["proof"]["undeclared"])
    with pytest.raises(
        KubeError,
        match=r"a/one: cannot 'get secrets in .' is declared, seen allowed: get secrets, .* by ClusterRoleBinding e-hole",
    ):
        access.info([component(cannot=["get secrets in *"])], require=True)


def test_exec_for_a_group_is_found(access: Access) -> None:
    access.write(
        [
            obj("Role", "e-exec", "a", rules=[rule("create", "pods/exec")]),
            obj("RoleBinding", "e-exec", "a", roleRef=ref("Role", "e-exec"), subjects=[GROUP]),
        ]
    )
    path = ["RoleBinding a/e-exec", "Role a/e-exec", "create pods/exec"]
    assert ("e-people", "namespace a", path) in found(access.info(), "exec")


def test_a_group_of_accounts_is_followed_to_them(access: Access) -> None:
    group = {"apiGroup": API, "kind": "Group", "name": "system:serviceaccounts:b"}
    access.write(
        [
            obj("Role", "e-exec", "a", rules=[rule("create", "pods/exec")]),
            obj("RoleBinding", "e-exec", "a", roleRef=ref("Role", "e-exec"), subjects=[group]),
        ]
    )
    result = access.info(prove=False)
    path = ["RoleBinding a/e-exec", "Role a/e-exec", "create pods/exec"]
    through = ["member of group system:serviceaccounts:b", *path]
    assert found(result, "exec") == [
        ("system:serviceaccounts:b", "namespace a", path),
        *((name, "namespace a", through) for name in ("default", "one", "two")),
    ]
    (line,) = [one for one in result["lines"] if "group system:serviceaccounts:b" in one]
    assert line.endswith("; in it are account b/default, account b/one, account b/two")


def test_exec_for_a_group_that_holds_the_account_is_found(access: Access) -> None:
    group = {"apiGroup": API, "kind": "Group", "name": "system:serviceaccounts:a"}
    access.write(
        [
            obj("Role", "e-exec", "a", rules=[rule("create", "pods/exec")]),
            obj("RoleBinding", "e-exec", "a", roleRef=ref("Role", "e-exec"), subjects=[group]),
        ]
    )
    result = access.info([component()])
    assert undeclared(result) == {
        (f"a/{name}", "exec", "member of group system:serviceaccounts:a") for name in ("default", "one", "two")
    }


def test_an_aggregated_role_is_found_by_the_role_that_was_added(access: Access) -> None:
    added = rule("get", "secrets")
    labels = {"e.enclii.dev/aggregate": "yes"}
    selectors = {"clusterRoleSelectors": [{"matchLabels": labels}]}
    # no controller runs beside this server: the rules are what it would have written
    access.write(
        [
            obj("ClusterRole", "e-added", labels=labels, rules=[added]),
            obj("ClusterRole", "e-whole", aggregationRule=selectors, rules=[rule("get", "pods"), added]),
            obj("RoleBinding", "e-whole", "a", roleRef=ref("ClusterRole", "e-whole"), subjects=[ONE]),
        ]
    )
    (entry,) = access.info([component()])["proof"]["undeclared"]
    assert entry["path"] == [
        "RoleBinding a/e-whole", "ClusterRole e-whole", "aggregated from ClusterRole e-added", "get secrets",
    ]  # fmt: skip


def test_impersonation_is_found(access: Access) -> None:
    access.write(
        [
            obj("ClusterRole", "e-other", rules=[rule("impersonate", "users,groups")]),
            obj("ClusterRoleBinding", "e-other", roleRef=ref("ClusterRole", "e-other"), subjects=[ONE]),
        ]
    )
    result = access.info([component(exceptions=[{"power": "exec in a", "reason": "It was needed once."}])])
    assert undeclared(result) == {("a/one", "impersonate", "ClusterRoleBinding e-other")}
    assert result["proof"]["unneeded"] == [{"component": "shop", "account": "a/one", "power": "exec in a"}]
    assert any("impersonate is not declared" in line for line in result["lines"])


@pytest.mark.parametrize(
    "subject", [("User", "system:anonymous"), ("Group", "system:unauthenticated")], ids=lambda one: one[0]
)
def test_a_power_of_everybody_without_a_login_is_found(access: Access, subject: tuple[str, str]) -> None:
    given = {"apiGroup": API, "kind": subject[0], "name": subject[1]}
    access.write([obj("ClusterRoleBinding", "e-open", roleRef=ref("ClusterRole", "cluster-admin"), subjects=[given])])
    result = access.info()
    # the paths that are no resources are a rule of their own
    assert {(one["name"], one["power"], one["confirmed"]) for one in result["proof"]["undeclared"]} == {
        ("system:anonymous", "everything", True), ("system:anonymous", "wildcard", True),
    }  # fmt: skip
    assert subject[1] in {name for name, _scope, _path in found(result, "everything")}
    assert "everybody without a login" in result["wrong"][0]
    assert result["ok"] is False


def test_impersonation_that_is_constrained_is_found(access: Access) -> None:
    rules = [rule("impersonate:user-info", "users,userextras/scopes", "authentication.k8s.io")]
    access.write(
        [
            obj("ClusterRole", "e-mode", rules=rules),
            obj("ClusterRoleBinding", "e-mode", roleRef=ref("ClusterRole", "e-mode"), subjects=[ONE]),
        ]
    )
    proof = access.info([component()])["proof"]
    assert {(one["power"], one["what"], one["confirmed"]) for one in proof["undeclared"]} == {
        ("impersonate", "users.authentication.k8s.io", True),
        ("impersonate", "userextras.authentication.k8s.io/scopes", True),
    }


def test_an_account_that_is_not_made_yet_is_judged(access: Access) -> None:
    ghost = {"kind": "ServiceAccount", "name": "ghost", "namespace": "a"}
    access.write([obj("RoleBinding", "e-ghost", "a", roleRef=ref("ClusterRole", "admin"), subjects=[ghost])])
    # without its controller, admin has no rules of its own
    access.write([obj("ClusterRole", "e-r", rules=[rule("get", "secrets")])])
    access.write([obj("RoleBinding", "e-ghost2", "a", roleRef=ref("ClusterRole", "e-r"), subjects=[ghost])])
    assert ("a/ghost", "read-secrets", "RoleBinding a/e-ghost2") in undeclared(access.info(namespaces=["a"]))


def test_kubernetes_own_stands_apart(access: Access) -> None:
    entry = next(one for one in access.info(prove=False)["report"] if one["power"] == "read-secrets")
    assert entry["everyone"] == []
    assert {"system:masters", "generic-garbage-collector"} & {one["name"] for one in entry["system"]}


def test_who_may_not_look_is_told_what_is_missing(access: Access) -> None:
    plain = {"host": access.server.host, "api_key": "plain-token", "ca_cert": str(access.server.ca)}
    with pytest.raises(KubeError) as caught:
        front.access_info({**plain, "components": [], "namespaces": [], "prove": True, "require": False}, HOME)
    assert caught.value.reason == "forbidden"
    assert "Access (" in caught.value.subject


def test_hundreds_of_reviews_in_a_second(access: Access) -> None:
    cannot = [
        "get,list,watch,create,update,patch,delete secrets,configmaps,pods,pods/exec,serviceaccounts,services in *"
    ]
    proof = access.info([component(cannot=cannot)])["proof"]
    assert proof["asked"] >= 200
    assert proof["asked"] / proof["seconds"] > 100


def test_what_another_authorizer_allows_is_found(server: apiserver.ApiServer) -> None:
    """Roles show nothing of it: only asking tells. This server has one behind RBAC that allows everything."""
    assert server.kubeconfig.is_file()  # the binaries are there
    open_to_all = apiserver.ApiServer("--authorization-mode", "AlwaysAllow")
    try:
        open_to_all.start()
        open_to_all.kubectl("create", "namespace", "a")
        given = {"namespaces": [], "prove": True, "require": False, "kubeconfig": str(open_to_all.kubeconfig)}
        access: Obj = {"account": "one", "can": [], "cannot": ["get secrets in a"], "exceptions": []}
        components = [{"name": "shop", "namespace": "a", "state": "present", "access": [access]}]
        proof = front.access_info({**given, "components": components}, HOME)["proof"]
    finally:
        open_to_all.stop()
    elsewhere = ["granted by another authorizer than RBAC"]
    assert [one["paths"] for one in proof["mismatches"]] == [[elsewhere]]
    assert {one["power"] for one in proof["undeclared"]} == {power.name for power in POWERS.values() if power.wants}
    assert all(one["path"] == elsewhere for one in proof["undeclared"])
