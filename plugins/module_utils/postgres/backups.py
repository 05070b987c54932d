# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of backup and backup_info to their results, in a module or inside the controller."""

from __future__ import annotations

import secrets
import typing as t
from collections.abc import Callable, Mapping

from ..kube.arguments import CONNECTION, Spec
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import ApiError, KubeError
from ..kube.explain import explain
from . import identity, jobs, repository

_PLACE: Spec = {
    "namespace": {"type": "str", "default": "enclii-data"},
    "cluster": {"type": "str", "default": "postgres"},
}
BACKUP: Spec = {
    **CONNECTION,
    **_PLACE,
    "type": {"type": "str", "choices": ["full", "diff", "incr"], "default": "full"},
    "only_first": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 21600},
}
BACKUP_INFO: Spec = {
    **CONNECTION,
    **_PLACE,
    "max_age_full": {"type": "float", "default": 192.0},
    "max_age": {"type": "float", "default": 30.0},
    "max_age_archive": {"type": "float", "default": 15.0},
    "system_id": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 300},
    "require": {"type": "bool", "default": False},
}
KINDS = ("full", "diff", "incr")
Obj = dict[str, t.Any]
Params = Mapping[str, t.Any]
Token = Callable[[int], str]


def backup(
    params: Params,
    environ: Mapping[str, str],
    *,
    check: bool = False,
    clock: Clock | None = None,
    token: Token = secrets.token_hex,
) -> Obj:
    """changed, label, type and figures; see module backup. Raises KubeError."""
    place = jobs.Place(str(params["namespace"]), str(params["cluster"]))
    kind = str(params["type"])
    client = Client(load_login(params, environ), clock=clock or Clock())
    try:
        if params["only_first"] and (when := _last_success(client, place)):
            return {"changed": False, "label": "", "type": "", "job": "", "last_success": when}
        if check:  # there may be no CronJob yet, nor a namespace
            return {"changed": True, "label": "", "type": kind, "job": ""}
        body = jobs.taking(jobs.pattern(client, place, kind), token(4))
        name = body["metadata"]["name"]
        told = jobs.run(client, body, float(params["timeout"]), keep=True)
    finally:
        client.close()
    if not told.get("ok"):
        raise _not_taken(f"Backup of {place.namespace}/{place.cluster}", told, name)
    return {
        "changed": True, "label": told["label"], "type": told["type"], "job": name, "seconds": told["seconds"],
        "bytes": told["bytes"], "repository_bytes": told["repository_bytes"], "expired": told["expired"],
    }  # fmt: skip


def _last_success(client: Client, place: jobs.Place) -> str:
    """When any Job of the CronJobs ended well last, or nothing."""
    try:
        listed = client.list(place.crons)
    except ApiError as error:
        raise explain(error, f"CronJobs of namespace {place.namespace}", "", verb="list cronjobs") from error
    names = {f"{place.cluster}-backup-{kind}" for kind in KINDS}
    times = [
        str((one.get("status") or {}).get("lastSuccessfulTime") or "")
        for one in listed
        if one["metadata"]["name"] in names
    ]
    return max(times, default="")


def _not_taken(subject: str, told: Obj, job: str) -> KubeError:
    cause = str(told.get("cause"))
    _name, step = repository.explain(cause)
    return KubeError(
        subject,
        f"{told.get('step')} failed: {repository.shorten(cause)}",
        f"{step}. The log is that of Job {job}",
        reason="not_ready",
    )


def backup_info(
    params: Params, environ: Mapping[str, str], *, clock: Clock | None = None, token: Token = secrets.token_hex
) -> Obj:
    """changed (false) and what repository.judge tells; see module backup_info. Raises KubeError."""
    place = jobs.Place(str(params["namespace"]), str(params["cluster"]))
    seconds = int(params["timeout"])
    client = Client(load_login(params, environ), clock=clock or Clock())
    try:
        body = jobs.looking(jobs.pattern(client, place, "full"), place.cluster, token(4), seconds)
        system_id = str(params["system_id"]) or identity.system_id(client, place.namespace, place.cluster)
        told = jobs.run(client, body, float(seconds), keep=False)
    finally:
        client.close()
    limits = repository.Limits(
        float(params["max_age_full"]), float(params["max_age"]), float(params["max_age_archive"])
    )
    found = repository.judge(told, place.cluster, limits, system_id=system_id)
    if params["require"] and found["state"] != repository.OK:
        raise KubeError(
            f"Backups of {place.namespace}/{place.cluster}",
            "; ".join(f"{one['name']}: {one['text']}" for one in found["findings"]),
            "docs/backups.md has every name and what to do",
            reason="not_ready",
        )
    return {"changed": False, **found}
