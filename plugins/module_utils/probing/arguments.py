# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument spec of network_probe, as data: module and action plugin check by the same one."""

from __future__ import annotations

from ..kube.arguments import CONNECTION, Spec

IMAGE = "docker.io/library/python:3.13-slim"

NETWORK_PROBE: Spec = {
    **CONNECTION,
    "components": {"type": "list", "elements": "dict", "default": []},
    "flows": {"type": "list", "elements": "dict", "default": []},
    "environments": {"type": "list", "elements": "str", "default": []},
    "spaces": {"type": "dict", "required": True},
    "dns_addresses": {"type": "list", "elements": "str", "default": []},
    "rehearse": {"type": "str"},
    "sources": {"type": "list", "elements": "str", "default": []},
    "targets": {"type": "list", "elements": "str", "default": []},
    "image": {"type": "str", "default": IMAGE},
    "timeout": {"type": "int", "default": 60},
    "parallel": {"type": "int", "default": 8},
    "fail_on": {"type": "str", "choices": ["fail", "unknown", "never"]},
    "evidence": {
        "type": "dict",
        "options": {
            "namespace": {"type": "str", "default": "enclii-system"},
            "keep": {"type": "int", "default": 10},
            "valid_for": {"type": "int", "default": 192},
        },
    },
}
