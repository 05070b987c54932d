# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the lab shares: where things lie, how a step is reported, how a program is run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

CLONE = pathlib.Path(__file__).resolve().parent.parent
LAB = CLONE / "lab"
XDG_CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
CACHE = pathlib.Path(os.environ.get("ENCLII_CACHE") or XDG_CACHE / "enclii").expanduser().resolve() / "lab"


class LabError(Exception):
    """Something the user can act upon: the message names the object, the cause and the next step."""


def default_name() -> str:
    """Name of this clone's lab: two clones never share one."""
    return os.environ.get("LAB_NAME") or "enclii-" + hashlib.sha256(str(CLONE).encode()).hexdigest()[:6]


def say(text: str) -> None:
    print(f"lab: {text}", flush=True)


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Report a step when it starts and how long it took when it ends."""
    say(f"{what} ...")
    started = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - started:.1f} s")


def run(argv: Sequence[str | os.PathLike[str]], **kwargs) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Raises LabError with its last words when it fails."""
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run([os.fspath(word) for word in argv], text=True, check=False, **kwargs)
    if done.returncode:
        words = "\n".join(((done.stdout or "") + (done.stderr or "")).strip().splitlines()[-30:])
        raise LabError(f"`{' '.join(map(str, argv))}` ended with {done.returncode}:\n{words}")
    return done


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Hold a lock file, so that two labs that start at once do not make the same thing twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another lab that holds {path.name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def digest(parts: Iterable[str | bytes | pathlib.Path]) -> str:
    """Key of content: 16 hex digits over texts and the contents of files."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, pathlib.Path) else part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:16]


def main_guard(main) -> None:
    """Run a command line's main; a LabError is one clear message, not a traceback."""
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"lab: error: {error}")
