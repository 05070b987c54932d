# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role hands to Patroni makes a cluster: bootstrap, TLS, who may log in, labels, the account's limits, switchover, renewal."""

from __future__ import annotations

import concurrent.futures
import json
import re
import socket
import ssl
import struct
import subprocess
import time

import apiserver
import containers
import patroni
import pytest
import rules
import yaml


def leader(cluster: patroni.Cluster) -> str:
    return str(cluster.wait(lambda: cluster.info()["leader"] if cluster.streaming() else ""))


def test_members_stream_with_certificates_in_quorum_mode(cluster: patroni.Cluster) -> None:
    lead = leader(cluster)
    how = "select usename, ssl, sync_state from pg_stat_replication r join pg_stat_ssl s using (pid)"
    # Patroni makes them synchronous in its next rounds
    cluster.wait(lambda: cluster.sql(lead, how).splitlines() == ["replicator|t|quorum"] * 2, 30)
    assert {one["timeline"] for one in cluster.info()["members"]} == {1}
    assert cluster.sql(lead, "show data_checksums") == "on"
    assert cluster.sql(lead, "select datlocprovider from pg_database where datname = 'postgres'") == "b"
    assert (
        cluster.sql(lead, "select string_agg(extname, ',' order by extname) from pg_extension")
        == "pg_stat_statements,pgaudit,plpgsql"
    )


def test_labels_lead_to_one_primary(cluster: patroni.Cluster) -> None:
    lead = leader(cluster)
    assert cluster.labels() == {name: "primary" if name == lead else "replica" for name in cluster.names}


@pytest.mark.parametrize("user", ["postgres", "replicator", "rewinder", "exporter"])
def test_the_platforms_own_roles_have_no_way_in_by_password(cluster: patroni.Cluster, user: str) -> None:
    lead = leader(cluster)
    target = (
        f"host={lead}.{patroni.DOMAIN} port={cluster.ports[lead][0]} user={user} dbname=postgres sslmode=verify-full"
    )
    said = cluster.pods[lead].run(
        "psql", "-w", f"{target} sslrootcert=/etc/enclii/tls/server/ca.crt", "-c", "select 1", check=False
    )
    assert "pg_hba.conf rejects" in said or "certificate" in said, said


def test_nobody_comes_in_without_tls(cluster: patroni.Cluster) -> None:
    lead = leader(cluster)
    target = f"host={lead}.{patroni.DOMAIN} port={cluster.ports[lead][0]} user=somebody dbname=postgres sslmode=disable"
    assert "pg_hba.conf rejects" in cluster.pods[lead].run("psql", "-w", target, "-c", "select 1", check=False)


def test_a_client_logs_in_with_its_password_and_verifies_the_server(cluster: patroni.Cluster) -> None:
    lead = leader(cluster)
    cluster.sql(lead, "create role somebody login password 'only-in-this-test'")
    target = (
        f"host={lead}.{patroni.DOMAIN} port={cluster.ports[lead][0]} user=somebody dbname=postgres sslmode=verify-full"
    )
    words = (
        "env",
        "PGPASSWORD=only-in-this-test",
        "psql",
        "-A",
        "-t",
        f"{target} sslrootcert=/etc/enclii/tls/server/ca.crt",
    )
    assert cluster.pods[lead].run(*words, "-c", "select current_user").strip() == "somebody"


def test_metrics_are_those_that_rules_and_dashboards_go_by(cluster: patroni.Cluster) -> None:
    sources = yaml.safe_load(rules.CATALOGUE.read_text(encoding="utf-8"))
    for source, said in cluster.metrics(leader(cluster)).items():
        known, there = sources[source]["metrics"], rules.exported(said)
        wrong = {name: there.get(name) for name, labels in known.items() if there.get(name) != set(labels)}
        assert wrong == {}, said[:3000]
        assert source == "patroni" or re.search(r"^pg_up 1$", said, re.MULTILINE)


def test_every_line_of_the_log_is_json(cluster: patroni.Cluster) -> None:
    lead = leader(cluster)
    cluster.sql(lead, "create table logged (n int)")
    lines = cluster.pods[lead].logs().splitlines()
    cluster.wait(lambda: "AUDIT: SESSION" in cluster.pods[lead].logs(), 10)
    started = next(at for at, line in enumerate(lines) if "redirecting log output" in line)
    assert [line for line in lines[started:] if line and not line.startswith("{") and "og output" not in line] == []


def test_the_account_changes_nothing_of_a_pod_but_role_and_status(cluster: patroni.Cluster) -> None:
    mine, other = cluster.names[0], cluster.names[1]
    token = (cluster.home / f"account-{mine}" / "token").read_text()

    def patch(pod: str, body: dict[str, object]) -> str:
        login = ["--token", token, "--server", cluster.server.host, "--certificate-authority", str(cluster.server.ca)]
        what = ["patch", "pod", pod, "-n", patroni.NAMESPACE, "--type", "merge", "-p", json.dumps(body)]
        argv = [str(apiserver.find_binaries()["kubectl"]), "--kubeconfig", "/dev/null", *login, *what]
        ran = subprocess.run(argv, capture_output=True, text=True, check=False)
        return ran.stdout + ran.stderr

    image = {"spec": {"containers": [{"name": "postgres", "image": "docker.io/library/evil:1"}]}}
    strategic = {"metadata": {"labels": {"flow.enclii.dev/other": "client"}}}
    assert "is not allowed" in patch(mine, strategic) or "denied" in patch(mine, strategic)
    assert "denied" in patch(other, {"metadata": {"annotations": {"status": "{}"}}})
    assert "denied" in patch(other, {"metadata": {"labels": {"role": "primary-of-mine"}}})
    assert "denied" in patch(mine, {"metadata": {"finalizers": ["example.com/stay"]}})
    assert "denied" in patch(mine, image) or "Forbidden" in patch(mine, image) or "Invalid" in patch(mine, image)


