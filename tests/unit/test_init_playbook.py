# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/init.yml as users run it: what it writes is refused until it is filled in, and never touched again."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import house

ROOT = house.ROOT
SEALED = """apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: b, namespace: a}
spec: {encryptedData: {x: AgA=}}
"""


def init(where: Path, name: str, *arguments: str) -> tuple[int, str]:
    """Run the playbook from a directory; return its exit code and everything printed."""
    run = subprocess.run(
        ["ansible-playbook", str(ROOT / "playbooks" / "init.yml"), "-i", "localhost,", "-e", f"enclii_inventory={name}", *arguments],
        cwd=where, check=False, capture_output=True, text=True,
        env=os.environ
        | {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_NOCOLOR": "1",
        },
    )  # fmt: skip
    return run.returncode, run.stdout + run.stderr


def validate(inventory: Path) -> tuple[int, list[str]]:
    """Run playbooks/validate.yml; return its exit code and the findings."""
    run = subprocess.run(
        ["ansible-playbook", "playbooks/validate.yml", "-i", str(inventory)],
        cwd=ROOT, check=False, capture_output=True, text=True,
        env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_NOCOLOR": "1"},
    )  # fmt: skip
    result = json.loads(run.stdout[run.stdout.index("{\n") :])["plays"][0]["tasks"][0]["hosts"]["localhost"]
    return run.returncode, result["findings"]


