# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of sealing_keys to its result: what is backed up, what is proved, and what is not."""

from __future__ import annotations

import os
import typing as t
from datetime import UTC, datetime, timedelta

from ..evidence.store import EvidenceError
from ..evidence.store import Store as EvidenceStore
from ..evidence.store import record as evidence
from ..kube.arguments import CONNECTION, Spec
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import ApiError, KubeError
from ..kube.front import read_file
from . import backup, keys, proof
from .backup import Lock, Record, Store
from .bucket_arguments import S3
from .certificate import stamp
from .controller import discover
from .errors import SealingError
from .keys import SealingKey

SEALING_KEYS: Spec = {
    **CONNECTION,
    "state": {"type": "str", "choices": ["backed_up", "proved", "reported"], "default": "reported"},
    "controller_namespace": {"type": "str", "default": "enclii-system"},
    "controller_name": {"type": "str", "default": "sealed-secrets-controller"},
    "directory": {"type": "path"},
    "s3": {"type": "dict", "options": S3},
    "recipients": {"type": "list", "elements": "str", "default": []},
    "passphrase": {"type": "str", "default": "", "no_log": True},
    "identities": {"type": "list", "elements": "path", "default": []},
    "proof_max_age": {"type": "int", "default": 168},
    "evidence_namespace": {"type": "str", "default": "enclii-system"},
    "force": {"type": "bool", "default": False},
}
Obj = dict[str, t.Any]
Params = t.Mapping[str, t.Any]
Read = t.Callable[[str], tuple[bytes, str]]


def sealing_keys(
    params: Params,
    environ: t.Mapping[str, str],
    *,
    check: bool = False,
    diff: bool = False,
    clock: Clock | None = None,
    read: Read | None = None,
    random: t.Callable[[int], bytes] = os.urandom,
) -> Obj:
    """See module sealing_keys for the result. read: (content, path) of a file. Raises KubeError; no message holds a key."""
    clock = clock or Clock()
    keeper: _Keeper | None = None
    try:
        lock, stores = _asked(params, read or read_file)
        client = Client(load_login(params, environ), clock=clock)
        try:
            keeper = _Keeper(client, params, lock, stores, clock, check, random)
            return keeper.run(diff)
        finally:
            client.close()
    except (SealingError, KubeError) as error:
        # The modules' shell knows one kind of error, and by its objects whether something was changed before.
        told = KubeError(error.subject, error.cause, error.next_step, reason=error.reason)
        told.objects = [{"action": "created", "kind": "backup", "name": one} for one in keeper.places] if keeper else []
        raise told from None


def _asked(params: Params, read: Read) -> tuple[Lock, list[Store]]:
    """What the arguments say about encryption and places, before anything is asked of a cluster. Raises SealingError."""
    stores: list[Store] = []
    if params["state"] == "reported":
        return Lock(), stores
    identities = []
    for path in params["identities"]:
        text = read(str(path))[0]
        if text.startswith(b"$ANSIBLE_VAULT"):
            step = "Run the task on the controller, which opens vaults, or give a plain file"
            raise SealingError(f"Identity file {path}", "it is encrypted with Ansible Vault", step)
        identities.append(text.decode("utf-8", "replace"))
    lock = Lock(params["recipients"], params["passphrase"] or "", identities)
    if params.get("directory"):
        stores.append(backup.Directory(str(params["directory"])))
    if params.get("s3"):
        from .objectstore import Bucket  # half a second of imports, for who needs it

        s3 = {key: value if value is not None else "" for key, value in params["s3"].items()}
        stores.append(Bucket(**s3))
    if not stores:
        raise SealingError("Backup of sealing keys", "it has no place", "Give directory, s3 or both")
    if params["state"] == "backed_up":
        backup.encrypt(
            b"", lock._replace(passphrase="")
        ) if lock.recipients else None  # a wrong recipient is told at once
        if bool(lock.recipients) == bool(lock.passphrase):
            raise SealingError(
                "Backup of sealing keys",
                "it is encrypted either for recipients or with a passphrase",
                "Give recipients or passphrase, one of them",
            )
    elif not lock.opens:
        raise SealingError(
            "Backup of sealing keys",
            "it cannot be proved without what opens it",
            "Give identities or the passphrase",
        )
    return lock, stores


