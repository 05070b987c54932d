# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases, roles and rights in a real PostgreSQL, by the program of the image and the library behind the module."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import time
import typing as t
from datetime import date

import pytest
from postgres import CANARY, PROGRAM, Server, Site

from ansible_collections.enclii.platform.plugins.module_utils.postgres.errors import DatabaseError


@pytest.fixture
def made(site: Site, app: str) -> Site:
    """An application with its database."""
    site.secret(f"{app}-database", password=CANARY)
    assert site.run([{"name": app}])["changed"]
    return site


def test_from_nothing_and_nothing_to_do(site: Site, app: str) -> None:
    site.secret(f"{app}-database", password=CANARY)
    result = site.run([{"name": app, "connection_limit": 7}])
    assert result["changed"]
    assert site.asked == ["read", "apply", "read"]
    assert site.server.sql(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{app}'") == "f"
    site.same([{"name": app, "connection_limit": 7}])
    assert site.server.sql(f"SELECT datconnlimit FROM pg_database WHERE datname = '{app}'") == "7"


def test_application_logs_in_and_acts_as_the_owner(made: Site, app: str) -> None:
    made.server.sql("CREATE TABLE orders (id int)", app, f"{app}_a", CANARY)
    assert made.server.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'", app) == app
    assert "authentication failed" in made.server.sql("SELECT 1", app, f"{app}_a", "wrong", ok=False)
    assert "authentication failed" in made.server.sql("SELECT 1", app, f"{app}_b", CANARY, ok=False)


def test_check_mode_says_the_same_and_changes_nothing(site: Site, app: str) -> None:
    predicted = site.run([{"name": app}], check=True)  # its Secret is not there yet, either
    assert predicted["changed"]
    assert site.asked == ["read"]
    assert site.server.sql(f"SELECT count(*) FROM pg_roles WHERE rolname LIKE '{app}%'") == "0"
    site.secret(f"{app}-database", password=CANARY)
    done = site.run([{"name": app}])
    assert [one["sql"] for one in done["statements"]] == [one["sql"] for one in predicted["statements"]]
    assert done["diff"] == predicted["diff"]


def test_missing_secrets_are_named_together(site: Site, app: str) -> None:
    site.secret(f"{app}-database", username=f"{app}_c", password="with a line's end\n")
    with pytest.raises(DatabaseError) as caught:
        site.run([{"name": app}], [{"name": f"{app}_tool", "login": True, "secret": {"name": "tool"}}])
    assert f"neither {app}_a nor {app}_b" in str(caught.value)
    assert "Secret demo/tool, item password: not there" in str(caught.value)
    assert "control character" in str(caught.value)
    assert site.asked == []


def test_password_is_nowhere(server: Server, app: str) -> None:
    site = Site(server)
    site.secret(f"{app}-database", password=CANARY)
    shown = str(site.run([{"name": app}]))
    site.secret(f"{app}-database", password=CANARY + "2")
    shown += str(site.run([{"name": app}]))
    stored = server.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{app}_a'")
    # psql's own question is in the log, the answer is not; nor is what the statement was
    everywhere = (
        shown
        + str(site.said)
        + server.log()
        + server.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT query FROM pg_stat_statements")
    )
    assert stored.startswith("SCRAM-SHA-256$4096:")
    assert CANARY not in everywhere
    assert stored.split(":")[1].split("$")[1] not in everywhere
    assert "PASSWORD 'SCRAM" not in everywhere
    assert "AUDIT: " in server.log()
    assert f'CREATE ROLE "{app}_a"' in server.log()  # what needs no silence is there to be audited
    assert "********" in shown


def test_failing_password_statement_is_not_logged(server: Server, app: str) -> None:
    groups = {
        "groups": [
            {
                "database": None,
                "alone": False,
                "quiet": True,
                "statements": [f"ALTER ROLE \"{app}\" PASSWORD '{CANARY}'"],
            }
        ]
    }
    code, out, err = Site(server).ask("apply", json.dumps(groups))
    assert code == 1
    assert json.loads(out)["error"]["code"] == "42704"
    assert CANARY not in out + err + server.log()


def test_new_password_and_only_that(made: Site, app: str) -> None:
    made.secret(f"{app}-database", password="another")
    result = made.run([{"name": app}])
    assert [one["sql"] for one in result["statements"]] == [f"ALTER ROLE \"{app}_a\" PASSWORD '********'"]
    assert made.server.sql("SELECT current_user", app, f"{app}_a", "another") == app
    made.same([{"name": app}])


def test_password_in_unicode_is_prepared_as_clients_do(site: Site, app: str) -> None:
    site.secret(f"{app}-database", password="pa\u00adß\u2168 \uff57örd")  # soft hyphen, Roman numeral, wide w
    site.run([{"name": app}])
    assert site.server.sql("SELECT 1", app, f"{app}_a", "pa\u00adß\u2168 \uff57örd") == "1"
    assert site.server.sql("SELECT 1", app, f"{app}_a", "paßIX wörd") == "1"
    site.same([{"name": app}])


def test_password_that_the_server_stored_itself_is_recognised(made: Site, app: str) -> None:
    made.secret(f"{app}-database", password="by hand")
    made.server.sql(f"ALTER ROLE {app}_a PASSWORD 'by hand'")
    made.same([{"name": app}])
    made.server.sql(f"SET password_encryption = md5; ALTER ROLE {app}_a PASSWORD 'by hand'")
    assert made.run([{"name": app}])["changed"]


def test_secret_says_who_logs_in_and_the_other_is_left_to_a_rotation(made: Site, app: str) -> None:
    made.server.sql(
        f"ALTER ROLE {app}_b PASSWORD 'of a rotation' VALID UNTIL '2031-01-01Z'; ALTER ROLE {app}_b NOLOGIN"
    )
    made.same([{"name": app}])
    made.secret(f"{app}-database", username=f"{app}_b", password="new")
    made.run([{"name": app, "login": {"valid_until": "2030-01-01"}}])
    assert made.server.sql("SELECT current_user", app, f"{app}_b", "new") == app
    assert made.server.sql("SELECT 1", app, f"{app}_a", CANARY) == "1"  # until the rotation takes it away
    assert made.server.sql(f"SELECT rolvaliduntil IS NULL FROM pg_roles WHERE rolname = '{app}_a'") == "t"
    made.server.sql(f"ALTER ROLE {app}_a NOLOGIN PASSWORD NULL")
    made.same([{"name": app, "login": {"valid_until": "2030-01-01"}}])


def test_powers_and_settings_and_memberships_that_crept_in_go(made: Site, app: str) -> None:
    made.server.sql(
        f"CREATE ROLE {app}_guest LOGIN; ALTER ROLE {app} SUPERUSER LOGIN;"
        f"ALTER ROLE {app}_a CREATEROLE CREATEDB BYPASSRLS REPLICATION NOINHERIT;"
        f"GRANT pg_read_all_data TO {app}_a; GRANT {app} TO {app}_guest WITH ADMIN OPTION; GRANT {app} TO {app}_a WITH ADMIN OPTION;"
        f"ALTER ROLE {app}_a SET work_mem = '1GB'; ALTER ROLE {app}_a RESET role; ALTER ROLE {app}_a CONNECTION LIMIT 3;"
        f"REVOKE {app} FROM {app}_b"
    )
    assert made.run([{"name": app}])["changed"]
    flags = "rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication OR NOT rolinherit"
    assert made.server.sql(f"SELECT bool_or({flags}) FROM pg_roles WHERE rolname LIKE '{app}%'") == "f"
    who = f"SELECT member::regrole, admin_option FROM pg_auth_members WHERE roleid = '{app}'::regrole ORDER BY 1"
    assert made.server.sql(who).split() == [f"{app}_a|f", f"{app}_b|f"]
    assert made.server.sql(f"SELECT rolconfig FROM pg_roles WHERE rolname = '{app}_a'") == f"{{role={app}}}"
    made.same([{"name": app}])


def test_settings_as_postgresql_keeps_them(made: Site, app: str) -> None:
    settings = {
        "search_path": ["public", 'My "schema"', "a,b"], "statement_timeout": "30s", "idle_in_transaction_session_timeout": 60000,
        "TimeZone": "Europe/Berlin", "jit": False, "application.text": "it's; -- \\ $1 %s", "DateStyle": "ISO, DMY",
    }  # fmt: skip
    declared = [{"name": app, "login": {"settings": settings}}]
    made.run(declared)
    assert made.server.sql("SHOW search_path", app, f"{app}_a", CANARY) == 'public, "My ""schema""", "a,b"'
    assert made.server.sql("SHOW application.text", app, f"{app}_a", CANARY) == "it's; -- \\ $1 %s"
    made.same(declared)
    made.run([{"name": app}])
    assert made.server.sql("SHOW statement_timeout", app, f"{app}_a", CANARY) == "0"


def test_public_has_no_rights_and_gets_none_back(made: Site, app: str) -> None:
    other = f"{app}x"
    made.secret(f"{other}-database", password="other")
    both = [{"name": app}, {"name": other}]
    made.run(both)
    assert "permission denied for database" in made.server.sql("SELECT 1", app, f"{other}_a", "other", ok=False)
    made.server.sql(f"GRANT ALL ON DATABASE {app} TO PUBLIC; GRANT CONNECT ON DATABASE {app} TO {other}")
    made.server.sql("GRANT ALL ON SCHEMA public TO PUBLIC", app)
    result = made.run(both)
    assert len(result["statements"]) == 3
    assert made.server.sql(f"SELECT datacl FROM pg_database WHERE datname = '{app}'") == f"{{{app}=CTc/{app}}}"
    assert (
        made.server.sql("SELECT nspacl FROM pg_namespace WHERE nspname = 'public'", app)
        == "{pg_database_owner=UC/pg_database_owner}"
    )
    made.same(both)


def test_rights_that_were_granted_further_go_with_their_chain(made: Site, app: str) -> None:
    roles = [{"name": f"{app}_reader"}]
    declared = [{"name": app, "privileges": [{"role": f"{app}_reader"}]}]
    made.run(declared, roles)
    made.server.sql(f"CREATE ROLE {app}_one; CREATE ROLE {app}_two")
    made.server.sql(
        f"GRANT USAGE ON SCHEMA public TO {app}_reader WITH GRANT OPTION; SET ROLE {app}_reader;"
        f"GRANT USAGE ON SCHEMA public TO {app}_one WITH GRANT OPTION;"
        f"RESET ROLE; SET ROLE {app}_one; GRANT USAGE ON SCHEMA public TO {app}_two",
        app,
    )
    made.run(declared, roles)
    acl = made.server.sql("SELECT nspacl FROM pg_namespace WHERE nspname = 'public'", app)
    assert acl == f"{{pg_database_owner=UC/pg_database_owner,{app}_reader=U/pg_database_owner}}"
    made.same(declared, roles)


def test_owner_that_lost_its_own_rights_gets_them_back(made: Site, app: str) -> None:
    made.server.sql(f"REVOKE ALL ON DATABASE {app} FROM {app}")
    made.server.sql("REVOKE ALL ON SCHEMA public FROM pg_database_owner", app)
    made.run([{"name": app}])
    made.server.sql("CREATE TABLE t ()", app, f"{app}_a", CANARY)
    made.same([{"name": app}])


READING = {"tables": ["select"], "sequences": ["select"], "routines": ["execute"]}


def test_reader_reads_what_is_there_and_what_comes(made: Site, app: str) -> None:
    made.secret("reader", password="r")
    reader = f"{app}_reader"
    roles = [{"name": reader, "login": True, "secret": {"name": "reader"}}]
    declared = [{"name": app, "privileges": [{"role": reader, **READING}]}]
    for query in (
        "CREATE TABLE old (id serial)",
        "CREATE VIEW seen AS SELECT * FROM old",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "REVOKE ALL ON FUNCTION one() FROM PUBLIC",
        "CREATE PROCEDURE p(INOUT x int, VARIADIC y text[]) LANGUAGE sql AS 'SELECT 1'",
    ):
        made.server.sql(query, app, f"{app}_a", CANARY)
    made.run(declared, roles)
    made.server.sql("CREATE TABLE new (id serial)", app, f"{app}_a", CANARY)
    read = "SELECT count(*) FROM old, seen, new; SELECT one(); SELECT last_value FROM new_id_seq"
    assert made.server.sql(read, app, reader, "r") == "0\n1\n1"
    assert "permission denied" in made.server.sql("INSERT INTO new DEFAULT VALUES", app, reader, "r", ok=False)
    made.same(declared, roles)

    made.server.sql(
        f"REVOKE SELECT ON old FROM {reader}; GRANT INSERT ON seen TO {reader}; REVOKE EXECUTE ON FUNCTION one() FROM {reader}",
        app,
    )
    made.server.sql(f"ALTER DEFAULT PRIVILEGES FOR ROLE {app} IN SCHEMA public GRANT DELETE ON TABLES TO {reader}", app)
    statements = made.run(declared, roles)["statements"]
    assert len(statements) == 4
    assert made.server.sql(read, app, reader, "r") == "0\n1\n1"
    made.same(declared, roles)

    made.run([{"name": app}], roles)
    assert "permission denied for database" in made.server.sql("SELECT 1", app, reader, "r", ok=False)


def test_what_an_extension_made_is_its_own(made: Site, app: str) -> None:
    reader = f"{app}_reader"
    declared = [{"name": app, "extensions": [{"name": "pg_stat_statements"}, {"name": "hstore", "schema": "public"}],
                 "privileges": [{"role": reader, **READING, "tables": ["select", "insert"]}]}]  # fmt: skip
    made.run(declared, [{"name": reader}])
    made.same(declared, [{"name": reader}])
    acl = made.server.sql("SELECT relacl FROM pg_class WHERE relname = 'pg_stat_statements'", app)
    assert reader not in acl


def test_extensions_come_move_and_go(made: Site, app: str) -> None:
    made.run([{"name": app, "extensions": [{"name": "hstore", "version": "1.7"}, {"name": "citext"}]}])
    made.server.sql("CREATE SCHEMA mine; CREATE EXTENSION ltree SCHEMA mine", app)
    later = {
        "schemas": [{"name": "ext"}],
        "extensions": [{"name": "hstore", "schema": "ext", "version": "1.8"}, {"name": "citext", "state": "absent"}],
    }
    made.run([{"name": app, **later}])
    found = made.server.sql("SELECT extname, extnamespace::regnamespace FROM pg_extension ORDER BY 1", app)
    assert found.split() == ["hstore|ext", "ltree|mine", "plpgsql|pg_catalog"]
    assert made.server.sql("SELECT extversion FROM pg_extension WHERE extname = 'hstore'", app) == "1.8"
    made.same([{"name": app, **later}])


def test_problems_with_what_is_there_are_named_together(made: Site, app: str) -> None:
    made.server.sql("CREATE SCHEMA full_one; CREATE TABLE full_one.t (); CREATE EXTENSION hstore VERSION '1.8'", app)
    made.server.sql(f"CREATE ROLE {app}_boss SUPERUSER")
    declared = [{"name": app, "schemas": [{"name": "full_one", "state": "absent"}],
                 "extensions": [{"name": "nonesuch"}, {"name": "hstore", "version": "9"}]}]  # fmt: skip
    with pytest.raises(DatabaseError) as caught:
        made.run(declared, [{"name": f"{app}_boss", "state": "absent"}])
    for words in (
        "holds 1 objects",
        "extension nonesuch",
        "no version 9, only 1",
        "is a superuser",
        "Nothing was changed",
    ):
        assert words in str(caught.value)
    assert made.asked == ["read"]


def test_what_a_login_owns_becomes_the_owners_and_what_a_stranger_owns_is_told(made: Site, app: str) -> None:
    made.server.sql("RESET ROLE; SET SESSION ROLE NONE; SELECT 1", app, f"{app}_a", CANARY)
    made.server.sql(
        f"CREATE SCHEMA odd AUTHORIZATION {app}_a; CREATE TABLE odd.t (); ALTER TABLE odd.t OWNER TO {app}_a", app
    )
    made.server.sql(
        f"CREATE ROLE {app}_else; CREATE TABLE public.theirs (); ALTER TABLE public.theirs OWNER TO {app}_else;"
        "CREATE TABLE public.supers ()",
        app,
    )
    declared = [
        {
            "name": app,
            "schemas": [{"name": "odd"}],
            "privileges": [{"role": f"{app}_reader", "tables": ["select"], "schemas": ["public", "odd"]}],
        }
    ]
    roles = [{"name": f"{app}_reader"}]
    result = made.run(declared, roles)
    places = "('odd'::regnamespace, 'public'::regnamespace)"
    owners = f"SELECT relname, relowner::regrole FROM pg_class WHERE relnamespace IN {places} ORDER BY 1"
    assert made.server.sql(owners, app).split() == ["supers|postgres", f"t|{app}", f"theirs|{app}_else"]
    assert made.server.sql("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'odd'", app) == app
    assert [one.split(":")[1].split()[-6:] for one in result["warnings"]]
    assert any(f"1 objects belong to {app}_else" in one for one in result["warnings"])
    assert any("1 objects belong to postgres" in one for one in result["warnings"])
    made.same(declared, roles)


def test_a_database_that_others_made_is_taken_over(site: Site, app: str) -> None:
    site.server.sql(f"CREATE ROLE {app}_old LOGIN CREATEDB")
    site.server.sql(f"CREATE DATABASE {app} OWNER {app}_old")
    site.server.sql(
        f"CREATE TABLE t AS SELECT 1 AS id; ALTER TABLE t OWNER TO {app}_old;"
        f"CREATE SCHEMA s AUTHORIZATION {app}_old; GRANT USAGE ON SCHEMA s TO PUBLIC",
        app,
    )
    site.secret(f"{app}-database", password=CANARY)
    declared = [{"name": app, "schemas": [{"name": "s"}]}]
    result = site.run(declared)
    assert any(f"belong to {app}_old" in one for one in result["warnings"])
    site.same(declared)
    gone = [{"name": f"{app}_old", "state": "absent"}]
    site.run(declared, gone)
    assert site.server.sql("SELECT id FROM t", app, f"{app}_a", CANARY) == "1"
    assert site.server.sql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{app}_old'") == "0"
    site.same(declared, gone)


NAMES = [
    "Mixed Case", 'quo"ted', "it's", "semi; DROP ROLE postgres; --", "back\\slash", "per%s%cent %(x)s", "dollar$$tag$1", "{brace}",
    "host=evil dbname=x", "postgresql://evil/", "ünï-çødé-数据", "select", '""', "-dash", "'", "tab.dot,comma",
]  # fmt: skip


def test_hostile_names_are_only_names(site: Site, app: str) -> None:
    names = {name: f"{name} {app}" for name in NAMES}
    site.secret("s", password="p 'x' \\ %s")
    databases = [
        {"name": database, "secret": {"name": "s"}, "schemas": [{"name": name}, {"name": "public"}],
         "privileges": [{"role": f"r {database}", "schemas": [name], **READING}],
         "login": {"settings": {"search_path": [name], "app.name": name}}}
        for name, database in names.items()
    ]  # fmt: skip
    roles = [{"name": f"r {database}"} for database in names.values()]
    site.run(databases, roles)
    for name, database in names.items():
        made = 'CREATE TABLE "T ; "" \' \\ %s" (id serial); SELECT current_user; SHOW app.name'
        assert site.server.sql(made, database, f"{database}_a", "p 'x' \\ %s") == f"{database}\n{name}"
    site.same(databases, roles)
    for name, database in names.items():
        quoted = [one.replace('"', '""') for one in (name, database)]
        site.server.sql(f"""ALTER TABLE "{quoted[0]}"."T ; "" ' \\ %s" OWNER TO "{quoted[1]}_b" """, database)
    assert len(site.run(databases, roles)["statements"]) >= len(NAMES)
    site.same(databases, roles)
    gone = [{"name": database, "state": "absent", "purge": database} for database in names.values()]
    site.run(gone, [{"name": f"r {database}", "state": "absent"} for database in names.values()])
    assert site.server.sql(f"SELECT count(*) FROM pg_roles WHERE rolname LIKE '%{app}%'") == "0"
    assert site.server.sql(f"SELECT count(*) FROM pg_database WHERE datname LIKE '%{app}%'") == "0"


def test_absent_takes_the_logins_and_keeps_the_data(made: Site, app: str) -> None:
    made.server.sql("CREATE TABLE t AS SELECT 7 AS id", app, f"{app}_a", CANARY)
    made.server.sql(
        f"CREATE TABLE of_login (); ALTER TABLE of_login OWNER TO {app}_b; GRANT SELECT ON t TO {app}_b", app
    )
    result = made.run([{"name": app, "state": "absent"}])
    assert result["kept"] == [f"database {app}"]
    assert made.server.sql(f"SELECT rolname FROM pg_roles WHERE rolname LIKE '{app}%'") == app
    assert made.server.sql("SELECT id FROM t", app) == "7"
    assert made.server.sql("SELECT relowner::regrole FROM pg_class WHERE relname = 'of_login'", app) == app
    made.same([{"name": app, "state": "absent"}])
    assert made.run([{"name": app}])["changed"]
    assert made.server.sql("SELECT id FROM t", app, f"{app}_a", CANARY) == "7"


def test_purge_by_its_name_drops_it(made: Site, app: str) -> None:
    with pytest.raises(DatabaseError, match="takes its name"):
        made.run([{"name": app, "state": "absent", "purge": "yes"}])
    made.run([{"name": app, "state": "absent", "purge": app}])
    assert (
        made.server.sql(
            f"SELECT (SELECT count(*) FROM pg_roles WHERE rolname LIKE '{app}%') +"
            f"(SELECT count(*) FROM pg_database WHERE datname = '{app}')"
        )
        == "0"
    )
    made.same([{"name": app, "state": "absent", "purge": app}])


def test_nothing_else_is_touched(made: Site, app: str) -> None:
    made.server.sql(f"CREATE ROLE {app}_free LOGIN SUPERUSER")
    made.server.sql(f"CREATE DATABASE {app}_free")
    made.server.sql(
        f"CREATE SCHEMA free; CREATE TABLE free.t (); GRANT ALL ON SCHEMA free TO PUBLIC; GRANT ALL ON free.t TO {app}_free;"
        "CREATE EXTENSION hstore SCHEMA free",
        app,
    )
    made.same([{"name": app}])


def killed_after(site: Site, number: int) -> t.Callable[[str, str], tuple[int, str, str]]:
    """A program that does the first groups of what it is given, and is killed."""

    def ask(word: str, given: str) -> tuple[int, str, str]:
        if word == "apply":
            site.ask(word, json.dumps({"groups": json.loads(given)["groups"][:number]}))
            return 137, "", "command terminated with exit code 137"
        return site.ask(word, given)

    return ask


def test_killed_anywhere_and_run_again(site: Site, app: str) -> None:
    reader = f"{app}_reader"
    site.secret("r", password="r")
    roles = [{"name": reader, "login": True, "secret": {"name": "r"}, "valid_until": "2030-01-01"}]
    groups = 0
    for number in range(99):
        name = f"{app}n{number}"
        site.secret(f"{name}-database", password=CANARY)
        declared = [{"name": name, "connection_limit": 9, "schemas": [{"name": "s"}], "extensions": [{"name": "hstore"}],
                     "privileges": [{"role": reader, **READING}]}]  # fmt: skip
        with pytest.raises(DatabaseError, match="137"):
            site.run(declared, roles, ask=killed_after(site, number))
        if (
            site.server.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{name}' AND datconnlimit <> 9") == "1"
            and number
        ):
            # closed until it is ready: nobody has seen it with the rights of PUBLIC
            wrong = site.server.sql("SELECT 1", name, f"{name}_a", CANARY, ok=False)
            assert "too many connections" in wrong or "authentication failed" in wrong
        left = site.run(declared, roles)
        site.same(declared, roles)
        assert site.server.sql("SELECT current_user", name, f"{name}_a", CANARY) == name
        groups = max(groups, number)
        if not left["changed"]:
            break
    assert groups > 4


def test_killed_within_a_transaction_nothing_stays(site: Site, app: str) -> None:
    groups = {
        "groups": [
            {
                "database": None,
                "alone": False,
                "quiet": False,
                "statements": [f"CREATE ROLE {app}", "SELECT pg_sleep(60)"],
            }
        ]
    }
    argv, environ = site.server.pod.argv(PROGRAM, "apply"), site.server.environment()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, env=environ, text=True) as program:
        assert program.stdin
        program.stdin.write(json.dumps(groups))
        program.stdin.close()
        busy = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
        deadline = time.monotonic() + 30
        while site.server.sql(busy) != "1" and time.monotonic() < deadline:
            time.sleep(0.05)
        program.kill()
    started = time.monotonic()
    site.run(roles=[{"name": app}])  # waits for the lock, and for the transaction to be taken back
    assert time.monotonic() - started < 25
    site.same(roles=[{"name": app}])


