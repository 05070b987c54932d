# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The charts that roles install on the lab: the real ones, out of the Go modules that carry them."""

from __future__ import annotations

import os
import pathlib
import shutil

import yaml

from .core import CACHE, LAB, LabError, digest, locked, run, step


def from_module(build: str, spec: dict) -> pathlib.Path:
    """Copy of the chart inside the module that `build` compiles, with the versions that upstream's release fills in."""
    directory = LAB / "builds" / build
    target = CACHE / "charts" / f"{spec['name']}-{digest([yaml.safe_dump(spec), directory / 'go.sum'])}"
    if target.exists():
        return target
    env = {**os.environ, "GOFLAGS": "-mod=readonly"}
    listed = run(["go", "list", "-m", "-f", "{{.Dir}}", spec["module"]], cwd=directory, env=env)
    module = pathlib.Path(listed.stdout.strip())
    if not (module / spec["path"] / "Chart.yaml").exists():
        raise LabError(f"module {spec['module']} has no chart in {spec['path']}: see lab/charts.yml")
    with locked(CACHE / "charts.lock"), step(f"chart {spec['name']}"):
        unfinished = target.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(module / spec["path"], unfinished, copy_function=shutil.copyfile)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        chart = yaml.safe_load((unfinished / "Chart.yaml").read_text())
        (unfinished / "Chart.yaml").write_text(yaml.safe_dump({**chart, **spec.get("chart", {})}, sort_keys=False))
        unfinished.rename(target)
    return target


def ensure() -> pathlib.Path:
    """Directory with one chart per name; LAB_CHARTS names a directory of charts that go before these."""
    catalogue = yaml.safe_load((LAB / "charts.yml").read_text())
    wanted = {spec["name"]: from_module(spec["build"], spec) for spec in catalogue}
    if given := os.environ.get("LAB_CHARTS"):
        for path in pathlib.Path(given).iterdir():
            wanted[path.name] = path.resolve()
    root = CACHE / "charts" / f"all-{digest(map(str, wanted.values()))}"
    if not root.exists():
        unfinished = root.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, path in wanted.items():
            (unfinished / name).symlink_to(path)
        unfinished.rename(root)
    return root
