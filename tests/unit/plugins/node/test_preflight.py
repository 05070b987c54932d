# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight: a good machine has no findings, and each deviation has its own, all of them at once."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.node.preflight import findings

SETTINGS: dict[str, t.Any] = {
    "cluster_name": "prod",
    "version": "1.36.3",
    "control_planes": ["cp-1"],
    "control_plane_address": "192.0.2.1",
    "requirements": {
        "control_plane_memory_mib": 1700,
        "worker_memory_mib": 900,
        "control_plane_cpus": 2,
        "worker_cpus": 1,
        "disk_gib": 10,
        "clock_skew_seconds": 10,
    },
    "sysctls": {"net.ipv4.ip_forward": 1},
    "cgroup_v1": False,
    "swap": False,
    "ignore": [],
}
DONE = {"cluster": "prod", "state": "done", "action": "join", "version": "1.36.3"}


def machine(name: str, last: int, control_plane: bool = False) -> dict[str, t.Any]:
    """A machine without fault."""
    return {
        "node_name": name,
        "node_ip": f"192.0.2.{last}",
        "node_ip_local": True,
        "control_plane": control_plane,
        "os": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
        "arch": "amd64",
        "init": "systemd",
        "root": True,
        "hostname": name,
        "machine_id": f"{last:032}",
        "cgroup": {"version": 2, "controllers": ["cpu", "cpuset", "io", "memory", "pids"]},
        "swap": [],
        "memory_mib": 4096,
        "cpus": 2,
        "disk_free_gib": {"/var/lib/containerd": 40.0},
        "clock": {"synchronised": True, "skew": 0.2},
        "busy_ports": [],
        "unresolved": [],
        "kernel_modules_missing": [],
        "sysctls": {"net.ipv4.ip_forward": {"value": "0", "writable": True}},
        "packages_missing": ["socat"],
        "conflicting_packages": [],
        "cluster": {"record": None, "remains": [], "ca_digest": ""},
        "joined": False,
    }


def machines() -> dict[str, dict[str, t.Any]]:
    return {"cp-1": machine("cp-1", 1, True), "w-1": machine("w-1", 11), "w-2": machine("w-2", 12)}


def checks(nodes: dict[str, dict[str, t.Any]], **settings: t.Any) -> list[tuple[str, str]]:
    return [(finding["host"], finding["check"]) for finding in findings(nodes, {**SETTINGS, **settings})]


def test_good_machines_have_no_findings() -> None:
    assert checks(machines()) == []


@pytest.mark.parametrize(
    ("change", "check", "says"),
    [
        ({"os": {"id": "fedora", "version": "41", "name": "Fedora 41"}}, "os", "Fedora 41"),
        ({"os": {"id": "debian", "version": "11", "name": "Debian 11"}}, "os", "Debian 12"),
        ({"os": {"id": "debian", "version": "sid", "name": "Debian sid"}}, "os", "Debian sid"),
        ({"arch": "riscv64"}, "os", "riscv64"),
        ({"init": "runit"}, "systemd", "runit"),
        ({"root": False}, "root", "ansible_become"),
        ({"cgroup": {"version": 1, "controllers": ["cpu", "cpuset", "memory", "pids"]}}, "cgroups", "failCgroupV1"),
        ({"cgroup": {"version": 2, "controllers": ["cpu", "cpuset", "pids"]}}, "cgroups", "memory"),
        ({"swap": ["/dev/sda2"]}, "swap", "/dev/sda2"),
        ({"memory_mib": 512}, "memory", "512 MiB"),
        ({"cpus": 0}, "cpu", "1 are needed"),
        ({"disk_free_gib": {"/var/lib/kubelet": 3.5}}, "disk", "/var/lib/kubelet"),
        ({"clock": {"synchronised": False, "skew": 0.0}}, "time_sync", "chrony"),
        ({"clock": {"synchronised": True, "skew": -61.0}}, "clock_skew", "-61.0 s"),
        ({"kernel_modules_missing": ["br_netfilter"]}, "kernel", "br_netfilter"),
        ({"sysctls": {"net.ipv4.ip_forward": {"value": "0", "writable": False}}}, "sysctl", "must be 1"),
        ({"node_ip": ""}, "address", "kubernetes_node_ip"),
        ({"node_ip_local": False}, "address", "192.0.2.12"),
        ({"busy_ports": [10250, 10256]}, "ports", "10250, 10256"),
        ({"unresolved": ["dl.k8s.io"]}, "names", "dl.k8s.io"),
        ({"conflicting_packages": ["docker.io"]}, "packages", "apt-get purge docker.io"),
        ({"cluster": {"record": None, "remains": ["/etc/rancher"], "ca_digest": ""}}, "remains", "/etc/rancher"),
        ({"cluster": {"record": {"cluster": "dev"}, "remains": [], "ca_digest": ""}}, "remains", "'dev'"),
    ],
)
def test_each_deviation_has_one_finding(change: dict[str, t.Any], check: str, says: str) -> None:
    nodes = machines()
    nodes["w-2"].update(change)
    found = findings(nodes, SETTINGS)
    assert [(finding["host"], finding["check"]) for finding in found] == [("w-2", check)]
    assert says in found[0]["message"]
    assert findings(nodes, {**SETTINGS, "ignore": [check]}) == []


