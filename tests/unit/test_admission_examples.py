# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies as they are rendered, and the examples beside them: that none is missing. tests/integration/admission runs them."""

from __future__ import annotations

import json
import re
from typing import Any

import admission
import pytest

import house

WALLED = {"observe": ["Warn", "Audit"], "enforce": ["Deny", "Audit"]}
KINDS = {"Pod", "ReplicationController", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"}
# What Kubernetes 1.31 and newer brought: an API server of 1.30 would refuse the whole policy.
TOO_NEW = re.compile(
    r"\.(format|validate|distinct|sort|sortBy|flatten|slice|range|transformList|transformMap)\(|semver\("
)


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    return admission.rendered()


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == kind}


@pytest.mark.parametrize("kind", ["accepted", "refused"])
def test_every_rule_has_its_examples(kind: str) -> None:
    assert {example.rule for example in admission.examples(kind)} == set(admission.RULES)


@pytest.mark.parametrize("kind", ["accepted", "refused"])
def test_examples_say_what_they_are_for_and_where_they_go_is_left_to_who_applies_them(kind: str) -> None:
    for path in (admission.EXAMPLES / kind).glob("*/*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# ")
    assert [str(one) for one in admission.examples(kind) if "namespace" in one.body["metadata"]] == []


def test_examples_are_of_all_kinds_with_init_containers_and_sidecars() -> None:
    everything = [*admission.examples("accepted"), *admission.examples("refused")]
    assert {example.body["kind"] for example in everything} == KINDS
    initial = [
        container for example in everything
        for container in admission.template_of(example.body)["spec"].get("initContainers", [])
    ]  # fmt: skip
    assert {container.get("restartPolicy") for container in initial} == {None, "Always"}


def test_documents_have_a_row_for_each_rule() -> None:
    page = (house.ROOT / "docs" / "admission.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|.*\| `[^`]+: \[", page, re.MULTILINE)
    assert set(rows) == set(admission.RULES)


def test_component_may_be_exempt_from_rules_that_are(objects: list[dict[str, Any]]) -> None:
    spec = house.load(house.ROOT / "roles" / "component" / "meta" / "argument_specs.yml")["argument_specs"]["main"]
    rules = spec["options"]["component_definition"]["options"]["exemptions"]["options"]["rules"]["choices"]
    asked = set(
        re.findall(r"\('([a-z-]+)/' \+", json.dumps(of_kind(objects, "ValidatingAdmissionPolicy")["enclii-workloads"]))
    )
    assert set(rules) == asked
    assert asked == set(admission.RULES) - {"host", "node-account"}


def test_exemptions_are_narrow_and_say_why() -> None:
    found = [one for role in ("cert_manager", "storage") for one in admission.exemptions(role)[0]["exemptions"]]
    assert found
    for one in found:
        assert set(one) == {"container", "rules", "reason"}
        assert set(one["rules"]) <= {"liveness", "readiness"}


def test_policies_fail_closed_and_keep_to_the_walls(objects: list[dict[str, Any]]) -> None:
    # the anchor matches nothing, see role baseline's vars
    policies = {
        name: one for name, one in of_kind(objects, "ValidatingAdmissionPolicy").items() if name != "enclii-parameters"
    }
    assert set(policies) == {"enclii-workloads", "enclii-node-agents", "enclii-guard"}
    assert {policy["failurePolicy"] for policy in policies.values()} == {"Fail"}
    for name, policy in policies.items():
        assert policy["matchConditions"], name
        assert not TOO_NEW.search(str(policy)), name
        for validation in policy["validations"]:
            assert validation["message"], name


@pytest.mark.parametrize("policy", ["enclii-workloads", "enclii-node-agents"])
@pytest.mark.parametrize("mode", WALLED)
def test_bindings_follow_the_label(objects: list[dict[str, Any]], policy: str, mode: str) -> None:
    binding = of_kind(objects, "ValidatingAdmissionPolicyBinding")[f"{policy}-{mode}"]
    assert binding["policyName"] == policy
    assert binding["validationActions"] == WALLED[mode]
    assert binding["matchResources"]["namespaceSelector"]["matchLabels"] == {"enclii.dev/walls": mode}
    # deleting the parameters opens nothing that is enforced, and stops nothing that is observed
    assert binding["paramRef"]["parameterNotFoundAction"] == ("Allow" if mode == "observe" else "Deny")


def test_parameters_hold_what_the_inventory_says() -> None:
    def data(**given: Any) -> dict[str, str]:
        return dict(admission.rendered(**given)[0]["data"])

    assert data()["pull-never"] == "refused"
    assert data(enclii_inventory="local")["pull-never"] == "allowed"
    spaces = {"one": {"registries": ["a.example.com/", "b.example.com/c"]}, "two": {"mode": "observe"}}
    assert data(baseline_namespaces=spaces)["registries.one"] == "a.example.com b.example.com/c"
    assert "registries.two" not in data(baseline_namespaces=spaces)
    component = {
        "name": "x",
        "state": "present",
        "namespace": "one",
        "exemptions": [{"container": "c", "rules": ["resources"], "reason": "r"}],
    }
    own = {"one": {"exemptions": [{"container": "d", "rules": ["liveness", "readiness"], "reason": "r"}]}}
    told = data(component_definitions=[component], baseline_namespaces=own)
    assert told["exempt.one"].split() == ["resources/c", "liveness/d", "readiness/d"]