def test_statement_that_fails_takes_its_transaction_back(made: Site, app: str) -> None:
    declared = [{"name": app, "schemas": [{"name": "s"}], "extensions": [{"name": "earthdistance"}]}]
    with pytest.raises(DatabaseError) as caught:
        made.run(declared)
    assert f"extension earthdistance in {app}" in str(caught.value)
    assert "42704" in str(caught.value)
    assert made.server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 's'", app) == "0"


def test_a_setting_that_is_none_is_named(made: Site, app: str) -> None:
    with pytest.raises(DatabaseError, match=f"role {app}_a, statement_timeout: invalid value"):
        made.run([{"name": app, "login": {"settings": {"statement_timeout": "soon"}}}])


def test_two_runs_at_a_time_wait_for_each_other(made: Site, app: str) -> None:
    declared = [{"name": app, "schemas": [{"name": f"s{number}"} for number in range(20)]}]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(Site.run, one, declared) for one in (twin(made), twin(made))]
        errors = [job.exception() for job in jobs]
    assert sum(error is None for error in errors) >= 1
    assert all("already exists" in str(error) for error in errors if error)
    made.same(declared)


def twin(site: Site) -> Site:
    other = Site(site.server)
    other.secrets = site.secrets
    return other


def test_expiry_is_set_kept_and_told(made: Site, app: str) -> None:
    declared = [{"name": app, "login": {"valid_until": "2026-11-30T10:00:00+02:00"}}]
    result = made.run(declared)
    assert (
        made.server.sql(f"SELECT rolvaliduntil AT TIME ZONE 'UTC' FROM pg_roles WHERE rolname = '{app}_a'")
        == "2026-11-30 08:00:00"
    )
    assert result["warnings"] == [f"role {app}_a: its password runs out 2026-11-30T08:00:00Z."]
    made.same(declared)
    made.run([{"name": app, "login": {"valid_until": date(2020, 1, 1)}}])  # as YAML reads it
    assert "authentication failed" in made.server.sql("SELECT 1", app, f"{app}_a", CANARY, ok=False)
    assert "has run out" in made.run([{"name": app, "login": {"valid_until": "2020-01-01"}}])["warnings"][0]
    made.run([{"name": app, "login": {"valid_until": "infinity"}}])
    assert made.server.sql("SELECT 1", app, f"{app}_a", CANARY) == "1"


