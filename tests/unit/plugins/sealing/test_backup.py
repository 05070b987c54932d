# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of sealing keys: age both ways, places that overwrite nothing, and the record that a cluster keeps."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import typing as t
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealing import NOW

from ansible_collections.enclii.platform.plugins.module_utils.sealing import backup
from ansible_collections.enclii.platform.plugins.module_utils.sealing.backup import Directory, Lock, Record
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

CANARY = "canary-passphrase-5d1f"
IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
OTHER = pyrage.x25519.Identity.generate()


def identity_file(identity: t.Any = IDENTITY) -> str:
    return f"# created: 2026-11-23T00:00:00Z\n# public key: {identity.to_public()}\n{identity}\n"


# -- encryption ----------------------------------------------------------------------------------


@given(st.binary(max_size=4096))
@settings(max_examples=25, deadline=None)
def test_recipients_open_what_is_encrypted_for_them(data: bytes) -> None:
    locked = backup.encrypt(data, Lock([RECIPIENT, str(OTHER.to_public())]))
    assert backup.is_encrypted(locked)
    assert locked.isascii()
    for identity in (IDENTITY, OTHER):
        assert backup.decrypt(locked, Lock(identities=[identity_file(identity)])) == data


def test_binary_file_of_age_is_opened_too() -> None:
    locked = pyrage.encrypt(b"data", [IDENTITY.to_public()])
    assert backup.is_encrypted(locked)
    assert backup.decrypt(locked, Lock(identities=[identity_file()])) == b"data"
    assert not backup.is_encrypted(b"apiVersion: v1\n")


def test_passphrase_and_ssh_key(tmp_path: Path) -> None:
    locked = backup.encrypt(b"data", Lock(passphrase=CANARY))
    assert backup.decrypt(locked, Lock(passphrase=CANARY)) == b"data"
    # an identity that does not fit does not keep the passphrase from being tried
    assert backup.decrypt(locked, Lock(passphrase=CANARY, identities=[identity_file()])) == b"data"
    if not shutil.which("ssh-keygen"):
        pytest.skip("there is no ssh-keygen")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    locked = backup.encrypt(b"data", Lock([(tmp_path / "id.pub").read_text().strip()]))
    assert backup.decrypt(locked, Lock(identities=[(tmp_path / "id").read_text()])) == b"data"


