# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of sealing keys of the sealed-secrets controller: private to the collection, no Ansible inside.

The controller reads every key labelled active when it starts, and one that it cannot read makes it crash for ever: so nothing is
restored before it has been read the way the controller does. No message ever holds key material.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Any, NamedTuple

from ..kube.errors import KubeError
from .objects import Object, RenderError, parse

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
except ImportError:  # ansible-test imports this file without its libraries
    x509 = None  # type: ignore[assignment]

KEY_LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"


class BackupError(ValueError):
    """A backup that must not be restored; the message names the Secret and the cause, never its content."""


class Backup(NamedTuple):
    """objects: the Secrets as they are to be applied; digest: of their public certificates, safe to show."""

    objects: list[Object]
    digest: str


def _decoded(secret: Object, key: str, name: str) -> bytes:
    try:
        return base64.b64decode(secret["data"][key], validate=True)
    except (KeyError, TypeError):
        raise BackupError(f"Secret {name} in the backup of sealing keys has no {key}.") from None
    except (binascii.Error, ValueError):
        raise BackupError(f"Secret {name} in the backup of sealing keys: {key} is not base64.") from None


def _pair(secret: Object, name: str) -> x509.Certificate:
    """The certificate of a key pair that the controller can read. Raises BackupError."""
    certificate_pem, key_pem = _decoded(secret, "tls.crt", name), _decoded(secret, "tls.key", name)
    try:
        certificate = x509.load_pem_x509_certificates(certificate_pem)[0]
    except (ValueError, IndexError):
        raise BackupError(f"Secret {name} in the backup of sealing keys: tls.crt is no PEM certificate.") from None
    try:
        key = load_pem_private_key(key_pem, None)
    except (ValueError, TypeError):
        raise BackupError(
            f"Secret {name} in the backup of sealing keys: tls.key is no readable PEM private key."
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BackupError(
            f"Secret {name} in the backup of sealing keys: tls.key is not an RSA key, the controller takes no other."
        )
    if key.public_key() != certificate.public_key():
        raise BackupError(f"Secret {name} in the backup of sealing keys: tls.key and tls.crt are not a pair.")
    return certificate


def _secrets(text: str) -> list[Object]:
    """The Secrets of a file as kubectl writes it: documents, a List, or both."""
    try:
        documents = parse(text, "The backup of sealing keys")
    except (RenderError, KubeError):
        raise BackupError("The backup of sealing keys is not a YAML file of Kubernetes Secrets.") from None
    items = [item for one in documents for item in (one.get("items") or [] if one["kind"].endswith("List") else [one])]
    for number, one in enumerate(items, 1):
        if not isinstance(one, dict) or one.get("kind") != "Secret" or not (one.get("metadata") or {}).get("name"):
            raise BackupError(f"Object {number} in the backup of sealing keys is not a Secret with a name.")
        if one.get("type") != "kubernetes.io/tls":
            raise BackupError(
                f"Secret {one['metadata']['name']} in the backup of sealing keys is not of type kubernetes.io/tls."
            )
    if not items:
        raise BackupError("The backup of sealing keys is empty.")
    return items


def read(text: str, namespace: str, now: datetime) -> Backup:
    """Read and check a backup; every key goes into `namespace`, without what another cluster's API server wrote into it.

    text: YAML as `kubectl get secret -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml` writes it; now: aware.
    Raises BackupError.
    """
    objects, certificates, newest = [], [], None
    for secret in _secrets(text):
        name = secret["metadata"]["name"]
        state = (secret["metadata"].get("labels") or {}).get(KEY_LABEL)
        if state is None:
            raise BackupError(f"Secret {name} in the backup of sealing keys has no label {KEY_LABEL}.")
        certificate = _pair(secret, name)
        certificates.append(certificate)
        if state == "active" and (newest is None or certificate.not_valid_before_utc > newest[1].not_valid_before_utc):
            newest = (name, certificate)
        objects.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {"name": name, "namespace": namespace, "labels": {KEY_LABEL: state}},
                "data": {key: secret["data"][key] for key in ("tls.crt", "tls.key")},
            }
        )
    if newest is None:
        raise BackupError(f"The backup of sealing keys holds no active key (label {KEY_LABEL}: active).")
    if newest[1].not_valid_after_utc <= now:
        raise BackupError(
            f"Secret {newest[0]}, the newest active key in the backup of sealing keys, expired on "
            f"{newest[1].not_valid_after_utc:%Y-%m-%d}: nobody could seal with it. Back up the keys of a controller that renewed them."
        )
    return Backup(objects, _digest(certificates))


def _digest(certificates: list[Any]) -> str:
    prints = sorted(hashlib.sha256(one.public_bytes(Encoding.DER)).hexdigest() for one in certificates)
    return hashlib.sha256("\n".join(prints).encode()).hexdigest()[:16]
