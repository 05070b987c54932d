# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of one declared secret: its object, new or changed as little as can be, and that in names for a diff."""

from __future__ import annotations

import typing as t

from . import documents, objects, source, stable
from .documents import REMOVE
from .errors import SealingError

Obj = dict[str, t.Any]
Change = tuple[tuple[str, ...], t.Any]
UNCHANGED, SEALED, REMOVED = "unchanged", "sealed", "removed"
_ANNOTATIONS = ("metadata", "annotations")
_TEMPLATE = ("spec", "template")


class Plan:
    """What becomes of one declared secret."""

    def __init__(self, declared: source.Declared) -> None:
        self.declared = declared
        self.number = 0  # of its document in the file; 0 where it has none
        self.current: Obj | None = None
        self.items: dict[str, str] = {}
        self.proofs: set[str] = set()
        self.sealed_for: dict[str, str] = {}
        self.new: dict[str, str] = {}
        self.changes: list[Change] = []
        self.wanted: Obj | None = None
        self.changed = False
        self.adopt = False

    def result(self) -> Obj:
        one = self.declared
        return {
            "namespace": one.namespace,
            "name": one.name,
            "scope": one.scope,
            "dest": str(one.dest) if one.dest else None,
            "changed": self.changed,
            "items": self.items,
            "why": ", ".join(sorted(self.proofs)) or stable.NONE,
        }


def settle(plan: Plan, notes: t.Mapping[str, t.Mapping[str, str]], *, exact: bool) -> None:
    """Work out what the object becomes. Of one that is only in the cluster nothing is kept that is not ours but its spec."""
    dest = plan.declared.dest
    if plan.current is None:
        plan.wanted = _composed(plan, notes)
        plan.changed = dest is not None
        return
    if dest is None:
        plan.current = _ours(plan.current)
    plan.changes = _changes(plan, plan.current, notes, exact)
    try:
        plan.wanted = documents.changed(plan.current, plan.changes)
    except SealingError as error:
        where = f"File {dest}" if dest else plan.declared.subject()
        raise SealingError(where, error.cause, error.next_step, reason="file") from None
    plan.changed = dest is not None and plan.wanted != plan.current


def _ours(live: Obj) -> Obj:
    """A live object without what others have put on it."""
    annotations = {
        name: value
        for name, value in _at(live, _ANNOTATIONS).items()
        if name in (objects.SEALED_WITH, objects.SEALED_DIGEST, objects.NAMESPACE_WIDE, objects.CLUSTER_WIDE)
    }
    metadata = {
        "name": live["metadata"]["name"],
        "namespace": live["metadata"]["namespace"],
        "annotations": annotations,
    }
    return {
        "apiVersion": objects.API_VERSION,
        "kind": objects.KIND,
        "metadata": metadata,
        "spec": live.get("spec") or {},
    }


def notes(plan: Plan, key_id: str, digest_key: bytes) -> dict[str, dict[str, str]]:
    """Our annotations: which key each item is sealed for, and the keyed digests."""
    one = plan.declared
    current = plan.current or {}
    remaining = {item for item in items_of(current) if plan.items.get(item) != REMOVED} | set(plan.new)
    with_key = {item: kept for item, kept in stable.noted(current, objects.SEALED_WITH).items() if item in remaining}
    digests = {item: kept for item, kept in stable.noted(current, objects.SEALED_DIGEST).items() if item in remaining}
    for item, what in plan.items.items():
        if what == SEALED:
            with_key[item] = key_id
            digests.pop(item, None)
        elif what == UNCHANGED and plan.sealed_for[item]:
            with_key[item] = plan.sealed_for[item]
        if what != REMOVED and digest_key:
            value = plan.new.get(item) or items_of(current)[item]
            digests[item] = stable.digest(digest_key, one.namespace, one.name, one.scope, item, value, one.values[item])
    return {objects.SEALED_WITH: with_key, objects.SEALED_DIGEST: digests}


def _composed(plan: Plan, notes: t.Mapping[str, t.Mapping[str, str]]) -> Obj:
    """A new object."""
    one = plan.declared
    annotations = {
        **one.sealed_annotations,
        **{name: stable.note(entries) for name, entries in notes.items() if entries},
    }
    metadata: Obj = {"name": one.name, "labels": one.labels, "annotations": one.annotations}
    if one.namespace:
        metadata["namespace"] = one.namespace
    obj = objects.compose(
        {"metadata": metadata, "type": one.kind or "Opaque", "immutable": one.immutable},
        one.scope,
        plan.new,
        {"labels": one.sealed_labels, "annotations": annotations},
    )
    if one.template_data:
        obj["spec"]["template"]["data"] = dict(one.template_data)
    return obj


