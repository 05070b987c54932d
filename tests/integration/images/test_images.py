# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images started alone, with nothing of a cluster: not root, root file system read-only, and the real programs at work in them."""

from __future__ import annotations

import json
import re

import pytest
from containers import Container, missing

from lab import ours, s3, state

DATA = "/var/lib/postgresql/data/pgdata"
INITDB = ["--data-checksums", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--auth-local=peer"]
REACHES = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9187/metrics', timeout=20).read().decode())"
READ = """
import glob, os, subprocess
for path in sorted(glob.glob('/usr/local/bin/enclii-*')):
    first, rest = open(path).read().split('\\n', 1)
    if 'python3' in first:
        compile(rest, path, 'exec')
    else:
        subprocess.run([first[2:], '-n', path], check=True)
    assert os.access(path, os.X_OK), path
    print(os.path.basename(path))
"""


@pytest.fixture(scope="module")
def database(patroni: Container) -> Container:
    """PostgreSQL as the image has it, with what the platform preloads."""
    patroni.run("initdb", f"--pgdata={DATA}", "--auth-host=scram-sha-256", *INITDB)
    settings = ["-c listen_addresses=''", "-c shared_preload_libraries=pg_stat_statements,pgaudit", "-c jit=on"]
    patroni.run("pg_ctl", f"--pgdata={DATA}", "--wait", "--log=/tmp/log", f"--options={' '.join(settings)}", "start")
    return patroni


def sql(container: Container, statement: str) -> str:
    argv = [
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--set=ON_ERROR_STOP=1",
        "--dbname=postgres",
    ]
    return container.run(*argv, given=statement).strip()


@pytest.fixture(params=["patroni", "toolbox"])
def either(request: pytest.FixtureRequest) -> Container:
    return request.getfixturevalue(request.param)


def test_it_is_not_root_and_cannot_become_it(either: Container) -> None:
    assert either.run("id").startswith("uid=999(postgres) gid=999(postgres) groups=999(postgres)")
    assert either.shell("find / -xdev -type f -perm /6000 2>/dev/null || true") == ""
    assert "Read-only file system" in either.run("touch", "/etc/x", check=False)
    assert re.search(r"CapEff:\s+0000000000000000\nCapBnd:\s+0000000000000000", either.run("cat", "/proc/self/status"))


def test_what_is_not_needed_is_not_there(either: Container) -> None:
    for program in ("pip", "pip3", "gcc", "sshd", "sudo", "cron", "curl", "wget"):
        assert either.shell(f"command -v {program} || true") == "", program
    assert either.shell("find /var/lib/apt/lists /tmp /var/lib/postgresql -type f 2>/dev/null || true") == ""
    assert either.run("ls", "-A", "/etc/ssl/private", user="0:0") == ""
    assert either.shell("ls -d /var/lib/postgresql/17 /etc/postgresql/17 2>/dev/null || true") == ""


def test_versions(patroni: Container, toolbox: Container) -> None:
    for container in (patroni, toolbox):
        assert container.run("postgres", "--version").startswith("postgres (PostgreSQL) 17.")
        assert re.fullmatch(r"pgBackRest 2\.(5[5-9]|[6-9]\d)\.\d+\n", container.run("pgbackrest", "version"))
        assert container.run("pg_amcheck", "--version").startswith("pg_amcheck (PostgreSQL) 17.")
        found = container.run(
            "python3", "-c", "import psycopg; print(psycopg.__version__, psycopg.pq.__impl__)"
        ).split()
        assert found[0].startswith("3.") and found[1] == "c"
    assert patroni.run("patroni", "--version") == "patroni 4.1.5\n"
    assert patroni.run("patronictl", "version") == "patronictl version 4.1.5\n"
    assert "postgres_exporter, version 0.17" in patroni.shell("prometheus-postgres-exporter --version 2>&1")
    for program in ("patroni", "patronictl", "prometheus-postgres-exporter"):
        assert toolbox.shell(f"command -v {program} || true") == ""


def test_language_time_and_authorities(either: Container) -> None:
    assert either.run("locale").count("C.UTF-8") >= 10
    assert either.run("date", "+%Z") == "UTC\n"
    zone = "from zoneinfo import ZoneInfo; import datetime as d; print(d.datetime(2026, 7, 1, tzinfo=ZoneInfo('Europe/Berlin')))"
    assert "+02:00" in either.run("python3", "-c", zone)
    trusted = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"
    assert int(either.run("python3", "-c", trusted)) > 100


def test_scripts_are_there_and_can_be_read(either: Container) -> None:
    wanted = sorted(path.name for path in (ours.SOURCE / "bin").iterdir())
    assert either.run("python3", "-c", READ).split() == wanted


def test_postgresql_starts_with_what_the_platform_preloads(database: Container) -> None:
    assert (
        sql(database, "select datcollate, datlocprovider from pg_database where datname = 'template1'") == "C.UTF-8|b"
    )
    sql(database, "create extension pgaudit; create extension pg_stat_statements; create extension amcheck")
    assert sql(database, "show timezone") == "Etc/UTC"
    assert sql(
        database, "select lower('ÄÖ') || ' ' || ('2026-07-01 12:00+00'::timestamptz at time zone 'Europe/Berlin')"
    ) == ("äö 2026-07-01 14:00:00")
    sql(database, "set pgaudit.log = 'ddl'; create table audited (id int primary key)")
    assert "AUDIT: SESSION" in database.run("cat", "/tmp/log")
    assert sql(database, "set jit_above_cost = 0; select count(*) from generate_series(1, 1000)") == "1000"
    assert "jit" not in database.run("cat", "/tmp/log")
    database.run("pg_amcheck", "--all", "--install-missing", "--heapallindexed")


def test_psycopg_reaches_it_over_the_socket(database: Container) -> None:
    said = "import psycopg; print(psycopg.connect('dbname=postgres').execute('select current_user').fetchone()[0])"
    assert database.run("python3", "-c", said) == "postgres\n"


def test_the_exporter_answers_without_a_password(database: Container) -> None:
    database.shell(
        "DATA_SOURCE_NAME='host=/run/postgresql user=postgres dbname=postgres' "
        "prometheus-postgres-exporter --web.listen-address=127.0.0.1:9187 >/tmp/exporter 2>&1 & sleep 1"
    )
    metrics = database.run("python3", "-c", REACHES)
    assert re.search(r"^pg_up 1$", metrics, re.MULTILINE)
    assert 'pg_static{server="' in metrics and "pg_stat_database_xact_commit" in metrics


def test_pgbackrest_backs_up_to_the_labs_s3_server(store: state.Lab) -> None:
    """Its own TLS, by the address in the certificate; who reads sees the backup and cannot touch it."""
    if reason := missing():
        pytest.skip(reason)
    given = Container("toolbox", "--volume", f"{store.s3_ca}:/etc/s3.crt:ro", network="host")
    given.start()
    try:
        given.run("initdb", f"--pgdata={DATA}", *INITDB)
        common = {
            "STANZA": "postgres", "PG1_PATH": DATA, "PG1_SOCKET_PATH": "/run/postgresql", "LOG_LEVEL_FILE": "off", "LOCK_PATH": "/tmp/lock",
            "REPO1_TYPE": "s3", "REPO1_PATH": "/postgres", "REPO1_S3_ENDPOINT": store.s3_address, "REPO1_S3_BUCKET": state.S3_BUCKET,
            "REPO1_S3_REGION": state.S3_REGION, "REPO1_S3_URI_STYLE": "path", "REPO1_STORAGE_PORT": str(state.S3_PORT),
            "REPO1_STORAGE_CA_FILE": "/etc/s3.crt", "LOG_LEVEL_CONSOLE": "warn",
        }  # fmt: skip
        users = {user: dict(zip(("KEY", "KEY_SECRET"), s3.credentials(store, user), strict=True)) for user in s3.RIGHTS}
        for user, keys in users.items():
            lines = {**common, **{f"REPO1_S3_{name}": value for name, value in keys.items()}}
            text = "\n".join(f"export PGBACKREST_{name}='{value}'" for name, value in lines.items())
            given.run("sh", "-c", f"umask 077; cat >/tmp/{user}", given=text + "\n")
        push = "archive_command=. /tmp/writer && pgbackrest archive-push %p"
        options = f"-c listen_addresses='' -c archive_mode=on -c '{push}'"
        given.run("pg_ctl", f"--pgdata={DATA}", "--wait", "--log=/tmp/log", f"--options={options}", "start")
        given.shell(
            ". /tmp/writer; pgbackrest stanza-create; pgbackrest check; pgbackrest --type=full --start-fast backup"
        )
        told = json.loads(given.shell(". /tmp/reader; pgbackrest info --output=json"))
        assert told[0]["status"]["code"] == 0 and told[0]["backup"][0]["error"] is False
        refused = given.shell(". /tmp/reader; pgbackrest --type=full backup", check=False)
        assert "AccessDenied" in refused or "403" in refused
        given.run("mkdir", "-m", "700", "/var/lib/postgresql/data/again")
        given.shell(". /tmp/reader; pgbackrest restore --pg1-path=/var/lib/postgresql/data/again --archive-mode=off")
        assert given.run("cat", "/var/lib/postgresql/data/again/PG_VERSION") == "17\n"
    finally:
        given.stop()
