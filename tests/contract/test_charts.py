# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles hand to upstream's charts and CRDs is what upstream understands."""

from __future__ import annotations

from typing import Any

import contract
import pytest

import house

COMPONENTS = contract.components()
WITH_CHART = [name for name in COMPONENTS if (house.ROOT / "roles" / name / "templates" / "values.yaml.j2").is_file()]


@pytest.mark.parametrize("role", WITH_CHART)
def test_values_exist_upstream_with_the_same_type(
    role: str, rendered: dict[str, Any], charts: dict[str, dict[str, Any]]
) -> None:
    component = rendered[role]
    chart = charts[contract.chart_of(component["data"])]
    assert component["values"]
    assert contract.value_findings(component["values"], chart["values"], chart["schema"]) == []


@pytest.mark.parametrize("role", WITH_CHART)
def test_values_fit_the_charts_own_schema(
    role: str, rendered: dict[str, Any], charts: dict[str, dict[str, Any]]
) -> None:
    component = rendered[role]
    chart = charts[contract.chart_of(component["data"])]
    if not chart["schema"]:
        pytest.skip(f"the chart of {role} has no values.schema.json")
    assert contract.schema_findings(component["values"], chart["schema"]) == []


@pytest.mark.parametrize("role", COMPONENTS)
def test_objects_fit_their_crds(role: str, rendered: dict[str, Any], crds: dict[str, dict[str, Any]]) -> None:
    outcomes = [contract.object_findings(obj, crds) for obj in rendered[role]["objects"]]
    assert [finding for found in outcomes if found for finding in found] == []


def test_custom_resources_were_among_them(rendered: dict[str, Any], crds: dict[str, dict[str, Any]]) -> None:
    """The test above would pass without any: it is known that there are some."""
    kinds = {
        obj["kind"] for component in rendered.values() for obj in component["objects"]
        if contract.object_findings(obj, crds) is not None
    }  # fmt: skip
    assert {"Certificate", "ClusterIssuer", "Issuer"} <= kinds


@pytest.mark.parametrize("role", WITH_CHART)
def test_crds_named_are_the_charts(role: str, rendered: dict[str, Any], charts: dict[str, dict[str, Any]]) -> None:
    data = rendered[role]["data"]
    assert sorted(data.get("crds", [])) == sorted(charts[contract.chart_of(data)]["crds"])


def test_the_cluster_role_looks_for_all_crds(rendered: dict[str, Any]) -> None:
    """Role cluster reads all CRDs in one request; the names stand there once more."""
    looked_for = house.load(house.ROOT / "roles" / "cluster" / "vars" / "main.yml")["__cluster_crds"]
    declared = [name for component in rendered.values() for name in component["data"].get("crds", [])]
    assert sorted(looked_for) == sorted(declared)


@pytest.mark.parametrize("role", COMPONENTS)
def test_objects_have_the_labels_of_the_platform(role: str, rendered: dict[str, Any]) -> None:
    wanted = {"app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by"}
    bare = [
        f"{obj['kind']} {obj['metadata']['name']}"
        for obj in rendered[role]["objects"]
        if not wanted <= set(obj["metadata"].get("labels", {}))
    ]
    assert bare == []


def test_no_image_is_latest_and_each_says_when_to_pull(rendered: dict[str, Any]) -> None:
    def containers(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for item in node for found in containers(item)]
        if not isinstance(node, dict):
            return []
        own = [*node.get("containers", []), *node.get("initContainers", [])]
        return own + [found for value in node.values() for found in containers(value)]

    found = [c for component in rendered.values() for obj in component["objects"] for c in containers(obj.get("spec"))]
    assert found
    for container in found:
        tag = container["image"].rsplit("/", 1)[-1].partition(":")[2]
        assert tag, container["image"]
        assert tag != "latest"
        assert container["imagePullPolicy"] in ("Always", "IfNotPresent")


# The checks themselves: each must find what it is there to find.
UPSTREAM = {"a": 1, "b": {"c": "x", "resources": {}}, "d": None, "e": [], "f": False}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"z": 1}, "z: upstream has no such value"),
        ({"b": {"z": 1}}, "b.z: upstream has no such value"),
        ({"a": "1"}, "a: is a string, upstream has a number"),
        ({"a": True}, "a: is a boolean, upstream has a number"),
        ({"b": []}, "b: is a list, upstream has a map"),
        ({"f": "false"}, "f: is a string, upstream has a boolean"),
    ],
)
def test_value_check_finds(values: dict[str, Any], words: str) -> None:
    assert contract.value_findings(values, UPSTREAM, {}) == [words]


def test_value_check_accepts() -> None:
    values = {"a": 2.5, "b": {"c": "", "resources": {"any": 1}}, "d": {"x": 1}, "e": [1], "s": 1}
    assert contract.value_findings(values, UPSTREAM, {"properties": {"s": {"type": "integer"}}}) == []
    named = {
        "$ref": "#/$defs/v",
        "$defs": {"v": {"properties": {"s": {"$ref": "#/$defs/v.s"}}}, "v.s": {"type": "integer"}},
    }
    assert contract.value_findings(values, UPSTREAM, named) == []
    assert contract.value_findings({"z": 1}, UPSTREAM, named) == ["z: upstream has no such value"]


def test_object_check_finds(crds: dict[str, dict[str, Any]]) -> None:
    issuer = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "x"},
        "spec": {"selfSigned": {}},
    }
    assert contract.object_findings(issuer, crds) == []
    misspelt = issuer | {"spec": {"selfsigned": {}}}
    assert "selfsigned" in str(contract.object_findings(misspelt, crds))
    assert "is not of type" in str(contract.object_findings(issuer | {"spec": {"ca": {"secretName": 1}}}, crds))
    assert "not served" in str(contract.object_findings(issuer | {"apiVersion": "cert-manager.io/v9"}, crds))
    assert "no CRD" in str(contract.object_findings(issuer | {"kind": "Nothing"}, crds))
    assert contract.object_findings({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}, crds) is None


def test_schema_check_finds(charts: dict[str, dict[str, Any]]) -> None:
    assert contract.schema_findings({"replicaCount": "many"}, charts["cert-manager"]["schema"]) != []
