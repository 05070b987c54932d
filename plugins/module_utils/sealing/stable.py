# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that a sealed item holds a plaintext already, so that sealing the same again changes nothing.

The keyed digest is stored beside the sealed item, in a file that anybody may read. Its key is not: it lives in the inventory's
Ansible Vault. Without the key a digest tells nothing, not even whether two items are equal, since it covers the sealed value.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t

from . import format as sealed
from . import keyring, objects
from .errors import SealingError

LIVE, DIGEST, KEY, NONE = "live", "digest", "key", "none"
MINIMUM_KEY = 16  # characters: what a person could remember, others could try
Obj = dict[str, t.Any]


def digest(key: bytes, namespace: str, name: str, scope: str, item: str, sealed_value: str, plaintext: bytes) -> str:
    """HMAC-SHA256, 64 hexadecimal digits: this sealed value was made of this plaintext by somebody who has the key.

    Every part is preceded by its length, so that no two different lists of parts are the same bytes.
    """
    told = hmac.new(key, b"enclii sealed digest 1\n", hashlib.sha256)
    for part in (*(text.encode() for text in (namespace, name, scope, item, sealed_value)), plaintext):
        told.update(len(part).to_bytes(8, "big"))
        told.update(part)
    return told.hexdigest()


def check_key(key: str) -> bytes:
    """The key of digests as bytes, b"" where there is none. Raises SealingError for one that could be guessed."""
    if key and len(key) < MINIMUM_KEY:
        raise SealingError(
            "digest_key",
            f"it is shorter than {MINIMUM_KEY} characters",
            "Generate a random one and keep it in a vault file",
        )
    return key.encode()


def noted(obj: t.Mapping[str, t.Any], annotation: str) -> dict[str, str]:
    """What an annotation of ours notes of each item; {} where it is missing or unreadable."""
    annotations = (obj.get("metadata") or {}).get("annotations")
    try:
        found = json.loads(annotations.get(annotation) or "{}") if isinstance(annotations, dict) else {}
    except (ValueError, TypeError):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def note(entries: t.Mapping[str, str]) -> str:
    """The text of such an annotation."""
    return json.dumps(dict(sorted(entries.items())), separators=(",", ":"), ensure_ascii=False)


class Live(t.NamedTuple):
    """What the cluster has under one name: the SealedSecret and the Secret, None where there is none."""

    sealed: Obj | None
    secret: Obj | None


def live_proof(live: Live, wanted_label: bytes, item: str, sealed_value: str, plaintext: bytes) -> bool:
    """Whether the cluster shows that a sealed value unseals to a plaintext.

    It does where the live SealedSecret has the same sealed value, its controller reports success for exactly this generation, and
    the item of the Secret has the plaintext, written by the controller and by nobody since.
    """
    if live.sealed is None or live.secret is None:
        return False
    spec = live.sealed.get("spec") or {}
    templated = item in ((spec.get("template") or {}).get("data") or {})
    if (spec.get("encryptedData") or {}).get(item) != sealed_value or templated or not synced(live.sealed):
        return False
    if objects.label_of(live.sealed) != wanted_label:
        return False
    try:
        found = objects.plaintext({"data": {item: (live.secret.get("data") or {})[item]}})[item]
    except (KeyError, SealingError):
        return False
    return hmac.compare_digest(found, plaintext) and _written_by_controller(live, item)


def synced(obj: Obj) -> bool:
    """Whether the controller reports success for what the SealedSecret says now. An older report may be about anything."""
    status = obj.get("status") or {}
    if status.get("observedGeneration") != obj["metadata"].get("generation"):
        return False
    return any(one.get("type") == "Synced" and one.get("status") == "True" for one in status.get("conditions") or [])


def _written_by_controller(live: Live, item: str) -> bool:
    """Whether the Secret belongs to the SealedSecret, and who wrote that also wrote the item last.

    A value that was put there by hand would prove nothing: after a rebuild from git the old one would be back.
    """
    sealed_obj, secret = t.cast("Obj", live.sealed), t.cast("Obj", live.secret)
    uid = sealed_obj["metadata"].get("uid")
    if not any(owner.get("uid") == uid for owner in secret["metadata"].get("ownerReferences") or []):
        return False
    owners, writers = set(), set()
    for entry in secret["metadata"].get("managedFields") or []:
        fields = entry.get("fieldsV1") or {}
        who = (entry.get("manager"), entry.get("operation"))
        if f'k:{{"uid":"{uid}"}}' in ((fields.get("f:metadata") or {}).get("f:ownerReferences") or {}):
            owners.add(who)
        if f"f:{item}" in (fields.get("f:data") or {}):
            writers.add(who)
    return writers <= owners if owners else False


class Judge(t.NamedTuple):
    """What proofs can be made with. key_id: of the certificate that is sealed for; digest_key: or b""; keys: private ones."""

    key_id: str
    digest_key: bytes
    keys: t.Sequence[keyring.Key]

    def proof(
        self, obj: Obj, place: tuple[str, str, str], item: str, plaintext: bytes, live: Live | None
    ) -> tuple[str, str]:
        """(how it is proven that an item of a SealedSecret holds a plaintext, the key it is sealed for or "" where unknown).

        place: wanted namespace, name and scope. An item that is sealed for another key than the certificate's counts as unchanged
        only where the live cluster shows that it opens it: it may be another cluster's.
        """
        namespace, name, scope = place
        value = ((obj.get("spec") or {}).get("encryptedData") or {}).get(item)
        wanted_label = sealed.label(scope, namespace, name)
        if not isinstance(value, str) or objects.label_of(obj) != wanted_label:
            return NONE, ""
        sealed_for = noted(obj, objects.SEALED_WITH).get(item, "")
        if live is not None and live_proof(live, wanted_label, item, value, plaintext):
            return LIVE, sealed_for
        known = noted(obj, objects.SEALED_DIGEST).get(item, "")
        if self.digest_key and known and sealed_for == self.key_id:
            made = digest(self.digest_key, namespace, name, scope, item, value, plaintext)
            if hmac.compare_digest(made.encode(), known.encode()):
                return DIGEST, sealed_for
        return self._opened(wanted_label, value, plaintext, objects.subject(namespace, name, item))

    def _opened(self, wanted_label: bytes, value: str, plaintext: bytes, subject: str) -> tuple[str, str]:
        if not self.keys:
            return NONE, ""
        try:
            found, key = keyring.opener(self.keys, wanted_label, sealed.parse(value, subject), subject)
        except SealingError:
            return NONE, ""
        return (KEY, key.key_id) if found == plaintext and key.key_id == self.key_id else (NONE, "")
