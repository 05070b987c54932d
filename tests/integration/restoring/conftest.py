# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL with real backups and a real archive, and the script of a restore proof run against copies of its repository.

The programs are those of our images; see tests/support/pods.py. Nothing runs as root but the change to another user.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import time
import typing as t
import uuid

import apiserver
import pods
import pytest
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.restoring import front
from ansible_collections.enclii.platform.plugins.module_utils.restoring import objects as restoring
from ansible_collections.enclii.platform.plugins.module_utils.restoring.arguments import RESTORE_VERIFY

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PGBACKREST, HEARTBEAT, PROOF = (
    f"/usr/local/bin/enclii-{name}" for name in ("pgbackrest", "heartbeat", "restore-proof")
)
USER = "postgres"
STANZA = "postgres"
CODES = {"PASS": 0, "FAIL": 1, "UNKNOWN": 3}
Obj = dict[str, t.Any]


class Machine:
    """A pod for all: live clusters and proofs, each in a directory of its own. home: as programs see it; base: as tests see it."""

    def __init__(self, *, disk: bool = False) -> None:
        self._place = pods.place("enclii-proof-", disk=disk)
        self.pod = pods.Pod(self._place, "pod")
        self.home = pathlib.Path("/var/lib/postgresql/data")
        self.base = self.pod.root / self.home.relative_to("/")

    def remove(self) -> None:
        self.pod.remove()
        pods.clear(self._place)

    def own(self, path: pathlib.Path) -> None:
        """Give it to who runs the programs."""
        subprocess.run(["chown", "-R", f"{pods.UID}:{pods.UID}", str(path)], check=True)

    def write(self, name: str, text: str) -> pathlib.Path:
        """Where programs find it."""
        path = self.base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for one in [path, *path.parents]:
            if one == self.base:
                break
            os.chown(one, pods.UID, pods.UID)
        return self.home / name


def configuration(machine: Machine, name: str, data: str, **more: str) -> pathlib.Path:
    """As the role's template has it."""
    options = {
        "repo1-path": str(machine.home / name / "repo"),
        "repo1-cipher-type": "aes-256-cbc", "repo1-bundle": "y", "repo1-block": "y", "compress-type": "zst", "start-fast": "y",
        "repo1-retention-full": "9", "log-level-file": "off", "lock-path": str(machine.home / name / "lock"),
        "job-retry-interval": "0", **more,  # what is damaged stays so, and a test need not wait for it
    }  # fmt: skip
    told = "\n".join(f"{key}={value}" for key, value in options.items())
    sections = (
        f"[global]\n{told}\n\n[{STANZA}]\npg1-path={data}\npg1-port=5499\npg1-socket-path={machine.home / name / 's'}\n"
    )
    return machine.write(f"{name}/pgbackrest.conf", sections)


