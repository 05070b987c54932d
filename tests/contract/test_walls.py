# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the baseline makes of an inventory: namespaces, their labels and figures, and in which order all of it is applied."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

import house
from ansible_collections.enclii.platform.plugins.module_utils.kube import order


def of_kind(rendered: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in rendered["baseline"]["objects"] if one["kind"] == kind]


def test_every_namespace_of_the_platform_has_walls(rendered: dict[str, Any]) -> None:
    labels = {one["metadata"]["name"]: one["metadata"]["labels"] for one in of_kind(rendered, "Namespace")}
    own = {one["data"]["namespace"] for one in rendered.values() if one["data"]["state"] == "present"}
    assert own <= set(labels)
    assert labels["enclii-system"]["enclii.dev/purpose"] == "platform"
    assert labels["enclii-nodes"]["enclii.dev/purpose"] == "nodes"
    for name, said in labels.items():
        assert said["enclii.dev/walls"] == "enforce"
        level = "privileged" if name == "enclii-nodes" else "restricted"
        assert said["pod-security.kubernetes.io/enforce"] == level, name


def test_a_component_makes_no_namespace_that_the_baseline_makes(rendered: dict[str, Any]) -> None:
    for name, one in rendered.items():
        assert name == "baseline" or "Namespace" not in {obj["kind"] for obj in one["objects"]}, name


def test_environments_have_figures_and_nobody_else(rendered: dict[str, Any]) -> None:
    spaces = of_kind(rendered, "Namespace")
    environments = {
        one["metadata"]["name"]
        for one in spaces
        if one["metadata"]["labels"]["enclii.dev/purpose"] == "environment"
    }  # fmt: skip
    for kind in ("LimitRange", "ResourceQuota"):
        assert {one["metadata"]["namespace"] for one in of_kind(rendered, kind)} == environments


def test_what_takes_away_comes_after_what_makes_up_for_it(rendered: dict[str, Any]) -> None:
    def phase(one: dict[str, Any]) -> int:
        return order.phase(one["apiVersion"].rpartition("/")[0], one["kind"], one)

    policies = of_kind(rendered, "NetworkPolicy")
    denials = [one for one in policies if one["metadata"]["name"] == "default-deny"]
    resolving = [one for one in policies if one["metadata"]["name"] == "allow-dns"]
    flows = [one for one in policies if one["metadata"]["name"] not in ("default-deny", "allow-dns")]
    assert len(denials) == len(resolving) == len(of_kind(rendered, "Namespace"))
    assert flows
    # allow-dns leaves a pod nothing but DNS, unless its flows are there
    assert max(map(phase, flows)) < min(map(phase, resolving))
    assert max(map(phase, resolving)) < min(map(phase, denials)) < order.WORKLOADS
    assert {phase(one) for one in of_kind(rendered, "LimitRange")} <= {order.BASE}
    assert {phase(one) for one in of_kind(rendered, "ResourceQuota")} <= {order.LIMITS}


# -- with the baseline in the play, without it, and where its walls stand ---------------------------


def told(expression: str, **given: Any) -> Any:
    """What the roles' own variables make of an expression."""
    loader = DataLoader()
    variables: dict[str, Any] = {"ansible_skip_tags": [], "__cluster_info": {"sets": []}}
    for path in ("storage/defaults", "storage/vars", "component/vars"):
        text = house.ROOT / "roles" / path / "main.yml"
        variables |= loader.load_from_file(str(text), trusted_as_template=True)
    return Templar(loader, variables=variables | given).template(trust_as_template("{{ " + expression + " }}"))


WITH = {"__baseline_nodes": "enclii-nodes", "baseline_state": "present"}
STANDS = {"__cluster_info": {"sets": ["baseline"]}}


@pytest.mark.parametrize(
    ("given", "level", "classes"),
    [
        (WITH, "none", True),
        ({**WITH, "ansible_skip_tags": ["baseline"]}, "privileged", False),
        ({**WITH, **STANDS, "ansible_skip_tags": ["baseline"]}, "privileged", True),
        ({**WITH, "baseline_state": "absent"}, "privileged", False),
        # the classes go with the walls: a component that named them on would not start again
        ({**WITH, **STANDS, "baseline_state": "absent"}, "privileged", False),
        ({}, "privileged", False),
        (STANDS, "privileged", True),
        # a namespace that others run in is not the component's to remove
        ({"storage_state": "absent"}, "none", False),
        ({"storage_state": "external"}, "none", False),
    ],
)
def test_who_makes_the_nodes_namespace_and_whether_there_are_classes(
    given: dict[str, Any], level: str, classes: bool
) -> None:
    assert told("__storage_component.pod_security", **given) == level
    assert bool(told("__component_priorities.critical", **given)) is classes
