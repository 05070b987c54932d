# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in lines of text."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

Obj = Mapping[str, t.Any]
ARROW = " → "
_SHOWN = 3
_ANYBODY = "user system:anonymous"


def who(entry: Obj) -> str:
    if entry["kind"] == "ServiceAccount":
        return f"account {entry['namespace']}/{entry['name']}"
    return f"{str(entry['kind']).lower()} {entry['name']}"


def of_report(report: Sequence[Obj]) -> list[str]:
    """Power by power. Who may do everything is named once, under that; members of a group, with the group."""
    total = {_key(entry) for power in report if power["power"] == "everything" for entry in power["everyone"]}
    lines = []
    for power in report:
        mine = [entry for entry in power["everyone"] if power["power"] == "everything" or _key(entry) not in total]
        own = len({(entry["kind"], entry["namespace"], entry["name"]) for entry in power["system"]})
        lines.append(f"{power['power']} ({power['meaning']}):")
        members = [entry for entry in mine if entry["member_of"]]
        lines += [f"  {_line(group, members)}" for group in _together([one for one in mine if not one["member_of"]])]
        lines += [f"  and {own} of Kubernetes' own"] if own else []
    return lines


def _key(entry: Obj) -> tuple[str, ...]:
    return (who(entry), *entry["path"])


def _together(entries: Sequence[Obj]) -> list[list[Obj]]:
    """Those of one subject and scope, whatever their paths."""
    groups: dict[tuple[str, str], list[Obj]] = {}
    for one in entries:
        groups.setdefault((who(one), one["scope"]), []).append(one)
    return list(groups.values())


def _line(group: Sequence[Obj], members: Sequence[Obj]) -> str:
    paths = dict.fromkeys(ARROW.join(one["path"]) for one in group)
    reasons = dict.fromkeys(one["reason"] or "not declared" for one in group)
    # people and groups are nobody's to declare
    declared = f" (declared: {' '.join(reasons)})" if any(one["reason"] for one in group) else ""
    return f"{who(group[0])} {group[0]['scope']}: {'; '.join(paths)}{declared}{_members(group, members)}"


def _members(group: Sequence[Obj], members: Sequence[Obj]) -> str:
    """Who has it by being in that group."""
    paths = [(one["name"], one["path"]) for one in group if one["kind"] == "Group"]
    found = list(dict.fromkeys(who(one) for one in members if (one["member_of"], one["path"][1:]) in paths))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"; in it are {', '.join(found[:_SHOWN])}{more}" if found else ""


def wrong(proof: Obj) -> list[str]:
    """What keeps a proof from being one, one line each."""
    return [
        *(of_mismatches(group) for group in _alike(proof["mismatches"])),
        *(of_undeclared(one) for one in proof["undeclared"]),
        *(f"account {name}: no component uses it, and every pod gets its token" for name in proof["unused_with_token"]),
    ]


def of_proof(proof: Obj) -> list[str]:
    """How much was asked, what is wrong, and what need not be declared any more."""
    asked = f"{proof['statements']} statements about {proof['accounts']} accounts, {proof['asked']} reviews by the API server"
    return [
        f"{asked}, {len(wrong(proof))} not as declared",
        *(f"  {line}" for line in wrong(proof)),
        *(f"  note: {one['account']} does not have {one['power']!r}, which is declared" for one in proof["unneeded"]),
    ]


def _alike(mismatches: Sequence[Obj]) -> list[list[Obj]]:
    """Those of one statement that have the same cause: what is open in one namespace is so in all of them."""
    groups: dict[tuple[str, ...], list[Obj]] = {}
    for one in mismatches:
        key = (one["account"], one["statement"], one["expected"], one["seen"], str(one["paths"]))
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def of_mismatches(alike: Sequence[Obj]) -> str:
    first = alike[0]
    asked = ", ".join(one["what"] for one in alike[:_SHOWN])
    more = f" and {len(alike) - _SHOWN} more" if len(alike) > _SHOWN else ""
    by = "; ".join(ARROW.join(path) for path in first["paths"])
    return (
        f"account {first['account']}: {first['expected']} {first['statement']!r} is declared, seen {first['seen']}: {asked}{more}"
        f"{f', by {by}' if by else ''} ({first['component']})"
    )


def of_undeclared(one: Obj) -> str:
    named = f" named {','.join(one['names'])}" if one["names"] else ""
    wrong = "is open to everybody without a login" if who(one) == _ANYBODY else "is not declared"
    return (
        f"{who(one)}: {one['power']} {wrong}: {','.join(one['verbs'])} {one['what']}{named} {one['scope']}, "
        f"by {ARROW.join(one['path'])}"
    )
