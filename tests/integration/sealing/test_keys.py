# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing keys on a real API server with the real controller and a real S3 server: backed up, proved, renewed, lost and restored."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import signal
import subprocess
import time
import typing as t
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import apiserver
import evidence
import objectstore
import pyrage
import pytest
import sealing
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError
from ansible_collections.enclii.platform.plugins.module_utils.sealing import backup, keeping, keys, proof
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

Obj = dict[str, t.Any]
SPACE = "enclii-system"
PASSPHRASE = "canary-passphrase-0f3a91"
IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
WAYS = {"in process": {}, "as a module": {"become": True, "become_method": "ansible.builtin.su"}}


@pytest.fixture(scope="module")
def server() -> t.Iterator[apiserver.ApiServer]:
    """One of its own: keys are lost here. With the controller that empties namespaces."""
    from lab import builds

    program = builds.place("kubernetes") / "kube-controller-manager"
    reason = apiserver.missing() or sealing.real_controller_missing() or objectstore.missing()
    if reason or not program.exists():
        pytest.skip(reason or "kube-controller-manager is not built")
    running = apiserver.ApiServer()
    manager = None
    try:
        running.start()
        argv = [
            str(program), "--kubeconfig", str(running.kubeconfig), "--controllers=namespace-controller", "--leader-elect=false",
            "--secure-port=0",
        ]  # fmt: skip
        with open(running.home / "manager.log", "wb") as log:
            manager = subprocess.Popen(argv, stdout=log, stderr=log, cwd=running.home)
        yield running
    finally:
        if manager:
            manager.kill()
            manager.wait()
        running.stop()


@pytest.fixture(scope="module")
def controller(server: apiserver.ApiServer) -> t.Iterator[sealing.RealController]:
    running = sealing.RealController(server)
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def store(server: apiserver.ApiServer) -> t.Iterator[objectstore.ObjectStore]:
    running = objectstore.ObjectStore()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    path = tmp_path / "identity"
    path.write_text(f"# public key: {RECIPIENT}\n{IDENTITY}\n")
    return path


class Cluster:
    """The front door with a test's defaults, on a cluster without record; directory: of its backups."""

    def __init__(self, controller: sealing.RealController, directory: Path) -> None:
        self.controller, self.server, self.directory = controller, controller.server, directory
        self.server.kubectl("delete", "configmap", backup.RECORD, "-n", SPACE, "--ignore-not-found")
        self.server.kubectl("delete", "configmap", "-n", SPACE, "-l", backup.MARKER_LABEL)

    def arguments(self, state: str, **params: t.Any) -> Obj:
        given = {name: spec.get("default") for name, spec in keeping.SEALING_KEYS.items()}
        return {
            **given, "host": self.controller.url, "state": state, "directory": str(self.directory), "recipients": [RECIPIENT],
            **params,
        }  # fmt: skip

    def run(self, state: str = "backed_up", check: bool = False, clock: Clock | None = None, **params: t.Any) -> Obj:
        arguments = self.arguments(state, **params)
        return keeping.sealing_keys(arguments, {"HOME": "/nonexistent"}, check=check, diff=True, clock=clock)

    def fail(self, state: str = "backed_up", **params: t.Any) -> KubeError:
        with pytest.raises(KubeError) as caught:
            self.run(state, **params)
        return caught.value

    def record(self) -> dict[str, str]:
        return t.cast("dict[str, str]", self.server.get("configmap", backup.RECORD, "-n", SPACE)["data"])

    def markers(self) -> list[Obj]:
        """What kube-state-metrics shows as kube_configmap_created."""
        listed = self.server.get("configmap", "-n", SPACE, "-l", backup.MARKER_LABEL)["items"]
        return [one["metadata"] for one in listed if one["metadata"]["name"].startswith(backup.MARKER)]

    def namespaces(self) -> set[str]:
        return {one["metadata"]["name"] for one in self.server.get("namespace")["items"]}

    def secrets(self) -> list[Obj]:
        return t.cast("list[Obj]", self.server.get("secret", "-n", SPACE, "-l", keys.KEY_LABEL)["items"])

    def files(self) -> list[Path]:
        return sorted(self.directory.iterdir())


