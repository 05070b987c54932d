# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""D1, D3 and D4 on a real cluster: PostgreSQL comes, is rolled, backed up, restored and taken away again, while somebody writes to it."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import shutil
import subprocess
import time
import typing as t

import pytest
from database import CLUSTER, SPACE, Database
from labrun import LabRun, Outcome

from lab.state import S3_BUCKET

Obj = dict[str, t.Any]
PODS = [f"{CLUSTER}-{number}" for number in range(3)]


def changes(run: Outcome) -> int:
    return run.succeeded().changed["localhost"]


def platform(lab: LabRun, *words: str, **options: t.Any) -> Outcome:
    return lab.playbook("platform", "--tags", "patroni", *words, database=True, **options)


@pytest.fixture(scope="module")
def base(cluster: LabRun) -> t.Iterator[Database]:
    """The platform with its database, from nothing, and taken away afterwards."""
    cluster.playbook("platform").succeeded()
    cluster.playbook("secrets", database=True).succeeded()
    began = time.monotonic()
    platform(cluster).succeeded()
    made = Database(cluster)
    made.run.until("three members stream in quorum mode", made.whole, 120)
    print(f"from nothing to three members and a backup: {time.monotonic() - began:.1f} s")
    made.prepare()
    yield made
    platform(cluster, "-e", "patroni_state=absent", "-e", "patroni_purge=local").succeeded()
    assert cluster.kubectl("get", "pvc", "-n", SPACE, "-o", "name", check=False) == ""
    # a purge leaves the backups; whoever wants the next cluster in the same place takes them away
    for part in ("data", "metadata"):
        shutil.rmtree(cluster.lab.s3 / part / S3_BUCKET / CLUSTER, ignore_errors=True)


@pytest.fixture
def database(base: Database) -> Database:
    """With three members that stream."""
    base.run.until("three members stream in quorum mode", base.whole, 300)
    return base


def evidence(database: Database, kind: str) -> Obj:
    """The newest of its kind."""
    found = [one for one in database.run.get("evidence", "-n", "enclii-system")["items"] if one["spec"]["kind"] == kind]
    return dict(max(found, key=lambda one: one["metadata"]["name"])["spec"])


def test_nothing_is_left_to_do(database: Database) -> None:
    run = platform(database.run)
    assert changes(run) == 0
    assert changes(platform(database.run, "--check", "--diff")) == 0
    print(f"nothing to do: {run.seconds:.1f} s")


def test_the_scenario_of_molecule(database: Database) -> None:
    database.run.molecule("patroni")