def test_a_switchover_and_the_label_of_a_leader_that_is_gone_under_writes(cluster: patroni.Cluster) -> None:
    old = leader(cluster)
    chosen = next(name for name in cluster.names if name != old)
    with cluster.writer(45) as told:
        cluster.ctl(old, "switchover", patroni.NAME, "--leader", old, "--candidate", chosen, "--force")
        assert leader(cluster) == chosen
        cluster.wait(lambda: "quorum" in cluster.sql(chosen, "select min(sync_state) from pg_stat_replication"), 30)
        # one whose node is dead: its container is gone, its pod says primary for ever
        cluster.pods[chosen].stop()
        started = time.monotonic()
        lead = cluster.wait(lambda: (found := cluster.info()["leader"]) != chosen and found, 60)
        cluster.wait(lambda: [name for name, role in cluster.labels().items() if role == "primary"] == [lead], 20)
        assert cluster.labels()[chosen] == "stale-primary"
        assert time.monotonic() - started < 60
        cluster.server.kubectl("delete", "pod", chosen, "-n", patroni.NAMESPACE, "--grace-period=0", "--force")
        cluster.make(chosen)
        cluster.wait(cluster.streaming)
        found = told()
    assert found["lost"] == [] and found["count"] > 500, found
    assert found["gap"] < 40, found


def test_full_volumes_stop_writes_and_lose_nothing(cluster: patroni.Cluster) -> None:
    """All at once, as replicas fill up with their leader; then every volume grows, and nobody does anything else."""
    lead = leader(cluster)
    before = {name: pod.state() for name, pod in cluster.pods.items()}
    with cluster.writer(30) as told:
        for name in cluster.names:
            cluster.pods[name].shell(f"dd if=/dev/zero of={containers.DATA}/filler bs=1M || true")
        # more WAL than there is room for, which PostgreSQL does not survive
        more = "select pg_logical_emit_message(true, 'full', repeat('x', 10000000))"
        cluster.wait(lambda: cluster.sql(lead, more, check=False) and "PANIC" in cluster.pods[lead].logs(), 60)
        assert "pg_wal/xlogtemp" in cluster.pods[lead].logs()
        for name in cluster.names:
            cluster.grow(name, "2g")
        lead = leader(cluster)
        found = told()
    assert found["lost"] == [] and found["count"] > 300, found
    cluster.sql(lead, more)
    assert {name: pod.state() for name, pod in cluster.pods.items()} == before
    for name in cluster.names:
        cluster.pods[name].run("rm", f"{containers.DATA}/filler")


def test_certificates_are_taken_over_and_no_client_fails(cluster: patroni.Cluster) -> None:
    lead = leader(cluster)
    pod, (port, rest, _metrics) = cluster.pods[lead], cluster.ports[lead]
    cluster.sql(lead, "create role visitor login password 'only-in-this-test'")
    before = cluster.sql(lead, "select pg_postmaster_start_time()")
    target = f"host={lead}.{patroni.DOMAIN} port={port} user=visitor password=only-in-this-test dbname=postgres"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        visits = pool.submit(pod.run, "python3", "-c", VISITS, target)
        try:
            for _renewal in range(3):
                cluster.certificates()
                want = ssl.PEM_cert_to_DER_cert((cluster.home / "server" / "tls.crt").read_text())
                for one, speaks_postgresql in ((rest, False), (port, True)):
                    cluster.wait(lambda one=one, way=speaks_postgresql, want=want: served(one, way) == want, 30)
        finally:
            pod.run("touch", "/tmp/visited")
        done, failed = visits.result(30).splitlines()[-1].split()
    assert failed == "0" and int(done) > 50
    assert cluster.sql(lead, "select pg_postmaster_start_time()") == before
    assert cluster.streaming()


VISITS = """
import os, sys, time, psycopg
done = failed = 0
while not os.path.exists('/tmp/visited'):
    try:
        psycopg.connect(sys.argv[1] + ' sslmode=verify-full sslrootcert=/etc/enclii/tls/server/ca.crt').close()
        done += 1
    except psycopg.Error as error:
        failed += 1
        print(error)
    time.sleep(0.02)
print(done, failed)
"""


def served(port: int, speaks_postgresql: bool) -> bytes | None:
    """The certificate behind the port; None while Patroni opens it anew."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            if speaks_postgresql:
                plain.sendall(struct.pack("!ii", 8, 80877103))  # SSLRequest
                assert plain.recv(1) == b"S"
            with context.wrap_socket(plain) as secure:
                return secure.getpeercert(binary_form=True)
    except OSError:
        return None


def test_writes_go_on_while_the_api_server_is_away(cluster: patroni.Cluster) -> None:
    """Twice as long as a leader's lock lasts: members ask each other instead (failsafe mode)."""
    lead = leader(cluster)
    started = cluster.sql(lead, "select pg_postmaster_start_time()")
    with cluster.writer(50) as told:
        cluster.server.stop_api()
        try:
            time.sleep(40)
        finally:
            cluster.server.start_api()
        found = told()
    assert found["lost"] == [] and found["gap"] < 2, found
    assert leader(cluster) == lead
    assert cluster.sql(lead, "select pg_postmaster_start_time()") == started


def test_prestop_hands_over(cluster: patroni.Cluster) -> None:
    old = leader(cluster)
    cluster.pods[old].run("/usr/local/bin/enclii-prestop", "--seconds=30")
    assert leader(cluster) != old
