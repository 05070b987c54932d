# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How things stand before the first write, in few requests, and what makes the run impossible."""

from __future__ import annotations

import functools
import itertools
import typing as t

from .applyset import ApplySet
from .client import Client
from .discovery import Discovery, Resource
from .errors import ApiError, KubeError
from .explain import explain
from .manifests import Obj
from .plan import NOTHING, Key, Options, Target, refusal

_ONE_BY_ONE = 8  # up to so many objects of one kind are read one by one, more by one metadata LIST
_SCALABLE = {"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"}
Place: t.TypeAlias = "tuple[Resource, str | None]"


class Reading:
    """members: {key: (resource, live object)} of the set. missing: namespaces that do not exist."""

    def __init__(self, client: Client, discovery: Discovery, options: Options, apply_set: ApplySet | None) -> None:
        self._client = client
        self._discovery = discovery
        self._options = options
        self._set = apply_set
        self.missing: set[str] = set()
        self.members: dict[Key, tuple[Resource, Obj]] = {}
        self._autoscalers: dict[tuple[str, str, str], str] = {}

    def read(self, targets: list[Target]) -> None:
        """Fill live and autoscaler of every target; refuse what can be refused without a write."""
        if self._set:
            self._set.read(self._client.find(self._set.path))
        self._client.map(lambda job: job(), self._jobs(targets))
        for target in targets:
            member = self.members.get(target.key)
            # Served by another version than wanted: values would differ in shape, so it is read again.
            if member and member[0] == target.resource:
                target.live = member[1]
        self._probe([target for target in targets if target.live is None and not target.assumed])
        self._refuse(targets)

    def _jobs(self, targets: list[Target]) -> list[t.Callable[[], None]]:
        spaces = {target.wanted.namespace for target in targets if target.wanted.namespace}
        if self._set and not self._set.exists:
            spaces.add(self._set.namespace)
        jobs: list[t.Callable[[], None]] = [functools.partial(self._check_namespace, space) for space in sorted(spaces)]
        if self._set:
            jobs += [functools.partial(self._list_members, *place) for place in self._places(self._set, targets)]
        if self._options.state == "present":
            scaled = {
                target.wanted.namespace
                for target in targets
                if target.resource.kind in _SCALABLE and "replicas" in (target.body.get("spec") or {})
            }
            jobs += [functools.partial(self._list_autoscalers, space) for space in scaled if space]
        return jobs

    def _places(self, apply_set: ApplySet, targets: list[Target]) -> list[Place]:
        """Every kind and namespace that may hold members: what is wanted now and what the parent says."""
        places: dict[tuple[str, str | None], Place] = {}
        for target in targets:
            if not target.assumed and apply_set.exists:
                place = (target.resource, target.wanted.namespace)
                places[target.resource.group_kind, target.wanted.namespace] = place
        for group_kind in apply_set.group_kinds:
            resource = self._discovery.preferred(group_kind)
            if resource is None:
                group = group_kind.partition(".")[2]
                if group in self._discovery.stale:
                    cause = f"the API group {group} of its members does not answer"
                    raise KubeError(apply_set.label, cause, NOTHING + "Repair that API service first")
                continue  # the definition is gone, and with it every object
            spaces: t.Iterable[str | None] = sorted(apply_set.namespaces) if resource.namespaced else [None]
            for space in spaces:
                places.setdefault((group_kind, space), (resource, space))
        return list(places.values())

    def _list_members(self, resource: Resource, namespace: str | None) -> None:
        if self._set is None:
            return
        for item in self._client.list(resource.path(namespace), self._set.selector):
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
            metadata = item["metadata"]
            self.members[resource.group_kind, metadata.get("namespace"), metadata["name"]] = (resource, item)

    def _check_namespace(self, name: str) -> None:
        try:
            if self._client.find(f"/api/v1/namespaces/{name}") is None:
                self.missing.add(name)
        except ApiError as error:
            if error.status != 403:  # who may not look at namespaces learns it from the apply itself
                raise

    def _list_autoscalers(self, namespace: str) -> None:
        try:
            found = self._client.list(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")
        except ApiError as error:
            if error.status != 403:  # without the right to look, what an autoscaler has set shows as a conflict
                raise
            return
        for item in found:
            aim = item["spec"]["scaleTargetRef"]
            self._autoscalers[namespace, aim["kind"], aim["name"]] = item["metadata"]["name"]

    def _probe(self, targets: list[Target]) -> None:
        """Read what is not in the set (yet). Of many of one kind most will not exist: one LIST of names tells."""
        groups: dict[Place, list[Target]] = {}
        for target in targets:
            if target.wanted.namespace not in self.missing:
                groups.setdefault((target.resource, target.wanted.namespace), []).append(target)
        large = [place for place, members in groups.items() if len(members) > _ONE_BY_ONE]
        for place, existing in zip(large, self._client.map(self._names, large), strict=True):
            if existing is not None:
                groups[place] = [target for target in groups[place] if target.wanted.name in existing]
        self._client.map(self._read_one, list(itertools.chain.from_iterable(groups.values())))

    def _names(self, place: Place) -> set[str] | None:
        """Names of all objects at a place; None where they may not be listed."""
        try:
            found = self._client.list(place[0].path(place[1]), metadata_only=True)
        except ApiError as error:
            if error.status != 403:
                raise
            return None
        return {item["metadata"]["name"] for item in found}

    def _read_one(self, target: Target) -> None:
        try:
            target.live = self._client.find(target.path)
        except ApiError as error:
            raise explain(error, target.wanted.label, target.wanted.where, changed=False) from error

    def _refuse(self, targets: list[Target]) -> None:
        present, check = self._options.state == "present", self._options.check
        made = {target.wanted.name for target in targets if target.resource.group_kind == "Namespace"}
        for target in targets:
            space = target.wanted.namespace
            if target.live is not None and self._set:
                self._set.refuse_foreign(target.live, target.wanted.label, target.wanted.where)
            if present and space in self.missing and not target.assumed:
                if check:
                    target.assumed = f"the namespace {space} does not exist yet"
                elif space not in made:
                    cause = f"the namespace {space} does not exist"
                    raise refusal(target.wanted, cause, "Create it, or add it to the definition")
            target.autoscaler = self._autoscalers.get((space or "", target.resource.kind, target.wanted.name), "")
        parent = self._set.namespace if self._set else None
        if self._set and present and not check and parent in self.missing and parent not in made:
            cause = f"the namespace {parent} of the set's parent does not exist"
            raise KubeError(
                self._set.label, cause, NOTHING + "Create it, or add it to the definition", reason="invalid"
            )
