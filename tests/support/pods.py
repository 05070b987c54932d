# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root file systems with the programs of our images, where tests put and break what they like: overlays on what the images stand on.

Starting a program in one costs a chroot. What only a container shows, such as a read-only root, is tried with containers.py. Needs root.
"""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import typing as t

import containers

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "images" / "patroni" / "bin"
UID = 999


@functools.cache
def root() -> pathlib.Path:
    """What all of them stand on: what ENCLII_TEST_ROOT names, or else what our images do, where that is built."""
    if named := os.environ.get("ENCLII_TEST_ROOT"):
        return pathlib.Path(named)
    from lab import ours

    return pathlib.Path(ours.root())


def missing() -> str:
    """Why there can be none here; '' where there can."""
    if os.geteuid() != 0:
        return "needs root, to enter other root file systems"
    if absent := [one for one in ("mount", "chroot") if not shutil.which(one)]:
        return f"{', '.join(absent)} is not installed"
    return "" if os.environ.get("ENCLII_TEST_ROOT") else containers.missing()


@functools.cache
def server_programs() -> pathlib.Path:
    """Directory of PostgreSQL's programs as seen from the root."""
    found = sorted(root().glob("usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return pathlib.Path("/") / found[-1].parent.relative_to(root())


def place(prefix: str, *, disk: bool = False) -> pathlib.Path:
    """A directory for pods, which clear() takes away. disk: what is written there is kept there and not in memory, where nobody waits."""
    home = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    if not disk:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8g", "tmpfs", str(home)], check=True)
    home.chmod(0o755)
    return home


def clear(home: pathlib.Path) -> None:
    if os.path.ismount(home):
        subprocess.run(["umount", "--lazy", str(home)], check=False)
    shutil.rmtree(home, ignore_errors=True)


def _root_of(process: pathlib.Path) -> str:
    try:
        return os.readlink(process / "root")
    except OSError:
        return ""  # it is gone


class Pod:
    """A root file system of its own; programs run in it as the user of the images."""

    def __init__(self, home: pathlib.Path, name: str) -> None:
        self.root = home / name
        self._over = home / f"{name}.upper", home / f"{name}.work"
        for path in (self.root, *self._over):
            path.mkdir()
        options = f"lowerdir={root()},upperdir={self._over[0]},workdir={self._over[1]}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)], check=True)
        for place in ("tmp", "dev/shm", "run/postgresql", "var/lib/postgresql/data"):
            self.directory(place)
        for device, minor in (("null", 3), ("zero", 5), ("urandom", 9)):
            if not (self.root / "dev" / device).exists():
                os.mknod(self.root / "dev" / device, stat.S_IFCHR | 0o666, os.makedev(1, minor))
                (self.root / "dev" / device).chmod(0o666)
        for program in BIN.iterdir():
            self.write(f"usr/local/bin/{program.name}", program.read_text(), 0o755)

    def directory(self, path: str) -> None:
        (self.root / path).mkdir(parents=True, exist_ok=True)
        os.chown(self.root / path, UID, UID)

    def write(self, path: str, text: str, mode: int = 0o440) -> None:
        """As a mounted Secret or ConfigMap is: root's, and readable for the group."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        os.chown(target, 0, UID)

    def argv(self, *words: str | pathlib.Path) -> list[str]:
        chroot = [shutil.which("chroot") or "chroot", f"--userspec={UID}:{UID}", str(self.root)]
        return [*chroot, *map(str, words)]

    def run(
        self, *words: str | pathlib.Path, check: bool = True, given: str | None = None, timeout: float = 600, **environ: str
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """given: its input. An AssertionError with its complaint where it fails."""
        source: t.Any = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        done = subprocess.run(
            self.argv(*words), capture_output=True, text=True, env=self.environ(**environ), check=False,
            timeout=timeout, **source,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *words: str | pathlib.Path, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(*words), env=self.environ(**environ), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def kill(self, process: subprocess.Popen[str]) -> None:
        """As the kubelet does in the end: everything of this pod at once."""
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and _root_of(entry) == str(self.root):
                os.kill(int(entry.name), signal.SIGKILL)
        process.wait(10)

    def environ(self, **more: str) -> dict[str, str]:
        path = f"{server_programs()}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "LANG": "C.UTF-8", "HOME": "/tmp", **more}

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.root)], check=False)
