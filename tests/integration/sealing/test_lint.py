# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint beside the real kubeseal and the real controller: what they make is right, and what they refuse is explained."""

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

import pytest
import sealing
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Clock
from ansible_collections.enclii.platform.plugins.module_utils.sealing import (
    controller as controllers,
)
from ansible_collections.enclii.platform.plugins.module_utils.sealing import format as sealed
from ansible_collections.enclii.platform.plugins.module_utils.sealing import (
    tree_arguments,
    tree_front,
)

CANARY = sealing.CANARY
Obj = dict[str, t.Any]


def made(place: t.Any, name: str = "login", scope: str = "strict", namespace: str = "") -> Obj:
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace or place.namespace},
        "data": {"password": base64.b64encode(CANARY.encode()).decode(), "user": base64.b64encode(b"app").decode()},
    }  # fmt: skip
    text = place.kubeseal("--cert", str(place.cert), "--scope", scope, "-o", "yaml", stdin=json.dumps(secret))
    return t.cast("Obj", yaml.safe_load(text))


def lint(place: t.Any, tree: pathlib.Path, **given: t.Any) -> Obj:
    defaults = {name: option.get("default") for name, option in tree_arguments.LINT.items()}
    params = {
        **defaults, "kubeconfig": str(place.kubeconfig), "controller_namespace": place.controller.namespace,
        "controller_version": "0.40.0", "paths": [str(tree)], **given,
    }  # fmt: skip
    found = tree_front.lint(params, {"HOME": "/nonexistent"})
    assert CANARY not in json.dumps(found)
    return found


def write(tmp_path: pathlib.Path, *objs: Obj) -> pathlib.Path:
    tree = tmp_path / "tree"
    tree.mkdir(exist_ok=True)
    for number, obj in enumerate(objs):
        (tree / f"{number}.yaml").write_text(yaml.safe_dump(obj))
    return tree


def test_what_kubeseal_makes_has_no_findings_on_any_level(place: t.Any, tmp_path: pathlib.Path) -> None:
    tree = write(tmp_path, *(made(place, f"n-{scope}", scope) for scope in sealed.SCOPES))
    found = lint(
        place,
        tree,
        verify=True,
        private_keys=[str(place.private_keys())],
        certificates=[str(place.cert)],
        fail_on="info",
    )
    assert (found["findings"], found["sealed_secrets"]) == ([], 3)
    assert "failed" not in found


def strange(place: t.Any) -> dict[str, tuple[Obj, str]]:
    """Name -> (a manifest with one mistake people make, the cause in words)."""
    namespace = place.namespace
    inner_only = made(place, "inner", "namespace-wide")
    del inner_only["metadata"]["annotations"]
    renamed = made(place, "before")
    renamed["metadata"]["name"] = renamed["spec"]["template"]["metadata"]["name"] = "after"
    moved = made(place, "moved", namespace="elsewhere")
    moved["metadata"]["namespace"] = moved["spec"]["template"]["metadata"]["namespace"] = namespace
    widened = made(place, "widened")
    for metadata in (widened["metadata"], widened["spec"]["template"]["metadata"]):
        metadata["annotations"] = {"sealedsecrets.bitnami.com/cluster-wide": "true"}
    foreign = sealing.SealingKey(4096).seal({"password": CANARY}, "foreign", namespace, annotated=False)
    return {
        "inner": (inner_only, f"it was sealed for namespace {namespace}, scope namespace-wide"),
        "after": (renamed, f"it was sealed for namespace {namespace}, name before, scope strict"),
        "moved": (moved, "it was sealed for namespace elsewhere, name moved, scope strict"),
        "widened": (widened, f"it was sealed for namespace {namespace}, name widened, scope strict"),
        "foreign": (foreign, "it was sealed for none of the"),
    }


