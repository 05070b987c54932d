# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node image, the images of the lab's registry, and the files of its download store."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator

import yaml

from . import builds
from .core import CACHE, LAB, LabError, digest, locked, run, say, step

# systemd 256 and later refuse cgroup v1, which lab machines may have: bookworm, not trixie.
SUITE = "bookworm"
NODE_PACKAGES = [
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "python3-apt", "ca-certificates"),
    *("iproute2", "iputils-ping", "iptables", "nftables", "ipset", "conntrack", "ethtool", "socat", "curl"),
    *("procps", "kmod", "util-linux", "mount", "e2fsprogs", "runc", "containernetworking-plugins"),
]
BASE_PACKAGES = ["iptables", "ipset", "iproute2", "conntrack", "kmod", "busybox-static", "ca-certificates"]
# What stands under a program that needs a system, by the name that images.yml gives it.
BASES = {"debian": BASE_PACKAGES, "python": ["python3"]}
REGISTRY = CACHE / "registry"


def local_tag(kind: str, key: str) -> str:
    return f"localhost/enclii-lab/{kind}:{key}"


def in_podman(tag: str) -> bool:
    return subprocess.run(["podman", "image", "exists", tag], check=False).returncode == 0


def bootstrap(kind: str, packages: list[str]) -> str:
    """Image of a bare Debian with these packages; returns its tag. Its tar is kept: podman's store may be emptied."""
    key = digest([SUITE, *sorted(packages)])
    tag, tar = local_tag(kind, key), CACHE / "rootfs" / f"{kind}-{key}.tar"
    if in_podman(tag):
        return tag
    with locked(CACHE / "images.lock"):
        if not tar.exists():
            tar.parent.mkdir(parents=True, exist_ok=True)
            unfinished = tar.with_suffix(".part.tar")
            with step(f"Debian {SUITE} for {kind}"):
                run(["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, unfinished])
            unfinished.rename(tar)
        if not in_podman(tag):
            with step(f"import {kind} into podman"):
                run(["podman", "import", tar, tag])
    return tag


def containerfile(kind: str, base: str, context: pathlib.Path, inputs: list[pathlib.Path] = ()) -> str:
    """Image made from a Containerfile of ours upon `base`; returns its tag."""
    files = sorted(path for path in context.rglob("*") if path.is_file())
    tag = local_tag(kind, digest([base, *files, *inputs]))
    if not in_podman(tag):
        with locked(CACHE / "images.lock"), step(f"image {kind}"):
            run(["buildah", "bud", "--isolation", "chroot", "--build-arg", f"BASE={base}", "-t", tag, context])
    return tag


def node_image() -> str:
    return containerfile("node", bootstrap("node-base", NODE_PACKAGES), LAB / "node")


def base(kind: str) -> str:
    """What an image of images.yml stands on."""
    return "scratch" if kind == "scratch" else bootstrap(kind, BASES[kind])


def bases() -> list[str]:
    return [base(kind) for kind in BASES]


@functools.cache
def catalogue() -> list[dict]:
    return yaml.safe_load((LAB / "images.yml").read_text())


def source(reference: str) -> pathlib.Path:
    """File behind `build/program`; `debian/pause` is Debian's catatonit, which plays the pause container."""
    if reference == "debian/pause":
        return pathlib.Path(shutil.which("catatonit") or "/usr/bin/catatonit")
    return builds.binary(*reference.split("/", 1))


def stamp(spec: dict) -> pathlib.Path:
    """File that says: this image, of this content, is in the registry's store."""
    system = base(spec.get("base", "scratch"))
    inputs = [str(source(reference).resolve()) for reference in spec.get("files", {})]
    key = digest([yaml.safe_dump(spec), system, *inputs])
    return CACHE / "registry-stamps" / f"{spec['repository'].replace('/', '_')}-{key}"


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The registry on a loopback port, writing to the cache, for as long as images are pushed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    env = {**os.environ, "REGISTRY_HTTP_ADDR": address, "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(REGISTRY),
           "REGISTRY_LOG_LEVEL": "error", "OTEL_TRACES_EXPORTER": "none"}  # fmt: skip
    process = subprocess.Popen(
        [builds.binary("registry", "registry"), "serve", LAB / "registry.yml"],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _attempt in range(100):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/v2/", timeout=2):
                break
            time.sleep(0.1)
        else:
            raise LabError(f"the lab's registry did not answer on {address}")
        yield address
    finally:
        process.terminate()
        process.wait()


def push(spec: dict, address: str) -> None:
    """Build one image and push it to the registry at `address`."""
    container = run(["buildah", "from", base(spec.get("base", "scratch"))]).stdout.strip()
    try:
        for reference, target in spec.get("files", {}).items():
            path = source(reference)
            name = reference.rsplit("/", 1)[1]
            run(["buildah", "copy", "--chmod", "0755", container, path.resolve(), f"{target}{name}"])
        config = ["--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "--cmd", "[]"]
        if "entrypoint" in spec:
            config += ["--entrypoint", "[" + ",".join(f'"{word}"' for word in spec["entrypoint"]) + "]"]
        if "user" in spec:
            config += ["--user", spec["user"]]
        run(["buildah", "config", *config, container])
        image = run(["buildah", "commit", "-q", "--timestamp", "0", container]).stdout.strip()
        where = f"docker://{address}/{spec['repository']}:{spec['tag']}"
        run(["buildah", "push", "-q", "--tls-verify=false", image, where])
        run(["buildah", "rmi", image])
    finally:
        run(["buildah", "rm", container])


def ensure_registry() -> None:
    """Every image of images.yml in the registry's store."""
    missing = [spec for spec in catalogue() if not stamp(spec).exists()]
    if not missing:
        say(f"{len(catalogue())} images are in the registry's store")
        return
    with locked(CACHE / "registry.lock"), serving() as address:
        for spec in missing:
            if not stamp(spec).exists():
                with step(f"image {spec['repository']}:{spec['tag']}"):
                    push(spec, address)
                stamp(spec).parent.mkdir(parents=True, exist_ok=True)
                stamp(spec).touch()


def store_files() -> dict[str, pathlib.Path | dict[str, pathlib.Path]]:
    """What the download store serves: upstream's path -> a file, or the members of a tar archive."""
    kubernetes = builds.catalogue()["kubernetes"]["version"]
    containerd = builds.catalogue()["containerd"]["version"]
    crictl = builds.catalogue()["cri-tools"]["version"]
    files: dict[str, pathlib.Path | dict[str, pathlib.Path]] = {
        f"release/{kubernetes}/bin/linux/amd64/{name}": builds.binary("kubernetes", name)
        for name in ("kubeadm", "kubelet", "kubectl")
    }
    files[f"containerd/containerd/releases/download/v{containerd}/containerd-{containerd}-linux-amd64.tar.gz"] = {
        f"bin/{name}": builds.binary("containerd", name) for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    }
    files[f"kubernetes-sigs/cri-tools/releases/download/{crictl}/crictl-{crictl}-linux-amd64.tar.gz"] = {
        "crictl": builds.binary("cri-tools", "crictl")
    }
    return files


def ensure_store() -> pathlib.Path:
    """Directory laid out as upstream's downloads are, each file with its .sha256 and .sha256sum beside it."""
    wanted = store_files()
    sources = [entry.values() if isinstance(entry, dict) else [entry] for entry in wanted.values()]
    paths = [str(path) for group in sources for path in group]
    root = CACHE / "store" / digest([*wanted, *paths])
    if root.exists():
        return root
    with locked(CACHE / "store.lock"), step("download store"):
        unfinished = root.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        for name, entry in wanted.items():
            target = unfinished / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(entry, dict):
                with tarfile.open(target, "w:gz", compresslevel=1) as archive:
                    for member, path in entry.items():
                        archive.add(path, member)
            else:
                os.link(entry, target)
            with target.open("rb") as handle:
                checksum = hashlib.file_digest(handle, "sha256").hexdigest()
            target.with_name(target.name + ".sha256").write_text(checksum + "\n")
            target.with_name(target.name + ".sha256sum").write_text(f"{checksum}  {target.name}\n")
        unfinished.rename(root)
    return root
