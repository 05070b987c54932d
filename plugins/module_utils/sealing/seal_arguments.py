# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument spec of sealed_secret, as data: module and action plugin check by the same one."""

from __future__ import annotations

from ..kube.arguments import CONNECTION, Spec
from . import format as sealed
from .certificate import MINIMUM_BITS

__all__ = ["CONNECTION", "SEALED_SECRET"]

_SECRET: Spec = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "scope": {"type": "str", "choices": list(sealed.SCOPES), "default": sealed.STRICT},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "type": {"type": "str"},
    "immutable": {"type": "bool"},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "sealed_labels": {"type": "dict", "default": {}},
    "sealed_annotations": {"type": "dict", "default": {}},
    "data": {"type": "dict", "default": {}, "no_log": True},
    "data_base64": {"type": "dict", "default": {}, "no_log": True},
    "files": {"type": "dict", "default": {}},
    "from_secret": {
        "type": "dict",
        "no_log": False,
        "options": {
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "items": {"type": "list", "elements": "str"},
        },
    },
    "template_data": {"type": "dict"},
    "dest": {"type": "path"},
}

SEALED_SECRET: Spec = {
    **CONNECTION,
    "secrets": {"type": "list", "elements": "dict", "required": True, "options": _SECRET, "no_log": False},
    "exact": {"type": "bool", "default": True},
    "apply": {"type": "bool", "default": False},
    "certificate": {"type": "str"},
    "certificate_fingerprint": {"type": "str"},
    "minimum_key_size": {"type": "int", "default": MINIMUM_BITS, "no_log": False},
    "controller_namespace": {"type": "str"},
    "controller_name": {"type": "str"},
    "digest_key": {"type": "str", "no_log": True},
    "private_keys": {"type": "list", "elements": "path", "default": [], "no_log": False},
    "adopt": {"type": "str", "choices": ["never", "managed", "patch"], "default": "never"},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 60},
}
