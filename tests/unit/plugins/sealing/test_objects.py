# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SealedSecret and Secret objects: scope where the controller looks for it, and nothing in a template that does not belong there."""

from __future__ import annotations

import json
import typing as t

import pytest
from sealing import CANARY

from ansible_collections.enclii.platform.plugins.module_utils.sealing import objects
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

Obj = dict[str, t.Any]


@pytest.mark.parametrize(
    ("annotations", "scope"),
    [
        (None, "strict"),
        ({}, "strict"),
        ({objects.NAMESPACE_WIDE: "true"}, "namespace-wide"),
        ({objects.CLUSTER_WIDE: "true"}, "cluster-wide"),
        ({objects.CLUSTER_WIDE: "true", objects.NAMESPACE_WIDE: "true"}, "cluster-wide"),
        ({objects.CLUSTER_WIDE: "false", objects.NAMESPACE_WIDE: "true"}, "namespace-wide"),
        ({objects.CLUSTER_WIDE: "True"}, "strict"),
        ({objects.CLUSTER_WIDE: True}, "strict"),
        ("text", "strict"),
    ],
)
def test_scope_is_what_the_controller_takes_it_for(annotations: t.Any, scope: str) -> None:
    assert objects.scope_of(annotations) == scope
    if scope != "strict":
        assert objects.scope_of(objects.scope_annotations(scope)) == scope


def test_items_are_bound_by_the_sealed_secret_and_not_by_its_template() -> None:
    inner = {"name": "inner", "namespace": "inner", "annotations": {objects.CLUSTER_WIDE: "true"}}
    obj: Obj = {"metadata": {"name": "n", "namespace": "ns"}, "spec": {"template": {"metadata": inner}}}
    assert objects.label_of(obj) == b"ns/n"
    obj["metadata"]["annotations"] = {objects.NAMESPACE_WIDE: "true"}
    assert objects.label_of(obj) == b"ns"
    assert objects.label_of({}) == b"/"


def test_values_of_a_secret() -> None:
    secret: Obj = {
        "data": {"a": "b2xk", "b": "/wA=", "c": None, "wrapped": "b2\nxk\r\n"}, "stringData": {"a": "new", "ü": "ü"},
    }  # fmt: skip
    assert objects.plaintext(secret) == {"a": b"new", "b": b"\xff\x00", "c": b"", "wrapped": b"old", "ü": "ü".encode()}
    assert objects.plaintext({}) == {}


@pytest.mark.parametrize(
    "broken", [{"data": {"k": CANARY}}, {"data": {"k": 7}}, {"data": {"k": "ü"}}, {"stringData": {"k": 7}}, {"stringData": {"k": None}}]
)  # fmt: skip
def test_values_that_are_none_are_named_and_not_quoted(broken: Obj) -> None:
    with pytest.raises(SealingError, match=r"Secret ns/n, item k: ") as caught:
        objects.plaintext({"metadata": {"name": "n", "namespace": "ns"}, **broken})
    assert CANARY not in str(caught.value) and caught.value.__cause__ is None


def test_a_template_takes_nothing_from_the_server_and_nothing_in_plain_text() -> None:
    metadata = {
        "name": "n", "namespace": "ns", "labels": {"a": "b"}, "uid": "u", "resourceVersion": "1", "generation": 1, "selfLink": "/",
        "creationTimestamp": None, "ownerReferences": [{}], "managedFields": [{"fieldsV1": {CANARY: {}}}],
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": CANARY, "kubecfg.ksonnet.io/last-applied-configuration": CANARY,
        },
    }  # fmt: skip
    assert objects.clean_metadata(metadata) == {"name": "n", "namespace": "ns", "labels": {"a": "b"}}
    metadata["annotations"]["mine"] = "x"  # type: ignore[index]
    cleaned = objects.clean_metadata(metadata)
    assert cleaned["annotations"] == {"mine": "x"} and CANARY not in json.dumps(cleaned)
    cleaned["labels"]["c"] = "d"
    assert metadata["labels"] == {"a": "b"}, "the Secret itself was changed"


def test_a_sealed_secret_says_its_scope_twice_and_only_its_own() -> None:
    secret: Obj = {
        "metadata": {"name": "n", "namespace": "ns", "annotations": {objects.CLUSTER_WIDE: "true", "note": "x"}, "labels": {"a": "b"}},
        "type": "x/y", "immutable": True, "data": {"k": CANARY}, "stringData": {"k": CANARY},
    }  # fmt: skip
    told = objects.compose(secret, "namespace-wide", {"k": "AgA"}, {"labels": {"s": "1"}, "annotations": {"mine": "2"}})
    own = {objects.NAMESPACE_WIDE: "true"}
    assert told == {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "n", "namespace": "ns", "labels": {"s": "1"}, "annotations": {"mine": "2", **own}},
        "spec": {
            "encryptedData": {"k": "AgA"},
            "template": {
                "metadata": {"name": "n", "namespace": "ns", "labels": {"a": "b"}, "annotations": {"note": "x", **own}},
                "type": "x/y",
                "immutable": True,
            },
        },
    }
    strict = objects.compose({"metadata": {"name": "n", "annotations": own}}, "strict", {})
    assert strict["metadata"] == {"name": "n"} and strict["spec"] == {
        "encryptedData": {},
        "template": {"metadata": {"name": "n"}},
    }


def test_how_messages_name_things() -> None:
    assert objects.subject("ns", "n") == "SealedSecret ns/n"
    assert objects.subject("ns", "n", "k") == "SealedSecret ns/n, item k"
