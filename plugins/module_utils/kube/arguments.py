# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of the three modules, as data: module and action plugin check by the same one."""

from __future__ import annotations

import typing as t

Spec = dict[str, dict[str, t.Any]]

CONNECTION: Spec = {
    "kubeconfig": {"type": "raw"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "client_cert": {"type": "path", "aliases": ["cert_file"]},
    "client_key": {"type": "path", "aliases": ["key_file"], "no_log": False},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
}

APPLY: Spec = {
    **CONNECTION,
    "definition": {"type": "raw", "aliases": ["resource_definition"]},
    "src": {"type": "path"},
    "namespace": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "field_manager": {"type": "str", "default": "enclii-platform"},
    "force_conflicts": {"type": "bool", "default": False},
    "apply_set": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["ConfigMap", "Secret"], "default": "ConfigMap"},
            "prune": {"type": "bool", "default": True},
        },
    },
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
}

RELEASE_INFO: Spec = {
    **CONNECTION,
    "namespaces": {"type": "list", "elements": "str"},
    "names": {"type": "list", "elements": "str"},
    "check_objects": {"type": "bool", "default": False},
}

CLUSTER_INFO: Spec = {
    **CONNECTION,
    "identity_namespace": {"type": "str", "default": "enclii-system"},
    "identity_name": {"type": "str", "default": "enclii-cluster"},
    "api_groups": {"type": "list", "elements": "str", "default": []},
    "crds": {"type": "list", "elements": "str", "default": []},
    "releases": {"type": "bool", "default": False},
    "inside": {"type": "bool", "default": False},
    "network": {"type": "bool", "default": False},
    "allow_unreachable": {"type": "bool", "default": False},
}
