# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over many files is about to write, so that a killed one can go on: names and digests of files, and no content.

One line of JSON each. The first says what the run is for; each other one names a file, its digest before and the one it is about to get,
and is on the disk before the file is replaced. A file is therefore as it was, or as the journal says, or somebody else's doing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import typing as t
from pathlib import Path

from .errors import SealingError

Obj = dict[str, t.Any]


class Intent(t.NamedTuple):
    """A file that is about to be replaced. before, after: digests of its content."""

    file: str
    before: str
    after: str


def digest(data: bytes) -> str:
    """Of a file's content. Manifests hold ciphertext, so it tells nothing."""
    return hashlib.sha256(data).hexdigest()


class Journal:
    """Use as a context manager: it is locked as long, and deleted at the end of a run that came to its end by `finish`.

    purpose: what a run is for. A journal that was left by a run for the same is gone on with; one for something else is begun anew, since
    every file it names is whole. Raises SealingError (reason "journal") where it cannot be written or another run holds it.
    """

    def __init__(self, path: Path, purpose: t.Mapping[str, t.Any]) -> None:
        self.path = path
        self.purpose = dict(purpose)
        self.intents: dict[str, Intent] = {}
        self.resumed = False
        self._descriptor = -1

    def __enter__(self) -> Journal:
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            self._lock()
            self._load()
        except OSError as error:
            self._close()
            raise self._error(str(error.strerror), "Make its directory writable, or set journal") from error
        except SealingError:
            self._close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def done(self, file: str, data: bytes) -> bool:
        """Whether a file is what an earlier run of the same purpose wrote."""
        intent = self.intents.get(file)
        return intent is not None and intent.after == digest(data)

    def intend(self, intents: t.Sequence[Intent]) -> None:
        """Returns when it is on the disk that these files are about to be replaced."""
        self._append([intent._asdict() for intent in intents])
        self.intents.update({intent.file: intent for intent in intents})

    def finish(self) -> None:
        """Nothing is left to do: it is deleted."""
        os.unlink(self.path)
        self._close()

    # -- inside ---------------------------------------------------------------------------------

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._error("another run is at work here", "Wait for its end") from None
        # The other run may have deleted it between our open and our lock.
        try:
            same = os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))
        except FileNotFoundError:
            same = False
        if not same:
            raise self._error("another run has just ended here", "Run this again")

    def _load(self) -> None:
        with os.fdopen(os.dup(self._descriptor), "rb") as handle:
            lines = handle.read().split(b"\n")
        entries = [entry for entry in map(_parsed, lines) if entry]
        if entries and entries[0].get("purpose") == self.purpose:
            self.resumed = True
            for entry in entries[1:]:
                if {"file", "before", "after"} <= set(entry):
                    self.intents[entry["file"]] = Intent(entry["file"], entry["before"], entry["after"])
            # The last line may have been torn; the next one begins on a line of its own.
            os.lseek(self._descriptor, 0, os.SEEK_END)
            if lines[-1]:
                os.write(self._descriptor, b"\n")
            return
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._append([{"purpose": self.purpose}])
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _append(self, entries: t.Sequence[Obj]) -> None:
        data = b"".join(json.dumps(entry, sort_keys=True).encode() + b"\n" for entry in entries)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._error(str(error.strerror), "Make room for it, then run this again") from error

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _error(self, cause: str, step: str) -> SealingError:
        return SealingError(f"Journal {self.path}", cause, step, reason="journal")


def _parsed(line: bytes) -> Obj | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