def test_role_that_logs_in_by_certificate_alone_has_no_password(made: Site, app: str) -> None:
    roles = [
        {"name": f"{app}_cert", "login": True, "replication": True, "member_of": ["pg_monitor"], "connection_limit": 2}
    ]
    made.run(roles=roles)
    made.server.sql(f"ALTER ROLE {app}_cert PASSWORD 'by hand'")
    result = made.run(roles=roles)
    assert [one["sql"] for one in result["statements"]] == [f'ALTER ROLE "{app}_cert" PASSWORD NULL']
    made.same(roles=roles)


def test_many_tables_are_one_read_and_one_statement(made: Site, app: str) -> None:
    made.server.sql(
        f"SET ROLE {app}; SELECT format('CREATE TABLE t%s ()', n) FROM generate_series(1, 3000) n \\gexec", app
    )
    declared = [{"name": app, "privileges": [{"role": f"{app}_reader", "tables": ["select"]}]}]
    result = made.run(declared, [{"name": f"{app}_reader"}])
    assert sum("t2999" in one["sql"] for one in result["statements"]) == 1
    started = time.monotonic()
    made.same(declared, [{"name": f"{app}_reader"}])
    assert time.monotonic() - started < 3


def test_replica_is_not_asked_twice(server: Server) -> None:
    with server.replica() as replica:
        site = Site(replica)
        with pytest.raises(DatabaseError) as caught:
            site.run(roles=[{"name": "r"}])
    assert caught.value.reason == "replica"
    assert site.asked == ["read"]


def test_no_server_and_no_program_are_told_apart(site: Site) -> None:
    with pytest.raises(DatabaseError, match="older than this collection"):
        site.run(roles=[{"name": "r"}], ask=lambda word, given: (127, "", "sh: enclii-databases: not found"))
    with pytest.raises(DatabaseError, match='pods "postgres-0" not found'):
        site.run(
            roles=[{"name": "r"}],
            ask=lambda word, given: (1, "", 'Error from server (NotFound): pods "postgres-0" not found'),
        )
    site.server.environ["PGPORT"], port = "1", site.server.environ["PGPORT"]
    try:
        with pytest.raises(DatabaseError, match="See the log of its container"):
            site.run(roles=[{"name": "r"}])
    finally:
        site.server.environ["PGPORT"] = port
