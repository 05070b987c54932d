# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument spec of restore_verify, as data: module and action plugin check by the same one."""

from __future__ import annotations

from ..kube.arguments import CONNECTION, Spec

RESTORE_VERIFY: Spec = {
    **CONNECTION,
    "namespace": {"type": "str", "default": "enclii-data"},
    "cluster": {"type": "str", "default": "postgres"},
    "target": {
        "type": "dict",
        "default": {},
        "options": {
            "type": {"type": "str", "choices": ["latest", "mark", "time", "lsn"], "default": "latest"},
            "value": {"type": "str", "default": ""},
        },
    },
    "set": {"type": "str", "default": ""},
    "verify": {"type": "str", "choices": ["none", "backup", "all"], "default": "none"},
    "max_rpo": {"type": "int"},
    "jobs": {"type": "int"},
    "timeout": {"type": "int", "default": 3600},
    "start_timeout": {"type": "int", "default": 300},
    "evidence": {
        "type": "dict",
        "options": {
            "namespace": {"type": "str", "default": "enclii-system"},
            "keep": {"type": "int", "default": 10},
            "valid_for": {"type": "int", "default": 192},
        },
    },
}
