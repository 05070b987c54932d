# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to say about a namespace before its walls are closed: no Ansible inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

Obj = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Finding:
    """area: pod-security | admission | network | quota | limits; subject: Kind namespace/name; breaks: or only to know"""

    area: str
    subject: str
    cause: str
    next_step: str = ""
    breaks: bool = True

    def __str__(self) -> str:
        step = f". {self.next_step}" if self.next_step else ""
        return f"[{self.area}] {self.subject}: {self.cause}{step}."

    def as_dict(self) -> Obj:
        return {
            "area": self.area,
            "object": self.subject,
            "cause": self.cause,
            "next_step": self.next_step,
            "breaks": self.breaks,
        }


@dataclasses.dataclass
class Space:
    """One namespace, what runs in it, and what was found. mode: what its label says now, "" where it says nothing."""

    name: str
    mode: str = ""
    exists: bool = True
    workloads: int = 0
    pods: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not any(one.breaks for one in self.findings)

    def as_dict(self) -> Obj:
        return {
            "name": self.name,
            "mode": self.mode,
            "exists": self.exists,
            "workloads": self.workloads,
            "pods": self.pods,
            "ready": self.ready,
            "findings": [one.as_dict() for one in sorted(self.findings, key=lambda one: not one.breaks)],
        }


def report(spaces: Sequence[Space]) -> str:
    """For people, namespace by namespace; what breaks comes first."""
    lines = []
    for space in spaces:
        lines.append(f"{space.name}: {_state(space)}")
        lines += [f"  - {one}" for one in space.findings if one.breaks]
        lines += [f"  - to know: {one}" for one in space.findings if not one.breaks]
    return "\n".join(lines)


def _state(space: Space) -> str:
    if not space.exists:
        return "it does not exist yet, so nothing can break"
    count = sum(one.breaks for one in space.findings)
    ready = "ready to be enforced" if not count else f"{count} {'thing' if count == 1 else 'things'} would break"
    mode = {"enforce": "enforced already", "observe": "observed"}.get(space.mode, "without walls")
    return f"{mode}, {_many(space.workloads, 'workload')}, {_many(space.pods, 'pod')}: {ready}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
