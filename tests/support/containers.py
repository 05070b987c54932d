# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of the project's images, run by podman as a pod with our security context runs it: not root, nothing to write but what is mounted."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import typing as t
import uuid

LOCKED = [
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges"),
    *("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000"),
]
SOCKET, DATA = "/run/postgresql", "/var/lib/postgresql/data"
WRITABLE = (SOCKET, "/tmp", DATA)


def missing() -> str:
    """Why our images cannot be run here; '' where they can."""
    from lab import ours

    if not shutil.which("podman"):
        return "no podman here: `make lab-build` installs it"
    return "" if ours.quick() else "what our images stand on is not built: `make lab-build`"


def tag(target: str) -> str:
    """The image as its sources are now."""
    from lab import ours

    return ours.image(target)


class Container:
    """start() -> it runs; stop() leaves nothing."""

    def __init__(
        self, target: str, *flags: str, command: t.Sequence[str] | None = None, network: str = "none",
        places: t.Mapping[str, pathlib.Path] | None = None,
    ) -> None:  # fmt: skip
        """command: instead of the image's entrypoint; without one it waits to be told what to do.

        places: volumes that outlive it, or that another one has too; self.places are all that it can write to.
        """
        self.name = f"enclii-image-{uuid.uuid4().hex[:12]}"
        self._home = pathlib.Path(tempfile.mkdtemp(prefix="enclii-image-"))
        self._home.chmod(0o755)
        self.places: dict[str, pathlib.Path] = {}
        self._flags = [*LOCKED, "--network", network, *flags]
        for number, path in enumerate(WRITABLE):
            place = (places or {}).get(path) or self._home / str(number)
            place.mkdir(exist_ok=True)
            self.places[path] = place
            os.chown(place, 999, 999)
            self._flags += ["--volume", f"{place}:{path}"]
        self._image = tag(target)
        self._command = ["--entrypoint", "[]", self._image, *(command or ("tini", "--", "sleep", "infinity"))]

    def start(self, entrypoint: t.Sequence[str] | None = None) -> Container:
        """entrypoint: arguments of the image's own one, which runs then."""
        rest = self._command if entrypoint is None else [self._image, *entrypoint]
        self._podman("run", "--detach", "--name", self.name, *self._flags, *rest)
        return self

    def run(self, *words: str, given: str | None = None, check: bool = True, user: str = "999:999") -> str:
        """What a program in it prints. An AssertionError with its complaint where it fails."""
        argv = ["podman", "--runtime", "runc", "exec", "--interactive", "--user", user, self.name, *words]
        done = subprocess.run(argv, input=given, text=True, capture_output=True, check=False, timeout=120)
        assert not check or done.returncode == 0, f"{words}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        return done.stdout + ("" if done.returncode == 0 else done.stderr)

    def shell(self, script: str, check: bool = True) -> str:
        return self.run("sh", "-euc", script, check=check)

    def logs(self) -> str:
        done = subprocess.run(["podman", "logs", self.name], text=True, capture_output=True, check=False)
        return done.stdout + done.stderr

    def state(self) -> tuple[str, int]:
        """(running, exited, …; exit code)."""
        status, code = self._podman("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", self.name).split()
        return status, int(code)

    def end(self, seconds: int) -> tuple[str, int]:
        """Its state after SIGTERM, and SIGKILL so many seconds later."""
        self._podman("stop", "--time", str(seconds), self.name)
        return self.state()

    def stop(self) -> None:
        subprocess.run(["podman", "rm", "--force", "--time", "0", self.name], capture_output=True, check=False)
        shutil.rmtree(self._home, ignore_errors=True)

    @staticmethod
    def _podman(*words: str) -> str:
        argv = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs", *words]
        done = subprocess.run(argv, text=True, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, f"podman {words[0]}: {done.stderr[-2000:]}"
        return done.stdout.strip()
