# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repository of backups holds and what is wrong with it, judged from what enclii-backup told of it.

pgBackRest ends well where a page's checksum is wrong, and never compares the WAL a backup needs with the WAL there is.
So nothing here goes by exit codes: backups, their WAL and the archive are set against each other.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

SEGMENT_BYTES = 16 * 1024 * 1024
SEGMENTS = 0x100000000 // SEGMENT_BYTES  # in one log file
OK, FINDINGS = "ok", "findings"
# pgBackRest's codes of a stanza and of a repository
_MISSING, _NO_BACKUP, _UNREADABLE = (1, 3), 2, 99
_WORDS: Sequence[tuple[str, str, str]] = (
    # (sign in what pgBackRest says, name, what to do)
    (
        "access denied",
        "client-refused",
        "Renew Certificate <cluster>-backup-client: the pods' pgBackRest takes nobody but pgbackrest-client",
    ),
    (
        "unable to find primary",
        "no-primary",
        "See with patronictl list whether there is a leader, and whether flow postgres-backup leads to its pod",
    ),
    ("NoSuchBucket", "bucket-missing", "Make the bucket, or correct patroni_backup_s3"),
    ("HTTP request failed with 403", "wrong-credentials", "Give the S3 user's key and secret that may use the bucket"),
    ("UserNotFound", "wrong-credentials", "Give the S3 user's key and secret that may use the bucket"),
    ("InvalidAccessKeyId", "wrong-credentials", "Give the S3 user's key and secret that may use the bucket"),
    (
        "certificate",
        "wrong-certificate",
        "Give the CA of the S3 server in patroni_backup_s3.ca_cert, and its name as endpoint",
    ),
    ("CryptoError", "wrong-key", "Bring back the passphrase that the repository was made with"),
    ("key/value found outside of section", "wrong-key", "Bring back the passphrase that the repository was made with"),
    (
        "do not match the database",
        "other-cluster",
        "It holds the backups of another database: leave them, and give this cluster another bucket or name",
    ),
    ("secrets of the repository", "secret-missing", "Run playbooks/secrets.yml"),
    ("HostConnectError", "unreachable", "See whether the S3 server runs, and whether flow postgres-s3 leads to it"),
    ("unable to get address", "unreachable", "See whether the endpoint's name is known to the cluster's DNS"),
    ("timeout", "unreachable", "See whether the S3 server runs, and whether flow postgres-s3 leads to it"),
)
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Limits:
    """full, backup: hours; archive: minutes. 0 is no limit."""

    full: float = 192.0
    backup: float = 30.0
    archive: float = 15.0


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. name: for programs; text: one sentence."""

    name: str
    text: str

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "text": self.text}


class Segment(t.NamedTuple):
    """A WAL segment: its timeline, and its number on it."""

    timeline: int
    number: int

    @property
    def name(self) -> str:
        return f"{self.timeline:08X}{self.number // SEGMENTS:08X}{self.number % SEGMENTS:08X}"


class Run(t.NamedTuple):
    """Segments of one timeline without a gap, both ends included."""

    timeline: int
    first: int
    last: int

    @property
    def text(self) -> str:
        first, last = Segment(self.timeline, self.first).name, Segment(self.timeline, self.last).name
        return first if first == last else f"{first} to {last}"


def segment(name: str) -> Segment:
    """Raises ValueError where it is none."""
    if not re.fullmatch("[0-9A-F]{24}", name):
        raise ValueError(f"{name!r} is no WAL segment")
    return Segment(int(name[:8], 16), int(name[8:16], 16) * SEGMENTS + int(name[16:], 16))


# -- the archive -------------------------------------------------------------------------------


class Archive:
    """The WAL of one database in a repository. told: as enclii-backup folds it."""

    def __init__(self, told: Mapping[str, t.Any]) -> None:
        self.runs: list[Run] = []
        for first, last in told.get("ranges") or []:
            start, stop = segment(first), segment(last)
            self.runs.append(Run(start.timeline, start.number, stop.number))
        self.histories = {int(name, 16): _switches(text) for name, text in (told.get("histories") or {}).items()}
        self.duplicates = [str(name) for name in told.get("duplicates") or []]
        newest = told.get("newest") or {}
        self.newest, self.newest_time = str(newest.get("segment") or ""), float(newest.get("time") or 0)
        self.segments, self.bytes = int(told.get("segments") or 0), int(told.get("bytes") or 0)

    @property
    def timelines(self) -> list[int]:
        return sorted({run.timeline for run in self.runs} | set(self.histories))

    def missing(self, wanted: Run) -> list[Run]:
        """What is not there of it."""
        found, at = [], wanted.first
        for run in sorted(self.runs):
            if run.timeline != wanted.timeline or run.last < at:
                continue
            if run.first > wanted.last:
                break
            if run.first > at:
                found.append(Run(wanted.timeline, at, run.first - 1))
            at = run.last + 1
        if at <= wanted.last:
            found.append(Run(wanted.timeline, at, wanted.last))
        return found

    def path(self, start: Segment) -> list[Run]:
        """What recovery from there to the newest timeline reads; empty where no way leads there.

        A segment in which a timeline ends is read from the next one, which begins with a copy of it.
        """
        if not self.timelines:
            return []
        tip = self.timelines[-1]
        # (timeline, the number of the segment that the next one begins with)
        ends = [*self.histories.get(tip, []), (tip, None)]
        if start.timeline not in [timeline for timeline, _end in ends]:
            return []
        found, at = [], start.number
        for timeline, end in ends:
            if timeline < start.timeline:
                continue
            last = (
                end - 1 if end is not None else max((r.last for r in self.runs if r.timeline == timeline), default=-1)
            )
            if timeline == start.timeline and end is not None and start.number > end:
                return []
            if last >= at:
                found.append(Run(timeline, at, last))
            at = max(at, end) if end is not None else at
        return found

    def gaps(self, start: Segment) -> list[Run]:
        """What is missing on the way from there to the newest."""
        return [gap for run in self.path(start) for gap in self.missing(run)]


def _switches(text: str) -> list[tuple[int, int]]:
    """(timeline, number of the segment it was left in), from a history file."""
    found = []
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) >= 2 and parts[0].strip().isdigit() and re.fullmatch("[0-9A-Fa-f]+/[0-9A-Fa-f]+", parts[1]):
            found.append((int(parts[0]), lsn(parts[1]) // SEGMENT_BYTES))
    return found


def lsn(text: str) -> int:
    """0/5000028 -> bytes."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


