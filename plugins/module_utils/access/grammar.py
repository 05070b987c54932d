# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What components declare of their accounts, in words: docs/access.md has the grammar."""

from __future__ import annotations

import dataclasses
import re

from .model import ANY, Thing
from .powers import POWERS

_WORDS = (
    "get list watch create update patch delete deletecollection use bind escalate impersonate approve sign attest proxy"
)
VERBS = frozenset({*_WORDS.split(), "post", "put", "head", "options", ANY})
_SPACE = re.compile(r"\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_THING = re.compile(r"(\*|[a-z][a-z0-9]*)(\.(\*|[a-z0-9]([-a-z0-9.]*[a-z0-9])?))?(/(\*|[a-z]+))?")
_CLAUSES = ("named", "in", "outside")


class GrammarError(ValueError):
    """A statement nobody can read; says what is wrong with it."""


@dataclasses.dataclass(frozen=True)
class Statement:
    """`get,list secrets named a in b`. spaces: nothing for what has no namespace; outside: all but these."""

    text: str
    verbs: tuple[str, ...]
    things: tuple[Thing, ...] = ()
    urls: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    outside: bool = False


@dataclasses.dataclass(frozen=True)
class Exemption:
    """A power that is needed. things: nothing for all that the power is about; everywhere: in all namespaces, or in none."""

    text: str
    power: str
    things: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()

    @property
    def everywhere(self) -> bool:
        return not self.spaces or ANY in self.spaces


def _listed(text: str) -> tuple[str, ...]:
    found = tuple(one for one in text.split(",") if one)
    if not found:
        raise GrammarError("a list is empty")
    return found


def _clauses(words: list[str], known: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Pairs of a word and a list after it."""
    found: dict[str, tuple[str, ...]] = {}
    while words:
        key, rest = words[0], words[1:]
        if key not in known or key in found:
            raise GrammarError(
                f"{key!r} is not expected there, but {', '.join(one for one in known if one not in found)}"
            )
        if not rest:
            raise GrammarError(f"nothing follows {key!r}")
        found[key], words = _listed(rest[0]), rest[1:]
    for one in (*found.get("in", ()), *found.get("outside", ())):
        if not _SPACE.fullmatch(one):
            raise GrammarError(f"{one!r} is no namespace")
    return found


def thing(text: str) -> Thing:
    """`pods/exec`, `deployments.apps/scale`; `*` is everything of every group."""
    found = _THING.fullmatch(text)
    if not found:
        raise GrammarError(f"{text!r} is no resource, as in pods, pods/exec or deployments.apps/scale")
    resource, group, subresource = found.group(1), found.group(3) or "", found.group(6) or ""
    return Thing(resource, group or (ANY if resource == ANY else ""), subresource)


def statement(text: str) -> Statement:
    """Read `<verbs> <resources> [named <names>] [in <namespaces> | outside <namespaces>]`. Raises GrammarError."""
    words = text.split()
    if len(words) < 2:
        raise GrammarError("a statement has verbs and resources, as in get,list secrets in *")
    verbs = _listed(words[0])
    unknown = [verb for verb in verbs if verb not in VERBS and not verb.startswith("impersonate")]
    if unknown:
        raise GrammarError(f"{unknown[0]!r} is no verb")
    found = _clauses(words[2:], _CLAUSES)
    if words[1].startswith("/"):
        if found:
            raise GrammarError("a path has no names and no namespace")
        return Statement(text, verbs, urls=_listed(words[1]))
    if "in" in found and "outside" in found:
        raise GrammarError("only one of 'in' and 'outside' can be meant")
    return Statement(
        text,
        verbs,
        things=tuple(thing(one) for one in _listed(words[1])),
        names=found.get("named", ()),
        spaces=found.get("in", found.get("outside", ())),
        outside="outside" in found,
    )


def exemption(text: str) -> Exemption:
    """Read `<power> [of <resources>] [named <names>] [in <namespaces>]`. Raises GrammarError."""
    words = text.split()
    if not words or words[0] not in POWERS:
        raise GrammarError(f"it names no power; powers are {', '.join(POWERS)}")
    found = _clauses(words[1:], ("of", "named", "in"))
    if "in" not in found and not POWERS[words[0]].cluster:
        raise GrammarError("it does not say where: 'in <namespaces>', or 'in *' for everywhere")
    things = tuple(one if one.startswith("/") else str(thing(one)) for one in found.get("of", ()))
    return Exemption(text, words[0], things, found.get("named", ()), found.get("in", ()))
