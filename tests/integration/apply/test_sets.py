# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets: pruning, what is never pruned, other sets, kills at every point, deletion."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import pytest
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.kube import applyset, client

PREFIX = "applyset.kubernetes.io/"


def parent(kube: t.Any, name: str = "set") -> tuple[dict[str, str], dict[str, str]]:
    metadata = kube.live("cm", name)["metadata"]
    return metadata["labels"], metadata["annotations"]


def test_parent_follows_the_specification(kube: t.Any) -> None:
    result = kube.apply(kube.config_map("a"), apply_set=kube.set())
    labels, notes = parent(kube)
    # The example of the specification: applyset-base64(sha256("<name>.<namespace>.<kind>.<group>"))-v1
    assert labels[PREFIX + "id"] == result["apply_set"]["id"] == applyset.set_id("set", kube.namespace, "ConfigMap")
    assert notes == {
        PREFIX + "tooling": "enclii.platform/1.0.0",
        PREFIX + "contains-group-kinds": "ConfigMap",
        PREFIX + "additional-namespaces": "",
    }
    assert kube.live("cm", "a")["metadata"]["labels"][PREFIX + "part-of"] == labels[PREFIX + "id"]


def test_prune_narrows_the_parent_and_spares_strangers(kube: t.Any) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": kube.namespace},
        "spec": {"ports": [{"port": 80}]},
    }
    kube.server.kubectl("create", "cm", "stranger", "-n", kube.namespace)
    kube.apply(kube.config_map("a"), service, apply_set=kube.set())
    assert parent(kube)[1][PREFIX + "contains-group-kinds"] == "ConfigMap,Service"
    result = kube.apply(kube.config_map("b"), apply_set=kube.set())
    assert kube.actions(result) == {"ConfigMap/b": "created", "ConfigMap/a": "deleted", "Service/s": "deleted"}
    assert parent(kube)[1][PREFIX + "contains-group-kinds"] == "ConfigMap"
    assert kube.names("cm") == {"set", "b", "stranger"} and kube.names("svc") == set()
    assert kube.apply(kube.config_map("b"), apply_set=kube.set())["changed"] is False


def test_other_namespaces_are_pruned_too(kube: t.Any) -> None:
    other = kube.namespace + "-x"
    kube.server.kubectl("create", "namespace", other)
    moved = {**kube.config_map("m"), "metadata": {"name": "m", "namespace": other}}
    kube.apply(kube.config_map("a"), moved, apply_set=kube.set())
    assert parent(kube)[1][PREFIX + "additional-namespaces"] == other
    result = kube.apply(kube.config_map("a"), apply_set=kube.set())
    assert kube.actions(result) == {"ConfigMap/a": "unchanged", "ConfigMap/m": "deleted"}
    assert parent(kube)[1][PREFIX + "additional-namespaces"] == ""


def test_no_prune_keeps_members_known(kube: t.Any) -> None:
    kube.apply(kube.config_map("a"), {**kube.config_map("s"), "kind": "Secret", "data": {}}, apply_set=kube.set())
    kube.apply(kube.config_map("a"), apply_set=kube.set(prune=False))
    assert kube.names("secret") == {"s"} and parent(kube)[1][PREFIX + "contains-group-kinds"] == "ConfigMap,Secret"
    kube.apply(kube.config_map("a"), apply_set=kube.set())
    assert kube.names("secret") == set() and parent(kube)[1][PREFIX + "contains-group-kinds"] == "ConfigMap"


def test_what_cannot_be_made_again_is_never_pruned(kube: t.Any) -> None:
    space = kube.namespace + "-p"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c", "namespace": kube.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    name_space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
    crd_name = f"things.{kube.namespace}.example.org"
    from_test = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": crd_name},
        "spec": {
            "group": f"{kube.namespace}.example.org",
            "scope": "Cluster",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }
    kube.apply(claim, name_space, from_test, kube.config_map("a"), apply_set=kube.set())
    for _again in (1, 2):
        result = kube.apply(kube.config_map("a"), apply_set=kube.set())
        assert result["changed"] is False
        assert kube.actions(result) == {
            "ConfigMap/a": "unchanged",
            "PersistentVolumeClaim/c": "kept",
            f"Namespace/{space}": "kept",
            f"CustomResourceDefinition/{crd_name}": "kept",
        }
    gone = kube.apply(state="absent", apply_set=kube.set())
    assert kube.actions(gone)["PersistentVolumeClaim/c"] == "kept" and gone["changed"]
    assert kube.apply(state="absent", apply_set=kube.set())["changed"] is False
    named = kube.apply(claim, name_space, from_test, state="absent", apply_set=kube.set())
    assert set(kube.actions(named).values()) == {"deleted"} and named["apply_set"]["action"] == "deleted"