def test_causes_by_private_keys_and_by_the_controller(place: t.Any, tmp_path: pathlib.Path) -> None:
    cases = strange(place)
    # So that the names of other places are known.
    beside = [made(place, "before"), made(place, "other", namespace="elsewhere")]
    tree = write(tmp_path, *(obj for obj, _cause in cases.values()), *beside)
    for option in ({"private_keys": [str(place.private_keys())]}, {"verify": True, "explain_attempts": 20}):
        found = lint(place, tree, **option)
        rule = "decrypt" if "private_keys" in option else "verify"
        causes: dict[str, set[str]] = {}
        for one in found["findings"]:
            if one["rule"] == rule:
                causes.setdefault(one["subject"].split(",")[0].rpartition("/")[2], set()).add(one["message"])
        assert set(causes) == set(cases), "these, and not the good ones beside"
        for name, (_obj, cause) in cases.items():
            wanted = cause if rule == "decrypt" or name != "foreign" else "has no key that unseals it here"
            assert all(wanted in message for message in causes[name]), (name, causes[name])
        assert found["failed"]


def test_the_controllers_verdict_and_ours_are_the_same(place: t.Any) -> None:
    """verify of the real one against opening with its keys, over manifests right and wrong."""
    asked = controllers.discover(place.controller.client(), Clock(), place.controller.namespace)
    keys = place.private_keys()
    damaged = made(place, "damaged")
    value = bytearray(base64.b64decode(damaged["spec"]["encryptedData"]["user"]))
    value[-3] ^= 4
    damaged["spec"]["encryptedData"]["user"] = base64.b64encode(value).decode()
    manifests = [
        *(obj for obj, _cause in strange(place).values()),
        damaged,
        *(made(place, "x", scope) for scope in sealed.SCOPES),
    ]
    for number, obj in enumerate(manifests):
        tree = keys.parent / f"one-{number}"
        tree.mkdir()
        (tree / "x.yaml").write_text(yaml.safe_dump(obj))
        ours = lint(place, tree, private_keys=[str(keys)])["findings"]
        assert asked.verify(obj) == (not [one for one in ours if one["rule"] == "decrypt"]), obj["metadata"]


def test_a_controller_that_is_not_to_be_asked(place: t.Any, tmp_path: pathlib.Path) -> None:
    found = lint(place, write(tmp_path, made(place)), verify=True, controller_version="0.38.2")
    assert [one["rule"] for one in found["findings"]] == ["controller"]


def test_as_a_task(place: t.Any, play: t.Any, tmp_path: pathlib.Path) -> None:
    tree = write(tmp_path, made(place))
    (tree / "plain.yaml").write_text(f"kind: Secret\nmetadata: {{name: x}}\nstringData: {{password: {CANARY}}}\n")
    task: Obj = {
        "enclii.platform.sealed_secret_lint": {"paths": [str(tree)], "private_keys": [str(place.private_keys())]},
        "register": "r_found",
    }  # fmt: skip
    never = {
        **task,
        "enclii.platform.sealed_secret_lint": {**task["enclii.platform.sealed_secret_lint"], "fail_on": "never"},
    }
    found = play.run([never], "-vvv", "--diff")["r_found"]
    assert [one["rule"] for one in found["findings"]] == ["plaintext-secret"]
    assert found["counts"] == {"critical": 0, "error": 1, "warning": 0, "info": 0}
    assert CANARY not in play.output
    play.run([task], "-vvv", ok=False)
    assert "it holds password in plain text" in play.output
    assert CANARY not in play.output
    # As a module in a process of its own.
    separate = play.run([{**never, "async": 60, "poll": 1}], "-vvv")["r_found"]
    assert separate["findings"] == found["findings"]
    assert CANARY not in play.output
    play.run([{**task, "enclii.platform.sealed_secret_lint": {"paths": [str(tree / "none")]}}], ok=False)
    assert "there is no such file or directory" in play.output


@pytest.mark.parametrize("option", [{"ignore": ["nonsense"]}, {"fail_on": "sometimes"}])
def test_wrong_options_are_named(play: t.Any, tmp_path: pathlib.Path, option: Obj) -> None:
    play.run([{"enclii.platform.sealed_secret_lint": {"paths": [str(tmp_path)], **option}}], ok=False)
    assert "there is no rule nonsense" in play.output or "value of fail_on must be one of" in play.output
