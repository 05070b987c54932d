# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence in a cluster: written once, never changed, the newest of each kind and subject kept, and what it says now.

from ..evidence.store import EvidenceError, State, Store, record
Store(client, "enclii-system", clock).write(record(kind=…, subject=…, …))
"""

from __future__ import annotations

import typing as t
import urllib.parse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from ..kube.client import Client, Clock
from ..kube.errors import ApiError
from ..kube.explain import explain
from .errors import EvidenceError
from .objects import GROUP, KIND_LABEL, PLURAL, SUBJECT_LABEL, VERDICTS, VERSION, read_stamp, record, slug

__all__ = ["EvidenceError", "State", "Store", "record"]
IDENTITY = "enclii-cluster"  # ConfigMap that says which inventory and cluster this is
_SKEW = timedelta(minutes=5)  # clocks may differ by so much
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class State:
    """What the newest evidence of one kind and subject says at this moment. state: PASS, FAIL or UNKNOWN; why: where it is not PASS."""

    kind: str
    subject: str
    state: str
    why: str = ""
    name: str = ""
    verdict: str = ""
    started: str = ""
    ended: str = ""
    expires: str = ""
    findings: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    last_pass: str = ""

    @property
    def passed(self) -> bool:
        return self.state == "PASS"

    def as_dict(self) -> Obj:
        return asdict(self)


class Store:
    """The evidence of one namespace. clock: time() is now."""

    def __init__(self, client: Client, namespace: str, clock: Clock) -> None:
        self._client, self._namespace, self._clock = client, namespace, clock
        space = urllib.parse.quote(namespace)
        self._path = f"/apis/{GROUP}/{VERSION}/namespaces/{space}/{PLURAL}"
        self._identity_path = f"/api/v1/namespaces/{space}/configmaps/{IDENTITY}"

    # -- writing --------------------------------------------------------------------------------

    def write(self, obj: Obj, keep: int = 10) -> list[str]:
        """Create it, then delete the oldest of the same kind and subject beyond keep; the names of those deleted.

        The newest PASS is never deleted: a proof does not vanish behind failures. Raises EvidenceError where the kind is not installed.
        """
        self.create(obj)
        return self.retain(str(obj["spec"]["kind"]), str(obj["spec"]["subject"]), keep)

    def create(self, obj: Obj, *, check: bool = False) -> Obj:
        """The object as the cluster has it. check: the server only says whether it would take it."""
        body = self.completed(obj)
        name, label = body["metadata"]["name"], f"Evidence {self._namespace}/{body['metadata']['name']}"
        query = {"fieldManager": "enclii-evidence", "fieldValidation": "Strict", **({"dryRun": "All"} if check else {})}
        try:
            return t.cast(Obj, self._client.request("POST", self._path, query, body)[1])
        except ApiError as error:
            if error.status == 409 and error.reason == "AlreadyExists":
                # The client repeats a request whose answer was lost: then it is ours, to the letter.
                there = self._client.find(f"{self._path}/{urllib.parse.quote(name)}")
                if there is not None and there.get("spec") == body["spec"]:
                    return t.cast(Obj, there)
            if error.status == 404:
                raise self._nowhere(error, label) from error
            raise explain(error, label, "", verb="create evidence", changed=False) from error

    def completed(self, obj: Obj) -> Obj:
        """With the namespace, and which inventory and cluster it was seen in, as far as that is recorded."""
        identity = self._identity()
        origin = {"inventory": identity.get("inventory"), "cluster": identity.get("uid")}
        spec = {**{name: value for name, value in origin.items() if value}, **obj["spec"]}
        return {**obj, "metadata": {**obj["metadata"], "namespace": self._namespace}, "spec": spec}

    def retain(self, kind: str, subject: str, keep: int, *, check: bool = False, more: Sequence[Obj] = ()) -> list[str]:
        """Delete what is beyond keep. Two writers at a time delete the same ones, since the newest are the same for both.

        check: only say which; more: what would be there beside, in check mode.
        """
        if keep < 1:
            raise EvidenceError(f"Evidence {kind} of {subject}", f"{keep} are to be kept", "Keep 1 or more")
        selector = ",".join(f"{name}={value}" for name, value in _labels(kind, subject).items())
        items = [*(self._list({"labelSelector": selector}) or []), *more]
        surplus = surplus_of([one for one in items if _about(one) == (kind, subject)], keep)
        if not check:
            self._client.map(self._delete, surplus)
        return [one["metadata"]["name"] for one in surplus]

    def _delete(self, obj: Obj) -> None:
        name = obj["metadata"]["name"]
        options = {"preconditions": {"uid": obj["metadata"]["uid"]}}
        try:
            self._client.request("DELETE", f"{self._path}/{urllib.parse.quote(name)}", None, options)
        except ApiError as error:
            if error.status not in (404, 409):  # another writer was here before
                label = f"Evidence {self._namespace}/{name}, which a newer one was to push out"
                raise explain(error, label, "", verb="delete evidence") from error

    # -- reading --------------------------------------------------------------------------------

    def current(self, kind: str | None = None, expected: Sequence[tuple[str, str]] = ()) -> list[State]:
        """The newest of each kind and subject, sorted. expected: pairs that count as UNKNOWN where there is nothing of them."""
        items = self._list({})
        now = datetime.fromtimestamp(self._clock.time(), UTC)
        groups: dict[tuple[str, str], list[Obj]] = {pair: [] for pair in expected if kind in (None, pair[0])}
        for item in items or []:
            pair = _about(item)
            if kind in (None, pair[0]):
                groups.setdefault(pair, []).append(item)
        nothing = "there is no evidence of it" if items is not None else "the kind Evidence is not installed"
        return [judge(*pair, group, now, nothing) for pair, group in sorted(groups.items())]

    def objects(self) -> list[Obj]:
        """All of them, oldest first. Raises EvidenceError where the kind is not installed."""
        items = self._list({})
        if items is None:
            raise _not_installed(f"Evidence in {self._namespace}")
        return sorted(items, key=_order)

    def installed(self) -> bool:
        return self._list({"limit": "1"}, whole=False) is not None

    def _list(self, query: t.Mapping[str, str], whole: bool = True) -> list[Obj] | None:
        """None where the kind is not installed."""
        try:
            if not whole:
                self._client.get(self._path, query)
                return []
            return self._client.list(self._path, query)
        except ApiError as error:
            if error.status == 404:
                return None
            about = f"Evidence in {self._namespace}"
            raise explain(error, about, "", verb="list evidence", changed=False) from error

    def _identity(self) -> dict[str, str]:
        try:
            found = self._client.find(self._identity_path)
        except ApiError as error:
            about = f"ConfigMap {self._namespace}/{IDENTITY}"
            raise explain(error, about, "", verb="get this ConfigMap", changed=False) from error
        return dict((found or {}).get("data") or {})

    def _nowhere(self, error: ApiError, label: str) -> EvidenceError:
        if "namespaces" in error.message:
            cause = f"there is no namespace {self._namespace}"
            return EvidenceError(label, cause, "Run the platform's playbook, or name the platform's namespace")
        return _not_installed(label)


def judge(kind: str, subject: str, group: Sequence[Obj], now: datetime, nothing: str = "there is none") -> State:
    """State of one kind and subject by all evidence there is of it."""
    if not group:
        return State(kind, subject, "UNKNOWN", nothing)
    ordered = sorted(group, key=_order)
    newest = ordered[-1]
    spec = newest["spec"]
    state, why = _verdict(spec, now)
    passes = [one["spec"]["ended"] for one in ordered if one["spec"].get("verdict") == "PASS"]
    return State(
        kind, subject, state, why, newest["metadata"]["name"], spec["verdict"], spec["started"], spec["ended"], spec["expires"],
        list(spec.get("findings") or []), dict(spec.get("figures") or {}), dict(spec.get("versions") or {}), passes[-1] if passes else "",
    )  # fmt: skip


def _verdict(spec: Obj, now: datetime) -> tuple[str, str]:
    verdict = str(spec["verdict"])
    if read_stamp(spec["expires"]) <= now:
        return "UNKNOWN", f"it said {verdict} and expired at {spec['expires']}"
    if read_stamp(spec["ended"]) > now + _SKEW:
        return "UNKNOWN", f"it says {verdict} and ends in the future, at {spec['ended']}: the clocks differ"
    if verdict == "PASS":
        return "PASS", ""
    seen = "; ".join(list(spec.get("findings") or [])[:3]) or "it names no findings"
    return (verdict if verdict in VERDICTS else "UNKNOWN"), seen


def surplus_of(group: Sequence[Obj], keep: int) -> list[Obj]:
    """What retention deletes, oldest first: all but the newest, and but the newest PASS, which stays beside them if need be."""
    ordered = sorted(group, key=_order)
    passes = [one for one in ordered if one["spec"].get("verdict") == "PASS"]
    return [one for one in ordered[: max(0, len(ordered) - keep)] if not passes or one is not passes[-1]]


def _order(obj: Obj) -> tuple[datetime, str]:
    return read_stamp(obj["spec"]["ended"]), obj["metadata"]["name"]


def _about(obj: Obj) -> tuple[str, str]:
    return str(obj["spec"]["kind"]), str(obj["spec"]["subject"])


def opened(client: Client, wanted: t.Mapping[str, t.Any] | None, clock: Clock) -> Store | None:
    """Where a module's option evidence says; None without it. Before anything is tried: what cannot be kept is better known of early."""
    if not wanted:
        return None
    store = Store(client, str(wanted["namespace"]), clock)
    if not store.installed():
        step = "Run the platform's playbook with --tags baseline, or leave out evidence"
        raise _not_installed(f"Evidence in {wanted['namespace']}", step)
    return store


def _labels(kind: str, subject: str) -> dict[str, str]:
    return {KIND_LABEL: kind, SUBJECT_LABEL: slug(subject)}


def _not_installed(label: str, step: str = "Run the platform's playbook with --tags baseline") -> EvidenceError:
    return EvidenceError(label, "the kind Evidence is not installed in this cluster", step, reason="not_installed")
