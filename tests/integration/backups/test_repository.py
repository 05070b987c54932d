# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real backups in a real bucket look like, whole and broken, in the words of backup_info."""

from __future__ import annotations

import shutil
import typing as t

import backups
import pytest

from ansible_collections.enclii.platform.plugins.module_utils.postgres.repository import Limits, explain, judge

Obj = dict[str, t.Any]


def names(found: Obj) -> set[str]:
    return {one["name"] for one in found["findings"]}


def judged(told: Obj, **limits: float) -> Obj:
    return judge(told, "postgres", Limits(**limits))


@pytest.fixture(scope="module")
def taken(site: backups.Site) -> list[Obj]:
    """A full, a differential and an incremental backup, with segments of WAL between and after them."""
    found = []
    for kind in ("full", "diff", "incr"):
        found.append(site.take(kind))
        site.archived([site.write() for _ in range(3)][-1])
    return found


def test_backups_are_what_was_asked_for(taken: list[Obj]) -> None:
    assert [one["type"] for one in taken] == ["full", "diff", "incr"], taken
    assert taken[0]["bytes"] > 20e6
    assert taken[1]["repository_bytes"] < taken[0]["repository_bytes"] / 10


def test_a_sound_repository_has_no_findings(site: backups.Site, taken: list[Obj]) -> None:
    found = judged(site.info())
    assert found["state"] == "ok", found["findings"]
    assert [one["label"] for one in found["backups"]] == [one["label"] for one in taken]
    assert found["last"] == {one["type"]: one["label"] for one in taken}
    assert found["archive"]["current"]
    assert found["archive"]["gaps"] == []
    assert len(found["archive"]["ranges"]) == 1
    assert found["encrypted"]
    assert found["postgresql"]
    assert found["system_id"] == site.sql("SELECT system_identifier FROM pg_control_system()")


def test_backups_of_another_cluster_are_told(site: backups.Site, taken: list[Obj]) -> None:
    assert names(judge(site.info(), "postgres", Limits(), system_id="7000000000000000001")) == {"other-cluster"}


def test_nothing_in_the_bucket_can_be_read_without_the_key(site: backups.Site, taken: list[Obj]) -> None:
    words = (b"CREATE TABLE", b"xxxxxxxxxxxx", b"[backup]", b"pg_control", b"db-system-id")
    for path in site.store.objects():
        content = path.read_bytes()
        assert not [word for word in words if word in content], path


def wal(bucket: t.Any, segment: str) -> t.Any:
    found = list(bucket.glob(f"postgres/archive/postgres/*/*/{segment}-*"))
    assert len(found) == 1, found
    return found[0]


def after(name: str, number: int) -> str:
    return f"{name[:16]}{int(name[16:], 16) + number:08X}"


def test_a_gap_between_backups_is_found(site: backups.Site, taken: list[Obj]) -> None:
    lost = after(judged(site.info())["backups"][0]["wal_stop"], 1)
    wal(site.copy("gap"), lost).unlink()
    found = judged(site.info("gap"))
    assert names(found) == {"wal-gap"}
    assert lost in found["findings"][0]["text"]
    assert found["archive"]["gaps"] == [lost]
    # pgBackRest itself sees nothing wrong
    assert site.info("gap")["info"][0]["status"]["code"] == 0


def test_a_backup_without_its_wal_is_none(site: backups.Site, taken: list[Obj]) -> None:
    full = judged(site.info())["backups"][0]
    wal(site.copy("no-wal"), full["wal_stop"]).unlink()
    found = judged(site.info("no-wal"))
    assert "wal-missing" in names(found)
    assert "full-old" in names(found), "it does not count as the last full one"
    assert [one["wal_missing"] for one in found["backups"]] == [[full["wal_stop"]], [], []]


def test_wal_that_stopped_is_found(site: backups.Site, taken: list[Obj]) -> None:
    told = site.info()
    told["now"] += 16 * 60
    assert names(judged(told)) == {"archive-old"}
    assert names(judged(told, archive=0)) == set()


def test_a_backup_that_is_gone_from_the_bucket_is_found(site: backups.Site, taken: list[Obj]) -> None:
    for path in site.copy("no-backup").glob("postgres/backup"):
        shutil.rmtree(path)
    found = judged(site.info("no-backup"))
    assert names(found) == {"stanza-missing"}


@pytest.mark.parametrize(
    ("secret", "name"),
    [("cipher_passphrase", "wrong-key"), ("s3_secret", "wrong-credentials"), ("s3_key", "wrong-credentials")],
)
def test_a_wrong_secret_is_named(site: backups.Site, taken: list[Obj], secret: str, name: str) -> None:
    site.secrets(site.job, **{secret: "canary-wrong"})
    try:
        told, refused = site.info(), site.take()
    finally:
        site.secrets(site.job)
    found = judged(told)
    assert names(found) == {name}, found
    assert not refused["ok"] and explain(refused["cause"])[0] == name, refused
    for text in (str(told), str(refused), str(found)):
        assert "canary" not in text
        assert site.store.access_key not in text


def test_who_is_not_the_backups_client_reads_nothing_of_the_database(site: backups.Site, taken: list[Obj]) -> None:
    """Its certificate is by the same authority."""
    site.mount_certificates(client="other")
    try:
        more = {"PGBACKREST_DB_TIMEOUT": "5", "PGBACKREST_PROTOCOL_TIMEOUT": "10", "PGBACKREST_IO_TIMEOUT": "2"}
        refused = site.take("incr", **more)
    finally:
        site.mount_certificates()
    assert not refused["ok"] and explain(refused["cause"])[0] == "client-refused", refused


def test_a_missing_secret_is_named(site: backups.Site, taken: list[Obj]) -> None:
    found = judged(site.info(ENCLII_BACKUP_SECRETS="/nowhere"))
    assert names(found) == {"secret-missing"}
    assert "/nowhere/s3-key" in found["findings"][0]["text"]


def test_a_missing_bucket_is_named(site: backups.Site, taken: list[Obj]) -> None:
    assert names(judged(site.info("nobody-made-it"))) == {"bucket-missing"}


def test_an_empty_bucket_is_named(site: backups.Site, taken: list[Obj]) -> None:
    (site.store.home / "data" / "empty").mkdir()
    assert names(judged(site.info("empty"))) == {"stanza-missing"}


def test_a_server_that_is_not_believed_is_named(site: backups.Site, taken: list[Obj]) -> None:
    other = (site.home / "ca.crt").read_text()  # of another CA
    site.job.write("etc/other-ca.crt", other)
    found = judged(site.info(PGBACKREST_REPO1_STORAGE_CA_FILE="/etc/other-ca.crt", PGBACKREST_IO_TIMEOUT="2"))
    assert names(found) == {"wrong-certificate"}, found


def test_what_expires_is_what_pgbackrest_says(site: backups.Site, taken: list[Obj]) -> None:
    assert judged(site.info())["expires"] == []
    site.copy("old")
    more = {"PGBACKREST_REPO1_RETENTION_FULL_TYPE": "count", "PGBACKREST_REPO1_RETENTION_FULL": "1"}
    bucket = {"PGBACKREST_REPO1_S3_BUCKET": "old"}
    site.job.run(
        "/usr/local/bin/enclii-pgbackrest",
        "--stanza=postgres",
        "--type=full",
        "--no-expire-auto",
        "--no-archive-check",
        "backup",
        **bucket,
    )
    found = judged(site.info(**bucket, **more))
    assert found["expires"] == sorted(one["label"] for one in taken)
    assert [one["expires"] for one in found["backups"]] == [True, True, True, False]
