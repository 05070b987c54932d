# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch published files, check them against their digest and put them in place, each of them whole or not at all.

An artifact is {"name", "url", "dest", "archive": bool, "sha256": str or "", "sha256_url": str or ""}. A plain one
becomes the file dest; of an archive (tar, gzip) every executable file goes into the directory dest, by its base name.

What is installed is noted in a ledger, {name: {"url", "sha256", "files": {path: [size, mtime in ns]}}}, so that a
later run proves an artifact unchanged by a stat of its files and fetches nothing.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import re
import tarfile
import typing as t
from pathlib import Path

Artifact = t.Mapping[str, t.Any]
Ledger = dict[str, dict[str, t.Any]]
Fetch = t.Callable[[str], t.Any]

_CHUNK = 1 << 20
_DIGEST = re.compile(r"^[0-9a-f]{64}$")


class ArtifactError(Exception):
    """An artifact could not be had or is not what was published; the text says which, why and what to do."""


def load(path: Path) -> Ledger:
    """The ledger, empty where there is none or it was cut short."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def save(path: Path, ledger: Ledger) -> None:
    """Replace the ledger in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(ledger, indent=1, sort_keys=True), encoding="utf-8")
    fresh.replace(path)


def _stat(path: Path) -> list[int]:
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime_ns]


def installed(artifact: Artifact, ledger: Ledger) -> bool:
    """Whether the ledger and the files say that exactly this artifact is in place."""
    entry = ledger.get(artifact["name"])
    if not entry or entry["url"] != artifact["url"] or not entry["files"]:
        return False
    if artifact.get("sha256") and entry["sha256"] != artifact["sha256"].lower():
        return False
    return all(_stat(Path(path)) == stat for path, stat in entry["files"].items())


def published_digest(text: str, filename: str) -> str:
    """The digest of filename in the text of a checksum file: a bare one, or lines of digest and name."""
    words = [line.split() for line in text.splitlines() if line.strip()]
    for line in words:
        if _DIGEST.match(line[0].lower()) and (len(line) == 1 or line[-1].lstrip("*").rsplit("/", 1)[-1] == filename):
            return line[0].lower()
    return ""


def _wanted_digest(artifact: Artifact, fetch: Fetch) -> str:
    if artifact.get("sha256"):
        return str(artifact["sha256"]).lower()
    if not artifact.get("sha256_url"):
        raise ArtifactError(f"{artifact['name']}: neither a checksum nor an address to get it from; pin it")
    with fetch(artifact["sha256_url"]) as response:
        text = response.read(_CHUNK).decode("ascii", "replace")
    digest = published_digest(text, artifact["url"].rsplit("/", 1)[-1])
    if not digest:
        raise ArtifactError(f"{artifact['name']}: {artifact['sha256_url']} holds no SHA-256 of it; pin the checksum")
    return digest


def _download(artifact: Artifact, part: Path, digest: str, fetch: Fetch) -> None:
    seen = hashlib.sha256()
    with fetch(artifact["url"]) as response, part.open("wb") as handle:
        while chunk := response.read(_CHUNK):
            seen.update(chunk)
            handle.write(chunk)
    if seen.hexdigest() != digest:
        raise ArtifactError(
            f"{artifact['name']}: {artifact['url']} has SHA-256 {seen.hexdigest()}, published is {digest}; nothing was "
            "installed. Check the mirror, or the pinned checksum"
        )


def _place(part: Path, dest: Path) -> None:
    part.chmod(0o755)
    part.replace(dest)


def _unpack(archive: Path, dest: Path, name: str) -> list[Path]:
    placed = []
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if not member.isfile() or not member.mode & 0o100:
                    continue
                target = dest / Path(member.name).name
                source = tar.extractfile(member)
                if source is None:
                    continue
                part = target.with_name(f".{target.name}.part")
                with part.open("wb") as handle:
                    while chunk := source.read(_CHUNK):
                        handle.write(chunk)
                _place(part, target)
                placed.append(target)
    except (tarfile.TarError, EOFError) as error:
        raise ArtifactError(f"{name}: the archive cannot be read: {error}") from error
    if not placed:
        raise ArtifactError(f"{name}: the archive holds no executable file")
    return placed


def install_one(artifact: Artifact, fetch: Fetch) -> dict[str, t.Any]:
    """Fetch, check and place one artifact; returns its entry of the ledger."""
    dest = Path(artifact["dest"])
    folder = dest if artifact["archive"] else dest.parent
    part = folder / f".{artifact['name']}.download"
    try:
        digest = _wanted_digest(artifact, fetch)
        folder.mkdir(parents=True, exist_ok=True)
        _download(artifact, part, digest, fetch)
        if artifact["archive"]:
            placed = _unpack(part, dest, artifact["name"])
        else:
            _place(part, dest)
            placed = [dest]
    except OSError as error:
        raise ArtifactError(f"{artifact['name']}: {artifact['url']} to {dest}: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return {"url": artifact["url"], "sha256": digest, "files": {str(path): _stat(path) for path in placed}}


def install(artifacts: t.Iterable[Artifact], ledger_path: Path, fetch: Fetch, workers: int = 4) -> list[str]:
    """Install what is missing or different, several at a time, each noted once it is in place; returns the names."""
    ledger = load(ledger_path)
    missing = [artifact for artifact in artifacts if not installed(artifact, ledger)]
    failed = []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(install_one, artifact, fetch): artifact["name"] for artifact in missing}
        for future in concurrent.futures.as_completed(running):
            try:
                ledger[running[future]] = future.result()
            except ArtifactError as error:
                failed.append(str(error))
            else:
                save(ledger_path, ledger)
    if failed:
        raise ArtifactError("; ".join(sorted(failed)))
    return sorted(running.values())


def remove(ledger_path: Path) -> list[str]:
    """Remove every file the ledger names, then the ledger; returns the paths that were there."""
    ledger = load(ledger_path)
    gone = []
    for entry in ledger.values():
        for path in entry["files"]:
            if os.path.lexists(path):
                Path(path).unlink()
                gone.append(path)
    ledger_path.unlink(missing_ok=True)
    return sorted(gone)
