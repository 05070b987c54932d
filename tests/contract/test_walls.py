# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the baseline makes of an inventory: namespaces, their labels and figures, and in which order all of it is applied."""

from __future__ import annotations

from typing import Any

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

    denials = [one for one in of_kind(rendered, "NetworkPolicy") if one["metadata"]["name"] == "default-deny"]
    allowed = [one for one in of_kind(rendered, "NetworkPolicy") if one["metadata"]["name"] != "default-deny"]
    assert len(denials) == len(of_kind(rendered, "Namespace"))
    assert max(map(phase, allowed)) < min(map(phase, denials)) < order.WORKLOADS
    assert {phase(one) for one in of_kind(rendered, "LimitRange")} <= {order.BASE}
    assert {phase(one) for one in of_kind(rendered, "ResourceQuota")} <= {order.LIMITS}
