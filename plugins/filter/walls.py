# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: walls
short_description: Which namespaces have walls, and of what kind
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - What follows for namespaces from the components of a play, from C(baseline_namespaces), and from what the cluster has.
positional: _input
options:
  _input:
    description: Definitions of components, of which V(namespace), V(state) and V(pod_security) count.
    type: list
    elements: dict
    required: true
  declared:
    description: Namespace to V(mode), V(quota), V(limits), V(registries) and V(exemptions), each where it differs.
    type: dict
    required: true
  environments:
    description: Namespaces of applications.
    type: list
    elements: str
    required: true
  platform:
    description: The platform's own namespace.
    type: str
    required: true
  there:
    description: RV(enclii.platform.cluster_info#module:namespaces).
    type: dict
    required: true
  stands:
    description: Whether the walls that labels of namespaces speak of are there.
    type: bool
    required: true
  mode:
    description: V(observe) or V(enforce), of namespaces that say nothing else.
    type: str
    required: true
  quota:
    description: Quota of environments that say nothing else.
    type: dict
    required: true
  limits:
    description: Limit range of environments that say nothing else.
    type: dict
    required: true
  admission:
    description: What admission is to go by, patterns as text and registries as a list, by the names of the variables.
    type: dict
    default: {}
  only:
    description: Leave all other namespaces out; these keep the mode they have. All, where this is empty.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show which namespaces would be enforced now
  ansible.builtin.debug:
    msg: "{{ (component_definitions | enclii.platform.walls({}, ['enclii-dev'], **told)).tightened }}"
  vars:
    told: {platform: enclii-system, there: "{{ cluster.namespaces }}", stands: true, mode: enforce, quota: {}, limits: {}}
"""

RETURN = r"""
_value:
  description:
    - V(wrong), what cannot be meant in O(declared) and O(admission), a sentence each.
    - V(purposes), namespace to V(environment), V(platform) or V(nodes); V(spaces), namespace to V(observe) or V(enforce); V(levels),
      namespace to Pod Security level where it is not V(restricted); V(figures), namespace to V(limits) and V(quota).
    - V(tightened), namespaces that are there and were not enforced until now; V(bare), namespaces whose walls are taken down.
    - V(checks), what is there where walls are enforced, as M(enclii.platform.object_info) takes it.
  type: dict
"""

import typing as t

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def walls(
    definitions: t.Sequence[t.Mapping[str, t.Any]],
    declared: t.Mapping[str, t.Any],
    environments: t.Sequence[str],
    **told: t.Any,
) -> dict[str, t.Any]:
    """The namespaces, as plain data."""
    return t.cast("dict[str, t.Any]", load("flows.spaces").read_spaces(definitions, declared, environments, **told))


class FilterModule:
    """Filters on walls."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"walls": walls}
