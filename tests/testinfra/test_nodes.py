# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the nodes of a cluster: programs, services, files, ports, hardening."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest
import yaml
from labrun import LabRun

Host = t.Any


def arguments(host: Host, program: str) -> dict[str, str]:
    """--name=value arguments of the one process of a program."""
    (process,) = host.process.filter(comm=program[:15])
    words = host.file(f"/proc/{process.pid}/cmdline").content_string.split("\0")
    return dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)


@pytest.mark.parametrize("service", ["containerd", "kubelet"])
def test_service_runs_and_comes_back_at_boot(node: Host, service: str) -> None:
    unit = node.service(service)
    assert unit.is_running
    assert unit.is_enabled


def test_nothing_has_failed(node: Host) -> None:
    assert node.check_output("systemctl list-units --failed --plain --no-legend") == ""


@pytest.mark.parametrize("program", ["kubelet", "kubeadm"])
def test_program_is_the_one_of_the_store(node: Host, lab: LabRun, program: str) -> None:
    (published,) = Path(lab.lab.paths["store"]).glob(f"release/v*/bin/linux/amd64/{program}")
    with published.open("rb") as handle:
        assert node.file(f"/usr/local/bin/{program}").sha256sum == hashlib.file_digest(handle, "sha256").hexdigest()
    assert node.file(f"/usr/local/bin/{program}").mode == 0o755


def test_containerd_is_configured_in_version_3(node: Host) -> None:
    dump = node.check_output("/usr/local/bin/containerd config dump")
    assert "version = 3" in dump
    assert "registry.k8s.io/pause:3.10.2" in dump
    assert "config_path = '/etc/containerd/certs.d'" in dump


def test_kubelet_is_hardened(node: Host) -> None:
    config = yaml.safe_load(node.file("/var/lib/kubelet/config.yaml").content_string)
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["authentication"]["webhook"]["enabled"] is True
    assert config["authorization"]["mode"] == "Webhook"
    assert config["rotateCertificates"] is True
    assert config["serverTLSBootstrap"] is True
    assert config["seccompDefault"] is True
    assert config["enableProfilingHandler"] is False
    assert config.get("readOnlyPort", 0) == 0
    assert not node.socket("tcp://10255").is_listening
    assert node.socket("tcp://10250").is_listening


def test_nobody_else_reads_credentials(node: Host) -> None:
    found = node.check_output(
        "find /etc/kubernetes /var/lib/kubelet/pki -type f ( -name '*.key' -o -name '*.conf' -o -name '*.pem' "
        "-o -name config.json ) -perm /077".replace("(", r"\(").replace(")", r"\)")
    )
    assert found == ""
    assert node.check_output("find /etc/kubernetes -name 'bootstrap-kubelet.conf'") == ""


def test_no_token_is_left_behind(node: Host) -> None:
    assert node.check_output("find /run /tmp /root -xdev -maxdepth 2 -name '*.yaml' -newer /etc/hostname") == ""


def test_record_says_done(node: Host, lab: LabRun) -> None:
    record = json.loads(node.file("/etc/kubernetes/enclii.json").content_string)
    assert (record["cluster"], record["state"]) == (lab.lab.name, "done")


def test_encryption_key_is_for_root_alone(control_plane: Host) -> None:
    config = control_plane.file("/etc/kubernetes/encryption/config.json")
    assert (config.user, config.group, config.mode) == ("root", "root", 0o600)
    assert control_plane.file("/etc/kubernetes/encryption").mode == 0o700


def test_the_key_is_on_the_control_plane_only(node: Host) -> None:
    is_control_plane = node.check_output("hostname") == "cp-1"
    assert node.file("/etc/kubernetes/encryption").exists == is_control_plane


def test_api_server_is_hardened(control_plane: Host) -> None:
    given = arguments(control_plane, "kube-apiserver")
    assert given["profiling"] == "false"
    assert given["authorization-mode"] == "Node,RBAC"
    assert "NodeRestriction" in given["enable-admission-plugins"]
    assert given["encryption-provider-config"] == "/etc/kubernetes/encryption/config.json"
    assert given["audit-policy-file"] == "/etc/kubernetes/audit/policy.yaml"
    assert (given["audit-log-maxage"], given["audit-log-maxbackup"], given["audit-log-maxsize"]) == ("30", "10", "100")
    assert given["kubelet-certificate-authority"] == "/etc/kubernetes/pki/ca.crt"


@pytest.mark.parametrize(("program", "port"), [("kube-controller-manager", 10257), ("kube-scheduler", 10259)])
def test_profiling_is_off_and_only_this_machine_is_served(control_plane: Host, program: str, port: int) -> None:
    given = arguments(control_plane, program)
    assert given["profiling"] == "false"
    assert given["bind-address"] == "127.0.0.1"
    assert control_plane.socket(f"tcp://127.0.0.1:{port}").is_listening


def test_etcd_is_not_readable_by_others(control_plane: Host) -> None:
    assert control_plane.file("/var/lib/etcd").mode & 0o077 == 0
    given = arguments(control_plane, "etcd")
    assert given["client-cert-auth"] == "true"
    assert given["peer-client-cert-auth"] == "true"


def test_audit_log_is_for_root_alone(control_plane: Host) -> None:
    log = control_plane.file("/var/log/kubernetes/audit/audit.log")
    assert log.size > 0
    assert (log.user, log.mode & 0o077) == ("root", 0)
