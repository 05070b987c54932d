# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/validate.yml as users run it, over inventories on disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import house

ROOT = house.ROOT


def validate(inventory: Path, *arguments: str) -> tuple[int, list[str], str]:
    """Run the playbook; return its exit code, the findings, and everything printed."""
    run = subprocess.run(
        ["ansible-playbook", "playbooks/validate.yml", "-i", str(inventory), *arguments],
        cwd=ROOT, check=False, capture_output=True, text=True,
        env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_NOCOLOR": "1"},
    )  # fmt: skip
    result = json.loads(run.stdout[run.stdout.index("{\n") :])["plays"][0]["tasks"][0]["hosts"]["localhost"]
    return run.returncode, result["findings"], run.stdout + run.stderr


@pytest.fixture
def prod(tmp_path: Path) -> Path:
    """A copy of inventories/prod with every placeholder filled in."""
    inventory = tmp_path / "prod"
    shutil.copytree(ROOT / "inventories" / "prod", inventory)
    for path in inventory.rglob("*.yml"):
        lines = path.read_text(encoding="utf-8").splitlines()
        filled = [re.sub("CHANGE_ME.*", f"x{number}", line) for number, line in enumerate(lines)]
        path.write_text("\n".join(filled) + "\n", encoding="utf-8")
    return inventory


def add(inventory: Path, text: str) -> None:
    """Append variables to the inventory."""
    with (inventory / "group_vars" / "all" / "main.yml").open("a", encoding="utf-8") as handle:
        handle.write(text)


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_an_inventory_as_it_comes_is_refused_with_every_placeholder(name: str) -> None:
    wanted = {
        f"{path.relative_to(ROOT / 'inventories')}:{number}"
        for path in (ROOT / "inventories" / name).rglob("*.yml")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "CHANGE_ME" in line.split("#")[0]
    }
    assert len(wanted) >= 4
    code, findings, _ = validate(ROOT / "inventories" / name)
    assert code != 0
    assert {": ".join(finding.split(": ")[:1]) for finding in findings} == wanted


def test_a_filled_in_inventory_is_accepted(prod: Path) -> None:
    assert validate(prod)[:2] == (0, [])


def test_a_managed_cluster_is_accepted(prod: Path) -> None:
    hosts = yaml.safe_load((prod / "hosts.yml").read_text(encoding="utf-8"))
    for group in hosts["all"]["children"]["kubernetes_nodes"]["children"].values():
        group["hosts"] = {}
    (prod / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    assert validate(prod)[:2] == (0, [])


def test_everything_wrong_is_said_at_once(prod: Path) -> None:
    add(
        prod,
        "cert_manager_state: maybe\n"
        "cert_manager_replica: 1\n"
        "cert_manager_replicas: many\n"
        "cert_manager_values: {a: {b: [CHANGE_ME deep]}}\n"
        "cert_manager_issuer: '{{ nowhere }}'\n"
        "my_own: CHANGE_ME mine\n",
    )
    (prod / "host_vars").mkdir()
    (prod / "host_vars" / "prod-worker-1.yml").write_text("kubernetes_node_ip: CHANGE_ME ip\n", encoding="utf-8")
    hosts = yaml.safe_load((prod / "hosts.yml").read_text(encoding="utf-8"))
    children = hosts["all"]["children"]["kubernetes_nodes"]["children"]
    children["control_plane"]["hosts"] |= {"prod-cp-2": {"ansible_host": "y"}, "CHANGE_ME-3": {"ansible_host": "y"}}
    (prod / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    code, findings, _ = validate(prod, "-e", json.dumps({"enclii_context": "", "given": ["CHANGE_ME extra"]}))
    assert code != 0
    expected = [
        "'CHANGE_ME deep'", "'CHANGE_ME mine'", "'CHANGE_ME ip'", "'CHANGE_ME-3'", "'CHANGE_ME extra'",
        "cert_manager_state: value of cert_manager_state must be one of", "did you mean cert_manager_replicas?",
        "cert_manager_replicas: argument 'cert_manager_replicas' is of type",
        "cert_manager_issuer: cannot be evaluated",
        "group control_plane: 3 machines", "reached at y", "enclii_context: not set",
    ]  # fmt: skip
    print(*findings, sep="\n")
    assert [words for words in expected if sum(words in finding for finding in findings) != 1] == []
    assert len(findings) == len(expected)


def test_a_missing_platform_group_is_no_success(prod: Path) -> None:
    hosts = yaml.safe_load((prod / "hosts.yml").read_text(encoding="utf-8"))
    del hosts["all"]["children"]["platform"]
    (prod / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    code, findings, _ = validate(prod)
    assert code != 0
    assert any(finding.startswith("group platform: 0 hosts") for finding in findings)


def test_placeholders_in_an_encrypted_file_are_found_and_its_secrets_are_not_shown(prod: Path, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("p\n", encoding="utf-8")
    vaulted = prod / "group_vars" / "all" / "secret.yml"
    vaulted.write_text("my_token: canary-7f3a\nmy_other: CHANGE_ME secret\n", encoding="utf-8")
    subprocess.run(
        ["ansible-vault", "encrypt", "--vault-password-file", str(password), str(vaulted)], check=True, cwd=ROOT
    )
    code, findings, printed = validate(prod, "--vault-password-file", str(password), "-vvv")
    assert code != 0
    assert [finding.split(": ")[0] for finding in findings] == ["prod/group_vars/all/secret.yml:2"]
    assert "canary-7f3a" not in printed


def test_an_ini_inventory(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text(
        "[control_plane]\ncp-1 ansible_host=CHANGE_ME\n[kubernetes_nodes:children]\ncontrol_plane\n"
        "[platform]\nlocalhost ansible_connection=local\n[platform:vars]\nenclii_inventory=local\n"
        "enclii_environments=['a']\n",
        encoding="utf-8",
    )
    code, findings, _ = validate(inventory)
    assert code != 0
    assert len(findings) == 1
    assert ": line: 'cp-1 ansible_host=CHANGE_ME'" in findings[0]


def test_a_dynamic_inventory(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.py"
    listed = {
        "platform": {"hosts": ["localhost"]},
        "all": {"vars": {"enclii_inventory": "local", "x": {"y": "CHANGE_ME"}}},
    }
    listed["_meta"] = {"hostvars": {"localhost": {"ansible_connection": "local", "enclii_environments": ["a"]}}}
    inventory.write_text(f"#!/usr/bin/env python3\nprint({json.dumps(listed)!r})\n", encoding="utf-8")
    inventory.chmod(0o755)
    code, findings, _ = validate(inventory)
    assert code != 0
    assert findings == ["host localhost: x.y: 'CHANGE_ME' is a placeholder"]
