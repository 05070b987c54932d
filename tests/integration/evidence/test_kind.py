# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind itself, held against a real API server: what it takes, what it refuses, and who may do what with it."""

from __future__ import annotations

import copy
import json
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from evidence import ENVIRON, Place, applied, rendered

from ansible_collections.enclii.platform.plugins.module_utils.evidence.store import EvidenceError, Store
from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

Obj = dict[str, t.Any]


def test_second_run_changes_nothing(place: Place) -> None:
    text = rendered(place.namespace)
    for check in (False, True):
        result = applied(place.server, text, check=check)
        assert not result["changed"] and result["counts"] == {"unchanged": 4}


def test_columns(place: Place) -> None:
    place.write("FAIL")
    head, row = place.server.kubectl("get", "evidence", "-n", place.namespace).splitlines()
    assert head.split() == ["NAME", "KIND", "SUBJECT", "VERDICT", "EXPIRES", "AGE"]
    assert row.split()[1:5] == ["network-probe", "enclii-dev", "FAIL", "2026-11-24T03:00:00.000000Z"]


REFUSED: list[tuple[Obj, str]] = [
    ({"verdict": "OK"}, 'Unsupported value: "OK"'),
    ({"verdict": None}, "spec.verdict"),
    ({"kind": "Network_Probe"}, "spec.kind"),
    ({"kind": "a" * 41}, "spec.kind"),
    ({"subject": ""}, "spec.subject"),
    ({"subject": "x" * 254}, "spec.subject"),
    ({"ended": "2026-11-23T02:00:00Z"}, "It ended before it started"),
    ({"expires": "2026-11-23T03:00:00.000000Z"}, "It would never count"),
    ({"expires": "2026-11-23T02:00:00Z"}, "It would never count"),
    ({"ended": "yesterday"}, "spec.ended"),
    ({"ended": "2026-11-23T03:00:00+01:00"}, "spec.ended"),
    ({"ended": "2026-02-30T03:00:00Z"}, "spec.ended"),
    ({"started": "0000-01-01T00:00:00Z"}, "spec.started"),
    ({"ended": "2026-11-23t03:00:00z"}, "spec.ended"),
    ({"ended": "2026-11-23T03:00:60Z"}, "spec.ended"),
    ({"figures": {"a": "1"}}, "spec.figures.a"),
    ({"figures": {f"f{number}": 1 for number in range(65)}}, "spec.figures"),
    ({"versions": {"a": "x" * 254}}, "spec.versions"),
    ({"findings": ["x"] * 201}, "spec.findings"),
    ({"findings": ["x" * 1025]}, "spec.findings"),
    ({"details": {str(number): 1 for number in range(1001)}}, "spec.details"),
    ({"surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("more", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused(place: Place, more: Obj, words: str) -> None:
    obj = place.seen()
    obj["spec"] = {name: value for name, value in {**obj["spec"], **more}.items() if value is not None}
    with pytest.raises(KubeError) as caught:
        place.store.create(obj)
    assert words in caught.value.cause and place.there() == []


def test_without_a_spec(place: Place) -> None:
    obj = {**place.seen(), "spec": {}}
    with pytest.raises(KubeError, match=r"spec\.kind"):
        place.store.create(obj)


CHANGES: list[Obj] = [
    {"verdict": "PASS"},
    {"expires": "2027-11-23T03:00:00Z"},
    {"figures": {"seconds": 2}},
    {"findings": []},
    {"details": {"pairs": {"denied": 2}}},
    {"details": {"pairs": {"denied": 1}, "more": True}},
    {"details": None},
    {"inventory": "other"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_never_changed_not_even_by_an_administrator(place: Place, change: Obj) -> None:
    place.write("FAIL", figures={"seconds": 1}, findings=["a"], details={"pairs": {"denied": 1}})
    (before,) = place.there()
    patch = json.dumps({"spec": change})
    name = before["metadata"]["name"]
    with pytest.raises(AssertionError, match="Evidence is never changed"):
        place.server.kubectl("patch", "evidence", name, "-n", place.namespace, "--type=merge", "-p", patch)
    changed = copy.deepcopy(before)
    changed["spec"] = {key: value for key, value in {**before["spec"], **change}.items() if value is not None}
    with pytest.raises(AssertionError, match="Evidence is never changed"):
        place.server.kubectl("replace", "-f", "-", stdin=json.dumps(changed))
    assert place.there()[0]["spec"] == before["spec"]


def as_account(place: Place, account: str, home: Path) -> Place:
    """The same place, seen by a service account."""
    path = place.login_as(account, home / f"{account}.json")
    other = copy.copy(place)
    other.client = Client(load_login({"kubeconfig": str(path)}, ENVIRON))
    other.store = Store(other.client, place.namespace, place.clock)
    return other


def can(place: Place, account: str, *words: str) -> bool:
    user = f"--as=system:serviceaccount:{place.namespace}:{account}"
    return place.server.kubectl("auth", "can-i", *words, user, "-n", place.namespace, check=False).strip() == "yes"


def test_a_writer_writes_and_prunes_and_does_nothing_else(place: Place, tmp_path: Path) -> None:
    place.bind("role", "enclii-evidence-writer", "prover")
    place.server.kubectl(
        "create",
        "configmap",
        "enclii-cluster",
        "-n",
        place.namespace,
        "--from-literal=inventory=lab",
        "--from-literal=uid=u-1",
    )
    writer = as_account(place, "prover", tmp_path)
    names = [name for hours in (3, 2, 1) for name in writer.store.write(writer.seen("FAIL", hours), keep=2)]
    assert len(names) == 1 and [one["spec"]["inventory"] for one in place.there()] == ["lab"] * 2
    assert place.there()[0]["spec"]["cluster"] == "u-1"
    assert [one.state for one in writer.store.current()] == ["FAIL"]
    for verb in ("update", "patch", "deletecollection", "watch"):
        assert not can(place, "prover", verb, "evidence.enclii.dev"), verb
    assert not can(place, "prover", "get", "configmaps/other")
    for resource in ("secrets", "pods", "configmaps", "roles.rbac.authorization.k8s.io"):
        assert not can(place, "prover", "create", resource) and not can(place, "prover", "list", resource), resource
    writer.client.close()


def test_who_has_no_right_is_told_which(place: Place, tmp_path: Path) -> None:
    stranger = as_account(place, "stranger", tmp_path)
    with pytest.raises(KubeError) as caught:
        stranger.store.current()
    assert caught.value.reason == "forbidden" and "list evidence" in caught.value.next_step
    stranger.client.close()


def test_viewers_see_it(place: Place) -> None:
    """view takes it in by its label, which the controller manager's controller of ClusterRoles does."""
    from lab import builds

    program = builds.place("kubernetes") / "kube-controller-manager"
    if not program.exists():
        pytest.skip("kube-controller-manager is not built")
    place.bind("role", "nothing", "nobody")
    place.server.kubectl(
        "create",
        "rolebinding",
        "look",
        "--clusterrole=view",
        f"--serviceaccount={place.namespace}:viewer",
        "-n",
        place.namespace,
    )
    argv = [
        str(program), "--kubeconfig", str(place.server.kubeconfig), "--controllers=clusterrole-aggregation-controller",
        "--leader-elect=false", "--secure-port=0",
    ]  # fmt: skip
    with open(place.server.home / "aggregation.log", "wb") as log:
        manager = subprocess.Popen(argv, stdout=log, stderr=log, cwd=place.server.home)
    try:
        deadline = time.monotonic() + 30
        while not can(place, "viewer", "list", "evidence.enclii.dev"):
            assert time.monotonic() < deadline, "view has not taken it in"
            time.sleep(0.2)
    finally:
        manager.kill()
        manager.wait()
    for verb in ("create", "delete", "update", "patch"):
        assert not can(place, "viewer", verb, "evidence.enclii.dev"), verb


def test_where_the_kind_is_missing(place: Place) -> None:
    place.server.kubectl("delete", "crd", "evidence.enclii.dev")
    try:
        with pytest.raises(EvidenceError) as caught:
            place.write()
        assert caught.value.reason == "not_installed"
        assert caught.value.next_step == "Run the platform's playbook with --tags baseline"
        assert not place.store.installed() and place.store.current() == []
        (state,) = place.store.current(expected=[("a", "b")])
        assert (state.state, state.why) == ("UNKNOWN", "the kind Evidence is not installed")
    finally:
        applied(place.server, rendered(place.namespace))
    place.write()
    assert place.store.installed()


def test_where_the_namespace_is_missing(place: Place) -> None:
    store = Store(place.client, "nowhere", place.clock)
    with pytest.raises(EvidenceError, match="there is no namespace nowhere"):
        store.write(place.seen())
