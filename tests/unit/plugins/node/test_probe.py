# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes read a file tree as it is on machines; trees here stand for them."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.node import probe


def tree(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def test_os_release_without_quotes(tmp_path: Path) -> None:
    root = tree(tmp_path, {"/etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n'})
    assert probe.os_release(root) == {"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Debian GNU/Linux 12"}


@pytest.mark.parametrize(
    ("files", "version", "controllers"),
    [
        (
            {"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n"},
            2,
            ["cpu", "cpuset", "io", "memory", "pids"],
        ),
        ({"/proc/cgroups": "#name\th\tn\te\ncpu\t1\t1\t1\nmemory\t0\t1\t0\n"}, 1, ["cpu"]),
        ({}, 0, []),
    ],
)
def test_cgroup(tmp_path: Path, files: dict[str, str], version: int, controllers: list[str]) -> None:
    assert probe.cgroup(tree(tmp_path, files)) == {"version": version, "controllers": controllers}


def test_swap_names_devices(tmp_path: Path) -> None:
    header = "Filename\tType\tSize\tUsed\tPriority\n"
    assert probe.swap(tree(tmp_path, {"/proc/swaps": header})) == []
    assert probe.swap(tree(tmp_path, {"/proc/swaps": header + "/dev/sda2 partition 1 0 -2\n"})) == ["/dev/sda2"]


def test_memory_is_in_mib(tmp_path: Path) -> None:
    assert probe.memory_mib(tree(tmp_path, {"/proc/meminfo": "MemTotal:        2097152 kB\nMemFree: 1 kB\n"})) == 2048
    assert probe.memory_mib(str(tmp_path / "nowhere")) == 0


def test_only_installed_packages_count(tmp_path: Path) -> None:
    status = (
        "Package: runc\nStatus: install ok installed\n\nPackage: containerd\nStatus: deinstall ok config-files\n\n"
        "Package: socat\nStatus: hold ok installed\n"
    )
    assert probe.packages(tree(tmp_path, {"/var/lib/dpkg/status": status})) == {"runc", "socat"}


def test_kernel_modules_are_there_built_in_or_loadable(tmp_path: Path) -> None:
    root = tree(
        tmp_path, {"/sys/module/br_netfilter/refcnt": "0", "/proc/filesystems": "nodev\ttmpfs\nnodev\toverlay\n"}
    )
    wanted = ["br_netfilter", "overlay", "ip_vs", "ipip"]
    assert probe.kernel_modules_missing(wanted, lambda name: name == "ip_vs", root) == ["ipip"]


def test_sysctls_leave_out_what_the_kernel_does_not_know(tmp_path: Path) -> None:
    root = tree(tmp_path, {"/proc/sys/net/ipv4/ip_forward": "1\n"})
    assert probe.sysctls(["net.ipv4.ip_forward", "net.bridge.x"], root) == {
        "net.ipv4.ip_forward": {"value": "1", "writable": True}
    }


@pytest.mark.parametrize(("text", "record"), [('{"state": "done"}', {"state": "done"}), ('{"sta', None), ("[]", None)])
def test_cluster_reads_our_record(tmp_path: Path, text: str, record: dict | None) -> None:
    root = tree(tmp_path, {"/etc/kubernetes/enclii.json": text, "/etc/kubernetes/pki/ca.crt": "CA\n"})
    found = probe.cluster(root)
    assert found["record"] == record
    assert found["remains"] == ["/etc/kubernetes/pki/ca.crt"]
    assert len(found["ca_digest"]) == 64


def test_bare_machine_has_no_cluster(tmp_path: Path) -> None:
    assert probe.cluster(str(tmp_path)) == {"record": None, "remains": [], "ca_digest": ""}


def test_busy_ports_and_own_addresses() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert probe.busy_ports([port]) == [port]
    assert probe.busy_ports([port]) == []
    assert probe.has_address("127.0.0.1")
    assert not probe.has_address("192.0.2.77")


def test_names_that_do_not_resolve() -> None:
    assert probe.unresolved(["localhost", "no-such-host.invalid"]) == ["no-such-host.invalid"]


def test_disk_of_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    assert probe.disk_free_gib(str(tmp_path / "a" / "b")) == pytest.approx(probe.disk_free_gib(str(tmp_path)), abs=0.2)


def test_probe_is_plain_data() -> None:
    json.dumps([probe.clock_synchronised(), probe.default_address()])
