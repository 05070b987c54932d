# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that secrets are sealed for, and the private keys that open them."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t
from datetime import datetime

from .errors import SealingError

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError:  # ansible-test imports this file without its libraries
    x509 = None  # type: ignore[assignment]

MINIMUM_BITS = 3072
_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PEM_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


class Certificate(t.NamedTuple):
    """A certificate to seal for.

    source: where it came from, for messages; key_id: "SHA256:…" of its public key, as OpenSSH and the controller write it;
    fingerprint: SHA-256 of the certificate, 64 hexadecimal digits; not_before, not_after: aware.
    """

    source: str
    public_key: rsa.RSAPublicKey
    key_id: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    pem: str

    @property
    def bits(self) -> int:
        return self.public_key.key_size


def key_id(public_key: rsa.RSAPublicKey) -> str:
    """ "SHA256:" and the unpadded base64 of the digest of the key in OpenSSH's form, by which the controller names keys."""
    line = public_key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def load(data: bytes, source: str) -> Certificate:
    """The first certificate in a PEM. Raises SealingError naming the source; never quotes the data."""
    subject = f"Certificate {source}"
    found = _PEM_CERTIFICATE.search(data)
    if not found:
        cause = (
            "it holds a private key, and no certificate" if _PEM_PRIVATE.search(data) else "it is no PEM certificate"
        )
        raise SealingError(
            subject,
            cause,
            "Give the controller's certificate, as kubeseal --fetch-cert prints it",
            reason="certificate",
        )
    try:
        one = x509.load_pem_x509_certificate(found.group(0))
        public_key = one.public_key()
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise SealingError(subject, "it cannot be read", "Fetch it again", reason="certificate") from None
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise SealingError(
            subject,
            "its key is not RSA, and the controller opens no other",
            "Give the certificate of a sealing key",
            reason="certificate",
        )
    return Certificate(
        source,
        public_key,
        key_id(public_key),
        hashlib.sha256(one.public_bytes(Encoding.DER)).hexdigest(),
        one.not_valid_before_utc,
        one.not_valid_after_utc,
        found.group(0).decode("ascii") + "\n",
    )


def check(certificate: Certificate, now: datetime, pin: str = "", minimum_bits: int = MINIMUM_BITS) -> None:
    """Raise SealingError where nothing may be sealed for a certificate.

    pin: the fingerprint or key id that it must have, or nothing; minimum_bits: size of its key at least; now: aware.
    """
    subject = f"Certificate {certificate.source}"

    def refuse(cause: str, step: str) -> t.NoReturn:
        raise SealingError(subject, cause, step, reason="certificate")

    if pin and not pinned(certificate, pin):
        refuse(
            f"its fingerprint is {certificate.fingerprint} (key {certificate.key_id}), and {pin} is expected",
            "It belongs to another cluster or to a newer key: compare it with the cluster, then correct the pin",
        )
    if certificate.bits < minimum_bits:
        refuse(
            f"its key has {certificate.bits} bits, and at least {minimum_bits} are expected",
            "Renew the controller's key with --key-size=4096",
        )
    if certificate.not_after <= now:
        refuse(f"it expired on {certificate.not_after:%Y-%m-%d}", "Fetch the controller's current certificate")
    if certificate.not_before > now:
        refuse(f"it is valid from {certificate.not_before:%Y-%m-%d %H:%M} UTC on", "Check the clock of this machine")


def pinned(certificate: Certificate, pin: str) -> bool:
    """Whether a pin, a fingerprint with or without colons or a key id, is this certificate's."""
    return pin == certificate.key_id or pin.replace(":", "").lower() == certificate.fingerprint


def private_key(pem: bytes, source: str) -> rsa.RSAPrivateKey:
    """An RSA private key from PEM. Raises SealingError; never quotes the key."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SealingError(
            f"Key {source}", "it is no readable PEM private key", "Restore it from its backup", reason="key"
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SealingError(
            f"Key {source}", "it is not RSA, and the controller has no other", "Give a sealing key", reason="key"
        )
    return key


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it; moment: in UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
