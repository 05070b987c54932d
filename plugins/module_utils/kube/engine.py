# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many objects to their wanted state: read, prove unchanged, apply the rest, wait, prune, narrow the set.

Everything that can be refused without a write is refused before the first write.
"""

from __future__ import annotations

import threading
import typing as t

from . import order
from .applyset import ApplySet
from .client import Client
from .discovery import Discovery, Resource
from .errors import ApiError, KubeError
from .explain import explain, progress
from .journal import Journal
from .manifests import Obj, Wanted
from .plan import Options, Target, label_of, path_of, resolve
from .reading import Reading
from .waiting import Waiter
from .writing import APPLY, Writer

_ESTABLISHED = 60.0  # seconds a definition may take to be served
Place: t.TypeAlias = "tuple[str, str | None]"  # Kind.group, namespace


class Engine:
    """One run over one API server. Afterwards: results, diffs, warnings, set_action, changed."""

    def __init__(self, client: Client, options: Options, apply_set: ApplySet | None = None) -> None:
        self.client = client
        self.options = options
        self.set = apply_set
        self.warnings: list[str] = []
        self.set_action = "unchanged"
        self._targets: list[Target] = []
        self._members: dict[tuple[str, str | None, str], tuple[Resource, Obj]] = {}
        self._journal = Journal(options.diff)
        self._waiter = Waiter(client, client.clock)
        self._writer = Writer(client, options, self._journal, self._waiter)

    @property
    def results(self) -> list[Obj]:
        return self._journal.entries

    @property
    def diffs(self) -> list[dict[str, str]]:
        return self._journal.diffs

    @property
    def changed(self) -> bool:
        return self.set_action != "unchanged" or self._journal.changed

    def run(self, wanted: list[Wanted]) -> None:
        """Bring `wanted` to options.state; raises one KubeError whose .objects says what was done by then."""
        try:
            discovery = Discovery(self.client)
            self._targets, self.warnings = resolve(wanted, discovery, self.options, self.set)
            self._journal.expect(self._targets)
            reading = Reading(self.client, discovery, self.options, self.set)
            reading.read(self._targets)
            self._members = reading.members
            if self.options.state == "absent":
                self._delete_all()
            else:
                self._apply_all(reading.missing)
        except ApiError as error:
            failure = explain(error, self.set.label if self.set else "The run", "")
            raise self._with_progress(failure) from error
        except KubeError as error:
            raise self._with_progress(error) from error.__cause__

    def _with_progress(self, error: KubeError) -> KubeError:
        error.objects = self.results
        if not self.options.check and "Nothing was changed" not in error.next_step:
            error.next_step = ". ".join(part for part in (error.next_step, progress(error.objects)) if part)
        return error

    # -- present --------------------------------------------------------------------------------

    def _apply_all(self, missing: set[str]) -> None:
        phases: list[list[Target]] = [[] for _phase in order.PHASES]
        for target in self._targets:
            phases[order.phase(target.resource.group, target.resource.kind, target.body)].append(target)
        now = {target.resource.group_kind for target in self._targets}
        spaces = {target.wanted.namespace for target in self._targets if target.wanted.namespace}
        parent_inside = self.set is not None and self.set.namespace in missing
        if self.set and not parent_inside:
            self._widen(self.set, now, spaces)
        for number, members in enumerate(phases):
            self._phase(members)
            if self.set and number == order.NAMESPACES and parent_inside:
                self._widen(self.set, now, spaces)
            if number == order.DEFINITIONS:
                self._until_ready(members, _ESTABLISHED)
        if self.options.wait:
            self._until_ready(self._targets, self.options.wait_timeout)
        if self.set:
            kept = self._prune() if self.set.prune else self._leftovers()
            kinds, places = {place[0] for place in kept}, {place[1] for place in kept if place[1]}
            self._write_parent(self.set, now | kinds, spaces | places)

    def _phase(self, members: list[Target]) -> None:
        """All at once; after the first failure no further one is started."""
        failures: list[tuple[int, KubeError]] = []
        stop = threading.Event()

        def work(target: Target) -> None:
            if stop.is_set():
                return
            try:
                self._writer.apply(target)
            except ApiError as error:
                stop.set()
                failures.append((target.number, explain(error, target.wanted.label, target.wanted.where, target.body)))
            except KubeError as error:
                stop.set()
                failures.append((target.number, error))

        self.client.map(work, members)
        if failures:
            failures.sort(key=lambda failure: failure[0])
            first, others = failures[0][1], [error.subject for _number, error in failures[1:]]
            if others:
                first.cause += f" (also refused at the same time: {', '.join(others[:5])})"
            raise first

    def _until_ready(self, targets: list[Target], timeout: float) -> None:
        if targets and not self.options.check:
            self._waiter.until_ready([(target.path, target.wanted, target.after) for target in targets], timeout)

    # -- the set --------------------------------------------------------------------------------

    def _widen(self, apply_set: ApplySet, group_kinds: set[str], namespaces: set[str]) -> None:
        """Before the first member is written the parent names every place that may hold one."""
        self._write_parent(apply_set, apply_set.group_kinds | group_kinds, apply_set.namespaces | namespaces)

    def _write_parent(self, apply_set: ApplySet, group_kinds: set[str], namespaces: set[str]) -> None:
        namespaces = namespaces | {apply_set.namespace}
        if apply_set.exists and group_kinds == apply_set.group_kinds and namespaces == apply_set.namespaces:
            return
        if self.set_action == "unchanged":
            self.set_action = "changed" if apply_set.exists else "created"
        if not self.options.check:
            query = {"fieldManager": self.options.field_manager + "-applyset", "force": "true"}
            body = apply_set.parent(group_kinds, namespaces, self.options.version)
            try:
                self.client.request("PATCH", apply_set.path, query, body, content_type=APPLY)
            except ApiError as error:
                raise explain(error, apply_set.label, "parent of the set") from error
        apply_set.exists, apply_set.group_kinds, apply_set.namespaces = True, group_kinds, namespaces

    def _leftovers(self) -> list[Place]:
        wanted = {target.key for target in self._targets}
        return [key[:2] for key in self._members if key not in wanted]

    def _prune(self) -> list[Place]:
        """Delete members that are no longer wanted. Returns where those are that stay members."""
        doomed, kept = self._unwanted("never pruned: what it holds cannot be made again")
        phases = _by_phase(doomed)
        # A denial goes before what it would leave alone: for a moment more is open, and nothing that worked is cut off.
        for number in (order.LIMITS, order.CLOSING):
            self._delete(phases[number])
            phases[number] = []
        self._delete([item for members in phases for item in members])
        if self.options.wait:
            self._until_gone(doomed)
        return kept

    def _unwanted(self, why_kept: str) -> tuple[list[tuple[Resource, Obj]], list[Place]]:
        """Members the definition does not name: (to be deleted, places of those that are never pruned)."""
        wanted = {target.key for target in self._targets}
        doomed: list[tuple[Resource, Obj]] = []
        kept: list[Place] = []
        for key, (resource, live) in sorted(self._members.items(), key=lambda item: str(item[0])):
            owners = live["metadata"].get("ownerReferences") or []
            if key in wanted or any(owner.get("controller") for owner in owners):
                continue  # labels are copied to what controllers make (Service to EndpointSlice)
            if order.never_pruned(resource.group_kind, live["metadata"]["name"]):
                kept.append(key[:2])
                self._journal.report(resource, live, "kept", why_kept)
            else:
                doomed.append((resource, live))
        return doomed, kept

    # -- absent ---------------------------------------------------------------------------------

    def _delete_all(self) -> None:
        doomed = [(target.resource, target.live) for target in self._targets if target.live is not None]
        for target in self._targets:
            if target.live is None:
                self._journal.record(target, "absent", None, None)
        kept: list[Place] = []
        if self.set:
            members, kept = self._unwanted("deleted only where the definition names it")
            doomed += members
        phases = _by_phase(doomed)
        for number in reversed(range(len(order.PHASES))):
            self._delete(phases[number])
            # Custom resources must be gone (finalizers!) before their definition goes, and their controller with it.
            if self.options.wait or (number == order.WORKLOADS and phases[order.DEFINITIONS]):
                self._until_gone(phases[number])
        if self.set and self.set.exists:
            if kept:
                self._write_parent(self.set, {place[0] for place in kept}, {place[1] for place in kept if place[1]})
            else:
                self._delete_parent(self.set)

    def _delete_parent(self, apply_set: ApplySet) -> None:
        self.set_action = "deleted"
        if self.options.check:
            return
        try:
            self.client.request("DELETE", apply_set.path, None, {"preconditions": {"uid": apply_set.uid}})
        except ApiError as error:
            if error.status != 404:
                raise explain(error, apply_set.label, "parent of the set", verb="delete") from error

    def _delete(self, doomed: list[tuple[Resource, Obj]]) -> None:
        def work(item: tuple[Resource, Obj]) -> None:
            resource, live = item
            if live["metadata"].get("deletionTimestamp"):
                self._journal.report(resource, live, "unchanged", "it is being deleted already")
                return
            # The precondition keeps an object alive that somebody made anew under the same name.
            options: Obj = {"preconditions": {"uid": live["metadata"]["uid"]}, "propagationPolicy": "Background"}
            if self.options.check:
                options["dryRun"] = ["All"]
            try:
                self.client.request("DELETE", path_of(resource, live), None, options)
            except ApiError as error:
                if error.status != 404:
                    raise explain(error, label_of(resource, live), "", verb="delete") from error
                self._journal.report(resource, live, "absent", "somebody deleted it meanwhile")
                return
            self._journal.report(resource, live, "deleted")

        self.client.map(work, doomed)

    def _until_gone(self, doomed: list[tuple[Resource, Obj]]) -> None:
        if doomed and not self.options.check:
            gone = [(path_of(*item), label_of(*item), item[1]["metadata"]["uid"]) for item in doomed]
            self._waiter.until_gone(gone, self.options.wait_timeout)


def _by_phase(doomed: list[tuple[Resource, Obj]]) -> list[list[tuple[Resource, Obj]]]:
    phases: list[list[tuple[Resource, Obj]]] = [[] for _phase in order.PHASES]
    for resource, live in doomed:
        phases[order.phase(resource.group, resource.kind, live)].append((resource, live))
    return phases
