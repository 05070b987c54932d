# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real API server takes of a proof, refuses, and keeps of it. There are no nodes: a test ends the pod, and lends it its log."""

from __future__ import annotations

import json
import ssl
import threading
import time
import typing as t
from datetime import UTC, datetime

import evidence
import pytest
import scripts

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError
from ansible_collections.enclii.platform.plugins.module_utils.restoring import cleanup, front, live, objects

if t.TYPE_CHECKING:
    from conftest import Api

Obj = dict[str, t.Any]
TOLD = {
    "enclii-restore-proof": 1, "verdict": "PASS", "failures": [], "checks": [], "phases": {"restore": 1.0, "total": 2.0}, "figures": {},
    "facts": {"backup": "x"}, "versions": {}, "notices": [],
}  # fmt: skip
WORD = {
    "enclii-heartbeat": 1, "marker": "enclii-1", "lsn": "0/5000028", "at": 1.0, "system_id": "77", "archived": "",
    "roles": {}, "databases": {},
}  # fmt: skip


def test_no_object_of_a_proof_holds_a_token_or_reaches_more_than_the_bucket(rendered: Obj) -> None:
    jobs = {one["metadata"]["name"]: one for one in rendered["objects"] if one["kind"] == "CronJob"}
    proof = jobs["postgres-restore-proof"]
    assert objects.unsafe(proof) == ""
    template = proof["spec"]["jobTemplate"]["spec"]["template"]
    flows = {name for name in template["metadata"]["labels"] if name.startswith("flow.")}
    assert flows == {"flow.enclii.dev/postgres-s3"}
    secrets = {
        source["secret"]["name"]: [item["key"] for item in source["secret"]["items"]]
        for volume in template["spec"]["volumes"] for source in (volume.get("projected") or {}).get("sources", []) if "secret" in source
    }  # fmt: skip
    assert secrets == {"postgres-backup-reader": ["s3-key", "s3-secret"], "postgres-backup": ["cipher-passphrase"]}
    maps = {one["metadata"]["name"]: one["data"] for one in rendered["objects"] if one["kind"] == "ConfigMap"}
    assert "pg1-host" not in maps["postgres-pgbackrest-reader"]["pgbackrest.conf"]
    request = objects.base_request({"data": maps["postgres-restore-request"]})
    assert request["stanza"] == "postgres" and request["max_rpo"] == 300 and request["jobs"] == 2
    # the account that may write evidence has no secret and no volume
    record = jobs["postgres-restore-record"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert "volumes" not in record
    assert rendered["containers"][0]["name"] == live.HEARTBEAT


def test_in_check_mode_nothing_is_made(api: Api) -> None:
    told = api.prove(check=True)
    assert told["request"]["target"] == {"type": "latest"} and told["request"]["stanza"] == "postgres"
    assert "no pod of cluster postgres runs" in told["notices"][0]
    assert api.left() == set()


def test_which_database_it_is_patroni_knows_where_the_heartbeat_says_nothing(api: Api) -> None:
    assert api.prove(check=True)["request"]["system_id"] == ""
    api.server.kubectl("create", "configmap", "postgres-config", "-n", api.space)
    api.server.kubectl("annotate", "configmap", "postgres-config", "-n", api.space, "initialize=77")
    assert api.prove(check=True)["request"]["system_id"] == "77"


def test_without_a_repository_there_is_nothing_to_prove(api: Api) -> None:
    with pytest.raises(KubeError, match=r"CronJob .*other-restore-proof: there is none"):
        api.prove(cluster="other")


def ending(api: Api, phase: str) -> threading.Thread:
    """A kubelet's work, as far as it is needed: the pod ends."""

    def work() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            names = [one for one in api.left() if one.startswith("pod/")]
            if names:
                status = json.dumps({"status": {"phase": phase}})
                api.server.kubectl(
                    "patch", names[0], "-n", api.space, "--subresource=status", "--type=merge", "-p", status
                )
                return
            time.sleep(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("verdict", ["PASS", "FAIL"])
def test_a_proof_is_made_under_the_strictest_pod_security_and_nothing_stays(
    api: Api, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    monkeypatch.setattr(live, "log", lambda *_words: json.dumps({**TOLD, "verdict": verdict}))
    monkeypatch.setattr(live, "word", lambda *_words: (WORD, ""))
    thread = ending(api, "Succeeded" if verdict == "PASS" else "Failed")
    told = api.prove(target={"type": "mark"})
    thread.join()
    assert told["verdict"] == verdict and told["notices"] == [] and not told["changed"]
    assert {"provision_seconds", "restore_seconds", "remove_seconds", "own_seconds"} <= set(told["figures"])
    assert api.left() == set()


def test_a_pod_that_ends_without_a_word_is_an_error_and_nothing_stays(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "log", lambda *_words: "")
    thread = ending(api, "Failed")
    with pytest.raises(KubeError, match="it told no result"):
        api.prove()
    thread.join()
    assert api.left() == set()


def test_a_pod_that_never_runs_is_given_up_and_nothing_stays(api: Api) -> None:
    with pytest.raises(KubeError, match="it does not run after"):
        api.prove(start_timeout=1)
    assert api.left() == set()


def test_what_a_killed_run_left_is_taken_away_and_what_lives_is_not(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def furnish(run: str, *, alive: bool) -> None:
        pulse = cleanup.Pulse(api.client, run, api.space)
        owner, _ = pulse.start()
        pulse.stop()
        cronjob = api.client.get(f"/apis/batch/v1/namespaces/{api.space}/cronjobs/postgres-restore-proof")
        cleanup.create(
            api.client, cleanup.place(api.space, "configmaps"), objects.request_map(run, api.space, {}, owner)
        )
        cleanup.create(api.client, cleanup.place(api.space, "pods"), objects.pod(run, cronjob, owner, 60))
        if not alive:
            api.server.kubectl(
                "delete", "configmap", "-n", api.space, "-l", f"{objects.RUN}={run},{objects.ROLE}={objects.ALIVE}"
            )

    furnish("dead", alive=False)
    furnish("living", alive=True)
    monkeypatch.setattr(live, "log", lambda *_words: json.dumps(TOLD))
    with pytest.raises(KubeError):  # nothing runs here
        api.prove(start_timeout=1)
    names = api.left()
    assert not any("dead" in one for one in names) and sum("living" in one for one in names) == 3
    assert cleanup.sweep(api.client, api.space, "living", Clock()) == []
    assert api.left() == set()


def test_what_stays_is_told(api: Api) -> None:
    about = {
        "name": "stays",
        "namespace": api.space,
        "labels": {objects.RUN: "r"},
        "finalizers": ["test.enclii.dev/stay"],
    }
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": about, "spec": spec}
    api.server.kubectl("apply", "-f", "-", stdin=json.dumps(claim))
    left = cleanup.sweep(api.client, api.space, "r", Clock(), patience=0.5)
    assert left == [f"PersistentVolumeClaim {api.space}/stays"]
    assert "is still there" in front._stays("r", left)[0]


# -- evidence -------------------------------------------------------------------------------------


def kept(api: Api) -> list[Obj]:
    return t.cast("list[Obj]", api.server.get("evidence", "-n", api.space)["items"])


def test_what_was_proved_is_kept(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence.applied(api.server, evidence.rendered(api.space))
    failed = {
        "name": "missing_wal",
        "object": "WAL 1",
        "cause": "the archive lacks it",
        "next": "Take a full backup now",
    }
    monkeypatch.setattr(live, "log", lambda *_words: json.dumps({**TOLD, "verdict": "FAIL", "failures": [failed]}))
    monkeypatch.setattr(live, "word", lambda *_words: (WORD, ""))
    for target in ({"type": "latest"}, {"type": "mark"}):
        thread = ending(api, "Failed")
        told = api.prove(target=target, evidence={"namespace": api.space, "keep": 10, "valid_for": 50})
        thread.join()
        assert told["evidence"] in {one["metadata"]["name"] for one in kept(api)}
    subjects = {one["spec"]["subject"]: one["spec"] for one in kept(api)}
    assert set(subjects) == {f"{api.space}/postgres", f"{api.space}/postgres to a mark"}
    assert subjects[f"{api.space}/postgres"]["findings"] == [
        "missing_wal: WAL 1: the archive lacks it. Take a full backup now"
    ]
    assert api.left() == set()


class Logged:
    """The recorder's own client, but for the logs of pods that no node runs."""

    def __init__(self, real: t.Any, text: str) -> None:
        self._real, self._text = real, text

    def ask(self, method: str, path: str, query: t.Any = None, body: t.Any = None, plain: bool = False) -> t.Any:
        told = self._real.ask(method, path, query, body, plain)
        return self._text if plain else told


def test_scheduled_proofs_are_recorded_by_an_account_that_may_do_no_more(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence.applied(api.server, evidence.rendered(api.space))
    account = "postgres-restore-record"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "writes", "namespace": api.space},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "enclii-evidence-writer"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": api.space}],
    }  # fmt: skip
    patroni = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "postgres-config", "annotations": {"initialize": "77"}},
    }
    identity = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "enclii-cluster"},
        "data": {"inventory": "prod", "uid": "u-1"},
    }
    for one in (binding, patroni, identity):
        api.server.kubectl("apply", "-n", api.space, "-f", "-", stdin=json.dumps(one))
    # as the Job of the CronJob would make it
    cronjob = api.client.get(f"/apis/batch/v1/namespaces/{api.space}/cronjobs/postgres-restore-proof")
    template = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    for name in ("first", "second"):
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**template["metadata"], "name": name},
            "spec": template["spec"],
        }
        cleanup.create(
            api.client,
            cleanup.place(api.space, "pods"),
            {**body, "metadata": {**body["metadata"], "namespace": api.space}},
        )
    status = json.dumps({"status": {"phase": "Failed"}})
    api.server.kubectl("patch", "pod/first", "-n", api.space, "--subresource=status", "--type=merge", "-p", status)

    recorder = scripts.load("images/patroni/bin/enclii-restore-record")
    token = api.server.kubectl("create", "token", account, "-n", api.space).strip()
    login = load_login({"kubeconfig": str(api.server.kubeconfig)}, {"HOME": "/nonexistent"})
    context = ssl.create_default_context(cadata=(login.ca or b"").decode())
    real = recorder.Api(login.server, token, context)
    asked = type("Asked", (), {
        "namespace": api.space, "cluster": "postgres", "evidence_namespace": api.space, "valid_for": 50, "keep": 10,
    })  # fmt: skip
    # what told nothing is no pass, what runs is left alone
    assert recorder.record(real, asked) == 1 and recorder.record(real, asked) == 0
    (one,) = kept(api)
    assert one["spec"]["verdict"] == "UNKNOWN" and "told no result" in one["spec"]["findings"][0]
    api.server.kubectl("patch", "pod/second", "-n", api.space, "--subresource=status", "--type=merge", "-p", status)
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line = json.dumps({**TOLD, "facts": {"system_id": "77"}, "started": now, "ended": now}, separators=(",", ":"))
    assert recorder.record(Logged(real, line), asked) == 1
    assert {one["spec"]["verdict"] for one in kept(api)} == {"UNKNOWN", "PASS"}
    assert "PASS" in capsys.readouterr().out
    for verb, kind in (("get", "secrets"), ("create", "pods"), ("delete", "pods"), ("update", "configmaps")):
        who = f"system:serviceaccount:{api.space}:{account}"
        assert "no" in api.server.kubectl("auth", "can-i", verb, kind, "-n", api.space, f"--as={who}", check=False)
