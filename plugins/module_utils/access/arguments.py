# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument spec of access_info, as data: module and action plugin check by the same one."""

from __future__ import annotations

from ..kube.arguments import CONNECTION, Spec

ACCESS_INFO: Spec = {
    **CONNECTION,
    "components": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "external", "absent"], "default": "present"},
            "access": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "account": {"type": "str", "required": True},
                    "namespace": {"type": "str"},
                    "can": {"type": "list", "elements": "str", "default": []},
                    "cannot": {"type": "list", "elements": "str", "default": []},
                    "exceptions": {
                        "type": "list",
                        "elements": "dict",
                        "default": [],
                        "options": {
                            "power": {"type": "str", "required": True},
                            "reason": {"type": "str", "required": True},
                        },
                    },
                },
            },
        },
    },
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "prove": {"type": "bool", "default": True},
    "require": {"type": "bool", "default": False},
}
