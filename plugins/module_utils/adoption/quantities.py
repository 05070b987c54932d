# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities as Kubernetes writes them, and what a namespace uses of a quota: no Ansible inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

Obj = dict[str, Any]

_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+)?([numkMGTPE]|[KMGTPE]i)?")
_SUFFIX = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip
_BINARY = ("Ti", "Gi", "Mi", "Ki")
_PODS = ("pods", "count/pods")
_OF_PODS = {
    "cpu": ("requests", "cpu"), "requests.cpu": ("requests", "cpu"), "limits.cpu": ("limits", "cpu"),
    "memory": ("requests", "memory"), "requests.memory": ("requests", "memory"), "limits.memory": ("limits", "memory"),
    "requests.ephemeral-storage": ("requests", "ephemeral-storage"),
    "limits.ephemeral-storage": ("limits", "ephemeral-storage"),
}  # fmt: skip


def of_pods(key: str) -> bool:
    """Is it a figure of a quota that every pod takes of?"""
    return key in _PODS or key in _OF_PODS


def quantity(text: Any) -> Decimal:
    """250m, 64Mi, 1e3 as a number. Raises ValueError."""
    found = _QUANTITY.fullmatch(str(text).strip())
    if not found:
        raise ValueError(f"{text!r} is no quantity")
    number, exponent, suffix = found.groups()
    return Decimal(number + (exponent or "")) * _SUFFIX[suffix or ""]


def shown(number: Decimal, like: str = "") -> str:
    """A number for people: bytes in binary units, everything else as it is. like: what of, such as requests.memory."""
    if "memory" in like or "storage" in like:
        for suffix in _BINARY:
            if number >= _SUFFIX[suffix]:
                return f"{(number / _SUFFIX[suffix]).quantize(Decimal('0.1')).normalize():f}{suffix}"
    return f"{number.normalize():f}"


def of_pod(pod: Mapping[str, Any], side: str, name: str, default: Any = None) -> Decimal:
    """What a pod asks for: all its containers together, or the largest that runs before them.

    side: requests | limits; default: what a container gets that says nothing
    """
    spec = pod.get("spec") or {}

    def asked(container: Mapping[str, Any]) -> Decimal:
        resources = container.get("resources") or {}
        value = (resources.get(side) or {}).get(name)
        if value is None and side == "requests":
            value = (resources.get("limits") or {}).get(name)
        return quantity(value if value is not None else default or 0)

    sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    first = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") != "Always"]
    together = sum((asked(one) for one in [*(spec.get("containers") or []), *sidecars]), Decimal(0))
    return max([together, *(asked(one) for one in first)]) + quantity((spec.get("overhead") or {}).get(name) or 0)


def used(
    key: str, pods: Sequence[Obj], claims: Sequence[Obj], services: Sequence[Obj], limits: Mapping[str, Any]
) -> Decimal | None:
    """How much of one figure of a quota is used now; None where this cannot tell. limits: the limit range to come."""
    if key in _PODS:
        return Decimal(len(pods))
    if key in _OF_PODS:
        side, name = _OF_PODS[key]
        defaults = [(limits.get(part) or {}).get(name) for part in ("defaultRequest", "default")]
        default = defaults[1] if side == "limits" else next((one for one in defaults if one is not None), None)
        return sum((of_pod(pod, side, name, default) for pod in pods), Decimal(0))
    if key in ("persistentvolumeclaims", "count/persistentvolumeclaims"):
        return Decimal(len(claims))
    if key == "requests.storage":
        sizes = [((one["spec"].get("resources") or {}).get("requests") or {}).get("storage") or 0 for one in claims]
        return sum((quantity(one) for one in sizes), Decimal(0))
    if key in ("services", "count/services"):
        return Decimal(len(services))
    if key == "services.loadbalancers":
        return Decimal(sum(1 for one in services if one["spec"].get("type") == "LoadBalancer"))
    if key == "services.nodeports":
        return Decimal(sum(1 for one in services for port in one["spec"].get("ports") or [] if port.get("nodePort")))
    return None
