# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every node of the lab that is up, by SSH, as an auditor who does not believe the role would look at it."""

from __future__ import annotations

import typing as t

import pytest
import testinfra
from labrun import LabRun

_LAB = LabRun()


def _connect(node: str) -> t.Any:
    facts = _LAB.hosts[node]
    return testinfra.get_host(
        f"ssh://root@{facts['ansible_host']}:{facts['ansible_port']}",
        ssh_identity_file=facts["ansible_ssh_private_key_file"],
        ssh_extra_args=facts["ansible_ssh_common_args"],
    )


@pytest.fixture(scope="session")
def lab() -> LabRun:
    return _LAB


@pytest.fixture(scope="session", params=_LAB.nodes)
def node(request: pytest.FixtureRequest) -> t.Any:
    """Each node in turn."""
    return _connect(request.param)


@pytest.fixture(scope="session")
def control_plane() -> t.Any:
    return _connect("cp-1")
