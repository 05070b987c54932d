# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many objects to their wanted state: read, prove unchanged, apply the rest, wait, prune, narrow the set.

Everything that can be refused without a write is refused before the first write.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t

from . import adopt, diff, fields, order
from .applyset import PART_OF, ApplySet
from .client import Client
from .discovery import Discovery, Resource
from .errors import ApiError, KubeError
from .explain import explain, progress
from .manifests import Wanted
from .waiting import Waiter

Obj = dict[str, t.Any]
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
_PROBE_EACH = 8  # up to so many objects of one kind are read one by one, more by one metadata LIST
_SCALABLE = {"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"}


@dataclasses.dataclass
class Options:
    """What the caller asked for; times in seconds."""

    state: str = "present"
    field_manager: str = "enclii-platform"
    force_conflicts: bool = False
    wait: bool = False
    wait_timeout: float = 120.0
    check: bool = False
    diff: bool = False
    version: str = "1.0.0"


@dataclasses.dataclass(eq=False)
class Target:
    """A wanted object on its way. body: as it is sent; live: as it stood; assumed: why it can only be predicted."""

    number: int
    wanted: Wanted
    resource: Resource
    body: Obj
    live: Obj | None = None
    assumed: str = ""
    fresh_kind: bool = False
    autoscaler: str = ""
    after: Obj | None = None
    action: str = ""
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def path(self) -> str:
        return self.resource.path(self.wanted.namespace, self.wanted.name)

    @property
    def key(self) -> tuple[str, str | None, str]:
        return self.resource.group_kind, self.wanted.namespace, self.wanted.name


