# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One piece of evidence as an object: what was proved, when, for how long it counts, and what was seen."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import typing as t
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from .errors import EvidenceError
from .screen import found

GROUP, VERSION, KIND, PLURAL = "enclii.dev", "v1", "Evidence", "evidence"
CRD = f"{PLURAL}.{GROUP}"
KIND_LABEL, SUBJECT_LABEL = "evidence.enclii.dev/kind", "evidence.enclii.dev/subject"
VERDICTS = ("PASS", "FAIL", "UNKNOWN")
COLLECTION = "1.0.0"
# The same bounds as the schema's: an object must not be refused after a drill of an hour.
MAX_SUBJECT, MAX_TEXT, MAX_FINDINGS, MAX_PAIRS, MAX_VERSION = 253, 1024, 200, 64, 253
MAX_DETAILS, MAX_DETAIL_NAMES = 64 * 1024, 1000
MAX_VALID = timedelta(days=3653)
Obj = dict[str, t.Any]
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9]([-_./A-Za-z0-9]{0,61}[A-Za-z0-9])?")


def record(
    *,
    kind: str,
    subject: str,
    verdict: str,
    started: datetime,
    ended: datetime,
    valid_for: timedelta,
    figures: Mapping[str, float | int] | None = None,
    versions: Mapping[str, str] | None = None,
    findings: Sequence[str] = (),
    details: Mapping[str, t.Any] | None = None,
    random: t.Callable[[int], bytes] = os.urandom,
) -> Obj:
    """The object, for Store.write. Raises EvidenceError with everything that is wrong with it.

    kind: what was done ("network-probe"); subject: to what ("enclii-production"); started, ended: with a time zone; valid_for: how long it
    counts. figures: what was measured, the unit in the name ("seconds", "pairs"); findings: sentences, the worst first; details: anything
    of JSON. Findings beyond 200 and details beyond 64 KiB are left out, and it is said that they are.
    """
    figures, versions, details = figures or {}, versions or {}, details or {}
    about = f"Evidence {kind} of {subject}"
    problems = [
        *_spoken(kind, subject, verdict, started, ended, valid_for),
        *_pairs(figures, versions, details),
    ]
    if problems:
        raise EvidenceError(about, "; ".join(problems), "Correct what writes it")
    secret = [
        one
        for name, value in (("subject", subject), ("versions", versions), ("findings", findings), ("details", details))
        for one in found(value, name)
    ]
    if secret:
        step = "Evidence is read by many and copied: put names into it, never values"
        raise EvidenceError(about, f"it looks as if it held secrets: {'; '.join(secret)}", step, reason="secret")
    spec: Obj = {
        "kind": kind,
        "subject": subject,
        "verdict": verdict,
        "started": stamp(started),
        "ended": stamp(ended),
        "expires": stamp(ended + valid_for),
        "figures": dict(figures),
        "versions": dict(versions),
        "findings": _bounded(findings),
        "details": _fitting(details),
        "collection": COLLECTION,
    }
    moment = ended.astimezone(UTC)
    time = moment.strftime("%Y%m%dt%H%M%S") + f"{moment.microsecond // 1000:03d}"
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {
            "name": f"{kind}-{slug(subject)}-{time}-{random(4).hex()}",
            "labels": {
                KIND_LABEL: kind,
                SUBJECT_LABEL: slug(subject),
                "app.kubernetes.io/managed-by": "enclii-evidence",
                "app.kubernetes.io/part-of": "enclii",
            },
        },
        "spec": spec,
    }


def slug(subject: str) -> str:
    """A subject as a label and a part of a name; where that loses something, with a digest of the whole."""
    plain = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:48].strip("-")
    if plain == subject:
        return plain
    digest = hashlib.sha256(subject.encode()).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond, so that the order of two pieces of evidence is never in doubt."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_stamp(text: str) -> datetime:
    """Raises ValueError for what is no time with a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _spoken(
    kind: str, subject: str, verdict: str, started: datetime, ended: datetime, valid_for: timedelta
) -> list[str]:
    out = []
    if not _DNS_LABEL.fullmatch(kind):
        out.append("its kind is no DNS label of at most 40 characters")
    if not (0 < len(subject) <= MAX_SUBJECT and subject.isprintable()):
        out.append(f"its subject is no printable text of 1 to {MAX_SUBJECT} characters")
    if verdict not in VERDICTS:
        out.append(f"its verdict is {verdict!r} and none of {', '.join(VERDICTS)}")
    if started.tzinfo is None or ended.tzinfo is None:
        out.append("its times have no time zone")
    elif ended < started:
        out.append("it ended before it started")
    if valid_for <= timedelta(0):
        out.append("it would never count, for it expires when it ends")
    elif valid_for > MAX_VALID:
        out.append(f"it would count for more than {MAX_VALID.days} days")
    return out


def _pairs(figures: Mapping[str, t.Any], versions: Mapping[str, t.Any], details: Mapping[str, t.Any]) -> list[str]:
    out = []
    for what, pairs in (("figures", figures), ("versions", versions)):
        if len(pairs) > MAX_PAIRS:
            out.append(f"{what} has {len(pairs)} entries, and {MAX_PAIRS} are kept")
        out += [
            f"{what}: {name!r} is no name of letters, digits, - _ . and / of at most 63 characters"
            for name in pairs
            if not _KEY.fullmatch(str(name))
        ]
    for name, value in figures.items():
        # Python counts True as a number; nobody measures it
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            out.append(f"figures.{name} is no finite number")
    out += [f"versions.{name} is no text of at most 253 characters" for name, value in versions.items()
            if not isinstance(value, str) or len(value) > MAX_VERSION]  # fmt: skip
    try:
        json.dumps(details, allow_nan=False)
    except (TypeError, ValueError):
        out.append("its details are no JSON")
    return out


def _bounded(findings: Sequence[str]) -> list[str]:
    out = [text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…" for text in map(str, findings)]
    if len(out) > MAX_FINDINGS:
        out = [*out[: MAX_FINDINGS - 1], f"and {len(out) - MAX_FINDINGS + 1} more, which are not kept here"]
    return out


def _fitting(details: Mapping[str, t.Any]) -> Obj:
    plain: Obj = json.loads(json.dumps(details))  # what a server would make of it: no tuples, no keys that are numbers
    size = len(json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MAX_DETAILS:
        return {"left_out": f"{size} bytes, and at most {MAX_DETAILS} are kept here"}
    if len(plain) > MAX_DETAIL_NAMES:
        return {"left_out": f"{len(plain)} entries, and at most {MAX_DETAIL_NAMES} are kept here"}
    return plain
