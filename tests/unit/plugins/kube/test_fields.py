# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that nothing has to be applied: never given where applying would change something.

`Server` is a small model of server-side apply over a schema (granular and atomic maps, atomic, keyed and set lists); the
integration tests hold the same claims against the real one.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.kube import fields

Obj = dict[str, t.Any]
KEYS = st.sampled_from("abc")
SCALARS = st.one_of(st.integers(0, 2), st.sampled_from(["", "x", "1"]), st.booleans())
# Kind of a node: scalar, map, atomic (any value, owned as a whole), set (of scalars), keyed (items with key k)
SCHEMAS = st.recursive(
    st.sampled_from([("scalar",), ("atomic",), ("set",)]),
    lambda inner: st.one_of(
        st.tuples(st.just("map"), st.dictionaries(KEYS, inner, min_size=1)),
        st.tuples(st.just("keyed"), st.dictionaries(KEYS, inner, min_size=1)),
    ),
    max_leaves=6,
)


def values(schema: t.Any) -> st.SearchStrategy[t.Any]:
    kind = schema[0]
    if kind == "scalar":
        return SCALARS
    if kind == "atomic":
        return st.one_of(st.lists(SCALARS, max_size=2), st.dictionaries(KEYS, SCALARS, max_size=2))
    if kind == "set":
        return st.lists(st.sampled_from("xyz"), unique=True, max_size=3)
    if kind == "map":
        return st.fixed_dictionaries({}, optional={key: values(below) for key, below in schema[1].items()})
    item = st.fixed_dictionaries({}, optional={key: values(below) for key, below in schema[1].items()})
    keyed = st.lists(st.tuples(st.sampled_from("pq"), item), unique_by=lambda pair: pair[0], max_size=2)
    return keyed.map(lambda pairs: [{"k": key, **body} for key, body in pairs])


def owned(schema: t.Any, value: t.Any, path: fields.Path) -> set[fields.Path]:
    """Paths that applying this value owns, as structured-merge-diff has them."""
    kind = schema[0]
    if kind in ("scalar", "atomic") or not value:
        return {path}
    if kind == "map":
        return {found for key, below in value.items() for found in owned(schema[1][key], below, (*path, "f:" + key))}
    if kind == "set":
        return {(*path, "v:" + json.dumps(item)) for item in value}
    found: set[fields.Path] = set()
    for item in value:
        place = (*path, "k:" + json.dumps({"k": item["k"]}, separators=(",", ":")))
        found |= {place, (*place, "f:k")}
        for key, below in item.items():
            if key != "k":
                found |= owned(schema[1][key], below, (*place, "f:" + key))
    return found


def merged(schema: t.Any, live: t.Any, value: t.Any) -> t.Any:
    """The live value after applying: items keep their places unless their order is not the wanted one."""
    kind = schema[0]
    if kind in ("scalar", "atomic") or live is None:
        return copy.deepcopy(value)
    if kind == "map":
        result = dict(live)
        for key, below in value.items():
            result[key] = merged(schema[1][key], live.get(key), below)
        return result
    if kind == "set":
        return in_place(value, live, live) or [*value, *(item for item in live if item not in value)]
    there = {item["k"]: item for item in live}
    order = in_place([item["k"] for item in value], list(there), live)
    ours = []
    for item in value:
        old = there.pop(item["k"], {"k": item["k"]})
        new = dict(old)
        for key, below in item.items():
            if key != "k":
                new[key] = merged(schema[1][key], old.get(key), below)
        ours.append(new)
    all_items = [*ours, *there.values()]
    if order:
        return [item for key in order for item in all_items if item["k"] == key]
    return all_items


def in_place(names: list[t.Any], there: list[t.Any], live: t.Any) -> list[t.Any]:
    """The live order with new names at the end, where that keeps the wanted order; else nothing."""
    order = [*there, *(name for name in names if name not in there)]
    return order if live and [name for name in order if name in names] == names else []


