# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing keys and their backups: what the controller could not read is refused, and no message shows a key."""

from __future__ import annotations

import base64
import json
import typing as t
from datetime import UTC, datetime, timedelta

import pytest
import sealing
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ansible_collections.enclii.platform.plugins.module_utils.sealing import keys
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError
from ansible_collections.enclii.platform.plugins.module_utils.sealing.keys import KEY_LABEL, LEGACY, read

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


def test_key_of_an_old_controller_has_a_name_and_no_label(rsa_key: rsa.RSAPrivateKey) -> None:
    backup = read(json.dumps(secret(rsa_key, LEGACY, None)), "enclii-system", NOW)
    assert backup.objects[0]["metadata"] == {"name": LEGACY, "namespace": "enclii-system"}
    assert [key.state for key in backup.keys] == ["legacy"]
    assert keys.newest(backup.keys) == backup.keys[0]


def test_what_is_written_is_what_is_read() -> None:
    made = [
        keys.load(sealing.SealingKey().secret("a")),
        keys.load(sealing.SealingKey(begins=sealing.NOW - timedelta(days=40)).secret("b", state="compromised")),
        keys.load({**(old := sealing.SealingKey().secret(LEGACY)), "metadata": {**old["metadata"], "labels": {}}}),
    ]
    again = read(keys.listing(made), "x", sealing.NOW).keys
    assert sorted(key.as_dict().items() for key in again) == sorted(key.as_dict().items() for key in made)
    assert {key.private_key.private_numbers() for key in again} == {key.private_key.private_numbers() for key in made}
    assert "namespace" not in keys.listing(made)
    assert keys.listing(reversed(made)) == keys.listing(made)


def test_newest_is_the_one_that_the_controller_seals_for() -> None:
    """By the certificate's begin, as its key-order-priority has it; what is not active does not count."""
    made = {
        name: keys.load(sealing.SealingKey(begins=sealing.NOW - timedelta(days=days)).secret(name, state=state))
        for name, days, state in (("old", 60, "active"), ("new", 2, "active"), ("retired", 1, "compromised"))
    }
    assert keys.newest(made.values()) == made["new"]
    assert keys.newest([]) is None
    assert keys.newest([made["retired"]]) is None


def test_keys_of_a_cluster_and_what_nobody_can_read() -> None:
    good, old = sealing.SealingKey(begins=sealing.NOW - timedelta(days=3)), sealing.SealingKey(begins=sealing.NOW)
    broken = good.secret("broken", "kube-system")
    broken["data"]["tls.key"] = base64.b64encode(CANARY.encode()).decode()
    legacy = {**old.secret(LEGACY), "metadata": {"name": LEGACY, "namespace": "kube-system", "labels": {}}}
    with sealing.StandIn() as server:
        for one in (good.secret("good"), broken, legacy):
            server.objects[f"/api/v1/namespaces/kube-system/secrets/{one['metadata']['name']}"] = one
        client = sealing.client_for(server.url)
        found, wrong = keys.of_cluster(client, "kube-system")
        client.close()
    assert {"good": good.key_id, LEGACY: old.key_id} == {key.name: key.key_id for key in found}
    assert found[0].name == LEGACY
    assert [str(error) for error in wrong if "kube-system/broken" in str(error)] == [str(error) for error in wrong]
    assert len(wrong) == 1
    assert "will crash" in str(wrong[0])
    assert CANARY not in str(wrong[0])


def with_data(one: Obj, **data: str) -> Obj:
    return {**one, "data": {**one["data"], **{key.replace("_", "."): value for key, value in data.items()}}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda one, key: with_data(one, tls_key=base64.b64encode(CANARY.encode()).decode()),
            "Secret key1 in the backup of sealing keys: tls.key is no readable PEM private key",
        ),
        (lambda one, key: with_data(one, tls_key=CANARY), "tls.key is not base64"),
        (lambda one, key: with_data(one, tls_crt=base64.b64encode(b"x").decode()), "tls.crt is no PEM certificate"),
        (lambda one, key: {**one, "data": {}}, "has no tls.crt"),
        (lambda one, key: {**one, "type": "Opaque"}, "not of type kubernetes.io/tls"),
        (lambda one, key: {**one, "kind": "ConfigMap"}, "object 1 is not a Secret"),
        (lambda one, key: secret(key, state=None), "has no label"),
        (lambda one, key: secret(key, state="compromised"), "holds no active key"),
        (lambda one, key: secret(key, days=-1), "newest active key, and expired on 2026-11-21"),
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
    with pytest.raises(SealingError, match=words) as caught:
        read(json.dumps(change(secret(rsa_key), rsa_key)), "enclii-system", NOW)
    assert CANARY not in str(caught.value)
    assert base64.b64encode(CANARY.encode()).decode() not in str(caught.value)


@pytest.mark.parametrize("text", [f"a: [{CANARY}", "", "- 1", f"tls.key: {CANARY}"])
def test_what_is_no_backup_is_refused(text: str) -> None:
    with pytest.raises(SealingError) as caught:
        read(text, "enclii-system", NOW)
    assert CANARY not in str(caught.value)


def test_private_key_whose_numbers_do_not_fit_is_refused(rsa_key: rsa.RSAPrivateKey) -> None:
    """Public half and certificate are right, and it unseals nothing: the controller refuses it, so a backup must."""
    numbers = rsa_key.private_numbers()
    bad = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    pem = bad.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    broken = with_data(secret(rsa_key), tls_key=base64.b64encode(pem).decode())
    with pytest.raises(SealingError, match="no readable PEM private key"):
        read(json.dumps(broken), "enclii-system", NOW)