def test_a_busy_machine_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyrage measures the machine each time; on one that is busy it refuses work that it would do a moment later."""
    locked = backup.encrypt(b"data", Lock(passphrase=CANARY))
    real, refusals, pauses = backup.pyrage.passphrase.decrypt, [1, 1], []

    def decrypt(data: bytes, passphrase: str) -> bytes:
        if refusals:
            refusals.pop()
            raise backup.pyrage.DecryptError("Excessive work parameter for passphrase.")
        return real(data, passphrase)

    monkeypatch.setattr(backup.pyrage.passphrase, "decrypt", decrypt)
    assert backup.decrypt(locked, Lock(passphrase=CANARY), pause=pauses.append) == b"data"
    assert len(pauses) == 2
    refusals += [1] * 100
    with pytest.raises(SealingError, match="more work than this machine does"):
        backup.decrypt(locked, Lock(passphrase=CANARY), pause=pauses.append)


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        (Lock(identities=[identity_file(OTHER)]), "no identity given opens it"),
        (Lock(passphrase=CANARY), "no passphrase given opens it"),
        (Lock(), "is encrypted with age"),
        (Lock(identities=[f"{CANARY}\n"]), "holds no age identity"),
        (Lock(identities=[""]), "holds no age identity"),
        (Lock(identities=[f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n"]), "holds no age identity"),
    ],
)
def test_what_does_not_open_says_so_and_shows_nothing(lock: Lock, words: str) -> None:
    locked = backup.encrypt(b"data", Lock([RECIPIENT]))
    with pytest.raises(SealingError, match=words) as caught:
        backup.decrypt(locked, lock)
    assert CANARY not in str(caught.value)
    assert str(OTHER) not in str(caught.value)


def test_damage_is_told() -> None:
    locked = bytearray(backup.encrypt(b"data" * 100, Lock([RECIPIENT])))
    middle = len(locked) - 100
    locked[middle] = ord("A") if locked[middle] != ord("A") else ord("B")
    with pytest.raises(SealingError, match="opens it, or it is damaged"):
        backup.decrypt(bytes(locked), Lock(identities=[identity_file()]))


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        (Lock(["age1nonsense"]), "Recipient age1nonsense: it is no age recipient"),
        (Lock([str(IDENTITY)]), "A recipient: it is no age recipient"),
        (Lock(), "either for recipients or with a passphrase"),
        (Lock([RECIPIENT], CANARY), "either for recipients or with a passphrase"),
    ],
)
def test_nobody_to_encrypt_for(lock: Lock, words: str) -> None:
    with pytest.raises(SealingError, match=words) as caught:
        backup.encrypt(b"data", lock)
    assert str(IDENTITY) not in str(caught.value)
    assert CANARY not in str(caught.value)


def test_what_the_record_says_of_recipients() -> None:
    assert Lock(["ssh-ed25519 AAAA someone@laptop", "age1b"]).public == ["age1b", "ssh-ed25519 AAAA"]
    assert Lock(passphrase=CANARY).public == ["passphrase"]


# -- a directory ---------------------------------------------------------------------------------


def test_directory_overwrites_nothing_and_keeps_files_private(tmp_path: Path) -> None:
    store = Directory(str(tmp_path / "new" / "backups"))
    place = store.write("one", b"first")
    assert store.read(place) == b"first"
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o700
    with pytest.raises(SealingError, match="File exists"):
        store.write("one", b"second")
    assert store.read(place) == b"first"
    assert os.listdir(store.path) == ["one"]
    assert store.holds(place)
    assert not store.holds("s3://bucket/one")
    assert not Directory(str(tmp_path)).holds(place)


def test_directory_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SealingError, match="No such file"):
        Directory(str(tmp_path)).read(str(tmp_path / "gone"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SealingError, match=r"File .*/file/one"):
        Directory(str(tmp_path / "file")).write("one", b"")


def test_names_tell_time_and_content() -> None:
    name = backup.file_name(b"data", NOW)
    assert name == "sealing-keys-20261123T000000Z-3a6eb0790f39.age"
    assert backup.file_name(b"data", NOW + timedelta(seconds=1)) > name
    assert backup.file_name(b"other", NOW) != name


class Liar(Directory):
    """A store that gives back something else."""

    def read(self, place: str) -> bytes:
        return super().read(place)[:-1]


def test_a_backup_is_read_back(tmp_path: Path) -> None:
    places: list[str] = []
    stores = [Directory(str(tmp_path / "good")), Liar(str(tmp_path / "bad"))]
    with pytest.raises(SealingError, match="what was read back is not what was written"):
        backup.written(stores, b"data", NOW, places)
    # it is known what was written all the same
    assert [Path(place).parent.name for place in places] == ["good", "bad"]


def test_found_only_where_every_store_has_it(tmp_path: Path) -> None:
    one, other = Directory(str(tmp_path / "a")), Directory(str(tmp_path / "b"))
    places: list[str] = []
    backup.written([one, other], b"data", NOW, places)
    record = RECORD._replace(places=places, digest=backup.digest(b"data"))
    assert backup.found([one, other], record) == (b"data", "")
    third = Directory(str(tmp_path / "c"))
    assert backup.found([one, third], record) == (b"", "a place has no backup yet")
    Path(places[1]).write_bytes(b"dat")
    assert backup.found([one], record) == (b"data", "")
    assert "not what was written" in backup.found([one, other], record)[1]
    Path(places[1]).unlink()
    assert "No such file" in backup.found([one, other], record)[1]


# -- the record ----------------------------------------------------------------------------------

RECORD = Record(["SHA256:a"], "SHA256:a", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", ["/x"], "00", [RECIPIENT])


@given(
    st.builds(
        Record, st.lists(st.text()), st.text(), st.text(), st.text(), st.lists(st.text()), st.text(), st.lists(st.text()),
        st.booleans(), st.text(), st.text(), st.text(), st.lists(st.text()),
    )
)  # fmt: skip
def test_record_survives_its_config_map(record: Record) -> None:
    data = record.data()
    assert all(isinstance(value, str) for value in data.values())
    assert backup.parse_record(data) == record


@given(st.dictionaries(st.sampled_from(Record._fields), st.text()))
def test_spoilt_record_is_none_and_no_crash(data: dict[str, str]) -> None:
    found = backup.parse_record({**RECORD.data(), **data})
    assert found is None or isinstance(found, Record)
    assert backup.parse_record({name: value for name, value in RECORD.data().items() if name != "proved"}) is None


def test_proof_counts_for_the_backup_it_was_made_of() -> None:
    proved = RECORD._replace(
        proved=True, last_proved_time="2026-11-22T00:00:00Z", last_proved_digest="00", last_proved_places=["/x"]
    )
    assert proved.proved_now
    assert proved.since_proof(NOW) == 24.0
    assert RECORD.since_proof(NOW) is None
    key = type("Key", (), {"key_id": "SHA256:b", "made": NOW})()
    newer = backup.recorded([key], key, ["/y"], b"data", Lock([RECIPIENT]), NOW, proved)
    assert not newer.proved_now
    assert (newer.last_proved_digest, newer.last_proved_places) == ("00", ["/x"])
    assert newer._replace(proved=True).proved_now is False
