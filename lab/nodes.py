# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab: its network, its nodes and its store, all named after it."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from . import builds, charts, images
from .core import CACHE, CLONE, LabError, digest, locked, run, say, step
from .state import VOLUMES, Lab

LABEL = "dev.enclii.lab"
NODE_FLAGS = [
    *("--runtime", "runc", "--cgroup-manager", "cgroupfs"),
    # Not --systemd=always: on cgroup v1 it puts the machine's name=systemd hierarchy over the node's own, and the nodes'
    # systemds then share (and trim) one tree, the containers' directories in it included.
    *("run", "--detach", "--privileged", "--systemd=false", "--env", "container=podman", "--cgroupns=private"),
    # The node's own /etc/hosts (see node/Containerfile).
    "--no-hosts",
    *("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000", "--tmpfs", "/run", "--tmpfs", "/tmp"),
]


def podman(*words: str | os.PathLike[str]) -> str:
    return run(["podman", *words]).stdout.strip()


def succeeds(argv: list[str]) -> bool:
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def one_at_a_time() -> contextlib.AbstractContextManager[None]:
    """Podman 4.3 was seen to hang for minutes when one lab's containers started while another's were removed."""
    return locked(CACHE / "podman.lock")


def containers(lab: Lab) -> dict[str, str]:
    """State (running, exited, ...) of each of the lab's containers by name."""
    listed = json.loads(podman("ps", "--all", "--format", "json", "--filter", f"label={LABEL}={lab.name}") or "[]")
    return {entry["Names"][0]: entry["State"] for entry in listed}


def free_subnet(name: str) -> str:
    """A /24 of 10.80.0.0/12 that no network of podman and no route of this machine has."""
    routes = (line.split()[0] for line in run(["ip", "-4", "route"]).stdout.splitlines() if line[:1].isdigit())
    taken = [ipaddress.ip_network(route, strict=False) for route in routes]
    for network in json.loads(podman("network", "inspect", *podman("network", "ls", "-q").split()) or "[]"):
        subnets = (entry["subnet"] for entry in network.get("subnets") or [])
        taken += [ipaddress.ip_network(subnet) for subnet in subnets if ":" not in subnet]
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    for offset in range(4096):
        candidate = ipaddress.ip_network((int(ipaddress.ip_address("10.80.0.0")) + ((start + offset) % 4096 << 8), 24))
        if not any(candidate.overlaps(other) for other in taken):
            return str(candidate)
    raise LabError("no free /24 in 10.80.0.0/12: remove networks of podman that nobody uses (`podman network prune`)")


def free_ports(name: str, count: int) -> int:
    """First of `count` loopback ports that no lab has reserved and nothing listens on."""
    reserved = podman("network", "ls", "--format", "{{.Labels}}", "--filter", f"label={LABEL}")
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    for offset in range(400):
        base = 20000 + (start + offset) % 400 * 25
        if f"{LABEL}.port={base}" in reserved:
            continue
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(base, base + count):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", port))
            return base
    raise LabError("no free loopback ports between 20000 and 30000")


def reserve(lab: Lab) -> None:
    """Settle network and ports. Two labs that start at once wait for each other here."""
    with locked(CACHE / "reserve.lock"):
        if not lab.subnet:
            lab.subnet, lab.port = free_subnet(lab.name), free_ports(lab.name, 25)
            labels = ["--label", f"{LABEL}={lab.name}", "--label", f"{LABEL}.port={lab.port}"]
            podman("network", "create", *labels, "--subnet", lab.subnet, lab.name)
            lab.save()


def start_services(lab: Lab, present: dict[str, str]) -> None:
    """The lab's registry and download store: read-only views of the cache."""
    common = ["run", "--detach", "--label", f"{LABEL}={lab.name}", "--network", lab.name, "--runtime", "runc"]
    common += ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000"]
    binary = builds.binary("registry", "registry")
    readonly = 'REGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled":true}'
    services = {
        "store": (2, {lab.paths["store"]: "/srv"}, ["busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"]),
        "registry": (
            3,
            {
                binary: "/registry",
                CLONE / "lab" / "registry.yml": "/registry.yml",
                images.REGISTRY: "/var/lib/registry",
            },
            ["env", readonly, "OTEL_TRACES_EXPORTER=none", "/registry", "serve", "/registry.yml"],
        ),
    }
    for name, (last, volumes, command) in services.items():
        container = lab.container(name)
        if present.get(container) == "running":
            continue
        if container in present:
            podman("rm", "--force", container)
        mounts = [word for path, target in volumes.items() for word in ("--volume", f"{path}:{target}:ro")]
        podman(*common, *mounts, "--name", container, "--ip", lab.address(last), lab.images["debian"], *command)


def start_node(lab: Lab, node: str, present: dict[str, str]) -> None:
    container = lab.container(node)
    if present.get(container) == "running":
        return
    if container in present:
        podman("--runtime", "runc", "start", container)
        return
    ports = ["--publish", f"127.0.0.1:{lab.ssh_port(node)}:22"]
    if node == "cp-1":
        ports += ["--publish", f"127.0.0.1:{lab.port}:6443"]
    mounts = [word for volume, path in VOLUMES.items() for word in ("--volume", f"{container}-{volume}:{path}")]
    public = (lab.directory / "id_ed25519.pub").resolve()
    podman(*NODE_FLAGS, "--label", f"{LABEL}={lab.name}", "--network", lab.name, "--ip", lab.address(lab.nodes[node]),
           "--hostname", node, "--name", container, *ports, *mounts,
           "--volume", f"{public}:/root/.ssh/authorized_keys:ro", lab.images["node"])  # fmt: skip


