# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module databases as users run it: Secrets of a real API server, a real PostgreSQL at the other end of the connection."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess
import typing as t

import apiserver
import pytest
import yaml
from postgres import CANARY, PROGRAM, Server

ROOT = pathlib.Path(__file__).resolve().parents[3]
Obj = dict[str, t.Any]


@pytest.fixture(scope="module")
def cluster() -> t.Iterator[apiserver.ApiServer]:
    reason = apiserver.missing()
    if reason:
        pytest.skip(reason)
    running = apiserver.ApiServer()
    try:
        yield running.start()
    finally:
        running.stop()


class Book:
    """Runs the module over connection local, with the program as the image has it. counted: how often it was run."""

    def __init__(self, cluster: apiserver.ApiServer, server: Server, home: pathlib.Path) -> None:
        self.cluster, self.home, self.output = cluster, home, ""
        self.calls = home / "calls"
        self.program = home / "enclii-databases"
        inside = shlex.join(server.pod.argv(PROGRAM))
        self.program.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.calls}\nexec {inside} "$@"\n')
        self.program.chmod(0o755)
        self.environment = {name: server.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER")}

    def secret(self, namespace: str, name: str, **items: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": items,
        }
        path = self.home / "secret.json"
        path.write_text(json.dumps(body))
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))

    def run(self, *options: str, ok: bool = True, **arguments: t.Any) -> Obj:
        """The result; self.output is all that was printed."""
        self.calls.write_text("")
        found = self.home / "result.json"
        found.unlink(missing_ok=True)
        given = {"kubeconfig": str(self.cluster.kubeconfig), "program": str(self.program), **arguments}
        tasks: list[Obj] = [
            {"name": "Declare", "enclii.platform.databases": given, "environment": self.environment, "register": "r"},
            {"name": "Keep", "ansible.builtin.copy": {"dest": str(found), "mode": "0600", "content": "{{ r | to_json }}"},
             "check_mode": False, "diff": False, "no_log": True},
        ]  # fmt: skip
        (self.home / "book.yml").write_text(
            yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
        )
        (self.home / "inventory.yml").write_text(
            "all: {hosts: {localhost: {ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}}}\n"
        )
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.home / "inventory.yml"), str(self.home / "book.yml"), *options],
            cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        self.output = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, self.output[-4000:]
        return t.cast("Obj", json.loads(found.read_text())) if found.exists() else {}

    def execs(self) -> list[str]:
        return [line.split()[-1] for line in self.calls.read_text().splitlines()]


@pytest.fixture
def book(cluster: apiserver.ApiServer, server: Server, tmp_path: pathlib.Path, app: str) -> Book:
    cluster.kubectl("create", "namespace", app)
    return Book(cluster, server, tmp_path)


def test_play(book: Book, server: Server, app: str) -> None:
    declared: Obj = {
        "databases": [{"name": app, "namespace": app, "login": {"valid_until": "2099-01-01"}}],
        "reserved": ["postgres"],
    }
    predicted = book.run("--check", "--diff", **declared)
    assert predicted["changed"]
    assert book.execs() == ["read"]
    assert "that of Secret" in book.output
    assert server.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{app}'") == "0"

    book.run(ok=False, **declared)
    assert f"Secret {app}/{app}-database, item password: not there" in book.output
    assert book.execs() == []

    book.secret(app, f"{app}-database", password=CANARY)
    done = book.run("-vvvv", "--diff", **declared)
    everything = book.output + book.calls.read_text() + server.log()
    assert CANARY not in everything
    assert "SCRAM-SHA-256$" not in everything
    assert done["statements"] == predicted["statements"]
    assert server.sql("SELECT current_user", app, f"{app}_a", CANARY) == app

    for options in ([], ["--check"]):
        assert not book.run(*options, **declared)["changed"]
        assert book.execs() == ["read"]


def test_errors_of_the_inventory_come_together_and_before_any_exec(book: Book, app: str) -> None:
    wrong = [
        {"name": "postgres", "namespace": app},
        {"name": "a", "namespace": app, "privileges": [{"role": "nobody", "tables": ["read"]}]},
    ]
    book.run(
        ok=False, databases=wrong, roles=[{"name": "x", "login": False, "secret": {"name": "s"}}], reserved=["postgres"]
    )
    for words in ("belongs to the server itself", "tables know no 'read'", "role is not declared", "does not log in"):
        assert words in book.output
    assert book.execs() == []
    book.run(ok=False, databases=[{"name": "a", "colour": "red"}])
    assert "colour" in book.output


def test_image_without_the_program(book: Book, app: str) -> None:
    book.program = book.home / "enclii-nothing"
    book.run(ok=False, roles=[{"name": app}])
    assert "not in the container of the leader" in book.output


def test_nothing_declared_asks_nobody(book: Book) -> None:
    assert not book.run()["changed"]
    assert book.execs() == []
