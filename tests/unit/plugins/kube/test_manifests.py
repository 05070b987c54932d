# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents as Kubernetes reads them, what is never sent, and errors that quote nothing."""

from __future__ import annotations

import base64
import copy
import json
import re
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.kube import manifests
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 22:30", "22:30"),
        ("a: 2026-01-01", "2026-01-01"),
        ("a: 1e3", 1000),
        ("a: 1.5", 1.5),
        ("a: 1.0", 1.0),
        ("a: 0644", 420),
        ("a: 0x1f", 31),
        ("a: 1_000", 1000),
        ("a: yes", True),
        ("a: Off", False),
        ("a: y", "y"),
        ("a: ~", None),
        ("a:", None),
        ("a: ''", ""),
        ("a: 'yes'", "yes"),
        ("a: =", "="),
        ("a: 1.2.3", "1.2.3"),
        ("a: -5", -5),
        ("a: .5", 0.5),
        ("a: [1, x]", [1, "x"]),
        ("b: &x {c: 1}\na: *x", {"c": 1}),
        ("b: &x {c: 1, d: 2}\na: {<<: *x, d: 3}", {"c": 1, "d": 3}),
        ("a: |\n  x\n  y\n", "x\ny\n"),
        ("a: !!binary YQ==", "YQ=="),
    ],
)
def test_scalars(text: str, value: t.Any) -> None:
    found = manifests.load_yaml(text)["a"]
    assert found == value and type(found) is type(value)


def test_keys_are_texts() -> None:
    assert manifests.load_yaml("{on: 1, 8080: 2, 1.5: 3}") == {"on": 1, "8080": 2, "1.5": 3}


# PyYAML itself does not bring control characters and line separators through.
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=5)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)


@given(JSON)
def test_json_is_read_as_it_is(value: t.Any) -> None:
    assert manifests.load_yaml(json.dumps(value)) == value


# 1e3 and -.5 are texts to PyYAML, which writes them without quotes, and numbers to Kubernetes: no reader can please both.
NUMBER = re.compile(r"[-+]?(0o[0-7_]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)")
BOTH = TEXT.filter(lambda text: not NUMBER.fullmatch(text))
BOTH_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), BOTH),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(BOTH, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(BOTH, BOTH_JSON, max_size=3))
def test_what_pyyaml_writes_is_read_as_it_was(value: t.Any) -> None:
    # Every text in quotes: what PyYAML leaves bare (0E0) Kubernetes may read as a number.
    assert manifests.load_yaml(yaml.safe_dump(value, allow_unicode=True, default_style='"')) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: b: canary", "line 1, column 5"),
        ("a: [canary", "line 2, column 1"),
        ("a: {b: 1, b: canary}", "there twice"),
        ("? [canary]\n: 1", "cannot be a key"),
        ("a: !canary x", "tag !canary"),
        ("a: .nan", "infinity and NaN"),
        ("a: &x [*x]", "contains itself"),
        ("a: *canary", "line 1"),
        ("a: 'canary", "line 1"),
        ("\tcanary: 1", "line 1"),
    ],
)
def test_errors_name_the_place_and_quote_no_value(text: str, problem: str) -> None:
    with pytest.raises(KubeError) as caught:
        manifests.read_documents("x: 1\n---\n" + text, "file x.yaml")
    message = str(caught.value)
    assert message.startswith("file x.yaml, document 2: not readable as YAML: line")
    expected = problem.replace("line 2", "line 4").replace("line 1", "line 3")
    assert expected in message and ("canary" not in message or "tag" in expected)


def test_documents_are_counted_and_lists_taken_apart() -> None:
    text = "---\n---\nkind: A\n---\n# nothing\n---\nkind: BList\nitems: [{kind: B}, {kind: C}]\n"
    found = manifests.collect([{"kind": "D"}, "kind: E\n---\nkind: F"], text.encode(), "x.yaml")
    assert [(document["kind"], where) for where, document in found] == [
        ("A", "file x.yaml, document 2, line 3"),
        ("B", "file x.yaml, document 4, line 7, item 1"),
        ("C", "file x.yaml, document 4, line 7, item 2"),
        ("D", "definition, document 1"),
        ("E", "definition, entry 2, document 1, line 1"),
        ("F", "definition, entry 2, document 2, line 3"),
    ]


def test_server_fields_are_taken_off_and_the_input_stays() -> None:
    document = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {
            "name": "a",
            "uid": "1",
            "resourceVersion": "2",
            "managedFields": [],
            "generation": 1,
            "labels": {"a": "b"},
        },
        "status": {"x": 1},
    }
    before = copy.deepcopy(document)
    found = manifests.wanted_object("here", document, "space")
    assert found.body == {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "labels": {"a": "b"}}}
    assert found.label == "X space/a" and document == before


@given(st.dictionaries(st.text("abc", min_size=1), st.text()), st.dictionaries(st.text("abc", min_size=1), st.binary()))
def test_string_data_wins_over_data(texts: dict[str, str], raw: dict[str, bytes]) -> None:
    data = {key: base64.b64encode(value).decode() for key, value in raw.items()}
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": texts, "data": data}
    found = manifests.wanted_object("here", document, None).body
    assert "stringData" not in found
    decoded = {key: base64.b64decode(value) for key, value in found["data"].items()}
    assert decoded == {**raw, **{key: value.encode() for key, value in texts.items()}}


def test_scrub_takes_out_every_form_of_a_secret() -> None:
    body = {"kind": "Secret", "data": {"a": base64.b64encode(b"canary").decode()}, "stringData": {"b": "finch"}}
    words = f"invalid canary {body['data']['a']} finch"
    assert manifests.scrub(words, body) == "invalid ******** ******** ********"
    assert manifests.scrub("canary", {"kind": "ConfigMap", "data": {"a": "canary"}}) == "canary"
