# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an item does not unseal: key, scope, namespace and name are found out, by keys and by the controller."""

from __future__ import annotations

import base64
import typing as t

import pytest
import sealing
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.sealing import controller, explain, keyring
from ansible_collections.enclii.platform.plugins.module_utils.sealing import format as sealed

OURS, OLD, FOREIGN, BIG = sealing.SealingKey(), sealing.SealingKey(), sealing.SealingKey(), sealing.SealingKey(3072)
KEYS = keyring.read(OLD.private_pem, "old.pem") + keyring.read(OURS.private_pem, "ours.pem")
KNOWN = [("demo", "login"), ("demo", "other"), ("shop", "login"), ("shop", "cart")]


def item_of(obj: dict[str, t.Any], name: str = "password") -> sealed.Item:
    return sealed.parse(obj["spec"]["encryptedData"][name], name)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sealed.SCOPES),
    st.sampled_from(["demo", "shop"]),
    st.sampled_from(["login", "cart"]),
    st.binary(max_size=40),
)
def test_every_place_that_is_known_is_found_by_keys(scope: str, namespace: str, name: str, value: bytes) -> None:
    obj = OURS.seal({"password": value}, name, namespace, scope)
    cause = explain.by_keys(obj, item_of(obj), KEYS, explain.Places(KNOWN))
    assert cause.key is not None
    assert cause.key.source == "ours.pem"
    assert cause.place is not None
    assert sealed.label(*cause.place) == sealed.label(scope, namespace, name)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([OURS, OLD, FOREIGN, BIG]),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
    st.binary(max_size=20),
)
def test_the_key_is_found_whatever_the_label(key: sealing.SealingKey, name: str, value: bytes) -> None:
    obj = key.seal({"password": value}, name, "nowhere")
    found = explain.origin(KEYS, item_of(obj))
    assert (found.key.key_id if found else None) == (key.key_id if key in (OURS, OLD) else None)
    assert found is None or found.intact


@pytest.mark.parametrize(
    ("scope", "words", "step"),
    [
        ("cluster-wide", "it was sealed for scope cluster-wide", 'sealedsecrets.bitnami.com/cluster-wide: "true"'),
        ("namespace-wide", "namespace shop, scope namespace-wide", 'sealedsecrets.bitnami.com/namespace-wide: "true"'),
        ("strict", "namespace shop, name login, scope strict", "Move the SealedSecret back to shop/login"),
    ],
)
def test_causes_in_words(scope: str, words: str, step: str) -> None:
    obj = OURS.seal({"password": sealing.CANARY}, "login", "shop", scope)
    obj["metadata"] = {"name": "moved", "namespace": "demo"}
    cause = explain.by_keys(obj, item_of(obj), KEYS, explain.Places(KNOWN))
    assert words in cause.cause
    assert f"key {OURS.key_id} (ours.pem)" in cause.cause
    assert step in cause.next_step


def test_an_annotation_too_many() -> None:
    obj = OURS.seal({"password": "x"}, "login", "demo")
    obj["metadata"]["annotations"] = {"sealedsecrets.bitnami.com/cluster-wide": "true"}
    cause = explain.by_keys(obj, item_of(obj), KEYS, explain.Places(KNOWN))
    assert "Take the annotation for cluster-wide off" in cause.next_step


def test_unknown_place_foreign_key_other_size_and_damage() -> None:
    places = explain.Places(KNOWN)
    obj = OURS.seal({"password": sealing.CANARY}, "login", "gone")
    assert "occurs nowhere here" in explain.by_keys(obj, item_of(obj), KEYS, places).cause
    obj = FOREIGN.seal({"password": sealing.CANARY})
    assert "none of the 2 given keys" in explain.by_keys(obj, item_of(obj), KEYS, places).cause
    obj = BIG.seal({"password": sealing.CANARY})
    assert "a key of 3072 bits, and the 2 given have 2048" in explain.by_keys(obj, item_of(obj), KEYS, places).cause
    blob = bytearray(base64.b64decode(OURS.seal({"password": sealing.CANARY})["spec"]["encryptedData"]["password"]))
    blob[-1] ^= 1
    damaged = sealed.parse(base64.b64encode(blob).decode(), "x")
    cause = explain.by_keys(obj, damaged, KEYS, places)
    assert "was damaged since" in cause.cause
    assert sealing.CANARY not in "".join(str(part) for part in cause)


@pytest.fixture
def asked() -> t.Iterator[tuple[sealing.StandIn, controller.Controller]]:
    with sealing.StandIn(OURS) as server:
        clock = sealing.FakeClock()
        yield server, controller.discover(sealing.client_for(server.url, clock), clock)


@pytest.mark.parametrize("scope", sealed.SCOPES)
@pytest.mark.parametrize("place", [("demo", "login"), ("demo", "other"), ("shop", "moved")])
def test_the_controller_tells_too(
    asked: tuple[sealing.StandIn, controller.Controller], scope: str, place: tuple[str, str]
) -> None:
    obj = OURS.seal({"password": sealing.CANARY, "user": "x"}, place[1], place[0], scope)
    obj["metadata"] = {"name": "moved", "namespace": "demo"}
    causes = explain.by_controller(obj, asked[1], explain.Places([*KNOWN, ("shop", "moved")]), attempts=30)
    found = {cause.place for cause in causes.values()}
    assert len(causes) == 2
    assert {sealed.label(*where) for where in found if where} == {sealed.label(scope, *place)}


def test_only_the_items_that_fail_are_named_and_calls_are_few(
    asked: tuple[sealing.StandIn, controller.Controller],
) -> None:
    obj = OURS.seal({"good": "x", "bad": "y"})
    obj["spec"]["encryptedData"]["bad"] = FOREIGN.seal({"bad": "y"})["spec"]["encryptedData"]["bad"]
    causes = explain.by_controller(obj, asked[1], explain.Places(KNOWN), attempts=6)
    assert list(causes) == ["bad"]
    assert "another cluster" in causes["bad"].next_step
    assert len(asked[0].seen) == 6
