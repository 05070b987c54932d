# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for objects to be ready or gone, by quick polling of those that are not yet."""

from __future__ import annotations

import typing as t
import urllib.parse

from .client import Client, Clock
from .errors import KubeError
from .manifests import Wanted
from .ready import State, assess, condition, pod_reason

Obj = dict[str, t.Any]
_FIRST, _LONGEST = 0.1, 0.4  # seconds between two looks
_OWN_PODS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}


class Waiter:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._late_binding: dict[str, bool] = {}

    def until_ready(self, items: list[tuple[str, Wanted, Obj | None]], timeout: float) -> None:
        """items: (path, wanted, the object as last seen). KubeError not_ready naming who is not, and why."""
        deadline, pause = self._clock.monotonic() + timeout, _FIRST
        seen = {number: item[2] for number, item in enumerate(items)}
        pending = [number for number, live in seen.items() if live is None or not self._state(live).ready]
        while pending:
            seen.update(zip(pending, self._client.map(lambda n: self._client.find(items[n][0]), pending), strict=True))
            states = {number: self._gone_or(seen[number]) for number in pending}
            pending = [number for number in pending if not states[number].ready]
            failed = [number for number in pending if states[number].failed]
            if failed or (pending and self._clock.monotonic() >= deadline):
                raise self._failure(
                    [(items[n][1], seen[n], states[n]) for n in failed or pending], bool(failed), timeout
                )
            if pending:
                self._clock.sleep(pause)
                pause = min(pause * 1.5, _LONGEST)

    def until_gone(self, items: list[tuple[str, str, str]], timeout: float) -> None:
        """items: (path, label, uid). Gone is also: there again under another uid."""
        deadline, pause = self._clock.monotonic() + timeout, _FIRST / 2
        while items:
            found = self._client.map(lambda item: self._client.find(item[0]), items)
            items_live = [
                (item, live)
                for item, live in zip(items, found, strict=True)
                if live and live["metadata"]["uid"] == item[2]
            ]
            if items_live and self._clock.monotonic() >= deadline:
                label, live = items_live[0][0][1], items_live[0][1]
                holders = ", ".join(live["metadata"].get("finalizers") or []) or "none"
                more = f" (and {len(items_live) - 1} more)" if len(items_live) > 1 else ""
                raise KubeError(
                    label + more,
                    f"it is still there {timeout:.0f} s after its deletion; finalizers: {holders}",
                    "See whether the controller that must release it runs",
                    reason="timeout",
                )
            items = [item for item, _live in items_live]
            if items:
                self._clock.sleep(pause)
                pause = min(pause * 1.5, _LONGEST)

    def _gone_or(self, live: Obj | None) -> State:
        return State(False, "somebody deleted it") if live is None else self._state(live)

    def _state(self, live: Obj) -> State:
        state = assess(live)
        if not state.ready and live.get("kind") == "PersistentVolumeClaim" and self._binds_late(live):
            return State(True)
        return state

    def _binds_late(self, claim: Obj) -> bool:
        """A claim whose class waits for the first consumer is as ready as it gets before a pod uses it."""
        name = (claim.get("spec") or {}).get("storageClassName")
        if not name or (claim.get("status") or {}).get("phase") == "Lost":
            return False
        if name not in self._late_binding:
            found = self._client.find(f"/apis/storage.k8s.io/v1/storageclasses/{urllib.parse.quote(name)}") or {}
            self._late_binding[name] = found.get("volumeBindingMode") == "WaitForFirstConsumer"
        return self._late_binding[name]

    def _failure(self, late: list[tuple[Wanted, Obj | None, State]], failed: bool, timeout: float) -> KubeError:
        words = [f"{item.label}: {state.why}{self._deeper(live)}" for item, live, state in late[:5]]
        if len(late) > 5:
            words.append(f"and {len(late) - 5} more")
        item, _live, state = late[0]
        cause = f"{state.why}{self._deeper(late[0][1])}"
        if len(late) > 1:
            cause = f"{len(late)} objects are not ready: " + "; ".join(words)
        return KubeError(
            item.label,
            cause if failed else f"not ready after {timeout:.0f} s: {cause}",
            "Repair what it waits for and run again; nothing was pruned"
            if failed
            else "Repair what it waits for, or give wait_timeout more seconds; nothing was pruned",
            reason="not_ready",
            where=item.where,
        )

    def _deeper(self, live: Obj | None) -> str:
        """What the pods of a workload say, and what its controller could not create."""
        if live is None or live.get("kind") not in _OWN_PODS:
            return ""
        refused = condition(live.get("status") or {}, "ReplicaFailure")
        if refused and refused.get("status") == "True":
            return f" ({refused.get('message')})"
        selector = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels")
        if not selector:
            return ""
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in selector.items())}
        found: list[str] = []
        for pod in self._client.list(f"/api/v1/namespaces/{live['metadata']['namespace']}/pods", query):
            reason = "" if assess(pod).ready else pod_reason(pod)
            if reason:
                found.append(f"pod {pod['metadata']['name']}: {reason}")
        return f" ({'; '.join(found[:3])})" if found else " (no pod says why)"
