# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of sealing keys: encrypted with age, written where nothing is overwritten, and the record a cluster keeps of them."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
import typing as t
from datetime import UTC, datetime

from ..kube.client import Client
from ..kube.errors import ApiError
from ..kube.explain import explain
from .certificate import stamp
from .errors import SealingError

try:
    import pyrage
except (
    ImportError
):  # ansible-test imports this file without its libraries; needed only for backups that are encrypted with age
    pyrage = None

RECORD = "enclii-sealing-keys-backup"
# ConfigMap made at every proof: when it was made is what kube-state-metrics exports of it, and all that an alert needs.
MARKER = "enclii-sealing-keys-proved"
MARKER_LABEL = "enclii.dev/sealing-keys-proved"
PASSPHRASE = "passphrase"  # noqa: S105 - what the record says of a backup that a passphrase opens
_HEADS = (b"-----BEGIN AGE ENCRYPTED FILE-----", b"age-encryption.org/")
_SUBJECT = "Backup of sealing keys"
_BUSY = (0.2, 0.5, 1.0, 2.0, 3.0)  # seconds between tries
_LISTS = ("key_ids", "places", "recipients", "last_proved_places")  # in the record, as JSON
Obj = dict[str, t.Any]


class Lock(t.NamedTuple):
    """Whom a backup is encrypted for, and what opens it.

    recipients: "age1…" or SSH public keys; passphrase: instead of them; identities: contents of identity files
    """

    recipients: t.Sequence[str] = ()
    passphrase: str = ""
    identities: t.Sequence[str] = ()

    @property
    def opens(self) -> bool:
        """Whether there is anything to open a backup with."""
        return bool(self.passphrase or self.identities)

    @property
    def public(self) -> list[str]:
        """What may be written about it."""
        return sorted(" ".join(one.split()[:2]) for one in self.recipients) or [PASSPHRASE]


class Store(t.Protocol):
    """A place for backups."""

    def write(self, name: str, data: bytes) -> str:
        """Write something new, never over something else; how the place is called. Raises SealingError."""

    def read(self, place: str) -> bytes:
        """What is there. Raises SealingError."""

    def holds(self, place: str) -> bool:
        """Whether a place is one of this store's."""


def is_encrypted(data: bytes) -> bool:
    """Whether something is a file of age, as text or binary."""
    return data.lstrip().startswith(_HEADS)


def encrypt(data: bytes, lock: Lock) -> bytes:
    """An age file, as text. Raises SealingError where a recipient is none, or there is neither recipient nor passphrase."""
    _needed()
    if bool(lock.recipients) == bool(lock.passphrase):
        raise SealingError(
            _SUBJECT,
            "it is encrypted either for recipients or with a passphrase",
            "Give recipients or passphrase, one of them",
        )
    if lock.passphrase:
        return t.cast("bytes", pyrage.passphrase.encrypt(data, lock.passphrase, armored=True))
    return t.cast("bytes", pyrage.encrypt(data, [_recipient(one) for one in lock.recipients], armored=True))


def decrypt(data: bytes, lock: Lock, subject: str = _SUBJECT, pause: t.Callable[[float], None] = time.sleep) -> bytes:
    """What an age file holds. Raises SealingError where nothing given opens it; no message holds anything of identities."""
    _needed()
    if not lock.opens:
        raise SealingError(subject, "it is encrypted with age", "Give an identity file or the passphrase", reason="key")
    if lock.identities:
        try:
            return t.cast("bytes", pyrage.decrypt(data, [one for text in lock.identities for one in _identities(text)]))
        except (pyrage.DecryptError, ValueError):
            pass
    if lock.passphrase:
        try:
            return _by_passphrase(data, lock.passphrase, subject, pause)
        except (pyrage.DecryptError, ValueError):
            pass
    tried = " and ".join(["no identity"] * bool(lock.identities) + ["no passphrase"] * bool(lock.passphrase))
    raise SealingError(
        subject,
        f"{tried} given opens it, or it is damaged",
        "Give the identity of one of its recipients, or its passphrase",
        reason="key",
    )