def test_object_of_another_set_is_refused_before_any_change(kube: t.Any) -> None:
    kube.apply(kube.config_map("a"), apply_set=kube.set("one"))
    for state in ("present", "absent"):
        error = kube.fail(kube.config_map("b"), kube.config_map("a"), apply_set=kube.set("two"), state=state)
        assert error.reason == "other_set" and f"ConfigMap {kube.namespace}/a" in str(error) and error.objects == []
    assert kube.names("cm") == {"one", "a"}


def test_parent_that_is_something_else_is_refused(kube: t.Any) -> None:
    kube.server.kubectl("create", "cm", "set", "-n", kube.namespace)
    error = kube.fail(kube.config_map("b"), apply_set=kube.set())
    assert error.reason == "other_set" and "is not the parent of this set" in str(error)
    other = kube.set("by-kubectl")
    kube.apply(kube.config_map("b"), apply_set=other)
    kube.server.kubectl(
        "annotate", "cm", "by-kubectl", "-n", kube.namespace, "--overwrite", PREFIX + "tooling=kubectl/v1.36.3"
    )
    error = kube.fail(kube.config_map("c"), apply_set=other)
    assert error.reason == "other_set" and "another tool (kubectl)" in str(error)


def test_empty_definition_never_prunes_everything(kube: t.Any) -> None:
    kube.apply(kube.config_map("a"), apply_set=kube.set())
    error = kube.fail("---\n", apply_set=kube.set())
    assert error.reason == "invalid" and "prune everything" in str(error) and kube.names("cm") == {"a", "set"}


def test_failure_prunes_nothing(kube: t.Any) -> None:
    kube.apply(kube.config_map("a"), apply_set=kube.set())
    error = kube.fail(kube.config_map("b"), kube.config_map("BAD_NAME"), apply_set=kube.set())
    assert error.reason == "invalid" and {"a", "b"} <= kube.names("cm") | {"b"} and "a" in kube.names("cm")
    assert parent(kube)[1][PREFIX + "contains-group-kinds"] == "ConfigMap"


def test_recreated_object_is_not_deleted_under_another_uid(kube: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kube.apply(kube.config_map("a"), kube.config_map("b"), apply_set=kube.set())
    original = client.Client.request
    again: list[str] = []

    def race(self: t.Any, method: str, path: str, *args: t.Any, **options: t.Any) -> t.Any:
        if method == "DELETE" and not again:
            again.append(path)
            kube.server.kubectl("delete", "cm", "b", "-n", kube.namespace)
            kube.server.kubectl("create", "cm", "b", "-n", kube.namespace)
        return original(self, method, path, *args, **options)

    monkeypatch.setattr(client.Client, "request", race)
    error = kube.fail(kube.config_map("a"), apply_set=kube.set())
    assert "UID" in str(error) and "b" in kube.names("cm")


def test_absent_deletes_set_and_parent(kube: t.Any) -> None:
    kube.apply(kube.config_map("a"), kube.config_map("b"), apply_set=kube.set())
    foretold = kube.apply(state="absent", apply_set=kube.set(), check=True)
    assert foretold["counts"] == {"deleted": 2} and kube.names("cm") == {"a", "b", "set"}
    gone = kube.apply(kube.config_map("a"), state="absent", apply_set=kube.set(), wait=True)
    assert gone["counts"] == {"deleted": 2} and kube.names("cm") == set()
    assert kube.apply(kube.config_map("a"), state="absent", apply_set=kube.set()) == {
        "changed": False,
        "counts": {"absent": 1},
        "apply_set": {**gone["apply_set"], "action": "unchanged"},
        "objects": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "namespace": kube.namespace,
                "name": "a",
                "action": "absent",
                "source": "definition, document 1",
            }
        ],
    }


