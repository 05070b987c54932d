#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_check
short_description: Refuse an inventory that is not ready, and say everything at once
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Looks at the inventory files, at every host's variables and at the groups, before anything is contacted.
  - Finds placeholders (C(CHANGE_ME)) in names, group variables, host variables and values inside them.
  - Finds variables that no role of this collection has, and values of a wrong type or outside the choices.
  - Finds environments that are no namespaces or not unique, more than one control plane, machines named twice, and,
    outside the inventory V(local), a kubeconfig or context that is not set.
  - All of it is in one error, with file and line where there is one.
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
    details: It changes nothing.
  action:
    description: Indicates this has a corresponding action plugin, so that it runs on the controller.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    platforms: all
    support: full
options: {}
"""

EXAMPLES = r"""
- name: Refuse an inventory that is not ready
  enclii.platform.inventory_check:
"""

RETURN = r"""
findings:
  description: One line for each thing to mend. Empty if there is none.
  returned: always
  type: list
  elements: str
  sample: ["prod/hosts.yml:12: prod-cp-1.ansible_host: 'CHANGE_ME' is a placeholder"]
"""
