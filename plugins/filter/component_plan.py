# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: component_plan
short_description: Decide what a component's Helm release needs
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Compares the release as M(enclii.platform.release_info) found it with the chart and the values it should have, so that Helm starts
    only for what differs.
  - A chart in a directory is compared by content. A release that a killed run left locked is unlocked first.
positional: _input
options:
  _input:
    description: RV(enclii.platform.release_info#module:releases).
    type: list
    elements: dict
    required: true
  release:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Namespace of the release.
    type: str
    required: true
  chart_ref:
    description: Directory, archive, C(oci://) reference, or name in a repository.
    type: str
    required: true
  chart_version:
    description: Version of the chart; not used for a directory.
    type: str
    default: ""
  values_digest:
    description: Digest of the wanted values, as P(enclii.platform.values_digest#filter) makes it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    plan: "{{ found.releases | enclii.platform.component_plan('cert-manager', 'cert-manager', ref, 'v1.21.2', digest) }}"
"""

RETURN = r"""
_value:
  description:
    - V(recover), one of V(none), V(rollback) and V(uninstall), to be done first.
    - V(action), one of V(none), V(install), V(upgrade) and V(repair).
    - V(revision) of the release as found, V(reasons) for people, and the V(chart) with V(source), V(ref), V(name) and V(version).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.module_utils.component.chart import ChartError, describe
from ansible_collections.enclii.platform.plugins.module_utils.component.plan import decide, find


def component_plan(
    releases: t.Sequence[t.Mapping[str, t.Any]],
    release: str,
    namespace: str,
    chart_ref: str,
    chart_version: str,
    values_digest: str,
) -> dict[str, t.Any]:
    """What the release needs, as plain data."""
    try:
        chart = describe(chart_ref, chart_version)
    except (ChartError, OSError) as error:
        raise AnsibleFilterError(str(error)) from error
    plan = decide(find(releases, release, namespace), chart, values_digest)
    return {**plan._asdict(), "chart": chart._asdict()}


class FilterModule:
    """Filters on Helm releases."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"component_plan": component_plan}
