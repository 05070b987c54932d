# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to each object, kept while it happens, so that a failure can say how far it came."""

from __future__ import annotations

import threading

from . import diff
from .discovery import Resource
from .manifests import Obj
from .plan import Key, Target, label_of

ACTED = ("created", "changed", "adopted", "deleted")


class Journal:
    def __init__(self, with_diff: bool) -> None:
        self._with_diff = with_diff
        self._lock = threading.Lock()
        self._entries: dict[int, Obj] = {}
        self._diffs: dict[int, dict[str, str]] = {}
        self._numbers: dict[Key, Target] = {}

    def expect(self, targets: list[Target]) -> None:
        self._numbers = {target.key: target for target in targets}

    @property
    def entries(self) -> list[Obj]:
        """In the order of the definition, pruned and kept ones after them."""
        return [self._entries[number] for number in sorted(self._entries)]

    @property
    def diffs(self) -> list[dict[str, str]]:
        return [self._diffs[number] for number in sorted(self._diffs)]

    @property
    def changed(self) -> bool:
        return any(entry["action"] in ACTED for entry in self._entries.values())

    def record(self, target: Target, action: str, before: Obj | None, after: Obj | None) -> None:
        """A wanted object."""
        entry = self._entry(target.resource, target.wanted.namespace, target.wanted.name, action)
        entry["source"] = target.wanted.where
        if target.assumed and action == "created":
            entry["predicted"] = True
        notes = [*target.notes, target.assumed] if "predicted" in entry else target.notes
        if notes:
            entry["note"] = "; ".join(notes)
        self._keep(target.number, entry, before, after, target.wanted.label)

    def report(self, resource: Resource, live: Obj, action: str, note: str = "") -> None:
        """A live object that goes, or stays though nobody wants it."""
        metadata = live["metadata"]
        entry = self._entry(resource, metadata.get("namespace"), metadata["name"], action)
        target = self._numbers.get((resource.group_kind, entry["namespace"], entry["name"]))
        if target is not None:
            entry["source"] = target.wanted.where
        if note:
            entry["note"] = note
        self._keep(target.number if target else len(self._numbers), entry, live, None, label_of(resource, live))

    @staticmethod
    def _entry(resource: Resource, namespace: str | None, name: str, action: str) -> Obj:
        return {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "namespace": namespace,
            "name": name,
            "action": action,
        }

    def _keep(self, number: int, entry: Obj, before: Obj | None, after: Obj | None, label: str) -> None:
        with self._lock:
            if number >= len(self._numbers):
                number += len(self._entries)
            self._entries[number] = entry
            if self._with_diff and entry["action"] in ACTED:
                self._diffs[number] = diff.pair(before, after, label)