# -- the whole ---------------------------------------------------------------------------------


def judge(told: Mapping[str, t.Any], stanza: str, limits: Limits, *, system_id: str = "") -> Obj:
    """state, findings, notices, backups, last, archive and more, as module backup_info returns them.

    told: the last line of enclii-backup info. system_id: the database's, where its backups must be of it.
    """
    if not told.get("ok"):
        return _nothing(stanza, [_unreadable(f"{told.get('step')}: {told.get('cause')}")])
    known = list(told.get("info") or [])
    unread = [
        str(repo["status"]["message"]) for one in known for repo in one.get("repo") or []
        if repo["status"]["code"] == _UNREADABLE
    ]  # fmt: skip
    if unread:
        return _nothing(stanza, [_unreadable(unread[0])])
    mine = next((one for one in known if one["name"] == stanza), None)
    if mine is None or mine["status"]["code"] in _MISSING:
        others = sorted(str(one["name"]) for one in known if one["name"] != stanza)
        more = f"; it holds {', '.join(others)}" if others else ""
        text = f"the repository holds nothing of {stanza}{more}: the first backup makes its place"
        return _nothing(stanza, [Finding("stanza-missing", text)])
    return _judged(told, mine, stanza, limits, system_id)


def _judged(told: Mapping[str, t.Any], mine: Obj, stanza: str, limits: Limits, system_id: str) -> Obj:
    now = float(told["now"])
    archives = {name: Archive(one) for name, one in (told.get("archive") or {}).items()}
    by_database = {
        one["database"]["id"]: archives[one["id"]] for one in mine.get("archive") or [] if one["id"] in archives
    }
    current = max((one["id"] for one in mine.get("db") or []), default=0)
    archive = by_database.get(current) or Archive({})
    expires = {str(label) for label in told.get("expires") or []}
    backups = [_backup(one, now, by_database, expires) for one in mine.get("backup") or []]
    database: Obj = next((one for one in mine.get("db") or [] if one["id"] == current), {})
    known_id = str(database.get("system-id") or "")
    findings = [
        *_other(system_id, known_id), *_of_backups(backups, limits), *_of_archive(archive, mine, current, limits, now),
    ]  # fmt: skip
    last = {kind: _newest(backups, (kind,)) for kind in ("full", "diff", "incr")}
    return {
        "state": FINDINGS if findings else OK,
        "findings": [one.as_dict() for one in findings],
        "notices": _notices(told, archive),
        "stanza": stanza,
        "system_id": known_id,
        "postgresql": str(database.get("version") or ""),
        "pgbackrest": str(told.get("version") or ""),
        "encrypted": str(mine.get("cipher") or "none") not in ("none", "mixed"),
        "backups": backups,
        "last": {kind: one["label"] if one else "" for kind, one in last.items()},
        "full_age_hours": last["full"]["age_hours"] if last["full"] else None,
        "age_hours": (newest := _newest(backups, ("full", "diff", "incr"))) and newest["age_hours"],
        "bytes": sum(one["repository_bytes"] for one in backups),
        "expires": sorted(expires),
        "unfinished": [str(label) for label in told.get("unfinished") or []],
        "archive": _archive(archive, backups, current, now, limits),
    }


