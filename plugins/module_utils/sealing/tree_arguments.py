# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of sealed_secret_lint, sealed_secret_rekey and sealed_secret_info, as data."""

from __future__ import annotations

from ..kube.arguments import CONNECTION, Spec
from .certificate import MINIMUM_BITS

_TREE: Spec = {
    "paths": {"type": "list", "elements": "path", "required": True},
    "exclude": {"type": "list", "elements": "str", "default": []},
}
_KEYS: Spec = {
    "private_keys": {"type": "list", "elements": "path", "default": [], "no_log": False},
    "identities": {"type": "list", "elements": "path", "default": []},
    "passphrase": {"type": "str", "no_log": True},
}
_CONTROLLER: Spec = {
    "controller_namespace": {"type": "str"},
    "controller_name": {"type": "str"},
    "controller_version": {"type": "str"},
}

LINT: Spec = {
    **CONNECTION,
    **_TREE,
    **_KEYS,
    **_CONTROLLER,
    "certificates": {"type": "list", "elements": "str", "default": []},
    "layout": {"type": "str"},
    "ignore": {"type": "list", "elements": "str", "default": []},
    "fail_on": {"type": "str", "choices": ["critical", "error", "warning", "info", "never"], "default": "error"},
    "verify": {"type": "bool", "default": False},
    "explain_attempts": {"type": "int", "default": 8},
}

REKEY: Spec = {
    **CONNECTION,
    **_TREE,
    **_KEYS,
    **_CONTROLLER,
    "certificate": {"type": "str"},
    "certificate_fingerprint": {"type": "str"},
    "minimum_key_size": {"type": "int", "default": MINIMUM_BITS, "no_log": False},
    "digest_key": {"type": "str", "no_log": True},
    "force": {"type": "bool", "default": False},
    "journal": {"type": "path"},
}

INFO: Spec = {
    **CONNECTION,
    **_KEYS,
    **_CONTROLLER,
    "paths": {"type": "list", "elements": "path", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "cluster": {"type": "bool", "default": True},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "certificates": {"type": "list", "elements": "str", "default": []},
    "backups": {"type": "list", "elements": "path", "default": []},
}
