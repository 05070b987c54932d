# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key sealed what, how old keys are, and which may retire. Of keys only certificates are kept, and results hold no values.

A sealed item does not say which key it is for. Our annotation does, and private keys prove it.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import typing as t
from datetime import datetime, timedelta

from ..kube.errors import ApiError
from . import certificate as certificates
from . import explain, keyring, objects, stable, trees
from . import format as sealed
from .errors import SealingError

if t.TYPE_CHECKING:
    from ..kube.client import Client

RENEWAL = "720h0m0s"  # the controller's own default
ACTIVE = "active"
DECRYPTED, ANNOTATION, NONE = "decrypted", "annotation", "none"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_EXAMPLES = 3
Obj = dict[str, t.Any]


class Place(t.NamedTuple):
    """One sealed item. where: a file's name, or "" for the cluster."""

    namespace: str
    name: str
    item: str
    where: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} {self.item}"


@dataclasses.dataclass
class _Count:
    """What is sealed for one key. values: of distinct items, so that one in a file and in the cluster counts once."""

    values: set[tuple[str, str, str, str]] = dataclasses.field(default_factory=set)
    in_files: int = 0
    in_cluster: int = 0
    examples: list[str] = dataclasses.field(default_factory=list)
    annotated: int = 0

    def add(self, place: Place, value: str, evidence: str) -> None:
        key = (place.namespace, place.name, place.item, value)
        if key not in self.values and len(self.examples) < _EXAMPLES:
            self.examples.append(str(place))
        self.values.add(key)
        if place.where:
            self.in_files += 1
        else:
            self.in_cluster += 1
        self.annotated += evidence == ANNOTATION


class Census:
    """Counts SealedSecrets by the keys of their items. keys: all that are known, those with private parts prove it."""

    def __init__(self, keys: t.Sequence[keyring.Key]) -> None:
        self.keys = keyring.merged(keys)
        self.objects = {"files": 0, "cluster": 0}
        self.evidence = {DECRYPTED: 0, ANNOTATION: 0, NONE: 0}
        self._counts: dict[str, _Count] = {}
        self._unknown: dict[int, _Count] = {}  # by bits of the key it was sealed for
        self._undecodable: list[str] = []
        self._judged: dict[tuple[str, bytes], tuple[str, str]] = {}

    def add(self, obj: Obj, where: str) -> None:
        """One SealedSecret. where: its file, or "" for one of the cluster."""
        if trees.misshapen(obj):
            self._undecodable.append(where or "an object of the cluster")
            return
        self.objects["files" if where else "cluster"] += 1
        metadata = obj.get("metadata") or {}
        said, about = stable.noted(obj, objects.SEALED_WITH), objects.label_of(obj)
        namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
        for item, value in ((obj.get("spec") or {}).get("encryptedData") or {}).items():
            place = Place(namespace, name, str(item), where)
            try:
                parsed = sealed.parse(value, str(place))
            except SealingError:
                self._undecodable.append(str(place))
                continue
            key, evidence = self._judge(value, parsed, about, said.get(item, ""))
            self.evidence[evidence] += 1
            counts: dict[t.Any, _Count] = self._counts if key else self._unknown
            counts.setdefault(key or parsed.modulus_bytes * 8, _Count()).add(place, value, evidence)

    def _judge(self, value: str, item: sealed.Item, about: bytes, said: str) -> tuple[str, str]:
        """(key id, evidence); "" where nothing tells."""
        known = self._judged.get((value, about))
        if known is None:
            known = self._prove(item, about)
            self._judged[value, about] = known
        return known if known[0] else (said, ANNOTATION) if said else ("", NONE)

    def _prove(self, item: sealed.Item, about: bytes) -> tuple[str, str]:
        if not keyring.privates(self.keys):
            return "", NONE
        try:
            return keyring.opener(self.keys, about, item, "")[1].key_id, DECRYPTED
        except SealingError:
            # Sealed for another place, or damaged: the key can be told all the same.
            found = explain.origin(self.keys, item)
            return (found.key.key_id, DECRYPTED) if found else ("", NONE)

    # -- what came out --------------------------------------------------------------------------

    def report(self, now: datetime, backed_up: t.Collection[str] | None, unread: t.Sequence[str]) -> Obj:
        """keys, unknown and what they rest on.

        backed_up: ids of the keys of a backup, None where none is known; unread: what was not looked at, in words, each a reason
        for which no key may retire.
        """
        newest = self._newest()
        known = {key.key_id: key for key in self.keys}
        ids = [key.key_id for key in reversed(self.keys)] + sorted(set(self._counts) - set(known))
        listed = [self._key(known.get(one), one, newest, now, backed_up, unread) for one in ids]
        used = [one["key_id"] for one in listed if one["items"]]
        return {
            "keys": listed,
            "newest_key": newest.key_id if newest else "",
            "oldest_key_in_use": used[-1] if used else "",
            "unknown": {
                "items": sum(len(count.values) for count in self._unknown.values()),
                "examples": [example for count in self._unknown.values() for example in count.examples][:_EXAMPLES],
                "undecodable": sorted(self._undecodable),
            },
            "sealed_secrets": dict(self.objects),
            "evidence": dict(self.evidence),
        }

    def _newest(self) -> keyring.Key | None:
        able = [key for key in self.keys if key.certificate and key.state == ACTIVE]
        return able[-1] if able else None

    def _key(
        self,
        key: keyring.Key | None,
        key_id: str,
        newest: keyring.Key | None,
        now: datetime,
        backed_up: t.Collection[str] | None,
        unread: t.Sequence[str],
    ) -> Obj:
        one = key.certificate if key else None
        count = self._counts.get(key_id, _Count())
        in_backup = None if backed_up is None else key_id in backed_up
        is_newest = newest is not None and key_id == newest.key_id
        why = self._why_not(count, one, is_newest, in_backup, unread)
        return {
            "key_id": key_id,
            "source": key.source if key else "only an annotation names it",
            "state": key.state if key else "",
            "fingerprint": one.fingerprint if one else "",
            "bits": one.bits if one else key.private.key_size if key and key.private else 0,
            "not_before": certificates.stamp(one.not_before) if one else "",
            "not_after": certificates.stamp(one.not_after) if one else "",
            "age_days": (now - one.not_before).days if one else None,
            "newest": is_newest,
            "items": len(count.values),
            "in_files": count.in_files,
            "in_cluster": count.in_cluster,
            "examples": count.examples,
            "in_backup": in_backup,
            "may_retire": not why,
            "why_not": why,
            "proof": "annotations" if self.evidence[ANNOTATION] else "decrypted",
        }

    def _why_not(
        self,
        count: _Count,
        one: certificates.Certificate | None,
        is_newest: bool,
        in_backup: bool | None,
        unread: t.Sequence[str],
    ) -> list[str]:
        why = []
        if is_newest:
            why.append("It is the newest: secrets are sealed for it")
        if count.values:
            why.append(f"{len(count.values)} items are sealed for it, such as {', '.join(count.examples)}: rekey them")
        # An item of another size was sealed for another key, whichever.
        able = [found for bits, found in self._unknown.items() if one is None or bits == one.bits]
        unknown = sum(len(found.values) for found in able)
        if unknown:
            why.append(
                f"Of {unknown} items nothing tells the key, such as {', '.join(able[0].examples)}: give private_keys"
            )
        if self._undecodable:
            why.append(f"{len(self._undecodable)} items cannot be decoded: lint them")
        why += unread
        if in_backup is False:
            why.append(
                "The backup does not hold it, and what git's history holds could never be opened again: back it up"
            )
        if in_backup is None:
            why.append("Whether a backup holds it is not known: give backups, or back it up with sealing_keys")
        return why


