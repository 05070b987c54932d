# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own images, by the Containerfile that everybody builds them with. What its steps would download lies there before."""

from __future__ import annotations

import functools
import pathlib
import shlex
import shutil
import sys
import tempfile

from . import images
from .core import CACHE, CLONE, digest, locked, run, say, step

SOURCE = CLONE / "images" / "patroni"
SUITE = "trixie"
# Target of the Containerfile -> repository.
TARGETS = {"patroni": "madfam/enclii-patroni", "toolbox": "madfam/enclii-toolbox"}


# Beside the source, and not of it.
LEFT_OUT = ("__pycache__", "wheels")
# What a build argument names -> its packages.
BASES = {"BASE": "packages.txt", "WORKSHOP": "workshop.txt"}


def packages(name: str) -> list[str]:
    """Debian packages that a list of the source names."""
    lines = (line.partition("#")[0] for line in (SOURCE / name).read_text().splitlines())
    return " ".join(lines).split()


def base(argument: str, made: bool = True) -> str:
    """Tag of a Debian with the packages already, made as the Containerfile would have made it; with made=False only its name."""
    settings, prepare = SOURCE / "dpkg.cfg", SOURCE / "prepare"
    kind, named, inputs = f"our-{argument.lower()}", packages(BASES[argument]), [settings, prepare]
    if not made:
        return images.bootstrap_tag(kind, named, SUITE, inputs)
    options = [f"--dpkgopt={settings}", f'--essential-hook=sh {shlex.quote(str(prepare))} "$1"']
    return images.bootstrap(kind, named, SUITE, options, inputs)


def bases() -> list[str]:
    return [base(argument) for argument in BASES]


def quick() -> bool:
    """Whether images are made in seconds: what they stand on is there."""
    return all(images.in_podman(base(argument, made=False)) for argument in BASES)


def root() -> pathlib.Path:
    """Directory with the files of BASE, for tests that run its programs without a container."""
    tag = base("BASE")
    tar = CACHE / "rootfs" / f"our-base-{tag.rpartition(':')[2]}.tar"
    target = tar.with_suffix("")
    if not target.exists():
        with locked(CACHE / "images.lock"), step("root file system of our images"):
            unfinished = target.with_suffix(".unpacking")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            run(["tar", "-x", "--numeric-owner", "--exclude", "./dev/*", "-f", tar, "-C", unfinished])
            unfinished.rename(target)
    return target


def wheels() -> pathlib.Path:
    """Directory of what requirements.txt names, checked against its hashes."""
    requirements = SOURCE / "requirements.txt"
    target = CACHE / "wheels" / digest([requirements])
    if not target.exists():
        with locked(CACHE / "images.lock"), step("wheels for our images"):
            unfinished = target.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            exactly = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", requirements]
            run([*pip, *exactly, "--dest", unfinished])
            unfinished.rename(target)
    return target


def sources() -> list[pathlib.Path]:
    """Files that the images are made of."""
    return sorted(path for path in SOURCE.rglob("*") if path.is_file() and not {*LEFT_OUT} & {*path.parts})


@functools.cache
def tag() -> str:
    """Version of the images: that of the source, and the content they are made from."""
    version = (SOURCE / "VERSION").read_text().strip()
    names = [str(path.relative_to(SOURCE)) for path in sources()]
    return f"{version}-{digest([SUITE, *names, *sources()])}"


def reference(target: str) -> str:
    """What pods name the image."""
    return f"ghcr.io/{TARGETS[target]}:{tag()}"


def image(target: str) -> str:
    """Tag of the image in podman's store; it is made if it is not there."""
    local = images.local_tag(target, tag())
    if not images.in_podman(local):
        arguments = [*(f"{argument}={base(argument)}" for argument in BASES), f"VERSION={tag()}"]
        given = wheels()
        with locked(CACHE / "images.lock"), step(f"image {target}"), tempfile.TemporaryDirectory() as directory:
            context = pathlib.Path(directory, "context")
            shutil.copytree(SOURCE, context, ignore=shutil.ignore_patterns(*LEFT_OUT))
            shutil.copytree(given, context / "wheels")
            words = [word for argument in arguments for word in ("--build-arg", argument)]
            how = ["--isolation", "chroot", "--timestamp", "0", "--target", target]
            run(["buildah", "bud", *how, *words, "-t", local, context])
    return local


def stamp(target: str) -> pathlib.Path:
    """File that says: this image, of this content, is in the registry's store."""
    return CACHE / "registry-stamps" / f"{TARGETS[target].replace('/', '_')}-{tag()}"


def ensure() -> None:
    """Our images in the registry's store."""
    missing = [target for target in TARGETS if not stamp(target).exists()]
    if not missing:
        say(f"our images {tag()} are in the registry's store")
        return
    made = {target: image(target) for target in missing}
    with locked(CACHE / "registry.lock"), images.serving() as address:
        for target, local in made.items():
            with step(f"push of {target} {tag()}"):
                where = f"docker://{address}/{TARGETS[target]}:{tag()}"
                run(["buildah", "push", "-q", "--tls-verify=false", local, where])
            stamp(target).parent.mkdir(parents=True, exist_ok=True)
            stamp(target).touch()