def content(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text(encoding="utf-8")
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def placeholders(directory: Path) -> int:
    return sum(
        line.split("#")[0].count("CHANGE_ME") for text in content(directory).values() for line in text.splitlines()
    )


@pytest.mark.parametrize(("cluster", "wanted"), [("machines", 5), ("existing", 3)])
def test_a_new_inventory_is_refused_until_it_is_filled_in(tmp_path: Path, cluster: str, wanted: int) -> None:
    code, printed = init(tmp_path, "fresh", "-e", f"init_cluster={cluster}")
    assert code == 0, printed
    inventory = tmp_path / "inventories" / "fresh"
    assert sorted(content(inventory)) == ["group_vars/all/main.yml", "hosts.yml"]
    assert placeholders(inventory) == wanted
    code, findings = validate(inventory)
    assert code != 0
    assert len(findings) == wanted
    assert all("is a placeholder" in finding for finding in findings)
    for number, path in enumerate(inventory.rglob("*.yml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        filled = [re.sub("CHANGE_ME.*", f"x{number}-{line}", text) for line, text in enumerate(lines)]
        path.write_text("\n".join(filled) + "\n", encoding="utf-8")
    assert validate(inventory) == (0, [])
    # the secrets that it suggests, and what lies sealed
    variables = inventory / "group_vars" / "all" / "main.yml"
    text = variables.read_text(encoding="utf-8")
    suggested = re.sub(r"(?m)^# (?=enclii_secrets:|  )", "", text)
    assert yaml.safe_load(suggested)["enclii_secrets"][0]["keys"][1]["generator"] == "given"
    variables.write_text(suggested, encoding="utf-8")
    (inventory / "sealed").mkdir()
    (inventory / "sealed" / "a-b.yaml").write_text(SEALED, encoding="utf-8")
    assert validate(inventory) == (0, [])
    variables.write_text(suggested.replace("generator: random", "generator: dice"), encoding="utf-8")
    code, findings = validate(inventory)
    assert code != 0
    assert [("enclii_secrets" in one, "dice" in one) for one in findings] == [(True, True)]


def test_the_platform_stops_before_it_contacts_anything_and_names_all_secrets_that_are_missing(tmp_path: Path) -> None:
    init(tmp_path, "fresh", "-e", "init_cluster=existing")
    inventory = tmp_path / "inventories" / "fresh"
    variables = inventory / "group_vars" / "all" / "main.yml"
    text = re.sub("CHANGE_ME.*", "/nonexistent", variables.read_text(encoding="utf-8"))
    secrets = re.sub(r"(?m)^# (?=enclii_secrets:|  )", "", text)
    variables.write_text(secrets + "  - {name: other, keys: [{name: t, generator: token}]}\n", encoding="utf-8")

    def platform() -> str:
        run = subprocess.run(
            ["ansible-playbook", "playbooks/platform.yml", "-i", str(inventory), "-e", "enclii_helm_binary=no-helm"],
            cwd=ROOT, check=False, capture_output=True, text=True, env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        assert run.returncode != 0
        return " ".join((run.stdout + run.stderr).split())

    printed = platform()
    assert (
        "the secrets enclii-fresh/example with password, api-key; enclii-fresh/other with t; set them by: " in printed
    )
    assert "ansible-playbook enclii.platform.secrets -i " in printed
    assert "Helm (no-helm)" in printed, "everything that is missing is said at once"
    (inventory / "sealed").mkdir()
    for name, items in (("example", "password: AgA=, api-key: AgA="), ("other", "u: AgA=")):
        sealed = SEALED.replace("name: b, namespace: a", f"name: {name}, namespace: enclii-fresh").replace(
            "x: AgA=", items
        )
        (inventory / "sealed" / f"{name}.yaml").write_text(sealed, encoding="utf-8")
    assert "the secrets enclii-fresh/other with t; set them by: " in platform()
    (inventory / "sealed" / "other.yaml").write_text("kind: Secret\n", encoding="utf-8")
    assert "other.yaml, document 1, line 1: it is no SealedSecret" in platform()


def test_it_ends_with_the_commands_that_come_next(tmp_path: Path) -> None:
    _code, printed = init(tmp_path, "fresh")
    commands = re.findall(r"ansible-playbook enclii\.platform\.([a-z]+) -i inventories/fresh ", printed)
    assert commands == ["validate", "bootstrap", "secrets", "site"]
    assert all((ROOT / "playbooks" / f"{name}.yml").is_file() for name in commands)


def test_the_numbers_asked_for(tmp_path: Path) -> None:
    code, printed = init(tmp_path, "small", "-e", '{"init_workers": 0, "init_environments": ["a", "b"]}')
    assert code == 0, printed
    nodes = yaml.safe_load(content(tmp_path / "inventories" / "small")["hosts.yml"])["all"]["children"][
        "kubernetes_nodes"
    ]
    assert nodes["children"]["workers"] == {"hosts": {}}
    variables = yaml.safe_load(content(tmp_path / "inventories" / "small")["group_vars/all/main.yml"])
    assert variables["enclii_environments"] == ["a", "b"]


def test_an_inventory_that_is_there_is_not_touched(tmp_path: Path) -> None:
    init(tmp_path, "fresh")
    inventory = tmp_path / "inventories" / "fresh"
    (inventory / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
    before = content(inventory)
    code, printed = init(tmp_path, "fresh", "-e", "init_cluster=existing")
    assert (code, content(inventory)) == (0, before)
    assert "is there already; nothing was written" in printed
    assert re.search(r"localhost +: ok=\d+ +changed=0 ", printed)


@pytest.mark.parametrize("there", ["another", "half"])
def test_a_directory_that_is_something_else_is_refused(tmp_path: Path, there: str) -> None:
    place = tmp_path / "inventories" / "fresh"
    (place / "group_vars" / "all").mkdir(parents=True)
    if there == "another":
        (place / "group_vars" / "all" / "main.yml").write_text("enclii_inventory: fresher\n", encoding="utf-8")
    if there == "half":
        (place / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
    before = content(place)
    code, printed = init(tmp_path, "fresh")
    assert code != 0
    assert "inventories/fresh is there and is no complete inventory fresh" in printed
    assert content(place) == before


@pytest.mark.parametrize("name", ["local", "../x"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    code, printed = init(tmp_path, name)
    assert code != 0
    assert "cannot be the name of a new inventory" in printed
    assert list(tmp_path.iterdir()) == []


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    code, printed = init(tmp_path, "fresh", "--check", "--diff")
    assert code == 0, printed
    assert "changed=1" in printed
    assert list(tmp_path.iterdir()) == []


# -- what stands in several places must say the same ----------------------------------------------


def test_no_component_before_the_controller_has_secrets_and_none_needs_a_namespace_without_a_chart() -> None:
    order = house.load(ROOT / "playbooks" / "vars" / "components.yml")["component_tags"]
    for name in order:
        component = house.load(ROOT / "roles" / name / "vars" / "main.yml")[f"__{name}_component"]
        if component.get("secrets"):
            assert order.index(name) > order.index("sealed_secrets"), name
            assert component.get("chart") or component["pod_security"] == "none", name


def test_the_preflight_knows_which_components_declare_secrets() -> None:
    names = house.load(ROOT / "playbooks" / "vars" / "components.yml")["component_tags"]
    declaring = [
        name
        for name in names
        if house.load(ROOT / "roles" / name / "vars" / "main.yml")[f"__{name}_component"].get("secrets")
    ]
    listed = house.load(ROOT / "roles" / "cluster" / "vars" / "main.yml")["__cluster_secret_components"]
    assert sorted(listed) == sorted(declaring)


def test_components_and_inventory_declare_secrets_in_the_same_words() -> None:
    specs = [
        house.load(ROOT / "roles" / name / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
        for name in ("component", "secrets")
    ]
    component, inventory = (
        specs[0]["component_definition"]["options"]["secrets"]["options"],
        specs[1]["enclii_secrets"]["options"],
    )
    assert set(component) == set(inventory)
    shapes = [
        {
            name: {part: value for part, value in one.items() if part != "description"}
            for name, one in options["keys"]["options"].items()
        }
        for options in (component, inventory)
    ]
    assert shapes[0] == shapes[1]
