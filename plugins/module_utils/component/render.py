# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A component's rendered templates to its values and objects: private to the collection, no Ansible inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..kube.manifests import read_documents
from .objects import Object, RenderError, labelled, parse


def templates(directory: Path) -> tuple[Path | None, list[Path]]:
    """Template of the values, None where there is none, and templates of the objects in the order of their names."""
    values = directory / "templates" / "values.yaml.j2"
    return values if values.is_file() else None, sorted((directory / "templates" / "resources").glob("*.yaml.j2"))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, dictionaries in each other, `over` winning; lists and everything else are replaced."""
    result = dict(base)
    for key, value in over.items():
        mine = result.get(key)
        result[key] = merged(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return result


def values_of(text: str, source: str) -> dict[str, Any]:
    """The one mapping in a text of YAML, {} where it is empty. Raises RenderError."""
    documents = [document for _where, document in read_documents(text, source) if document is not None]
    if len(documents) > 1 or not all(isinstance(one, dict) for one in documents):
        raise RenderError(f"{source}: values are one mapping.")
    return documents[0] if documents else {}


def labels_of(name: str) -> dict[str, str]:
    """Labels of everything that belongs to a component."""
    dashed = name.replace("_", "-")
    return {
        "app.kubernetes.io/name": dashed,
        "app.kubernetes.io/instance": dashed,
        "app.kubernetes.io/part-of": "enclii",
        "app.kubernetes.io/managed-by": "enclii-platform",
    }


def compose(data: Mapping[str, Any], values: str, objects: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Values, namespace and objects of a component.

    data: the component's definition; values: rendered template of the values; objects: (file name, rendered template).
    The user's values win. The namespace is apart, none where it is not the component's own. Raises RenderError.
    """
    labels = labels_of(data["name"])
    own = {"pod-security.kubernetes.io/enforce": data["pod_security"]}
    namespace: list[Object] = []
    if data["pod_security"] != "none":
        metadata = {"name": data["namespace"], "labels": {**labels, **own}}
        namespace = [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}]
    rendered = [one for source, text in objects for one in parse(text, source)]
    return {
        "values": merged(values_of(values, "values.yaml.j2"), data["values"]) if data["chart"]["ref"] else {},
        "namespace": namespace,
        "objects": labelled(rendered, labels),
    }
