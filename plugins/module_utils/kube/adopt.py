# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adoption: fields that kubectl or Helm own become ours, so that what we leave out goes away and what we set stays.

Only ownership is rewritten here, values stay; the server-side apply that follows changes them. The first time
only: once we own an object, somebody else's write is a conflict to report, not to swallow.
"""

from __future__ import annotations

import typing as t

from . import fields

Obj = dict[str, t.Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# (manager, operation); None: any. kubectl-edit, kubectl-label, kubectl-scale and kubectl-rollout are people's
# deliberate changes to somebody's object and stay theirs, but for a namespace's Pod Security.
_TAKEN: tuple[tuple[str, str | None], ...] = (
    ("kubectl-client-side-apply", "Update"),
    ("kubectl-create", "Update"),
    ("kubectl", "Apply"),
    ("before-first-apply", None),
    ("helm", None),
)


# Labels of a namespace that people set before there were walls, and that walls are made of.
_SECURITY = "f:pod-security.kubernetes.io/"


def _is_taken(entry: Obj) -> bool:
    return not entry.get("subresource") and any(
        entry.get("manager") == manager and operation in (None, entry.get("operation")) for manager, operation in _TAKEN
    )


def names_taken(message: str, field: str = "") -> bool:
    """Does a conflict's message name a manager that adoption takes over? field: what it is about."""
    if 'conflict with "kubectl' in message and field.startswith(f".metadata.labels.{_SECURITY[2:]}"):
        return True
    return any(f'conflict with "{manager}"' in message for manager, _operation in _TAKEN)


def _is_security(entry: Obj, path: fields.Path) -> bool:
    """Is this a label of Pod Security that somebody set by kubectl?"""
    by_hand = str(entry.get("manager")).startswith("kubectl") and entry.get("operation") == "Update"
    return by_hand and not entry.get("subresource") and path[-1].startswith(_SECURITY)


def _left(path: fields.Path, has_replicas: bool) -> bool:
    """What is never taken over: replicas that we do not set (an autoscaler may), and injected CA bundles."""
    return path[-1] == "f:caBundle" or (path == ("f:spec", "f:replicas") and not has_replicas)


def take_over(live: Obj, wanted: Obj, manager: str, now: str) -> tuple[list[Obj], list[str]] | None:
    """(new managedFields, managers taken over), or None where there is nothing to take over.

    wanted: as it will be sent. now: RFC 3339 time for our entry.
    """
    entries = live["metadata"].get("managedFields") or []
    if fields.entry_of(live, manager) is not None:
        return None
    has_replicas = "replicas" in (wanted.get("spec") or {})
    # A namespace is shared ground: labels others gave it (Pod Security, quotas) are not ours to drop.
    only = _sent(wanted) if wanted["kind"] == "Namespace" else None
    taken: set[fields.Path] = set()
    managers: list[str] = []
    kept: list[Obj] = []
    for entry in entries:
        owned = fields.paths(entry.get("fieldsV1") or {})
        # Ownership in another version of the kind has other paths: the server converts it, we cannot.
        if entry.get("apiVersion") != wanted["apiVersion"]:
            stay = owned
        elif only is not None:
            stay = {path for path in owned if path not in only or not (_is_taken(entry) or _is_security(entry, path))}
        else:
            stay = {path for path in owned if not _is_taken(entry) or _left(path, has_replicas)}
        if stay == owned:
            kept.append(entry)
            continue
        taken |= owned - stay
        managers.append(str(entry["manager"]))
        if stay:
            kept.append({**entry, "fieldsV1": fields.tree(stay)})
    if not taken:
        return None
    ours = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": wanted["apiVersion"],
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.tree(taken),
    }
    return [ours, *kept], managers


def release(live: Obj, path: fields.Path, manager: str) -> list[Obj] | None:
    """managedFields without our ownership of one field, its value untouched; None where we do not own it.

    To leave a field out of an apply instead would delete it (replicas: back to 1).
    """
    entry = fields.entry_of(live, manager)
    if entry is None:
        return None
    owned = fields.paths(entry.get("fieldsV1") or {})
    if path not in owned:
        return None
    return [
        {**other, "fieldsV1": fields.tree(owned - {path})} if other is entry else other
        for other in live["metadata"]["managedFields"]
    ]


def predict(dry_run: Obj, live: Obj, wanted: Obj, manager: str, now: str) -> Obj | None:
    """A dry run's answer without the taken fields that we do not want; None where nothing is taken over."""
    change = take_over(live, wanted, manager, now)
    if change is None:
        return None
    taken = fields.paths(change[0][0]["fieldsV1"])
    held = {path for entry in change[0][1:] for path in fields.paths(entry.get("fieldsV1") or {})}
    after_entry = fields.entry_of(dry_run, manager) or {}
    ours = fields.paths(after_entry.get("fieldsV1") or {})
    fields.drop(dry_run, taken, held | ours)
    return dry_run


def _sent(wanted: Obj) -> set[fields.Path]:
    """Paths of a namespace's labels and annotations that we send."""
    metadata = wanted["metadata"]
    return {
        ("f:metadata", f"f:{part}", f"f:{key}")
        for part in ("labels", "annotations")
        for key in metadata.get(part) or {}
    }
