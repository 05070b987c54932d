#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Probe a machine that is, or is to become, a node of a cluster
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Reads in one quick pass what a preflight must know of a machine. Judges nothing and changes nothing; the filter
    P(enclii.platform.node_findings#filter) judges the probes of all machines together.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
options:
  node_name:
    description: Name the node has or will have in the cluster; returned as it is.
    type: str
    required: true
  node_ip:
    description: Address of the node. Empty takes the one the default route leaves from.
    type: str
    default: ""
  control_plane:
    description: Whether the machine is a control plane; returned as it is.
    type: bool
    default: false
  controller_time:
    description: Seconds since the epoch on the controller, to measure the clock against.
    type: float
    required: true
  ports:
    description: TCP ports that must be free.
    type: list
    elements: int
    default: []
  names:
    description: Host names that must resolve.
    type: list
    elements: str
    default: []
  kernel_modules:
    description: Kernel modules that are needed.
    type: list
    elements: str
    default: []
  sysctls:
    description: Names of kernel parameters to read.
    type: list
    elements: str
    default: []
  packages:
    description: Debian packages that are needed.
    type: list
    elements: str
    default: []
  conflicting_packages:
    description: Debian packages that must not be installed.
    type: list
    elements: str
    default: []
  paths:
    description: Directories whose free space matters.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Probe the machine
  enclii.platform.node_info:
    node_name: worker-1
    controller_time: "{{ now(utc=true).timestamp() }}"
    ports: [10250]
  register: probe
"""

RETURN = r"""
node:
  description: What the machine is. Sizes are in the unit that ends the key's name.
  returned: success
  type: dict
  contains:
    node_name:
      description: As given.
      type: str
    node_ip:
      description: As given, or the address the default route leaves from, or empty.
      type: str
    joined:
      description: Whether kubeadm, run by this collection, finished here.
      type: bool
    arch:
      description: Architecture in the words of Go, such as V(amd64).
      type: str
    busy_ports:
      description: Those of the ports that are in use.
      type: list
      elements: int
    packages_missing:
      description: Those of the packages that are not installed.
      type: list
      elements: str
    cluster:
      description: Record of this collection, remains of any cluster, digest of the cluster's CA.
      type: dict
"""

import os
import platform
import socket
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.enclii.platform.plugins.module_utils.node import probe

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> None:
    words = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "node_name": {"type": "str", "required": True},
            "node_ip": {"type": "str", "default": ""},
            "control_plane": {"type": "bool", "default": False},
            "controller_time": {"type": "float", "required": True},
            "ports": {"type": "list", "elements": "int", "default": []},
            "names": words,
            "kernel_modules": words,
            "sysctls": words,
            "packages": words,
            "conflicting_packages": words,
            "paths": words,
        },
        supports_check_mode=True,
    )
    skew = round(time.time() - module.params["controller_time"], 2)
    wanted = module.params
    modprobe = module.get_bin_path("modprobe")

    def loadable(name: str) -> bool:
        return modprobe is not None and module.run_command([modprobe, "-n", "-q", name])[0] == 0

    release = probe.os_release()
    installed = probe.packages()
    address = wanted["node_ip"] or probe.default_address()
    cluster = probe.cluster()
    record = cluster["record"] or {}
    node = {
        "node_name": wanted["node_name"],
        "node_ip": address,
        "node_ip_local": bool(address) and probe.has_address(address),
        "control_plane": wanted["control_plane"],
        "os": {
            "id": release.get("ID", ""),
            "version": release.get("VERSION_ID", ""),
            "name": release.get("PRETTY_NAME", ""),
        },
        "arch": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "init": probe.read_text("/", "/proc/1/comm").strip(),
        "root": os.geteuid() == 0,
        "hostname": socket.gethostname(),
        "machine_id": probe.read_text("/", "/etc/machine-id").strip(),
        "cgroup": probe.cgroup(),
        "swap": probe.swap(),
        "memory_mib": probe.memory_mib(),
        "cpus": len(os.sched_getaffinity(0)),
        "disk_free_gib": {path: probe.disk_free_gib(path) for path in wanted["paths"]},
        "clock": {"synchronised": probe.clock_synchronised(), "skew": skew},
        "busy_ports": probe.busy_ports(wanted["ports"]),
        "unresolved": probe.unresolved(wanted["names"]),
        "kernel_modules_missing": probe.kernel_modules_missing(wanted["kernel_modules"], loadable),
        "sysctls": probe.sysctls(wanted["sysctls"]),
        "packages_missing": [name for name in wanted["packages"] if name not in installed],
        "conflicting_packages": [name for name in wanted["conflicting_packages"] if name in installed],
        "cluster": cluster,
        "joined": record.get("state") == "done",
    }
    module.exit_json(changed=False, node=node)


if __name__ == "__main__":
    main()
