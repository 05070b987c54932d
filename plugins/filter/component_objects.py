# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: component_objects
short_description: Turn rendered templates into Kubernetes objects
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Parses texts of YAML documents into one list of objects and adds labels where an object does not set them.
positional: _input
options:
  _input:
    description: Rendered texts, each of any number of YAML documents.
    type: list
    elements: str
    required: true
  labels:
    description: Labels for every object.
    type: dict
    default: {}
  kind:
    description: Keep only objects of this kind, in the order of their names.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the objects of a component
  ansible.builtin.debug:
    msg: "{{ query('ansible.builtin.template', 'one.yaml.j2') | enclii.platform.component_objects(labels) }}"
  vars:
    labels: {app.kubernetes.io/part-of: enclii}
"""

RETURN = r"""
_value:
  description: The objects, in the order of the texts.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def component_objects(
    texts: t.Sequence[str], labels: t.Mapping[str, str] | None = None, kind: str = ""
) -> list[dict[str, t.Any]]:
    """All objects of all texts."""
    library, errors = load("component.objects"), load("kube.errors")
    objects: list[dict[str, t.Any]] = []
    try:
        for number, text in enumerate(texts, 1):
            objects += library.parse(str(text or ""), f"text {number}")
    except (library.RenderError, errors.KubeError) as error:
        raise AnsibleFilterError(str(error)) from error
    if kind:
        objects = sorted((one for one in objects if one["kind"] == kind), key=lambda one: str(one["metadata"]["name"]))
    return t.cast("list[dict[str, t.Any]]", library.labelled(objects, labels or {}))


class FilterModule:
    """Filters on rendered templates."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"component_objects": component_objects}
