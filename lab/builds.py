# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs from Go modules, built once for their content and kept in the cache."""

from __future__ import annotations

import functools
import os
import pathlib
import shutil

import yaml

from .core import CACHE, LAB, LabError, digest, locked, run, say, step

GO_CACHE = CACHE / "go-build"


@functools.cache
def catalogue() -> dict[str, dict]:
    return yaml.safe_load((LAB / "builds.yml").read_text())


@functools.cache
def go_version() -> str:
    return run(["go", "env", "GOVERSION"]).stdout.strip()


@functools.cache
def place(name: str) -> pathlib.Path:
    """Directory of a build's binaries, named by the content they are made from."""
    source = LAB / "builds" / name
    files = sorted(path for path in source.rglob("*") if path.suffix in (".go", ".mod", ".sum"))
    key = digest([yaml.safe_dump(catalogue()[name]), go_version(), *files])
    return CACHE / "builds" / f"{name}-{key}"


def binary(name: str, program: str) -> pathlib.Path:
    """Path of one built program. Raises LabError where the build does not make it."""
    path = place(name) / program
    if not path.exists():
        raise LabError(f"build {name} has no program {program} in {path.parent}: see lab/builds.yml")
    return path


def build(name: str) -> None:
    spec, target = catalogue()[name], place(name)
    env = {
        **os.environ,
        "GOCACHE": str(GO_CACHE),
        "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath -buildvcs=false -mod=readonly",
        "GOTOOLCHAIN": "local",
    }
    if "nosumdb" in spec:
        env["GONOSUMDB"] = ",".join(filter(None, [env.get("GONOSUMDB"), spec["nosumdb"]]))
    unfinished = target.with_name(target.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    ldflags = " ".join(["-s", "-w", *spec.get("ldflags", [])])
    argv = ["go", "build", "-o", f"{unfinished}/", "-ldflags", ldflags, *spec["packages"]]
    with step(f"build {name} {spec['version']}"):
        run(argv, cwd=LAB / "builds" / name, env=env)
    for old, new in spec.get("rename", {}).items():
        (unfinished / old).rename(unfinished / new)
    unfinished.rename(target)


def ensure(names: list[str] | None = None) -> None:
    """Build what is not in the cache. Go's own cache is dropped once everything stands: it is gigabytes."""
    wanted = names or list(catalogue())
    missing = [name for name in wanted if not place(name).exists()]
    if not missing:
        say(f"{len(wanted)} builds are in the cache")
        return
    with locked(CACHE / "builds.lock"):
        for number, name in enumerate(missing, 1):
            if not place(name).exists():
                say(f"build {number} of {len(missing)}")
                build(name)
        if all(place(name).exists() for name in catalogue()) and not os.environ.get("LAB_KEEP_GO_CACHE"):
            shutil.rmtree(GO_CACHE, ignore_errors=True)
