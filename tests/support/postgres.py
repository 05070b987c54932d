# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away PostgreSQL on a unix socket, and the collection's databases declared in it by the real program and library."""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import typing as t
from datetime import UTC, datetime

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.enclii.platform.plugins.module_utils.postgres import front

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "images" / "patroni" / "bin" / "enclii-databases"
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
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "password_encryption": "scram-sha-256",
}


@functools.cache
def programs() -> pathlib.Path | None:
    """The directory of initdb and postgres: ENCLII_TEST_POSTGRES, or the newest that Debian has installed."""
    named = os.environ.get("ENCLII_TEST_POSTGRES")
    places = [pathlib.Path(named)] if named else sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@functools.cache
def python() -> str | None:
    """A Python that has psycopg 3, as the image's has."""
    for one in (sys.executable, "/usr/bin/python3"):
        if (
            shutil.which(one)
            and subprocess.run([one, "-c", "import psycopg"], check=False, capture_output=True).returncode == 0
        ):
            return one
    return None


def missing() -> str:
    """Why no server can be started; '' where it can."""
    if programs() is None:
        return "no initdb and postgres here: apt-get install postgresql, or set ENCLII_TEST_POSTGRES to their directory"
    return "" if python() else "no Python with psycopg 3 here: apt-get install python3-psycopg"


class Server:
    """start() -> running; stop() leaves nothing. Superuser postgres is trusted, everybody else needs a password."""

    def __init__(self) -> None:
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="enclii-pg-"))
        self.user = "nobody" if os.geteuid() == 0 else getpass.getuser()
        self.environ = {
            **os.environ,
            "PGHOST": str(self.home),
            "PGPORT": "5432",
            "PGUSER": "postgres",
            "LC_ALL": "C.UTF-8",
        }

    def start(self, standby: bool = False) -> Server:
        if os.geteuid() == 0:
            os.chown(self.home, pwd.getpwnam(self.user).pw_uid, -1)
        self._as_owner(
            "initdb",
            "-D",
            str(self.home / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
        )
        (self.home / "data" / "pg_hba.conf").write_text(
            "local all postgres trust\nlocal all all scram-sha-256\n", encoding="ascii"
        )
        self.run()
        if standby:
            self._as_owner("pg_ctl", "-D", str(self.home / "data"), "-m", "fast", "stop")
            (self.home / "data" / "standby.signal").touch()
            self.run()
        return self

    def run(self) -> None:
        more = (
            {"shared_preload_libraries": "pg_stat_statements,pgaudit", "pgaudit.log": "all"} if self.audited() else {}
        )
        options = " ".join(f"-c {name}='{value}'" for name, value in {**SETTINGS, **more}.items())
        log = str(self.home / "log")
        self._as_owner(
            "pg_ctl", "-D", str(self.home / "data"), "-l", log, "-o", f"-k {self.home} {options}", "-w", "start"
        )

    def stop(self) -> None:
        try:
            self._as_owner("pg_ctl", "-D", str(self.home / "data"), "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self.home)

    @staticmethod
    def audited() -> bool:
        """Whether pgaudit is installed, as it is in the image."""
        place = programs()
        return place is not None and (place.parent / "lib" / "pgaudit.so").exists()

    @staticmethod
    @contextlib.contextmanager
    def replica() -> t.Iterator[Server]:
        """A server that waits for a primary which never comes."""
        other = Server()
        other.start(standby=True)
        try:
            yield other
        finally:
            other.stop()

    def _as_owner(self, program: str, *arguments: str) -> None:
        place = programs()
        assert place is not None
        more: Obj = {"user": self.user, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [str(place / program), *arguments], check=False, cwd=self.home, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environ, **more,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    def log(self) -> str:
        return (self.home / "log").read_text(encoding="utf-8", errors="replace")

    def sql(
        self, query: str, database: str = "postgres", user: str = "postgres", password: str = "", ok: bool = True
    ) -> str:
        """What psql prints, or, with ok=False, its complaint."""
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"],
            input=query, check=False, capture_output=True, text=True,
            # not as an argument, which psql would read as a connection string where it has a =
            env={**self.environ, "PGDATABASE": database, "PGUSER": user, "PGPASSWORD": password},
        )  # fmt: skip
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
        done = subprocess.run(
            [str(python()), str(PROGRAM), word],
            input=given,
            check=False,
            capture_output=True,
            text=True,
            env=self.server.environ,
        )
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
