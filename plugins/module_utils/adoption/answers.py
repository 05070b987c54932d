# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server's warnings and refusals of a dry run mean: no Ansible inside."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from .words import Finding

# The policies of role baseline that look at workloads; what others say tells nothing about the walls.
OURS = ("enclii-workloads", "enclii-node-agents")
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+'(?: denied request)?: (.*)", re.DOTALL)
# "web-1 (and 2 other pods): hostNetwork, runAsNonRoot != true": pod, and why
_POD = re.compile(r"([a-z0-9][-a-z0-9.]*(?: \(and \d+ other pods?\))?): (.+)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What was said to one dry run. refused: why it was, "" where it was not."""

    warned: tuple[str, ...] = ()
    refused: str = ""

    @property
    def ours(self) -> bool:
        """Did a policy of the platform say something?"""
        found = (_POLICY.search(text) for text in (*self.warned, self.refused))
        return any(one.group(1) in OURS for one in found if one)

    def renamed(self, name: str, to: str) -> Answer:
        return Answer(tuple(one.replace(name, to) for one in self.warned), self.refused.replace(name, to))


def unwatched(answer: Answer) -> str:
    """Why nobody knows what admission would refuse, told by its answer to something that breaks a rule; "" where it is known."""
    if answer.ours:
        return ""
    if answer.refused:
        return f"something else refuses before the platform's policies are heard, so nobody knows what they would: {answer.refused}"
    return "no admission policy of the platform watches it, so nobody knows yet what it would refuse"


def of_workload(subject: str, alias: str, answer: Answer) -> Iterator[Finding]:
    """alias: how the policies call it, "Deployment web"."""
    for text in answer.warned:
        policy = _POLICY.search(text)
        if policy and policy.group(1) in OURS:
            yield _ours(subject, alias, policy.group(2))
        elif policy:
            cause = f"policy {policy.group(1)}, which is not the platform's, warns of it: {policy.group(2).strip()}"
            yield Finding("admission", subject, cause, breaks=False)
        elif "violate PodSecurity" in text:
            yield Finding("pod-security", subject, text.partition(": ")[2] or text, "Set its securityContext so")
    yield from _refusal(subject, alias, answer.refused)


def _ours(subject: str, alias: str, said: str) -> Finding:
    cause = said.strip().removeprefix(f"{alias}: ")
    return Finding("admission", subject, cause, "Change what it names; docs/admission.md")


def _refusal(subject: str, alias: str, text: str) -> Iterator[Finding]:
    policy = _POLICY.search(text)
    if policy and policy.group(1) in OURS:
        yield _ours(subject, alias, policy.group(2))
    elif "does not support dry run" in text or "failed calling webhook" in text:
        step = "Let that webhook answer dry runs (sideEffects: None), or take the namespace out of it"
        yield Finding("admission", subject, f"it cannot be told what admission says of it: {text}", step)
    # a copy comes on top of what is there, and quota is asked last
    elif text and "exceeded quota" not in text:
        yield Finding("admission", subject, f"it would be refused even now: {text}", "Mend that first")


def of_level(space: str, level: str, answer: Answer, by_workload: bool) -> Iterator[Finding]:
    """What Pod Security says to its label on a namespace. by_workload: it is asked of each workload as well."""
    subject = f"Namespace {space}"
    if answer.refused:
        cause = f"it cannot be told which pods level {level} would not let in again: {answer.refused}"
        yield Finding("pod-security", subject, cause, "Mend that first")
    for line in answer.warned:
        pod = _POD.fullmatch(line)
        if pod:
            step = f"Set its securityContext as level {level} asks; docs/walls.md has an example"
            yield Finding("pod-security", f"Pod {space}/{pod.group(1)}", pod.group(2), step)
        elif "exempt from Pod Security" in line:
            yield Finding("pod-security", subject, line, breaks=False)
        # the first line only says that there are some
        elif "PodSecurity" in line and not line.startswith("existing pods in namespace"):
            step = "" if by_workload else "Let it be in mode observe for one run: then each workload is asked by itself"
            yield Finding("pod-security", subject, line, step, breaks=not by_workload)
