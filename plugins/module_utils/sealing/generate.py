# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secret values that can be generated: random texts, tokens, key pairs. Private to the collection, no Ansible inside.

Randomness is an argument for texts and tokens; key pairs take it from the system, since `cryptography` has no other way; it is
imported where it is used, for the checks of declarations are part of every run and need none of it. Certificates are not made
here: cert-manager issues and renews them.
"""

from __future__ import annotations

import base64
import math
import os
import string
import typing as t

from .errors import SealingError

Random = t.Callable[[int], bytes]

# No alphabet has a character that a shell, a URL's user part, YAML or a connection string treats in a way of its own.
ALPHABETS: t.Final = {
    "letters-digits": string.ascii_letters + string.digits,
    "lower-digits": string.ascii_lowercase + string.digits,
    "digits": string.digits,
    "hex": "0123456789abcdef",
    "url": string.ascii_letters + string.digits + "-_",
}
ENCODINGS: t.Final = ("base64", "base64url", "hex")
ALGORITHMS: t.Final = {"ed25519": ("",), "ec": ("P-256", "P-384", "P-521"), "rsa": ("3072", "4096")}
FORMATS: t.Final = ("pem", "openssh")
# What can be tried offline, one hash after the other, must not be found.
MINIMUM_BITS: t.Final = 80
LONGEST: t.Final = 4096
# Generator -> its options with what they are where nothing is said.
GENERATORS: t.Final[dict[str, dict[str, t.Any]]] = {
    "random": {"length": 32, "alphabet": "letters-digits"},
    "token": {"bytes": 32, "encoding": "base64"},
    "keypair": {"algorithm": "ed25519", "size": "", "format": "pem", "public": ""},
    "given": {"description": ""},
}


def problem(generator: str, options: t.Mapping[str, t.Any]) -> str:
    """Why nothing can be generated so, as a clause; "" where it can. options: complete, see GENERATORS."""
    if generator == "random":
        alphabet, length = options["alphabet"], options["length"]
        if alphabet not in ALPHABETS:
            return f"there is no alphabet {alphabet}, but {', '.join(ALPHABETS)}"
        if not _whole(length) or not 1 <= length <= LONGEST:
            return f"its length is a number from 1 to {LONGEST}"
        least = math.ceil(MINIMUM_BITS / math.log2(len(ALPHABETS[alphabet])))
        if length < least:
            return f"{length} characters of {alphabet} can be guessed, at least {least} are needed"
    elif generator == "token":
        if options["encoding"] not in ENCODINGS:
            return f"there is no encoding {options['encoding']}, but {', '.join(ENCODINGS)}"
        if not _whole(options["bytes"]) or not MINIMUM_BITS // 8 <= options["bytes"] <= LONGEST:
            return f"its bytes are a number from {MINIMUM_BITS // 8} to {LONGEST}"
    elif generator == "keypair":
        algorithm, size = options["algorithm"], str(options["size"])
        if algorithm not in ALGORITHMS:
            return f"there is no algorithm {algorithm}, but {', '.join(ALGORITHMS)}"
        if size and size not in ALGORITHMS[algorithm]:
            return f"there is no size {size} of {algorithm}, but {', '.join(filter(None, ALGORITHMS[algorithm])) or 'none'}"
        if options["format"] not in FORMATS:
            return f"there is no format {options['format']}, but {', '.join(FORMATS)}"
    return ""


def _whole(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def text(length: int, alphabet: str, random: Random = os.urandom) -> str:
    """Characters of an alphabet (see ALPHABETS), each as likely as any other. random: n -> n fresh random bytes."""
    characters = ALPHABETS[alphabet]
    # Bytes beyond the largest multiple are thrown away: a remainder would make the first characters more likely.
    limit = 256 - 256 % len(characters)
    found: list[str] = []
    while len(found) < length:
        found += [characters[byte % len(characters)] for byte in random(length - len(found)) if byte < limit]
    return "".join(found)


def token(size: int, encoding: str, random: Random = os.urandom) -> str:
    """So many random bytes as text: base64 with its padding, base64url without, or hex."""
    value = random(size)
    if encoding == "hex":
        return value.hex()
    if encoding == "base64url":
        return base64.urlsafe_b64encode(value).decode("ascii").rstrip("=")
    return base64.b64encode(value).decode("ascii")


def private_key(algorithm: str, size: str, form: str) -> str:
    """A new private key: PKCS #8 in PEM, or OpenSSH's own format."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key: t.Any
    if algorithm == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=int(size or "4096"))
    elif algorithm == "ec":
        curves: dict[str, t.Callable[[], ec.EllipticCurve]] = {
            "P-256": ec.SECP256R1,
            "P-384": ec.SECP384R1,
            "P-521": ec.SECP521R1,
        }
        key = ec.generate_private_key(curves[size or "P-256"]())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    shape = PrivateFormat.OpenSSH if form == "openssh" else PrivateFormat.PKCS8
    return t.cast(bytes, key.private_bytes(Encoding.PEM, shape, NoEncryption())).decode("ascii")


def public_half(private: bytes, form: str, subject: str) -> str:
    """The public key of a private key: SubjectPublicKeyInfo in PEM, or a line for authorized_keys.

    private: PEM or OpenSSH's format, without passphrase. Raises SealingError, which quotes nothing of it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    ours = b"BEGIN OPENSSH" in private
    load = serialization.load_ssh_private_key if ours else serialization.load_pem_private_key
    shape = (
        (Encoding.OpenSSH, PublicFormat.OpenSSH)
        if form == "openssh"
        else (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    try:
        public = t.cast("t.Any", load(private, None)).public_key().public_bytes(*shape)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SealingError(
            subject,
            "it is no private key in PEM or OpenSSH's format without a passphrase",
            "Its public half cannot be told; give the whole pair, or a key that can be read",
            reason="key",
        ) from None
    return str(public.decode("ascii")).rstrip("\n") + "\n"


def generate(generator: str, options: t.Mapping[str, t.Any], random: Random = os.urandom) -> str:
    """A value by a generator (not given) and its options, which have no `problem`; of a key pair the private half."""
    if generator == "random":
        return text(options["length"], options["alphabet"], random)
    if generator == "token":
        return token(options["bytes"], options["encoding"], random)
    return private_key(options["algorithm"], str(options["size"]), options["format"])