def of_cluster(client: Client, namespace: str) -> list[keyring.Key]:
    """The controller's keys by their Secrets: name, state and certificate. The private parts are dropped unread.

    Raises SealingError where the login may not read Secrets there. Those without readable certificate are left out.
    """
    try:
        secrets = keyring.secrets_of(client, namespace)
    except ApiError as error:
        if error.status != 403:
            raise
        raise SealingError(
            f"Sealing keys in {namespace}",
            "the login may not read the Secrets there, and Kubernetes gives nobody only their certificates",
            "Allow it to list Secrets in that namespace, or give certificates",
            reason="controller",
        ) from error
    found = []
    for secret in secrets:
        name = f"Secret {namespace}/{secret['metadata']['name']}"
        state = str((secret["metadata"].get("labels") or {}).get(keyring.KEY_LABEL, ACTIVE))
        try:
            pem = base64.b64decode((secret.get("data") or {}).get("tls.crt") or "", validate=True)
            one = certificates.load(pem, name)
        except (SealingError, binascii.Error, ValueError, TypeError):
            continue
        found.append(keyring.Key(one.key_id, name, None, one, state))
    return found


def sealed_in_cluster(client: Client, namespaces: t.Sequence[str]) -> list[Obj]:
    """All SealedSecrets of the cluster, or of some namespaces. Raises SealingError where they may not be read or there is no such kind."""
    base = "/apis/bitnami.com/v1alpha1"
    places = [f"{base}/namespaces/{one}/sealedsecrets" for one in namespaces] or [f"{base}/sealedsecrets"]
    try:
        return [one for place in places for one in client.list(place)]
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        cause = "the cluster has no such kind" if error.status == 404 else "the login may not list them"
        raise SealingError(
            "SealedSecrets of the cluster", cause, "Allow it to list them, or set namespaces", reason="controller"
        ) from error


def next_renewal(newest: keyring.Key | None, period: str) -> str:
    """When the controller makes its next key; "" where it does not, or nobody knows. period: its flag key-renew-period."""
    seconds = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    length = sum(float(number) * seconds[unit] for number, unit in _DURATION.findall(period))
    if not newest or not newest.certificate or not length:
        return ""
    return certificates.stamp(newest.certificate.not_before + timedelta(seconds=length))
