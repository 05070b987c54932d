# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make images` with podman and a registry: both are built, pushed, and named with the digests that the registry has."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.request

import pytest
import yaml
from containers import missing

from house import ROOT
from lab import images, ours

ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


def test_built_pushed_and_named(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := missing():
        pytest.skip(reason)
    # a clone of its own, with wheels beside the file: there is no network in a build here
    clone, inventory = tmp_path / "clone", tmp_path / "inventory"
    shutil.copytree(ROOT / "images", clone / "images", ignore=shutil.ignore_patterns("wheels"))
    shutil.copytree(ours.wheels(), clone / "images" / "patroni" / "wheels")
    (clone / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "images", clone / "tools")
    variables = inventory / "group_vars" / "all" / "images.yml"
    variables.parent.mkdir(parents=True)
    variables.write_text("---\nother: stays\n")
    monkeypatch.setattr(images, "REGISTRY", tmp_path / "registry")
    bases = [word for name in ours.BASES for word in ("--build-arg", f"{name}={ours.base(name)}")]
    with images.serving() as address:
        argv = [sys.executable, clone / "tools" / "images", f"{address}/enclii", "--insecure", *bases]
        done = subprocess.run(
            [*argv, "--inventory", inventory], env={**os.environ, "BUILDAH_ISOLATION": "chroot"}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        try:
            assert done.returncode == 0, done.stdout[-4000:]
            written = yaml.safe_load(variables.read_text())
            assert set(written) == {"other", "patroni_image", "patroni_toolbox_image"} and written["other"] == "stays"
            version = (ROOT / "images" / "patroni" / "VERSION").read_text().strip()
            for variable, target in (("patroni_image", "patroni"), ("patroni_toolbox_image", "toolbox")):
                name, digest = written[variable].split("@")
                assert name == f"{address}/enclii/enclii-{target}:{version}"
                where = f"http://{address}/v2/enclii/enclii-{target}/manifests/{digest}"
                request = urllib.request.Request(where, headers={"Accept": ACCEPT})
                with urllib.request.urlopen(request, timeout=20) as answer:
                    assert f"sha256:{hashlib.sha256(answer.read()).hexdigest()}" == digest
        finally:
            for target in ours.TARGETS:
                tag = (
                    f"{address}/enclii/enclii-{target}:{(ROOT / 'images' / 'patroni' / 'VERSION').read_text().strip()}"
                )
                subprocess.run(["podman", "rmi", "--ignore", tag], check=False, capture_output=True)
