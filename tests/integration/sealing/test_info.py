# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The census of a real cluster: the real controller's keys, its SealedSecrets, and who reaches it."""

from __future__ import annotations

import json
import pathlib
import typing as t

import sealing
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.sealing import certificate, tree_arguments, tree_front

CANARY = sealing.CANARY
Obj = dict[str, t.Any]


def deployment(place: t.Any, version: str, *flags: str) -> None:
    """The object alone says which version it is: no kubelet runs here, the controller is a process."""
    labels = {"app.kubernetes.io/name": "sealed-secrets"}
    image = f"docker.io/bitnami/sealed-secrets-controller:{version}"
    pod = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "controller", "image": image, "args": list(flags)}]},
    }
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    metadata = {"name": place.controller.name, "namespace": place.controller.namespace}
    place.put(json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}))


def info(place: t.Any, **given: t.Any) -> Obj:
    defaults = {name: option.get("default") for name, option in tree_arguments.INFO.items()}
    params = {**defaults, "kubeconfig": str(place.kubeconfig), **given}
    found = tree_front.info(params, {"HOME": "/nonexistent"})
    told = json.dumps(found)
    assert CANARY not in told
    assert "tls.key" not in told
    assert "PRIVATE KEY" not in told
    return found


def test_keys_items_and_what_may_retire(place: t.Any, tmp_path: pathlib.Path) -> None:
    deployment(place, "0.40.0", "--key-renew-period=24h")
    tree = tmp_path / "tree"
    tree.mkdir()
    old = certificate.load(place.cert.read_bytes(), "controller").key_id
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": place.namespace},
        "stringData": {"password": CANARY},
    }
    manifest = place.kubeseal("--cert", str(place.cert), "-o", "yaml", stdin=json.dumps(secret))
    (tree / "login.yaml").write_text(manifest)
    place.put(manifest)
    place.unsealed()
    new = place.renewed().key_id
    keys = str(place.private_keys())
    given = {"paths": [str(tree)], "private_keys": [keys], "backups": [keys]}
    found = info(place, **given)
    by_id = {one["key_id"]: one for one in found["keys"]}
    assert by_id[new]["newest"]
    assert found["newest_key"] == new
    assert by_id[old]["in_files"] == 1
    assert by_id[old]["in_cluster"] >= 1
    assert f"{place.namespace}/login password" in by_id[old]["examples"] or by_id[old]["items"] > 3
    assert by_id[old]["source"].startswith(f"Secret {place.controller.namespace}/sealed-secrets-key")
    assert all(one["in_backup"] and one["bits"] == 4096 and one["state"] == "active" for one in found["keys"])
    assert not by_id[old]["may_retire"]
    assert found["controller"]["version"] == "0.40.0"
    assert found["next_renewal"] > found["keys"][0]["not_before"]
    # kubeseal leaves no annotation: without keys nobody can tell, and then nothing may retire.
    blind = info(place, paths=[str(tree)])
    assert blind["unknown"]["items"] >= 1
    assert not any(one["may_retire"] for one in blind["keys"])
    # Rekeyed in the tree, applied, and nothing is left of the old key here.
    defaults = {name: option.get("default") for name, option in tree_arguments.REKEY.items()}
    done = tree_front.rekey_trees(
        {**defaults, "kubeconfig": str(place.kubeconfig), "controller_version": "0.40.0", "paths": [str(tree)]},
        {"HOME": "/nonexistent"},
    )
    assert done["counts"]["rekeyed"] == 1
    place.put((tree / "login.yaml").read_text())
    here = info(place, **given, namespaces=[place.namespace])
    assert {one["key_id"]: one["items"] for one in here["keys"] if one["items"]} == {new: 1}
    assert "Only some namespaces" in " ".join(next(one for one in here["keys"] if one["key_id"] == old)["why_not"])


def test_an_old_controller_that_everybody_reaches_is_critical(place: t.Any) -> None:
    deployment(place, "0.39.1")
    namespace, service = place.controller.namespace, place.controller.name
    rule = {
        "apiGroups": [""],
        "resources": ["services/proxy"],
        "resourceNames": [f"http:{service}:http"],
        "verbs": ["create", "get"],
    }
    meta = {"name": "service-proxier", "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": [rule]}
    binding = {
        "apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": meta,
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "service-proxier"},
        "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "system:authenticated"}],
    }  # fmt: skip
    closed = info(place)["controller"]
    assert {one["level"] for one in closed["findings"]} == {"error"}
    assert [one["fixed_in"] for one in closed["faults"]] == ["0.40.0"]
    place.put(f"{json.dumps(role)}\n---\n{json.dumps(binding)}")
    try:
        found = info(place)["controller"]["findings"]
        assert found[0]["level"] == "critical"
        assert f"RoleBinding {namespace}/service-proxier to system:authenticated" in found[0]["what"]
        deployment(place, "0.40.0")
        assert [one["level"] for one in info(place)["controller"]["findings"]] == ["warning"]
    finally:
        place.server.kubectl("delete", "rolebinding", "service-proxier", "-n", namespace)


def test_as_a_task(place: t.Any, play: t.Any, tmp_path: pathlib.Path) -> None:
    deployment(place, "0.40.0")
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({"kind": "Secret", "stringData": {"a": CANARY}}))
    task = {
        "enclii.platform.sealed_secret_info": {
            "kubeconfig": str(place.kubeconfig),
            "paths": [str(tmp_path / "x.yaml")],
        },
        "register": "r_found",
    }
    found = play.run([task], "-vvv", "--diff")["r_found"]
    assert found["controller"]["version"] == "0.40.0"
    assert found["keys"][0]["newest"]
    assert not found["changed"]
    assert play.run([{**task, "async": 60, "poll": 1}], "-vvv", "--check")["r_found"]["keys"] == found["keys"]
    assert CANARY not in play.output
    assert "PRIVATE KEY" not in play.output
