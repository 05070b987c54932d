# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module databases does, from checked arguments to a result: one question to the leader's pod, and an order only where it differs."""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import datetime

from ..kube.arguments import CONNECTION, Spec
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import ApiError
from ..kube.explain import explain
from . import catalogue, declared, difference
from .errors import DatabaseError

_STATE: Spec = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
_SECRET: Spec = {"name": {"type": "str"}, "namespace": {"type": "str"}, "item": {"type": "str", "default": "password"}}
_LIMITS: Spec = {"connection_limit": {"type": "int", "default": -1}}
_LOGIN: Spec = {**_LIMITS, "valid_until": {"type": "str"}, "settings": {"type": "dict", "default": {}}}
_WORDS = {"type": "list", "elements": "str", "default": []}
DATABASES: Spec = {
    **CONNECTION,
    "databases": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            **_STATE,
            "namespace": {"type": "str"},
            "secret": {"type": "dict", "options": {"name": {"type": "str"}, "namespace": {"type": "str"}}},
            **_LIMITS,
            "login": {"type": "dict", "options": _LOGIN},
            "schemas": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "owner": {"type": "str"}, **_STATE},
            },
            "extensions": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "schema": {"type": "str"},
                    "version": {"type": "str"},
                    **_STATE,
                },
            },
            "privileges": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "role": {"type": "str", "required": True},
                    "schemas": {"type": "list", "elements": "str", "default": ["public"]},
                    "tables": _WORDS,
                    "sequences": _WORDS,
                    "routines": _WORDS,
                    "create": {"type": "bool", "default": False},
                    "temporary": {"type": "bool", "default": False},
                },
            },
            "purge": {"type": "str"},
        },
    },
    "roles": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            **_STATE,
            "login": {"type": "bool", "default": False},
            "secret": {"type": "dict", "options": _SECRET},
            **_LOGIN,
            "member_of": _WORDS,
            "replication": {"type": "bool", "default": False},
            "bypassrls": {"type": "bool", "default": False},
        },
    },
    "environments": _WORDS,
    "reserved": _WORDS,
    "program": {"type": "str", "default": "enclii-databases"},
}
Obj = dict[str, t.Any]
# (argument of the program, its input) -> exit code, stdout, stderr
Ask = Callable[[str, str], tuple[int, str, str]]


def databases(
    params: Mapping[str, t.Any],
    environ: Mapping[str, str],
    ask: Ask,
    random: Callable[[int], bytes],
    now: datetime,
    *,
    check: bool = False,
    diff: bool = False,
    secrets: Callable[[list[tuple[str, str]]], declared.Secrets] | None = None,
) -> Obj:
    """See module databases for the result. secrets: reads Secrets, by the API server of params where it is not given. Raises KubeError."""
    wanted = declared.declared(params["databases"], params["roles"], params["environments"], params["reserved"])
    if not wanted.databases and not wanted.roles:
        return {"changed": False, "statements": [], "kept": []}
    given = (secrets or (lambda asked: read_secrets(params, environ, asked)))(wanted.secrets())
    roles, passwords = declared.settled(wanted, given, check=check)

    def planned() -> difference.Plan:
        found = catalogue.catalogue(_answer(ask("read", catalogue.request(wanted)), None))
        return difference.plan(wanted, roles, passwords, found, now, random)

    plan = planned()
    result: Obj = {
        "changed": bool(plan.changes),
        "statements": [
            {"database": one.database or declared.MAINTENANCE, "sql": one.statement} for one in plan.changes
        ],
        "kept": list(plan.kept),
    }
    if plan.warnings:
        result["warnings"] = list(plan.warnings)
    if diff:
        result["diff"] = plan.diff()
    if plan.changes and not check:
        _answer(ask("apply", json.dumps({"groups": plan.groups()})), plan)
        left = planned().changes
        if left:
            what = "; ".join(dict.fromkeys(f"{one.subject}: {one.what}" for one in left))
            step = "Somebody else may be changing it at the same time. Run this again"
            raise DatabaseError(
                "The databases",
                f"still not as declared after all statements ran: {what}",
                step,
                reason="not_converged",
                changed=True,
            )
    return result


def read_secrets(
    params: Mapping[str, t.Any], environ: Mapping[str, str], asked: list[tuple[str, str]]
) -> declared.Secrets:
    """The items of these Secrets; None where there is none."""
    if not asked:
        return {}
    client = Client(load_login(dict(params), environ), clock=Clock())

    def one(secret: tuple[str, str]) -> dict[str, bytes] | None:
        namespace, name = map(urllib.parse.quote, secret)
        try:
            found = client.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except ApiError as error:
            raise explain(
                error, f"Secret {secret[0]}/{secret[1]}", "", verb="get this Secret", changed=False
            ) from error
        return None if found is None else {key: _decoded(text) for key, text in (found.get("data") or {}).items()}

    try:
        return dict(zip(asked, client.map(one, asked), strict=True))
    finally:
        client.close()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


def _answer(said: tuple[int, str, str], plan: difference.Plan | None) -> str:
    """stdout of the program. Raises DatabaseError for what went wrong in the pod."""
    code, out, err = said
    try:
        error = json.loads(out).get("error") if code else None
    except (ValueError, AttributeError):
        error = None
    if error:
        raise _failed(error, plan)
    if code in (126, 127):
        step = "The image of the pods is older than this collection, or not one of ours: set patroni_image"
        raise DatabaseError("enclii-databases", "not in the container of the leader", step, reason="pod")
    if code:
        words = " ".join(err.split())[:500] or f"exit code {code}"
        step = "What was done is done, and no transaction is left half way" if plan else "Nothing was changed"
        step += ". See whether the pod runs, and run this again"
        raise DatabaseError("The leader's pod", words, step, reason="pod", changed=plan is not None)
    return out


def _failed(error: Mapping[str, t.Any], plan: difference.Plan | None) -> DatabaseError:
    message, code = str(error.get("message")), str(error.get("code"))
    if code == "replica":
        step = "The leader has changed in the meantime. Run this again"
        return DatabaseError("The leader's pod", "it is a replica now", step, reason="replica")
    if code == "unreachable":
        return DatabaseError("The leader's pod", message, "See the log of its container postgres", reason="pod")
    if code == "input":
        step = "The image of the pods and this collection do not fit: roll the pods out again"
        return DatabaseError("enclii-databases", message, step, reason="pod")
    change = (
        plan.change_at(int(error.get("group", 0)), int(error.get("statement", 0)))
        if plan and "group" in error
        else None
    )
    step = "What came before it is done, the rest of its database's transaction is not. Mend it and run this again"
    if code == "55P03":
        step = "Somebody holds a lock. Run this again, or end who holds it (pg_locks)"
    about = f"{change.subject}, {change.what}" if change else "The databases"
    before = int(error.get("group", 0)) > 0
    return DatabaseError(about, f"{message} (SQLSTATE {code})", step, reason="statement", changed=before)