@pytest.fixture
def cluster(controller: sealing.RealController, tmp_path: Path) -> Cluster:
    return Cluster(controller, tmp_path / "backups")


def private_parts(secrets: list[Obj]) -> list[str]:
    """What must be seen nowhere: pieces of every private key, as they stand in PEM and in a Secret."""
    out = []
    for secret in secrets:
        encoded = secret["data"]["tls.key"]
        lines = base64.b64decode(encoded).decode().splitlines()
        out += [encoded[200:260], lines[5], lines[20]]
    return out


# -- backed up and proved ------------------------------------------------------------------------


def test_backup_is_written_read_back_and_proved(
    cluster: Cluster, store: objectstore.ObjectStore, identity: Path
) -> None:
    where = {"s3": store.options, "identities": [str(identity)]}
    foreseen = cluster.run(check=True, **where)
    assert foreseen["changed"]
    assert not cluster.directory.exists()
    assert cluster.server.kubectl("get", "configmap", backup.RECORD, "-n", SPACE, check=False) == ""
    done = cluster.run(**where)
    assert done["changed"]
    assert done["why"] == foreseen["why"] == ["there is no record of a backup"]
    assert done["backup"]["proved"]
    assert "warnings" not in done
    assert done["newest_key"]["in_proved_backup"]
    # both places hold one and the same, private to its owner, and it opens to the cluster's keys
    [file] = cluster.files()
    assert file.stat().st_mode & 0o777 == 0o600
    assert done["backup"]["places"] == [str(file), f"s3://backups/test/keys/{file.name}"]
    assert [path.read_bytes() for path in store.objects()] == [file.read_bytes()]
    listed = json.loads(pyrage.decrypt(file.read_bytes(), [IDENTITY]))
    live = cluster.secrets()
    assert {one["metadata"]["name"]: one["data"] for one in listed["items"]} == {
        one["metadata"]["name"]: one["data"] for one in live
    }
    # what is shown and recorded holds nothing of them
    record = cluster.record()
    assert record["proved"] == "true"
    shown = json.dumps([done, foreseen, record]) + file.read_text()
    assert [part for part in private_parts(live) if part in shown] == []
    assert store.secret_key not in shown
    assert proof.NAMESPACE not in cluster.namespaces()


def test_second_run_changes_nothing_and_proves_nothing(cluster: Cluster, identity: Path) -> None:
    cluster.run(identities=[str(identity)])
    before = cluster.server.get("configmap", backup.RECORD, "-n", SPACE)["metadata"]["resourceVersion"]
    again = cluster.run(identities=[str(identity)])
    assert not again["changed"]
    assert again["why"] == []
    assert "diff" not in again
    assert cluster.server.get("configmap", backup.RECORD, "-n", SPACE)["metadata"]["resourceVersion"] == before
    assert len(cluster.files()) == 1
    # a proof that is too old is made again, which is no change
    [marker] = cluster.markers()
    older = cluster.run(identities=[str(identity)], proof_max_age=0)
    assert not older["changed"]
    [newer] = cluster.markers()
    assert newer["creationTimestamp"] > marker["creationTimestamp"]
    assert cluster.server.get("configmap", backup.RECORD, "-n", SPACE)["metadata"]["resourceVersion"] >= before
    forced = cluster.run(identities=[str(identity)], force=True)
    assert forced["changed"]
    assert len(cluster.files()) == 2


def test_without_identity_nothing_is_claimed(cluster: Cluster, identity: Path) -> None:
    done = cluster.run()
    assert done["changed"]
    assert not done["backup"]["proved"]
    assert "no identity was given" in done["backup"]["proof"]
    assert cluster.markers() == []
    assert "a backup that is not proved" in done["warnings"][0]
    assert not cluster.run()["changed"]
    assert cluster.record()["proved"] == "false"
    told = cluster.fail("proved")
    assert "cannot be proved without what opens it" in str(told)
    proved = cluster.run("proved", identities=[str(identity)])
    assert not proved["changed"]
    assert proved["backup"]["proved"]
    assert proved["last_proof"]["age_hours"] < 0.1
    assert "warnings" not in cluster.run("reported")


