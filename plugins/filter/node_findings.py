# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: node_findings
short_description: Judge the probes of all machines of a cluster together
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Takes what M(enclii.platform.node_info) returned for every host and lists everything that keeps these machines from
    being one cluster, one line for each finding, so that all of it is reported at once.
positional: _input
options:
  _input:
    description: Inventory name of the host to the result of M(enclii.platform.node_info).
    type: dict
    required: true
  settings:
    description:
      - What the cluster is to be, with the keys V(cluster_name), V(version), V(control_planes), V(requirements),
        V(sysctls), V(cgroup_v1), V(swap) and V(ignore), a list of checks not to report.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ probes | enclii.platform.node_findings(settings=wanted) }}"
"""

RETURN = r"""
_value:
  description: One line for each finding, C(host (check) message).
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def node_findings(nodes: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> list[str]:
    """Lines of text for the findings, in the order of the hosts."""
    try:
        found = load("node.preflight").findings(nodes, settings)
    except KeyError as error:
        raise AnsibleFilterError(f"node_findings: a probe or the settings lack {error}") from error
    return [f"{finding['host']} ({finding['check']}) {finding['message']}" for finding in found]


class FilterModule:
    """Filters on machines."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"node_findings": node_findings}