class Engine:
    """One run over one API server. Afterwards: results, diffs, warnings, set_action."""

    def __init__(self, client: Client, options: Options, apply_set: ApplySet | None = None) -> None:
        self.client = client
        self.options = options
        self.set = apply_set
        self.results: list[Obj] = []
        self.diffs: list[dict[str, str]] = []
        self.warnings: list[str] = []
        self.set_action = "unchanged"
        self._done: dict[int, Obj] = {}
        self._stop = threading.Event()
        self._missing: set[str] = set()
        self._members: dict[tuple[str, str | None, str], tuple[Resource, Obj]] = {}
        self._waiter = Waiter(client, client.clock)

    # -- the two ways ---------------------------------------------------------------------------

    def run(self, wanted: list[Wanted]) -> None:
        """Bring `wanted` to options.state; raises one KubeError whose .objects says what was done by then."""
        self.discovery = Discovery(self.client)
        self._targets = self._resolve(wanted)
        try:
            self._read()
            if self.options.state == "absent":
                self._delete_all()
            else:
                self._apply_all()
        except ApiError as error:
            failure = explain(error, self.set.label if self.set else "The run", "")
            raise self._with_progress(failure) from error
        except KubeError as error:
            raise self._with_progress(error) from None
        self.results = self._collected()

    @property
    def changed(self) -> bool:
        acted = {"created", "changed", "adopted", "deleted"}
        return self.set_action != "unchanged" or any(entry["action"] in acted for entry in self.results)

    def _with_progress(self, error: KubeError) -> KubeError:
        error.objects = self._collected()
        if not self.options.check and "Nothing was changed" not in error.next_step:
            error.next_step = ". ".join(part for part in (error.next_step, progress(error.objects)) if part)
        return error

    def _collected(self) -> list[Obj]:
        return [self._done[number] for number in sorted(self._done)]

    # -- before anything is changed -------------------------------------------------------------

    def _resolve(self, wanted: list[Wanted]) -> list[Target]:
        # To delete a definition its name is enough; only one that is to come tells what it will serve.
        definitions = [item for item in wanted if item.kind == "CustomResourceDefinition" and self.options.state == "present"]
        coming = dict(_defined(item) for item in definitions)
        targets: list[Target] = []
        seen: dict[tuple[str, str | None, str], Wanted] = {}
        for number, item in enumerate(wanted):
            resource = self.discovery.find(item.api_version, item.kind)
            version = item.api_version.rpartition("/")[2]
            target = Target(number, item, resource or Resource(item.group, version, item.kind, "", True), item.body)
            if resource is None:
                soon = coming.get((item.group, item.kind))
                if soon is not None and version in soon[0]:
                    target.resource = Resource(item.group, version, item.kind, soon[1], soon[2])
                    target.fresh_kind = True
                    target.assumed = "its definition is created by the same run"
                elif self.options.state == "absent":
                    self._refuse_stale(item)
                    target.assumed = "its kind is not served"
                elif self.options.check:
                    target.assumed = f"the kind {item.kind} ({item.api_version}) is not served yet"
                    self.warnings.append(f"{item.label} ({item.where}): {target.assumed}; it can only be predicted")
                else:
                    raise self._unknown_kind(item)
            self._place(target)
            other = seen.setdefault(target.key, item)
            if other is not item:
                raise KubeError(
                    item.label,
                    f"it is there twice, also in {other.where}",
                    "Nothing was changed. Remove one",
                    reason="invalid",
                    where=item.where,
                )
            if self.set:
                self._label(target)
            targets.append(target)
        return targets

    def _unknown_kind(self, item: Wanted) -> KubeError:
        if item.group in self.discovery.stale:
            return KubeError(
                item.label,
                f"the API group {item.group} does not answer at the moment",
                f"Nothing was changed. See kubectl get apiservice | grep {item.group}",
                reason="unknown_kind",
                where=item.where,
            )
        hint = self.discovery.near(item.api_version, item.kind) or "Install its CustomResourceDefinition before"
        return KubeError(
            item.label,
            f"the cluster serves no kind {item.kind} in {item.api_version}",
            f"Nothing was changed. {hint}",
            reason="unknown_kind",
            where=item.where,
        )

    def _refuse_stale(self, item: Wanted) -> None:
        if item.group in self.discovery.stale:
            raise self._unknown_kind(item)

    def _place(self, target: Target) -> None:
        """Settle the namespace: a namespaced object has one, a cluster-wide one has none."""
        item = target.wanted
        known = bool(target.resource.plural)
        if known and not target.resource.namespaced:
            if item.body["metadata"].get("namespace"):
                raise KubeError(
                    item.label,
                    "it is cluster-wide and has a metadata.namespace",
                    "Nothing was changed. Remove the namespace",
                    reason="invalid",
                    where=item.where,
                )
            item.namespace = None
        elif known and not item.namespace:
            raise KubeError(
                item.label,
                "metadata.namespace is missing",
                "Nothing was changed. Set it, or the argument namespace",
                reason="invalid",
                where=item.where,
            )
        if item.namespace:
            target.body = {**item.body, "metadata": {**item.body["metadata"], "namespace": item.namespace}}

    def _label(self, target: Target) -> None:
        assert self.set is not None
        metadata = target.body["metadata"]
        labels = {**(metadata.get("labels") or {}), PART_OF: self.set.id}
        target.body = {**target.body, "metadata": {**metadata, "labels": labels}}

    # -- reading --------------------------------------------------------------------------------

    def _read(self) -> None:
        if self.set:
            self.set.read(self.client.find(self.set.path))
        jobs: list[t.Callable[[], None]] = []
        spaces = {target.wanted.namespace for target in self._targets if target.wanted.namespace}
        if self.set and not self.set.exists:
            spaces.add(self.set.namespace)
        jobs += [lambda space=space: self._check_namespace(space) for space in sorted(spaces)]
        if self.set:
            jobs += [lambda pair=pair: self._list_members(*pair) for pair in self._member_places()]
        scaled = {
            target.wanted.namespace
            for target in self._targets
            if target.resource.kind in _SCALABLE and "replicas" in (target.body.get("spec") or {})
        }
        autoscalers: dict[tuple[str, str, str], str] = {}
        if self.options.state == "present":
            jobs += [lambda space=space: self._list_autoscalers(space, autoscalers) for space in scaled if space]
        self.client.map(lambda job: job(), jobs)
        for target in self._targets:
            member = self._members.get(target.key)
            # Served by another version than wanted: values would differ in shape, so it is read again.
            if member and member[0] == target.resource:
                target.live = member[1]
        self._probe([target for target in self._targets if target.live is None and not target.assumed])
        self._refuse(autoscalers)

    def _member_places(self) -> list[tuple[Resource, str | None]]:
        """Every kind and namespace that may hold members: what the parent says and what is wanted now."""
        assert self.set is not None
        places: dict[tuple[str, str | None], tuple[Resource, str | None]] = {}
        for target in self._targets:
            if not target.assumed and self.set.exists:
                places[target.resource.group_kind, target.wanted.namespace] = (target.resource, target.wanted.namespace)
        for group_kind in self.set.group_kinds:
            resource = self.discovery.preferred(group_kind)
            if resource is None:
                group = group_kind.partition(".")[2]
                if group in self.discovery.stale:
                    raise KubeError(
                        self.set.label,
                        f"the API group {group} of its members does not answer",
                        "Nothing was changed. Repair that API service first",
                        reason="api",
                    )
                continue  # the definition is gone, and with it every object
            for space in sorted(self.set.namespaces) if resource.namespaced else [None]:
                places.setdefault((group_kind, space), (resource, space))
        return list(places.values())

    def _list_members(self, resource: Resource, namespace: str | None) -> None:
        assert self.set is not None
        for item in self.client.list(resource.path(namespace), self.set.selector):
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
            metadata = item["metadata"]
            self._members[resource.group_kind, metadata.get("namespace"), metadata["name"]] = (resource, item)

    def _check_namespace(self, name: str) -> None:
        try:
            if self.client.find(f"/api/v1/namespaces/{name}") is None:
                self._missing.add(name)
        except ApiError as error:
            if error.status != 403:  # who may not look at namespaces learns it from the apply itself
                raise

    def _list_autoscalers(self, namespace: str, found: dict[tuple[str, str, str], str]) -> None:
        for item in self.client.list(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"):
            aim = item["spec"]["scaleTargetRef"]
            found[namespace, aim["kind"], aim["name"]] = item["metadata"]["name"]

    def _probe(self, targets: list[Target]) -> None:
        """Read what is not in the set (yet). Of many of one kind most will not exist: one LIST of names tells."""
        groups: dict[tuple[Resource, str | None], list[Target]] = {}
        for target in targets:
            if target.wanted.namespace not in self._missing:
                groups.setdefault((target.resource, target.wanted.namespace), []).append(target)
        large = [group for group, members in groups.items() if len(members) > _PROBE_EACH]

        def names(group: tuple[Resource, str | None]) -> set[str]:
            try:
                found = self.client.list(group[0].path(group[1]), metadata_only=True)
            except ApiError as error:
                if error.status != 403:
                    raise
                return {target.wanted.name for target in groups[group]}
            return {item["metadata"]["name"] for item in found}

        for group, existing in zip(large, self.client.map(names, large)):
            groups[group] = [target for target in groups[group] if target.wanted.name in existing]

        def read(target: Target) -> None:
            try:
                target.live = self.client.find(target.path)
            except ApiError as error:
                raise explain(error, target.wanted.label, target.wanted.where, changed=False) from error

        self.client.map(read, [target for members in groups.values() for target in members])

    def _refuse(self, autoscalers: dict[tuple[str, str, str], str]) -> None:
        """Everything that makes the run impossible and can be seen without writing."""
        made = {target.wanted.name for target in self._targets if target.resource.group_kind == "Namespace"}
        for target in self._targets:
            space = target.wanted.namespace
            if target.live is not None and self.set:
                self.set.refuse_foreign(target.live, target.wanted.label, target.wanted.where)
            if self.options.state == "present" and space in self._missing and not target.assumed:
                if space not in made and not self.options.check:
                    raise KubeError(
                        target.wanted.label,
                        f"the namespace {space} does not exist",
                        "Nothing was changed. Create it, or add it to the definition",
                        reason="invalid",
                        where=target.wanted.where,
                    )
                if self.options.check:
                    target.assumed = f"the namespace {space} does not exist yet"
            target.autoscaler = autoscalers.get((space or "", target.resource.kind, target.wanted.name), "")
        if self.set and not self.set.exists and self.set.namespace in self._missing and self._targets:
            if self.set.namespace not in made and not self.options.check and self.options.state == "present":
                raise KubeError(
                    self.set.label,
                    f"the namespace {self.set.namespace} of the set's parent does not exist",
                    "Nothing was changed. Create it, or add it to the definition",
                    reason="invalid",
                )

    # -- present --------------------------------------------------------------------------------

    def _apply_all(self) -> None:
        phases: list[list[Target]] = [[] for _phase in order.PHASES]
        for target in self._targets:
            phases[order.phase(target.resource.group, target.resource.kind)].append(target)
        now = {target.resource.group_kind for target in self._targets}
        spaces = {target.wanted.namespace for target in self._targets if target.wanted.namespace}
        parent_inside = self.set is not None and self.set.namespace in self._missing
        if not parent_inside:
            self._widen(now, spaces)
        for number, members in enumerate(phases):
            self._phase(members)
            if number == order.NAMESPACES and parent_inside:
                self._widen(now, spaces)
            if number == order.DEFINITIONS and members and not self.options.check:
                self._waiter.until_ready([(target.path, target.wanted, target.after) for target in members], 60.0)
        if self.options.wait and not self.options.check:
            self._waiter.until_ready(
                [(target.path, target.wanted, target.after) for target in self._targets], self.options.wait_timeout
            )
        if self.set:
            kept = self._prune() if self.set.prune else self._leftovers()
            kept_kinds = {entry[0] for entry in kept}
            self._write_parent(now | kept_kinds, {space for space in spaces | {entry[1] for entry in kept} if space})

    def _phase(self, members: list[Target]) -> None:
        failures: list[tuple[int, KubeError]] = []

        def work(target: Target) -> None:
            if self._stop.is_set():
                return
            try:
                self._apply(target)
            except ApiError as error:
                self._stop.set()
                failure = explain(error, target.wanted.label, target.wanted.where, target.body)
                failures.append((target.number, failure))
            except KubeError as error:
                self._stop.set()
                failures.append((target.number, error))

        self.client.map(work, members)
        if failures:
            failures.sort(key=lambda failure: failure[0])
            first = failures[0][1]
            others = [str(error.subject) for _number, error in failures[1:]]
            if others:
                first.cause += f" (also refused at the same time: {', '.join(others[:5])})"
            raise first

    def _apply(self, target: Target) -> None:
        if target.assumed and self.options.check:
            self._record(target, "created", None, target.body, predicted=True)
            return
        body = self._spare_replicas(target)
        live = target.live
        if live is not None and fields.proves(body, live, self.options.field_manager):
            target.after = live
            self._record(target, "unchanged", live, live)
            return
        if live is not None and live["metadata"].get("deletionTimestamp") and not self.options.check:
            self._waiter.until_gone(
                [(target.path, target.wanted.label, live["metadata"]["uid"])], self.options.wait_timeout
            )
            live = target.live = None
        base = live
        if live is not None and not self.options.check:
            base = self._take_over(target, live, body)
        status, after = self._send(target, body)
        if self.options.check and live is not None:
            after = self._foretell(target, live, body, after)
        target.after = after
        if status == 201 or base is None:
            # 200 without having seen it: somebody made it in between, and our apply changed it.
            self._record(target, "created" if status == 201 else "changed", None, after)
            return
        assert live is not None
        if self._moved(live, after):
            adopted = fields.entry_of(live, self.options.field_manager) is None
            self._record(target, "adopted" if adopted else "changed", live, after)
        else:
            self._record(target, "unchanged", live, after)

    def _foretell(self, target: Target, live: Obj, body: Obj, after: Obj) -> Obj:
        """A dry run starts from the old owners. What adoption would drop is taken out here, and the server asked again for
        the defaults it puts in its place (client-side apply owned those, too)."""
        predicted = adopt.predict(after, live, body, self.options.field_manager, _now(self.client.clock.time()))
        if predicted is None:
            return after
        predicted["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        query = {"fieldManager": self.options.field_manager, "dryRun": "All"}
        return t.cast(Obj, self.client.request("PUT", target.path, query, predicted)[1])

    def _moved(self, live: Obj, after: Obj) -> bool:
        """Did our apply change it? A moved resourceVersion alone may be a controller writing status meanwhile."""
        if not self.options.check and live["metadata"].get("resourceVersion") == after["metadata"].get(
            "resourceVersion"
        ):
            return False
        if diff.content(live) != diff.content(after):
            return True
        manager = self.options.field_manager
        old, new = fields.entry_of(live, manager) or {}, fields.entry_of(after, manager) or {}
        return old.get("fieldsV1") != new.get("fieldsV1") or old.get("apiVersion") != new.get("apiVersion")

    def _send(self, target: Target, body: Obj) -> tuple[int, Obj]:
        query = {
            "fieldManager": self.options.field_manager,
            "force": "true" if self._forced(target) else "false",
            "fieldValidation": "Strict",
        }
        if self.options.check:
            query["dryRun"] = "All"
        deadline = self.client.clock.monotonic() + 10.0
        while True:
            try:
                return self.client.request("PATCH", target.path, query, body, content_type=APPLY)
            except ApiError as error:
                late = self.client.clock.monotonic() > deadline
                # A kind is served a moment after it is Established; a lost race for creation or update is just run again.
                served_soon = error.status == 404 and target.fresh_kind
                raced = error.status == 409 and not error.is_field_conflict
                if late or not (served_soon or raced):
                    raise
                self.client.clock.sleep(0.05)

    def _forced(self, target: Target) -> bool:
        if self.options.force_conflicts:
            return True
        if not self.options.check or target.live is None:
            return False
        # A dry run cannot take over the old owners first, so it is forced where the real run would take over all
        # that is in the way; any other conflict must show.
        change = adopt.take_over(target.live, target.body, self.options.field_manager, "")
        return change is not None and not self._foreign_conflict(target)

    def _foreign_conflict(self, target: Target) -> bool:
        query = {"fieldManager": self.options.field_manager, "force": "false", "dryRun": "All"}
        try:
            self.client.request("PATCH", target.path, query, target.body, content_type=APPLY)
        except ApiError as error:
            if not error.is_field_conflict:
                raise
            return not all(adopt.names_taken(str(cause.get("message", ""))) for cause in error.causes)
        return False

    def _take_over(self, target: Target, live: Obj, body: Obj) -> Obj:
        change = adopt.take_over(live, body, self.options.field_manager, _now(self.client.clock.time()))
        if change is None:
            return live
        owners, managers = change
        target.notes.append("taken over from " + ", ".join(sorted(set(managers))))
        return self._write_owners(target, live, owners)

    def _write_owners(self, target: Target, live: Obj, owners: list[Obj]) -> Obj:
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": owners},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        ]
        query = {"fieldManager": self.options.field_manager}
        return t.cast(Obj, self.client.request("PATCH", target.path, query, patch, content_type=JSON_PATCH)[1])

    def _spare_replicas(self, target: Target) -> Obj:
        """Under an autoscaler an existing object keeps its replicas, and we give up owning them."""
        if not target.autoscaler or target.live is None or "replicas" not in (target.body.get("spec") or {}):
            return target.body
        target.notes.append(f"replicas left to HorizontalPodAutoscaler {target.autoscaler}")
        spec = {key: value for key, value in target.body["spec"].items() if key != "replicas"}
        target.body = {**target.body, "spec": spec}
        owners = adopt.release(target.live, ("f:spec", "f:replicas"), self.options.field_manager)
        if owners is not None and not self.options.check:
            target.live = self._write_owners(target, target.live, owners)
        return target.body

    # -- the set --------------------------------------------------------------------------------

    def _widen(self, group_kinds: set[str], namespaces: set[str]) -> None:
        """Before the first member is written the parent names every place that may hold one."""
        if self.set:
            self._write_parent(self.set.group_kinds | group_kinds, self.set.namespaces | namespaces)

    def _write_parent(self, group_kinds: set[str], namespaces: set[str]) -> None:
        assert self.set is not None
        namespaces = namespaces | {self.set.namespace}
        if self.set.exists and group_kinds == self.set.group_kinds and namespaces == self.set.namespaces:
            return
        action = "changed" if self.set.exists else "created"
        if not self.options.check:
            query = {"fieldManager": self.options.field_manager + "-applyset", "force": "true"}
            body = self.set.parent(group_kinds, namespaces, self.options.version)
            try:
                self.client.request("PATCH", self.set.path, query, body, content_type=APPLY)
            except ApiError as error:
                raise explain(error, self.set.label, "parent of the set") from error
        self.set.exists, self.set.group_kinds, self.set.namespaces = True, group_kinds, namespaces
        self.set_action = action if self.set_action == "unchanged" else self.set_action

    def _leftovers(self) -> list[tuple[str, str | None]]:
        wanted = {target.key for target in self._targets}
        return [key[:2] for key in self._members if key not in wanted]

    def _prune(self) -> list[tuple[str, str | None]]:
        """Delete members that are no longer wanted. Returns (kind, namespace) of those that stay members."""
        wanted = {target.key for target in self._targets}
        kept: list[tuple[str, str | None]] = []
        doomed: list[tuple[Resource, Obj]] = []
        for key, (resource, live) in sorted(self._members.items(), key=lambda item: str(item[0])):
            owners = live["metadata"].get("ownerReferences") or []
            if key in wanted or any(owner.get("controller") for owner in owners):
                continue  # labels are copied to what controllers make (Service to EndpointSlice)
            if resource.group_kind in order.NEVER_PRUNED:
                kept.append(key[:2])
                self._report(resource, live, "kept", note="never pruned: what it holds cannot be made again")
            else:
                doomed.append((resource, live))
        self._delete(doomed)
        if self.options.wait and not self.options.check:
            self._waiter.until_gone([_gone(resource, live) for resource, live in doomed], self.options.wait_timeout)
        return kept

    # -- absent ---------------------------------------------------------------------------------

    def _delete_all(self) -> None:
        named = [(target.resource, target.live) for target in self._targets if target.live is not None]
        for target in self._targets:
            if target.live is None:
                self._record(target, "absent", None, None)
        kept: list[tuple[str, str | None]] = []
        if self.set:
            known = {target.key for target in self._targets}
            for key, (resource, live) in self._members.items():
                if key in known or any(
                    owner.get("controller") for owner in live["metadata"].get("ownerReferences") or []
                ):
                    continue
                if resource.group_kind in order.NEVER_PRUNED:
                    kept.append(key[:2])
                    self._report(resource, live, "kept", note="deleted only where the definition names it")
                else:
                    named.append((resource, live))
        for number in reversed(range(len(order.PHASES))):
            doomed = [item for item in named if order.phase(item[0].group, item[0].kind) == number]
            self._delete(doomed)
            last = number in (order.NAMESPACES, order.DEFINITIONS)
            # Custom resources must be gone (finalizers!) before their definition and controller's namespace go.
            if (
                doomed
                and not self.options.check
                and (self.options.wait or (not last and self._more_below(named, number)))
            ):
                self._waiter.until_gone([_gone(*item) for item in doomed], self.options.wait_timeout)
        if self.set and self.set.exists and not kept:
            self._delete_parent()
        elif self.set and self.set.exists:
            self._write_parent({kind for kind, _space in kept}, {space for _kind, space in kept if space})

    @staticmethod
    def _more_below(named: list[tuple[Resource, Obj]], number: int) -> bool:
        return any(
            order.phase(resource.group, resource.kind) == order.DEFINITIONS and number == order.WORKLOADS
            for resource, _live in named
        )

    def _delete_parent(self) -> None:
        assert self.set is not None
        self.set_action = "deleted"
        if not self.options.check:
            try:
                self.client.request("DELETE", self.set.path, None, {"preconditions": {"uid": self.set.uid}})
            except ApiError as error:
                if error.status != 404:
                    raise explain(error, self.set.label, "parent of the set") from error

    def _delete(self, doomed: list[tuple[Resource, Obj]]) -> None:
        def work(item: tuple[Resource, Obj]) -> None:
            resource, live = item
            metadata = live["metadata"]
            if metadata.get("deletionTimestamp"):
                self._report(resource, live, "unchanged", note="it is being deleted already")
                return
            options: Obj = {"preconditions": {"uid": metadata["uid"]}, "propagationPolicy": "Background"}
            if self.options.check:
                options["dryRun"] = ["All"]
            path = resource.path(metadata.get("namespace"), metadata["name"])
            try:
                self.client.request("DELETE", path, None, options)
            except ApiError as error:
                if error.status == 404:
                    return
                space = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
                raise explain(error, f"{resource.kind} {space}{metadata['name']}", "", verb="delete") from error
            self._report(resource, live, "deleted")

        self.client.map(work, doomed)

    # -- what happened --------------------------------------------------------------------------

    def _record(
        self, target: Target, action: str, before: Obj | None, after: Obj | None, predicted: bool = False
    ) -> None:
        item = target.wanted
        entry: Obj = {
            "apiVersion": item.api_version,
            "kind": item.kind,
            "namespace": item.namespace,
            "name": item.name,
            "action": action,
            "source": item.where,
        }
        if predicted:
            entry["predicted"] = True
            target.notes.append(target.assumed)
        if target.notes:
            entry["note"] = "; ".join(target.notes)
        self._keep(target.number, entry, before, after, action, item.label)

    def _report(self, resource: Resource, live: Obj, action: str, note: str = "") -> None:
        metadata = live["metadata"]
        key = (resource.group_kind, metadata.get("namespace"), metadata["name"])
        entry: Obj = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "namespace": metadata.get("namespace"),
            "name": metadata["name"],
            "action": action,
        }
        if note:
            entry["note"] = note
        number = next((index for index, target in enumerate(self._targets) if target.key == key), None)
        if number is None:
            number = len(self._targets) + len(self._done)
        else:
            entry["source"] = self._targets[number].wanted.where
        space = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        self._keep(number, entry, live, None, action, f"{resource.kind} {space}{metadata['name']}")

    _keeping = threading.Lock()

    def _keep(self, number: int, entry: Obj, before: Obj | None, after: Obj | None, action: str, label: str) -> None:
        with self._keeping:
            while number in self._done:
                number += 1
            self._done[number] = entry
            if self.options.diff and action in ("created", "changed", "adopted", "deleted"):
                self.diffs.append(diff.pair(before, after, label))


def _defined(crd: Wanted) -> tuple[tuple[str, str], tuple[list[str], str, bool]]:
    """(group, kind) -> (served versions, plural, namespaced) of a CustomResourceDefinition."""
    try:
        spec = crd.body["spec"]
        names = spec["names"]
        served = [version["name"] for version in spec["versions"] if version.get("served")]
        return (spec["group"], names["kind"]), (served, names["plural"], spec["scope"] == "Namespaced")
    except (KeyError, TypeError) as error:
        raise KubeError(
            crd.label,
            f"it is no complete definition: {error} is missing",
            "Nothing was changed. Complete it",
            reason="invalid",
            where=crd.where,
        ) from error


def _gone(resource: Resource, live: Obj) -> tuple[str, str, str]:
    metadata = live["metadata"]
    space = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    label = f"{resource.kind} {space}{metadata['name']}"
    return resource.path(metadata.get("namespace"), metadata["name"]), label, metadata["uid"]


def _now(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
