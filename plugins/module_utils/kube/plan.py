# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From wanted objects to targets: their kinds found, their namespaces settled, what cannot be refused at once."""

from __future__ import annotations

import dataclasses
import typing as t

from .applyset import PART_OF, ApplySet
from .discovery import Discovery, Resource
from .errors import KubeError
from .manifests import Obj, Wanted

NOTHING = "Nothing was changed. "
Key: t.TypeAlias = "tuple[str, str | None, str]"  # Kind.group, namespace, name


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
    """A wanted object on its way.

    body: as it is sent; live: as it stood before; after: as it stands now
    assumed: why it can only be predicted; fresh_kind: its definition is made by the same run
    autoscaler: name of the HorizontalPodAutoscaler that scales it
    """

    number: int
    wanted: Wanted
    resource: Resource
    body: Obj
    live: Obj | None = None
    after: Obj | None = None
    assumed: str = ""
    fresh_kind: bool = False
    autoscaler: str = ""
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def path(self) -> str:
        return self.resource.path(self.wanted.namespace, self.wanted.name)

    @property
    def key(self) -> Key:
        return self.resource.group_kind, self.wanted.namespace, self.wanted.name


def refusal(item: Wanted, cause: str, next_step: str, reason: str = "invalid") -> KubeError:
    """An error about one document, found before anything was written."""
    return KubeError(item.label, cause, NOTHING + next_step, reason=reason, where=item.where)


def resolve(
    wanted: list[Wanted], discovery: Discovery, options: Options, apply_set: ApplySet | None
) -> tuple[list[Target], list[str]]:
    """(targets in the order of wanted, warnings). KubeError for the first one that is impossible."""
    # To delete a definition its name is enough; only one that is to come tells what it will serve.
    definitions = [item for item in wanted if item.kind == "CustomResourceDefinition" and options.state == "present"]
    coming = dict(_defined(item) for item in definitions)
    targets: list[Target] = []
    warnings: list[str] = []
    seen: dict[Key, Wanted] = {}
    for number, item in enumerate(wanted):
        target = _target(number, item, discovery, coming, options)
        if target.assumed and not target.fresh_kind and options.state == "present":
            warnings.append(f"{item.label} ({item.where}): {target.assumed}; it can only be predicted")
        _place(target)
        other = seen.setdefault(target.key, item)
        if other is not item:
            raise refusal(item, f"it is there twice, also in {other.where}", "Remove one")
        if apply_set:
            _join(target, apply_set)
        targets.append(target)
    return targets, warnings


def _target(
    number: int,
    item: Wanted,
    discovery: Discovery,
    coming: dict[tuple[str, str], tuple[list[str], str, bool]],
    options: Options,
) -> Target:
    resource = discovery.find(item.api_version, item.kind)
    if resource is not None:
        return Target(number, item, resource, item.body)
    version = item.api_version.rpartition("/")[2]
    served, plural, namespaced = coming.get((item.group, item.kind), ([], "", True))
    target = Target(number, item, Resource(item.group, version, item.kind, plural, namespaced), item.body)
    if version in served:
        target.fresh_kind, target.assumed = True, "its definition is created by the same run"
    elif options.state == "absent" and item.group not in discovery.stale:
        target.assumed = "its kind is not served"
    elif options.state == "present" and options.check:
        target.assumed = f"the kind {item.kind} ({item.api_version}) is not served yet"
    else:
        raise unknown_kind(item, discovery)
    return target


def unknown_kind(item: Wanted, discovery: Discovery) -> KubeError:
    if item.group in discovery.stale:
        cause = f"the API group {item.group} does not answer at the moment"
        return refusal(item, cause, f"See kubectl get apiservice | grep {item.group}", "unknown_kind")
    hint = discovery.near(item.api_version, item.kind) or "Install its CustomResourceDefinition before"
    return refusal(item, f"the cluster serves no kind {item.kind} in {item.api_version}", hint, "unknown_kind")


def _place(target: Target) -> None:
    """Settle the namespace: a namespaced object has one, a cluster-wide one has none."""
    item = target.wanted
    known = bool(target.resource.plural)
    if known and not target.resource.namespaced:
        if item.body["metadata"].get("namespace"):
            raise refusal(item, "it is cluster-wide and has a metadata.namespace", "Remove the namespace")
        item.namespace = None
    elif known and not item.namespace:
        raise refusal(item, "metadata.namespace is missing", "Set it, or the argument namespace")
    if item.namespace:
        target.body = {**item.body, "metadata": {**item.body["metadata"], "namespace": item.namespace}}


def _join(target: Target, apply_set: ApplySet) -> None:
    metadata = target.body["metadata"]
    labels = {**(metadata.get("labels") or {}), PART_OF: apply_set.id}
    target.body = {**target.body, "metadata": {**metadata, "labels": labels}}


def _defined(crd: Wanted) -> tuple[tuple[str, str], tuple[list[str], str, bool]]:
    """(group, kind) -> (served versions, plural, namespaced) of a CustomResourceDefinition."""
    try:
        spec = crd.body["spec"]
        names = spec["names"]
        served = [version["name"] for version in spec["versions"] if version.get("served")]
        return (spec["group"], names["kind"]), (served, names["plural"], spec["scope"] == "Namespaced")
    except (KeyError, TypeError) as error:
        raise refusal(crd, f"it is no complete definition: {error} is missing", "Complete it") from error


def label_of(resource: Resource, live: t.Mapping[str, t.Any]) -> str:
    """Kind namespace/name of a live object."""
    metadata = live["metadata"]
    space = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{resource.kind} {space}{metadata['name']}"


def path_of(resource: Resource, live: t.Mapping[str, t.Any]) -> str:
    metadata = live["metadata"]
    return resource.path(metadata.get("namespace"), metadata["name"])
