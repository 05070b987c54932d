# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patroni as the image starts it, the first process of its container: it leads, reaps what others left, and ends when told to."""

from __future__ import annotations

import json
import pathlib
import socket
import time
import typing as t

import apiserver
import pytest
from containers import Container, missing

ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
LABELS = {"app": "postgres"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server() -> t.Iterator[apiserver.ApiServer]:
    if reason := apiserver.missing():
        pytest.skip(reason)
    running = apiserver.ApiServer()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def member(server: apiserver.ApiServer, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Container]:
    """One Patroni against a real API server, on loopback."""
    if reason := missing():
        pytest.skip(reason)
    server.kubectl("create", "namespace", "data")
    about = {"name": "postgres-0", "namespace": "data", "labels": {**LABELS, "cluster-name": "postgres"}}
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": about,
        "spec": {"containers": [{"name": "postgres", "image": "x:1"}]},
    }  # fmt: skip
    server.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    rest, port = free_port(), free_port()
    settings = {
        "scope": "postgres", "name": "postgres-0",
        "kubernetes": {
            "namespace": "data", "labels": LABELS, "scope_label": "cluster-name", "role_label": "role", "leader_label_value": "primary",
            "use_endpoints": False, "pod_ip": "127.0.0.1", "ports": [{"port": port}],
        },
        "restapi": {"listen": f"127.0.0.1:{rest}", "connect_address": f"127.0.0.1:{rest}"},
        "bootstrap": {
            "dcs": {"ttl": 20, "loop_wait": 2, "retry_timeout": 3},
            "initdb": ["data-checksums", {"encoding": "UTF8"}, {"locale-provider": "builtin"}, {"locale": "C.UTF-8"},
                       {"auth-local": "peer"}],
        },
        "postgresql": {
            "listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}", "data_dir": "/var/lib/postgresql/data/pgdata",
            "use_unix_socket": True, "use_unix_socket_repl": True, "pgpass": "/tmp/pgpass",
            "authentication": {"superuser": {"username": "postgres"}, "replication": {"username": "postgres"}},
            "parameters": {"unix_socket_directories": "/run/postgresql"},
        },
    }  # fmt: skip
    place = tmp_path_factory.mktemp("patroni")
    (place / "patroni.yml").write_text(json.dumps(settings))
    (place / "token").write_text(server.token)
    (place / "ca.crt").write_text(pathlib.Path(server.ca).read_text())
    place.chmod(0o755)
    container = Container(
        "patroni",
        *("--volume", f"{place}/patroni.yml:/etc/patroni/patroni.yml:ro", "--volume", f"{place}:{ACCOUNT}:ro"),
        *("--env", "KUBERNETES_SERVICE_HOST=127.0.0.1", "--env", f"KUBERNETES_SERVICE_PORT={server.port}"),
        network="host",
    )
    try:
        yield container.start(entrypoint=[])
    finally:
        container.stop()


def until(what: str, holds: t.Callable[[], bool], container: Container, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}\n{container.logs()[-4000:]}"
        time.sleep(0.5)


def role(server: apiserver.ApiServer) -> str:
    return str(server.get("pod", "postgres-0", "-n", "data")["metadata"]["labels"].get("role", ""))


def zombies(container: Container) -> str:
    return container.shell("grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null || true")


def test_it_leads_reaps_and_ends(server: apiserver.ApiServer, member: Container) -> None:
    until("postgres-0 is the primary", lambda: role(server) == "primary", member)
    until(
        "it takes writes", lambda: "f" in member.run("psql", "-XtAc", "select pg_is_in_recovery()", check=False), member
    )
    assert member.run("cat", "/proc/1/comm").strip() in ("patroni", "python3")
    for _time in range(5):
        member.shell("(sleep 0.2 &) ; (sleep 0.3 &)")
    until("what lost its parent is reaped", lambda: zombies(member) == "", member, 10)
    time.sleep(1)
    assert zombies(member) == ""
    assert member.end(30) == ("exited", 0), member.logs()[-4000:]
    assert "database system is shut down" in member.logs() or "no action" in member.logs()
