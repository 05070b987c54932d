# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules against the real PrometheusRule: the files hold groups alone, so that a plain Prometheus reads them too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import contract
import pytest

import house

FILES = sorted((house.ROOT / "roles").glob("*/files/rules/*.yaml"))


def as_object(groups: Any) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "x", "namespace": "y"},
        "spec": groups,
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_rules_fit_into_a_prometheus_rule(upstream: Path, path: Path) -> None:
    definitions = contract.crds(upstream / "kube-prometheus-stack")
    groups = house.load(path)
    assert list(groups) == ["groups"]
    assert contract.object_findings(as_object(groups), definitions) == []
    groups["groups"][0]["rules"][0]["expression"] = "up"
    assert "expression" in str(contract.object_findings(as_object(groups), definitions))
