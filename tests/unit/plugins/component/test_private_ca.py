# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of the private CA: never replaced silently, rotated on demand, its predecessor trusted on."""

from __future__ import annotations

import base64

from ansible_collections.enclii.platform.plugins.module_utils.component.observe import fingerprint
from ansible_collections.enclii.platform.plugins.module_utils.component.private_ca import (
    FINGERPRINT,
    GENERATION,
    NOT_KNOWN_YET,
    assess,
)


def pem(word: str) -> str:
    """A stand-in with a fingerprint; nothing here looks inside a certificate."""
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(word.encode()).decode()}\n-----END CERTIFICATE-----\n"


def roots(*words: str) -> dict[str, dict[str, str]]:
    return {
        f"enclii-ca-{n}": {"certificate": pem(word), "fingerprint": fingerprint(pem(word))}
        for n, word in enumerate(words, 1)
    }


def record(generation: int, word: str) -> dict[str, str]:
    return {GENERATION: str(generation), FINGERPRINT: fingerprint(pem(word))}


def test_nothing_yet_is_to_be_issued() -> None:
    ca = assess({}, "", {}, "", "")
    assert (ca.secret, ca.generation, ca.issue, ca.problem, ca.bundle) == ("enclii-ca-1", 1, True, "", NOT_KNOWN_YET)


def test_root_as_recorded() -> None:
    ca = assess(record(1, "a"), pem("a"), roots("a"), "", "")
    assert (ca.issue, ca.problem, ca.bundle, ca.fingerprint) == (False, "", pem("a"), fingerprint(pem("a")))


def test_kept_root_without_a_record_is_used_again() -> None:
    ca = assess({}, "", roots("a", "b"), "", "")
    assert (ca.secret, ca.issue, ca.problem) == ("enclii-ca-2", False, "")
    assert ca.bundle == pem("b") + pem("a")


def test_replaced_root_is_a_problem_with_a_way_out() -> None:
    ca = assess(record(1, "a"), pem("a"), roots("other"), "", "")
    assert f"Secret enclii-ca-1 holds {fingerprint(pem('other'))}, expected is {fingerprint(pem('a'))}" in ca.problem
    assert f"cert_manager_ca_rotate={fingerprint(pem('a'))}" in ca.problem


def test_lost_root_is_a_problem() -> None:
    assert "there is no Secret enclii-ca-1" in assess(record(1, "a"), pem("a"), {}, "", "").problem


def test_pin_with_colons_and_capitals() -> None:
    print_ = fingerprint(pem("a"))
    pin = ":".join(print_[i : i + 2] for i in range(0, 64, 2)).upper()
    assert assess(record(1, "a"), pem("a"), roots("a"), pin, "").problem == ""
    assert "The inventory pins the root" in assess(record(1, "b"), pem("b"), roots("b"), pin, "").problem
    assert "was replaced" in assess({}, "", roots("b"), pin, "").problem


def test_rotation_step_by_step() -> None:
    rotate = fingerprint(pem("a"))
    asked = assess(record(1, "a"), pem("a"), roots("a"), "", rotate)
    assert (asked.secret, asked.issue, asked.problem) == ("enclii-ca-2", True, "")
    # killed after the new root was issued and before it was recorded
    issued = assess(record(1, "a"), pem("a"), roots("a", "b"), "", rotate)
    assert (issued.secret, issued.issue, issued.bundle) == ("enclii-ca-2", False, pem("b") + pem("a"))
    # recorded, and the variable still in the inventory
    done = assess(record(2, "b"), pem("b") + pem("a"), roots("a", "b"), "", rotate)
    assert (done.secret, done.issue, done.problem, done.bundle) == ("enclii-ca-2", False, "", pem("b") + pem("a"))


def test_second_rotation_drops_the_oldest_root() -> None:
    ca = assess(record(2, "b"), pem("b") + pem("a"), roots("a", "b", "c"), "", fingerprint(pem("b")))
    assert ca.bundle == pem("c") + pem("b")


def test_rotation_is_a_way_out_of_a_replaced_root() -> None:
    ca = assess(record(1, "a"), pem("a"), roots("other"), "", fingerprint(pem("a")))
    assert (ca.secret, ca.issue, ca.problem) == ("enclii-ca-2", True, "")


def test_fingerprint_of_garbage_is_nothing() -> None:
    assert fingerprint("no certificate") == ""
    assert fingerprint("-----BEGIN CERTIFICATE-----\nÄ\n-----END CERTIFICATE-----\n") == ""
