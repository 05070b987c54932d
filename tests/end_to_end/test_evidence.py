# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence on a real cluster: an account that may prove writes it and can do nothing else, a playbook copies it and is a gate."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import objectstore
import pytest
from labrun import LabRun

from ansible_collections.enclii.platform.plugins.module_utils.evidence.store import Store, record
from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login

SPACE, ACCOUNT, KIND = "enclii-system", "f-prover", "f-drill"
Obj = dict[str, t.Any]


@pytest.fixture(scope="module")
def kind(cluster: LabRun) -> t.Iterator[LabRun]:
    """The cluster with the kind, which the walls bring, and an account that may write."""
    if not cluster.kubectl("get", "crd", "evidence.enclii.dev", "--ignore-not-found"):
        cluster.playbook("platform", "--tags", "baseline").succeeded()
    cluster.kubectl("create", "serviceaccount", ACCOUNT, "-n", SPACE)
    role, account = "--role=enclii-evidence-writer", f"--serviceaccount={SPACE}:{ACCOUNT}"
    cluster.kubectl("create", "rolebinding", ACCOUNT, "-n", SPACE, role, account)
    yield cluster
    for what in ("rolebinding", "serviceaccount"):
        cluster.kubectl("delete", what, ACCOUNT, "-n", SPACE)
    cluster.kubectl("delete", "evidence", "-n", SPACE, "-l", f"evidence.enclii.dev/kind={KIND}")


@pytest.fixture
def prover(kind: LabRun, tmp_path: Path) -> t.Iterator[Store]:
    """A store with the account's own token and nothing else."""
    config = json.loads(kind.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    config["users"][0]["user"] = {"token": kind.kubectl("create", "token", ACCOUNT, "-n", SPACE).strip()}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    client = Client(load_login({"kubeconfig": str(path)}, {"HOME": str(tmp_path)}))
    yield Store(client, SPACE, Clock())
    client.close()


def seen(verdict: str, **more: t.Any) -> Obj:
    now = datetime.now(UTC)
    return record(kind=KIND, subject="s", verdict=verdict, started=now, ended=now, valid_for=timedelta(hours=1), **more)


def test_an_account_that_proves(kind: LabRun, prover: Store) -> None:
    prover.write(seen("PASS"), keep=1)
    deleted = [name for _ in range(2) for name in prover.write(seen("FAIL", findings=["the second failed"]), keep=1)]
    assert len(deleted) == 1
    (state,) = prover.current(KIND)
    assert (state.state, state.why) == ("FAIL", "the second failed") and state.last_pass
    (live,) = [one for one in kind.get("evidence", state.name, "-n", SPACE)["spec"].items() if one[0] == "inventory"]
    assert live == ("inventory", kind.get("configmap", "enclii-cluster", "-n", SPACE)["data"]["inventory"])
    for verb in ("patch", "update"):
        told = kind.kubectl(
            "auth", "can-i", verb, "evidence", "-n", SPACE, f"--as=system:serviceaccount:{SPACE}:{ACCOUNT}", check=False
        )
        assert told.strip() == "no"
    # the controller manager has put it into view
    assert "evidence" in json.dumps(kind.get("clusterrole", "view")["rules"])


def test_playbook_copies_what_is_new_and_shows_no_secret(kind: LabRun, prover: Store) -> None:
    if objectstore.missing():
        pytest.skip(objectstore.missing())
    prover.write(seen("PASS"))
    store = objectstore.ObjectStore("evidence").start()
    try:
        words = ("-e", json.dumps({"baseline_evidence_s3": {**store.options, "prefix": "lab"}}), "-vvv", "--diff")
        total = len(kind.get("evidence", "-n", SPACE)["items"])
        first = kind.playbook("evidence", *words).succeeded()
        assert first.changed["localhost"] == 0 and f"Copied to the bucket: {total}" in first.output
        assert f"{KIND} of s: PASS, until" in first.output
        again = kind.playbook("evidence", *words).succeeded()
        assert again.changed["localhost"] == 0 and "Copied to the bucket: 0" in again.output
        assert len([path for path in store.objects() if path.suffix == ".json"]) == total
        # the test's own words are the one place where it may stand
        for run in (first, again):
            assert store.secret_key not in run.output
    finally:
        store.stop()


def test_playbook_is_a_gate(kind: LabRun) -> None:
    wanted = [{"kind": KIND, "subject": "never done"}]
    run = kind.playbook("evidence", "-e", json.dumps({"baseline_evidence_expected": wanted}))
    assert run.rc != 0 and f"{KIND} of never done: UNKNOWN, there is no evidence of it" in run.output
