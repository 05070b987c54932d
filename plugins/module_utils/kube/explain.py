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
    if error.is_field_conflict:
        return "conflict", _conflict(error), "Leave these fields out, or set force_conflicts: true to take them"
    if error.status == 404 and "namespaces" in words:
        return "invalid", words, "Create the namespace first, or add it to the definition"
    if error.status == 404:
        return "api", words, "The kind or the object went away meanwhile; run again"
    if error.status == 403 and "exceeded quota" in words:
        return "quota", words, "Raise the ResourceQuota or ask for less"
    if "PodSecurity" in words and error.status == 403:
        return "admission", words, "Meet the namespace's Pod Security level, or change its label"
    if "admission webhook" in words or "ValidatingAdmissionPolicy" in words or "admission policy" in words.lower():
        return "admission", words, "Change the object as the policy asks"
    if "failed calling webhook" in words:
        return "admission", words, "The webhook's server does not answer: see its pods and service"
    if error.status == 403:
        rbac = "cannot" in words
        return "forbidden", words, f"Grant this right to the account ({verb})" if rbac else "Change the object as asked"
    if error.status in (400, 422) or error.reason == "Invalid" or "failed to create typed patch" in words:
        return "invalid", words, "Correct the object"
    if "field not declared in schema" in words or "strict decoding error" in words:
        return "invalid", words, "Correct the object"
    if error.status == 413:
        return "invalid", words or "it is too large", "Split it; etcd takes 1.5 MiB"
    if error.status in (429, 500, 502, 503, 504):
        return (
            "api",
            f"HTTP {error.status}, still so after repeating it: {words}",
            "See the API server's log, then run again",
        )
    return "api", f"HTTP {error.status}: {words}", "Run again; see the API server's log if it stays"


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
