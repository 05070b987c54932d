# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules, held against every role, task file, playbook and inventory."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import house

ROOT = house.ROOT
TASK_FILES = sorted(
    path for pattern in ("roles/*/tasks/**/*.yml", "roles/*/handlers/*.yml") for path in ROOT.glob(pattern)
)
PLAYBOOKS = sorted([*ROOT.glob("playbooks/*.yml"), *ROOT.glob("site.yml")])
INVENTORIES = ("dev", "staging", "prod")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def spec_of(role: Path) -> dict[str, Any]:
    return house.load(role / "meta" / "argument_specs.yml")["argument_specs"]


def defaults_of(role: Path) -> dict[str, Any]:
    path = role / "defaults" / "main.yml"
    return (house.load(path) or {}) if path.is_file() else {}


@pytest.mark.parametrize("role", house.ROLES, ids=lambda role: role.name)
def test_role_is_complete(role: Path) -> None:
    wanted = ("README.md", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml")
    assert [name for name in wanted if not (role / name).is_file()] == []


@pytest.mark.parametrize("role", house.ROLES, ids=lambda role: role.name)
def test_defaults_are_what_the_argument_spec_says(role: Path) -> None:
    assert house.spec_findings(role.name, defaults_of(role), spec_of(role)["main"]) == []


@pytest.mark.parametrize("role", house.ROLES, ids=lambda role: role.name)
def test_role_says_what_check_and_diff_do(role: Path) -> None:
    attributes = spec_of(role)["main"].get("attributes") or {}
    assert [name for name in ("check_mode", "diff_mode") if not attributes.get(name, {}).get("support")] == []


@pytest.mark.parametrize("role", house.ROLES, ids=lambda role: role.name)
def test_every_public_variable_is_used(role: Path) -> None:
    own = [
        path
        for part in ("tasks", "templates", "vars", "handlers")
        for path in (role / part).rglob("*")
        if path.is_file()
    ]
    own += sorted((ROOT / "roles" / "component").rglob("*.yml")) if (ROOT / "roles" / "component").is_dir() else []
    text = "\n".join(path.read_text(encoding="utf-8") for path in own)
    # the engine reads some variables of a component by their suffix: lookup('vars', role ~ '_state')
    suffixes = set(re.findall(r"~ *'(_[a-z_]+)'", text))
    defaults = defaults_of(role)
    unused = [
        name
        for name in sorted({*defaults, *(spec_of(role)["main"].get("options") or {})})
        if not re.search(rf"(?<!\w){name}(?!\w)", text)
        and name.removeprefix(role.name) not in suffixes
        and not any(re.search(rf"(?<!\w){name}(?!\w)", str(value)) for key, value in defaults.items() if key != name)
    ]
    assert unused == []


@pytest.mark.parametrize("role", house.ROLES, ids=lambda role: role.name)
def test_internal_variables_look_internal(role: Path) -> None:
    names = [name for path in (role / "vars").glob("*.yml") for name in (house.load(path) or {})]
    assert [name for name in names if not name.startswith(f"__{role.name}_")] == []


@pytest.mark.parametrize("path", [*TASK_FILES, *PLAYBOOKS], ids=relative)
def test_tasks(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    findings = house.task_findings(text, relative(path))
    if path in TASK_FILES:
        findings += house.length_findings(text, relative(path))
    assert findings == []


def test_no_injected_facts_and_no_methods_taken_for_keys() -> None:
    findings = []
    for name in house.committed():
        if name.startswith(("roles/", "playbooks/", "inventories/", "site.yml")) and name.endswith((".yml", ".j2")):
            text = (ROOT / name).read_text(encoding="utf-8")
            findings += house.fact_findings(text, name) + house.method_findings(text, name)
    assert findings == []


def test_galaxy_declares_the_collections_that_are_used_and_no_others() -> None:
    used: set[str] = set()
    for name in house.committed():
        if name.startswith(("roles/", "playbooks/", "plugins/")) and name.endswith((".yml", ".j2", ".py")):
            used |= house.collections_used((ROOT / name).read_text(encoding="utf-8"))
    assert used == set(house.load(ROOT / "galaxy.yml")["dependencies"])


def group_vars(inventory: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in sorted((ROOT / "inventories" / inventory / "group_vars" / "all").glob("*.yml")):
        merged |= house.load(path) or {}
    return merged


def test_inventories_have_the_same_variables() -> None:
    keys = {inventory: sorted(group_vars(inventory)) for inventory in INVENTORIES}
    assert keys["dev"] == keys["staging"] == keys["prod"]


def test_inventories_hold_only_what_differs() -> None:
    """A variable of one environment stands in all of them, also where it is the role's default."""
    values = [group_vars(inventory) for inventory in INVENTORIES]
    same = [
        key
        for key in values[0]
        if all(other.get(key) == values[0][key] for other in values) and "CHANGE_ME" not in str(values[0][key])
    ]
    assert same == [], "the same in every inventory: make it the role's default"


@pytest.mark.parametrize("inventory", [*INVENTORIES, "local"])
def test_inventory_variables_exist(inventory: str) -> None:
    known = {name for role in house.ROLES for point in spec_of(role).values() for name in (point.get("options") or {})}
    # variables of the connection and of the lab (hosts.py) are no role's
    foreign = [
        name for name in group_vars(inventory) if name not in known and not name.startswith(("ansible_", "lab_"))
    ]
    assert foreign == [], "no role knows these"


@pytest.mark.parametrize("inventory", INVENTORIES)
def test_inventory_loads_and_has_the_groups(inventory: str) -> None:
    listed = subprocess.run(
        ["ansible-inventory", "-i", f"inventories/{inventory}", "--list", "--yaml"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert listed.returncode == 0, listed.stderr
    children = yaml.safe_load(listed.stdout)["all"]["children"]
    assert {"kubernetes_nodes", "platform"} <= set(children)
    assert set(children["kubernetes_nodes"]["children"]) == {"control_plane", "workers"}


# The rules themselves: each must find what it is there to find.
BAD_TASKS = {
    "ignore_errors": "- name: X\n  ansible.builtin.stat: {path: /x}\n  ignore_errors: true\n",
    "failed_when": "- name: X\n  ansible.builtin.stat: {path: /x}\n  failed_when: false\n",
    "changed_when": "- name: X\n  ansible.builtin.command: {argv: [rm, x]}\n  changed_when: false\n",
    "shell": "- block:\n    - name: X\n      ansible.builtin.shell: rm x\n",
    "raw": "- hosts: all\n  tasks:\n    - name: X\n      ansible.builtin.raw: rm x\n",
    "command without argv": "- rescue:\n    - ansible.builtin.command: rm x\n  block: []\n",
    "register": "- ansible.builtin.stat: {path: /x}\n  register: x_stat\n",
    "set_fact": "- ansible.builtin.set_fact: {x_a: 1, __x_b: 2}\n",
}


@pytest.mark.parametrize("rule", BAD_TASKS)
def test_task_rules_find_what_they_should(rule: str) -> None:
    findings = house.task_findings(BAD_TASKS[rule], "bad.yml")
    assert len(findings) == 1, findings
    assert rule in findings[0]


def test_task_rules_accept_what_is_right() -> None:
    text = (
        "# reads only\n- name: X\n  ansible.builtin.command: {argv: [ls]}\n  changed_when: false\n  register: __x_out\n"
        "- name: Y\n  ansible.builtin.command: {argv: [ls]}\n  changed_when: false  # reads only\n"
    )
    assert house.task_findings(text, "good.yml") == []


def test_a_comment_excuses_only_its_own_task() -> None:
    task = "- ansible.builtin.command: {argv: [ls]}\n  changed_when: false\n"
    text = f"# why\n{task}{task}"
    assert [finding.split(": ")[0] for finding in house.task_findings(text, "x.yml")] == ["x.yml:4"]


def test_length_rule() -> None:
    assert house.length_findings("a\n" * 70, "x.yml") == []
    assert len(house.length_findings("a\n" * 71, "x.yml")) == 1


def test_fact_rule() -> None:
    assert (
        len(house.fact_findings("a: '{{ ansible_os_family }}'\nb: '{{ ansible_facts.x }}'\nc: ansible_host", "x.yml"))
        == 1
    )


def test_method_rule() -> None:
    assert len(house.method_findings("a: '{{ x.values }}'\n  | combine(y[0].keys, z)\n", "x.yml")) == 2
    good = "a: '{{ x.values() | list }}'\nb: '{{ x.items_of }}'\nansible.builtin.copy:\nc: '{{ x.get(1) }}'\n"
    assert house.method_findings(good, "x.yml") == []


@pytest.mark.parametrize(
    ("defaults", "options"),
    [
        ({"r_a": 1}, {}),
        ({}, {"r_a": {"description": "x", "default": 1}}),
        ({"r_a": 1}, {"r_a": {"description": "x", "default": 2}}),
        ({"r_a": 1}, {"r_a": {"description": "x"}}),
        ({"r_a": 1}, {"r_a": {"description": "x", "required": True}}),
        ({"r_a": 1}, {"r_a": {"default": 1}}),
        ({"a": 1}, {"a": {"description": "x", "default": 1}}),
    ],
)
def test_spec_rule_finds(defaults: dict[str, Any], options: dict[str, Any]) -> None:
    assert len(house.spec_findings("r", defaults, {"options": options})) == 1


def test_spec_rule_accepts() -> None:
    options = {
        "r_a": {"description": "x", "default": [1]},
        "r_b": {"description": "x", "required": True},
        "r_c": {"description": "x"},
        "enclii_d": {"description": "x"},
    }
    assert house.spec_findings("r", {"r_a": [1], "r_c": "{{ x }}"}, {"options": options}) == []


def test_collections_rule() -> None:
    text = (
        "- kubernetes.core.helm:\n- ansible.builtin.copy:\nx: '{{ y | community.general.z }}'\nurl: www.kubernetes.io\n"
    )
    assert house.collections_used(text) == {"kubernetes.core", "community.general"}
