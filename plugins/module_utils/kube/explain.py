# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's refusals in words: what, why, what next."""

from __future__ import annotations

import collections
import re
import typing as t

from .errors import ApiError, KubeError
from .manifests import scrub

Obj = dict[str, t.Any]
_POLICIES = ("admission webhook", "ValidatingAdmissionPolicy", "dmission policy")
_NOT_IN_SCHEMA = ("failed to create typed patch", "field not declared in schema", "strict decoding error")


def explain(
    error: ApiError, subject: str, where: str, body: Obj | None = None, *, verb: str = "apply", changed: bool = True
) -> KubeError:
    """The KubeError a refused request amounts to. body: what was sent, so that no Secret's value is quoted."""
    words = error.message if body is None else scrub(error.message, body)
    reason, cause, step = _classify(error, words, verb)
    if not changed:
        step = "Nothing was changed. " + step
    return KubeError(subject, cause, step, reason=reason, where=where)


def _classify(error: ApiError, words: str, verb: str) -> tuple[str, str, str]:
    """(reason, cause, next step): the first row that fits."""
    status = error.status
    if error.is_field_conflict:
        return "conflict", _conflict(error), "Leave these fields out, or set force_conflicts: true to take them"
    invalid = status in (400, 422) or error.reason == "Invalid"
    rows: list[tuple[bool, str, str]] = [
        (status == 404 and "namespaces" in words, "invalid", "Create the namespace first, or add it to the definition"),
        (status == 404, "api", "The kind or the object went away meanwhile; run again"),
        (status == 403 and "exceeded quota" in words, "quota", "Raise the ResourceQuota or ask for less"),
        (
            status == 403 and "PodSecurity" in words,
            "admission",
            "Meet the namespace's Pod Security level, or change its label",
        ),
        (
            "failed calling webhook" in words,
            "admission",
            "The webhook's server does not answer: see its pods and service",
        ),
        (any(sign in words for sign in _POLICIES), "admission", "Change the object as the policy asks"),
        (status == 403 and "cannot" in words, "forbidden", f"Grant this right to the account ({verb})"),
        (status == 403, "forbidden", "Change the object as asked"),
        (invalid or any(sign in words for sign in _NOT_IN_SCHEMA), "invalid", "Correct the object"),
        (status == 413, "invalid", "Split it; etcd takes 1.5 MiB"),
    ]
    for fits, reason, step in rows:
        if fits:
            return reason, words, step
    if status in (429, 500, 502, 503, 504):
        return "api", f"HTTP {status}, still so after repeating it: {words}", "See the API server's log, then run again"
    return "api", f"HTTP {status}: {words}", "Run again; see the API server's log if it stays"


def _conflict(error: ApiError) -> str:
    owners: dict[str, list[str]] = collections.OrderedDict()
    for cause in error.causes:
        found = re.search(r'conflict with "([^"]+)"', str(cause.get("message", "")))
        owners.setdefault(found.group(1) if found else "another manager", []).append(str(cause.get("field", "?")))
    return "; ".join(
        f"{', '.join(sorted(names))} {'is' if len(names) == 1 else 'are'} owned by {owner}"
        for owner, names in owners.items()
    )


def progress(objects: list[Obj]) -> str:
    """ "Applied before: 3 created (ConfigMap a/b, …), 2 changed" """
    groups: dict[str, list[str]] = collections.OrderedDict()
    for entry in objects:
        if entry["action"] in ("created", "changed", "adopted", "deleted"):
            space = f"{entry['namespace']}/" if entry.get("namespace") else ""
            groups.setdefault(entry["action"], []).append(f"{entry['kind']} {space}{entry['name']}")
    if not groups:
        return "Nothing was changed"
    parts = []
    for action, names in groups.items():
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        parts.append(f"{len(names)} {action} ({shown})")
    return "Done before: " + ", ".join(parts)