def _nothing(stanza: str, findings: Sequence[Finding]) -> Obj:
    return {
        "state": FINDINGS, "findings": [one.as_dict() for one in findings], "notices": [], "stanza": stanza, "system_id": "",
        "postgresql": "", "pgbackrest": "", "encrypted": None, "backups": [], "last": {"full": "", "diff": "", "incr": ""},
        "full_age_hours": None, "age_hours": None, "bytes": 0, "expires": [], "unfinished": [],
        "archive": {"current": False, "newest": "", "age_minutes": None, "timelines": [], "ranges": [], "gaps": [],
                    "segments": 0, "bytes": 0},
    }  # fmt: skip


def _unreadable(message: str) -> Finding:
    name, step = explain(message)
    return Finding(name, f"the repository cannot be read: {shorten(message)}. {step}")


def explain(message: str) -> tuple[str, str]:
    """(name, what to do) for what pgBackRest says of a repository that it cannot read."""
    for sign, name, step in _WORDS:
        if sign in message:
            return name, step
    return "unreadable", "See what pgBackRest says, and the log of the S3 server"


def shorten(message: str) -> str:
    """Its sentences without requests, headers, hints and what a wrong key decrypts to."""
    code, told = (re.search(f"<{word}>([^<]*)</{word}>", message) for word in ("Code", "Message"))
    kept = []
    for line in message.splitlines():
        if line.startswith("***"):
            break
        # Indented are the tries that came to the same.
        if line.startswith(("HINT", "    ")) or "outside of section" in line:
            continue
        kept.append(line.strip(" :"))
    if code:
        kept.append(f"{code[1]}: {told[1].rstrip('.')}" if told else code[1])
    if "outside of section" in message:
        kept.append("what it decrypts to is no text")
    return "; ".join(kept)[:400] or "it says nothing"


def _backup(one: Obj, now: float, archives: Mapping[int, Archive], expires: set[str]) -> Obj:
    archive = archives.get(one["database"]["id"]) or Archive({})
    wal = one.get("archive") or {}
    missing: list[Run] = []
    if wal.get("start") and wal.get("stop"):
        start, stop = segment(wal["start"]), segment(wal["stop"])
        missing = archive.missing(Run(start.timeline, start.number, stop.number))
    size = one["info"]
    begun, ended = float(one["timestamp"]["start"]), float(one["timestamp"]["stop"])
    return {
        "label": str(one["label"]), "type": str(one["type"]), "started": int(begun), "ended": int(ended),
        "age_hours": round((now - ended) / 3600, 2), "seconds": int(ended - begun), "bytes": int(size["size"]),
        "repository_bytes": int(size["repository"].get("delta") or 0), "error": bool(one.get("error")),
        "needs": [str(label) for label in one.get("reference") or []],
        "wal_start": str(wal.get("start") or ""), "wal_stop": str(wal.get("stop") or ""),
        "lsn_stop": str((one.get("lsn") or {}).get("stop") or ""), "wal_missing": [run.text for run in missing],
        "expires": one["label"] in expires, "database": int(one["database"]["id"]),
    }  # fmt: skip


def _newest(backups: Iterable[Obj], kinds: Sequence[str]) -> Obj | None:
    """The newest sound one of these kinds."""
    return max(
        (one for one in backups if one["type"] in kinds and is_sound(one)), key=lambda one: one["ended"], default=None
    )


