# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing stays: a run takes away what it made, and what runs that were killed have left behind.

A run that lives says so: the ConfigMap that it makes first and removes last has an annotation that changes every few
seconds. It owns everything else of the run. Where it stands still, the run is dead.
"""

from __future__ import annotations

import typing as t
import urllib.parse
from datetime import datetime

from ..kube.client import Client, Clock
from ..kube.errors import ApiError
from ..kube.explain import explain
from ..kube.pulse import Beating, last_written
from .objects import ALIVE, ROLE, RUN

BEAT = "restore.enclii.dev/beat"
PERIOD, STILL = 5.0, 60.0  # seconds between two beats, and without one until a run counts as dead
PATIENCE = 120.0  # seconds until what was deleted is gone
_KINDS = ("pods", "persistentvolumeclaims", "configmaps")
Obj = dict[str, t.Any]


class Pulse(Beating):
    """The ConfigMap that says a run lives."""

    def __init__(self, client: Client, run: str, namespace: str) -> None:
        self._run, self._namespace = run, namespace
        self._place, self._name = place(namespace, "configmaps"), f"restore-proof-{run}-alive"
        super().__init__(client, f"{self._place}/{self._name}", BEAT, PERIOD)

    def start(self) -> tuple[Obj, datetime]:
        """(the object, the server's time)"""
        labels = {RUN: self._run, ROLE: ALIVE}
        about = {"name": self._name, "namespace": self._namespace, "labels": labels, "annotations": {BEAT: "0"}}
        made = create(self._client, self._place, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about})
        self.begin()
        return made, datetime.fromisoformat(made["metadata"]["creationTimestamp"])


def dead(client: Client, namespace: str, run: str, now: datetime) -> list[str]:
    """Other runs of which something is left although they do not live any more. now: the server's time."""
    found: set[str] = set()
    alive: set[str] = set()
    for kind in _KINDS:
        for one in client.list(place(namespace, kind), {"labelSelector": RUN}, metadata_only=True):
            mine = one["metadata"]["labels"]
            found.add(mine[RUN])
            if mine.get(ROLE) == ALIVE and (now - last_written(one)).total_seconds() <= STILL:
                alive.add(mine[RUN])
    return sorted(found - alive - {run})


def sweep(client: Client, namespace: str, run: str, clock: Clock, patience: float = PATIENCE) -> list[str]:
    """Take away everything that carries this run's label, and wait until its pod and its volume are gone.

    What is still there after so many seconds, as "Pod a/b". The pulse goes last: as long as anything is there, so is it.
    """
    query = {"labelSelector": f"{RUN}={run}"}
    _delete(client, place(namespace, "pods"), query)
    _delete(client, place(namespace, "configmaps"), {"labelSelector": f"{query['labelSelector']},{ROLE}!={ALIVE}"})
    deadline, pause = clock.monotonic() + patience, 0.2
    while left := _left(client, namespace, query):
        if clock.monotonic() > deadline:
            return left
        clock.sleep(pause)
        pause = min(pause * 1.3, 1.0)
    _delete(client, place(namespace, "configmaps"), query)
    return []


def _left(client: Client, namespace: str, query: t.Mapping[str, str]) -> list[str]:
    found = []
    for kind, label in (("pods", "Pod"), ("persistentvolumeclaims", "PersistentVolumeClaim")):
        listed = client.list(place(namespace, kind), query, metadata_only=True)
        found += [f"{label} {namespace}/{one['metadata']['name']}" for one in listed]
    return found


def place(namespace: str, kind: str) -> str:
    return f"/api/v1/namespaces/{urllib.parse.quote(namespace)}/{kind}"


def _delete(client: Client, path: str, query: t.Mapping[str, str]) -> None:
    try:
        client.request("DELETE", path, query, {"propagationPolicy": "Background"})
    except ApiError as error:
        if error.status not in (404, 409):
            raise explain(error, f"What the proof made ({path})", "", verb="delete, deletecollection") from error


def create(client: Client, path: str, body: Obj) -> Obj:
    """What the server made of it. A repeated request finds its own object, whose name holds the run."""
    about = body["metadata"]
    try:
        return t.cast(Obj, client.request("POST", path, {"fieldManager": "enclii-restore"}, body)[1])
    except ApiError as error:
        if error.status == 409 and error.reason == "AlreadyExists":
            return t.cast(Obj, client.get(f"{path}/{about['name']}"))
        label = f"{body['kind']} {about['namespace']}/{about['name']}"
        raise explain(error, label, "", verb=f"create {body['kind']}") from error
