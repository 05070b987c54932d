# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the probes of all machines together: what keeps them from being one cluster, all of it at once.

Input is, per host, what the module node_info returned; output is a list of findings, each
{"host": str, "check": str, "message": what is wrong and what to do}. Nothing here touches a machine.
"""

from __future__ import annotations

import collections
import typing as t

Node = t.Mapping[str, t.Any]
Settings = t.Mapping[str, t.Any]
Finding = dict[str, str]

_SUPPORTED = {"debian": 12.0, "ubuntu": 22.04}
_CONTROLLERS = ("cpu", "cpuset", "memory", "pids")


def _system(node: Node, settings: Settings) -> t.Iterator[tuple[str, str]]:
    release = node["os"]
    known = _SUPPORTED.get(release["id"])
    try:
        version = float(release["version"] or 0)
    except ValueError:
        version = 0.0
    if known is None or version < known:
        yield "os", f"{release['name'] or 'an unknown system'}: Debian 12 or Ubuntu 22.04, or newer, is needed"
    if node["init"] != "systemd":
        yield "systemd", f"process 1 is {node['init']!r}; the role manages services with systemd only"
    if not node["root"]:
        yield "root", "not root; set ansible_become: true for this host"
    if node["arch"] not in ("amd64", "arm64"):
        yield "os", f"architecture {node['arch']}: Kubernetes is published for amd64 and arm64"
    if node["cgroup"]["version"] != 2 and not settings["cgroup_v1"]:
        yield (
            "cgroups",
            (
                "no cgroup v2; boot with systemd.unified_cgroup_hierarchy=1, or, on machines that cannot, set "
                "failCgroupV1: false in kubernetes_kubelet_config"
            ),
        )
    missing = [name for name in _CONTROLLERS if name not in node["cgroup"]["controllers"]]
    if missing:
        yield "cgroups", f"cgroup controllers {', '.join(missing)} are not enabled in this kernel"
    if node["swap"] and not settings["swap"]:
        yield (
            "swap",
            (
                f"swap is on ({', '.join(node['swap'])}); turn it off and take it out of /etc/fstab, or set failSwapOn: "
                "false in kubernetes_kubelet_config"
            ),
        )


def _resources(node: Node, settings: Settings) -> t.Iterator[tuple[str, str]]:
    need = settings["requirements"]
    control = node["control_plane"]
    memory = need["control_plane_memory_mib" if control else "worker_memory_mib"]
    if node["memory_mib"] < memory:
        yield "memory", f"{node['memory_mib']} MiB of memory; {memory} MiB are needed (kubernetes_requirements)"
    cpus = need["control_plane_cpus" if control else "worker_cpus"]
    if node["cpus"] < cpus:
        yield "cpu", f"{node['cpus']} CPUs; {cpus} are needed (kubernetes_requirements)"
    if not node["joined"]:
        for path, free in sorted(node["disk_free_gib"].items()):
            if free < need["disk_gib"]:
                least = f"{need['disk_gib']} GiB are needed (kubernetes_requirements)"
                yield "disk", f"{free} GiB free under {path}; {least}"
    if not node["clock"]["synchronised"]:
        yield "time_sync", "the clock is not synchronised; start systemd-timesyncd or chrony and wait for it"
    if abs(node["clock"]["skew"]) > need["clock_skew_seconds"]:
        yield (
            "clock_skew",
            (
                f"the clock is {node['clock']['skew']:+.1f} s away from the controller's; "
                f"{need['clock_skew_seconds']} s are allowed (kubernetes_requirements)"
            ),
        )
    if node["kernel_modules_missing"]:
        names = ", ".join(node["kernel_modules_missing"])
        yield "kernel", f"kernel modules {names} are neither loaded nor loadable; install linux-modules for this kernel"
    for name, wanted in sorted(settings["sysctls"].items()):
        have = node["sysctls"].get(name)
        if have is not None and have["value"] != str(wanted) and not have["writable"]:
            yield "sysctl", f"{name} is {have['value']}, must be {wanted} and cannot be set here; set it on the host"


def _network(node: Node, settings: Settings) -> t.Iterator[tuple[str, str]]:
    if not node["node_ip"]:
        yield "address", "no default route to take the node's address from; set kubernetes_node_ip"
    elif not node["node_ip_local"]:
        yield "address", f"kubernetes_node_ip {node['node_ip']} is not an address of this machine"
    if node["busy_ports"] and not node["joined"] and not _ours(node, settings):
        ports = ", ".join(str(port) for port in node["busy_ports"])
        yield "ports", f"TCP ports {ports} are in use; Kubernetes needs them (ss -ltnp names the programs)"
    if node["unresolved"]:
        yield "names", f"names that do not resolve here: {', '.join(node['unresolved'])}; mend DNS or /etc/hosts"


def _ours(node: Node, settings: Settings) -> bool:
    record = node["cluster"]["record"]
    return bool(record) and record.get("cluster") == settings["cluster_name"]


def _remains(node: Node, settings: Settings) -> t.Iterator[tuple[str, str]]:
    record = node["cluster"]["record"]
    reset = "if nothing on it is needed, clean it with playbooks/reset.yml"
    if record and record.get("cluster") != settings["cluster_name"]:
        yield "remains", f"belongs to the cluster {record.get('cluster')!r}, not {settings['cluster_name']!r}; {reset}"
    elif node["cluster"]["remains"] and not record:
        found = ", ".join(node["cluster"]["remains"])
        yield "remains", f"another cluster left its traces here ({found}); {reset}"
    if not node["joined"] and node["conflicting_packages"]:
        names = ", ".join(node["conflicting_packages"])
        yield "packages", f"packages {names} bring another containerd or kubelet; remove them: apt-get purge {names}"
    if node["joined"] and record and record.get("version") != settings["version"]:
        yield (
            "version",
            (
                f"runs Kubernetes {record.get('version')}, kubernetes_version says {settings['version']}: this role does "
                f'not upgrade yet; set kubernetes_version: "{record.get("version")}"'
            ),
        )
    if record and record.get("action") == "init" and not node["control_plane"]:
        yield "role", "was the control plane of this cluster and is now in another group; put it back"


def _unique(nodes: t.Mapping[str, Node]) -> t.Iterator[tuple[str, str, str]]:
    advice = {
        "hostname": "hostnames must be unique: hostnamectl set-hostname",
        "machine_id": "machine ids must be unique: rm /etc/machine-id and run systemd-machine-id-setup (cloned image?)",
        "node_ip": "addresses must be unique: set kubernetes_node_ip",
        "node_name": "node names must be unique: set kubernetes_node_name",
    }
    for key, text in advice.items():
        holders: dict[str, list[str]] = collections.defaultdict(list)
        for host, node in nodes.items():
            if node[key]:
                holders[node[key]].append(host)
        for value, hosts in sorted(holders.items()):
            for host in hosts[1:]:
                yield host, "unique", f"has {key} {value} like {hosts[0]}; {text}"


def _together(nodes: t.Mapping[str, Node], settings: Settings) -> t.Iterator[tuple[str, str, str]]:
    control = settings["control_planes"]
    if not control:
        yield "inventory", "control_plane", "no host in the group control_plane; put exactly one machine there"
    if len(control) > 1:
        yield (
            "inventory",
            "control_plane",
            (
                f"{len(control)} control planes ({', '.join(control)}): this release builds one; move the others to "
                "workers. The endpoint's name is in place, so the cluster can grow to three later"
            ),
        )
    elif control and not settings["control_plane_address"]:
        yield (
            "inventory",
            "control_plane",
            (
                f"{control[0]} is not part of this run (--limit), so its address is unknown; leave it in, or set "
                "kubernetes_node_ip for it"
            ),
        )
    yield from _unique(nodes)
    authority = next((nodes[host]["cluster"]["ca_digest"] for host in control if host in nodes), "")
    for host, node in nodes.items():
        if host not in control and authority and node["joined"] and node["cluster"]["ca_digest"] != authority:
            yield (
                host,
                "remains",
                (
                    "joined a cluster of the same name with another certificate authority; clean it with "
                    "playbooks/reset.yml"
                ),
            )
    if not authority:
        orphans = [host for host in nodes if host not in control and nodes[host]["joined"]]
        if orphans and any(host in nodes for host in control):
            yield (
                "inventory",
                "remains",
                (
                    f"{', '.join(orphans)} already joined, but the control plane {control[0]} is bare; clean them with "
                    "playbooks/reset.yml, or restore the control plane"
                ),
            )


def findings(nodes: t.Mapping[str, Node], settings: Settings) -> list[Finding]:
    """Everything that is wrong with the machines, alone and together, less what settings["ignore"] names."""
    found: list[Finding] = []
    for host, check, message in _together(nodes, settings):
        found.append({"host": host, "check": check, "message": message})
    for host, node in nodes.items():
        for judge in (_system, _resources, _network, _remains):
            for check, message in judge(node, settings):
                found.append({"host": host, "check": check, "message": message})
    return [finding for finding in found if finding["check"] not in settings["ignore"]]
