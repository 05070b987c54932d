# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own images before they are built: what is pinned, what the name of an image follows from, what `make images` writes."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import scripts
import yaml

from lab import core, images, ours

ROOT = pathlib.Path(__file__).resolve().parents[3]
CONTAINERFILE = (ours.SOURCE / "Containerfile").read_text()


def test_bases_are_pinned_by_digest_and_the_same() -> None:
    pinned = dict(
        re.findall(r"^ARG (BASE|WORKSHOP)=\S+:trixie-slim@(sha256:[0-9a-f]{64})$", CONTAINERFILE, re.MULTILINE)
    )
    assert set(pinned) == set(ours.BASES) and len(set(pinned.values())) == 1
    froms = re.findall(r"^FROM (\S+) AS (\S+)$", CONTAINERFILE, re.MULTILINE)
    assert {base for base, _name in froms} == {"${BASE}", "${WORKSHOP}", "system"}
    assert set(ours.TARGETS) <= {name for _base, name in froms}


def test_everything_from_pypi_has_its_hash() -> None:
    wanted = [line for line in (ours.SOURCE / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert wanted and all(re.fullmatch(r"[a-z-]+==\S+( --hash=sha256:[0-9a-f]{64})+", line) for line in wanted)
    assert "--require-hashes" in CONTAINERFILE and "--no-deps" in CONTAINERFILE


def test_package_lists_are_names_and_sentences() -> None:
    for name in ours.BASES.values():
        named = ours.packages(name)
        assert named and len(set(named)) == len(named)
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package) for package in named)


def test_images_run_as_a_number_that_is_not_root() -> None:
    assert re.findall(r"^USER (\S+)$", CONTAINERFILE, re.MULTILINE) == ["999:999"]
    assert "postgres:x:999:999:" in (ours.SOURCE / "prepare").read_text()


def test_scripts_in_the_images_can_be_run() -> None:
    scripts = [path for path in (ours.SOURCE / "bin").iterdir() if path.is_file()]
    assert scripts and all(os.access(path, os.X_OK) for path in scripts)
    for name in ("prepare", "install-packages"):
        subprocess.run(["sh", "-n", ours.SOURCE / name], check=True)


def test_preparing_a_system_twice_is_preparing_it_once(tmp_path: pathlib.Path) -> None:
    for name in ("passwd", "group", "shadow"):
        (tmp_path / "etc").mkdir(exist_ok=True)
        (tmp_path / "etc" / name).write_text("root:x:0:\n")
    seen = []
    for _time in range(2):
        subprocess.run(["sh", ours.SOURCE / "prepare", tmp_path], check=True)
        seen.append({path: path.read_text() for path in sorted(tmp_path.rglob("*")) if path.is_file()})
    assert seen[0] == seen[1]
    assert (tmp_path / "etc" / "passwd").read_text().count("postgres:x:999:999:") == 1


def test_the_name_of_an_image_follows_from_its_content(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ours.tag.__wrapped__()
    source = tmp_path / "patroni"
    shutil.copytree(ours.SOURCE, source)
    monkeypatch.setattr(ours, "SOURCE", source)
    assert ours.tag.__wrapped__() == before
    (source / "bin" / "__pycache__").mkdir(exist_ok=True)
    (source / "bin" / "__pycache__" / "x.pyc").write_bytes(b"made by Python")
    assert ours.tag.__wrapped__() == before
    (source / "bin" / "another").write_text("#!/bin/sh\n")
    assert ours.tag.__wrapped__() not in (before, "")
    assert before.startswith((ours.SOURCE / "VERSION").read_text().strip() + "-")


def test_other_bases_keep_the_names_they_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "in_podman", lambda tag: True)
    known = images.local_tag("x", core.digest([images.SUITE, "a", "b"]))
    assert images.bootstrap("x", ["b", "a"]) == known
    assert images.bootstrap("x", ["b", "a"], "trixie") != known
    assert images.bootstrap("x", ["b", "a"], inputs=[ours.SOURCE / "dpkg.cfg"]) != known


def test_roles_name_the_version_that_is_built_here() -> None:
    defaults = ROOT / "roles" / "patroni" / "defaults" / "main.yml"
    if not defaults.exists():
        pytest.skip("role patroni is not there")
    said = yaml.safe_load(defaults.read_text())
    version = (ours.SOURCE / "VERSION").read_text().strip()
    for target, variable in scripts.load("tools/images").TARGETS.items():
        assert said[variable] == f"ghcr.io/{ours.TARGETS[target]}:{version}"


def test_an_inventory_keeps_what_else_its_file_says() -> None:
    lines = {"patroni_image": "r/p:1@sha256:aa", "patroni_toolbox_image": "r/t:1@sha256:bb"}
    first = scripts.load("tools/images").written("", lines)
    assert yaml.safe_load(first) == lines
    other = scripts.load("tools/images").written(
        first + "# mine\nother_image: x:1\n", {**lines, "patroni_image": "r/p:2@sha256:cc"}
    )
    assert yaml.safe_load(other) == {**lines, "patroni_image": "r/p:2@sha256:cc", "other_image": "x:1"}
    assert "# mine" in other


@pytest.mark.parametrize(
    ("argv", "path", "cause"),
    [
        (["r.example.com/x", "--inventory", "/nonexistent"], os.environ["PATH"], "no inventory /nonexistent"),
        (["r.example.com/x"], "/nonexistent", "no podman on this machine"),
    ],
)
def test_what_is_missing_is_one_sentence(argv: list[str], path: str, cause: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "images", *argv],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and cause in done.stderr and "Traceback" not in done.stderr
