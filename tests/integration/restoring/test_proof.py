# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound repository passes, at the newest and at a mark, and each damage is found and called by its name."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
import typing as t

import pytest

from .conftest import PGBACKREST, STANZA, Copy, Machine, Obj, Origin, copied

Told = tuple[Origin, Obj]


def at_mark(told: Obj) -> Obj:
    marked = told["marked"]
    return {"target": {"type": "name", "value": marked["marker"], "lsn": marked["lsn"]}, "marker": marked["marker"]}


def failure(told: Obj) -> Obj:
    assert told["verdict"] == "FAIL", told
    return t.cast(Obj, told["failures"][0])


# -- sound ----------------------------------------------------------------------------------------


def test_the_newest_passes_with_everything_looked_at(copy: Copy, origin: Told) -> None:
    told = copy.prove(asked=time.time())
    assert told["verdict"] == "PASS", told
    assert [one["name"] for one in told["checks"]] == [
        "rpo", "catalogue", "rows", "amcheck", "collation", "dump", "checksums"
    ]  # fmt: skip
    assert told["facts"]["backup"] == origin[1]["label"] and told["facts"]["last_wal"] == origin[1]["last"]
    figures = told["figures"]
    assert figures["rows_counted"] == 20200 and figures["databases"] == 3 and figures["pages_checked"] > 1000
    assert 0 < figures["rpo_seconds"] < 600
    assert {"repository", "restore", "start", "amcheck", "dump", "stop", "checksums", "cleanup", "total"} <= set(
        told["phases"]
    )


def test_recovery_stops_at_the_mark_and_tables_are_as_they_were_then(copy: Copy, origin: Told) -> None:
    told = copy.prove(**at_mark(origin[1]))
    assert told["verdict"] == "PASS", told
    assert told["figures"]["rows_counted"] == 20100
    assert "rpo_seconds" not in told["figures"]


def test_a_moment_is_a_target_too(copy: Copy, origin: Told) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(origin[1]["marked"]["at"])) + "+00:00"
    told = copy.prove(target={"type": "time", "value": at}, manifest=None)
    # Without a word of the live cluster something stays unknown, which is no pass.
    assert told["verdict"] == "UNKNOWN" and not told["failures"], told


def test_a_mark_that_is_not_there_fails(copy: Copy, origin: Told) -> None:
    asked = at_mark(origin[1])
    asked["marker"] = "enclii-never"
    assert failure(copy.prove(**asked))["name"] == "marker_missing"


def test_what_was_written_after_the_mark_must_not_be_there(copy: Copy, origin: Told) -> None:
    assert failure(copy.prove(marker=origin[1]["marked"]["marker"]))["name"] == "marker_overrun"


def test_a_target_that_the_archive_has_not_reached_fails(copy: Copy) -> None:
    found = failure(copy.prove(target={"type": "time", "value": "2999-01-01T00:00:00+00:00"}))
    assert found["name"] == "target_not_reached"


def test_other_rows_roles_extensions_and_databases_than_the_live_ones_fail(copy: Copy, origin: Told) -> None:
    marked = origin[1]["marked"]
    other = {
        **marked,
        "databases": {**marked["databases"], "app": {**marked["databases"]["app"], "tables": {"public.items": [1, 2]}}},
    }
    assert failure(copy.prove(**at_mark(origin[1]), manifest=other))["name"] == "rows_differ"
    other = {**marked, "roles": {**marked["roles"], "app": [True, True, []]}, "databases": {}}
    assert failure(copy.prove(manifest=other))["name"] == "role_differs"
    other = {**marked, "databases": {"app": {"extensions": {"pgcrypto": "0.1"}, "tables": {}}}}
    assert failure(copy.prove(manifest=other))["name"] == "extension_differs"
    other = {**marked, "databases": {"gone": {"extensions": {}, "tables": {}}}}
    assert failure(copy.prove(manifest=other))["name"] == "database_missing"


