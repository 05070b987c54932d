# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: component_decision
short_description: Decide what a component needs
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Compares the release as M(enclii.platform.cluster_info) found it with the chart and the values it should have, so that Helm starts
    only for what differs.
  - A chart in a directory is compared by content. A release that a killed run left locked is unlocked first.
positional: _input
options:
  _input:
    description: What P(enclii.platform.component#lookup) returns, with the component's definition as V(data).
    type: dict
    required: true
  info:
    description: Result of M(enclii.platform.cluster_info) with its releases.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    decision: "{{ rendered | enclii.platform.component_decision(cluster) }}"
"""

RETURN = r"""
_value:
  description:
    - What was given, and with it the V(plan) for the release, V(missing_crds), and V(busy), whether there is more to do than to apply
      objects.
    - V(plan) holds V(recover), one of V(none), V(rollback) and V(uninstall), to be done first; V(action), one of V(none), V(install),
      V(upgrade) and V(repair); V(revision) of the release as found; V(reasons) for people; and the V(chart) with V(source), V(ref),
      V(name) and V(version).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def component_decision(rendered: t.Mapping[str, t.Any], info: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What was rendered with what it needs."""
    library, chart = load("component.plan"), load("component.chart")
    data = rendered["data"]
    try:
        decision = library.decision(data, rendered["values"], info["releases"], info["crds"])
    except (chart.ChartError, OSError) as error:
        raise AnsibleFilterError(f"component {data['name']}: {error}") from error
    return {**rendered, **decision}


class FilterModule:
    """Filters on components."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"component_decision": component_decision}
