# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of object_info to its result, in a module or inside the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kube.arguments import CONNECTION, Spec
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import KubeError
from .observe import Observer

OBJECT_INFO: Spec = {
    **CONNECTION,
    "crds": {"type": "list", "elements": "str", "default": []},
    "checks": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "api_version": {"type": "str"},
            "kind": {"type": "str"},
            "name": {"type": "str"},
            "namespace": {"type": "str"},
            "keys": {"type": "list", "elements": "str", "no_log": False},
            "show": {"type": "list", "elements": "str"},
            "certificate": {"type": "str"},
            "fingerprint": {"type": "str"},
            "path": {"type": "str"},
            "minimum": {"type": "int", "default": 0},
            "whole": {"type": "bool", "default": False},
        },
        "required_one_of": [("path", "name")],
        "mutually_exclusive": [("path", "name")],
        "required_by": {"name": ("api_version", "kind")},
    },
    "require": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 0},
}


def object_info(params: Mapping[str, Any], environ: Mapping[str, str], clock: Clock | None = None) -> dict[str, Any]:
    """changed (false) and results, see module object_info. Raises KubeError."""
    clock = clock or Clock()
    seconds = params["wait_timeout"] if params["require"] else 0
    checks = [*params["checks"], *({"crd": name} for name in params["crds"])]
    client = Client(load_login(params, environ), clock=clock)
    try:
        results = Observer(client, clock).wait(checks, seconds)
    finally:
        client.close()
    wrong = [f"{one['subject']}: {one['message']}" for one in results if not one["ok"]]
    if params["require"] and wrong:
        waited = f" after {seconds} s" if seconds else ""
        raise KubeError("Not as it should be" + waited, "; ".join(wrong), "Look at these first", reason="not_ready")
    return {"changed": False, "results": results}
