# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sealed format: what goes in comes out, for the right label and key only, and damage is noticed."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.sealing import format as sealed
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

KEYS = {bits: rsa.generate_private_key(public_exponent=65537, key_size=bits) for bits in (2048, 3072, 4096)}
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=3072)
NAMES = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?\Z")
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


@FEW
@given(
    st.sampled_from(sorted(KEYS)), st.sampled_from(sealed.SCOPES), NAMES, NAMES,
    st.one_of(st.binary(max_size=300), st.text(max_size=80).map(str.encode)),
)  # fmt: skip
def test_what_goes_in_comes_out(bits: int, scope: str, namespace: str, name: str, plaintext: bytes) -> None:
    about = sealed.label(scope, namespace, name)
    item = sealed.parse(sealed.seal(KEYS[bits].public_key(), about, plaintext), "x")
    assert item.modulus_bytes == bits // 8
    assert item.plaintext_bytes == len(plaintext)
    assert sealed.unseal([OTHER, *KEYS.values()], about, item, "x") == (plaintext, 1 + list(KEYS).index(bits))


@FEW
@given(st.binary(max_size=40), st.data())
def test_a_flipped_bit_or_a_missing_end_is_noticed(plaintext: bytes, data: st.DataObject) -> None:
    blob = bytearray(base64.b64decode(sealed.seal(KEYS[2048].public_key(), b"a/b", plaintext)))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(blob) - 1))
    for broken in (bytes(blob), bytes(blob[:cut])):
        with pytest.raises(SealingError):
            sealed.unseal([KEYS[2048]], b"a/b", sealed.parse(base64.b64encode(broken).decode(), "x"), "x")


def test_scopes_bind_to_no_more_than_they_say() -> None:
    assert sealed.label("strict", "ns", "name") == b"ns/name"
    assert sealed.label("namespace-wide", "ns", "name") == b"ns"
    assert sealed.label("cluster-wide", "ns", "name") == b""
    with pytest.raises(SealingError, match="no such scope"):
        sealed.label("cluster", "ns", "name")


def test_another_place_or_another_key_does_not_open_it() -> None:
    item = sealed.parse(sealed.seal(OTHER.public_key(), b"a/b", b"x"), "x")
    for keys, about in (([OTHER], b"a/c"), ([KEYS[3072]], b"a/b"), ([], b"a/b")):
        with pytest.raises(SealingError, match="another cluster, or for another namespace"):
            sealed.unseal(keys, about, item, "x")


def test_sealing_twice_shows_nothing_in_common() -> None:
    first, second = (sealed.seal(OTHER.public_key(), b"", b"same") for _ in range(2))
    assert first != second
    assert (
        sealed.seal(OTHER.public_key(), b"", b"same", random=bytes)[-24:]
        == sealed.seal(OTHER.public_key(), b"", b"same", random=bytes)[-24:]
    ), "the session key is all that hides a value: here it is the same on purpose"


def test_an_item_folded_over_lines_is_read_as_the_controller_reads_it() -> None:
    item = sealed.seal(KEYS[2048].public_key(), b"a/b", b"plain")
    folded = "\r\n".join(item[start : start + 76] for start in range(0, len(item), 76)) + "\n"
    assert sealed.parse(folded, "x") == sealed.parse(item, "x")


@pytest.mark.parametrize("value", [None, 3, "", "AgB", "not base64!", base64.b64encode(bytes(600)).decode()])
def test_what_is_no_item_is_refused_by_name(value: object) -> None:
    with pytest.raises(SealingError, match=r"SealedSecret a/b, item c: .*Seal it again"):
        sealed.parse(value, "SealedSecret a/b, item c")
