# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of patroni_info to its result: five reads, one plan."""

from __future__ import annotations

import typing as t
import urllib.parse

from ..kube.arguments import CONNECTION, Spec
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import ApiError, KubeError
from ..kube.explain import explain
from . import rolling

Obj = dict[str, t.Any]

PATRONI_INFO: Spec = {
    **CONNECTION,
    "namespace": {"type": "str", "required": True},
    "cluster": {"type": "str", "required": True},
    "configuration": {"type": "dict", "default": {}},
    "done": {"type": "list", "elements": "str", "default": []},
    "wait_timeout": {"type": "int", "default": 0},
}


def patroni_info(params: t.Mapping[str, t.Any], environ: t.Mapping[str, str], clock: Clock | None = None) -> Obj:
    """See module patroni_info. Raises KubeError, ApiError."""
    clock = clock or Clock()
    client = Client(load_login(params, environ), clock=clock)
    end = clock.monotonic() + params["wait_timeout"]
    try:
        while True:
            found = look(client, params)
            if found["step"]["action"] != "wait" or params["wait_timeout"] == 0:
                return found
            if clock.monotonic() >= end:
                raise KubeError(
                    f"PostgreSQL {params['namespace']}/{params['cluster']}",
                    f"not in step after {params['wait_timeout']} s: {found['step']['reason']}",
                    "Look at the log of that pod; run the play again, it goes on where it stands",
                    reason="not_ready",
                )
            clock.sleep(1)
    finally:
        client.close()


def look(client: Client, params: t.Mapping[str, t.Any]) -> Obj:
    """One look: changed (false), exists, leader, members, step, configuration. Raises ApiError, KubeError."""
    space, name = (urllib.parse.quote(params[key]) for key in ("namespace", "cluster"))
    base = f"/api/v1/namespaces/{space}"
    paths = {
        "workload": f"/apis/apps/v1/namespaces/{space}/statefulsets/{name}",
        "leader": f"{base}/configmaps/{name}-leader",
        "config": f"{base}/configmaps/{name}-config",
        "sync": f"{base}/configmaps/{name}-sync",
    }

    def read(key: str) -> t.Any:
        if key == "pods":
            return client.list(f"{base}/pods", {"labelSelector": f"cluster-name={params['cluster']}"})
        return client.find(paths[key])

    keys = [*paths, "pods"]
    try:
        got = dict(zip(keys, client.map(read, keys), strict=True))
    except ApiError as error:
        subject = f"PostgreSQL {params['namespace']}/{params['cluster']}"
        raise explain(error, subject, "", verb="read its pods and ConfigMaps", changed=False) from error
    text, differs = rolling.configuration(got["config"], params["configuration"])
    if got["workload"] is None:
        return {
            "changed": False, "exists": False, "leader": "", "members": [], "step": rolling.Step("none")._asdict(),
            "configuration": {"text": text, "differs": False, "changes": []},
        }  # fmt: skip
    now = rolling.cluster(params["cluster"], got["workload"], got["pods"], got["leader"], got["config"], got["sync"])
    return {
        "changed": False,
        "exists": True,
        "leader": now.leader,
        "members": [one._asdict() for one in now.members],
        "step": rolling.plan(now, params["done"])._asdict(),
        "configuration": {
            "text": text,
            "differs": bool(params["configuration"]) and differs,
            "changes": rolling.changes(got["config"], params["configuration"]) if differs else [],
        },
    }
