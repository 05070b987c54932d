# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller of the platform through the API server's own proxy: certificate, verify, rotate, version, and who may not."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import sealing
import yaml
from labrun import LabRun

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.sealing import certificate as certificates
from ansible_collections.enclii.platform.plugins.module_utils.sealing import (
    controller,
    objects,
    tree_arguments,
    tree_front,
)
from ansible_collections.enclii.platform.plugins.module_utils.sealing import format as sealed
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

NAMESPACE = "sealing-api"
CANARY = sealing.CANARY
VALUES = {"password": CANARY.encode(), "binary": bytes(range(256)), "empty": b""}
Obj = dict[str, t.Any]


@pytest.fixture(scope="module")
def namespace(cluster: LabRun) -> t.Iterator[LabRun]:
    cluster.playbook("platform").succeeded()
    cluster.kubectl("create", "namespace", NAMESPACE, check=False)
    yield cluster
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def api(namespace: LabRun) -> t.Iterator[controller.Controller]:
    client = Client(load_login({"kubeconfig": str(namespace.kubeconfig)}, {"HOME": "/nonexistent"}))
    yield controller.discover(client, Clock())
    client.close()


def made(api: controller.Controller, name: str = "login", scope: str = "strict") -> Obj:
    one = certificates.load(api.certificate(), "controller")
    about = sealed.label(scope, NAMESPACE, name)
    items = {item: sealed.seal(one.public_key, about, value) for item, value in VALUES.items()}
    return objects.compose({"metadata": {"name": name, "namespace": NAMESPACE}}, scope, items)


def given(lab: LabRun, spec: Obj, **more: t.Any) -> Obj:
    return {**{name: option.get("default") for name, option in spec.items()}, "kubeconfig": str(lab.kubeconfig), **more}


