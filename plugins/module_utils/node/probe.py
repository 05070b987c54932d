# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, in one pass and without changing anything, what a machine is and what stands on it.

Every reader takes the root of the file system, so tests hand it a directory. Sizes are MiB or GiB as the
key says, times are seconds.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import socket
import typing as t

#: Written by the kubeadm module before and after it runs kubeadm (see kubeadm.py).
RECORD_PATH = "/etc/kubernetes/enclii.json"

#: What kubeadm, or another distribution of Kubernetes, leaves on a machine.
REMAINS = (
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/manifests/etcd.yaml",
    "/etc/kubernetes/pki/ca.crt",
    "/var/lib/etcd/member",
    "/etc/rancher",
    "/var/lib/rancher",
    "/var/snap/microk8s",
    "/var/lib/k0s",
)

#: The kernel calls its clock unsynchronised from this estimated error on (microseconds; as systemd reads it).
_UNSYNCHRONISED_US = 16_000_000


def read_text(root: str, path: str) -> str:
    """Content of a file below root, or an empty string where it cannot be read."""
    try:
        with open(root.rstrip("/") + path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def os_release(root: str = "/") -> dict[str, str]:
    """The pairs of /etc/os-release."""
    pairs = (line.split("=", 1) for line in read_text(root, "/etc/os-release").splitlines() if "=" in line)
    return {key: value.strip().strip('"') for key, value in pairs}


def cgroup(root: str = "/") -> dict[str, t.Any]:
    """{"version": 0|1|2, "controllers": [..]}; version 0 where nothing is mounted."""
    unified = read_text(root, "/sys/fs/cgroup/cgroup.controllers")
    if unified:
        return {"version": 2, "controllers": sorted(unified.split())}
    enabled = []
    for line in read_text(root, "/proc/cgroups").splitlines():
        fields = line.split()
        if len(fields) == 4 and not line.startswith("#") and fields[3] == "1":
            enabled.append(fields[0])
    return {"version": 1 if enabled else 0, "controllers": sorted(enabled)}


def swap(root: str = "/") -> list[str]:
    """Names of the swap devices and files in use."""
    return [line.split()[0] for line in read_text(root, "/proc/swaps").splitlines()[1:] if line.strip()]


def memory_mib(root: str = "/") -> int:
    """Memory of the machine in MiB."""
    for line in read_text(root, "/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def packages(root: str = "/") -> set[str]:
    """Names of the Debian packages that are installed."""
    found: set[str] = set()
    name = ""
    for line in read_text(root, "/var/lib/dpkg/status").splitlines():
        if line.startswith("Package: "):
            name = line[9:]
        elif line.startswith("Status: ") and line.endswith(" installed"):
            found.add(name)
    return found


def kernel_modules_missing(names: t.Iterable[str], loadable: t.Callable[[str], bool], root: str = "/") -> list[str]:
    """Those of names that are neither in the kernel nor loadable into it."""
    filesystems = read_text(root, "/proc/filesystems").split()
    missing = []
    for name in names:
        present = os.path.isdir(f"{root.rstrip('/')}/sys/module/{name}") or name in filesystems
        if not present and not loadable(name):
            missing.append(name)
    return missing


def sysctls(names: t.Iterable[str], root: str = "/") -> dict[str, t.Any]:
    """name -> {"value": str, "writable": bool}; names the kernel does not know are left out."""
    found = {}
    for name in names:
        path = "/proc/sys/" + name.replace(".", "/")
        if os.path.exists(root.rstrip("/") + path):
            value = read_text(root, path).strip()
            found[name] = {"value": value, "writable": os.access(root.rstrip("/") + path, os.W_OK)}
    return found


def disk_free_gib(path: str) -> float:
    """Free space, GiB, of the file system that holds path, or will hold it."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    stat = os.statvfs(path)
    return round(stat.f_bavail * stat.f_frsize / 2**30, 1)


def clock_synchronised() -> bool:
    """What the kernel says of its own clock, whichever daemon keeps it."""

    class Timex(ctypes.Structure):
        _fields_ = [
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("rest", ctypes.c_byte * 256),
        ]

    timex = Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    return bool(state >= 0 and timex.maxerror < _UNSYNCHRONISED_US)


def busy_ports(ports: t.Iterable[int]) -> list[int]:
    """Those of the TCP ports that something listens on."""
    busy = []
    for port in ports:
        with socket.socket(socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    busy.append(port)
    return busy


def default_address() -> str:
    """The IPv4 address the default route leaves from; empty without one. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def has_address(address: str) -> bool:
    """Whether address is one of this machine's own."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def unresolved(names: t.Iterable[str]) -> list[str]:
    """Those of the host names that do not resolve here."""
    missing = []
    for name in names:
        try:
            socket.getaddrinfo(name, None)
        except OSError:
            missing.append(name)
    return missing


def cluster(root: str = "/") -> dict[str, t.Any]:
    """{"record": what our kubeadm module noted or None, "remains": [paths], "ca_digest": sha256 or ""}."""
    prefix = root.rstrip("/")
    record = None
    text = read_text(root, RECORD_PATH)
    if text:
        try:
            record = json.loads(text)
        except ValueError:
            record = None
    authority = read_text(root, "/etc/kubernetes/pki/ca.crt")
    return {
        "record": record if isinstance(record, dict) else None,
        "remains": [path for path in REMAINS if os.path.exists(prefix + path)],
        "ca_digest": hashlib.sha256(authority.strip().encode()).hexdigest() if authority else "",
    }