class Origin:
    """The live cluster: a full and an incremental backup, a mark, and WAL on either side of it."""

    def __init__(self, machine: Machine, name: str = "origin") -> None:
        self.machine, self.name = machine, name
        self.home, self.place = machine.home / name, machine.base / name
        self.data, self.sockets = self.home / "pg", self.home / "s"
        for one, text in {
            "s3-key": "key",
            "s3-secret": "canary-secret",
            "cipher-passphrase": "canary-passphrase",
        }.items():
            machine.write(f"{name}/secrets/{one}", text)
        machine.write(f"{name}/s/keep", "")
        machine.write(f"{name}/repo/keep", "")
        self.config = configuration(machine, name, str(self.data))
        self.environment = {"PGBACKREST_CONFIG": str(self.config), "ENCLII_BACKUP_SECRETS": str(self.home / "secrets")}

    def pgbackrest(self, *words: str) -> str:
        return self.machine.pod.run(PGBACKREST, f"--stanza={STANZA}", *words, **self.environment).stdout

    def sql(self, text: str, database: str = "postgres") -> str:
        login = ("-h", self.sockets, "-p", "5499", "-U", USER)
        return self.machine.pod.run("psql", *login, "-v", "ON_ERROR_STOP=1", "-qAtc", text, database).stdout.strip()

    def init(self) -> None:
        how = ("-k", "-U", USER, "--auth=peer", "--no-sync", "--locale=C.UTF-8", "-E", "UTF8")
        self.machine.pod.run("initdb", "-D", self.data, *how)
        self.configure()

    def take(self, what: str, other: Origin) -> None:
        """A copy of another one's repository, or of its files."""
        shutil.rmtree(self.place / what, ignore_errors=True)
        subprocess.run(["cp", "-a", str(other.place / what), str(self.place / what)], check=True)

    def follow(self, other: Origin) -> None:
        """What takes over from another one that is gone: made from its repository, a copy of which it goes on with."""
        self.take("repo", other)
        wal = f"{PGBACKREST} --stanza={STANZA} archive-get %f %p"
        self.pgbackrest(f"--recovery-option=restore_command={wal}", "restore")
        self.configure()

    def configure(self) -> None:
        lines = [
            "port=5499", "listen_addresses=''", f"unix_socket_directories='{self.sockets}'", "archive_mode=on", "fsync=off",
            f"archive_command='{PGBACKREST} --stanza={STANZA} archive-push %p'", "max_connections=130",
        ]  # fmt: skip
        config = self.place / "pg" / "postgresql.conf"
        config.write_text(config.read_text() + "\n".join(lines) + "\n")

    def start(self) -> None:
        self.machine.pod.run("pg_ctl", "-D", self.data, "-w", "-l", self.home / "log", "start", **self.environment)

    def stop(self) -> None:
        self.machine.pod.run("pg_ctl", "-D", self.data, "-w", "-m", "fast", "stop", check=False)

    def mark(self) -> Obj:
        done = self.machine.pod.run(
            HEARTBEAT, "--socket", self.sockets, "--port", "5499", "--node", "postgres-0", "--once"
        )
        return t.cast(Obj, json.loads(done.stdout))

    def archived(self) -> str:
        """The segment that is archived last, once all are."""
        # an empty segment would not be switched
        name = self.sql("select pg_walfile_name(pg_logical_emit_message(true, 'test', 'x'))")
        self.sql("select pg_switch_wal()")
        for _ in range(200):
            there = self.sql("select coalesce(last_archived_wal, '') from pg_stat_archiver")
            if there >= name:
                return there
            self.sql("select pg_sleep(0.05)")
        raise RuntimeError(f"{name} was not archived: " + (self.place / "log").read_text()[-2000:])

    def until(self, holds: str) -> None:
        for _ in range(600):
            if self.sql(holds) == "t":
                return
            time.sleep(0.05)
        raise RuntimeError(f"not yet: {holds}: " + (self.place / "log").read_text()[-2000:])

    def backup(self, kind: str, *options: str) -> str:
        self.pgbackrest(f"--type={kind}", *options, "backup")
        return str(json.loads(self.pgbackrest("--output=json", "info"))[0]["backup"][-1]["label"])