class _Keeper:
    """One call: the cluster's keys against the recorded backup."""

    def __init__(
        self, client: Client, params: Params, lock: Lock, stores: list[Store], clock: Clock, check: bool,
        random: t.Callable[[int], bytes],
    ) -> None:  # fmt: skip
        self._client, self._params, self._lock, self._stores = client, params, lock, stores
        self._clock, self._check, self._random = clock, check, random
        self._space = str(params["controller_namespace"])
        self._keys: list[SealingKey] = []
        self._warnings: list[str] = []
        self.places: list[str] = []  # where this call wrote something
        self._why: list[str] = []

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)

    def run(self, diff: bool) -> Obj:
        state = str(self._params["state"])
        self._keys, broken = keys.of_cluster(self._client, self._space)
        self._warnings += [str(error) for error in broken]
        old = backup.read_record(self._client, self._space)
        record, changed = old, False
        if state != "reported":
            newest = keys.newest(self._keys)
            if newest is None:
                step = "Start the controller, or correct controller_namespace"
                raise SealingError(f"Namespace {self._space}", "it has no sealing key that can be read", step)
            record, changed = self._kept(state, old, newest)
        result: Obj = {"changed": changed, "why": self._why, **self._report(record)}
        if diff and changed:
            before, after = (one.data() if one else {} for one in (old, record))
            result["diff"] = {"before": before, "after": after}
        if self._warnings:
            result["warnings"] = self._warnings
        return result

    def _kept(self, state: str, old: Record | None, newest: SealingKey) -> tuple[Record | None, bool]:
        """The record as it is, or would be, afterwards, and whether a backup was, or would be, written."""
        data, record, changed = b"", old, False
        if old is not None:
            data, missing = backup.found(self._stores, old)
            self._why += [missing] if missing else []
        if state == "backed_up":
            self._why += self._stale(old, data)
            changed = bool(self._why)
            if changed:
                record, data = self._written(old, newest)
        elif old is None or not data:
            cause = self._why[0] if self._why else "there is no record of one"
            error = SealingError(
                "Backup of sealing keys", f"it is not there: {cause}", "Run backed_up first", reason="key"
            )
            if not self._check:
                self._keep("FAIL", self._now, str(error), old)
            raise error
        if record is not None and not self._check and self._due(state, record):
            record = self._proved(record, data)
        return record, changed

    def _written(self, old: Record | None, newest: SealingKey) -> tuple[Record, bytes]:
        """A new backup and its record; in check mode what is known of them beforehand."""
        if self._check:
            record = backup.recorded(self._keys, newest, [], b"", self._lock, self._now, old)
            return record._replace(digest=""), b""
        data = backup.encrypt(keys.listing(self._keys).encode(), self._lock)
        backup.written(self._stores, data, self._now, self.places)
        record = backup.recorded(self._keys, newest, self.places, data, self._lock, self._now, old)
        # Before the proof: a run that is killed in it leaves a backup that is known, and not proved.
        backup.write_record(self._client, self._space, record)
        return record, data

    def _stale(self, old: Record | None, data: bytes) -> list[str]:
        """Why a backup is to be written."""
        if self._params["force"]:
            return ["it was asked for by force"]
        if old is None:
            return ["there is no record of a backup"]
        if not data:
            return []  # said already
        out = []
        lacking = [key.name for key in self._keys if key.key_id not in old.key_ids]
        if lacking:
            out.append(f"keys are not in the backup: {', '.join(lacking)}")
        if old.recipients != self._lock.public:
            out.append("it is encrypted for other recipients")
        elif self._lock.passphrase:
            try:
                backup.decrypt(data, self._lock)
            except SealingError:
                out.append("it is encrypted with another passphrase")
        return out

    def _due(self, state: str, record: Record) -> bool:
        """Whether a proof is to be made: it costs a namespace and some seconds."""
        if state == "proved" or not record.proved_now:
            return True
        age = record.since_proof(self._now)
        return self._lock.opens and (age is None or age >= self._params["proof_max_age"])

    def _proved(self, record: Record, data: bytes) -> Record:
        """The record with the proof's verdict, which the cluster has as well. Raises SealingError where the backup proves bad."""
        if not self._lock.opens:
            why = "it was written and read back; whether it opens is not known, for no identity was given"
            if record.proof != why:
                record = record._replace(proved=False, proof=why)
                backup.write_record(self._client, self._space, record)
                self._keep("UNKNOWN", self._now, why, record)
            return record
        started = self._now
        try:
            controller = discover(self._client, self._clock, self._space, str(self._params["controller_name"]))
            text = backup.decrypt(data, self._lock, f"Backup {record.places[0]}").decode("utf-8", "replace")
            held = keys.read(text, self._space, self._now).keys
            how = proof.prove(self._client, controller, self._keys, held, self._clock, self._random)
            self._same_keys()
        except (SealingError, KubeError) as error:
            failed = record._replace(proved=False, proof=f"{error.subject}: {error.cause}")
            backup.write_record(self._client, self._space, failed)
            backup.unmark(self._client, self._space)
            # What could not be tried says nothing of the backup; both are no pass.
            untried = isinstance(error, KubeError) or error.reason == "controller"
            self._keep("UNKNOWN" if untried else "FAIL", started, failed.proof, failed)
            raise
        record = record._replace(
            proved=True, proof=how, last_proved_time=stamp(self._now), last_proved_digest=record.digest,
            last_proved_places=record.places,
        )  # fmt: skip
        marker = backup.mark(self._client, self._space)
        backup.write_record(self._client, self._space, record)
        backup.unmark(self._client, self._space, marker)
        self._keep("PASS", started, how, record)
        return record

    def _keep(self, verdict: str, started: datetime, finding: str, record: Record | None) -> None:
        """Evidence of it, where that kind is installed. A backup is worth more than its evidence: what goes wrong here is a warning."""
        store = EvidenceStore(self._client, str(self._params["evidence_namespace"]), self._clock)
        try:
            seen = evidence(
                kind="sealing-key-backup",
                subject=f"{self._space}/{self._params['controller_name']}",
                verdict=verdict,
                started=started,
                ended=self._now,
                # the next proof may be late by as much as lies between two
                valid_for=timedelta(hours=2 * max(1, int(self._params["proof_max_age"]))),
                figures={"keys": len(self._keys), "seconds": round((self._now - started).total_seconds(), 3)},
                findings=[finding],
                details={}
                if record is None
                else {"digest": record.digest, "places": record.places, "held": record.key_ids},
                random=self._random,
            )
            store.write(seen)
        except (KubeError, ApiError) as error:
            if not (isinstance(error, EvidenceError) and error.reason == "not_installed"):
                self._warnings.append(f"It was not kept as evidence: {error}")

    def _same_keys(self) -> None:
        """The marker of a proof says that no older key is missing: also none that was made while it lasted."""
        now, _broken = keys.of_cluster(self._client, self._space)
        if {key.key_id for key in now} - {key.key_id for key in self._keys}:
            cause = "the controller made a key while it lasted"
            raise SealingError("Proof of the backup of sealing keys", cause, "Run this again", reason="key")

    def _report(self, record: Record | None) -> Obj:
        """keys, newest_key, backup, last_proof, and a warning where the newest key could not be restored."""
        newest = keys.newest(self._keys)
        told: Obj | None = None
        if newest is not None:
            inside = record is not None and newest.key_id in record.key_ids
            told = {
                **newest.as_dict(),
                "age_hours": backup.hours(stamp(newest.made), self._now),
                "in_backup": inside,
                "in_proved_backup": inside and record is not None and record.proved_now,
            }
            if not self._check or self._params["state"] == "reported":
                self._warn(told, record)
        last = None
        if record is not None and record.last_proved_time:
            last = {
                "time": record.last_proved_time,
                "age_hours": record.since_proof(self._now),
                "digest": record.last_proved_digest,
                "places": record.last_proved_places,
            }
        names = ("key_ids", "time", "places", "digest", "recipients", "proved", "proof")
        return {
            "keys": [key.as_dict() for key in self._keys],
            "newest_key": told,
            "backup": None if record is None else {name: getattr(record, name) for name in names},
            "last_proof": last,
        }

    def _warn(self, newest: Obj, record: Record | None) -> None:
        about = f"Sealing key {newest['name']} ({newest['id']}), the newest, made {newest['made']}"
        if not newest["in_backup"]:
            self._warnings.append(
                f"{about}, is in no backup: what is sealed for it is lost with the cluster. Back it up now."
            )
        elif not newest["in_proved_backup"] and record is not None:
            self._warnings.append(f"{about}, is in a backup that is not proved: {record.proof}.")
