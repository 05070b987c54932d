# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered templates to values and objects."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.component import render
from ansible_collections.enclii.platform.plugins.module_utils.component.objects import RenderError

DATA: dict[str, t.Any] = {
    "name": "metrics_server",
    "namespace": "metrics",
    "pod_security": "restricted",
    "chart": {"ref": "metrics-server"},
    "values": {"a": {"b": 2}, "list": [3]},
}
CONFIG = "---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {app.kubernetes.io/name: own}}\n"


def test_the_users_values_win_and_lists_are_replaced() -> None:
    made = render.compose(DATA, "a: {b: 1, c: 1}\nlist: [1, 2]\n", [])
    assert made["values"] == {"a": {"b": 2, "c": 1}, "list": [3]}


def test_the_namespace_is_apart_and_objects_keep_their_own_labels() -> None:
    made = render.compose(DATA, "", [("10-x.yaml.j2", CONFIG)])
    (config,) = made["objects"]
    (namespace,) = made["namespace"]
    assert namespace["metadata"]["name"] == "metrics"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert config["metadata"]["labels"]["app.kubernetes.io/name"] == "own"
    assert config["metadata"]["labels"]["app.kubernetes.io/instance"] == "metrics-server"


def test_a_component_in_somebody_elses_namespace_makes_none() -> None:
    assert render.compose({**DATA, "pod_security": "none"}, "", [])["namespace"] == []


def test_without_a_chart_there_are_no_values() -> None:
    assert render.compose({**DATA, "chart": {"ref": ""}}, "a: 1", [])["values"] == {}


@pytest.mark.parametrize("text", ["[1]", "a: 1\n---\nb: 2\n", "word"])
def test_values_that_are_no_mapping_are_refused(text: str) -> None:
    with pytest.raises(RenderError, match="values are one mapping"):
        render.compose(DATA, text, [])


def test_templates_are_found_in_the_order_of_their_names(tmp_path: Path) -> None:
    assert render.templates(tmp_path) == (None, [])
    for name in ("values.yaml.j2", "resources/20-b.yaml.j2", "resources/10-a.yaml.j2", "resources/notes.txt"):
        (tmp_path / "templates" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "templates" / name).touch()
    values, objects = render.templates(tmp_path)
    assert values and [one.name for one in objects] == ["10-a.yaml.j2", "20-b.yaml.j2"]
