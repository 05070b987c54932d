# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that is up (LAB_NAME), and a cluster on it."""

from __future__ import annotations

import typing as t

import pytest
from labrun import LabRun

ORDER = (
    "test_kubernetes.py",
    "test_components.py",
    "test_walls.py",
    "test_probe.py",
    "test_admission.py",
    "test_access.py",
    "test_evidence.py",
    "test_remote_charts.py",
    "test_molecule.py",
    "test_sealing_api.py",
    "test_sealing_keys.py",
    "test_secrets.py",
    "test_rebuild.py",
    "test_reset.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A lab's life: bare machines to a cluster, components from nothing to nothing, then what needs only a cluster, and its end."""
    items.sort(key=lambda item: ORDER.index(item.path.name) if item.path.name in ORDER else len(ORDER))


@pytest.fixture(scope="session")
def lab() -> LabRun:
    """The lab, whatever runs on it."""
    return LabRun()


@pytest.fixture(scope="session")
def cluster(lab: LabRun) -> t.Iterator[LabRun]:
    """The lab with a cluster on it, made by the role if it is not there yet."""
    lab.playbook("bootstrap").succeeded()
    yield lab
