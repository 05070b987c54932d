# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing keys from files: PEM, a Secret, a List of Secrets, as kubectl and kubeseal's documentation have people back them up."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t

from . import certificate as certificates
from . import format as sealed
from . import trees
from .errors import SealingError

try:
    from cryptography.hazmat.primitives.asymmetric import rsa
except ImportError:  # ansible-test imports this file without its libraries
    rsa = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    from ..kube.client import Client

KEY_LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
# A Secret of this name is a key without any label: the first versions of the controller made it.
LEGACY = "sealed-secrets-key"
_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Key(t.NamedTuple):
    """One sealing key. source: where it came from, for messages; private: None where only its certificate is known."""

    key_id: str
    source: str
    private: rsa.RSAPrivateKey | None
    certificate: certificates.Certificate | None
    state: str = "active"


def read(data: bytes, source: str) -> list[Key]:
    """All keys of a file. Raises SealingError where it holds none, or a broken one; never quotes it."""
    if b"-----BEGIN" in data and not trees.concerns(data):
        found = _pem(data, source)
    else:
        found = [key for one in trees.parse(data, source) for key in _secret(one.obj, source)]
    if not found:
        raise SealingError(
            f"Keys {source}",
            "it holds no sealing key",
            "Give private keys in PEM, or the Secrets with them as kubectl get secret -o yaml writes them",
            reason="key",
        )
    return merged(found)


def merged(keys: t.Iterable[Key]) -> list[Key]:
    """Each key once, with its private part and its certificate wherever they stood; the newest certificate last."""
    found: dict[str, Key] = {}
    for key in keys:
        known = found.get(key.key_id, key)
        found[key.key_id] = known._replace(
            private=known.private or key.private, certificate=known.certificate or key.certificate
        )
    # Those without certificate have no age: first.
    return sorted(found.values(), key=lambda key: key.certificate.not_before.timestamp() if key.certificate else 0.0)


def secrets_of(client: Client, namespace: str) -> list[dict[str, t.Any]]:
    """The Secrets of a cluster that hold sealing keys. Raises ApiError."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    found = client.list(path, {"labelSelector": KEY_LABEL})
    legacy = client.find(f"{path}/{LEGACY}")
    return [*found, legacy] if legacy and KEY_LABEL not in (legacy["metadata"].get("labels") or {}) else list(found)


def privates(keys: t.Iterable[Key]) -> list[rsa.RSAPrivateKey]:
    return [key.private for key in keys if key.private is not None]


def _pem(data: bytes, source: str) -> list[Key]:
    found = [certificates.private_key(match.group(0), source) for match in _PRIVATE.finditer(data)]
    keys = [Key(certificates.key_id(one.public_key()), source, one, None) for one in found]
    for match in _CERTIFICATE.finditer(data):
        one = certificates.load(match.group(0), source)
        keys.append(Key(one.key_id, source, None, one))
    return keys


def _secret(obj: t.Mapping[str, t.Any], source: str) -> list[Key]:
    data = obj.get("data") or {}
    if obj.get("kind") != "Secret" or "tls.key" not in data:
        return []
    metadata = obj.get("metadata") or {}
    name = f"{source}, Secret {metadata.get('name') or ''}".rstrip()
    state = str((metadata.get("labels") or {}).get(KEY_LABEL, "active"))
    private = certificates.private_key(_decoded(data["tls.key"], name), name)
    pem = _decoded(data["tls.crt"], name) if data.get("tls.crt") else b""
    one = certificates.load(pem, name) if pem else None
    key_id = certificates.key_id(private.public_key())
    if one and one.key_id != key_id:
        raise SealingError(f"Key {name}", "tls.key and tls.crt are no pair", "Restore it from its backup", reason="key")
    return [Key(key_id, name, private, one, state)]


def _decoded(value: t.Any, name: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise SealingError(f"Key {name}", "it is not base64", "Restore it from its backup", reason="key") from None


def opener(keys: t.Sequence[Key], about: bytes, item: sealed.Item, subject: str) -> tuple[bytes, Key]:
    """(plaintext, key) of an item. Raises SealingError as `format.unseal` does."""
    able = [key for key in keys if key.private is not None]
    plaintext, number = sealed.unseal(privates(able), about, item, subject)
    return plaintext, able[number]