def test_too_much_lost_fails(copy: Copy) -> None:
    assert failure(copy.prove(asked=time.time() + 3600, max_rpo=60))["name"] == "rpo_exceeded"


def test_without_room_nothing_is_restored(copy: Copy) -> None:
    told = copy.prove(headroom=1e9)
    assert failure(told)["name"] == "no_space" and "restore" not in told["phases"]


def test_the_whole_repository_can_be_read_anew(copy: Copy) -> None:
    assert copy.prove(verify="all")["verdict"] == "PASS"


# -- damaged --------------------------------------------------------------------------------------


def test_missing_wal(copy: Copy, origin: Told) -> None:
    name = sorted(one.name[:24] for one in copy.files("archive/*/*/*/*-*") if one.name[:24] < origin[1]["last"])[-1]
    copy.segment(name).unlink()
    found = failure(copy.prove())
    assert found["name"] == "missing_wal" and name in found["object"]


def test_missing_wal_at_the_end_is_known_from_the_live_cluster(copy: Copy, origin: Told) -> None:
    copy.segment(origin[1]["last"]).unlink()
    found = failure(copy.prove())
    assert found["name"] == "missing_wal" and origin[1]["last"] in found["object"]


def test_wal_that_only_the_backup_needs_is_missed(copy: Copy, origin: Told) -> None:
    first = copy.prove(**at_mark(origin[1]))["facts"]["first_wal"]
    copy.segment(first).unlink()
    found = failure(copy.prove(**at_mark(origin[1])))
    assert found["name"] == "missing_wal" and first in found["object"]


def test_flipped_byte_in_a_file_of_the_backup(copy: Copy) -> None:
    copy.flip(copy.files("backup/postgres/*F/bundle/1")[0])
    assert failure(copy.prove())["name"] == "damaged_file"


def test_flipped_byte_in_wal(copy: Copy, origin: Told) -> None:
    names = sorted(one.name[:24] for one in copy.files("archive/*/*/*/*-*") if one.name[:24] < origin[1]["last"])
    copy.flip(copy.segment(names[-1]))
    found = failure(copy.prove())
    assert found["name"] == "damaged_wal" and names[-1] in found["object"]


def test_flipped_byte_in_the_manifest(copy: Copy, origin: Told) -> None:
    copy.flip(copy.files(f"backup/postgres/{origin[1]['label']}/backup.manifest")[0])
    found = failure(copy.prove())
    assert found["name"] == "damaged_manifest" and "backup.manifest" in found["object"]


def test_flipped_byte_in_the_list_of_backups(copy: Copy) -> None:
    copy.flip(copy.files("backup/postgres/backup.info")[0])
    assert failure(copy.prove())["name"] == "damaged_info"


def test_truncated_file(copy: Copy) -> None:
    path = copy.files("backup/postgres/*F/bundle/1")[0]
    path.write_bytes(path.read_bytes()[:-1000])
    found = failure(copy.prove())
    assert found["name"] == "truncated_file" and "bundle/1" in found["object"]


def test_missing_file(copy: Copy) -> None:
    copy.files("backup/postgres/*F/bundle/1")[0].unlink()
    found = failure(copy.prove())
    assert found["name"] == "missing_file" and "bundle/1" in found["object"]


def test_wrong_key(copy: Copy) -> None:
    (copy.home / "secrets" / "cipher-passphrase").write_text("canary-other")
    assert failure(copy.prove())["name"] == "wrong_key"


def test_missing_backup(copy: Copy, origin: Told) -> None:
    label = origin[1]["label"]
    assert failure(copy.prove(set="20200101-000000F"))["name"] == "missing_backup"
    for path in copy.files(f"backup/postgres/{label}/**/*"):
        path.unlink()
    found = failure(copy.prove())
    assert found["name"] == "missing_backup" and label in found["object"]


