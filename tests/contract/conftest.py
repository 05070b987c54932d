# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each component rendered once for each case, by Ansible itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import contract
import pytest
import yaml

import house
from ansible_collections.enclii.platform.plugins.module_utils.component import private_ca

UPSTREAM = house.ROOT.parent / "shared" / "upstream"
COMPONENTS = contract.components()
# Besides the defaults: what turns the branches of the templates the other way.
CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "turned": {
        "cert_manager_replicas": 1,
        "cert_manager_namespace": "certs",
        "metrics_server_replicas": 1,
        "metrics_server_issuer": "",
        "storage_default": False,
        "sealed_secrets_values": {
            "additionalNamespaces": ["enclii-system", "enclii-dev"],
            "rbac": {"clusterRole": False, "namespacedRoles": True},
        },
        "enclii_environments": ["enclii-dev", "enclii-staging"],
    },
}
CA = private_ca.assess({}, "", {}, "", "")._asdict()
# What the role cluster would have read of an empty cluster.
CLUSTER = {
    "namespaces": {},
    "sets": [],
    "releases": [],
    "crds": {},
    "network": {
        "api_server": [{"address": "192.0.2.10", "port": 6443}],
        "control_plane": ["192.0.2.10"],
        "nodes": ["192.0.2.10", "192.0.2.11"],
        "dns": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}, "addresses": ["10.96.0.10"]},
    },
}


@pytest.fixture(scope="session", params=CASES)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Role name -> {data, values, objects}: what it declares, what Helm gets, what the API server gets."""
    output = tmp_path_factory.mktemp("contract") / "rendered.json"
    variables = {
        "contract_root": str(house.ROOT),
        "contract_roles": COMPONENTS,
        "contract_output": str(output),
        "enclii_inventory": "contract",
        "ansible_python_interpreter": sys.executable,
        "__cert_manager_ca": CA,
        "__cluster_info": CLUSTER,
        **CASES[request.param],
    }
    run = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "tests/contract/render.yml", "-e", json.dumps(variables)],
        cwd=house.ROOT, check=False, capture_output=True, text=True,
        env=os.environ | {"ANSIBLE_INVENTORY_ENABLED": "host_list"},
    )  # fmt: skip
    if run.returncode != 0:
        errors = [line for line in run.stdout.splitlines() if line.startswith(("[ERROR]", "Origin", "fatal"))]
        pytest.fail("\n".join(["tests/contract/render.yml failed:", *errors[:3], run.stderr]), pytrace=False)
    return json.loads(output.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def upstream() -> Path:
    """The directory of upstream's chart data."""
    if not UPSTREAM.is_dir():
        pytest.skip("../shared/upstream is not beside the clone: upstream's values and CRDs cannot be compared")
    return UPSTREAM


@pytest.fixture(scope="session")
def charts(upstream: Path, rendered: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Chart name -> {values, schema, crds}, for the charts that the components use."""
    found = {}
    for name in {contract.chart_of(component["data"]) for component in rendered.values()} - {""}:
        schema = upstream / name / "values.schema.json"
        found[name] = {
            "values": yaml.load((upstream / name / "values.yaml").read_text(encoding="utf-8"), Loader=contract.Loader),
            "schema": json.loads(schema.read_text(encoding="utf-8")) if schema.is_file() else {},
            "crds": contract.crds(upstream / name),
        }
    return found


@pytest.fixture(scope="session")
def crds(charts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every CRD of those charts, by name."""
    return {name: crd for chart in charts.values() for name, crd in chart["crds"].items()}
