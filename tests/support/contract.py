# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What upstream's values.yaml, values.schema.json and CRDs say about values and objects: lists of findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

import house

# Maps in which upstream accepts any key: what is in them is handed to Kubernetes as it is.
FREE_FORM = frozenset(
    {
        "affinity",
        "annotations",
        "commonAnnotations",
        "commonLabels",
        "containerSecurityContext",
        "labels",
        "nodeSelector",
        "podAnnotations",
        "podLabels",
        "resources",
        "securityContext",
    }
)
# API groups that every API server has; objects of any other group need a CRD that we can read.
BUILT_IN = frozenset(
    {"", "apps", "batch", "policy", "autoscaling", "admissionregistration.k8s.io", "apiregistration.k8s.io"}
    | {
        f"{name}.k8s.io"
        for name in ("apiextensions", "networking", "rbac.authorization", "scheduling", "storage", "coordination")
    }
)


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """A SafeLoader, a fast one where there is one, that reads a bare `=` as text."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def components() -> list[str]:
    """Return the roles that are data for the engine."""
    return [
        role.name
        for role in house.ROLES
        if (path := role / "vars" / "main.yml").is_file()
        and f"__{role.name}_component:" in path.read_text(encoding="utf-8")
    ]


def chart_of(definition: dict[str, Any]) -> str:
    """Return the name of a component's chart, the last part of its reference; "" without a chart."""
    return str(definition.get("chart", {}).get("ref", "")).rstrip("/").rsplit("/", 1)[-1]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {dict: "map", list: "list", str: "string", type(None): "nothing"}[type(value)]


def value_findings(
    values: dict[str, Any], upstream: dict[str, Any], schema: dict[str, Any], path: str = ""
) -> list[str]:
    """Compare values with upstream's defaults: every key exists there (or in the schema), with the same type."""
    out = []
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        inner = _property(schema, key)
        if key not in upstream:
            if not inner:
                out.append(f"{here}: upstream has no such value")
            continue
        theirs = upstream[key]
        if None not in (theirs, value) and _kind(theirs) != _kind(value):
            out.append(f"{here}: is a {_kind(value)}, upstream has a {_kind(theirs)}")
        elif isinstance(value, dict) and isinstance(theirs, dict) and key not in FREE_FORM:
            out += value_findings(value, theirs, inner, here)
    return out


def _property(schema: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the schema of a property; cert-manager keeps them, and the whole, by dotted name in $defs."""
    definitions = schema.get("$defs", {})
    return _referred(_referred(schema, definitions).get("properties", {}).get(key, {}), definitions)


def _referred(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return schema
    return definitions.get(reference.removeprefix("#/$defs/"), {}) | {"$defs": definitions}


def schema_findings(values: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Validate values against values.schema.json."""
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(values)]


def strict(schema: Any) -> Any:
    """Turn an openAPIV3Schema into a JSON schema that refuses the fields which the API server would drop in silence."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: strict(value) for key, value in schema.items() if key not in ("default", "enum", "properties")}
    out |= {"enum": schema["enum"]} if "enum" in schema else {}
    if isinstance(schema.get("properties"), dict):
        out["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in schema:
            out["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        out.pop("anyOf", None)
        out["type"] = ["integer", "string"]
    elif schema.get("nullable") and isinstance(schema.get("type"), str):
        out["type"] = [schema["type"], "null"]
    return out


def crds(directory: Path) -> dict[str, dict[str, Any]]:
    """Return name -> CRD of all files below a directory."""
    found = {}
    for path in sorted(directory.rglob("*.yaml")):
        for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=Loader):
            if document and document.get("kind") == "CustomResourceDefinition":
                found[document["metadata"]["name"]] = document
    return found


def object_findings(obj: dict[str, Any], definitions: dict[str, dict[str, Any]]) -> list[str] | None:
    """Validate an object against its CRD. None: its group is one that every API server has, so there is no CRD."""
    group, _, version = obj["apiVersion"].rpartition("/")
    name = f"{obj['kind']} {obj['metadata']['name']}"
    if group in BUILT_IN:
        return None
    for definition in definitions.values():
        spec = definition["spec"]
        if spec["group"] != group or spec["names"]["kind"] != obj["kind"]:
            continue
        served = {entry["name"]: entry for entry in spec["versions"] if entry["served"]}
        if version not in served:
            return [f"{name}: version {version} is not served; there are {', '.join(served)}"]
        schema = strict(served[version]["schema"]["openAPIV3Schema"])
        # the API server's own fields; what is in metadata is the same for all kinds
        schema["properties"] |= {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        }
        plain = json.loads(json.dumps(obj))
        return [
            f"{name}: {error.json_path}: {error.message}"
            for error in jsonschema.Draft7Validator(schema).iter_errors(plain)
        ]
    return [f"{name}: no CRD for {obj['apiVersion']} {obj['kind']}"]
