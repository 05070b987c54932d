# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of evidence and evidence_info to their results, in a module or inside the controller."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

from ..kube.arguments import CONNECTION, Spec
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..sealing.bucket_arguments import S3
from ..sealing.errors import SealingError
from . import copies
from .errors import EvidenceError
from .objects import VERDICTS, read_stamp, record
from .store import State, Store

EVIDENCE: Spec = {
    **CONNECTION,
    "state": {"type": "str", "choices": ["written", "copied"], "default": "written"},
    "namespace": {"type": "str", "default": "enclii-system"},
    "kind": {"type": "str"},
    "subject": {"type": "str"},
    "verdict": {"type": "str", "choices": list(VERDICTS)},
    "started": {"type": "str"},
    "ended": {"type": "str"},
    "valid_for": {"type": "int", "default": 168},
    "figures": {"type": "dict", "default": {}},
    "versions": {"type": "dict", "default": {}},
    "findings": {"type": "list", "elements": "str", "default": []},
    "details": {"type": "dict", "default": {}},
    "keep": {"type": "int", "default": 10},
    "s3": {"type": "dict", "options": S3},
}

EVIDENCE_INFO: Spec = {
    **CONNECTION,
    "namespace": {"type": "str", "default": "enclii-system"},
    "kinds": {"type": "list", "elements": "str", "default": []},
    "expected": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"kind": {"type": "str", "required": True}, "subject": {"type": "str", "required": True}},
    },
    "require": {"type": "bool", "default": False},
}
Obj = dict[str, t.Any]
Params = t.Mapping[str, t.Any]


def evidence(params: Params, environ: t.Mapping[str, str], *, check: bool = False, clock: Clock | None = None) -> Obj:
    """See module evidence for the result. changed is always false: a proof is no state. Raises KubeError."""
    clock = clock or Clock()
    wanted = _wanted(params, clock) if params["state"] == "written" else None
    bucket = _bucket(params)
    client = Client(load_login(params, environ), clock=clock)
    try:
        store = Store(client, str(params["namespace"]), clock)
        if wanted is None:
            return {"changed": False, "copied": copies.copy(_needed(bucket), store.objects(), check)}
        return _written(store, wanted, int(params["keep"]), bucket, check)
    finally:
        client.close()


def evidence_info(params: Params, environ: t.Mapping[str, str], *, clock: Clock | None = None) -> Obj:
    """changed (false), installed, states, failing; see module evidence_info. Raises KubeError."""
    clock = clock or Clock()
    expected = [(str(one["kind"]), str(one["subject"])) for one in params["expected"]]
    client = Client(load_login(params, environ), clock=clock)
    try:
        store = Store(client, str(params["namespace"]), clock)
        installed = store.installed()
        states = store.current(expected=expected)
    finally:
        client.close()
    kinds = params["kinds"]
    # what is expected counts, whatever else is looked at
    states = [one for one in states if not kinds or one.kind in kinds or (one.kind, one.subject) in expected]
    failing = [one for one in states if not one.passed]
    if params["require"] and (failing or not states):
        raise _not_proved(str(params["namespace"]), failing, installed)
    return {
        "changed": False,
        "installed": installed,
        "states": [one.as_dict() for one in states],
        "failing": [f"{one.kind} of {one.subject}: {one.state}, {one.why}" for one in failing],
    }


def _not_proved(namespace: str, failing: list[State], installed: bool) -> EvidenceError:
    cause = "; ".join(f"{one.kind} of {one.subject}: {one.state}, {one.why}" for one in failing)
    step = (
        "Look into what failed, and prove what is UNKNOWN again" if installed else "Run the platform's playbook first"
    )
    empty = "there is no evidence at all, and none is no pass"
    return EvidenceError(f"Not proved in {namespace}", cause or empty, step, reason="not_ready")


def _written(store: Store, wanted: Obj, keep: int, bucket: copies.Bucket | None, check: bool) -> Obj:
    kind, subject = wanted["spec"]["kind"], wanted["spec"]["subject"]
    if check and not store.installed():
        warning = "The kind Evidence is not installed in this cluster yet: nothing could be written now."
        return {
            "changed": False,
            "evidence": store.completed(wanted),
            "deleted": [],
            "copied": [],
            "warnings": [warning],
        }
    made = store.create(wanted, check=check)
    made["metadata"].pop("managedFields", None)
    # what goes from the cluster is in the bucket first; where it cannot be copied, nothing goes
    copied = copies.copy(bucket, _kept(store, made, check), check) if bucket else []
    deleted = store.retain(kind, subject, keep, check=check, more=[made] if check else [])
    return {"changed": False, "evidence": made, "deleted": deleted, "copied": copied}


def _kept(store: Store, made: Obj, check: bool) -> list[Obj]:
    """All of the same kind and subject: those that an earlier run could not copy go along."""
    about = (made["spec"]["kind"], made["spec"]["subject"])
    there = [one for one in store.objects() if (one["spec"]["kind"], one["spec"]["subject"]) == about]
    return [*there, made] if check else there


def _wanted(params: Params, clock: Clock) -> Obj:
    missing = [name for name in ("kind", "subject", "verdict") if not params[name]]
    if missing:
        raise EvidenceError("Evidence", f"{' and '.join(missing)} are missing", "Give kind, subject and verdict")
    now = datetime.fromtimestamp(clock.time(), UTC)
    ended = _moment(params["ended"], "ended") if params["ended"] else now
    return record(
        kind=params["kind"],
        subject=params["subject"],
        verdict=params["verdict"],
        started=_moment(params["started"], "started") if params["started"] else ended,
        ended=ended,
        valid_for=timedelta(hours=int(params["valid_for"])),
        figures=params["figures"],
        versions=params["versions"],
        findings=params["findings"],
        details=params["details"],
    )


def _moment(text: str, name: str) -> datetime:
    try:
        return read_stamp(text)
    except ValueError:
        step = "Give RFC 3339, such as 2026-11-23T04:05:00Z"
        raise EvidenceError(f"Evidence, option {name}", f"{text!r} is no time with a zone", step) from None


def _bucket(params: Params) -> copies.Bucket | None:
    if not params.get("s3"):
        return None
    from ..sealing.objectstore import Bucket  # half a second of imports, for who needs it

    try:
        return Bucket(**{name: value if value is not None else "" for name, value in params["s3"].items()})
    except SealingError as error:
        raise EvidenceError(error.subject, error.cause, error.next_step, reason="copy") from None


def _needed(bucket: copies.Bucket | None) -> copies.Bucket:
    if bucket is None:
        raise EvidenceError("Copies of evidence", "they have no place", "Give s3")
    return bucket
