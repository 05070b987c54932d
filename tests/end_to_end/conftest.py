# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that is up (LAB_NAME), and a cluster on it."""

from __future__ import annotations

import typing as t

import pytest
from labrun import LabRun


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Machines to cluster come first: they start from bare machines, everything else from a cluster."""
    items.sort(key=lambda item: "test_kubernetes.py" not in str(item.path))


@pytest.fixture(scope="session")
def lab() -> LabRun:
    """The lab, whatever runs on it."""
    return LabRun()


@pytest.fixture(scope="session")
def cluster(lab: LabRun) -> t.Iterator[LabRun]:
    """The lab with a cluster on it, made by the role if it is not there yet."""
    lab.playbook("bootstrap").succeeded()
    yield lab
