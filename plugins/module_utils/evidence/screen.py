# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A net for accidents: evidence is read by many and copied out of the cluster, so that nothing secret may be in it.

It finds what cannot be anything else (private keys, tokens of known shape, logins in URLs) and values under names that say what they are.
It promises nothing about the rest: who writes evidence puts names and figures into it, never values.
"""

from __future__ import annotations

import re
import typing as t

_SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an age identity": re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]{20}", re.IGNORECASE),
    "a JSON web token": re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "an access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of a code host": re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{30,}|glpat-[\w-]{20,})"),
    "a login in a URL": re.compile(r"://[^/\s:@]+:[^/\s:@]+@"),
}
_NAME = re.compile(
    r"(?:^|[_.-])(?:password|passwd|passphrase|token|credentials?|(?:secret|private|api|access)[_-]?key)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def found(value: t.Any, where: str) -> list[str]:
    """ "details.login.password holds a value" for everything that looks like a secret; the value is never repeated."""
    if isinstance(value, str):
        return [f"{where} holds {what}" for what, shape in _SHAPES.items() if shape.search(value)]
    if isinstance(value, t.Mapping):
        out = []
        for key, item in value.items():
            place = f"{where}.{key}"
            if isinstance(item, str) and item and _NAME.search(_CAMEL.sub("_", str(key))):
                out.append(f"{place} holds a value")
            else:
                out += found(item, place)
        return out
    if isinstance(value, list | tuple):
        return [one for number, item in enumerate(value) for one in found(item, f"{where}[{number}]")]
    return []
