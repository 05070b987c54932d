# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 verifiers (RFC 5802, 7677) as PostgreSQL stores them, made and compared here: no password reaches a server.

verifier("s3cret", os.urandom) -> "SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>"
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import typing as t
import unicodedata

ITERATIONS = 4096
SALT = 16  # bytes, as PostgreSQL's own
_MOST = 1_000_000  # iterations that are still worth a comparison
_STORED = re.compile(r"SCRAM-SHA-256\$([1-9][0-9]{0,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_PROHIBITED = (
    stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4, stringprep.in_table_c5,
    stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8, stringprep.in_table_c9, stringprep.in_table_a1,
)  # fmt: skip


def verifier(password: str, random: t.Callable[[int], bytes]) -> str:
    """What PostgreSQL keeps of a password. random: so many bytes."""
    salt = random(SALT)
    stored, server = _keys(password, salt, ITERATIONS)
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def matches(password: str, stored: str | None) -> bool:
    """Whether stored, a value of pg_authid.rolpassword, was made of this password. MD5 and plain text never match."""
    found = _STORED.fullmatch(stored or "")
    if found is None or int(found[1]) > _MOST:
        return False
    try:
        salt, *keys = (base64.b64decode(one, validate=True) for one in found.groups()[1:])
    except binascii.Error:
        return False
    stored_key, server_key = _keys(password, salt, int(found[1]))
    return hmac.compare_digest(stored_key, keys[0]) & hmac.compare_digest(server_key, keys[1])


def prepared(password: str) -> str:
    """SASLprep (RFC 4013), and the password as it is where that refuses it: what PostgreSQL and its clients do."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(one) else one for one in password if not stringprep.in_table_b1(one)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(refused(one) for one in normal for refused in _PROHIBITED):
        return password
    if any(map(stringprep.in_table_d1, normal)):
        ends = stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1])
        if not ends or any(map(stringprep.in_table_d2, normal)):
            return password
    return normal


def _keys(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """(StoredKey, ServerKey)."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
