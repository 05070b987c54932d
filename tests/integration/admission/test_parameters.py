# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters: what they change, who may change them, and what happens without them."""

from __future__ import annotations

import typing as t

import admission
import pytest
from admission import Api, good


@pytest.fixture
def parameters(walls: t.Any) -> t.Iterator[t.Any]:
    """Puts parameters in force; the defaults are back afterwards."""
    try:
        yield walls.parameters
    finally:
        walls.parameters()


def person(walls: t.Any, name: str, *rules: dict[str, t.Any]) -> Api:
    """Somebody with these rights everywhere."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "User", "name": name}],
    }  # fmt: skip
    walls.apply([role, binding])
    return Api(walls.server, name)


EVERYTHING = {"apiGroups": ["", "apps", "batch"], "resources": ["*"], "verbs": ["*"]}
POLICIES = {
    "apiGroups": ["admissionregistration.k8s.io"],
    "resources": ["validatingadmissionpolicies"],
    "verbs": ["update"],
}


def test_registries_of_one_namespace_take_the_place_of_all(walls: t.Any, parameters: t.Any) -> None:
    one = walls.space("enforce")
    parameters(baseline_namespaces={one: {"registries": ["example.com/only/"]}})
    assert walls.admin.create(good(image="example.com/only/x:1"), one).ok
    message = walls.admin.create(good(image="ghcr.io/madfam/x:1"), one).message
    assert f"(allowed in namespace {one}: example.com/only)" in message
    assert "[registry]" in walls.admin.create(good(image="example.com/only/x:1"), walls.spaces["enforce"]).message


def test_inventory_local_may_never_pull(walls: t.Any, parameters: t.Any) -> None:
    assert "[pull-policy]" in walls.admin.create(good(imagePullPolicy="Never"), walls.spaces["enforce"]).message
    parameters(enclii_inventory="local")
    assert walls.admin.create(good(imagePullPolicy="Never"), walls.spaces["enforce"]).ok


def test_an_exemption_is_for_one_rule_one_container_and_one_namespace(walls: t.Any, parameters: t.Any) -> None:
    one = walls.space("enforce")
    spared = {"container": "api", "rules": ["readiness", "resources"], "reason": "x"}
    parameters(baseline_namespaces={one: {"exemptions": [spared]}})
    bare = {"readinessProbe": None, "resources": None}
    assert walls.admin.create(good(**bare), one).ok
    assert "[liveness]" in walls.admin.create(good(**bare, livenessProbe=None), one).message
    assert "[readiness]" in walls.admin.create(good(**bare, name="other") | {}, walls.spaces["enforce"]).message
    other = good(**bare)
    other["spec"]["template"]["spec"]["containers"][0]["name"] = "api-2"
    assert "[readiness]" in walls.admin.create(other, one).message


def test_components_declare_exemptions_for_where_they_live(walls: t.Any) -> None:
    data = admission.rendered(component_definitions=admission.exemptions("cert_manager", "storage"))[0]["data"]
    told = {key.removeprefix("exempt."): value.split() for key, value in data.items() if key.startswith("exempt.")}
    assert told["cert-manager"] == [
        "readiness/cert-manager-controller", "liveness/cert-manager-cainjector", "readiness/cert-manager-cainjector"
    ]  # fmt: skip
    assert [value for value in told.values() if value != told["cert-manager"]] == [
        ["liveness/local-path-provisioner", "readiness/local-path-provisioner"]
    ]
    gone = [{**one, "state": "absent"} for one in admission.exemptions("cert_manager", "storage")]
    assert not any(key.startswith("exempt.") for key in admission.rendered(component_definitions=gone)[0]["data"])


def test_patterns_are_the_inventorys(walls: t.Any, parameters: t.Any) -> None:
    parameters(baseline_admission_tag_pattern="^release-", baseline_admission_secret_pattern="^HUSH_")
    assert walls.admin.create(good(image="ghcr.io/madfam/x:release-a"), walls.spaces["enforce"]).ok
    assert "[image-tag]" in walls.admin.create(good(image="ghcr.io/madfam/x:1.2"), walls.spaces["enforce"]).message
    images = {"image": "ghcr.io/madfam/x:release-a"}
    assert walls.admin.create(good(**images, env=[{"name": "PASSWORD", "value": "x"}]), walls.spaces["enforce"]).ok
    hushed = good(**images, env=[{"name": "A", "value": "x"}, {"name": "HUSH_A", "value": "x"}])
    assert "env HUSH_A " in walls.admin.create(hushed, walls.spaces["enforce"]).message


def test_a_pattern_that_is_none_refuses_and_says_why(walls: t.Any) -> None:
    live = walls.server.get("configmap", "enclii-admission", "-n", "enclii-system")["data"]["tags"]
    walls.admin.patch("ConfigMap", "enclii-system", "enclii-admission", {"data": {"tags": "("}})
    try:
        walls.until(lambda: not walls.admin.create(good(), walls.spaces["enforce"]).ok, "the pattern in force")
        assert "missing closing )" in walls.admin.create(good(), walls.spaces["enforce"]).message
        observed = walls.admin.create(good(), walls.spaces["observe"])
        assert observed.ok and "missing closing )" in observed.warnings[0]
    finally:
        walls.admin.patch("ConfigMap", "enclii-system", "enclii-admission", {"data": {"tags": live}})
        walls.until(lambda: walls.admin.create(good(), walls.spaces["enforce"]).ok, "the old pattern in force")


def test_without_parameters_enforcing_refuses_and_observing_does_not(walls: t.Any) -> None:
    path = walls.admin.path("ConfigMap", "enclii-system", "enclii-admission")
    live = walls.admin.call("GET", path).body
    assert walls.admin.call("DELETE", path).ok
    try:
        walls.until(lambda: not walls.admin.create(good(), walls.spaces["enforce"]).ok, "parameters gone")
        assert "no params found" in walls.admin.create(good(), walls.spaces["enforce"]).message
        observed = walls.admin.create(good(), walls.spaces["observe"])
        assert observed.ok and observed.warnings == ()
        assert walls.admin.create(good(), walls.spaces["free"]).ok
    finally:
        metadata = {"name": "enclii-admission", "namespace": "enclii-system"}
        walls.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": live["data"]}])
        walls.until(lambda: walls.admin.create(good(), walls.spaces["enforce"]).ok, "parameters back")


def test_only_who_may_change_policies_changes_parameters_and_labels(walls: t.Any) -> None:
    editor, keeper = person(walls, "editor", EVERYTHING), person(walls, "keeper", EVERYTHING, POLICIES)
    path = walls.admin.path("ConfigMap", "enclii-system", "enclii-admission")
    wider = {"data": {"registries": "example.com"}}
    space = walls.admin.path("Namespace", "", walls.spaces["enforce"])

    def relabelled(labels: dict[str, str | None]) -> dict[str, t.Any]:
        live = walls.admin.call("GET", space).body
        changed = {**live["metadata"]["labels"], **labels}
        live["metadata"]["labels"] = {key: value for key, value in changed.items() if value is not None}
        return t.cast("dict[str, t.Any]", live)

    guarded = [
        lambda who: who.patch("ConfigMap", "enclii-system", "enclii-admission", wider, dry=True),
        lambda who: who.call("DELETE", f"{path}?dryRun=All"),
        lambda who: who.call(
            "DELETE", f"{path.rsplit('/', 1)[0]}?dryRun=All&fieldSelector=metadata.name%3Denclii-admission"
        ),
        lambda who: who.patch(
            "Namespace", "", walls.spaces["enforce"], {"metadata": {"labels": {"enclii.dev/walls": None}}}, dry=True
        ),
        lambda who: who.patch(
            "Namespace",
            "",
            walls.spaces["enforce"],
            {"metadata": {"labels": {"enclii.dev/purpose": "nodes"}}},
            dry=True,
        ),
        lambda who: who.create(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": "x", "labels": {"enclii.dev/purpose": "nodes"}},
            },
            "",
        ),
        *(
            lambda who, sub=sub, labels=labels: who.call("PUT", f"{space}/{sub}?dryRun=All", relabelled(labels))
            for sub in ("status", "finalize")
            for labels in ({"enclii.dev/purpose": "nodes"}, {"enclii.dev/walls": None})
        ),
    ]
    walls.until(lambda: guarded[0](keeper).ok, "rights in force")
    for number, attempt in enumerate(guarded):
        refused = attempt(editor)
        assert "[guard]" in refused.message and "editor may not" in refused.message, (number, refused)
        assert attempt(keeper).ok, number
    # everything beside that is as it was
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}
    assert editor.create(other, "enclii-system").ok
    assert editor.create({**other, "metadata": {"name": "enclii-admission"}}, walls.spaces["enforce"]).ok
    assert editor.patch("Namespace", "", walls.spaces["enforce"], {"metadata": {"labels": {"a": "b"}}}, dry=True).ok


def test_a_mode_that_no_binding_knows_is_refused(walls: t.Any) -> None:
    answer = walls.admin.patch(
        "Namespace", "", walls.spaces["enforce"], {"metadata": {"labels": {"enclii.dev/walls": "enforced"}}}, dry=True
    )
    assert "enclii.dev/walls is observe or enforce" in answer.message


@pytest.mark.parametrize(
    "name", ["system:serviceaccount:kube-system:namespace-controller", "system:kube-controller-manager"]
)
def test_the_end_of_a_namespace_takes_its_parameters_along(walls: t.Any, name: str) -> None:
    """Without --use-service-account-credentials all controllers have one name; else the namespace would never end."""
    short = name.rpartition(":")[2]
    controller = Api(walls.server, name)
    person(walls, f"{short}-here", EVERYTHING)
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{short}-here"}, "subjects": [{"kind": "User", "name": name}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{short}-here"},
    }  # fmt: skip
    walls.apply([binding])
    path = walls.admin.path("ConfigMap", "enclii-system", "enclii-admission")
    walls.until(lambda: controller.call("DELETE", f"{path}?dryRun=All").ok, "rights in force")
    assert (
        "[guard]"
        in controller.patch("ConfigMap", "enclii-system", "enclii-admission", {"data": {"x": "y"}}, dry=True).message
    )


def test_node_agents_are_made_by_named_accounts_controllers_and_keepers(walls: t.Any) -> None:
    agent = good("Pod")
    agent["spec"] |= {"serviceAccountName": "local-path-provisioner", "hostNetwork": True}
    set_of_agents = good("DaemonSet")
    set_of_agents["spec"]["template"]["spec"] |= {"serviceAccountName": "local-path-provisioner", "hostPID": True}
    everybody = {"kind": "Group", "name": "system:authenticated"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "everybody", "namespace": "enclii-nodes"}, "subjects": [everybody],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
    }  # fmt: skip
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "admin"}, "rules": [EVERYTHING],
    }  # fmt: skip
    walls.apply([role, binding])

    def who(name: str) -> Api:
        return Api(walls.server, name, ["system:authenticated"])

    walls.until(lambda: "[node-account]" in who("somebody").create(agent, "enclii-nodes").message, "rights in force")
    for name, may in [
        ("system:serviceaccount:enclii-nodes:local-path-provisioner", True),
        ("system:serviceaccount:kube-system:daemon-set-controller", True),
        ("system:kube-controller-manager", True),
        ("system:serviceaccount:kube-system:somebody", False),
        ("system:serviceaccount:enclii-dev:local-path-provisioner", False),
        ("system:serviceaccount:enclii-nodes:default", False),
        ("somebody", False),
    ]:
        for obj in (agent, set_of_agents):
            answer = who(name).create(obj, "enclii-nodes")
            assert answer.ok == may, (name, answer.message)
            assert may or f"{name} may not run anything in namespace enclii-nodes" in answer.message
    assert walls.admin.create(set_of_agents, "enclii-nodes").ok
