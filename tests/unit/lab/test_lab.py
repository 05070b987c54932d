# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own rules: names and addresses follow from one name, the cache from content, errors are one message."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest
import yaml

from lab import builds, core, images, inventory, nodes, state

ROOT = pathlib.Path(__file__).resolve().parents[3]


def a_lab(name: str = "one", workers: int = 3) -> state.Lab:
    return state.Lab(name, workers=workers, subnet="10.80.7.0/24", port=20025, paths={"charts": "/c", "bin": "/b"})


def test_every_name_address_and_port_follows_from_the_lab() -> None:
    lab = a_lab()
    assert list(lab.nodes) == ["cp-1", "worker-1", "worker-2", "worker-3"]
    assert [lab.address(last) for last in lab.nodes.values()] == [f"10.80.7.{last}" for last in (10, 11, 12, 13)]
    ports = [lab.port, *(lab.ssh_port(node) for node in lab.nodes)]
    assert len(set(ports)) == 5 and all(20025 <= port < 20050 for port in ports)
    assert lab.container("cp-1") == "one-cp-1"


def test_two_clones_have_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_NAME", raising=False)
    first = core.default_name()
    monkeypatch.setattr(core, "CLONE", pathlib.Path("/elsewhere"))
    assert core.default_name() != first
    monkeypatch.setenv("LAB_NAME", "mine")
    assert core.default_name() == "mine"


def test_state_survives_a_round_trip(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "CLONE", tmp_path)
    assert state.Lab.load("one") is None
    lab = a_lab()
    lab.save()
    assert state.Lab.load("one") == lab


def test_inventory_has_the_groups_that_the_playbooks_use() -> None:
    made = inventory.inventory(a_lab(workers=2))
    assert made["control_plane"]["hosts"] == ["cp-1"]
    assert made["workers"]["hosts"] == ["worker-1", "worker-2"]
    assert made["platform"]["hosts"] == ["localhost"]
    assert made["_meta"]["hostvars"]["worker-2"]["kubernetes_node_ip"] == "10.80.7.12"
    assert "StrictHostKeyChecking=yes" in made["_meta"]["hostvars"]["cp-1"]["ansible_ssh_common_args"]


def test_inventory_without_a_lab_names_the_next_step() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "inventories/local/hosts.py"],
        env={**os.environ, "LAB_NAME": "no-such-lab"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and done.stdout == ""
    assert "no-such-lab is not up" in done.stderr and "make lab-up" in done.stderr


@pytest.mark.parametrize(
    ("argv", "cause"),
    [
        (["--name", "Bad_Name", "status"], "LAB_NAME 'Bad_Name' must be"),
        (["--name", "x", "up", "--workers", "0"], "LAB_WORKERS is 0"),
        (["--name", "no-such-lab", "kill", "worker-1"], "no node worker-1 in lab no-such-lab"),
    ],
)
def test_bad_input_is_one_message(argv: list[str], cause: str) -> None:
    done = subprocess.run([sys.executable, "-m", "lab", *argv], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert cause in done.stderr and "Traceback" not in done.stderr


def test_a_failed_program_is_named_with_its_last_words() -> None:
    with pytest.raises(core.LabError, match=r"(?s)`sh -c .*ended with 3.*last words"):
        core.run(["sh", "-c", "echo last words >&2; exit 3"])


def test_taken_and_reserved_ports_are_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "podman", lambda *words: "")
    base = nodes.free_ports("a-name", 25)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", base + 3))
        assert nodes.free_ports("a-name", 25) != base
    monkeypatch.setattr(nodes, "podman", lambda *words: f"dev.enclii.lab=other,dev.enclii.lab.port={base}")
    assert nodes.free_ports("a-name", 25) != base


def test_the_rule_for_traffic_among_nodes_is_the_labs_own() -> None:
    lab = state.Lab("a-name", subnet="10.80.7.0/24")
    made, removed = nodes.untranslated(lab, "-I"), nodes.untranslated(lab, "-D")
    assert made[made.index("-I") + 1 :] == removed[removed.index("-D") + 1 :]
    assert "10.80.7.0/24" in made and f"{nodes.LABEL}=a-name" in made


def test_a_build_is_found_by_the_content_it_is_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "go_version", lambda: "go1.26.0")
    before = builds.place.__wrapped__("etcd")
    monkeypatch.setattr(builds, "go_version", lambda: "go1.27.0")
    assert builds.place.__wrapped__("etcd") != before


def test_every_build_is_pinned_and_every_image_has_its_build() -> None:
    catalogue = yaml.safe_load((ROOT / "lab/builds.yml").read_text())
    for name, spec in catalogue.items():
        text = (ROOT / "lab/builds" / name / "go.mod").read_text()
        assert spec["version"].lstrip("v") in text, f"{name}: go.mod does not require {spec['version']}"
        assert (ROOT / "lab/builds" / name / "go.sum").stat().st_size > 0
    listed = images.catalogue()
    used = {reference.split("/")[0] for spec in listed for reference in spec.get("files", {})} - {"debian"}
    assert used <= set(catalogue)
    assert {spec["base"] for spec in listed if "base" in spec} == set(images.BASES)
    assert len({(spec["repository"], spec["tag"]) for spec in listed}) == len(listed)
    json.dumps(listed)