class Copy:
    """A copy of the repository to damage, and the proof of it."""

    def __init__(self, machine: Machine, origin: Origin, name: str, base: Obj) -> None:
        self.machine, self.name, self.base = machine, name, base
        self.home = machine.base / name
        self.home.mkdir()
        for one in ("repo", "secrets"):
            subprocess.run(["cp", "-a", str(origin.place / one), str(self.home / one)], check=True)
        (self.home / "work").mkdir()
        self.config = configuration(machine, name, str(machine.home / name / "unused"))
        self.more: dict[str, str] = {}
        machine.own(self.home)

    def files(self, pattern: str) -> list[pathlib.Path]:
        return sorted(one for one in (self.home / "repo").glob(pattern) if one.is_file())

    def segment(self, which: str) -> pathlib.Path:
        return self.files(f"archive/*/*/*/{which}-*")[0]

    def flip(self, path: pathlib.Path, share: float = 0.5) -> None:
        content = bytearray(path.read_bytes())
        content[int(len(content) * share)] ^= 0x01
        path.write_bytes(bytes(content))

    def argv(self, **request: t.Any) -> list[str | pathlib.Path]:
        place = self.machine.write(f"{self.name}/request.json", json.dumps({**self.base, **request}))
        return [PROOF, "--request", place, "--work", self.machine.home / self.name / "work"]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PGBACKREST_CONFIG": str(self.config),
            "ENCLII_BACKUP_SECRETS": str(self.machine.home / self.name / "secrets"),
            **self.more,
        }

    def prove(self, **request: t.Any) -> Obj:
        done = self.machine.pod.run(*self.argv(**request), check=False, timeout=3600, **self.environment)
        assert "canary" not in done.stdout + done.stderr
        try:
            told = t.cast(Obj, json.loads(done.stdout.splitlines()[-1]))
        except (IndexError, ValueError):
            raise AssertionError(f"{done.returncode}\n{done.stdout}\n{done.stderr}") from None
        assert done.returncode == CODES[told["verdict"]]
        assert self.left() == set()
        return told

    def left(self) -> set[str]:
        return {one.name for one in (self.home / "work").iterdir()}


@pytest.fixture(scope="session")
def machine() -> t.Iterator[Machine]:
    if reason := pods.missing():
        pytest.skip(reason)
    made = Machine()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def origin(machine: Machine) -> t.Iterator[tuple[Origin, Obj]]:
    """The stopped live cluster, and what is asked of its backups."""
    one = Origin(machine)
    try:
        one.init()
        one.start()
        one.pgbackrest("stanza-create")
        one.sql("create role owner nologin")
        one.sql("create role app login in role owner")
        one.sql("create database app owner owner")
        one.sql("create extension pgcrypto", "app")
        one.sql("create table items (id bigint primary key, what text)", "app")
        one.sql("insert into items select g, repeat(md5(g::text), 8) from generate_series(1, 20000) g", "app")
        one.backup("full")
        one.sql("update items set what = 'changed' where id % 100 = 0", "app")
        label = one.backup("incr")
        one.sql("insert into items select g, 'later' from generate_series(20001, 20100) g", "app")
        one.archived()
        marked = one.mark()
        one.sql("insert into items select g, 'after the mark' from generate_series(20101, 20200) g", "app")
        one.archived()
        one.mark()
        last = one.archived()
    finally:
        one.stop()
    told = {"marked": marked, "label": label, "last": last}
    yield one, told


@pytest.fixture(scope="session")
def promoted(machine: Machine, origin: tuple[Origin, Obj]) -> tuple[Origin, Obj]:
    """After a failover: who took over has written on in a timeline of its own, and there is no backup of that yet."""
    one = Origin(machine, "promoted")
    try:
        one.follow(origin[0])
        one.start()
        one.until("select not pg_is_in_recovery()")
        one.sql("insert into items select g, 'after the failover' from generate_series(20201, 20300) g", "app")
        one.archived()
        marked = one.mark()
        last = one.archived()
    finally:
        one.stop()
    return one, {"marked": marked, "label": origin[1]["label"], "last": last}


@pytest.fixture(scope="session")
def ill(machine: Machine) -> t.Iterator[tuple[Origin, Obj]]:
    """A live cluster that is damaged itself, so that its backups are as they should be and yet no good."""
    one = Origin(machine, "ill")
    try:
        one.init()
        one.start()
        one.pgbackrest("stanza-create")
        one.sql("create table lied (id int); insert into lied select generate_series(1, 1000)")
        # an index that does not hold what it should, as after a change of collation
        one.sql(
            "create function f(int) returns int immutable language sql as 'select $1'; create index on lied (f(id))"
        )
        one.sql("create or replace function f(int) returns int immutable language sql as 'select -$1'")
        # a table in a schema that is gone
        one.sql("create schema gone; create table gone.dangling (id int)")
        one.sql("delete from pg_namespace where nspname = 'gone'")
        one.backup("full")
        last = one.archived()
        marked = one.mark()
    finally:
        one.stop()
    yield one, {"marked": marked, "last": last}


