# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store that goes away and comes back, backups that are broken off, and two at a time."""

from __future__ import annotations

import os
import signal
import threading
import time
import typing as t

import backups

from ansible_collections.enclii.platform.plugins.module_utils.postgres.repository import Limits, explain, judge

Obj = dict[str, t.Any]


def judged(site: backups.Site) -> Obj:
    return judge(site.info(), "postgres", Limits())


def names(found: Obj) -> set[str]:
    return {one["name"] for one in found["findings"]}


def test_an_outage_of_the_store_loses_nothing(site: backups.Site) -> None:
    assert site.take()["ok"]
    site.store.pause()
    segments = [site.write() for _ in range(6)]
    time.sleep(3)
    down = judge(site.info(PGBACKREST_IO_TIMEOUT="0.5"), "postgres", Limits())
    assert names(down) == {"unreachable"}, down["findings"]
    waiting = site.sql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'")
    assert int(waiting) >= len(segments), "all of it is still in the database"
    site.store.resume()
    site.write()
    site.archived(segments[-1], 90)
    found = judged(site)
    assert found["state"] == "ok", found["findings"]
    assert found["archive"]["gaps"] == []


def test_another_cluster_is_refused_and_the_repository_stays_as_it_was(own_site: backups.Site) -> None:
    site = own_site
    assert site.take()["ok"]
    mine = judged(site)
    site.begin_anew()
    refused = site.take()
    assert not refused["ok"]
    name, step = explain(refused["cause"])
    assert name == "other-cluster" and "bucket" in step, refused
    site.write()
    deadline = time.monotonic() + 30
    while site.sql("SELECT failed_count FROM pg_stat_archiver") == "0":
        assert time.monotonic() < deadline, site.log()[-2000:]
        time.sleep(0.2)
    assert site.sql("SELECT archived_count FROM pg_stat_archiver") == "0"
    found = judged(site)
    assert (labels(found), found["archive"]["ranges"]) == (labels(mine), mine["archive"]["ranges"])
    other = site.sql("SELECT system_identifier FROM pg_control_system()")
    assert names(judge(site.info(), "postgres", Limits(), system_id=other)) == {"other-cluster"}


def test_wal_that_is_thrown_away_is_found(impatient_site: backups.Site) -> None:
    """A queue grows while nobody pushes. During an outage pgBackRest before 2.59 looks at the limit or does not: docs/backups.md."""
    site = impatient_site
    assert site.take()["ok"]
    archiver = int(site.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'"))
    os.kill(archiver, signal.SIGSTOP)
    for _ in range(8):
        site.write()
    os.kill(archiver, signal.SIGCONT)
    deadline = time.monotonic() + 60
    while "dropped WAL file" not in site.log():
        assert time.monotonic() < deadline, site.log()[-2000:]
        time.sleep(0.2)
    site.archived(site.write(), 90)
    found = judged(site)
    assert names(found) == {"wal-gap"}, found["findings"]
    (gap,) = found["archive"]["gaps"]
    assert " to " in gap, "all that waited is thrown away, and not only what is too much"


def labels(found: Obj) -> list[str]:
    return [one["label"] for one in found["backups"]]


def test_a_backup_that_was_killed_is_no_backup(site: backups.Site) -> None:
    site.take()
    before = labels(judged(site))
    site.sql("CREATE TABLE big AS SELECT g, md5(g::text) || md5((g + 1)::text) FROM generate_series(1, 1500000) g")
    site.archived(site.write())
    running = site.job.start(
        "/usr/local/bin/enclii-backup", "take", "--type=full", "--stanza=postgres", PGBACKREST_PROCESS_MAX="1"
    )
    deadline = time.monotonic() + 30
    while not site.info()["unfinished"]:
        assert time.monotonic() < deadline
    site.job.kill(running)
    found = judged(site)
    assert labels(found) == before
    assert found["state"] == "ok"
    assert any("broken off" in one for one in found["notices"])
    # The lock of the one that was killed goes by itself, and the next one takes what is there already.
    second = site.take("full")
    assert second["ok"], second
    found = judged(site)
    assert labels(found) == [*before, second["label"]]
    assert found["unfinished"] == []


def test_the_second_of_two_waits_for_the_first(site: backups.Site) -> None:
    site.take()
    site.sql("CREATE TABLE other AS SELECT g, md5(g::text) || md5((g + 1)::text) FROM generate_series(1, 500000) g")
    told: list[Obj] = []
    threads = [threading.Thread(target=lambda kind=kind: told.append(site.take(kind))) for kind in ("full", "full")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one["ok"] for one in told] == [True, True], told
    assert len({one["label"] for one in told}) == 2


def test_the_server_learns_of_renewed_certificates(site: backups.Site) -> None:
    """The last here: it ends the server."""
    assert site.take()["ok"]
    server = site.processes[-1]
    site.renew_certificates()
    deadline = time.monotonic() + 20
    while not (told := site.take("incr"))["ok"]:
        assert time.monotonic() < deadline, told
        time.sleep(0.5)
    assert server.poll() is None, "it was not started anew"
    server.terminate()
    assert server.wait(10) == 0
    assert "certificates have changed" in t.cast("t.IO[str]", server.stdout).read()
    refused = site.take("incr", PGBACKREST_DB_TIMEOUT="5", PGBACKREST_PROTOCOL_TIMEOUT="10", PGBACKREST_IO_TIMEOUT="2")
    assert not refused["ok"] and explain(refused["cause"])[0] == "no-primary", refused
    assert "Connection refused" in refused["cause"]