@pytest.mark.parametrize("key", ["hostname", "machine_id", "node_ip", "node_name"])
def test_what_must_be_unique(key: str) -> None:
    nodes = machines()
    nodes["w-2"][key] = nodes["cp-1"][key]
    (finding,) = findings(nodes, SETTINGS)
    assert (finding["host"], finding["check"]) == ("w-2", "unique")
    assert "like cp-1" in finding["message"]


def test_everything_is_reported_at_once() -> None:
    nodes = machines()
    nodes["cp-1"].update(swap=["/swapfile"], cpus=1)
    nodes["w-1"].update(busy_ports=[10250])
    nodes["w-2"].update(init="openrc", memory_mib=100)
    assert sorted(checks(nodes)) == [
        ("cp-1", "cpu"),
        ("cp-1", "swap"),
        ("w-1", "ports"),
        ("w-2", "memory"),
        ("w-2", "systemd"),
    ]


@pytest.mark.parametrize(
    ("control_planes", "says"), [(["cp-1", "w-1"], "this release builds one"), ([], "exactly one")]
)
def test_one_control_plane(control_planes: list[str], says: str) -> None:
    (finding,) = findings(machines(), {**SETTINGS, "control_planes": control_planes})
    assert (finding["host"], finding["check"]) == ("inventory", "control_plane")
    assert says in finding["message"]


def joined() -> dict[str, dict[str, t.Any]]:
    """The same machines as a cluster: ports in use, files there, all of it ours."""
    nodes = machines()
    for name, node in nodes.items():
        action = "init" if name == "cp-1" else "join"
        node["joined"] = True
        node["busy_ports"] = [10250]
        node["disk_free_gib"] = {"/var/lib/containerd": 1.0}
        node["cluster"] = {
            "record": {**DONE, "action": action},
            "remains": ["/etc/kubernetes/kubelet.conf"],
            "ca_digest": "a" * 64,
        }
    return nodes


def test_a_running_cluster_has_no_findings() -> None:
    assert checks(joined()) == []


def test_what_a_killed_run_left_is_ours_to_continue() -> None:
    nodes = machines()
    nodes["cp-1"]["busy_ports"] = [6443]
    nodes["cp-1"]["cluster"] = {
        "record": {**DONE, "action": "init", "state": "started"},
        "remains": ["/etc/kubernetes/pki/ca.crt"],
        "ca_digest": "a" * 64,
    }
    assert checks(nodes) == []


def test_another_version_is_refused() -> None:
    found = findings(joined(), {**SETTINGS, "version": "1.37.2"})
    assert {finding["check"] for finding in found} == {"version"}
    assert 'kubernetes_version: "1.36.3"' in found[0]["message"]


def test_a_worker_of_a_namesake_is_refused() -> None:
    nodes = joined()
    nodes["w-1"]["cluster"]["ca_digest"] = "b" * 64
    assert checks(nodes) == [("w-1", "remains")]


def test_workers_without_their_control_plane_are_refused() -> None:
    nodes = joined()
    nodes["cp-1"] = machine("cp-1", 1, True)
    assert checks(nodes) == [("inventory", "remains")]


def test_the_control_plane_stays_where_it_is() -> None:
    nodes = joined()
    nodes["w-1"]["cluster"]["record"]["action"] = "init"
    assert checks(nodes) == [("w-1", "role")]


def test_a_run_of_some_hosts_needs_the_address_of_the_control_plane() -> None:
    nodes = {"w-2": machine("w-2", 12)}
    assert checks(nodes) == []
    (finding,) = findings(nodes, {**SETTINGS, "control_plane_address": ""})
    assert (finding["host"], finding["check"]) == ("inventory", "control_plane")
    assert "--limit" in finding["message"]


def test_judging_changes_nothing() -> None:
    nodes = joined()
    before = copy.deepcopy(nodes)
    findings(nodes, SETTINGS)
    assert nodes == before