_numbers = itertools.count()


@contextlib.contextmanager
def copied(machine: Machine, origin: tuple[Origin, Obj]) -> t.Iterator[Copy]:
    one, told = origin
    base = {
        "stanza": STANZA,
        "system_id": told["marked"]["system_id"],
        "archived": told["last"],
        "manifest": told["marked"],
    }
    made = Copy(machine, one, f"copy-{next(_numbers)}", base)
    yield made
    shutil.rmtree(made.home, ignore_errors=True)


@pytest.fixture
def copy(machine: Machine, origin: tuple[Origin, Obj]) -> t.Iterator[Copy]:
    with copied(machine, origin) as one:
        yield one


@pytest.fixture
def copy_after_failover(machine: Machine, promoted: tuple[Origin, Obj]) -> t.Iterator[Copy]:
    with copied(machine, promoted) as one:
        yield one


@pytest.fixture
def copy_of_ill(machine: Machine, ill: tuple[Origin, Obj]) -> t.Iterator[Copy]:
    with copied(machine, ill) as one:
        yield one


# -- the objects, and an API server without nodes -------------------------------------------------


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Obj:
    """The role's objects for restore proofs, with a bucket, and the container that it adds to the database's pods."""
    output = tmp_path_factory.mktemp("rendered") / "objects.json"
    more = {
        "restoring_root": str(REPOSITORY), "restoring_output": str(output),
        "patroni_backup_s3": {"endpoint": "10.0.0.9", "bucket": "backups", "ca_cert": "-----BEGIN CERTIFICATE-----"},
    }  # fmt: skip
    argv = [
        "ansible-playbook",
        "-i",
        "localhost,",
        str(pathlib.Path(__file__).with_name("render.yml")),
        "-e",
        json.dumps(more),
    ]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(output.read_text())
    objects = [one for text in told["texts"] for one in yaml.safe_load_all(text) if one]
    return {"objects": objects, "containers": told["containers"]}


class Api:
    """The server, a client of it, and the objects of the role in a namespace of this test."""

    def __init__(self, server: apiserver.ApiServer, space: str) -> None:
        self.server, self.space = server, space
        self.client = Client(
            load_login({"kubeconfig": str(server.kubeconfig)}, {"HOME": "/nonexistent"}), clock=Clock()
        )

    def prove(self, *, check: bool = False, **more: t.Any) -> Obj:
        given = {name: option.get("default") for name, option in RESTORE_VERIFY.items()}
        wanted = {"kubeconfig": str(self.server.kubeconfig), "namespace": self.space, **more}
        return front.restore_verify({**given, **wanted}, {"HOME": "/nonexistent"}, check=check)

    def left(self) -> set[str]:
        return set(
            self.server.kubectl("get", "pod,configmap", "-n", self.space, "-l", restoring.RUN, "-o", "name").split()
        )


@pytest.fixture(scope="session")
def server() -> t.Iterator[apiserver.ApiServer]:
    if reason := apiserver.missing():
        pytest.skip(reason)
    running = apiserver.ApiServer()
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def api(server: apiserver.ApiServer, rendered: Obj) -> t.Iterator[Api]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    server.kubectl("create", "namespace", name)
    server.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    for one in rendered["objects"]:
        if one["metadata"]["namespace"] == "enclii-data":
            mine = {**one, "metadata": {**one["metadata"], "namespace": name}}
            if mine["kind"] == "RoleBinding":
                mine["subjects"] = [{**subject, "namespace": name} for subject in mine["subjects"]]
            server.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=json.dumps(mine))
    made = Api(server, name)
    yield made
    made.client.close()
