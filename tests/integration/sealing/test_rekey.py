# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rekeying with the real controller and the real kubeseal: by /v1/rotate, by private keys, killed, and as a playbook has it."""

from __future__ import annotations

import base64
import json
import pathlib
import random
import subprocess
import sys
import typing as t

import pytest
import sealing
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.sealing import (
    explain,
    keyring,
    tree_arguments,
    tree_front,
)
from ansible_collections.enclii.platform.plugins.module_utils.sealing import format as sealed
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

CANARY = sealing.CANARY
VALUES = {
    "user": b"app",
    "password": CANARY.encode(),
    "binary": bytes(range(256)),
    "empty": b"",
    "dotted.key": "grüße\n".encode(),
}
RENDERED = {**VALUES, "url": f"https://app:{CANARY}@shop/".encode()}
Obj = dict[str, t.Any]


def values_of(secret: Obj) -> dict[str, bytes]:
    return {item: base64.b64decode(value or "") for item, value in secret["data"].items()}


def manifest(place: t.Any, name: str = "login", scope: str = "strict") -> str:
    """What the real kubeseal makes, with everything around it that has to survive."""
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"name": name, "namespace": place.namespace, "labels": {"tier": "back"}, "annotations": {"note": "two\nlines"}},
        "data": {item: base64.b64encode(value).decode() for item, value in VALUES.items()},
    }  # fmt: skip
    text = place.kubeseal("--cert", str(place.cert), "--scope", scope, "-o", "yaml", stdin=json.dumps(secret))
    obj = yaml.safe_load(text)
    obj["metadata"].setdefault("annotations", {})["argocd.argoproj.io/sync-wave"] = "-1"
    obj["metadata"]["labels"] = {"app": "shop"}
    obj["spec"]["template"]["data"] = {"url": "https://{{ .user }}:{{ .password }}@shop/"}
    return f"# ask the shop's team\n{yaml.safe_dump(obj, sort_keys=False)}# the end\n"


def rekey(place: t.Any, *paths: pathlib.Path, **given: t.Any) -> Obj:
    defaults = {name: option.get("default") for name, option in tree_arguments.REKEY.items()}
    check, diff = given.pop("check", False), given.pop("diff", False)
    params = {
        **defaults, "kubeconfig": str(place.kubeconfig), "controller_namespace": place.controller.namespace,
        "controller_version": "0.40.0", "paths": [str(path) for path in paths], **given,
    }  # fmt: skip
    found = tree_front.rekey_trees(params, {"HOME": "/nonexistent"}, check=check, diff=diff)
    assert CANARY not in json.dumps(found)
    return found


def keys_of(place: t.Any, text: str) -> set[str]:
    """The keys that the items of a manifest are really sealed for."""
    known = keyring.read(place.private_keys().read_bytes(), "keys")
    found = [
        explain.origin(known, sealed.parse(value, item))
        for obj in yaml.safe_load_all(text)
        for item, value in obj["spec"]["encryptedData"].items()
    ]
    return {one.key.key_id if one else "" for one in found}


def around(text: str) -> tuple[t.Any, list[str]]:
    """What has to be the same before and after: all but the sealed values and our annotation."""
    obj = yaml.safe_load(text)
    items = sorted(obj["spec"].pop("encryptedData"))
    obj["metadata"]["annotations"].pop("enclii.dev/sealed-with", None)
    return (obj, items), [line for line in text.splitlines() if line.startswith("#")]


@pytest.mark.parametrize("scope", sealed.SCOPES)
def test_by_the_controller(place: t.Any, tmp_path: pathlib.Path, scope: str) -> None:
    path = tmp_path / "login.yaml"
    path.write_text(manifest(place, scope=scope))
    before = path.read_text()
    new = place.renewed()
    assert new.key_id not in keys_of(place, before)
    predicted = rekey(place, path, check=True, diff=True)
    assert path.read_text() == before
    done = rekey(place, path, diff=True)
    assert done["way"] == "rotate"
    assert {**predicted, "certificate": 0} == {**done, "certificate": 0}
    assert keys_of(place, path.read_text()) == {new.key_id}
    assert around(path.read_text()) == around(before)
    assert place.recovered(path.read_text()) == RENDERED
    # and the cluster gets the same Secret, its template included
    place.put(path.read_text())
    found = place.unsealed()
    assert values_of(found) == RENDERED
    assert found["metadata"]["labels"] == {"tier": "back"}
    assert found["type"] == "kubernetes.io/basic-auth"
    again = rekey(place, path)
    assert (again["changed"], again["counts"]) == (False, {"current": 5, "rekeyed": 0, "failed": 0})


