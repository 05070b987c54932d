# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing stays: a run takes away what it made, and what runs that were killed have left behind.

A run that lives says so: the object that it makes first and removes last has a pulse, an annotation that changes every
few seconds. Whatever belongs to a run without such an object, or to one whose pulse stands still, is left over.
"""

from __future__ import annotations

import functools
import typing as t
from datetime import datetime

from ..kube.client import Client, Clock
from ..kube.errors import ApiError
from ..kube.explain import explain
from ..kube.pulse import Beating, last_written
from .objects import ROLE, RUN, SELECTOR, labels

BEAT, ALIVE = "probe.enclii.dev/beat", "alive"
PERIOD, STILL = 3.0, 15.0  # seconds between two beats, and without one until a run counts as dead
PATIENCE = 120.0  # seconds until what was deleted is gone
_KINDS = {
    "pods": "/api/v1/{}pods",
    "networkpolicies": "/apis/networking.k8s.io/v1/{}networkpolicies",
    "configmaps": "/api/v1/{}configmaps",
}
Obj = dict[str, t.Any]


class Pulse(Beating):
    """The ConfigMap that says a run lives."""

    def __init__(self, client: Client, run: str, namespace: str) -> None:
        self._place, self._name = f"/api/v1/namespaces/{namespace}/configmaps", f"probe-{run}-alive"
        self._labels = {**labels(run), ROLE: ALIVE}
        super().__init__(client, f"{self._place}/{self._name}", BEAT, PERIOD)

    def start(self) -> datetime:
        """The server's time."""
        about = {"name": self._name, "labels": self._labels, "annotations": {BEAT: "0"}}
        made = create(self._client, self._place, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about})
        self.begin()
        return datetime.fromisoformat(made["metadata"]["creationTimestamp"])


class Others:
    """What is there of other runs."""

    def __init__(self, client: Client, run: str, clock: Clock) -> None:
        self._client, self._run, self._clock = client, run, clock
        self._beats: dict[str, str] = {}
        self._seen = clock.monotonic()

    def dead(self, now: datetime) -> list[str]:
        """Runs of which something is left although they do not live any more. now: the server's time."""
        self._beats, self._seen = {}, self._clock.monotonic()
        found, pulses = self._look()
        dead = found - set(pulses)
        for run, pulse in pulses.items():
            if (now - last_written(pulse)).total_seconds() > STILL:
                dead.add(run)
            else:
                self._beats[run] = _beat_of(pulse)
        return sorted(dead)

    def died_since(self) -> list[str]:
        """Of those that seemed to live then, the ones whose pulse has stood still ever since."""
        if not self._beats or self._clock.monotonic() - self._seen < STILL:
            return []
        found, pulses = self._look()
        return sorted(
            run for run, beat in self._beats.items()
            if run in found and (run not in pulses or _beat_of(pulses[run]) == beat)
        )  # fmt: skip

    def _look(self) -> tuple[set[str], dict[str, Obj]]:
        paths = [*(path.format("") for path in _KINDS.values()), "/api/v1/namespaces"]
        listed = self._client.map(
            lambda path: self._client.list(path, {"labelSelector": SELECTOR}, metadata_only=True), paths
        )
        found: set[str] = set()
        pulses: dict[str, Obj] = {}
        for one in (item for items in listed for item in items):
            mine = one["metadata"]["labels"]
            if mine[RUN] == self._run:
                continue
            found.add(mine[RUN])
            if mine.get(ROLE) == ALIVE:
                pulses[mine[RUN]] = one
        return found, pulses


def sweep(client: Client, run: str, clock: Clock, patience: float = PATIENCE) -> list[str]:
    """Take away everything that carries this run's label, and wait until its pods and namespaces are gone.

    What is still there after so many seconds, as "Pod a/b". The pulse goes last: as long as anything is there, so is it.
    """
    query = {"labelSelector": f"{RUN}={run}"}
    spaces = client.list("/api/v1/namespaces", query, metadata_only=True)
    own = {one["metadata"]["name"] for one in spaces}
    client.map(lambda name: _delete(client, f"/api/v1/namespaces/{name}"), sorted(own))
    places: set[tuple[str, str]] = set()
    for kind, path in _KINDS.items():
        places |= {
            (kind, one["metadata"]["namespace"]) for one in client.list(path.format(""), query, metadata_only=True)
        }
    for kinds, more in ((("pods", "networkpolicies"), ""), (("configmaps",), f",{ROLE}!={ALIVE}")):
        paths = [_KINDS[kind].format(f"namespaces/{space}/") for kind, space in sorted(places)
                 if kind in kinds and space not in own]  # fmt: skip
        selected = {"labelSelector": query["labelSelector"] + more}
        client.map(functools.partial(_delete, client, query=selected), paths)
    left = _wait(client, query, clock, patience)
    if not left:
        for space in sorted({space for kind, space in places if kind == "configmaps"} - own):
            _delete(client, _KINDS["configmaps"].format(f"namespaces/{space}/"), query)
    return left


def _wait(client: Client, query: t.Mapping[str, str], clock: Clock, patience: float) -> list[str]:
    deadline, pause = clock.monotonic() + patience, 0.2
    while True:
        pods = client.list(_KINDS["pods"].format(""), query, metadata_only=True)
        spaces = client.list("/api/v1/namespaces", query, metadata_only=True)
        left = [f"Pod {one['metadata']['namespace']}/{one['metadata']['name']}" for one in pods]
        left += [f"Namespace {one['metadata']['name']}" for one in spaces]
        if not left or clock.monotonic() > deadline:
            return left
        clock.sleep(pause)
        pause = min(pause * 1.3, 0.6)


def _delete(client: Client, path: str, query: t.Mapping[str, str] | None = None) -> None:
    try:
        client.request("DELETE", path, query, {"propagationPolicy": "Background"})
    except ApiError as error:
        if error.status not in (404, 409):
            raise explain(error, f"What the probe made ({path})", "", verb="delete, deletecollection") from error


def create(client: Client, path: str, body: Obj) -> Obj:
    """What the server made of it. A repeated request finds its own object, whose name holds the run."""
    kind, about = body["kind"], body["metadata"]
    space = f"{about['namespace']}/" if about.get("namespace") else ""
    try:
        return t.cast(Obj, client.request("POST", path, {"fieldManager": "enclii-probe"}, body)[1])
    except ApiError as error:
        if error.status == 409 and error.reason == "AlreadyExists":
            return t.cast(Obj, client.get(f"{path}/{about['name']}"))
        raise explain(error, f"{kind} {space}{about['name']}", "", verb=f"create {kind}") from error


def _beat_of(obj: Obj) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(BEAT))
