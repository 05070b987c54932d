# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a chart reference stands for: private to the collection, no Ansible inside.

A chart in a directory is known by its content: its version is ``<version of Chart.yaml>+<digest>``, so that ``helm ls`` shows which
content runs, and the same version with other content is an upgrade. Archives and remote charts are known by their version alone.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

try:
    import yaml
except ImportError:  # ansible-test imports this file without its libraries
    yaml = None  # type: ignore[assignment]

DIGEST_LENGTH = 12
# Never part of what Helm installs, and changed by looking at a checkout.
IGNORED = frozenset({".git", ".DS_Store"})


class ChartError(ValueError):
    """A chart reference that cannot be used; the message names the reference, the cause and the next step."""


class Chart(NamedTuple):
    """A chart as it will stand in the release.

    source: directory | archive | remote; version: as ``helm ls`` shows it, "" where only Helm can know it (an archive without version).
    """

    source: str
    ref: str
    name: str
    version: str


def content_digest(directory: Path) -> str:
    """The first 12 hexadecimal digits of SHA-256 over the relative paths and contents of all files in the directory."""
    total = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        if path.is_file() and not IGNORED.intersection(relative.parts):
            content = path.read_bytes()
            total.update(f"{relative.as_posix()}\0{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()[:DIGEST_LENGTH]


def _metadata(directory: Path) -> dict[str, Any]:
    file = directory / "Chart.yaml"
    if not file.is_file():
        raise ChartError(
            f"Chart directory {directory} has no Chart.yaml: give the directory that contains it, or an oci:// reference."
        )
    try:
        metadata = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ChartError(f"{file} is not YAML ({error}): restore the chart from where it came.") from error
    if not isinstance(metadata, dict) or not all(isinstance(metadata.get(key), str) for key in ("name", "version")):
        raise ChartError(f"{file} names no chart and version: restore the chart from where it came.")
    return metadata


def describe(ref: str, version: str = "") -> Chart:
    """The chart that `ref` stands for.

    ref: a directory, a .tgz archive, an oci:// reference, or a name in a repository; version: required for the last two.
    Raises ChartError.
    """
    if ref.startswith(("/", "./", "../", "~")):
        path = Path(ref).expanduser()
        if path.is_dir():
            metadata = _metadata(path)
            joint = "." if "+" in metadata["version"] else "+"
            return Chart(
                "directory", str(path), metadata["name"], f"{metadata['version']}{joint}{content_digest(path)}"
            )
        if path.is_file():
            name = (
                path.name.removesuffix(".tgz").removesuffix(f"-{version}")
                if version
                else path.name.removesuffix(".tgz")
            )
            return Chart("archive", str(path), name, version)
        raise ChartError(
            f"Chart {ref} does not exist: put the chart there, or let the role's chart reference point at upstream."
        )
    if not version:
        raise ChartError(f"Chart {ref} has no version: set the role's <role>_chart_version.")
    return Chart("remote", ref, ref.rstrip("/").rsplit("/", 1)[-1], version)


def same_version(one: str, other: str) -> bool:
    """Whether two chart versions are the same one; a leading v means nothing."""
    return one.removeprefix("v") == other.removeprefix("v")
