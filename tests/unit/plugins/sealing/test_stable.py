# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proofs that nothing has changed: a digest covers all it says it covers, and the live Secret counts only as the controller's own work."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealing import SealingKey

from ansible_collections.enclii.platform.plugins.module_utils.sealing import objects, stable
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

KEY = b"a key that lives in the vault"
PARTS = st.tuples(st.binary(max_size=20), *(st.text(max_size=6) for _ in range(5)), st.binary(max_size=6))
Obj = dict[str, t.Any]


def test_a_digest_of_known_parts() -> None:
    message = b"enclii sealed digest 1\n"
    for part in (b"ns", b"n", b"strict", b"k", b"AgA", b"\xff"):
        message += len(part).to_bytes(8, "big") + part
    assert (
        stable.digest(KEY, "ns", "n", "strict", "k", "AgA", b"\xff")
        == hmac.new(KEY, message, hashlib.sha256).hexdigest()
    )


@given(PARTS, PARTS)
def test_different_parts_have_different_digests(one: t.Any, other: t.Any) -> None:
    # HMAC fills short keys with zero bytes: keys that differ only in those are one key
    same = (one[0].rstrip(b"\0"), *one[1:]) == (other[0].rstrip(b"\0"), *other[1:])
    assert (stable.digest(*one) == stable.digest(*other)) == same


@given(st.lists(st.sampled_from(["a", "b", "ab", "", "/"]), min_size=5, max_size=5))
def test_parts_cannot_be_shifted_into_each_other(parts: list[str]) -> None:
    whole = "".join(parts)
    seen = {}
    for cuts in itertools.combinations_with_replacement(range(len(whole) + 1), 4):
        split = tuple(whole[start:end] for start, end in zip((0, *cuts), (*cuts, len(whole)), strict=True))
        seen[split] = stable.digest(KEY, *split[:5], b"")
    assert len(set(seen.values())) == len(seen)


def test_a_key_that_could_be_guessed_is_refused() -> None:
    assert stable.check_key("") == b"" and stable.check_key("0123456789abcdef") == b"0123456789abcdef"
    with pytest.raises(SealingError, match="shorter than 16 characters") as caught:
        stable.check_key("my dog")
    assert "dog" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "x", "[1]", "{", '"a"', 7])
def test_notes_that_somebody_broke_are_none(text: t.Any) -> None:
    assert stable.noted({"metadata": {"annotations": {"a": text}}}, "a") == {}
    assert stable.noted({"metadata": {"annotations": "x"}}, "a") == stable.noted({}, "a") == {}


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4))
def test_notes_are_read_as_they_were_written(entries: dict[str, str]) -> None:
    text = stable.note(entries)
    assert stable.noted({"metadata": {"annotations": {"a": text}}}, "a") == entries
    assert stable.note(dict(reversed(entries.items()))) == text


SEALED: Obj = {
    "metadata": {"name": "n", "namespace": "ns", "uid": "u1", "generation": 3},
    "spec": {"encryptedData": {"k": "AgA"}},
    "status": {"observedGeneration": 3, "conditions": [{"type": "Synced", "status": "True"}]},
}
OWNED = {"f:metadata": {"f:ownerReferences": {'k:{"uid":"u1"}': {}}}, "f:data": {".": {}, "f:k": {}}}
SECRET: Obj = {
    "metadata": {
        "ownerReferences": [{"uid": "u1"}],
        "managedFields": [{"manager": "controller", "operation": "Update", "fieldsV1": OWNED}],
    },
    "data": {"k": base64.b64encode(b"v").decode()},
}


def proves(sealed: Obj | None = SEALED, secret: Obj | None = SECRET, label: bytes = b"ns/n", item: str = "k",
           value: str = "AgA", plaintext: bytes = b"v") -> bool:  # fmt: skip
    return stable.live_proof(stable.Live(sealed, secret), label, item, value, plaintext)


def changed(obj: Obj, path: str, value: t.Any) -> Obj:
    result = copy.deepcopy(obj)
    *steps, last = path.split("/")
    place: t.Any = result
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    place[last] = value
    return result


def test_the_live_secret_proves_an_item() -> None:
    assert proves()


@pytest.mark.parametrize(
    "case",
    [
        {"sealed": None}, {"secret": None}, {"label": b"ns"}, {"item": "other"}, {"value": "AgB"}, {"plaintext": b"w"}, {"plaintext": b""},
        {"sealed": changed(SEALED, "metadata/generation", 4)},
        {"sealed": changed(SEALED, "status", {})},
        {"sealed": changed(SEALED, "status/conditions/0/status", "False")},
        {"sealed": changed(SEALED, "metadata/annotations", {objects.CLUSTER_WIDE: "true"})},
        {"sealed": changed(SEALED, "spec/template", {"data": {"k": "{{ .x }}"}})},
        {"secret": changed(SECRET, "data", None)},
        {"secret": changed(SECRET, "data/k", "!")},
        {"secret": changed(SECRET, "metadata/ownerReferences", [{"uid": "u2"}])},
        {"secret": changed(SECRET, "metadata/managedFields", None)},
        {"secret": changed(SECRET, "metadata/managedFields", [
            {"manager": "controller", "operation": "Update", "fieldsV1": {"f:metadata": OWNED["f:metadata"]}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:k": {}}}},
        ])},
    ],
)  # fmt: skip
def test_what_the_live_secret_does_not_prove(case: dict[str, t.Any]) -> None:
    assert not proves(**case)


def test_live_comes_first_then_the_digest_then_the_key() -> None:
    key = SealingKey(2048)
    obj = key.seal({"k": "v"}, "n", "ns")
    value = obj["spec"]["encryptedData"]["k"]
    live = stable.Live(changed(SEALED, "spec/encryptedData/k", value), SECRET)
    own = stable.digest(KEY, "ns", "n", "strict", "k", value, b"v")
    obj["metadata"]["annotations"][objects.SEALED_DIGEST] = stable.note({"k": own})
    judge = stable.Judge(key.key_id, KEY, stable.keyring.read(key.private_pem, "x"))
    place = ("ns", "n", "strict")
    assert judge.proof(obj, place, "k", b"v", live) == ("live", key.key_id)
    assert judge.proof(obj, place, "k", b"v", None) == ("digest", key.key_id)
    assert judge._replace(digest_key=b"").proof(obj, place, "k", b"v", None) == ("key", key.key_id)
    assert judge._replace(digest_key=b"", keys=[]).proof(obj, place, "k", b"v", None) == ("none", "")
    assert judge.proof(obj, place, "k", b"w", live) == ("none", "")
    other = judge._replace(key_id="SHA256:another")
    assert other.proof(obj, place, "k", b"v", None) == ("none", ""), "sealed for another key than the certificate's"
    assert other.proof(obj, place, "k", b"v", live) == ("live", key.key_id), "this cluster opens it all the same"
    for broken in (
        {},
        {"spec": None},
        changed(obj, "spec/encryptedData/k", 7),
        changed(obj, "spec/encryptedData/k", "AgA"),
    ):
        assert judge.proof(broken, place, "k", b"v", None) == ("none", "")
