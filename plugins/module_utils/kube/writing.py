# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object to its wanted state: proven unchanged, or taken over and applied; or its dry run."""

from __future__ import annotations

import time
import typing as t

from . import adopt, diff, fields
from .client import Client
from .errors import ApiError
from .journal import Journal
from .manifests import Obj
from .plan import Options, Target
from .waiting import Waiter

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
_SETTLE = 10.0  # seconds for a kind to be served after it is Established, and for lost races


class Writer:
    def __init__(self, client: Client, options: Options, journal: Journal, waiter: Waiter) -> None:
        self._client = client
        self._options = options
        self._journal = journal
        self._waiter = waiter

    def apply(self, target: Target) -> None:
        if target.assumed and self._options.check:
            self._journal.record(target, "created", None, target.body)
            return
        if target.live is not None:
            self._spare_replicas(target, target.live)
        live = target.live
        if live is not None and fields.proves(target.body, live, self._options.field_manager):
            target.after = live
            self._journal.record(target, "unchanged", live, live)
            return
        if live is not None and live["metadata"].get("deletionTimestamp") and not self._options.check:
            gone = (target.path, target.wanted.label, live["metadata"]["uid"])
            self._waiter.until_gone([gone], self._options.wait_timeout)
            live = None
        if live is not None and not self._options.check:
            self._take_over(target, live)
        status, after = self._send(target)
        target.assumed = ""
        if live is None:
            # 200 without having seen it: somebody made it in between, and our apply changed it.
            target.after = after
            self._journal.record(target, "created" if status == 201 else "changed", None, after)
            return
        if self._options.check:
            after = self._foretell(target, live, after)
        target.after = after
        action = "unchanged"
        if self._moved(live, after):
            action = "changed" if fields.entry_of(live, self._options.field_manager) else "adopted"
        self._journal.record(target, action, live, after)

    def _moved(self, live: Obj, after: Obj) -> bool:
        """Did our apply change it? A moved resourceVersion alone may be a controller writing status meanwhile."""
        same_version = live["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion")
        if same_version and not self._options.check:
            return False
        if diff.content(live) != diff.content(after):
            return True
        old, new = (fields.entry_of(obj, self._options.field_manager) or {} for obj in (live, after))
        return any(old.get(key) != new.get(key) for key in ("fieldsV1", "apiVersion"))

    def _send(self, target: Target) -> tuple[int, Obj]:
        query = {
            "fieldManager": self._options.field_manager,
            "force": "true" if self._forced(target) else "false",
            "fieldValidation": "Strict",
        }
        if self._options.check:
            query["dryRun"] = "All"
        deadline = self._client.clock.monotonic() + _SETTLE
        while True:
            try:
                return self._client.request("PATCH", target.path, query, target.body, content_type=APPLY)
            except ApiError as error:
                served_soon = error.status == 404 and target.fresh_kind
                raced = error.status == 409 and not error.is_field_conflict
                if not (served_soon or raced) or self._client.clock.monotonic() > deadline:
                    raise
                self._client.clock.sleep(0.05)

    # -- owners ---------------------------------------------------------------------------------

    def _take_over(self, target: Target, live: Obj) -> None:
        change = adopt.take_over(live, target.body, self._options.field_manager, self._now())
        if change is not None:
            target.notes.append("taken over from " + ", ".join(sorted(set(change[1]))))
            self._write_owners(target, live, change[0])

    def _write_owners(self, target: Target, live: Obj, owners: list[Obj]) -> Obj:
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": owners},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        ]
        query = {"fieldManager": self._options.field_manager}
        return t.cast(Obj, self._client.request("PATCH", target.path, query, patch, content_type=JSON_PATCH)[1])

    def _spare_replicas(self, target: Target, live: Obj) -> None:
        """Under an autoscaler an existing object keeps its replicas, and we give up owning them."""
        if not target.autoscaler or "replicas" not in (target.body.get("spec") or {}):
            return
        target.notes.append(f"replicas left to HorizontalPodAutoscaler {target.autoscaler}")
        spec = {key: value for key, value in target.body["spec"].items() if key != "replicas"}
        target.body = {**target.body, "spec": spec}
        owners = adopt.release(live, ("f:spec", "f:replicas"), self._options.field_manager)
        if owners is not None and not self._options.check:
            target.live = self._write_owners(target, live, owners)

    # -- dry runs of an adoption ----------------------------------------------------------------

    def _forced(self, target: Target) -> bool:
        """A dry run cannot take over the old owners first, so it is forced where the real run would take over all that
        is in the way; any other conflict must show."""
        if self._options.force_conflicts or not self._options.check or target.live is None:
            return self._options.force_conflicts
        change = adopt.take_over(target.live, target.body, self._options.field_manager, "")
        return change is not None and not self._foreign_conflict(target)

    def _foreign_conflict(self, target: Target) -> bool:
        query = {"fieldManager": self._options.field_manager, "force": "false", "dryRun": "All"}
        try:
            self._client.request("PATCH", target.path, query, target.body, content_type=APPLY)
        except ApiError as error:
            if not error.is_field_conflict:
                raise
            taken = [adopt.names_taken(str(one.get("message", "")), str(one.get("field", ""))) for one in error.causes]
            return not all(taken)
        return False

    def _foretell(self, target: Target, live: Obj, after: Obj) -> Obj:
        """A dry run starts from the old owners. What adoption would drop is taken out here, and the server asked again for
        the defaults it puts in its place (client-side apply owned those, too)."""
        predicted = adopt.predict(after, live, target.body, self._options.field_manager, self._now())
        if predicted is None:
            return after
        predicted["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        query = {"fieldManager": self._options.field_manager, "dryRun": "All"}
        return t.cast(Obj, self._client.request("PUT", target.path, query, predicted)[1])

    def _now(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._client.clock.time()))
