# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything the platform itself runs, out of the real charts and the roles' own templates, is accepted where walls are enforced."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import admission
import apiserver
import pytest
import yaml

import house
from ansible_collections.enclii.platform.plugins.module_utils.component import private_ca
from lab.core import default_name
from lab.state import Lab

ROLES = ["storage", "cert_manager", "sealed_secrets", "metrics_server"]
Obj = dict[str, t.Any]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Obj]:
    """Role -> what it declares, what Helm gets and what the API server gets, by the play of the contract tests."""
    output = tmp_path_factory.mktemp("platform") / "rendered.json"
    variables = {
        "contract_root": str(house.ROOT),
        "contract_roles": ROLES,
        "contract_output": str(output),
        "enclii_inventory": "contract",
        "ansible_python_interpreter": sys.executable,
        "__cert_manager_ca": private_ca.assess({}, "", {}, "", "")._asdict(),
    }
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "tests/contract/render.yml", "-e", json.dumps(variables)],
        cwd=house.ROOT, check=False, capture_output=True, text=True, env=os.environ | {"ANSIBLE_INVENTORY_ENABLED": "host_list"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return t.cast("dict[str, Obj]", json.loads(output.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def charts() -> pathlib.Path:
    lab = Lab.load(default_name())
    if lab is None:
        pytest.skip("the charts are the lab's, and it is not up")
    return pathlib.Path(lab.paths["charts"])


@pytest.fixture(scope="module")
def workloads(
    rendered: dict[str, Obj], charts: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[str, Obj]]:
    """Namespace and object, of everything with containers; the jobs of Helm's hooks and the provisioner's helper pod among them."""
    helm = apiserver.find_binaries("helm").get("helm")
    if helm is None:
        pytest.skip("ENCLII_TEST_BIN has no helm")
    found: list[tuple[str, Obj]] = []
    for role, component in rendered.items():
        objects, data = list(component["objects"]), component["data"]
        if data["chart"]["ref"]:
            chart = data["chart"]["ref"].rstrip("/").rsplit("/", 1)[-1]
            values = tmp_path_factory.mktemp(role) / "values.json"
            values.write_text(json.dumps(component["values"]))
            done = subprocess.run(
                [str(helm), "template", data["chart"]["release"], str(charts / chart), "-n", data["namespace"], "-f", str(values)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            objects += [one for one in yaml.safe_load_all(done.stdout) if one]
        for one in objects:
            if one["kind"] == "ConfigMap" and "helperPod.yaml" in (one.get("data") or {}):
                found.append((data["namespace"], helper_pod(one["data"]["helperPod.yaml"])))
            elif one["kind"] in admission.PLURALS and one["kind"] not in ("ConfigMap", "Namespace"):
                found.append((data["namespace"], one))
    return found


def helper_pod(text: str) -> Obj:
    """A helper pod as local-path-provisioner completes it."""
    pod = t.cast("Obj", yaml.safe_load(text))
    pod["spec"] |= {
        "restartPolicy": "Never",
        "serviceAccountName": "local-path-provisioner",
        "volumes": [{"name": "data", "hostPath": {"path": "/var/lib/enclii/volumes", "type": "DirectoryOrCreate"}}],
    }
    return pod


def test_all_of_it_is_there(workloads: list[tuple[str, Obj]]) -> None:
    assert {f"{one['kind']}/{one['metadata']['name']}" for _namespace, one in workloads} == {
        "Deployment/cert-manager",
        "Deployment/cert-manager-cainjector",
        "Deployment/cert-manager-webhook",
        "Job/cert-manager-startupapicheck",
        "Deployment/local-path-provisioner",
        "Deployment/metrics-server",
        "Deployment/sealed-secrets-controller",
        "Pod/helper-pod",
    }


def test_it_says_when_to_pull(workloads: list[tuple[str, Obj]]) -> None:
    """What the API server cannot ask, for it fills it in itself."""
    for _namespace, one in workloads:
        spec = admission.template_of(one)["spec"]
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container.get("imagePullPolicy") in ("IfNotPresent", "Always"), (one["metadata"]["name"], container)


def test_it_is_accepted_with_no_more_exemptions_than_it_needs(
    walls: t.Any, rendered: dict[str, Obj], workloads: list[tuple[str, Obj]]
) -> None:
    definitions = [component["data"] for component in rendered.values()]
    spaces = {namespace for namespace, _one in workloads}
    for namespace in spaces - {"enclii-nodes"}:
        walls.space("enforce", name=namespace)

    def refused(given: list[Obj]) -> str:
        walls.parameters(component_definitions=given)
        return "; ".join(walls.admin.create(one, namespace).message for namespace, one in workloads)

    try:
        assert refused(definitions).strip("; ") == ""
        without = refused([{**one, "exemptions": []} for one in definitions])
        for one in definitions:
            for spared in one["exemptions"]:
                for rule in spared["rules"]:
                    assert f'[{rule}] container "{spared["container"]}"' in without
        assert without.count("container ") == sum(
            len(spared["rules"]) for one in definitions for spared in one["exemptions"]
        )
    finally:
        walls.parameters()
