# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of sealing keys: what the controller could not read is refused, and no message shows a key."""

from __future__ import annotations

import base64
import json
import typing as t
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ansible_collections.enclii.platform.plugins.module_utils.component.sealing_keys import KEY_LABEL, BackupError, read

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CANARY = "canary-in-a-key"
Obj = dict[str, t.Any]


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def secret(
    key: t.Any, name: str = "key1", state: str | None = "active", days: int = 365, certified: t.Any = None
) -> Obj:
    """A Secret as the controller makes it; certified: another key than the one in it."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key((certified or key).public_key())
        .serial_number(1).not_valid_before(NOW - timedelta(days=400)).not_valid_after(NOW + timedelta(days=days))
        .sign(certified or key, hashes.SHA256())
    )  # fmt: skip
    pair = {
        "tls.crt": certificate.public_bytes(Encoding.PEM),
        "tls.key": key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    }
    metadata = {"name": name, "namespace": "old", "uid": "old", "labels": {KEY_LABEL: state} if state else {}}
    data = {part: base64.b64encode(value).decode() for part, value in pair.items()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}


def test_backup_as_kubectl_writes_it(rsa_key: rsa.RSAPrivateKey) -> None:
    listed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [secret(rsa_key), secret(rsa_key, "key2", "compromised", days=-1)],
    }
    backup = read(json.dumps(listed), "enclii-system", NOW)
    assert [one["metadata"] for one in backup.objects] == [
        {"name": "key1", "namespace": "enclii-system", "labels": {KEY_LABEL: "active"}},
        {"name": "key2", "namespace": "enclii-system", "labels": {KEY_LABEL: "compromised"}},
    ]
    assert backup.objects[0]["data"] == listed["items"][0]["data"]
    documents = "\n---\n".join(json.dumps(one) for one in reversed(listed["items"]))
    assert read(documents, "enclii-system", NOW).digest == backup.digest


def with_data(one: Obj, **data: str) -> Obj:
    return {**one, "data": {**one["data"], **{key.replace("_", "."): value for key, value in data.items()}}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda one, key: with_data(one, tls_key=base64.b64encode(CANARY.encode()).decode()),
            "key1 .* no readable PEM private key",
        ),
        (lambda one, key: with_data(one, tls_key=CANARY), "tls.key is not base64"),
        (lambda one, key: with_data(one, tls_crt=base64.b64encode(b"x").decode()), "tls.crt is no PEM certificate"),
        (lambda one, key: {**one, "data": {}}, "has no tls.crt"),
        (lambda one, key: {**one, "type": "Opaque"}, "not of type kubernetes.io/tls"),
        (lambda one, key: {**one, "kind": "ConfigMap"}, "Object 1 .* is not a Secret"),
        (lambda one, key: secret(key, state=None), "has no label"),
        (lambda one, key: secret(key, state="compromised"), "holds no active key"),
        (lambda one, key: secret(key, days=-1), "newest active key .* expired on 2026-11-21"),
        (lambda one, key: secret(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
        (
            lambda one, key: secret(key, certified=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
            "not a pair",
        ),
    ],
)
def test_what_would_crash_the_controller_is_refused(
    rsa_key: rsa.RSAPrivateKey, change: t.Callable[..., Obj], words: str
) -> None:
    with pytest.raises(BackupError, match=words) as caught:
        read(json.dumps(change(secret(rsa_key), rsa_key)), "enclii-system", NOW)
    assert CANARY not in str(caught.value)
    assert base64.b64encode(CANARY.encode()).decode() not in str(caught.value)


@pytest.mark.parametrize("text", [f"a: [{CANARY}", "", "- 1", f"tls.key: {CANARY}"])
def test_what_is_no_backup_is_refused(text: str) -> None:
    with pytest.raises(BackupError) as caught:
        read(text, "enclii-system", NOW)
    assert CANARY not in str(caught.value)