def test_by_private_keys_for_another_cluster(place: t.Any, tmp_path: pathlib.Path) -> None:
    other = sealing.SealingKey(4096)
    (tmp_path / "other.pem").write_bytes(other.pem)
    path = tmp_path / "login.yaml"
    path.write_text(manifest(place))
    before = path.read_text()
    keys = place.private_keys()
    given = {"certificate": str(tmp_path / "other.pem"), "private_keys": [str(keys)]}
    assert rekey(place, path, **given)["way"] == "local"
    assert around(path.read_text()) == around(before)
    assert keys_of(place, path.read_text()) == {""}, "the old cluster opens nothing of it"
    (tmp_path / "other.key").write_bytes(other.private_pem)
    told = place.kubeseal(
        "--recovery-unseal", "--recovery-private-key", str(tmp_path / "other.key"), "-o", "json", stdin=path.read_text()
    )
    assert values_of(json.loads(told)) == RENDERED
    assert rekey(place, path, **given)["changed"] is False


def test_the_controller_cannot_seal_for_another_cluster(place: t.Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "other.pem").write_bytes(sealing.SealingKey(3072).pem)
    (tmp_path / "x.yaml").write_text(manifest(place))
    with pytest.raises(SealingError, match="seals anew only for its own newest"):
        rekey(place, tmp_path / "x.yaml", certificate=str(tmp_path / "other.pem"))
    with pytest.raises(SealingError, match=r"/v1/rotate is not used"):
        rekey(place, tmp_path / "x.yaml", controller_version="0.39.1")


PROGRAM = """
import json, sys
from ansible_collections.enclii.platform.plugins.module_utils.sealing import tree_front
print("begun", flush=True)
tree_front.rekey_trees(json.loads(sys.argv[1]), {"HOME": "/nonexistent"})
"""


def test_killed_while_the_controller_seals_and_resumed(place: t.Any, tmp_path: pathlib.Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(8):
        (tree / f"{number}.yaml").write_text(manifest(place, f"n{number}"))
    old = {path: path.read_text() for path in tree.iterdir()}
    new = place.renewed()
    defaults = {name: option.get("default") for name, option in tree_arguments.REKEY.items()}
    params = {
        **defaults, "kubeconfig": str(place.kubeconfig), "controller_version": "0.40.0", "paths": [str(tree)],
        "controller_namespace": place.controller.namespace,
    }  # fmt: skip
    chance, kills, seen = random.Random(1), 0, {}
    for _ in range(30):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(params)], env={"PYTHONPATH": ":".join(sys.path)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout
        process.stdout.readline()
        try:
            process.wait(timeout=chance.uniform(0.3, 2.0))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        error = process.communicate()[1].decode()
        assert process.returncode in (0, -9), error
        for path, before in old.items():
            now = path.read_text()
            if now == before:
                assert path not in seen
            else:
                assert seen.setdefault(path, now) == now, "touched twice"
                assert keys_of(place, now) == {new.key_id}
        if process.returncode == 0:
            break
    assert kills >= 2
    assert len(seen) == len(old)
    assert sorted(path.name for path in tree.iterdir()) == [f"{number}.yaml" for number in range(8)]
    assert all(place.recovered(text) == RENDERED for text in seen.values())


def test_as_a_task_with_every_word_of_output_searched(place: t.Any, play: t.Any, tmp_path: pathlib.Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "login.yaml").write_text(manifest(place))
    broken = yaml.safe_load(manifest(place, "broken"))
    broken["metadata"]["name"] = "moved"
    (tmp_path / "other.pem").write_bytes(sealing.SealingKey(3072).pem)
    task = {
        "enclii.platform.sealed_secret_rekey": {
            "paths": [str(tree)], "private_keys": [str(place.private_keys())], "certificate": str(tmp_path / "other.pem"),
            "digest_key": f"{CANARY}-of-the-digest",
        },
        "register": "r_done",
    }  # fmt: skip
    assert play.run([task], "--check", "--diff")["r_done"]["changed"]
    first = play.run([task], "--diff", "-vvv")["r_done"]
    assert first["counts"] == {"current": 0, "rekeyed": 5, "failed": 0}
    assert CANARY not in play.output
    assert "PRIVATE KEY" not in play.output
    assert "password: key unknown" not in play.output  # the diff names the key that opened it
    assert not play.run([task])["r_done"]["changed"]
    (tree / "moved.yaml").write_text(yaml.safe_dump(broken))
    # As a module in a process of its own, too, which asynchronous tasks are.
    asynchronous = {**task, "async": 60, "poll": 1}
    play.run([asynchronous], "-vvv", ok=False)
    assert f"it was sealed for namespace {place.namespace}, name broken" in play.output.replace("\\n", " ") or (
        "occurs nowhere here" in play.output
    )
    assert CANARY not in play.output
