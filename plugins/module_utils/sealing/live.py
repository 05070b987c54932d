# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster has, and bringing sealed secrets into it."""

from __future__ import annotations

import collections
import typing as t

from ..kube.client import MERGE_PATCH, Client
from ..kube.engine import Engine
from ..kube.errors import ApiError
from ..kube.manifests import wanted_object
from ..kube.plan import Options
from . import objects
from .controller import Controller, discover
from .errors import SealingError
from .stable import Live, synced

_SEALED, _SECRETS = f"/apis/{objects.API_VERSION}/namespaces/{{}}/sealedsecrets", "/api/v1/namespaces/{}/secrets"
_ONE_BY_ONE = 4  # secrets of a namespace that are read one by one; more are listed
Obj = dict[str, t.Any]
Key = tuple[str, str]


class Cluster:
    """One cluster. Its methods raise KubeError where the API server does not answer or refuses, and SealingError."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._where = (namespace, name)
        self._controller: Controller | None = None

    def certificate(self) -> tuple[bytes, str]:
        """The controller's certificate, and where it came from."""
        if self._controller is None:
            self._controller = discover(self._client, self._client.clock, *self._where)
        return self._controller.certificate(), f"of {self._controller.subject}"

    def secret(self, namespace: str, name: str) -> Obj | None:
        return t.cast("Obj | None", self._client.find(f"/api/v1/namespaces/{namespace}/secrets/{name}"))

    def live(self, keys: t.Collection[Key]) -> dict[Key, Live]:
        """What there is under these names. What may not be read counts as missing."""
        spaces: dict[str, set[str]] = collections.defaultdict(set)
        for namespace, name in keys:
            if namespace:
                spaces[namespace].add(name)
        asked: list[tuple[bool, str, str]] = []  # sealed, collection, name or ""
        for namespace, names in sorted(spaces.items()):
            for is_sealed, base in ((True, _SEALED), (False, _SECRETS)):
                one_by_one = sorted(names) if len(names) <= _ONE_BY_ONE else [""]
                asked += [(is_sealed, base.format(namespace), name) for name in one_by_one]
        found: dict[tuple[bool, str, str], Obj] = {}
        for (is_sealed, _base, _name), members in zip(asked, self._client.map(self._read, asked), strict=True):
            for one in members:
                found[is_sealed, one["metadata"]["namespace"], one["metadata"]["name"]] = one
        return {key: Live(found.get((True, *key)), found.get((False, *key))) for key in keys}

    def _read(self, asked: tuple[bool, str, str]) -> list[Obj]:
        _is_sealed, base, name = asked
        try:
            if not name:
                return self._client.list(base)
            found = self._client.find(f"{base}/{name}")
        except ApiError as error:
            if error.status in (403, 404):  # no right to look, or the kind is not there yet
                return []
            raise
        return [found] if found else []

    def adoption(self, key: Key, live: Live, adopt: str) -> bool:
        """Whether a Secret has to be marked before the controller may write it. Raises SealingError where it may not be taken."""
        if live.secret is None:
            return False
        metadata = live.secret["metadata"]
        if any(owner.get("kind") == objects.KIND for owner in metadata.get("ownerReferences") or []):
            return False
        annotations = metadata.get("annotations") or {}
        if "true" in (annotations.get(objects.MANAGED), annotations.get(objects.PATCH)):
            return False
        if adopt == "never":
            raise SealingError(
                f"Secret {'/'.join(key)}",
                "it exists and no SealedSecret made it, so that the controller would not touch it",
                "Nothing was changed. Set adopt to managed (its values and metadata are replaced) or patch (they are merged)",
            )
        return True

    def mark(self, key: Key, adopt: str) -> None:
        """Let the controller take a Secret over."""
        mark = {"managed": objects.MANAGED, "patch": objects.PATCH}[adopt]
        body = {"metadata": {"annotations": {mark: "true"}}}
        path = f"/api/v1/namespaces/{key[0]}/secrets/{key[1]}"
        self._client.request("PATCH", path, {"fieldManager": "enclii-platform"}, body, content_type=MERGE_PATCH)

    def write(self, wanted: t.Sequence[Obj], state: str, *, check: bool) -> dict[Key, str]:
        """Apply or delete SealedSecrets: what happened to each (created, changed, unchanged, adopted, deleted, absent)."""
        if not wanted:
            return {}
        engine = Engine(self._client, Options(state=state, check=check))
        engine.run([wanted_object("secrets", obj, None) for obj in wanted])
        return {(one["namespace"], one["name"]): one["action"] for one in engine.results}

    def wait(self, keys: t.Collection[Key], timeout: float) -> None:
        """Until the controller has unsealed all of them. Raises SealingError with what it reports, or at the end of the time."""
        clock = self._client.clock
        end = clock.monotonic() + timeout
        waiting = sorted(keys)
        while waiting:
            live = self.live(waiting)
            for key in waiting:
                found = live[key].sealed
                if found is not None:
                    _raise_failure(key, found)
            waiting = [key for key in waiting if (found := live[key].sealed) is None or not synced(found)]
            if waiting and clock.monotonic() > end:
                raise SealingError(
                    objects.subject(*waiting[0]),
                    f"its controller has not unsealed it in {timeout:.0f} s"
                    + (f", nor {len(waiting) - 1} others" if waiting[1:] else ""),
                    "It was applied. See whether the controller runs, and its log",
                    reason="controller",
                )
            if waiting:
                clock.sleep(0.2)


def _raise_failure(key: Key, obj: Obj) -> None:
    """A failure counts once the controller has seen this generation."""
    status = obj.get("status") or {}
    if status.get("observedGeneration") != obj["metadata"].get("generation"):
        return
    for one in status.get("conditions") or []:
        if one.get("type") == "Synced" and one.get("status") == "False":
            raise SealingError(
                objects.subject(*key),
                f"its controller reports: {one.get('message') or 'no reason'}",
                "It was applied. sealed_secret_lint explains the cause",
                reason="controller",
            )
