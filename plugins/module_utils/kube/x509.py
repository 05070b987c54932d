# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one thing we read in a certificate: when it ends. Enough DER for that, so no package is needed."""

from __future__ import annotations

import base64
import calendar
import re
import time


def not_after(pem: bytes) -> float | None:
    """End of validity of the first certificate in a PEM, in seconds since 1970; None where it cannot be told."""
    found = re.search(rb"-----BEGIN CERTIFICATE-----(.+?)-----END", pem, re.DOTALL)
    if not found:
        return None
    try:
        der = base64.b64decode(found.group(1))
        start, _end = _inside(der, 0)  # Certificate
        start, _end = _inside(der, start)  # TBSCertificate
        if der[start] == 0xA0:  # version
            start = _inside(der, start)[1]
        for _field in ("serial", "signature", "issuer"):
            start = _inside(der, start)[1]
        start, _end = _inside(der, start)  # Validity
        start = _inside(der, start)[1]  # notBefore
        begin, end = _inside(der, start)
        text = der[begin:end].decode("ascii").rstrip("Z")
    except (ValueError, IndexError):
        return None
    if len(text) == 12:  # UTCTime: two digits of the year, 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%S")))


def _inside(der: bytes, at: int) -> tuple[int, int]:
    """(begin, end) of the content of the element at `at`; its successor starts at end."""
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(der[begin : begin + size], "big"), begin + size
    return begin, begin + length
