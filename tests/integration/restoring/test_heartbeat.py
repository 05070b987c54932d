# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The heartbeat on a real server: one row, marks with their counts, a role that may nothing else, and silence on a replica."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import typing as t

import pytest

from .conftest import HEARTBEAT, Machine, Origin


@pytest.fixture(scope="module")
def live(machine: Machine) -> t.Iterator[Origin]:
    one = Origin(machine, "beating")
    one.init()
    config = machine.base / one.name / "pg" / "postgresql.conf"
    config.write_text(config.read_text() + f"archive_command='/bin/true'\nunix_socket_directories='{one.sockets}'\n")
    one.start()
    one.sql('create table "Odd ""name" (id int); insert into "Odd ""name" values (1), (2)')
    one.sql("create role app login; create unlogged table volatile (id int)")
    yield one
    one.stop()


def words_for(live: Origin, *more: str) -> list[str]:
    return [HEARTBEAT, "--socket", str(live.sockets), "--port", "5499", "--node", "postgres-0", *more]


def test_a_mark_tells_what_there_is(live: Origin) -> None:
    told = live.mark()
    tables = told["databases"]["postgres"]["tables"]
    # an unlogged table is empty after recovery, and our own are no tables of anybody
    assert tables == {'public."Odd ""name"': [2, 2]}
    assert told["roles"]["app"] == [True, False, []] and told["roles"]["heartbeat"] == [
        False,
        False,
        ["pg_read_all_data"],
    ]
    assert told["system_id"] and told["timeline"] == 1
    parts = live.sql(
        f"select string_agg(part || (told is not null)::text, ',' order by part) from enclii.marker where id = '{told['marker']}'"
    )
    assert parts == "Afalse,Btrue"


def test_a_table_that_is_too_large_is_not_counted(machine: Machine, live: Origin) -> None:
    done = machine.pod.run(*words_for(live, "--once", "--count-bytes", "0"))
    told = json.loads(done.stdout)
    assert told["databases"]["postgres"]["tables"] == {'public."Odd ""name"': None}


def test_its_role_may_nothing_else(live: Origin) -> None:
    live.mark()
    for text in (
        'insert into "Odd ""name" values (3)',
        "create table mine (id int)",
        "create role other",
        "delete from enclii.heartbeat",
    ):
        with pytest.raises(AssertionError, match="permission denied"):
            live.sql(f"set session authorization heartbeat; {text}")


def test_it_beats_until_it_is_told_to_end(machine: Machine, live: Origin) -> None:
    words = machine.pod.argv(*words_for(live, "--period", "0.2", "--mark", "3600"))
    with subprocess.Popen(words, env=machine.pod.environ(), stdout=subprocess.PIPE, text=True) as process:
        time.sleep(1.5)
        first = live.sql("select at from enclii.heartbeat")
        time.sleep(1)
        second = live.sql("select at from enclii.heartbeat")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        # one mark, at the start
        assert len(process.stdout.read().splitlines()) == 1
    assert second > first and live.sql("select count(*) from enclii.heartbeat") == "1"


def test_on_a_replica_it_is_silent(machine: Machine, live: Origin) -> None:
    live.mark()
    before = live.sql("select at from enclii.heartbeat")
    live.stop()
    machine.write(f"{live.name}/pg/standby.signal", "")
    live.start()
    done = machine.pod.run(*words_for(live, "--once"))
    assert done.stdout == "" and live.sql("select at from enclii.heartbeat") == before


def test_without_a_server_it_says_so_once(machine: Machine, live: Origin) -> None:
    words = [HEARTBEAT, "--socket", "/nowhere", "--period", "0.1"]
    with subprocess.Popen(
        machine.pod.argv(*words), env=machine.pod.environ(), stdout=subprocess.PIPE, text=True
    ) as process:
        time.sleep(2)
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    assert len(lines) == 1 and "problem" in json.loads(lines[0])
