# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format of one sealed item, byte-compatible with the sealed-secrets controller.

    item = base64( uint16_be(len(RC)) || RC || GC )
    RC   = RSAES-OAEP(SHA-256, MGF1-SHA-256, label) of a fresh 32-byte session key; as long as the RSA modulus
    GC   = AES-256-GCM(session key, nonce of 12 zero bytes, no additional data), its 16-byte tag at the end

The label binds an item to where it may be unsealed (see `label`). The length of a plaintext is public, and the name of an item
is not authenticated. Source: pkg/crypto of bitnami/sealed-secrets.
"""

from __future__ import annotations

import base64
import binascii
import os
import typing as t

from .errors import SealingError

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
except ImportError:  # ansible-test imports this file without its libraries
    rsa = None  # type: ignore[assignment]

STRICT, NAMESPACE_WIDE, CLUSTER_WIDE = SCOPES = ("strict", "namespace-wide", "cluster-wide")
SESSION_KEY_BYTES = 32
TAG_BYTES = 16
_NONCE = bytes(12)


class Item(t.NamedTuple):
    """A sealed item taken apart: the session key, encrypted, and the ciphertext with its tag, both as bytes."""

    session_key: bytes
    ciphertext: bytes

    @property
    def modulus_bytes(self) -> int:
        """Length of the RSA modulus it was sealed for, in bytes: 512 for a key of 4096 bits."""
        return len(self.session_key)

    @property
    def plaintext_bytes(self) -> int:
        """Length of the plaintext, in bytes; anybody can tell it from a sealed item."""
        return len(self.ciphertext) - TAG_BYTES


def label(scope: str, namespace: str, name: str) -> bytes:
    """What an item is bound to: "namespace/name", "namespace" or nothing, by scope. Raises SealingError for another scope."""
    if scope not in SCOPES:
        raise SealingError(f"Scope {scope}", "there is no such scope", f"Use {', '.join(SCOPES)}", reason="scope")
    return {STRICT: f"{namespace}/{name}", NAMESPACE_WIDE: namespace, CLUSTER_WIDE: ""}[scope].encode()


def _padding(about: bytes) -> OAEP:
    return OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=about or None)


def seal(
    public_key: rsa.RSAPublicKey, about: bytes, plaintext: bytes, random: t.Callable[[int], bytes] = os.urandom
) -> str:
    """A sealed item, as it stands in spec.encryptedData. about: see `label`; random: n -> n fresh random bytes."""
    session_key = random(SESSION_KEY_BYTES)
    wrapped = public_key.encrypt(session_key, _padding(about))
    ciphertext = AESGCM(session_key).encrypt(_NONCE, plaintext, None)
    return base64.b64encode(len(wrapped).to_bytes(2, "big") + wrapped + ciphertext).decode("ascii")


def parse(value: t.Any, subject: str) -> Item:
    """Take a sealed item apart. subject: of the SealingError where it is none."""
    step = "Seal it again"
    if not isinstance(value, str):
        raise SealingError(subject, "a sealed item is a string", step, reason="format")
    try:
        blob = base64.b64decode(
            value.replace("\n", "").replace("\r", ""), validate=True
        )  # as Go's decoder, a folded line is read
    except (binascii.Error, ValueError):
        raise SealingError(subject, "it is not base64", step, reason="format") from None
    wrapped = int.from_bytes(blob[:2], "big")
    if len(blob) < 2 or wrapped < 128 or len(blob) < 2 + wrapped + TAG_BYTES:
        raise SealingError(subject, "it is not a sealed item, or a part of one", step, reason="format")
    return Item(blob[2 : 2 + wrapped], blob[2 + wrapped :])


def unseal(private_keys: t.Sequence[rsa.RSAPrivateKey], about: bytes, item: Item, subject: str) -> tuple[bytes, int]:
    """The plaintext, and which of the keys it was sealed for. Raises SealingError where none of them opens it."""
    for number, key in enumerate(private_keys):
        if key.key_size // 8 != item.modulus_bytes:
            continue
        try:
            session_key = key.decrypt(item.session_key, _padding(about))
            return AESGCM(session_key).decrypt(_NONCE, item.ciphertext, None), number
        except (ValueError, InvalidTag):
            continue
    raise SealingError(
        subject,
        f"none of {len(private_keys)} keys unseals it here",
        "It was sealed for another cluster, or for another namespace, name or scope, or it was damaged",
        reason="key",
    )
