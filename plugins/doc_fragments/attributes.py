# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes every module states."""

from __future__ import annotations


class ModuleDocFragment:
    """Names and meanings; each module says its support."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return a prediction without changing anything.
  diff_mode:
    description: Returns what changed, or would change, when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode with the same arguments, the second run changes nothing.
  platform:
    description: Operating systems the module runs on.
    platforms: posix
    support: full
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: This only reads.
  diff_mode:
    support: N/A
    details: This only reads.
  idempotent:
    support: full
    details: This only reads.
"""

    ACTIONGROUP_KUBE = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/enclii.platform.kube) in C(module_defaults) to set the connection once.
    support: full
    membership:
      - enclii.platform.kube
"""