@dataclasses.dataclass
class Server:
    schema: t.Any
    live: t.Any = None
    owners: dict[str, set[fields.Path]] = dataclasses.field(default_factory=dict)

    def apply(self, manager: str, value: t.Any) -> None:
        new = owned(self.schema, value, ("f:spec",))
        before = self.owners.get(manager, set())
        self.live = merged(self.schema, self.live, value)
        others = {path for name, paths in self.owners.items() if name != manager for path in paths}
        holder = {"spec": self.live}
        fields.drop(holder, before, new | others)
        self.live = holder.get("spec")
        self.owners[manager] = new

    def object(self) -> Obj:
        entries = [
            {
                "manager": name,
                "operation": "Apply",
                "apiVersion": "v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": fields.tree(paths),
            }
            for name, paths in self.owners.items()
        ]
        return {
            "apiVersion": "v1",
            "metadata": {"name": "x", "managedFields": entries},
            "spec": copy.deepcopy(self.live),
        }


def wanted(value: t.Any) -> Obj:
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": value}


@settings(max_examples=400, deadline=None)
@given(st.data(), SCHEMAS)
def test_a_proof_is_always_right(data: st.DataObject, schema: t.Any) -> None:
    """Others and we apply; whatever is wanted next, a proof means that applying it changes neither value nor owner."""
    server = Server(schema)
    if data.draw(st.booleans(), "somebody else was there"):
        server.apply("other", data.draw(values(schema)))
    value = data.draw(values(schema))
    server.apply("ours", value)
    if data.draw(st.booleans(), "somebody else came after us"):
        server.apply("other", data.draw(values(schema)))
    before = server.object()
    following = data.draw(st.one_of(st.just(value), values(schema)), "wanted next")
    if fields.proves(wanted(following), before, "ours"):
        server.apply("ours", following)
        assert server.object() == before


def test_what_others_took_back_is_not_ours() -> None:
    """We wanted an empty map, somebody filled a list in it and took it back: the empty list that is left belongs to nobody."""
    server = Server(("map", {"a": ("keyed", {"a": ("scalar",)})}))
    server.apply("other", {"a": [{"k": "p"}]})
    server.apply("ours", {})
    server.apply("other", {})
    assert not fields.proves(wanted({"a": []}), server.object(), "ours")


@settings(max_examples=400, deadline=None)
@given(st.data(), SCHEMAS)
def test_what_was_just_applied_is_proven(data: st.DataObject, schema: t.Any) -> None:
    server = Server(schema)
    value = data.draw(values(schema))
    server.apply("ours", value)
    assert fields.proves(wanted(value), server.object(), "ours")


@settings(max_examples=200, deadline=None)
@given(st.sets(st.lists(st.sampled_from(["f:a", "f:b", 'k:{"n":"x"}', 'v:"y"']), min_size=1, max_size=4).map(tuple)))
def test_paths_and_trees_are_each_others_reverse(some: set[fields.Path]) -> None:
    assert fields.paths(fields.tree(some)) == some


def live(owned_fields: Obj, **body: t.Any) -> Obj:
    entry = {
        "manager": "ours",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": owned_fields,
    }
    metadata = {"name": "x", "managedFields": [entry], **body.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "X", "metadata": metadata, **body}


PORT = 'k:{"port":80,"protocol":"TCP"}'
UDP = 'k:{"port":80,"protocol":"UDP"}'