def test_certificate_and_version_are_those_kubeseal_and_the_role_know(
    api: controller.Controller, namespace: LabRun
) -> None:
    assert (api.namespace, api.name) == ("enclii-system", "sealed-secrets-controller")
    told = subprocess.run(
        [f"{namespace.lab.paths['bin']}/kubeseal", "--kubeconfig", str(namespace.kubeconfig), "--fetch-cert",
         "--controller-namespace", api.namespace, "--controller-name", api.name],
        capture_output=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    ours, theirs = (certificates.load(pem, "x") for pem in (api.certificate(), told))
    assert ours.fingerprint == theirs.fingerprint
    images = namespace.kubectl("get", "deployment", api.name, "-n", api.namespace, "-o", "jsonpath={..image}")
    assert api.version()
    assert f":{api.version()}" in images


@pytest.mark.parametrize("scope", sealed.SCOPES)
def test_verify_and_rotate(api: controller.Controller, scope: str) -> None:
    obj = made(api, scope=scope)
    assert api.verify(obj)
    answer = api.rotate(obj)
    assert api.verify(answer)
    assert all(answer["spec"]["encryptedData"][item] != value for item, value in obj["spec"]["encryptedData"].items())
    moved = {**obj, "metadata": {**obj["metadata"], "name": "other", "namespace": "default"}}
    assert api.verify(moved) == (scope == "cluster-wide")
    if scope != "cluster-wide":
        with pytest.raises(SealingError, match="could not unseal"):
            api.rotate(moved)


def test_many_calls_are_paced_so_that_none_is_refused(api: controller.Controller) -> None:
    obj = made(api)
    began = time.monotonic()
    assert all(api.verify(obj) for _ in range(10))
    assert 3.5 < time.monotonic() - began < 15


def test_a_tree_is_sealed_anew_and_unseals_to_the_same(
    api: controller.Controller, namespace: LabRun, tmp_path: Path
) -> None:
    for number, scope in enumerate(sealed.SCOPES):
        obj = made(api, f"n{number}", scope)
        obj["spec"]["template"]["data"] = {"url": "https://{{ .password }}@x/"}
        obj["spec"]["template"]["metadata"]["labels"] = {"tier": "back"}
        (tmp_path / f"{number}.yaml").write_text(f"# keep me\n{yaml.safe_dump(obj)}")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    params = given(namespace, tree_arguments.REKEY, paths=[str(tmp_path)], force=True)
    done = tree_front.rekey_trees(params, {"HOME": "/nonexistent"})
    assert (done["way"], done["counts"]["rekeyed"]) == ("rotate", 9)
    again = tree_front.rekey_trees({**params, "force": False}, {"HOME": "/nonexistent"})
    assert (again["changed"], again["counts"]["current"]) == (False, 9)
    for path, text in before.items():
        new = path.read_text()
        assert new.startswith("# keep me\n")
        old, fresh = yaml.safe_load(text), yaml.safe_load(new)
        assert fresh["spec"]["template"] == old["spec"]["template"]
        assert not set(fresh["spec"]["encryptedData"].values()) & set(old["spec"]["encryptedData"].values())
        namespace.kubectl("apply", "--server-side", "-f", str(path))
    for number in range(3):
        found = namespace.until(
            f"Secret n{number}",
            lambda number=number: namespace.kubectl(
                "get", "secret", f"n{number}", "-n", NAMESPACE, "-o", "json", check=False
            ),
        )
        secret = json.loads(found)
        values = {item: base64.b64decode(value) for item, value in secret["data"].items()}
        assert values == {**VALUES, "url": f"https://{CANARY}@x/".encode()}
        assert secret["metadata"]["labels"]["tier"] == "back"


def test_lint_asks_it_and_explains(api: controller.Controller, namespace: LabRun, tmp_path: Path) -> None:
    good, moved = made(api, "good"), made(api, "before")
    moved["metadata"]["name"] = "after"
    for name, obj in (("good", good), ("moved", moved)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(obj))
    params = given(namespace, tree_arguments.LINT, paths=[str(tmp_path)], verify=True)
    findings = tree_front.lint(params, {"HOME": "/nonexistent"})["findings"]
    told = {one["message"] for one in findings if one["rule"] == "verify"}
    assert told == {f"it was sealed for namespace {NAMESPACE}, name before, scope strict"}
    assert CANARY not in json.dumps(findings)


def test_the_census_sees_keys_items_and_that_the_binding_is_closed(
    api: controller.Controller, namespace: LabRun, tmp_path: Path
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(made(api, "census")))
    found = tree_front.info(given(namespace, tree_arguments.INFO, paths=[str(path)]), {"HOME": "/nonexistent"})
    assert found["controller"]["version"] == api.version()
    assert [one for one in found["controller"]["findings"] if one["level"] in ("critical", "error")] == []
    assert not any("Everybody" in one["what"] for one in found["controller"]["findings"])
    assert found["newest_key"] == certificates.load(api.certificate(), "x").key_id
    assert found["next_renewal"]
    assert "tls.key" not in json.dumps(found)


def test_a_pods_account_reaches_nothing_of_it(api: controller.Controller, namespace: LabRun) -> None:
    namespace.kubectl("create", "serviceaccount", "nobody", "-n", NAMESPACE, check=False)
    token = namespace.kubectl("create", "token", "nobody", "-n", NAMESPACE).strip()
    admin = load_login({"kubeconfig": str(namespace.kubeconfig)}, {"HOME": "/nonexistent"})
    login = load_login({"host": admin.server, "api_key": token}, {"HOME": "/nonexistent"})
    login.ca = admin.ca
    client = Client(login)
    try:
        with pytest.raises(SealingError, match="may not read it"):
            controller.discover(client, Clock(), api.namespace, api.name).certificate()
        with pytest.raises(SealingError, match="may not list those"):
            controller.discover(client, Clock())
        other = controller.Controller(client, api.namespace, api.name, Clock())
        other._service = {"spec": {"ports": [{"name": "http", "port": 8080}]}}
        for work in (other.certificate, lambda: other.verify(made(api)), lambda: other.rotate(made(api))):
            with pytest.raises(SealingError, match="sealed-secrets-controller-service-proxier"):
                work()
    finally:
        client.close()
