# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what admission is told to go by can be meant: one wrong pattern or empty list refuses every new pod."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

# What RE2 knows and Python does not; one letter stands for it.
_ONLY_RE2 = re.compile(r"\\[pP](?:\{\^?\w+\}|\w)|\\[zCQE]|\\x\{\w+\}|\(\?[imsU-]+\)")
# What Python knows and RE2 does not: looking around, references back, and repetitions that give nothing back.
_ONLY_PYTHON = re.compile(r"\(\?(?:[=!>#(]|<[=!]|P=)|\\[1-9]|[*+?}]\+")
_ESCAPED, _CLASS = re.compile(r"\\[^1-9]", re.DOTALL), re.compile(r"\[\^?\]?[^\]]*\]")


def _why_no_pattern(pattern: Any) -> str:
    """What keeps RE2, by which API servers go, from reading a pattern; empty where nothing does."""
    if not isinstance(pattern, str) or not pattern.strip():
        return "is empty, or no text"
    if _ONLY_PYTHON.search(_CLASS.sub("x", _ESCAPED.sub("x", pattern))):
        return f"{pattern} looks around, refers back or repeats possessively, which RE2 cannot"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(_ONLY_RE2.sub("x", pattern).replace("(?<", "(?P<"))
    except (re.error, OverflowError) as error:
        return f"{pattern} is no regular expression: {error}"
    return ""


def wrong_registries(where: str, registries: Sequence[Any]) -> list[str]:
    """What is wrong with a list of registries; where: the variable that holds it."""
    if not registries:
        return [f"{where} is empty, so that no image could run; name the registries that images come from"]
    odd = [one for one in registries if not isinstance(one, str) or not one.strip("/") or len(one.split()) != 1]
    return [f"{where}: {one!r} is no registry; write it as ghcr.io, or ghcr.io/madfam for a part of it" for one in odd]


def wrong_admission(told: Mapping[str, Any]) -> list[str]:
    """What is wrong with what an inventory tells admission, a sentence each.

    told: name of the variable -> patterns as text, registries as a list.
    """
    wrong = []
    for name, value in told.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            wrong += wrong_registries(name, value)
        elif why := _why_no_pattern(value):
            wrong.append(f"{name}: {why}; write it as a regular expression of RE2")
    return wrong
