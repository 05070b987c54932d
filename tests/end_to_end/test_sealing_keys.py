# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S1 on a real cluster: sealing keys are backed up and proved by playbook, renewed and restored by the role, and shown nowhere."""

from __future__ import annotations

import base64
import json
import secrets
import time
import typing as t
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import objectstore
import pyrage
import pytest
from labrun import LabRun, Outcome

KEY_LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
RECORD = "enclii-sealing-keys-backup"
SPACE = "enclii-system"
IDENTITY = pyrage.x25519.Identity.generate()
PASSPHRASE = f"canary-{secrets.token_hex(12)}"


def changes(run: Outcome) -> int:
    return run.succeeded().changed["localhost"]


def key_secrets(lab: LabRun) -> dict[str, dict[str, str]]:
    """Name of each sealing key's Secret -> its data."""
    found = lab.get("secret", "-n", SPACE, "-l", KEY_LABEL)["items"]
    return {one["metadata"]["name"]: one["data"] for one in found}


def record(lab: LabRun) -> dict[str, str]:
    return t.cast("dict[str, str]", lab.get("configmap", RECORD, "-n", SPACE)["data"])


def words(**variables: t.Any) -> tuple[str, str]:
    return "-e", json.dumps(variables)


def leaked(lab: LabRun, output: str, *more: str) -> list[str]:
    """Beginnings of what must be in no output: pieces of every private key, identity, passphrase."""
    canaries = [str(IDENTITY), PASSPHRASE, *more]
    for data in key_secrets(lab).values():
        lines = base64.b64decode(data["tls.key"]).decode().splitlines()
        canaries += [data["tls.key"][200:260], lines[5], lines[20]]
    return [one[:10] for one in canaries if one in output]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def store() -> t.Iterator[objectstore.ObjectStore]:
    if objectstore.missing():
        pytest.skip(objectstore.missing())
    running = objectstore.ObjectStore()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def platform(cluster: LabRun) -> t.Iterator[LabRun]:
    """The cluster with the platform on it, and no record of a backup, before and after."""
    cluster.playbook("platform").succeeded()
    forget(cluster)
    yield cluster
    forget(cluster)


def forget(lab: LabRun) -> None:
    lab.kubectl("delete", "configmap", "-n", SPACE, RECORD, "--ignore-not-found")
    lab.kubectl("delete", "configmap", "-n", SPACE, "-l", "enclii.dev/sealing-keys-proved")


@pytest.fixture(scope="module")
def variables(home: Path, store: objectstore.ObjectStore) -> tuple[str, ...]:
    (home / "identity").write_text(f"{IDENTITY}\n")
    s3 = {name: value for name, value in store.options.items() if value}
    return words(
        sealed_secrets_key_backup_recipients=[str(IDENTITY.to_public())],
        sealed_secrets_key_backup_identity=str(home / "identity"),
        sealed_secrets_key_backup_directory=str(home / "backups"),
        sealed_secrets_key_backup_s3=s3,
    )


def test_playbook_says_what_it_needs(platform: LabRun) -> None:
    run = platform.playbook("backup_sealing_keys")
    assert run.rc != 0
    assert "Nothing was backed up. Set sealed_secrets_key_backup_directory" in run.output


def test_backup_is_proved_and_a_second_run_changes_nothing(
    platform: LabRun, home: Path, store: objectstore.ObjectStore, variables: tuple[str, ...]
) -> None:
    assert changes(platform.playbook("backup_sealing_keys", *variables, "--check", "--diff")) == 1
    assert not (home / "backups").exists()
    run = platform.playbook("backup_sealing_keys", *variables, "-vvv", "--diff")
    assert changes(run) == 1
    assert record(platform)["proved"] == "true"
    [file] = (home / "backups").iterdir()
    assert [path.read_bytes() for path in store.objects()] == [file.read_bytes()]
    held = json.loads(pyrage.decrypt(file.read_bytes(), [IDENTITY]))["items"]
    assert {one["metadata"]["name"]: one["data"] for one in held} == key_secrets(platform)
    assert changes(platform.playbook("backup_sealing_keys", *variables)) == 0
    assert changes(platform.playbook("backup_sealing_keys", *variables, "--check")) == 0
    assert platform.kubectl("get", "namespace", "enclii-sealing-proof", check=False) == ""
    assert (
        platform.kubectl("get", "configmap", "-n", SPACE, "-o", "name").count("configmap/enclii-sealing-keys-proved-")
        == 1
    )
    assert leaked(platform, run.output, store.secret_key) == []


