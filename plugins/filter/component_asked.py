# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: component_asked
short_description: Keep the components that the tags of a run ask for
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - A component's tags are its name and C(platform). A task that works for all components at once does it for those that a run is asked for.
positional: _input
options:
  _input:
    description: Components, each with its V(name).
    type: list
    elements: dict
    required: true
  run_tags:
    description: The magic variable C(ansible_run_tags).
    type: list
    elements: str
    required: true
  skip_tags:
    description: The magic variable C(ansible_skip_tags).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what a run is asked for
  ansible.builtin.debug:
    msg: "{{ component_definitions | enclii.platform.component_asked(ansible_run_tags, ansible_skip_tags) | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: The components that are asked for, in their order.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.enclii.platform.plugins.module_utils.component.asked import components_asked


class FilterModule:
    """Filters on components."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"component_asked": components_asked}
