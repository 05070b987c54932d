# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Molecule scenario, on the lab that is up and the cluster that is on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from labrun import CLONE, LabRun

# The order of site.yml: a scenario finds what those before it made.
ORDER = ("kubernetes", "baseline", "storage", "cert_manager", "sealed_secrets", "metrics_server")
# Where the database is there: test_patroni.py.
ELSEWHERE = ("patroni",)


def test_every_scenario_is_run() -> None:
    assert {path.parent.name for path in Path(CLONE).glob("molecule/*/molecule.yml")} == {*ORDER, *ELSEWHERE}


@pytest.mark.parametrize("scenario", ORDER)
def test_scenario(cluster: LabRun, scenario: str) -> None:
    cluster.molecule(scenario)
