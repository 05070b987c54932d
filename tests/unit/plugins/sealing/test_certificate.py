# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys: what is read, how it is named, and what nothing is sealed for."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sealing import CANARY, NOW, SealingKey

from ansible_collections.enclii.platform.plugins.module_utils.sealing import certificate as certificates
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

KEY = SealingKey(3072)
OTHER = SealingKey(2048)


def test_what_a_certificate_says_of_itself() -> None:
    told = certificates.load(b"# from the controller\r\n" + KEY.pem + OTHER.pem, "x.pem")
    theirs = x509.load_pem_x509_certificate(KEY.pem)
    assert told.fingerprint == theirs.fingerprint(SHA256()).hex()
    assert (told.not_before, told.not_after) == (NOW - timedelta(days=1), NOW + timedelta(days=3649))
    assert told.bits == 3072 and told.source == "x.pem" and told.pem.encode() == KEY.pem


def test_a_key_has_the_name_that_openssh_gives_it(tmp_path: Path) -> None:
    public = tmp_path / "key.pub"
    public.write_bytes(KEY.private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
    told = subprocess.run(["ssh-keygen", "-lf", str(public)], check=True, capture_output=True, text=True).stdout
    assert told.split()[1] == KEY.key_id


def test_a_fingerprint_is_the_one_that_openssl_prints(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(KEY.pem)
    argv = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(tmp_path / "cert.pem")]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    certificates.check(KEY.certificate, NOW, told.strip().partition("=")[2])


def signed_by(private: object, public: object) -> bytes:
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number())  # type: ignore[arg-type]
    hashed = None if isinstance(private, ed25519.Ed25519PrivateKey) else SHA256()
    made = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1)).sign(private, hashed)  # type: ignore[arg-type]
    return made.public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "it is no PEM certificate"),
        (CANARY.encode(), "it is no PEM certificate"),
        (KEY.private_pem, "it holds a private key, and no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it cannot be read"),
        (KEY.pem.replace(b"MII", b"MIX", 1), "it cannot be read"),
        (KEY.pem[:400], "it is no PEM certificate"),
        (signed_by(key := ec.generate_private_key(ec.SECP256R1()), key.public_key()), "its key is not RSA"),
        (signed_by(edwards := ed25519.Ed25519PrivateKey.generate(), edwards.public_key()), "its key is not RSA"),
    ],
)
def test_what_is_no_certificate_to_seal_for(data: bytes, cause: str) -> None:
    with pytest.raises(SealingError) as caught:
        certificates.load(data, "keys/cert.pem")
    assert str(caught.value).startswith(f"Certificate keys/cert.pem: {cause}") and caught.value.next_step
    assert caught.value.reason == "certificate" and caught.value.__cause__ is None
    assert CANARY not in str(caught.value) and "BEGIN" not in str(caught.value)


def test_when_a_certificate_is_good() -> None:
    one = KEY.certificate
    certificates.check(one, NOW, KEY.key_id, 3072)
    for now in (one.not_before, one.not_after - timedelta(seconds=1)):
        certificates.check(one, now)
    for now, cause in ((one.not_before - timedelta(seconds=1), "it is valid from"), (one.not_after, "it expired on")):
        with pytest.raises(SealingError, match=cause):
            certificates.check(one, now)
    with pytest.raises(SealingError, match="its key has 3072 bits, and at least 3073 are expected"):
        certificates.check(one, NOW, "", 3073)


@pytest.mark.parametrize(
    "pin", ["0" * 64, "SHA256:x", "x", OTHER.key_id, OTHER.certificate.fingerprint, KEY.key_id.lower()]
)
def test_another_certificate_than_the_pinned_one(pin: str) -> None:
    with pytest.raises(SealingError, match="another cluster or to a newer key") as caught:
        certificates.check(KEY.certificate, datetime(2100, 1, 1, tzinfo=UTC), pin)
    assert KEY.key_id in str(caught.value) and pin in str(caught.value), "it says which one it is, and first of all"


def test_private_keys() -> None:
    for form in (PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8):
        pem = KEY.private.private_bytes(Encoding.PEM, form, NoEncryption())
        assert certificates.private_key(pem, "x").private_numbers() == KEY.private.private_numbers()
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    locked = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    for data, cause in (
        (edwards, "it is not RSA"),
        (locked, "no readable PEM"),
        (KEY.pem, "no readable PEM"),
        (b"", "no readable PEM"),
    ):
        with pytest.raises(SealingError, match=cause) as caught:
            certificates.private_key(data, "x")
        assert caught.value.reason == "key" and "BEGIN" not in str(caught.value)