def test_members_are_on_different_nodes_and_only_as_privileged_as_others(database: Database) -> None:
    pods = database.run.get("pods", "-n", SPACE, "-l", f"cluster-name={CLUSTER}")["items"]
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 3
    space = database.run.get("namespace", SPACE)["metadata"]["labels"]
    assert space["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_first_backup_is_there_and_counts_as_evidence(database: Database) -> None:
    run = database.run.playbook("backup", "-e", "patroni_backup_type=none", database=True).succeeded()
    assert "WAL up to 0000" in run.output
    assert evidence(database, "backup")["verdict"] == "PASS"


def declared(**more: t.Any) -> tuple[str, str]:
    orders = {"name": "orders", "schemas": [{"name": "app"}], "extensions": [{"name": "pg_trgm"}], **more}
    return "-e", json.dumps({"patroni_databases": [orders]})


def test_a_declared_database_is_made_with_logins_and_a_second_run_asks_one_question(database: Database) -> None:
    lab = database.run
    lab.playbook("secrets", *declared(), database=True).succeeded()
    assert changes(platform(lab, *declared())) > 0
    assert changes(platform(lab, *declared())) == 0
    secret = lab.get("secret", "orders-database", "-n", "enclii-dev")["data"]
    script = "read -r PGPASSWORD; export PGPASSWORD; exec psql -XAtq -c 'select session_user, current_user'"
    login = ("env", "PGUSER=orders_a", "PGDATABASE=orders", "sh", "-c", script)
    words = ("exec", "-i", "-n", SPACE, "bench-writer", "--", *login)
    assert lab.kubectl(*words, given=decoded(secret["password"]) + "\n").strip() == "orders_a|orders"
    assert decoded(secret["password"]) not in "".join(lab.transcript)
    wrong = lab.kubectl(*words, given="not-this-one\n", check=False)
    assert wrong.strip() == ""
    assert changes(platform(lab, *declared(state="absent", purge="orders"))) > 0
    assert database.sql("SELECT count(*) FROM pg_database WHERE datname = 'orders';").strip() == "0"


def test_a_rolling_update_under_writes_loses_nothing(database: Database) -> None:
    """Replicas, switchover, old leader, by the play alone."""
    before = {pod: database.run.get("pod", pod, "-n", SPACE)["metadata"]["uid"] for pod in PODS}
    leader = database.leader()
    writer = database.write(300)
    try:
        run = platform(database.run, "-e", "patroni_cpu=260m").succeeded()
        told = database.enough(writer)
    finally:
        writer.kill()
    after = {pod: database.run.get("pod", pod, "-n", SPACE)["metadata"]["uid"] for pod in PODS}
    assert not {*before.values()} & {*after.values()}
    steps = [line for line in run.output.splitlines() if ": delete, " in line or ": switchover" in line]
    assert len(steps) == 4, steps
    assert "switchover" in steps[2] and leader in steps[2] and leader in steps[3]
    assert database.lost(told["acknowledged"]) == 0
    assert told["gap"] < 15
    print(f"longest write gap of a rolling update: {told['gap']} s")
    assert changes(platform(database.run)) > 0


def test_a_renewed_certificate_is_taken_over_without_a_failed_client(database: Database) -> None:
    old = database.certificate()
    starts = {pod: database.run.get("pod", pod, "-n", SPACE)["status"]["containerStatuses"] for pod in PODS}
    writer = database.write(300)
    try:
        database.run.kubectl("delete", "secret", f"{CLUSTER}-server", f"{CLUSTER}-replication", "-n", SPACE)
        database.run.until("a new certificate", lambda: safely(database.certificate) not in ("", old), 60)
        new = database.certificate()
        for pod in PODS:
            for port in (5432, 8008):
                database.run.until(
                    f"{pod} shows it on {port}", lambda pod=pod, port=port: database.served(pod, port) == new, 120
                )
        told = database.enough(writer)
    finally:
        writer.kill()
    assert told["refused"] == {}
    assert told["gap"] < 2
    assert database.lost(told["acknowledged"]) == 0
    now = {pod: database.run.get("pod", pod, "-n", SPACE)["status"]["containerStatuses"] for pod in PODS}
    assert {pod: [one["restartCount"] for one in found] for pod, found in now.items()} == {
        pod: [one["restartCount"] for one in found] for pod, found in starts.items()
    }


def decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def safely(what: t.Callable[[], str]) -> str:
    try:
        return what()
    except (AssertionError, KeyError, ValueError):
        return ""


def test_a_bucket_that_is_away_costs_nothing_that_was_written(database: Database) -> None:
    server = database.run.lab.container("s3")
    writer = database.write(120)
    try:
        subprocess.run(["podman", "stop", "--time", "1", server], check=True, capture_output=True)
        time.sleep(10)
        behind = database.sql("SELECT pg_walfile_name(pg_switch_wal());").strip()
        time.sleep(20)
        assert database.sql("SELECT last_archived_wal FROM pg_stat_archiver;").strip() < behind
    finally:
        subprocess.run(["podman", "start", server], check=True, capture_output=True)
        told = database.enough(writer)
        writer.kill()
    assert told["gap"] < 2
    database.sql("SELECT pg_switch_wal();")
    segment = database.sql("SELECT pg_walfile_name(pg_switch_wal());").strip()
    database.run.until(
        "all of it is archived",
        lambda: database.sql("SELECT last_archived_wal FROM pg_stat_archiver;").strip() >= segment, 120,
    )  # fmt: skip
    run = database.run.playbook("backup", "-e", "patroni_backup_type=incr", database=True).succeeded()
    assert "(incr) was taken" in " ".join(run.output.split())


def test_what_was_backed_up_restores(database: Database) -> None:
    run = database.run.playbook(
        "verify_restore", "-e", json.dumps({"patroni_restore_targets": [{"type": "latest"}]}), database=True
    )
    run.succeeded()
    assert "latest: PASS" in " ".join(run.output.split())
    told = evidence(database, "restore-proof")
    assert told["verdict"] == "PASS"
    assert told["figures"]["rto_seconds"] > 0
    # but what the scheduled ones have finished
    left = "restore.enclii.dev/run,!restore.enclii.dev/scheduled"
    assert database.run.kubectl("get", "jobs,pods,pvc,secrets,configmaps", "-n", SPACE, "-l", left, "-o", "name") == ""


def claims(database: Database) -> list[Obj]:
    found = database.run.get("pvc", "-n", SPACE, "-l", f"cluster-name={CLUSTER}")["items"]
    return t.cast("list[Obj]", found)


@pytest.fixture
def expandable(database: Database) -> t.Iterator[None]:
    """The class allows what its provisioner cannot do: the test is the resizer."""
    name = claims(database)[0]["spec"]["storageClassName"]
    database.run.kubectl("patch", "storageclass", name, "-p", '{"allowVolumeExpansion": true}')
    yield
    database.run.kubectl("patch", "storageclass", name, "-p", '{"allowVolumeExpansion": null}')


def resize(database: Database, size: str) -> None:
    """What a CSI driver's resizer and the kubelet do once a claim asks for more."""
    for claim in claims(database):
        name = claim["metadata"]["name"]
        asked = ("get", "pvc", name, "-n", SPACE, "-o", "jsonpath={.spec.resources.requests.storage}")
        database.run.until(f"{name} asks for {size}", lambda asked=asked: database.run.kubectl(*asked) == size, 120)
        grown = {"capacity": {"storage": size}}
        database.run.kubectl("patch", "pv", claim["spec"]["volumeName"], "-p", json.dumps({"spec": grown}))
        patch = json.dumps({"status": grown})
        database.run.kubectl("patch", "pvc", name, "-n", SPACE, "--subresource=status", "--type=merge", "-p", patch)


def test_a_volume_that_cannot_grow_is_named_before_anything_is_asked(database: Database) -> None:
    before = [one["spec"]["resources"] for one in claims(database)]
    for playbook in (("expand_volumes",), ("platform", "--tags", "patroni")):
        run = database.run.playbook(*playbook, "-e", "patroni_storage_size=12Gi", database=True)
        assert run.rc != 0
        said = " ".join(run.output.split())
        assert (
            "patroni_storage_size is 12Gi: data-postgres-0 is of class" in said and "does not allow expansion" in said
        )
    assert [one["spec"]["resources"] for one in claims(database)] == before


def test_absent_keeps_volumes_and_backups_and_present_finds_its_data(database: Database) -> None:
    database.sql("CREATE TABLE kept AS SELECT 41 + 1 AS answer;", "bench")
    run = platform(database.run, "-e", "patroni_state=absent").succeeded()
    assert f"data-{CLUSTER}-0" in run.output
    assert database.run.kubectl("get", "statefulset,cronjob", "-n", SPACE, "-o", "name") == ""
    claims = database.run.kubectl("get", "pvc", "-n", SPACE, "-o", "name").split()
    assert claims == [f"persistentvolumeclaim/data-{pod}" for pod in PODS]
    platform(database.run).succeeded()
    database.run.until("three members stream in quorum mode", database.whole, 180)
    assert database.sql("SELECT answer FROM kept;", "bench").strip() == "42"
    assert changes(platform(database.run)) == 0


@pytest.mark.usefixtures("expandable")
def test_volumes_grow_while_everything_runs(database: Database) -> None:
    pods = {pod: database.run.get("pod", pod, "-n", SPACE)["metadata"]["uid"] for pod in PODS}
    more = ("-e", "patroni_storage_size=12Gi")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        resizer = pool.submit(resize, database, "12Gi")
        run = database.run.playbook("expand_volumes", *more, database=True)
        resizer.result()
    run.succeeded()
    assert "data-postgres-0: 12Gi, data-postgres-1: 12Gi, data-postgres-2: 12Gi" in " ".join(run.output.split())
    platform(database.run, *more).succeeded()
    assert changes(platform(database.run, *more)) == 0
    assert {pod: database.run.get("pod", pod, "-n", SPACE)["metadata"]["uid"] for pod in PODS} == pods
    # back again is refused: nothing shrinks
    less = platform(database.run)
    assert less.rc != 0 and "a volume does not shrink" in " ".join(less.output.split())
