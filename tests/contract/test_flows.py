# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every end of a flow that names a component is really labelled there, and every such label belongs to a flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import contract
import pytest

from ansible_collections.enclii.platform.plugins.module_utils.flows.model import LABEL, Flow, read_flows

COMPONENTS = contract.components()


def pod_labels(node: Any, key: str = "") -> Iterator[dict[str, Any]]:
    """Labels of pods in values of a chart (podLabels) and in objects (of templates, of pods)."""
    if isinstance(node, list):
        for item in node:
            yield from pod_labels(item)
    elif isinstance(node, dict):
        if key == "podLabels":
            yield node
        elif (key == "template" and "metadata" in node) or node.get("kind") == "Pod":
            yield node["metadata"].get("labels") or {}
        for name, value in node.items():
            yield from pod_labels(value, name)


def selectors(node: Any, key: str = "") -> Iterator[dict[str, Any]]:
    """Whatever selects pods in workloads and Services."""
    if isinstance(node, list):
        for item in node:
            yield from selectors(item)
    elif isinstance(node, dict):
        if key in ("selector", "matchLabels", "labelSelector"):
            yield node
        for name, value in node.items():
            yield from selectors(value, name)


def flows(rendered: dict[str, Any]) -> list[Flow]:
    return read_flows([{**one["data"], "state": "present"} for one in rendered.values()], [], [])


def carried(component: dict[str, Any]) -> set[tuple[str, str]]:
    """(name of a flow, value of its label) on pods of a component."""
    objects = [one for one in component["objects"] if one["kind"] != "NetworkPolicy"]
    return {
        (key.removeprefix(LABEL), value)
        for labels in pod_labels([component["values"], objects])
        for key, value in labels.items()
        if key.startswith(LABEL)
    }


@pytest.mark.parametrize("role", COMPONENTS)
def test_ends_of_flows_are_labelled(role: str, rendered: dict[str, Any]) -> None:
    missing = [
        f"{flow.name}: {side}"
        for flow in flows(rendered)
        for side, end in (("client", flow.source), ("server", flow.target))
        if end.title == role and not {(flow.name, side), (flow.name, "peer")} & carried(rendered[role])
    ]
    assert missing == []


@pytest.mark.parametrize("role", COMPONENTS)
def test_labels_belong_to_flows(role: str, rendered: dict[str, Any]) -> None:
    ends = {
        (flow.name, value)
        for flow in flows(rendered)
        for side, end in (("client", flow.source), ("server", flow.target))
        for value in (side, "peer")
        if end.title == role
    }
    assert carried(rendered[role]) - ends == set()


@pytest.mark.parametrize("role", COMPONENTS)
def test_no_workload_and_no_service_selects_by_them(role: str, rendered: dict[str, Any]) -> None:
    objects = [one for one in rendered[role]["objects"] if one["kind"] != "NetworkPolicy"]
    used = [
        one for one in selectors([rendered[role]["values"], objects]) if any(str(key).startswith(LABEL) for key in one)
    ]
    assert used == []


def test_every_pod_of_cert_manager_reaches_the_api_server(rendered: dict[str, Any]) -> None:
    """One label would satisfy the test above; its four programs have one each."""
    values = rendered["cert_manager"]["values"]
    for part in (values, values["webhook"], values["cainjector"], values["startupapicheck"]):
        assert part["podLabels"]["flow.enclii.dev/cert-manager-api"] == "client"
    assert values["webhook"]["podLabels"]["flow.enclii.dev/cert-manager-webhook"] == "server"


def test_there_were_labels_to_find(rendered: dict[str, Any]) -> None:
    """The tests above would pass without any."""
    found = {name for component in rendered.values() for name, _value in carried(component)}
    assert {"cert-manager-webhook", "sealed-secrets-api", "metrics-server-kubelet", "local-path-api"} <= found
