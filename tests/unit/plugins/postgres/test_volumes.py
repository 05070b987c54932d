# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether volumes can grow is known before any of them is asked to."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.postgres import volumes

CLASSES = [{"name": "grows", "allow_volume_expansion": True}, {"name": "stays", "allow_volume_expansion": False}]


def claim(asked: str, has: str = "", kind: str | None = "grows", name: str = "data-pg-0") -> dict[str, t.Any]:
    spec = {"resources": {"requests": {"storage": asked}}, **({"storageClassName": kind} if kind else {})}
    return {"metadata": {"name": name}, "spec": spec, "status": {"capacity": {"storage": has}} if has else {}}


@pytest.mark.parametrize(
    ("claims", "growing", "waiting", "problem"),
    [
        ([claim("10Gi", "10Gi")], [], [], ""),
        ([claim("10240Mi", "10Gi")], [], [], ""),
        ([claim("5Gi", "5Gi")], ["data-pg-0"], ["data-pg-0"], ""),
        ([claim("10Gi", "5Gi")], [], ["data-pg-0"], ""),
        ([claim("10Gi")], [], ["data-pg-0"], ""),
        ([claim("20Gi", "20Gi")], [], [], "a volume does not shrink"),
        (
            [claim("5Gi", "5Gi", "stays")],
            ["data-pg-0"],
            ["data-pg-0"],
            "of class stays, which does not allow expansion",
        ),
        ([claim("5Gi", "5Gi", "gone")], ["data-pg-0"], ["data-pg-0"], "of class gone, which does not allow"),
        ([claim("5Gi", "5Gi", None)], ["data-pg-0"], ["data-pg-0"], "of class none"),
    ],
)
def test_growth(claims: list[dict[str, t.Any]], growing: list[str], waiting: list[str], problem: str) -> None:
    found = volumes.growth(claims, "10Gi", CLASSES)
    assert (found.growing, found.waiting) == (growing, waiting)
    assert problem in found.problem
    assert bool(problem) == bool(found.problem)


def test_everything_wrong_is_told_at_once() -> None:
    found = volumes.growth([claim("5Gi", kind="stays"), claim("20Gi", name="data-pg-1")], "10Gi", CLASSES)
    assert found.problem.startswith("patroni_storage_size is 10Gi: data-pg-0 is of class stays")
    assert "; data-pg-1 has 20Gi" in found.problem