def _by_passphrase(data: bytes, passphrase: str, subject: str, pause: t.Callable[[float], None]) -> bytes:
    """age measures how fast the machine is at the moment, and refuses what would take it long: a busy one is asked again."""
    for wait in (*_BUSY, None):
        try:
            return t.cast("bytes", pyrage.passphrase.decrypt(data, passphrase))
        except pyrage.DecryptError as error:
            if "Excessive work" not in str(error):
                raise
            if wait is None:
                break
        pause(wait)
    raise SealingError(
        subject,
        "its passphrase asks for more work than this machine does in a while, since it is slow or busy",
        "Try again where there is more time",
        reason="key",
    )


def _needed() -> None:
    if pyrage is None:
        step = "Install it where this runs: pip install pyrage"
        raise SealingError("Python package pyrage", "it is needed for backups encrypted with age", step, reason="input")


def _recipient(text: str) -> t.Any:
    read = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return read.from_str(text)
    except (pyrage.RecipientError, ValueError):
        # perhaps it is an identity that somebody put in the wrong place: it is not shown
        shown = f"Recipient {text}" if text.startswith(("age1", "ssh-")) else "A recipient"
        raise SealingError(
            shown, "it is no age recipient", "Give age1…, as age-keygen -y prints it, or an RSA or Ed25519 SSH key"
        ) from None


def _identities(text: str) -> list[t.Any]:
    """The identities of one file, as age-keygen or ssh-keygen writes it."""
    try:
        if "PRIVATE KEY-----" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (pyrage.IdentityError, ValueError):
        found = []
    if not found:
        step = "Give a file as age-keygen or ssh-keygen writes it, without a passphrase of its own"
        raise SealingError("An identity file", "it holds no age identity that can be read", step, reason="key")
    return found


class Directory:
    """A directory of backups, each a file that only its owner reads."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(os.path.expanduser(path))

    def write(self, name: str, data: bytes) -> str:
        target = os.path.join(self.path, name)
        temporary = os.path.join(self.path, f".{name}.{secrets.token_hex(6)}.tmp")
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as handle:
                    handle.write(data)
                    handle.flush()
                    os.fsync(handle.fileno())
                # A link is atomic as a rename is, and never takes the place of another file.
                os.link(temporary, target)
            finally:
                os.unlink(temporary)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            cause = error.strerror or "it cannot be written"
            raise SealingError(f"File {target}", cause, "Make its directory writable", reason="file") from None
        return target

    def read(self, place: str) -> bytes:
        try:
            with open(place, "rb") as handle:
                return handle.read()
        except OSError as error:
            cause = error.strerror or "it cannot be read"
            raise SealingError(f"File {place}", cause, "Write the backup again, with force", reason="file") from None

    def holds(self, place: str) -> bool:
        return os.path.dirname(place) == self.path


class Record(t.NamedTuple):
    """What is known of the last backup: no secrets.

    key_ids: of all keys it holds; newest_key, newest_key_made: the key the cluster had secrets sealed for; time: when it was written;
    places: where; digest: SHA-256 of the encrypted file; recipients: see Lock.public; proved, proof: whether it was proved, and how or why
    not; last_proved_…: of the last backup that was, which may be an older one. Times are RFC 3339, or "".
    """

    key_ids: list[str]
    newest_key: str
    newest_key_made: str
    time: str
    places: list[str]
    digest: str
    recipients: list[str]
    proved: bool = False
    proof: str = "it was not tried"
    last_proved_time: str = ""
    last_proved_digest: str = ""
    last_proved_places: list[str] = []  # noqa: RUF012 - a tuple's default, never written to

    def data(self) -> dict[str, str]:
        """As it stands in the ConfigMap: flat, so that anything can read it."""
        return {
            name: json.dumps(value, separators=(",", ":")) if isinstance(value, (list, bool)) else value
            for name, value in self._asdict().items()
        }

    @property
    def proved_now(self) -> bool:
        """Whether the very backup it tells of was proved."""
        return self.proved and self.last_proved_digest == self.digest

    def since_proof(self, now: datetime) -> float | None:
        """Hours since the last proof of any backup; None where there was none."""
        return hours(self.last_proved_time, now)


def hours(time: str, now: datetime) -> float | None:
    """Hours since a time of a record; None where it is none."""
    try:
        then = datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return round((now - then).total_seconds() / 3600, 2)


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{RECORD}"


def read_record(client: Client, namespace: str) -> Record | None:
    """The record of a cluster. None where there is none, or none that can be read: then a backup is to be written. Raises KubeError."""
    try:
        found = client.find(_path(namespace))
    except ApiError as error:
        raise explain(error, f"ConfigMap {namespace}/{RECORD}", "", verb="get", changed=False) from error
    return parse_record((found or {}).get("data") or {})


def parse_record(data: t.Mapping[str, str]) -> Record | None:
    """A record of its ConfigMap's data; None where somebody spoilt it."""
    values: Obj = {}
    for name in Record._fields:
        value: t.Any = data.get(name)
        if name in _LISTS or name == "proved":
            try:
                value = json.loads(value or "")
            except ValueError:
                return None
            listed = isinstance(value, list) and all(isinstance(one, str) for one in value)
            if not (isinstance(value, bool) if name == "proved" else listed):
                return None
        if value is None:
            return None
        values[name] = value
    return Record(**values)