def test_passphrase_and_another_one(cluster: Cluster) -> None:
    assert cluster.run(recipients=[], passphrase=PASSPHRASE)["backup"]["proved"]
    assert not cluster.run(recipients=[], passphrase=PASSPHRASE)["changed"]
    other = cluster.run(recipients=[], passphrase="another one")
    assert other["why"] == ["it is encrypted with another passphrase"]
    assert cluster.run()["why"] == ["it is encrypted for other recipients"]


# -- the same as evidence ------------------------------------------------------------------------


@pytest.fixture
def kept(server: apiserver.ApiServer) -> t.Iterator[t.Callable[[], list[Obj]]]:
    """The kind Evidence installed for a test; what there is of it, oldest first. All other tests do without the kind."""

    def read() -> list[Obj]:
        listed = [one["spec"] for one in server.get("evidence", "-n", SPACE)["items"]]
        return sorted(listed, key=lambda one: one["ended"])

    evidence.applied(server, evidence.rendered(SPACE))
    yield read
    server.kubectl("delete", "crd", "evidence.enclii.dev")


def test_every_proof_is_evidence_and_so_is_every_failed_one(
    cluster: Cluster, identity: Path, kept: t.Callable[[], list[Obj]]
) -> None:
    cluster.run()
    (unknown,) = kept()
    assert (unknown["kind"], unknown["subject"]) == ("sealing-key-backup", "enclii-system/sealed-secrets-controller")
    assert unknown["verdict"] == "UNKNOWN" and "no identity was given" in unknown["findings"][0]
    cluster.run()
    assert len(kept()) == 1
    done = cluster.run(identities=[str(identity)])
    passed = kept()[-1]
    assert passed["verdict"] == "PASS" and passed["findings"] == [done["backup"]["proof"]]
    assert passed["details"]["digest"] == done["backup"]["digest"] and passed["figures"]["keys"] == len(
        cluster.secrets()
    )
    lasts = datetime.fromisoformat(passed["expires"]) - datetime.fromisoformat(passed["ended"])
    assert lasts.total_seconds() == 2 * 168 * 3600
    cluster.run(identities=[str(identity)])
    cluster.run(identities=[str(identity)], check=True)
    cluster.run("proved", identities=[str(identity)], check=True)
    assert len(kept()) == 2
    cluster.files()[0].unlink()
    cluster.fail("proved", identities=[str(identity)])
    assert kept()[-1]["verdict"] == "FAIL" and "it is not there" in kept()[-1]["findings"][0]
    shown = json.dumps(kept())
    assert [part for part in private_parts(cluster.secrets()) if part in shown] == []


def test_evidence_that_cannot_be_written_is_a_warning(
    cluster: Cluster, identity: Path, kept: t.Callable[[], list[Obj]]
) -> None:
    done = cluster.run(identities=[str(identity)], evidence_namespace="nowhere")
    assert done["backup"]["proved"] and kept() == []
    [warning] = done["warnings"]
    assert "It was not kept as evidence" in warning and "there is no namespace nowhere" in warning


# -- what is no proof ----------------------------------------------------------------------------


