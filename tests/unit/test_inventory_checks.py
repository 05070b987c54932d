# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of an inventory, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.plugin_utils import inventory as checks

GROUPS = {"kubernetes_nodes": ["cp-1", "w-1"], "control_plane": ["cp-1"], "workers": ["w-1"], "platform": ["localhost"]}
PLATFORM: dict[str, Any] = {
    "enclii_inventory": "prod",
    "enclii_environments": ["enclii-production"],
    "enclii_kubeconfig": "/x",
    "enclii_context": "x",
}


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("a: CHANGE_ME\n", "x.yml", [("x.yml:1", "a")]),
        ("a: 1\nb:\n  c: [ok, 'https://CHANGE_ME/']\n", "x.yml", [("x.yml:3", "b.c[1]")]),
        ("---\na: 1\n---\nb: CHANGE_ME\n", "x.yaml", [("x.yaml:4", "b")]),
        ("all:\n  hosts:\n    CHANGE_ME-1:\n", "h.yml", [("h.yml:3", "a name")]),
        ("all:\n  hosts:\n    n:\n      ansible_host: CHANGE_ME\n", "h.yml", [("h.yml:4", "n.ansible_host")]),
        ("all:\n  children:\n    g:\n      vars:\n        u: CHANGE_ME\n", "h.yml", [("h.yml:5", "g.u")]),
        ("# CHANGE_ME\na: 1  # CHANGE_ME\n", "x.yml", []),
        ("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nb: !unsafe CHANGE_ME\n", "x.yml", [("x.yml:4", "b")]),
        ("[g]\n# CHANGE_ME\n; CHANGE_ME\nhost ansible_host=CHANGE_ME\n", "hosts", [("hosts:4", "line")]),
        ("", "x.yml", []),
    ],
)
def test_placeholders_in_files(text: str, name: str, wanted: list[tuple[str, str]]) -> None:
    assert [(found.where, found.name) for found in checks.placeholders_in_file(text, name)] == wanted


def test_broken_yaml_names_file_and_line() -> None:
    with pytest.raises(ValueError, match=r"^x\.yml:3: not valid YAML"):
        checks.placeholders_in_file("a: 1\nb: [\n", "x.yml")


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(value=NESTED, data=st.data())
def test_no_placeholder_hides_in_a_value(value: Any, data: st.DataObject) -> None:
    """Wherever a placeholder is put, it is found there, and nothing else is."""
    assert checks.placeholders_in_value(value, "h", "v") == []
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        if isinstance(node, dict | list):
            for key in node if isinstance(node, dict) else range(len(node)):
                places.append((node, key))
                collect(node[key])

    collect(value)
    if places:
        node, key = data.draw(st.sampled_from(places))
        node[key] = "x CHANGE_ME"
        assert [found.text for found in checks.placeholders_in_value(value, "h", "v")] == ["x CHANGE_ME"]


def test_a_placeholder_is_named_once_and_by_file_if_it_can_be() -> None:
    in_file = [checks.Placeholder("a.yml:1", "x", "CHANGE_ME a")]
    values = [checks.Placeholder("h", "x", "CHANGE_ME a"), checks.Placeholder("h", "y", "CHANGE_ME b")]
    assert [line.split(": ")[0] for line in checks.merged(in_file, [*values, *values])] == ["a.yml:1", "host h"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"control_plane": []}, "group control_plane: empty"),
        ({"control_plane": ["cp-1", "cp-2"], "kubernetes_nodes": ["cp-1", "cp-2", "w-1"]}, "2 machines"),
        ({"workers": ["w-1", "w-2"]}, "w-2 is not in kubernetes_nodes"),
        ({"workers": ["w-1", "cp-1"]}, "cp-1 is in control_plane, too"),
        ({"platform": []}, "group platform: 0 hosts"),
        ({"platform": ["a", "b"]}, "group platform: 2 hosts"),
        ({"workers": ["W_1"], "kubernetes_nodes": ["cp-1", "W_1"]}, "W_1: not a DNS label"),
    ],
)
def test_groups(change: dict[str, list[str]], word: str) -> None:
    findings = checks.group_findings(GROUPS | change)
    assert len(findings) == 1, findings
    assert word in findings[0]


def test_good_groups_and_a_managed_cluster() -> None:
    assert checks.group_findings(GROUPS) == []
    assert checks.group_findings({"platform": ["localhost"]}) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"enclii_inventory": ""}, "enclii_inventory: not set"),
        ({"enclii_inventory": "Prod_1"}, "enclii_inventory: not a DNS label"),
        ({"enclii_environments": []}, "at least one"),
        ({"enclii_environments": "enclii-dev"}, "no list"),
        ({"enclii_environments": ["a", "b", "a"]}, "enclii_environments[2]: 'a' is in the list twice"),
        ({"enclii_environments": ["Enclii_Dev"]}, "no name for a namespace"),
        ({"enclii_environments": ["a" * 64]}, "no name for a namespace"),
        ({"enclii_environments": [1]}, "no name for a namespace"),
        ({"enclii_environments": ["default"]}, "belongs to Kubernetes"),
        ({"enclii_environments": ["kube-x"]}, "belongs to Kubernetes"),
        ({"enclii_environments": ["enclii-system"]}, "is enclii_namespace"),
        ({"enclii_kubeconfig": ""}, "enclii_kubeconfig: not set"),
        ({"enclii_context": None}, "enclii_context: not set"),
    ],
)
def test_platform_variables(change: dict[str, Any], word: str) -> None:
    findings = checks.platform_findings(PLATFORM | change)
    assert len(findings) == 1, findings
    assert word in findings[0]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"enclii_in_cluster": True, "enclii_kubeconfig": "", "enclii_context": ""},
        {"enclii_inventory": "local", "enclii_context": ""},
        {"enclii_environments": ["a", "b" * 63]},
    ],
)
def test_good_platform_variables(change: dict[str, Any]) -> None:
    assert checks.platform_findings(PLATFORM | change) == []


def test_unknown_variables_are_found_with_what_was_meant() -> None:
    names = ["cert_manager_stat", "enclii_context", "ansible_user", "mine", "enclii_zzz"]
    findings = checks.unknown_variables(names, {"cert_manager_state", "enclii_context"}, ["cert_manager"])
    assert len(findings) == 2
    assert "did you mean cert_manager_state?" in findings[0]
    assert "docs/variables.md" in findings[1]


def test_a_machine_is_named_once() -> None:
    found = checks.address_findings({"a": ("10.0.0.1", "22"), "b": ("10.0.0.1", "22"), "c": ("10.0.0.1", "23")})
    assert found == ["host b: reached at 10.0.0.1:22 like a; each machine is named once"]
