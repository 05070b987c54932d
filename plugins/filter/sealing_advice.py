# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: sealing_advice
short_description: What is wrong with a version of the sealed-secrets controller, or with a time of renewal
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Compares a version with the known faults of the controller. Below 0.36.0 anybody who reaches it can widen the scope of a secret; such
    a version is refused. Below 0.40.0 its HTTP API tells values to who reaches it; there an upgrade is recommended.
  - A time for C(--key-cutoff-time) must be one that the controller can read, since it crashes on any other, and must not lie in the
    future, since until then the controller would make a key at every start.
  - Values for the chart must not let everybody with a login reach the controller's HTTP API, which every pod of the cluster has.
positional: _input
options:
  _input:
    description: The version, such as V(0.40.0) or V(v0.40.0). Of any other tag nothing is known, which is advised against.
    type: str
    required: true
  cutoff_time:
    description: The time, as C(date -R) prints it; may be empty.
    type: str
    default: ""
  values:
    description: What somebody adds to the values of the chart; of interest is C(rbac.serviceProxier).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Is this version known to be bad
  ansible.builtin.debug:
    msg: "{{ ('0.38.0' | enclii.platform.sealing_advice).recommended }}"
"""

RETURN = r"""
_value:
  description: V(problem), why it must not run, or an empty text; V(recommended), a list of what should be otherwise.
  type: dict
"""

import re
import typing as t
from datetime import UTC, datetime

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

LOWEST = "0.36.0"
_RFC1123 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}")
_EVERYBODY = re.compile(r"system:(?:un)?authenticated\b|system:serviceaccounts\b")
_CUTOFF = "sealed_secrets_key_cutoff_time"


def sealing_advice(
    version: str, cutoff_time: str = "", values: t.Mapping[str, t.Any] | None = None, now: datetime | None = None
) -> dict[str, t.Any]:
    """problem and recommended; now: aware, the clock's by default."""
    versions = load("sealing.versions")
    problem = _time_problem(cutoff_time, now or datetime.now(UTC)) if cutoff_time else ""
    problem = problem or _proxier_problem(values or {})
    recommended = []
    if versions.before(version, LOWEST):
        worst = next(fault for fault in versions.FAULTS if fault.fixed_in == LOWEST)
        problem = f"sealed_secrets_image_tag is {version}: {worst.what} ({worst.reference}). Set it to {versions.RECOMMENDED}."
    elif versions.parse(version) is None:
        recommended = [
            f"sealed_secrets_image_tag is {version}, which is no version: whether it has known faults cannot be told."
        ]
    else:
        recommended = [
            f"{fault.what} ({fault.reference}; fixed in {fault.fixed_in})." for fault in versions.faults(version)
        ]
        if version.removeprefix("v") in versions.INCOMPLETE:
            recommended.append(f"{version} was not released completely.")
        if recommended:
            recommended.append(f"Set sealed_secrets_image_tag to {versions.RECOMMENDED}.")
    return {"problem": problem, "recommended": recommended}


def _time_problem(text: str, now: datetime) -> str:
    try:
        moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S %z") if _RFC1123.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        return f"{_CUTOFF} is {text!r}, which the controller cannot read, and crashes on: give what date -R prints."
    if moment > now:
        return f"{_CUTOFF} is {text!r}, which is yet to come: the controller would make a key whenever it starts. Give a past time."
    return ""


def _proxier_problem(values: t.Mapping[str, t.Any]) -> str:
    """The chart binds system:authenticated unless told whom."""
    found: t.Any = values
    for part in ("rbac", "serviceProxier"):
        found = found.get(part) if isinstance(found, t.Mapping) else None
    if not isinstance(found, t.Mapping) or not found.get("bind"):
        return ""
    subjects = found.get("subjects")
    if subjects and not _EVERYBODY.search(str(subjects)):
        return ""
    return (
        "sealed_secrets_values binds everybody with a login, every pod too, to the controller's HTTP API (rbac.serviceProxier.bind). Leave"
        " it out, or name in rbac.serviceProxier.subjects those who verify or seal anew."
    )


class FilterModule:
    """Advice on the controller of sealed-secrets."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"sealing_advice": sealing_advice}
