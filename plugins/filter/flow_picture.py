# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: flow_picture
short_description: Draw declared flows
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Draws the flows of components and inventory as a flowchart in the language of Mermaid, which many viewers of Markdown show as a picture.
positional: _input, declared, environments
options:
  _input:
    description: Definitions of components, each with C(name), C(namespace), C(state) and C(flows).
    type: list
    elements: dict
    required: true
  declared:
    description: Flows of the inventory, in the same form as those of a component.
    type: list
    elements: dict
    default: []
  environments:
    description: The namespaces that a flow means by V(environments).
    type: list
    elements: str
    default: []
seealso:
  - plugin: enclii.platform.flow_policies
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Draw the flows
  ansible.builtin.debug:
    msg: "{{ component_definitions | enclii.platform.flow_picture(enclii_flows, enclii_environments) }}"
"""

RETURN = r"""
_value:
  description: The text of the picture. The same flows make the same text.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def flow_picture(
    definitions: t.Sequence[t.Mapping[str, t.Any]],
    declared: t.Sequence[t.Mapping[str, t.Any]] = (),
    environments: t.Sequence[str] = (),
) -> str:
    """Mermaid's text."""
    model, draw = load("flows.model"), load("flows.draw")
    try:
        return str(draw.mermaid(model.read_flows(definitions, declared, environments)))
    except model.FlowError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters on flows."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"flow_picture": flow_picture}
