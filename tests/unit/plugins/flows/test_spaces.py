# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which namespaces have walls, of what kind, and what cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

import house
from ansible_collections.enclii.platform.plugins.module_utils.flows.patterns import wrong_admission
from ansible_collections.enclii.platform.plugins.module_utils.flows.spaces import NODES, WALLS, read_spaces

LIMITS = {"default": {"memory": "256Mi"}, "defaultRequest": {"cpu": "50m"}}
DEFINITIONS = [
    {"name": "baseline", "namespace": "enclii-system", "state": "present", "pod_security": "none"},
    {"name": "certs", "namespace": "certs", "state": "present", "pod_security": "restricted"},
    {"name": "gone", "namespace": "gone", "state": "absent", "pod_security": "restricted"},
    {"name": "theirs", "namespace": "theirs", "state": "external", "pod_security": "restricted"},
]


def spaces(declared: Any = None, there: Any = None, **told: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "mode": "enforce", "quota": {"pods": "9"}, "limits": LIMITS, "platform": "enclii-system", "stands": True,
    }  # fmt: skip
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


def test_walls_that_nobody_speaks_of_any_more_stay_as_they_are() -> None:
    """A name that left the inventory, or a component that somebody else runs now: what is inside is not opened."""
    warn = "pod-security.kubernetes.io/warn"
    theirs = {WALLS: "observe", "enclii.dev/purpose": "platform", warn: "baseline"}
    there = {"old": {WALLS: "enforce", "enclii.dev/purpose": "environment"}, "theirs": theirs, "free": {"a": "b"}}
    there |= {"kube-system": {WALLS: "enforce"}, "default": {WALLS: "observe"}}
    found = spaces(there=there)
    assert found["spaces"] | {"old": "enforce", "theirs": "observe"} == found["spaces"]
    assert found["purposes"] | {"old": "environment", "theirs": "platform"} == found["purposes"]
    assert found["levels"] | {"old": "restricted", "theirs": "baseline"} == found["levels"]
    assert found["figures"]["old"] == {"limits": LIMITS, "quota": {"pods": "9"}}
    assert not {"free", "kube-system", "default"} & set(found["purposes"])
    assert found["tightened"] == []
    # a label alone closes nothing, and what has no walls keeps none
    assert not {"old", "theirs"} & set(spaces(there=there, stands=False)["purposes"])


def test_walls_go_where_the_inventory_says_so() -> None:
    there = {"old": {WALLS: "enforce"}, "theirs": {WALLS: "enforce"}}
    found = spaces({"old": {"mode": "absent"}, "never": {"mode": "absent"}}, there)
    assert found["bare"] == ["old"]
    assert not {"old", "never"} & {*found["spaces"], *found["purposes"], *found["figures"]}
    assert found["wrong"] == []
    assert spaces({"old": {"mode": "absent"}}, {"old": {}})["bare"] == []


@pytest.mark.parametrize("name", ["dev", "enclii-system", "certs", NODES])
def test_walls_of_the_platform_do_not_go_one_by_one(name: str) -> None:
    (said,) = spaces({name: {"mode": "absent"}}, {name: {WALLS: "enforce"}})["wrong"]
    assert said.startswith(
        f"baseline_namespaces.{name}.mode: the walls of an environment, a component and the platform"
    )
    assert spaces({name: {"mode": "absent"}}, {name: {WALLS: "enforce"}})["bare"] == []


def test_node_agents_are_limited_also_where_the_rest_is_observed() -> None:
    found = spaces(mode="observe")["spaces"]
    assert {name for name, mode in found.items() if mode == "enforce"} == {NODES}
    assert spaces({NODES: {"mode": "observe"}})["spaces"][NODES] == "observe"


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


def test_a_label_without_the_walls_is_no_enforcement() -> None:
    """It outlives an uninstallation: what came to run there since then was judged by nobody."""
    assert spaces(there={"dev": {WALLS: "enforce"}}, stands=False)["tightened"] == ["dev"]


def test_only_some() -> None:
    found = spaces(only=["certs"])
    assert list(found["spaces"]) == list(found["figures"]) == ["certs"]
    assert len(found["purposes"]) > 1


def test_only_some_keep_the_mode_they_have() -> None:
    there = {"dev": {WALLS: "observe"}, "certs": {WALLS: "enforce"}}
    found = spaces({"certs": {"mode": "observe"}}, there, only=["dev", "certs"])
    assert found["spaces"] == {"dev": "observe", "certs": "enforce"}
    assert found["tightened"] == []


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"kube-system": {}}, "kube-system belongs to Kubernetes"),
        ({"default": {}}, "default belongs to Kubernetes"),
        ({"one": {"modus": "observe"}}, "baseline_namespaces.one: modus is unknown; there are mode, quota"),
        (
            {"one": {"mode": "off"}},
            "baseline_namespaces.one.mode: off is unknown; there are observe, enforce and absent",
        ),
        ({"one": {"mode": True}}, "baseline_namespaces.one.mode is to be a word"),
        ({"one": {"quota": ["pods"]}}, "baseline_namespaces.one.quota is to be a mapping"),
        ({"one": {"registries": "quay.io"}}, "baseline_namespaces.one.registries is to be a list"),
        ({"one": {"registries": []}}, "baseline_namespaces.one.registries is empty, so that no image could run"),
        ({"one": {"registries": ["quay.io", "a b"]}}, "baseline_namespaces.one.registries: 'a b' is no registry"),
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


@pytest.mark.parametrize(
    "pattern",
    ["[0-9]", r"^v?\d+", r"(?i)(passw(or)?d)$", r"\pL+\z", r"[\]+]+", r"\(?=x", r"\\1", "[[:digit:]]+", "(?<n>a)(?U)b"],
)
def test_patterns_that_an_api_server_can_read(pattern: str) -> None:
    assert wrong_admission({"tags": pattern}) == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("([0-9]", "is no regular expression: "),
        ("", "is empty"),
        ("  ", "is empty"),
        (None, "no text"),
        ("a(?=b)", "looks around"),
        ("(?<!a)b", "looks around"),
        (r"(a)\1", "refers back"),
        ("(?P<n>a)(?P=n)", "refers back"),
        ("a++", "possessively"),
        ("*", "is no regular expression: "),
    ],
)
def test_pattern_that_would_refuse_every_pod(pattern: Any, words: str) -> None:
    (said,) = spaces(admission={"baseline_admission_tag_pattern": pattern})["wrong"]
    assert said.startswith("baseline_admission_tag_pattern: ")
    assert words in said


def test_registries_that_would_refuse_every_pod() -> None:
    (said,) = spaces(admission={"baseline_admission_registries": []})["wrong"]
    assert said.startswith("baseline_admission_registries is empty, so that no image could run")
    (said,) = spaces(admission={"baseline_admission_registries": ["/", "ghcr.io/x/"]})["wrong"]
    assert "'/' is no registry" in said


def test_the_roles_own_patterns_are_patterns() -> None:
    defaults = house.load(house.ROOT / "roles" / "baseline" / "defaults" / "main.yml")
    asked = ("baseline_admission_tag_pattern", "baseline_admission_secret_pattern", "baseline_admission_registries")
    assert wrong_admission({name: defaults[name] for name in asked}) == []