def is_sound(backup: Mapping[str, t.Any]) -> bool:
    """Whether it can be restored as far as the repository's own lists tell."""
    return not backup["error"] and backup["bytes"] > 0 and not backup["wal_missing"]


def _other(wanted: str, known: str) -> Iterator[Finding]:
    if wanted and known and wanted != known:
        yield Finding("other-cluster", f"the repository's backups are of database system {known}, and ours is {wanted}")


def _of_backups(backups: Sequence[Obj], limits: Limits) -> Iterator[Finding]:
    labels = {one["label"] for one in backups}
    for one in backups:
        if one["error"]:
            yield Finding("page-errors", f"backup {one['label']} holds pages with wrong checksums")
        if not one["bytes"]:
            yield Finding("backup-empty", f"backup {one['label']} is empty")
        if one["wal_missing"]:
            gap = ", ".join(one["wal_missing"])
            yield Finding("wal-missing", f"backup {one['label']} cannot be restored: WAL {gap} is not in the archive")
        if lost := [label for label in one["needs"] if label not in labels]:
            yield Finding("backup-incomplete", f"backup {one['label']} needs {', '.join(lost)}, which is not there")
    if not backups:
        yield Finding("no-backup", "there is no backup at all")
        return
    for name, kinds, limit, words in (
        ("full-old", ("full",), limits.full, "sound full backup"),
        ("backup-old", ("full", "diff", "incr"), limits.backup, "sound backup"),
    ):
        newest = _newest(backups, kinds)
        if newest is None:
            yield Finding(name, f"there is no {words}")
        elif limit and newest["age_hours"] > limit:
            yield Finding(
                name,
                f"the last {words}, {newest['label']}, is {newest['age_hours']:.1f} h old, and {limit:g} are allowed",
            )


def _of_archive(archive: Archive, mine: Obj, current: int, limits: Limits, now: float) -> Iterator[Finding]:
    if not archive.runs:
        yield Finding("archive-empty", "no WAL was ever archived")
        return
    age = (now - archive.newest_time) / 60
    if limits.archive and age > limits.archive:
        words = f"the newest WAL, {archive.newest}, is {age:.0f} minutes old, and {limits.archive:g} are allowed"
        yield Finding("archive-old", f"{words}: what was written since would be lost")
    if archive.duplicates:
        yield Finding(
            "wal-duplicate", f"WAL {', '.join(archive.duplicates[:3])} is there twice, with different content"
        )
    tip = archive.timelines[-1]
    if tip > 1 and tip not in archive.histories:
        yield Finding(
            "history-missing", f"the history of timeline {tip} is not in the archive, so that nothing leads to it"
        )
    for gap in _gaps(archive, mine.get("backup") or [], current):
        count = gap.last - gap.first + 1
        yield Finding(
            "wal-gap",
            f"WAL {gap.text} ({count} segment{'s' if count > 1 else ''}) is missing: from earlier backups no point in time after it "
            f"can be reached",
        )


def _gaps(archive: Archive, backups: Sequence[Obj], current: int) -> list[Run]:
    """What is missing between the oldest backup and the newest WAL, on the way there."""
    starts = [
        segment(one["archive"]["start"])
        for one in backups
        if one["database"]["id"] == current and one["archive"].get("start")
    ]
    for start in starts:
        if archive.path(start):
            return archive.gaps(start)
    return []


def _archive(archive: Archive, backups: Sequence[Obj], current: int, now: float, limits: Limits) -> Obj:
    age = round((now - archive.newest_time) / 60, 1) if archive.newest else None
    raw = [{"database": {"id": one["database"]}, "archive": {"start": one["wal_start"]}} for one in backups]
    return {
        "current": age is not None and (not limits.archive or age <= limits.archive),
        "newest": archive.newest,
        "age_minutes": age,
        "timelines": archive.timelines,
        "ranges": [run.text for run in archive.runs],
        "gaps": [gap.text for gap in _gaps(archive, raw, current)],
        "segments": archive.segments,
        "bytes": archive.bytes,
    }


def _notices(told: Mapping[str, t.Any], archive: Archive) -> list[str]:
    found = [
        f"backup {label} is under way, or was broken off: the next one of its kind goes on with it or removes it"
        for label in told.get("unfinished") or []
    ]
    if len(archive.timelines) > 1:
        found.append(f"the archive holds timelines {', '.join(str(one) for one in archive.timelines)}")
    return found
