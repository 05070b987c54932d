# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What quota and limit range that are to come would refuse, judged by what is there: no Ansible inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from .quantities import of_pods, quantity, shown, used
from .words import Finding

Obj = dict[str, Any]
_NEARLY = Decimal("0.9")


def quota_findings(
    space: str,
    figures: Mapping[str, Any],
    pods: Sequence[Obj],
    claims: Sequence[Obj],
    services: Sequence[Obj],
) -> Iterator[Finding]:
    """figures: {limits, quota} as they will be."""
    subject, limits = f"ResourceQuota {space}/enclii-quota", completed(figures.get("limits") or {})
    for key, hard in sorted((figures.get("quota") or {}).items()):
        now, allowed = used(key, pods, claims, services, limits), quantity(hard)
        raised = f"Ask for less, or raise it in baseline_namespaces.{space}.quota"
        if now is None:
            yield Finding("quota", subject, f"how much of {key} is used now cannot be told from here", breaks=False)
        elif now > allowed:
            # a quota takes nothing away: what breaks is what has to be made again
            end = "no pod comes back" if of_pods(key) else "nothing more of it can be made"
            cause = f"{key}: {shown(now, key)} are used, and {shown(allowed, key)} allowed, so that {end}"
            yield Finding("quota", subject, cause, raised, breaks=of_pods(key))
        elif now > allowed * _NEARLY and now > 0:
            cause = f"{key}: {shown(now, key)} of {shown(allowed, key)} are used"
            cause += ", and a rollout needs more for a while" if of_pods(key) else ""
            yield Finding("quota", subject, cause, raised, breaks=False)


def limit_findings(space: str, limits: Mapping[str, Any], pods: Sequence[Obj]) -> Iterator[Finding]:
    """limits: a container's defaultRequest, default, min and max."""
    limits = completed(limits)
    silent: dict[str, int] = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
            resources = container.get("resources") or {}
            subject = f"Pod {space}/{pod['metadata']['name']}, container {container['name']}"
            yield from _outside(subject, space, resources, limits)
            for name, default in limits["default"].items():
                if name in (resources.get("limits") or {}):
                    continue
                asked = (resources.get("requests") or {}).get(name)
                if asked is None or quantity(asked) <= quantity(default):
                    silent[name] = silent.get(name, 0) + 1
                    continue
                cause = f"it asks for {asked} of {name} and sets no limit: it would get {default}, less than it asks for, and be refused"
                yield Finding(
                    "limits", subject, cause, f"Set its limit, or another default in baseline_namespaces.{space}.limits"
                )
    for name, count in sorted(silent.items()):
        cause = f"{count} containers set no limit for {name} and get {limits['default'][name]} when they start again"
        step = "Set their limits, or another default in baseline_limits"
        yield Finding("limits", f"LimitRange {space}/enclii-limits", cause, step, breaks=False)


def completed(limits: Mapping[str, Any]) -> dict[str, Any]:
    """With what Kubernetes adds by itself: the most is the default limit, that is the default request, and else the least is."""
    default = {**(limits.get("max") or {}), **(limits.get("default") or {})}
    request = {**(limits.get("min") or {}), **default, **(limits.get("defaultRequest") or {})}
    return {**limits, "default": default, "defaultRequest": request}


def _outside(subject: str, space: str, resources: Obj, limits: Mapping[str, Any]) -> Iterator[Finding]:
    step = f"Change it, or the limit in baseline_namespaces.{space}.limits"
    for name, most in (limits.get("max") or {}).items():
        asked = (resources.get("limits") or {}).get(name)
        if asked is not None and quantity(asked) > quantity(most):
            yield Finding("limits", subject, f"its limit of {name} is {asked}, and at most {most} is allowed", step)
    for name, least in (limits.get("min") or {}).items():
        asked = (resources.get("requests") or {}).get(name)
        if asked is not None and quantity(asked) < quantity(least):
            yield Finding("limits", subject, f"it asks for {asked} of {name}, and {least} is the least", step)
