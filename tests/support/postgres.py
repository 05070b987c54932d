# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away PostgreSQL of our images on a unix socket, and the collection's databases declared in it by the real program and library."""

from __future__ import annotations

import contextlib
import os
import pathlib
import typing as t
from datetime import UTC, datetime

import pods
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.enclii.platform.plugins.module_utils.postgres import front

PROGRAM = "/usr/local/bin/enclii-databases"
HOME = "/var/lib/postgresql/data"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CANARY = "canary-8f1d6a-never-in-any-output"
Obj = dict[str, t.Any]
# Everything is logged, so that a test finds what must not be.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "shared_preload_libraries": "pg_stat_statements,pgaudit",
    "pg_stat_statements.track": "all",
    "pgaudit.log": "all",
    "password_encryption": "scram-sha-256",
}


class Server:
    """start() -> running; stop() leaves nothing. Superuser postgres is trusted, everybody else needs a password."""

    def __init__(self) -> None:
        self._place = pods.place("enclii-pg-")
        self.pod = pods.Pod(self._place, "pod")
        self.environ = {"PGHOST": "/run/postgresql", "PGPORT": "5432", "PGUSER": "postgres", "LC_ALL": "C.UTF-8"}

    def start(self, standby: bool = False) -> Server:
        self._run("initdb", "-D", f"{HOME}/pg", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        hba = "local all postgres trust\nlocal all all scram-sha-256\n"
        self._path("pg/pg_hba.conf").write_text(hba, encoding="ascii")
        self._ctl("start")
        if standby:  # what initdb writes is not enough for one
            self._ctl("stop")
            self._path("pg/standby.signal").touch()
            self._ctl("start")
        return self

    def _ctl(self, word: str) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        how = {"start": ("-l", f"{HOME}/log", "-o", f"-k /run/postgresql {options}")}.get(word, ())
        self._run("pg_ctl", "-D", f"{HOME}/pg", "-w", *how, word)

    def stop(self) -> None:
        self.pod.run("pg_ctl", "-D", f"{HOME}/pg", "-m", "immediate", "stop", check=False)
        self.pod.remove()
        pods.clear(self._place)

    @staticmethod
    @contextlib.contextmanager
    def replica() -> t.Iterator[Server]:
        """A server that waits for a primary which never comes."""
        other = Server()
        try:
            yield other.start(standby=True)
        finally:
            other.stop()

    def _path(self, name: str) -> pathlib.Path:
        return self.pod.root / HOME.lstrip("/") / name

    def _run(self, *words: str) -> None:
        self.pod.run(*words, **self.environ)

    def environment(self) -> dict[str, str]:
        return self.pod.environ(**self.environ)

    def log(self) -> str:
        return self._path("log").read_text(encoding="utf-8", errors="replace")

    def sql(
        self, query: str, database: str = "postgres", user: str = "postgres", password: str = "", ok: bool = True
    ) -> str:
        """What psql prints, or, with ok=False, its complaint."""
        # not as an argument, which psql would read as a connection string where it has a =
        login = {**self.environ, "PGDATABASE": database, "PGUSER": user, "PGPASSWORD": password}
        words = ("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-")
        done = self.pod.run(*words, given=query, check=False, **login)
        assert (done.returncode == 0) is ok, done.stderr or done.stdout
        return (done.stdout if ok else done.stderr).strip()


class Site:
    """What an inventory declares in a server; secrets: (namespace, name) -> items."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.secrets: dict[tuple[str, str], dict[str, bytes] | None] = {}
        self.asked: list[str] = []
        self.said: list[str] = []

    def secret(self, name: str, namespace: str = "demo", **items: str) -> None:
        self.secrets[namespace, name] = {key: text.encode() for key, text in items.items()}

    def ask(self, word: str, given: str) -> tuple[int, str, str]:
        self.asked.append(word)
        done = self.server.pod.run(PROGRAM, word, given=given, check=False, **self.server.environ)
        self.said.append(done.stderr)
        return done.returncode, done.stdout, done.stderr

    def run(
        self, databases: list[Obj] | None = None, roles: list[Obj] | None = None, *, check: bool = False,
        ask: t.Callable[[str, str], tuple[int, str, str]] | None = None, **more: t.Any,
    ) -> Obj:  # fmt: skip
        """The result of module databases; Secrets that nobody made are missing."""
        self.asked.clear()
        given = {"databases": databases or [], "roles": roles or [], "environments": ["demo"], **more}
        checked = ArgumentSpecValidator(front.DATABASES).validate(given)
        assert not checked.error_messages, checked.error_messages
        return front.databases(
            checked.validated_parameters, {}, ask or self.ask, os.urandom, NOW, check=check, diff=True,
            secrets=lambda asked: {one: self.secrets.get(one) for one in asked},
        )  # fmt: skip

    def same(self, *words: t.Any, **more: t.Any) -> None:
        """A second run, which finds nothing to do and asks once."""
        again = self.run(*words, **more)
        assert not again["changed"], again["statements"]
        assert self.asked == ["read"]