def test_empty_repository(copy: Copy) -> None:
    subprocess.run(["rm", "-r", str(copy.home / "repo" / "backup")], check=True)
    assert failure(copy.prove())["name"] == "missing_backup"


def test_backup_of_another_cluster(copy: Copy, machine: Machine) -> None:
    other = Origin(machine, "other")
    other.init()
    told = machine.pod.run("pg_controldata", other.data).stdout
    mine = next(line.split()[-1] for line in told.splitlines() if "system identifier" in line)
    assert failure(copy.prove(system_id=mine))["name"] == "other_cluster"


# -- after a failover -----------------------------------------------------------------------------


def test_recovery_goes_over_to_the_timeline_of_who_took_over(copy_after_failover: Copy, promoted: Told) -> None:
    told = copy_after_failover.prove()
    assert told["verdict"] == "PASS", told
    assert (told["facts"]["timeline"], told["facts"]["restored_timeline"]) == (2, 3)
    assert told["facts"]["last_wal"] == promoted[1]["last"] and told["figures"]["rows_counted"] == 20300


def test_to_a_mark_of_who_took_over(copy_after_failover: Copy, promoted: Told) -> None:
    assert copy_after_failover.prove(**at_mark(promoted[1]))["verdict"] == "PASS"


def test_missing_wal_where_timelines_meet(copy_after_failover: Copy) -> None:
    first = copy_after_failover.files("archive/*/*/00000002*/*-*")[0]
    first.unlink()
    found = failure(copy_after_failover.prove())
    assert found["name"] == "missing_wal" and first.name[:24] in found["object"]


def test_missing_history(copy_after_failover: Copy) -> None:
    copy_after_failover.files("archive/*/*/00000002.history")[0].unlink()
    found = failure(copy_after_failover.prove())
    assert found["name"] == "missing_wal" and found["object"] == "WAL 00000002.history"


def test_an_old_primary_that_nobody_stopped_backs_up_what_nobody_needs(
    machine: Machine, origin: Told, promoted: Told
) -> None:
    old = Origin(machine, "old")
    try:
        old.take("pg", origin[0])
        old.take("repo", promoted[0])
        old.configure()
        old.start()
        old.archived()
        label = old.backup("full")
    finally:
        old.stop()
    with copied(machine, (old, promoted[1])) as copy:
        found = failure(copy.prove())
    assert found["name"] == "wrong_timeline" and label in found["object"]


# -- damaged before it was backed up --------------------------------------------------------------


def test_what_the_live_cluster_has_wrong_itself_is_found(copy_of_ill: Copy) -> None:
    told = copy_of_ill.prove()
    assert told["verdict"] == "FAIL"
    names = {one["name"]: one for one in told["failures"]}
    assert {"amcheck", "dump"} <= set(names), told
    assert "lied" in names["amcheck"]["cause"] and "gone" not in names["amcheck"]["cause"]


@contextlib.contextmanager
def with_bad_pages(
    machine: Machine, ill: Told, name: str, tables: t.Sequence[str], *options: str
) -> t.Iterator[tuple[Copy, str]]:
    """A copy of a backup of tables with a flipped byte, and its label."""
    one = Origin(machine, name)
    one.follow(ill[0])
    one.start()
    try:
        one.until("select not pg_is_in_recovery()")
        paths = [one.place / "pg" / one.sql(f"select pg_relation_filepath('{table}')") for table in tables]
        one.stop()
        for path in paths:
            content = bytearray(path.read_bytes())
            content[8000] ^= 0x01
            path.write_bytes(bytes(content))
        one.start()
        label = one.backup("full", *options)
        last = one.archived()
    finally:
        one.stop()
    with copied(machine, (one, {**ill[1], "last": last})) as copy:
        yield copy, label


def test_pages_that_were_bad_already(copy_of_ill: Copy, machine: Machine, ill: Told) -> None:
    with with_bad_pages(machine, ill, "bad", ["lied"]) as (copy, label):
        found = failure(copy.prove())
    assert found["name"] == "damaged_file" and label in found["object"] and "wrong checksums" in found["cause"]


