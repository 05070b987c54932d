# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of a tree that hold SealedSecrets or Secrets, found without parsing all the others."""

from __future__ import annotations

import fnmatch
import os
import re
import typing as t
from pathlib import Path

from ..kube.errors import KubeError
from ..kube.manifests import read_documents
from .errors import SealingError

SUFFIXES = (".yml", ".yaml", ".json")
_KINDS = re.compile(rb"kind[\"']?\s*:\s*[\"']?(SealedSecret|Secret)(List)?\b")
_WHERE = re.compile(r"document (\d+), line (\d+)$")
# Directories nobody keeps manifests in, and big ones among them.
_SKIPPED = (".git", ".hg", ".svn", ".terraform", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".cache")
Obj = dict[str, t.Any]


class Source(t.NamedTuple):
    """One object of a file. document, line: where it begins, from 1 on; item: its place in a List, from 1 on, else 0."""

    file: str
    document: int
    line: int
    item: int
    obj: Obj


def walk(paths: t.Sequence[str | Path], exclude: t.Sequence[str] = ()) -> list[Path]:
    """The manifests at paths, files or whole trees, each file once, whatever links lead to it, and in order.

    exclude: patterns such as */charts/*, held against the whole path and against the name. SealingError for a path that is not there.
    """
    found: dict[str, Path] = {}

    def add(path: Path) -> None:
        found.setdefault(os.path.realpath(path), path)

    for given in paths:
        root = Path(given)
        if root.is_file():
            add(root)
        elif root.is_dir():
            for directory, below, names in os.walk(root):
                below[:] = sorted(name for name in below if name not in _SKIPPED)
                for name in sorted(names):
                    if name.endswith(SUFFIXES):
                        add(Path(directory, name))
        else:
            raise SealingError(f"Path {given}", "there is no such file or directory", "Correct it", reason="file")
    return [path for path in found.values() if not any(_matches(path, pattern) for pattern in exclude)]


def _matches(path: Path, pattern: str) -> bool:
    return fnmatch.fnmatch(str(path), pattern) or fnmatch.fnmatch(path.name, pattern)


def load(path: Path) -> bytes:
    """The content of a file. Raises SealingError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SealingError(f"File {path}", str(error.strerror), "Make it readable", reason="file") from error


def concerns(data: bytes) -> bool:
    """Whether a file may hold a SealedSecret or a Secret; a look at its bytes, thirty times faster than parsing it."""
    return _KINDS.search(data) is not None


def parse(data: bytes, path: str | Path) -> list[Source]:
    """The objects of a file, Lists taken apart. Raises SealingError, which quotes nothing of it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SealingError(f"File {path}", "it is not UTF-8", "Save it as UTF-8", reason="file") from None
    try:
        documents = read_documents(text, "x")
    except KubeError as error:
        if b"{{" in data:
            cause, step = "it is a template, and no YAML", "Render it first, or exclude it"
        else:
            cause, step = f"document {error.subject.rpartition(' ')[2]} is {error.cause}", "Correct it, or exclude it"
        raise SealingError(f"File {path}", cause, step, reason="file") from None
    found = []
    for where, document in documents:
        place = _WHERE.search(where)
        number, line = (int(place[1]), int(place[2])) if place else (0, 0)
        if not isinstance(document, dict):
            continue
        inside = document.get("items")
        if str(document.get("kind") or "").endswith("List") and isinstance(inside, list):
            found += [
                Source(str(path), number, line, place_in, one)
                for place_in, one in enumerate(inside, 1)
                if isinstance(one, dict)
            ]
        else:
            found.append(Source(str(path), number, line, 0, document))
    return found


_MAPPINGS = (
    ("metadata",),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("spec",),
    ("spec", "encryptedData"),
    ("spec", "template"),
    ("spec", "template", "metadata"),
    ("spec", "template", "metadata", "labels"),
    ("spec", "template", "metadata", "annotations"),
)


def misshapen(obj: Obj) -> str:
    """The first part of a SealedSecret that is there and no mapping, "spec.template"; "" where it has the shape of one."""
    for path in _MAPPINGS:
        place: t.Any = obj
        for step in path:
            place = place.get(step) if isinstance(place, dict) else None
        if place is not None and not isinstance(place, dict):
            return ".".join(path)
    return ""