def wait_for_node(lab: Lab, node: str, seconds: float = 60) -> str:
    """Wait until systemd has booted and sshd has its keys; returns the node's line for known_hosts."""
    container, deadline = lab.container(node), time.monotonic() + seconds
    probe = "systemctl is-system-running; cat /etc/ssh/ssh_host_ed25519_key.pub && ss -Hltn sport = :22 | grep -q ."
    while True:
        argv = ["podman", "exec", container, "sh", "-c", probe]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        state, _, key = done.stdout.strip().partition("\n")
        if done.returncode == 0 and state in ("running", "degraded"):
            return f"[127.0.0.1]:{lab.ssh_port(node)} {' '.join(key.split()[:2])}"
        if time.monotonic() > deadline:
            raise LabError(f"node {container} did not boot in {seconds:.0f} s (systemd says {state or 'nothing'}): "
                           f"see `podman logs {container}`")  # fmt: skip
        time.sleep(0.2)


def allow_inotify() -> None:
    """A lab's nodes hold some 70 inotify instances, all of them root's: the kernel's usual 128 is too few for two labs."""
    limit = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < 1024:
        say(f"raising {limit} to 1024, until the machine boots again")
        limit.write_text("1024\n")


def untranslated(lab: Lab, verb: str) -> list[str]:
    """The rule that leaves what nodes send each other as it is; verb: -C, -I or -D.

    Where bridges go through the machine's firewall (kube-router makes them), podman's would translate what a node sends to a pod of another
    node: it would come from the bridge's address, and no policy could tell the API server from anybody else.
    """
    among = [
        "-s",
        lab.subnet,
        "-m",
        "physdev",
        "--physdev-is-bridged",
        "-m",
        "comment",
        "--comment",
        f"{LABEL}={lab.name}",
    ]
    return ["iptables", "-w", "-t", "nat", verb, "POSTROUTING", *among, "-j", "ACCEPT"]


def up(name: str, workers: int) -> Lab:
    """Bring the lab up, or what is missing of it."""
    lab = Lab.load(name) or Lab(name)
    if lab.subnet and workers < lab.workers:
        raise LabError(f"lab {name} has {lab.workers} workers, {workers} were asked for: run `make lab-down` first")
    lab.workers = workers
    lab.images = {"node": images.node_image(), "debian": images.base("debian")}
    lab.paths = {"store": str(images.ensure_store()), "charts": str(charts.ensure()), "bin": str(controller_programs())}
    reserve(lab)
    lab.save()
    allow_inotify()
    key = lab.directory / "id_ed25519"
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab {name}", "-f", key])
    with step(f"{len(lab.nodes)} nodes of {name}"), ThreadPoolExecutor() as pool:
        with one_at_a_time():
            present = containers(lab)
            start_services(lab, present)
            for node in lab.nodes:
                start_node(lab, node, present)
        if not succeeds(untranslated(lab, "-C")):
            run(untranslated(lab, "-I"))
        known = list(pool.map(lambda node: wait_for_node(lab, node), lab.nodes))
        (lab.directory / "known_hosts").write_text("\n".join(known) + "\n")
    return lab


def controller_programs() -> pathlib.Path:
    """Directory of what the controller runs: kubectl, helm, kubeseal, and the servers that tests start themselves."""
    programs = {
        "kubectl": ("kubernetes", "kubectl"),
        "kube-apiserver": ("kubernetes", "kube-apiserver"),
        "etcd": ("etcd", "etcd"),
        "helm": ("helm", "helm"),
        "kubeseal": ("sealed-secrets", "kubeseal"),
    }
    paths = {program: builds.binary(*where) for program, where in programs.items()}
    target = CACHE / "bin" / digest(map(str, paths.values()))
    if not target.exists():
        unfinished = target.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for program, path in paths.items():
            (unfinished / program).symlink_to(path)
        unfinished.rename(target)
    return target


def down(name: str) -> None:
    """Remove the lab and everything of it; the caches stay."""
    if not shutil.which("podman"):
        say("no podman on this machine, so no lab to remove")
        return
    lab = Lab.load(name) or Lab(name)
    with step(f"removing lab {name}"), one_at_a_time():
        for container in containers(lab):
            podman("rm", "--force", "--time", "0", "--volumes", container)
        prefix = f"{name}-"
        nodes = tuple(f"-{volume}" for volume in VOLUMES)
        for volume in podman("volume", "ls", "-q").split():
            if volume.startswith(prefix) and volume.endswith(nodes):
                podman("volume", "rm", "--force", volume)
        if lab.subnet and succeeds(untranslated(lab, "-C")):
            run(untranslated(lab, "-D"))
        if name in podman("network", "ls", "--format", "{{.Name}}", "--filter", f"label={LABEL}={name}").split():
            podman("network", "rm", "--force", name)
        shutil.rmtree(lab.directory, ignore_errors=True)


def status(name: str) -> int:
    """Print the lab's state; 0 when all of it runs."""
    lab = Lab.load(name)
    if lab is None:
        say(f"{name} is not up")
        return 1
    present = containers(lab)
    wanted = [lab.container(node) for node in (*lab.nodes, "registry", "store")]
    for container in wanted:
        print(f"{container:40} {present.get(container, 'absent')}")
    for what, value in (("API", f"https://127.0.0.1:{lab.port}"), ("network", lab.subnet), ("state", lab.directory)):
        print(f"{what:40} {value}")
    return 0 if all(present.get(container) == "running" for container in wanted) else 1