def test_bad_pages_that_no_backup_looked_at(copy_of_ill: Copy, machine: Machine, ill: Told) -> None:
    with with_bad_pages(machine, ill, "unseen", ["lied", "enclii.heartbeat"], "--no-checksum-page") as (copy, _label):
        told = copy.prove()
    assert [one["name"] for one in told["failures"]] == [
        "query_failed",
        "query_failed",
        "amcheck",
        "dump",
        "checksums",
    ], told
    heartbeat, lied, *_ = told["failures"]
    assert heartbeat["object"] == "Database postgres" and "invalid page" in heartbeat["cause"]
    assert lied["object"] == "Table public.lied in database postgres" and "invalid page" in lied["cause"]
    assert "checksum verification failed" in told["failures"][-1]["cause"]


def test_wal_that_ends_too_early(copy: Copy, machine: Machine, origin: Told) -> None:
    """It was archived with this content, so that no checksum tells; recovery takes it for the end of all WAL."""
    names = sorted(one.name[:24] for one in copy.files("archive/*/*/*/*-*") if one.name[:24] < origin[1]["last"])
    place = f"{machine.home}/{copy.name}/{names[-1]}"
    pgbackrest = (PGBACKREST, f"--stanza={STANZA}", f"--pg1-path={origin[0].data}")
    machine.pod.run(*pgbackrest, "archive-get", names[-1], place, **copy.environment)
    copy.segment(names[-1]).unlink()
    content = (machine.base / copy.name / names[-1]).read_bytes()
    (machine.base / copy.name / names[-1]).write_bytes(content[:100] + bytes(len(content) - 100))
    machine.pod.run(*pgbackrest, "archive-push", place, **copy.environment)
    found = failure(copy.prove())
    assert found["name"] == "ended_early" and origin[1]["last"] in found["object"]


def test_damage_in_another_backup_is_found_where_all_is_read(copy: Copy, origin: Told) -> None:
    """pgBackRest's verify ends with 0 whatever it finds."""
    words = ("--output=text", "verify")
    copy.flip(copy.files(f"backup/postgres/{origin[1]['label']}/bundle/1")[0])
    full = origin[1]["label"].partition("_")[0]
    verify = (PGBACKREST, f"--stanza={STANZA}", *words)
    assert copy.machine.pod.run(*verify, check=False, **copy.environment).returncode == 0
    assert copy.prove(set=full, manifest=None)["failures"] == []
    assert failure(copy.prove(set=full, manifest=None, verify="all"))["name"] == "damaged_file"


# -- what keeps it from beginning -----------------------------------------------------------------


def test_a_server_that_does_not_start_is_told_by_its_own_words(copy: Copy) -> None:
    found = failure(copy.prove(shared_buffers="900TB"))
    assert found["name"] == "start_failed" and "shared_buffers" in found["cause"]


def test_time_that_runs_out(copy: Copy) -> None:
    assert failure(copy.prove(deadline=1))["name"] == "deadline"


# -- killed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", ["pgdata", "server.log"])
def test_one_that_is_told_to_end_takes_away_what_it_made(copy: Copy, machine: Machine, seen: str) -> None:
    argv = machine.pod.argv(*copy.argv())
    with subprocess.Popen(
        argv, env=machine.pod.environ(**copy.environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        until = time.monotonic() + 60
        while seen not in copy.left() and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert copy.left() == set()


def test_what_a_killed_one_left_the_next_takes_away(copy: Copy, machine: Machine) -> None:
    argv = machine.pod.argv(*copy.argv())
    with subprocess.Popen(
        argv, env=machine.pod.environ(**copy.environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + 60
        while "pgdata" not in copy.left() and time.monotonic() < until:
            time.sleep(0.02)
        machine.pod.kill(process)
    assert "pgdata" in copy.left()
    assert copy.prove()["verdict"] == "PASS"
