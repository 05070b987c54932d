# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a machine and the services that read them, brought to the wanted state together.

A service is restarted when a file it reads is newer than its process. That stays true when a run is killed
between writing the file and restarting the service: the next run still sees it, where a handler is lost.

A file is {"path", "content", "mode": int, "block": bool}; a block is a marked part of a file others write too.
A service is {"name", "reads": [paths]}.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import time
import typing as t
from pathlib import Path

_BEGIN = "# BEGIN enclii.platform kubernetes"
_END = "# END enclii.platform kubernetes"

Run = t.Callable[[list[str]], tuple[int, str, str]]


class ConfigError(Exception):
    """A file or service could not be brought to its state; the text names it, the cause and the next step."""


def with_block(text: str, block: str) -> str:
    """text with the marked block replaced, added at the end, or, if block is empty, taken out."""
    lines = text.splitlines()
    if _BEGIN in lines and _END in lines[lines.index(_BEGIN) :]:
        start = lines.index(_BEGIN)
        stop = lines.index(_END, start)
        head, tail = lines[:start], lines[stop + 1 :]
    else:
        head, tail = lines, []
    inner = [_BEGIN, *block.splitlines(), _END] if block else []
    merged = head + inner + tail
    return "\n".join(merged) + "\n" if merged else ""


@dataclasses.dataclass
class Change:
    """One file: what it is and what it should be (None: not there)."""

    path: Path
    before: str | None
    after: str | None
    mode: int
    mode_before: int | None

    @property
    def changed(self) -> bool:
        return self.before != self.after or (self.after is not None and self.mode_before != self.mode)


def plan(files: t.Iterable[t.Mapping[str, t.Any]], present: bool = True) -> list[Change]:
    """What each file is and should be."""
    changes = []
    for item in files:
        path = Path(item["path"])
        try:
            before = path.read_text(encoding="utf-8")
            mode_before: int | None = path.stat().st_mode & 0o7777
        except FileNotFoundError:
            before, mode_before = None, None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        content = item["content"] if present else ""
        mode = item["mode"]
        if item["block"]:
            after: str | None = with_block(before or "", content)
            mode = mode_before if mode_before is not None else mode
            if not present and before is None:
                after = None
        else:
            after = content if present else None
        changes.append(Change(path, before, after, mode, mode_before))
    return changes


def write(change: Change) -> None:
    """Replace the file in one step; in place where it is a mount of its own (/etc/hosts in containers)."""
    try:
        if change.after is None:
            change.path.unlink(missing_ok=True)
            return
        change.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = change.path.with_name(f".{change.path.name}.enclii")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(change.after)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.chmod(change.mode)
        try:
            fresh.replace(change.path)
        except OSError as error:
            fresh.unlink()
            if error.errno != errno.EBUSY:
                raise
            change.path.write_text(change.after, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{change.path} cannot be written: {error}") from error


@dataclasses.dataclass
class Unit:
    """What systemd says of a service. started is seconds since the epoch, 0 while it does not run."""

    name: str
    loaded: bool
    active: bool
    enabled: bool
    reload_needed: bool
    started: float


def units(names: t.Sequence[str], run: Run) -> dict[str, Unit]:
    """State of the services, in one call."""
    if not names:
        return {}
    properties = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestampMonotonic"
    code, out, err = run(["systemctl", "show", "--property", properties, "--", *(f"{name}.service" for name in names)])
    if code != 0:
        raise ConfigError(f"systemctl show {' '.join(names)}: {err.strip()}")
    boot = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    found = {}
    # In the order asked for: Id is the alias's target where a name is an alias.
    for name, paragraph in zip(names, out.strip().split("\n\n"), strict=True):
        values = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        start = int(values.get("ExecMainStartTimestampMonotonic") or 0)
        found[name] = Unit(
            name=name,
            loaded=values.get("LoadState") == "loaded",
            active=values.get("ActiveState") in ("active", "activating", "reloading"),
            enabled=values.get("UnitFileState") in ("enabled", "static"),
            reload_needed=values.get("NeedDaemonReload") == "yes",
            started=boot + start / 1e6 if start else 0.0,
        )
    return found


def stale(unit: Unit, reads: t.Iterable[str]) -> bool:
    """Whether a file the service reads is newer than its process."""
    for path in reads:
        try:
            if Path(path).stat().st_mtime > unit.started:
                return True
        except OSError:
            continue
    return False
