# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which namespaces have walls, of what kind, and what cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.flows.spaces import NODES, WALLS, read_spaces

LIMITS = {"default": {"memory": "256Mi"}, "defaultRequest": {"cpu": "50m"}}
DEFINITIONS = [
    {"name": "baseline", "namespace": "enclii-system", "state": "present", "pod_security": "none"},
    {"name": "certs", "namespace": "certs", "state": "present", "pod_security": "restricted"},
    {"name": "gone", "namespace": "gone", "state": "absent", "pod_security": "restricted"},
    {"name": "theirs", "namespace": "theirs", "state": "external", "pod_security": "restricted"},
]


def spaces(declared: Any = None, there: Any = None, **told: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"mode": "enforce", "quota": {"pods": "9"}, "limits": LIMITS, "platform": "enclii-system"}
    return read_spaces(DEFINITIONS, declared or {}, ["dev"], there=there or {}, **{**usual, **told})


def test_whose_namespace_it_is() -> None:
    found = spaces({"extra": {}})
    assert found["purposes"] == {
        "extra": "environment", "dev": "environment", "enclii-system": "platform", "certs": "platform", NODES: "nodes",
    }  # fmt: skip
    assert set(found["spaces"].values()) == {"enforce"}
    assert found["levels"] == {"certs": "restricted", NODES: "privileged"}
    assert [one["namespace"] for one in found["checks"]] == list(found["spaces"])
    assert found["wrong"] == []


def test_walls_stay_around_what_left_something_behind() -> None:
    assert "gone" in spaces(there={"gone": {WALLS: "enforce"}})["spaces"]
    assert "gone" not in spaces(there={"gone": {}})["spaces"]


def test_what_a_namespace_says_itself_wins_over_what_is_usual() -> None:
    found = spaces({"dev": {"mode": "observe", "quota": {"pods": "1", "services": "2"}, "limits": {"default": {}}}})
    assert found["spaces"]["dev"] == "observe"
    assert found["figures"]["dev"] == {
        "quota": {"pods": "1", "services": "2"}, "limits": {"default": {}, "defaultRequest": {"cpu": "50m"}},
    }  # fmt: skip
    assert "dev" not in [one["namespace"] for one in found["checks"]]


def test_the_platform_has_no_figures_unless_told() -> None:
    assert spaces()["figures"]["certs"] == {"limits": {}, "quota": {}}
    assert spaces()["figures"]["dev"] == {"limits": LIMITS, "quota": {"pods": "9"}}


def test_only_what_is_there_and_was_not_enforced_is_tightened() -> None:
    there = {"dev": {WALLS: "observe"}, "certs": {WALLS: "enforce"}, "enclii-system": {}}
    assert spaces(there=there)["tightened"] == ["dev", "enclii-system"]
    assert spaces({"dev": {"mode": "observe"}}, there)["tightened"] == ["enclii-system"]


def test_only_some() -> None:
    found = spaces(only=["certs"])
    assert list(found["spaces"]) == list(found["figures"]) == ["certs"]
    assert len(found["purposes"]) > 1


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"kube-system": {}}, "kube-system belongs to Kubernetes"),
        ({"default": {}}, "default belongs to Kubernetes"),
        ({"one": {"modus": "observe"}}, "baseline_namespaces.one: modus is unknown; there are mode, quota"),
        ({"one": {"mode": "off"}}, "baseline_namespaces.one.mode: off is unknown; there are observe and enforce"),
        ({"one": {"mode": True}}, "baseline_namespaces.one.mode is to be a word"),
        ({"one": {"quota": ["pods"]}}, "baseline_namespaces.one.quota is to be a mapping"),
        ({"one": {"registries": "quay.io"}}, "baseline_namespaces.one.registries is to be a list"),
        ({"one": None}, "baseline_namespaces.one is no mapping; give mode, quota"),
    ],
)
def test_what_cannot_be_meant_is_told_and_left_out(declared: dict[str, Any], words: str) -> None:
    found = spaces(declared)
    assert len(found["wrong"]) == 1
    assert words in found["wrong"][0]
    assert not set(declared) & set(found["spaces"])


@pytest.mark.parametrize(
    "exemption",
    [
        {"container": "x", "rules": ["probes"], "reason": "y"},
        {"container": "x", "rules": ["host"], "reason": "y"},
        {"container": "x", "rules": ["liveness"]},
        {"container": "x", "rules": "liveness", "reason": "y"},
        {"container": "x", "rules": [], "reason": "y"},
        {"container": "x", "reason": "y"},
        {"rules": ["liveness"], "reason": "y"},
        "liveness",
    ],
)
def test_exemption_that_says_too_little_or_something_unknown(exemption: Any) -> None:
    good = {"container": "x", "rules": ["liveness"], "reason": "y"}
    assert spaces({"one": {"exemptions": [good]}})["wrong"] == []
    (said,) = spaces({"one": {"exemptions": [good, exemption]}})["wrong"]
    assert said.startswith(
        "baseline_namespaces.one.exemptions: each has container, reason, and rules out of image-tag, "
    )


def test_everything_that_is_wrong_is_told_at_once() -> None:
    said = spaces({"b": {"mode": "off", "x": 1}, "a": {"limits": []}})["wrong"]
    assert [line.partition(":")[0].split()[0] for line in said] == [
        "baseline_namespaces.a.limits", "baseline_namespaces.b.mode", "baseline_namespaces.b",
    ]  # fmt: skip