def test_wrong_identity_proves_nothing_and_says_so(cluster: Cluster, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    error = cluster.fail(identities=[str(other)])
    assert "no identity given opens it" in str(error)
    # it was written all the same, and that is told
    assert error.objects == [{"action": "created", "kind": "backup", "name": str(cluster.files()[0])}]
    assert cluster.record()["proved"] == "false"
    assert "no identity given opens it" in cluster.record()["proof"]
    assert proof.NAMESPACE not in cluster.namespaces()


def test_backup_of_another_cluster_is_no_backup(cluster: Cluster, identity: Path) -> None:
    cluster.run(identities=[str(identity)])
    foreign = keys.listing([keys.load(sealing.SealingKey(begins=datetime.now(UTC)).secret("foreign"))])
    data = backup.encrypt(foreign.encode(), backup.Lock([RECIPIENT]))
    cluster.files()[0].write_bytes(data)
    assert "it is not what was written there" in str(cluster.fail("proved", identities=[str(identity)]))
    cluster.server.kubectl(
        "patch", "configmap", backup.RECORD, "-n", SPACE, "-p", json.dumps({"data": {"digest": backup.digest(data)}})
    )
    error = cluster.fail("proved", identities=[str(identity)])
    assert "the backup lacks keys of the cluster" in str(error)
    assert cluster.record()["proved"] == "false"
    assert cluster.markers() == []
    # the last proof is still known, and not for this one
    assert cluster.run("reported")["newest_key"]["in_proved_backup"] is False
    assert cluster.run(identities=[str(identity)], force=True)["backup"]["proved"]


def test_key_of_the_same_name_in_the_backup_that_is_another_is_found_out(cluster: Cluster, identity: Path) -> None:
    """Names prove nothing: the key ids are compared, and they are made of the private keys."""
    cluster.run(identities=[str(identity)])
    names = [one["metadata"]["name"] for one in cluster.secrets()]
    held = [keys.load(sealing.SealingKey(begins=datetime.now(UTC)).secret(name)) for name in names]
    with pytest.raises(Exception, match="lacks keys of the cluster"):
        proof.prove(None, None, [keys.load(one) for one in cluster.secrets()], held, Clock())  # type: ignore[arg-type]


def test_lost_or_damaged_backup_is_written_again(cluster: Cluster, identity: Path) -> None:
    cluster.run(identities=[str(identity)])
    first = cluster.files()[0]
    first.write_bytes(first.read_bytes()[:-10])
    done = cluster.run(identities=[str(identity)], check=True)
    assert done["changed"]
    first.unlink()
    done = cluster.run(identities=[str(identity)])
    assert done["changed"]
    assert "No such file" in done["why"][0]
    assert done["backup"]["proved"]


# -- the scratch namespace -----------------------------------------------------------------------


class Interrupting(Clock):
    """Somebody presses Ctrl-C while the proof waits for the controller."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.done = cluster, False

    def sleep(self, seconds: float) -> None:
        if not self.done and proof.NAMESPACE in self.cluster.namespaces():
            self.done = True
            raise KeyboardInterrupt
        super().sleep(seconds)


@pytest.fixture
def stopped(controller: sealing.RealController) -> t.Iterator[t.Callable[[int], bytes]]:
    """A source of randomness that stops the controller when it is asked, which is after the certificate and before the namespace."""
    pid = t.cast("subprocess.Popen[bytes]", controller.process).pid

    def random(count: int) -> bytes:
        os.kill(pid, signal.SIGSTOP)
        return os.urandom(count)

    try:
        yield random
    finally:
        os.kill(pid, signal.SIGCONT)


def test_scratch_namespace_goes_after_an_interruption(
    cluster: Cluster, identity: Path, stopped: t.Callable[[int], bytes]
) -> None:
    cluster.run()
    clock = Interrupting(cluster)
    arguments = cluster.arguments("proved", identities=[str(identity)])
    with pytest.raises(KeyboardInterrupt):
        keeping.sealing_keys(arguments, {"HOME": "/nonexistent"}, clock=clock, random=stopped)
    assert clock.done
    assert proof.NAMESPACE not in cluster.namespaces()
    assert cluster.record()["proved"] == "false"


def test_controller_that_does_not_unseal_proves_nothing(
    cluster: Cluster, controller: sealing.RealController, stopped: t.Callable[[int], bytes]
) -> None:
    client = controller.client()
    found, _broken = keys.of_cluster(client, SPACE)
    there = keeping.discover(client, Clock(), SPACE)
    with pytest.raises(SealingError, match="the controller did not unseal an item within 1 s"):
        proof.prove(client, there, found, found, Clock(), stopped, seconds=1)
    client.close()
    assert proof.NAMESPACE not in cluster.namespaces()


def test_killed_proof_leaves_a_namespace_that_the_next_one_removes(
    cluster: Cluster, identity: Path, controller: sealing.RealController, stopped: t.Callable[[int], bytes]
) -> None:
    cluster.run()
    arguments = cluster.arguments("proved", identities=[str(identity)])
    process = multiprocessing.get_context("fork").Process(
        target=keeping.sealing_keys, args=(arguments, {"HOME": "/nonexistent"}), kwargs={"random": stopped}
    )
    process.start()
    deadline = time.monotonic() + 30
    while proof.NAMESPACE not in cluster.namespaces() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.kill()
    process.join()
    os.kill(t.cast("subprocess.Popen[bytes]", controller.process).pid, signal.SIGCONT)
    assert proof.NAMESPACE in cluster.namespaces()
    assert cluster.record()["proved"] == "false"
    assert cluster.run("proved", identities=[str(identity)])["backup"]["proved"]
    assert proof.NAMESPACE not in cluster.namespaces()


def test_namespace_of_somebody_else_is_left_alone(cluster: Cluster, identity: Path) -> None:
    cluster.run()
    cluster.server.kubectl("create", "namespace", proof.NAMESPACE)
    try:
        assert "it is not ours" in str(cluster.fail("proved", identities=[str(identity)]))
        assert cluster.server.get("namespace", proof.NAMESPACE)["status"]["phase"] == "Active"
    finally:
        cluster.server.kubectl("delete", "namespace", proof.NAMESPACE)


# -- renewal -------------------------------------------------------------------------------------


def test_renewed_key_is_in_no_backup_until_it_is_backed_up(
    cluster: Cluster, controller: sealing.RealController, identity: Path
) -> None:
    cluster.run(identities=[str(identity)])
    was = cluster.run("reported")["newest_key"]
    assert was["in_proved_backup"]
    time.sleep(1.1)  # certificates begin at whole seconds
    cutoff = format_datetime(datetime.now(UTC))
    controller.flags = (f"--key-cutoff-time={cutoff}",)
    for _ in (1, 2):  # the second start makes no other
        controller.end()
        controller.run()
        now = cluster.run("reported")
        assert now["newest_key"]["id"] != was["id"]
        assert not now["newest_key"]["in_backup"]
        assert "is in no backup" in now["warnings"][0]
        assert now["newest_key"]["name"] in now["warnings"][0]
        assert alert(cluster)
    assert len(now["keys"]) == len(cluster.secrets())
    assert {one["id"] for one in now["keys"]} - {now["newest_key"]["id"]} >= {was["id"]}
    done = cluster.run(identities=[str(identity)])
    assert done["why"] == [f"keys are not in the backup: {now['newest_key']['name']}"]
    assert done["backup"]["proved"]
    assert len(cluster.files()) == 2
    assert not alert(cluster)
    controller.flags = ()


def alert(cluster: Cluster) -> bool:
    """Newest key in no proved backup, as the alert says it: by what kube-state-metrics has as kube_secret_created and
    kube_configmap_created."""
    made = max(one["metadata"]["creationTimestamp"] for one in cluster.secrets())
    return made > max((one["creationTimestamp"] for one in cluster.markers()), default="")


def test_key_made_during_the_proof_spoils_it(cluster: Cluster, identity: Path) -> None:
    """Otherwise the marker would be newer than a key that no backup holds."""
    late = sealing.SealingKey(begins=datetime(2026, 1, 1, tzinfo=UTC)).secret("late", SPACE)

    def random(count: int) -> bytes:
        cluster.server.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(late))
        return os.urandom(count)

    arguments = cluster.arguments("backed_up", identities=[str(identity)])
    try:
        with pytest.raises(KubeError, match="made a key while it lasted"):
            keeping.sealing_keys(arguments, {"HOME": "/nonexistent"}, random=random)
        assert cluster.markers() == []
        assert cluster.run(identities=[str(identity)])["why"] == ["keys are not in the backup: late"]
        assert len(cluster.markers()) == 1
    finally:
        cluster.server.kubectl("delete", "secret", "late", "-n", SPACE)


def test_broken_key_is_told_and_left_out(cluster: Cluster, identity: Path) -> None:
    broken = sealing.SealingKey().secret("broken", SPACE)
    broken["data"]["tls.key"] = base64.b64encode(sealing.CANARY.encode()).decode()
    cluster.server.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(broken))
    try:
        done = cluster.run(identities=[str(identity)])
        assert (
            f"Secret {SPACE}/broken: tls.key is no readable PEM private key. The controller will crash"
            in done["warnings"][0]
        )
        assert done["backup"]["proved"]
        assert sealing.CANARY not in json.dumps(done)
    finally:
        cluster.server.kubectl("delete", "secret", "broken", "-n", SPACE)


# -- lost and restored ---------------------------------------------------------------------------


def test_keys_are_restored_into_an_empty_cluster(
    cluster: Cluster, controller: sealing.RealController, identity: Path
) -> None:
    """As the role does it: before the controller starts, out of the encrypted file."""
    from ansible_collections.enclii.platform.plugins.filter.sealing_keys import sealing_keys

    cluster.run(identities=[str(identity)])
    newest = cluster.run("reported")["newest_key"]
    certificate = controller.call("GET", "/v1/cert.pem")[1]
    live = cluster.secrets()
    controller.end()
    cluster.server.kubectl("delete", "secret", "-n", SPACE, "-l", keys.KEY_LABEL)
    assert cluster.secrets() == []
    assert cluster.run("reported")["newest_key"] is None
    assert "no sealing key" in str(cluster.fail())
    text = cluster.files()[0].read_text()
    restored = sealing_keys(text, SPACE, identity=identity.read_text())
    listed = {"apiVersion": "v1", "kind": "List", "items": restored["objects"]}
    cluster.server.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))
    controller.run()
    assert controller.call("GET", "/v1/cert.pem")[1] == certificate
    assert {one["metadata"]["name"]: one["data"] for one in cluster.secrets()} == {
        one["metadata"]["name"]: one["data"] for one in live
    }
    told = cluster.run("proved", identities=[str(identity)])
    assert told["newest_key"]["id"] == newest["id"]
    assert told["backup"]["proved"]


# -- as a task -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_task_shows_no_secret_in_any_output(
    cluster: Cluster, store: objectstore.ObjectStore, play: t.Any, identity: Path, way: str
) -> None:
    task = {
        "name": "Back up",
        "enclii.platform.sealing_keys": {
            "state": "backed_up", "host": cluster.controller.url, "directory": str(cluster.directory),
            "s3": {**store.options, "prefix": f"task/{way.replace(' ', '-')}"}, "recipients": [RECIPIENT], "identities": [str(identity)],
        },
        "register": "r_done",
        **WAYS[way],
    }  # fmt: skip
    with_passphrase = yaml.safe_load(yaml.safe_dump(task))
    with_passphrase["enclii.platform.sealing_keys"].update(recipients=[], identities=[], passphrase=PASSPHRASE)
    with_passphrase["register"] = "r_passphrase"
    again = {**with_passphrase, "register": "r_again"}
    done = play.run([task, with_passphrase, again], "-vvv", "--diff")
    assert [done[name]["changed"] for name in ("r_done", "r_passphrase", "r_again")] == [True, True, False]
    assert done["r_done"]["backup"]["proved"]
    shown = play.output + json.dumps(done)
    secret = [PASSPHRASE, store.secret_key, str(IDENTITY), *private_parts(cluster.secrets())]
    # the arguments of the task itself are shown by -vvv only where no_log does not forbid it
    assert [one[:12] for one in secret if one in shown] == []


def test_identity_comes_out_of_its_vault_and_a_failure_says_what_was_written(
    cluster: Cluster, play: t.Any, identity: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("vault-password\n")
    vault = ["ansible-vault", "encrypt", "--vault-password-file", str(tmp_path / "password"), str(identity)]
    subprocess.run(vault, check=True, capture_output=True)
    task: Obj = {
        "enclii.platform.sealing_keys": {
            "state": "backed_up", "host": cluster.controller.url, "directory": str(cluster.directory), "recipients": [RECIPIENT],
            "identities": [str(identity)],
        },
        "register": "r_done",
    }  # fmt: skip
    done = play.run([task], "-vvv", "--vault-password-file", str(tmp_path / "password"))
    assert done["r_done"]["backup"]["proved"]
    assert str(IDENTITY) not in play.output
    # as a module it gets no vault
    play.run([{**task, **WAYS["as a module"]}], ok=False)
    assert "it is encrypted with Ansible Vault" in play.output
    other = tmp_path / "other"
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    task["enclii.platform.sealing_keys"].update(identities=[str(other)], force=True)
    for way in WAYS.values():
        failed = play.run([{**task, **way, "ignore_errors": True}])["r_done"]
        assert (failed["failed"], failed["changed"], failed["error"]["reason"]) == (True, True, "key")
        assert "no identity given opens it" in failed["msg"]
