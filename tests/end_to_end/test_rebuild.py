# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that is lost comes back from git and the backup of its sealing keys alone, with the same values in its Secrets.

Only for a lab that the tests own (ENCLII_TEST_COMPLETE, set by `make test`): nobody's cluster is reset for a test.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import typing as t
from pathlib import Path

import pyrage
import pytest
import yaml
from labrun import LabRun, Outcome

CANARY = f"canary-{secrets.token_hex(12)}"
SPACE = "enclii-dev"
DECLARED = [
    {
        "name": "rebuilt",
        "keys": [
            {"name": "password", "generator": "random"},
            {"name": "key", "generator": "keypair", "public": "key.pub"},
            {"name": "access-key", "generator": "given"},
        ],
    }
]


def git(where: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words],
        cwd=where,
        check=True,
        capture_output=True,
    )


def values(lab: LabRun) -> t.Any:
    """Values and sealed items: what must be the same afterwards."""
    found = lab.kubectl("get", "secret", "-n", SPACE, "rebuilt", "-o", "json", "--ignore-not-found")
    return json.loads(found)["data"] if found else {}


def run(lab: LabRun, name: str, sealed: Path, *more: str) -> Outcome:
    said = {"enclii_secrets": DECLARED, "enclii_sealed_directory": str(sealed)}
    return lab.playbook(name, "-e", json.dumps(said), *more)


class Kept(t.NamedTuple):
    """What outlives the cluster: a repository, an age-encrypted backup of the keys, and, for comparison, the Secret's data."""

    repository: Path
    backup: list[str]
    data: dict[str, str]


@pytest.fixture(scope="module")
def kept(lab: LabRun, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A cluster with secrets, of which only git and the backup are left: its machines are bare."""
    if not os.environ.get("ENCLII_TEST_COMPLETE"):
        pytest.skip("the cluster on this lab may be somebody's: `make test` runs this on a lab of its own")
    home = tmp_path_factory.mktemp("kept")
    repository = home / "repository"
    repository.mkdir()
    reset = ("-e", f"kubernetes_reset_cluster={lab.lab.name}")
    # whatever was made of these machines before, another CNI's cluster perhaps
    lab.playbook("reset", *reset).succeeded()
    lab.playbook("bootstrap").succeeded()
    given = home / "given.json"
    given.write_text(json.dumps({"enclii_given_secrets": {"rebuilt": {"access-key": CANARY}}}))
    run(lab, "secrets", repository / "sealed", "-e", f"@{given}").succeeded()
    run(lab, "platform", repository / "sealed").succeeded()
    for words in (["init"], ["add", "."], ["commit", "-m", "Seal enclii-dev/rebuilt"]):
        git(repository, *words)
    identity, place = pyrage.x25519.Identity.generate(), home / "backups"
    opener = home / "identity"
    opener.write_text(f"{identity}\n")
    said = {
        "sealed_secrets_key_backup_directory": str(place),
        "sealed_secrets_key_backup_recipients": [str(identity.to_public())],
        "sealed_secrets_key_backup_identity": str(opener),
    }
    lab.playbook("backup_sealing_keys", "-e", json.dumps(said)).succeeded()
    (backup,) = place.iterdir()
    data = values(lab)
    assert set(data) == {"password", "key", "key.pub", "access-key"}
    lab.playbook("reset", *reset).succeeded()
    restore = {"sealed_secrets_key_backup": str(backup), "sealed_secrets_key_backup_identity": str(opener)}
    return Kept(repository, ["-e", json.dumps(restore)], data)


@pytest.fixture(scope="module")
def rebuilt(lab: LabRun, kept: Kept, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of sealed manifests in a fresh clone, and a new cluster that was made from it and the backup by one run."""
    clone = tmp_path_factory.mktemp("rebuilt") / "clone"
    git(clone.parent, "clone", str(kept.repository), str(clone))
    run(lab, "site", clone / "sealed", *kept.backup).succeeded()
    return clone / "sealed"


def test_the_same_values_are_there_again(lab: LabRun, kept: Kept, rebuilt: Path) -> None:
    lab.until("the Secret is unsealed", lambda: values(lab), 60)
    assert values(lab) == kept.data


def test_nothing_was_sealed_anew(lab: LabRun, kept: Kept, rebuilt: Path) -> None:
    live = lab.get("sealedsecret", "-n", SPACE, "rebuilt")["spec"]["encryptedData"]
    assert live == yaml.safe_load((rebuilt / f"{SPACE}-rebuilt.yaml").read_text())["spec"]["encryptedData"]
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=rebuilt, check=True, capture_output=True, text=True
    ).stdout
    assert status == ""


def test_nothing_is_left_to_do(lab: LabRun, kept: Kept, rebuilt: Path) -> None:
    for name in ("platform", "secrets"):
        assert run(lab, name, rebuilt, *kept.backup).succeeded().changed["localhost"] == 0, name
    assert not any(CANARY in text for text in lab.transcript)
