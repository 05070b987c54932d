# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing keys of the sealed-secrets controller: as Secrets of a cluster, and in backups.

The controller reads every key labelled active when it starts, and one that it cannot read makes it crash for ever: so nothing is
restored before it has been read the way the controller does. No message ever holds key material.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import typing as t
from datetime import datetime

from ..kube.client import Client
from ..kube.errors import ApiError, KubeError
from ..kube.explain import explain
from ..kube.manifests import read_documents
from .certificate import key_id, stamp
from .errors import SealingError
from .keyring import KEY_LABEL, LEGACY, secrets_of

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
except ImportError:  # ansible-test imports this file without its libraries
    x509 = None  # type: ignore[assignment]

ACTIVE = "active"
BACKUP = "the backup of sealing keys"
Obj = dict[str, t.Any]


class SealingKey(t.NamedTuple):
    """One key pair.

    name: of its Secret; state: "active", "legacy", or what its label says, with which the controller leaves it alone;
    key_id: "SHA256:…"; made, until: life of its certificate, aware; fingerprint: SHA-256 of that; secret: what a backup holds of it
    """

    name: str
    state: str
    key_id: str
    made: datetime
    until: datetime
    fingerprint: str
    private_key: rsa.RSAPrivateKey
    secret: Obj

    @property
    def used(self) -> bool:
        """Whether the controller unseals with it."""
        return self.state in (ACTIVE, "legacy")

    def as_dict(self) -> dict[str, str]:
        """What may be shown of it."""
        times = {"made": stamp(self.made), "until": stamp(self.until)}
        return {"name": self.name, "state": self.state, "id": self.key_id, **times}


class Backup(t.NamedTuple):
    """objects: the Secrets as they are to be applied; digest: of their public certificates, safe to show; keys: what they hold."""

    objects: list[Obj]
    digest: str
    keys: list[SealingKey]


def load(secret: t.Mapping[str, t.Any], place: str = "", *, validate: bool = True) -> SealingKey:
    """The key in a Secret, read as the controller reads it. Raises SealingError.

    place: where the Secret is, for messages; validate: check the numbers of the private key against each other, 0.2 s a key.
    """
    metadata = secret.get("metadata") or {}
    name = str(metadata.get("name") or "")
    subject = f"Secret {name} in {place}" if place else f"Secret {metadata.get('namespace') or ''}/{name}"

    def refuse(cause: str, step: str = "Give a backup of keys that the controller can read") -> t.NoReturn:
        raise SealingError(subject, cause, step, reason="key")

    if secret.get("type") != "kubernetes.io/tls":
        refuse("it is not of type kubernetes.io/tls")
    labels = metadata.get("labels") or {}
    state = str(labels[KEY_LABEL]) if KEY_LABEL in labels else "legacy" if name == LEGACY else ""
    if not state:
        refuse(f"it has no label {KEY_LABEL}")
    pems = {}
    for part in ("tls.crt", "tls.key"):
        try:
            pems[part] = base64.b64decode(secret["data"][part], validate=True)
        except (KeyError, TypeError):
            refuse(f"it has no {part}")
        except (binascii.Error, ValueError):
            refuse(f"{part} is not base64")
    try:
        certificate = x509.load_pem_x509_certificates(pems["tls.crt"])[0]
    except (ValueError, IndexError):
        refuse("tls.crt is no PEM certificate")
    try:
        key = load_pem_private_key(pems["tls.key"], None, unsafe_skip_rsa_key_validation=not validate)
    except (ValueError, TypeError):
        refuse("tls.key is no readable PEM private key")
    if not isinstance(key, rsa.RSAPrivateKey):
        refuse("tls.key is not an RSA key, the controller takes no other")
    if key.public_key() != certificate.public_key():
        refuse("tls.key and tls.crt are not a pair")
    kept: Obj = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, **({} if state == "legacy" else {"labels": {KEY_LABEL: state}})},
        "data": {part: secret["data"][part] for part in pems},
    }
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return SealingKey(name, state, key_id(key.public_key()), begins, ends, fingerprint, key, kept)


def of_cluster(client: Client, namespace: str) -> tuple[list[SealingKey], list[SealingError]]:
    """All keys in the controller's namespace, newest first, and what is wrong with those that nobody can read. Raises KubeError."""
    try:
        secrets = secrets_of(client, namespace)
    except ApiError as error:
        raise explain(error, f"Sealing keys in {namespace}", "", verb="read secrets", changed=False) from error
    keys, broken = [], []
    for secret in secrets:
        try:
            # The controller runs with them. What comes out of a backup is validated.
            keys.append(load(secret, validate=False))
        except SealingError as error:
            step = "The controller will crash when it starts again: delete it, or label it otherwise"
            broken.append(SealingError(error.subject, error.cause, step, reason="key"))
    return sorted(keys, key=lambda key: (key.made, key.name), reverse=True), broken


def newest(keys: t.Iterable[SealingKey]) -> SealingKey | None:
    """The key that the controller has secrets sealed for."""
    return max((key for key in keys if key.used), key=lambda key: key.made, default=None)


def listing(keys: t.Iterable[SealingKey]) -> str:
    """What a backup holds: a List of Secrets as kubectl writes it, which kubectl apply and kubeseal --recovery-unseal read, too."""
    items = [key.secret for key in sorted(keys, key=lambda key: key.name)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1, sort_keys=True) + "\n"


def read(text: str, namespace: str, now: datetime) -> Backup:
    """Read and check a backup; every key goes into `namespace`, without what another cluster's API server wrote into it.

    text: YAML as `kubectl get secret -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml` writes it; now: aware.
    Raises SealingError.
    """
    keys = [load(secret, BACKUP) for secret in _secrets(text)]
    last = newest(keys)
    if last is None:
        raise _unusable(f"it holds no active key (label {KEY_LABEL}: active)")
    if last.until <= now:
        cause = f"it is the newest active key, and expired on {last.until:%Y-%m-%d}: nobody could seal with it"
        step = "Back up the keys of a controller that renewed them"
        raise SealingError(f"Secret {last.name} in {BACKUP}", cause, step, reason="key")
    objects = [{**key.secret, "metadata": {**key.secret["metadata"], "namespace": namespace}} for key in keys]
    prints = "\n".join(sorted(key.fingerprint for key in keys))
    return Backup(objects, hashlib.sha256(prints.encode()).hexdigest()[:16], keys)


def _secrets(text: str) -> list[Obj]:
    """The Secrets of a file as kubectl writes it: documents, a List, or both."""
    try:
        documents = [one for _where, one in read_documents(text, BACKUP)]
    except KubeError:
        documents = [None]
    if not all(isinstance(one, dict) and one.get("apiVersion") and one.get("kind") for one in documents):
        raise _unusable("it is not a YAML file of Kubernetes Secrets")
    items = [
        item for one in documents for item in (one.get("items") or [] if str(one["kind"]).endswith("List") else [one])
    ]
    for number, one in enumerate(items, 1):
        if not isinstance(one, dict) or one.get("kind") != "Secret" or not (one.get("metadata") or {}).get("name"):
            raise _unusable(f"its object {number} is not a Secret with a name")
    if not items:
        raise _unusable("it is empty")
    return items


def _unusable(cause: str) -> SealingError:
    step = "Give what sealing_keys wrote, or kubectl get secret -o yaml with the label of sealing keys"
    return SealingError(BACKUP[0].upper() + BACKUP[1:], cause, step, reason="key")
