# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's own packages that the lab needs."""

from __future__ import annotations

import os
import pathlib
import shutil

from .core import LabError, run, step

# program -> Debian package
NEEDED = {
    "podman": "podman",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "runc": "runc",
    "catatonit": "catatonit",
    "iptables": "iptables",
    "ssh": "openssh-client",
    "openssl": "openssl",
    "gcc": "gcc",
}
GO_MINOR = 26


def ensure() -> None:
    """Install what is missing. Raises LabError where that is not possible."""
    if os.geteuid() != 0:
        raise LabError("the lab makes containers with systemd and needs root: run it with sudo")
    missing = sorted({package for program, package in NEEDED.items() if not shutil.which(program)})
    for helper in ("netavark", "aardvark-dns"):
        if not pathlib.Path("/usr/lib/podman", helper).exists():
            missing.append(helper)
    if missing:
        if not shutil.which("apt-get"):
            raise LabError(f"missing packages {', '.join(missing)}, and no apt-get here: install them by hand")
        with step(f"installing {' '.join(missing)}"):
            env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            run(["apt-get", "update", "-qq"], env=env)
            run(["apt-get", "install", "-y", "-qq", *missing], env=env)
    go = shutil.which("go")
    if not go:
        raise LabError(f"no `go` in PATH: install Go 1.{GO_MINOR} or newer (https://go.dev/dl)")
    version = run([go, "env", "GOVERSION"]).stdout.strip()
    if int(version.removeprefix("go1.").split(".")[0].split("rc")[0]) < GO_MINOR:
        raise LabError(f"{go} is {version}; the lab's modules need Go 1.{GO_MINOR} or newer (https://go.dev/dl)")