def test_renewal_makes_one_key_and_warns_until_it_is_backed_up(platform: LabRun, variables: tuple[str, ...]) -> None:
    before = set(key_secrets(platform))
    time.sleep(1.1)  # certificates begin at whole seconds
    renewal = words(sealed_secrets_key_cutoff_time=format_datetime(datetime.now(UTC)))
    run = platform.playbook("platform", *renewal)
    assert changes(run) > 0
    [new] = set(key_secrets(platform)) - before
    assert f"Sealing key {new}" in run.output
    assert "is in no backup" in run.output.replace("\n", " ")
    assert changes(platform.playbook("platform", *renewal)) == 0
    assert set(key_secrets(platform)) == before | {new}
    done = platform.playbook("backup_sealing_keys", *variables)
    assert changes(done) == 1
    assert record(platform)["proved"] == "true"
    assert json.loads(record(platform)["key_ids"]).__len__() == len(before) + 1
    # without the time it is restarted once more, and makes no key
    assert changes(platform.playbook("platform")) > 0
    assert set(key_secrets(platform)) == before | {new}


def test_backup_encrypted_with_age_is_restored_by_the_role(
    platform: LabRun, home: Path, variables: tuple[str, ...]
) -> None:
    """Onto a cluster that has the keys: what is restored is what was there. The rebuild from nothing is a test of its own."""
    file = max((home / "backups").iterdir())
    keys = key_secrets(platform)
    (home / "other").write_text(f"{pyrage.x25519.Identity.generate()}\n")
    wrong = words(sealed_secrets_key_backup=str(file), sealed_secrets_key_backup_identity=str(home / "other"))
    run = platform.playbook("platform", *wrong, "-vvv", "--diff")
    assert run.rc != 0
    assert "no identity given opens it" in run.output
    assert run.changed["localhost"] == 0
    given = words(sealed_secrets_key_backup=str(file), sealed_secrets_key_backup_identity=str(home / "identity"))
    run = platform.playbook("platform", *given, "-vvv", "--diff")
    assert changes(run) > 0
    assert changes(platform.playbook("platform", *given)) == 0
    assert key_secrets(platform) == keys
    assert leaked(platform, run.output) == []
    locked = pyrage.passphrase.encrypt(pyrage.decrypt(file.read_bytes(), [IDENTITY]), PASSPHRASE)
    (home / "binary.age").write_bytes(locked)
    given = words(sealed_secrets_key_backup=str(home / "binary.age"), sealed_secrets_key_backup_passphrase=PASSPHRASE)
    # the same keys, encrypted otherwise: the controller need not be restarted
    run = platform.playbook("platform", *given, "-vvv", "--diff")
    assert changes(run) == 0
    assert leaked(platform, run.output) == []
    assert changes(platform.playbook("platform")) == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("sealed_secrets_image_tag", "0.35.0", "CVE-2026-22728"),
        ("sealed_secrets_key_cutoff_time", "2026-01-01", "which the controller cannot read"),
        ("sealed_secrets_key_cutoff_time", "Sun, 01 Jan 2090 00:00:00 +0000", "which is yet to come"),
    ],
)
def test_refused_before_anything_is_changed(platform: LabRun, variable: str, value: str, said: str) -> None:
    run = platform.playbook("platform", *words(**{variable: value}))
    assert run.rc != 0
    assert said in run.output.replace("\n", " ")
    assert run.changed["localhost"] == 0


def test_old_version_is_advised_against(platform: LabRun) -> None:
    run = platform.playbook("platform", "--check", *words(sealed_secrets_image_tag="0.39.0"))
    assert changes(run) > 0
    assert "Set sealed_secrets_image_tag to 0.40.0." in run.output
