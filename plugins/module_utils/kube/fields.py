# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what: managedFields (fieldsV1) read, compared with a wanted object, and changed.

A fieldsV1 is a tree: "f:<key>" for a field, 'k:{"name":"x"}' for an item of a keyed list,
'v:"x"' for an item of a set, "." for the node itself; {} is an owned leaf.

`proves` answers one question: would applying this object change nothing? It says yes only where that
follows from what the server shows; whatever the server defaults, normalises (cpu 1000m becomes 1)
or drops makes it say no, and the object is applied for real.
"""

from __future__ import annotations

import itertools
import json
import typing as t

Obj = dict[str, t.Any]
Path = tuple[str, ...]

# Identity and the server's own fields never appear in managedFields.
_IDENTITY = ("name", "namespace")


def entry_of(live: Obj, manager: str) -> Obj | None:
    """Our server-side apply entry of a live object."""
    for entry in live.get("metadata", {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return t.cast(Obj, entry)
    return None


def proves(wanted: Obj, live: Obj, manager: str) -> bool:
    """True only where our entry owns exactly the wanted fields and every value is the wanted one."""
    entry = entry_of(live, manager)
    metadata = live.get("metadata", {})
    if entry is None or metadata.get("deletionTimestamp"):
        return False
    if entry.get("apiVersion") != wanted.get("apiVersion") or entry.get("fieldsType", "FieldsV1") != "FieldsV1":
        return False
    body = {key: value for key, value in wanted.items() if key not in ("apiVersion", "kind", "metadata")}
    head = {key: value for key, value in wanted["metadata"].items() if key not in _IDENTITY}
    owned = dict(entry.get("fieldsV1") or {})
    owned_head = owned.pop("f:metadata", {})
    others = [other.get("fieldsV1") or {} for other in metadata["managedFields"] if other is not entry]
    return _map(head, owned_head, metadata, _below(others, "f:metadata")) and _map(body, owned, live, others)


def _below(others: list[Obj], step: str) -> list[Obj]:
    return [other[step] for other in others if step in other] if others else others


def _map(wanted: Obj, owned: Obj, live: t.Any, others: list[Obj]) -> bool:
    """Same children in wanted and owned, each of them proven. others: what other managers own at this place."""
    if not isinstance(live, dict):
        return False
    children = {key for key in owned if key != "."}
    if len(children) != len(wanted):
        return False
    for key, value in wanted.items():
        under = owned.get("f:" + key)
        if under is None or key not in live or not _value(value, under, live[key], _below(others, "f:" + key)):
            return False
    return True


def _value(wanted: t.Any, owned: Obj, live: t.Any, others: list[Obj]) -> bool:
    if not _has_children(owned):
        # A scalar, an empty container, or a list or map the schema calls atomic: all or nothing. Where others own
        # parts of it, it is not atomic: we once wanted it empty, and own none of what it holds. Nor does anybody where it
        # holds nothing but empty containers: that is what remains of what others took back.
        return same(wanted, live) and not any(map(_has_children, others)) and (not wanted or _holds_a_scalar(wanted))
    if isinstance(wanted, dict) and wanted:
        return _map(wanted, owned, live, others)
    if isinstance(wanted, list) and wanted and isinstance(live, list):
        return _items(wanted, owned, live, others)
    return False


def _holds_a_scalar(value: t.Any) -> bool:
    """Whether there is anything in a value but empty containers."""
    if isinstance(value, (dict, list)):
        return any(map(_holds_a_scalar, value.values() if isinstance(value, dict) else value))
    return True


def _has_children(owned: Obj) -> bool:
    return any(key != "." for key in owned)


def same(wanted: t.Any, live: t.Any) -> bool:
    """Equal in value and type (Python holds True == 1 == 1.0)."""
    if isinstance(wanted, dict):
        return (
            isinstance(live, dict)
            and wanted.keys() == live.keys()
            and all(same(value, live[key]) for key, value in wanted.items())
        )
    if isinstance(wanted, list):
        return isinstance(live, list) and len(wanted) == len(live) and all(map(same, wanted, live))
    return wanted is not None and type(wanted) is type(live) and bool(wanted == live)


def _items(wanted: list[t.Any], owned: Obj, live: list[t.Any], others: list[Obj]) -> bool:
    keys = [key for key in owned if key != "."]
    if len(keys) != len(wanted):
        return False
    if all(key.startswith("v:") for key in keys):
        ours = [json.loads(key[2:]) for key in keys]
        return all(_index(value, ours) is not None for value in wanted) and _in_order(
            [_index(value, live) for value in wanted]
        )
    if not all(key.startswith("k:") for key in keys):
        return False
    positions: list[int | None] = []
    taken: set[str] = set()
    for item in wanted:
        key = _key_of(item, keys, taken)
        if key is None:
            return False
        taken.add(key)
        position = _position(json.loads(key[2:]), live)
        if position is None or not _map(item, owned[key], live[position], _below(others, key)):
            return False
        positions.append(position)
    return _in_order(positions)


def _index(value: t.Any, values: list[t.Any]) -> int | None:
    for number, other in enumerate(values):
        if same(value, other):
            return number
    return None


def _in_order(positions: list[int | None]) -> bool:
    """Every item is there, once, and in the order we want (the order of env or initContainers matters)."""
    known = [position for position in positions if position is not None]
    return len(known) == len(positions) and all(a < b for a, b in itertools.pairwise(known))


def _key_of(item: t.Any, keys: list[str], taken: set[str]) -> str | None:
    """The one owned list key this item can be. A key field may be missing in the item (port's protocol is defaulted)."""
    if not isinstance(item, dict):
        return None
    found: str | None = None
    for key in keys:
        if key in taken:
            continue
        fields = json.loads(key[2:])
        if all(same(item[name], value) for name, value in fields.items() if name in item):
            if all(name in item for name in fields):
                return key
            if found is not None:
                return None
            found = key
    return found


def _position(key: Obj, live: list[t.Any]) -> int | None:
    found = [
        number
        for number, item in enumerate(live)
        if isinstance(item, dict) and all(same(value, item.get(name)) for name, value in key.items())
    ]
    return found[0] if len(found) == 1 else None


# -- sets of paths ----------------------------------------------------------------------------------


def paths(tree: Obj, prefix: Path = ()) -> set[Path]:
    """Every owned path of a fieldsV1."""
    if not tree:
        return {prefix} if prefix else set()
    found: set[Path] = set()
    for key, below in tree.items():
        if key == ".":
            found.add(prefix)
        else:
            found |= paths(below, (*prefix, key))
    return found


def tree(owned: t.Iterable[Path]) -> Obj:
    """The fieldsV1 of a set of paths; the reverse of paths()."""
    result: Obj = {}
    listed = set(owned)
    for path in sorted(listed):
        node = result
        for depth, step in enumerate(path, 1):
            node = node.setdefault(step, {})
            if path[:depth] in listed and depth < len(path):
                node.setdefault(".", {})
    return result


def remove(live: Obj, path: Path) -> None:
    """Take the value at an owned path out of an object; nothing where it is not there."""
    node: t.Any = live
    for step in path[:-1]:
        node = _child(node, step)
        if node is None:
            return
    last = path[-1]
    if last.startswith("f:") and isinstance(node, dict):
        node.pop(last[2:], None)
    elif isinstance(node, list):
        value = _child(node, last)
        if value is not None:
            node.remove(value)


def drop(live: Obj, gone: set[Path], kept: set[Path]) -> None:
    """Remove the values at paths nobody owns any more, as the server does after an apply: whole items before their parts,
    nothing that holds something owned, no key of an item that stays."""
    for path in sorted(gone - kept, key=len):
        is_key = len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])
        if not is_key and not any(other[: len(path)] == path for other in kept):
            remove(live, path)


def _child(node: t.Any, step: str) -> t.Any:
    if step.startswith("f:"):
        return node.get(step[2:]) if isinstance(node, dict) else None
    if not isinstance(node, list):
        return None
    wanted = json.loads(step[2:])
    if step.startswith("k:"):
        position = _position(wanted, node)
        return None if position is None else node[position]
    if step.startswith("v:"):
        position = _index(wanted, node)
        return None if position is None else node[position]
    return None