@pytest.mark.parametrize(
    ("want", "own", "have", "proven"),
    [
        ({"a": 1}, {"f:a": {}}, {"a": 1}, True),
        ({"a": 1}, {"f:a": {}}, {"a": True}, False),
        ({"a": 1}, {"f:a": {}}, {"a": 1.0}, False),
        ({"a": "1"}, {"f:a": {}}, {"a": 1}, False),
        ({"a": "1000m"}, {"f:a": {}}, {"a": "1"}, False),
        ({"a": 1}, {"f:a": {}}, {"a": 1, "defaulted": 2}, True),
        ({"a": 1}, {"f:a": {}, "f:b": {}}, {"a": 1, "b": 1}, False),
        ({"a": 1, "b": 1}, {"f:a": {}}, {"a": 1, "b": 1}, False),
        ({"a": None}, {"f:a": {}}, {"a": None}, False),
        ({"a": {}}, {"f:a": {}}, {"a": {}}, True),
        ({"a": {}}, {"f:a": {}}, {"a": {"b": 1}}, False),
        ({"a": {"x": 1}}, {"f:a": {}}, {"a": {"x": 1}}, True),
        ({"a": {"x": 1}}, {"f:a": {}}, {"a": {"x": 1, "y": 2}}, False),
        ({"a": [1, 2]}, {"f:a": {}}, {"a": [1, 2]}, True),
        ({"a": [2, 1]}, {"f:a": {}}, {"a": [1, 2]}, False),
        ({"a": ["x"]}, {"f:a": {'v:"x"': {}}}, {"a": ["y", "x"]}, True),
        ({"a": ["x", "y"]}, {"f:a": {'v:"x"': {}, 'v:"y"': {}}}, {"a": ["y", "x"]}, False),
        (
            {"a": [{"port": 80}]},
            {"f:a": {PORT: {".": {}, "f:port": {}}}},
            {"a": [{"port": 80, "protocol": "TCP"}]},
            True,
        ),
        (
            {"a": [{"port": 80, "protocol": "UDP"}, {"port": 80}]},
            {"f:a": {PORT: {".": {}, "f:port": {}}, UDP: {".": {}, "f:port": {}, "f:protocol": {}}}},
            {"a": [{"port": 80, "protocol": "UDP"}, {"port": 80, "protocol": "TCP"}]},
            True,
        ),
        ({"a": [{"port": 80}]}, {"f:a": {PORT: {}, UDP: {}}}, {"a": [{"port": 80, "protocol": "TCP"}]}, False),
        (
            {"a": [{"port": 81}]},
            {"f:a": {PORT: {".": {}, "f:port": {}}}},
            {"a": [{"port": 80, "protocol": "TCP"}]},
            False,
        ),
        ({"a": [{"port": 80}]}, {"f:a": {"i:0": {}}}, {"a": [{"port": 80}]}, False),
        ({"a": [{"port": 80}]}, {"f:a": {PORT: {".": {}, "f:port": {}}}}, {"a": []}, False),
        ({"a": 1}, {"f:a": {}}, {}, False),
        ({"a": {"b": 1}}, {"f:a": {"f:b": {}}}, {"a": "text"}, False),
    ],
)
def test_cases(want: Obj, own: Obj, have: Obj, proven: bool) -> None:
    assert fields.proves(wanted(want), live({"f:spec": own}, spec=have), "ours") is proven


def test_an_empty_map_of_ours_that_others_filled_is_not_ours() -> None:
    state = live({"f:spec": {"f:a": {}}}, spec={"a": {"x": 1}})
    state["metadata"]["managedFields"].append(
        {"manager": "other", "operation": "Update", "fieldsV1": {"f:spec": {"f:a": {"f:x": {}}}}}
    )
    assert not fields.proves(wanted({"a": {"x": 1}}), state, "ours")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state["metadata"].pop("managedFields"),
        lambda state: state["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"),
        lambda state: state["metadata"]["managedFields"][0].update(operation="Update"),
        lambda state: state["metadata"]["managedFields"][0].update(manager="other"),
        lambda state: state["metadata"]["managedFields"][0].update(subresource="status"),
        lambda state: state["metadata"]["managedFields"][0].update(apiVersion="v2"),
        lambda state: state["metadata"]["managedFields"][0].update(fieldsType="FieldsV2"),
        lambda state: state["metadata"]["managedFields"][0]["fieldsV1"].update(
            {"f:metadata": {"f:labels": {"f:a": {}}}}
        ),
    ],
)
def test_no_proof_without_our_entry(spoil: t.Callable[[Obj], t.Any]) -> None:
    state = live({"f:spec": {"f:a": {}}}, spec={"a": 1})
    assert fields.proves(wanted({"a": 1}), state, "ours")
    spoil(state)
    assert not fields.proves(wanted({"a": 1}), state, "ours")