def _changes(plan: Plan, current: Obj, notes: t.Mapping[str, t.Mapping[str, str]], exact: bool) -> list[Change]:
    one = plan.declared
    changes: list[Change] = [
        (("spec", "encryptedData", item), REMOVE if what == REMOVED else plan.new[item])
        for item, what in plan.items.items()
        if what != UNCHANGED
    ]
    changes += _scope_changes(current, one.scope)
    for name, entries in notes.items():
        if entries != stable.noted(current, name):
            changes.append(((*_ANNOTATIONS, name), stable.note(entries) if entries else REMOVE))
    changes += [(("metadata", "labels", name), value) for name, value in one.sealed_labels.items()]
    changes += [((*_ANNOTATIONS, name), value) for name, value in one.sealed_annotations.items()]
    for place, wanted in (
        ((*_TEMPLATE, "metadata", "labels"), one.labels),
        ((*_TEMPLATE, "metadata", "annotations"), one.annotations),
        ((*_TEMPLATE, "data"), one.template_data),
    ):
        if wanted is not None:
            changes += _exactly(current, place, wanted, exact)
    if one.kind is not None:
        changes.append(((*_TEMPLATE, "type"), one.kind))
    if one.immutable is not None and bool(_at(current, _TEMPLATE).get("immutable")) != one.immutable:
        changes.append(((*_TEMPLATE, "immutable"), True if one.immutable else REMOVE))
    return changes


def _exactly(current: Obj, place: tuple[str, ...], wanted: t.Mapping[str, t.Any], exact: bool) -> list[Change]:
    """A mapping of the template gets these entries and, where the declaration is exact, no other. Scope is not its business."""
    changes: list[Change] = [((*place, name), value) for name, value in wanted.items()]
    if exact:
        found = [name for name in _at(current, place) if name not in wanted]
        changes += [
            ((*place, name), REMOVE) for name in found if name not in (objects.NAMESPACE_WIDE, objects.CLUSTER_WIDE)
        ]
    return changes


def _scope_changes(current: Obj, scope: str) -> list[Change]:
    """The annotations that declare a scope, on the SealedSecret and in its template, where they declare another one."""
    own = objects.scope_annotations(scope)
    return [
        ((*place, name), own.get(name, REMOVE))
        for place in (_ANNOTATIONS, (*_TEMPLATE, "metadata", "annotations"))
        if objects.scope_of(_at(current, place)) != scope
        for name in (objects.NAMESPACE_WIDE, objects.CLUSTER_WIDE)
    ]


def items_of(obj: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return (obj.get("spec") or {}).get("encryptedData") or {}


def _at(obj: t.Any, place: tuple[str, ...]) -> dict[str, t.Any]:
    """The mapping at a path; {} where there is none."""
    for step in place:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}


def appended(text: str, new: t.Sequence[Obj]) -> str:
    """A text with documents at its end."""
    parts = [documents.dump(obj) for obj in new]
    if not parts:
        return text
    if text.strip():
        text += ("" if text.endswith("\n") else "\n") + "---\n"
    newline = "\r\n" if "\r\n" in text else "\n"
    return text.replace("\r\n", "\n").replace("\n", newline) + "---\n".join(parts).replace("\n", newline)


def diff(plan: Plan) -> Obj:
    """Names and what happens to them; no values, and no ciphertext."""
    one = plan.declared
    header = one.subject() + (f" ({one.dest})" if one.dest else "")
    before, after = _summary(plan.current), _summary(plan.wanted)
    for item, what in plan.items.items():
        if what == SEALED and item in items_of(plan.current or {}):
            after[f"item {item}"] = "sealed anew"
    for path, value in plan.changes:
        name = ".".join(path)
        if path[:2] != ("spec", "encryptedData") and value is not REMOVE and name in before and name in after:
            old = _at(plan.current, path[:-1]).get(path[-1])
            if old != value:
                after[name] = "changed"
    if plan.adopt:
        before["Secret"], after["Secret"] = "not managed", "taken over"
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join(f"{name}: {value}\n" for name, value in sorted(before.items())),
        "after": "".join(f"{name}: {value}\n" for name, value in sorted(after.items())),
    }


def _summary(obj: Obj | None) -> dict[str, str]:
    """What a SealedSecret has, by name."""
    if obj is None:
        return {}
    found = {f"item {item}": "sealed" for item in items_of(obj)}
    found["scope"] = objects.scope_of(_at(obj, _ANNOTATIONS))
    template = _at(obj, _TEMPLATE)
    found.update({f"template {part}": str(template[part]) for part in ("type", "immutable") if template.get(part)})
    places = (
        ("metadata", "labels"),
        _ANNOTATIONS,
        (*_TEMPLATE, "metadata", "labels"),
        (*_TEMPLATE, "metadata", "annotations"),
    )
    for place in (*places, (*_TEMPLATE, "data")):
        found.update({".".join((*place, name)): "set" for name in _at(obj, place)})
    return found
