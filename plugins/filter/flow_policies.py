# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: flow_policies
short_description: Render declared flows to network policies
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Every namespace in mode V(enforce) denies everything in both directions, and then allows DNS to the cluster's DNS and what the flows
    of components and inventory declare. A namespace in mode V(observe) gets no policy, since a policy cannot warn.
  - Everything that is wrong with the flows is told in one error.
positional: _input, declared, environments, spaces, network, dns_addresses
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
    required: true
  environments:
    description: The namespaces that a flow means by V(environments).
    type: list
    elements: str
    required: true
  spaces:
    description: Name of each namespace to its mode, V(enforce) or V(observe).
    type: dict
    required: true
  network:
    description: RV(enclii.platform.cluster_info#module:network).
    type: dict
    required: true
  dns_addresses:
    description: Addresses that answer DNS besides the cluster's, such as those of a cache on each node.
    type: list
    elements: str
    default: []
seealso:
  - plugin: enclii.platform.flow_picture
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Render the policies
  ansible.builtin.debug:
    msg: "{{ component_definitions | enclii.platform.flow_policies([], ['enclii-dev'], modes, cluster.network) }}"
  vars:
    modes: {enclii-dev: enforce}
"""

RETURN = r"""
_value:
  description: NetworkPolicy objects, sorted by namespace.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def flow_policies(
    definitions: t.Sequence[t.Mapping[str, t.Any]],
    declared: t.Sequence[t.Mapping[str, t.Any]],
    environments: t.Sequence[str],
    spaces: t.Mapping[str, str],
    network: t.Mapping[str, t.Any],
    dns_addresses: t.Sequence[str] = (),
) -> list[dict[str, t.Any]]:
    """The policies of all namespaces that enforce."""
    model, render = load("flows.model"), load("flows.render")
    try:
        flows = model.read_flows(definitions, declared, environments)
        return t.cast(
            "list[dict[str, t.Any]]", render.policies(flows, spaces, model.Facts.read(network), dns_addresses)
        )
    except model.FlowError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters on flows."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"flow_policies": flow_policies}