def test_absent_of_unserved_kinds_and_missing_namespaces(kube: t.Any) -> None:
    thing = {"apiVersion": "gone.example.org/v1", "kind": "Thing", "metadata": {"name": "x", "namespace": "no-such"}}
    other = {**kube.config_map("a"), "metadata": {"name": "a", "namespace": "no-such"}}
    result = kube.apply(thing, other, state="absent")
    assert result["counts"] == {"absent": 2} and not result["changed"]


SCRIPT = """
import sys, os, signal, threading
sys.path.insert(0, sys.argv[1])
from ansible_collections.enclii.platform.plugins.module_utils.kube import client, front
count, limit, lock = 0, int(sys.argv[2]), threading.Lock()
original = client.Client.request
def request(self, method, *args, **options):
    global count
    if method != "GET":
        with lock:
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
    return original(self, method, *args, **options)
client.Client.request = request
print(front.apply(dict(kubeconfig=sys.argv[3], src=sys.argv[4], state="present", field_manager="enclii-platform",
      force_conflicts=False, wait=False, wait_timeout=20, apply_set=dict(name="set", namespace=sys.argv[5])),
      {"HOME": "/"})["counts"])
"""


@pytest.mark.parametrize("point", [1, 2, 4, 9, 13, 14, 17, 18])
def test_sigkill_at_every_point_and_run_again(kube: t.Any, tmp_path: pathlib.Path, point: int) -> None:
    """Old: 6 ConfigMaps, a Secret, a Service. New: 12 others. Killed at a write; the next run ends where a whole one ends."""
    old = [kube.config_map(f"old-{n}") for n in range(6)]
    old.append({**kube.config_map("s"), "kind": "Secret", "data": {}})
    kube.apply(*old, apply_set=kube.set())
    new = [kube.config_map(f"new-{n}") for n in range(12)]
    source = tmp_path / "new.yaml"
    source.write_text(yaml.safe_dump_all(new))
    root = str(pathlib.Path(__file__).resolve().parents[3] / ".collections")
    args = [sys.executable, "-c", SCRIPT, root]
    rest = [str(kube.server.kubeconfig), str(source), kube.namespace]
    killed = subprocess.run([*args, str(point), *rest], capture_output=True, text=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    end = subprocess.run([*args, "0", *rest], capture_output=True, text=True, timeout=60, check=False)
    assert end.returncode == 0, end.stderr
    assert kube.names("cm") == {"set", *(f"new-{n}" for n in range(12))} and kube.names("secret") == set()
    assert parent(kube)[1][PREFIX + "contains-group-kinds"] == "ConfigMap"
    assert kube.apply(*new, apply_set=kube.set())["changed"] is False


def test_sigkill_by_the_clock(kube: t.Any, tmp_path: pathlib.Path) -> None:
    """From outside, without our knowing where: 200 objects, killed while it writes."""
    new = [kube.config_map(f"n{n:03}") for n in range(200)]
    source = tmp_path / "new.yaml"
    source.write_text(yaml.safe_dump_all(new))
    kube.apply(kube.config_map("old"), apply_set=kube.set())
    root = str(pathlib.Path(__file__).resolve().parents[3] / ".collections")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, root, "0", str(kube.server.kubeconfig), str(source), kube.namespace],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while len(kube.names("cm")) < 20 and time.monotonic() < deadline:
        pass
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it had ended before it was killed"
    assert "old" in kube.names("cm"), "pruned before everything was applied"
    result = kube.apply(*new, apply_set=kube.set())
    assert result["changed"] and kube.names("cm") == {"set", *(item["metadata"]["name"] for item in new)}
    assert kube.apply(*new, apply_set=kube.set())["changed"] is False


def test_a_namespaces_own_account_is_never_pruned(kube: t.Any) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": kube.namespace},
        "automountServiceAccountToken": False,
    }
    other = {**account, "metadata": {"name": "other", "namespace": kube.namespace}}
    kube.apply(kube.config_map("a"), account, other, apply_set=kube.set())
    actions = kube.actions(kube.apply(kube.config_map("a"), apply_set=kube.set()))
    assert actions == {"ConfigMap/a": "unchanged", "ServiceAccount/default": "kept", "ServiceAccount/other": "deleted"}
