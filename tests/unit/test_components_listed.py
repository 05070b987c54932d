# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in two places for speed must say the same: a new component cannot be forgotten in one of them."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def component_roles() -> dict[str, dict]:
    """Roles that go through the engine, with the data they describe themselves by."""
    found = {}
    for path in ROOT.glob("roles/*/vars/main.yml"):
        name = path.parts[-3]
        component = (yaml.safe_load(path.read_text()) or {}).get(f"__{name}_component")
        if component:
            found[name] = component
    return found


def test_the_cluster_looks_for_the_crds_of_all_components() -> None:
    listed = yaml.safe_load((ROOT / "roles/cluster/vars/main.yml").read_text())["__cluster_crds"]
    declared = [crd for component in component_roles().values() for crd in component.get("crds", [])]
    assert sorted(listed) == sorted(declared)


def test_the_cluster_validates_the_variables_of_all_components() -> None:
    text = yaml.safe_load((ROOT / "roles/cluster/vars/main.yml").read_text())["__cluster_component_files"]
    listed = re.findall(r"'([a-z_]+)'", text.partition("]")[0])
    assert sorted(listed) == sorted([*component_roles(), "cluster"])


def test_every_component_is_imported_and_taken_away() -> None:
    for name in ("tasks/components", "uninstall"):
        text = (ROOT / f"playbooks/{name}.yml").read_text()
        included = set(re.findall(r"name: enclii\.platform\.([a-z_]+)$", text, re.MULTILINE)) - {"cluster", "component"}
        assert included == set(component_roles()), name


def test_the_list_of_components_is_whole() -> None:
    known = yaml.safe_load((ROOT / "playbooks/vars/components.yml").read_text())
    assert sorted(known["component_tags"]) == sorted(component_roles())
    assert known["component_definitions"] == [f"{{{{ __{tag}_component }}}}" for tag in known["component_tags"]]


def test_what_is_about_all_components_has_their_list_and_their_variables() -> None:
    for name in ("platform", "verify", "adoption", "probe", "access", "secrets"):
        play = yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text())[0]
        assert play["vars_files"] == ["vars/components.yml"], name
        assert play["tasks"][0]["ansible.builtin.import_tasks"] == "tasks/components.yml", name
        assert "component_definitions" not in play.get("vars", {}), name


def test_an_uninstallation_knows_the_definitions_of_all() -> None:
    known = yaml.safe_load((ROOT / "playbooks/vars/components.yml").read_text())["component_definitions"]
    tasks = yaml.safe_load((ROOT / "playbooks/uninstall.yml").read_text())[0]["tasks"]
    given = [task["vars"]["component_definitions"] for task in tasks if "component_definitions" in task.get("vars", {})]
    assert given == [known]
