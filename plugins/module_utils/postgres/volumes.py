# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether volumes can have another size: no Ansible inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..adoption.quantities import quantity

Obj = Mapping[str, Any]


class Growth(NamedTuple):
    """growing: claims that ask for less than wanted; waiting: claims that do not have it yet; problem: why it cannot be, or ""."""

    growing: list[str]
    waiting: list[str]
    problem: str


def growth(claims: Sequence[Obj], size: str, classes: Sequence[Obj]) -> Growth:
    """claims: PersistentVolumeClaims; classes: storage_classes as module cluster_info returns them. Raises ValueError."""
    wanted = quantity(size)
    known = {one["name"]: bool(one["allow_volume_expansion"]) for one in classes}
    growing, waiting, problems = [], [], []
    for claim in claims:
        name, spec = claim["metadata"]["name"], claim["spec"]
        asked = quantity(spec["resources"]["requests"]["storage"])
        has = quantity(((claim.get("status") or {}).get("capacity") or {}).get("storage") or 0)
        kind = str(spec.get("storageClassName") or "")
        if wanted < asked:
            problems.append(
                f"{name} has {spec['resources']['requests']['storage']}: a volume does not shrink, set {size} no lower"
            )
        if has < wanted:
            waiting.append(name)
        if wanted > asked:
            growing.append(name)
            if not known.get(kind, False):
                problems.append(
                    f"{name} is of class {kind or 'none'}, which does not allow expansion (allowVolumeExpansion): copy the replicas to"
                    " another class, or leave the size as it is"
                )
    return Growth(growing, waiting, f"patroni_storage_size is {size}: {'; '.join(problems)}" if problems else "")