def write_record(client: Client, namespace: str, record: Record) -> None:
    """Raises KubeError."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": RECORD,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "enclii-platform", "app.kubernetes.io/managed-by": "enclii-platform"},
        },
        "data": record.data(),
    }  # fmt: skip
    query = {"fieldManager": "enclii-sealing-keys", "force": "true"}
    try:
        client.request("PATCH", _path(namespace), query, body, content_type="application/apply-patch+yaml")
    except ApiError as error:
        raise explain(error, f"ConfigMap {namespace}/{RECORD}", "", verb="apply") from error


def mark(client: Client, namespace: str) -> str:
    """Make a marker of a proof; its name. It is made before others go, so that there is always one. Raises KubeError."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    labels = {
        "app.kubernetes.io/part-of": "enclii-platform",
        "app.kubernetes.io/managed-by": "enclii-platform",
        MARKER_LABEL: "true",
    }
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": f"{MARKER}-", "labels": labels}}
    try:
        return str(client.request("POST", path, body=body)[1]["metadata"]["name"])
    except ApiError as error:
        raise explain(error, f"ConfigMap {namespace}/{MARKER}", "", verb="create") from error


def unmark(client: Client, namespace: str, but: str = "") -> None:
    """Remove the markers but one. Raises KubeError."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    try:
        for one in client.list(path, {"labelSelector": MARKER_LABEL}, metadata_only=True):
            name, body = one["metadata"]["name"], {"preconditions": {"uid": one["metadata"]["uid"]}}
            if name == but:
                continue
            try:
                client.request("DELETE", f"{path}/{name}", body=body)
            except ApiError as error:
                if error.status not in (404, 409):  # somebody else removed it meanwhile
                    raise
    except ApiError as error:
        raise explain(error, f"ConfigMap {namespace}/{MARKER}", "", verb="list and delete") from error


def digest(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_name(data: bytes, now: datetime) -> str:
    """A name by time and content: no backup takes the place of another, and the last one is the last by name."""
    return f"sealing-keys-{now:%Y%m%dT%H%M%SZ}-{digest(data)[:12]}.age"


def written(stores: t.Sequence[Store], data: bytes, now: datetime, places: list[str]) -> None:
    """Write a backup to all stores and read it back. places: where it is, added as it goes. SealingError where a store gives back
    anything else."""
    for store in stores:
        place = store.write(file_name(data, now), data)
        places.append(place)
        if store.read(place) != data:
            cause = "what was read back is not what was written"
            raise SealingError(f"Backup {place}", cause, "Look at the store", reason="file")


def found(stores: t.Sequence[Store], record: Record) -> tuple[bytes, str]:
    """(the recorded backup, "") where every store still has it, else (b"", why not)."""
    data = b""
    for store in stores:
        held = [place for place in record.places if store.holds(place)]
        if not held:
            return b"", "a place has no backup yet"
        try:
            data = store.read(held[0])
        except SealingError as error:
            return b"", str(error)
        if digest(data) != record.digest:
            return b"", f"Backup {held[0]}: it is not what was written there."
    return data, ""


def recorded(
    keys: t.Sequence[t.Any],
    newest: t.Any,
    places: list[str],
    data: bytes,
    lock: Lock,
    now: datetime,
    old: Record | None,
) -> Record:
    """The record of a new backup; what was proved before stays known."""
    record = Record(
        sorted({key.key_id for key in keys}), newest.key_id, stamp(newest.made), stamp(now), places, digest(data), lock.public
    )  # fmt: skip
    if old is None:
        return record
    return record._replace(
        last_proved_time=old.last_proved_time,
        last_proved_digest=old.last_proved_digest,
        last_proved_places=old.last_proved_places,
    )
