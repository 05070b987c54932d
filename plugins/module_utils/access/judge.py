# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which power, what of it nobody declared, and what the API server answers otherwise than declared."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Collection, Mapping, Sequence

from . import powers
from .declared import Declared, Expectation, covers
from .graph import Graph
from .model import GROUP, Subject, Thing
from .powers import POWERS, Finding, find

Obj = dict[str, t.Any]
# Resources that no discovery lists: they exist in rules only.
_VIRTUAL = frozenset({"users", "groups", "signers", "uids", "userextras"})
_IMPERSONATED = frozenset({Thing(name, "authentication.k8s.io") for name in ("serviceaccounts", "nodes")})


@dataclasses.dataclass(frozen=True)
class Account:
    """A service account that exists. automount: None where it says nothing, which means yes."""

    subject: Subject
    automount: bool | None


def everyone(graph: Graph, accounts: Sequence[Account] = ()) -> list[Finding]:
    """All powers of all whom a binding names, and of those accounts that are in a group it names; by power, then by who has it."""
    order = list(POWERS)
    members: dict[str, list[Subject]] = {}
    for account in accounts:
        for group in account.subject.groups:
            members.setdefault(group, []).append(account.subject)
    found: set[Finding] = set()
    for grant in graph.grants:
        mine = find(grant)
        found.update(mine)
        through = dataclasses.replace(grant.path, member_of=grant.subject.name)
        for subject in members.get(grant.subject.name, ()) if mine and grant.subject.kind == GROUP else ():
            found.update(dataclasses.replace(one, subject=subject, path=through) for one in mine)
    return sorted(
        found, key=lambda one: (order.index(one.power), one.subject, one.namespace, one.what, one.path.steps())
    )


def held(graph: Graph, subject: Subject) -> list[Finding]:
    """All powers of one subject, those of its groups among them."""
    found = {finding: None for grant in graph.of_subject(subject) for finding in find(grant, subject)}
    return list(found)


def collapsed(findings: Sequence[Finding]) -> list[Finding]:
    """Who may do everything is said once."""
    paths = {(one.subject, one.path) for one in findings if one.power == "everything"}
    return [one for one in findings if one.power == "everything" or (one.subject, one.path) not in paths]


def undeclared(graph: Graph, subjects: Sequence[Subject], declared: Sequence[Declared]) -> list[Finding]:
    """Powers of these subjects that none of their components declares as needed."""
    known = {one.subject: one for one in declared}
    found = []
    for subject in subjects:
        mine = known.get(subject)
        found += collapsed([one for one in held(graph, subject) if mine is None or mine.exempts(one) is None])
    return found


def probes(subjects: Sequence[Subject], declared: Sequence[Declared], found: Sequence[Finding]) -> list[Finding]:
    """What else these subjects must not be able to do, as questions to the API server; what was found is known already."""
    known = {one.subject: one for one in declared}
    seen = {(one.subject, one.power) for one in found} | {
        (one.subject, "") for one in found if one.power == "everything"
    }
    asked = []
    for subject in subjects:
        mine = known.get(subject)
        asked += [
            one
            for one in powers.probes(subject)
            if not {(subject, one.power), (subject, "")} & seen and (mine is None or mine.exempts(one) is None)
        ]
    return asked


def unneeded(graph: Graph, declared: Sequence[Declared]) -> list[Obj]:
    """Declared powers that nothing grants any more."""
    found = []
    for one in declared:
        findings = held(graph, one.subject)
        found += [
            {"component": one.component, "account": _account(one.subject), "power": given.text}
            for given in one.exemptions
            if not any(covers(given, finding) for finding in findings)
        ]
    return found


def mismatches(
    expected: Sequence[Expectation],
    answers: Mapping[tuple[Subject, t.Any], bool],
    graph: Graph,
    served: Collection[Thing],
) -> list[Obj]:
    """Where the API server's answer is another one than declared, and statements about what it does not serve."""
    found = []
    for one in expected:
        thing = one.request.thing
        if thing is not None and not _is_served(thing, served):
            found.append(_mismatch(one, "the cluster serves no such resource", []))
            continue
        allowed = answers[one.declared.subject, one.request]
        if allowed == one.allowed:
            continue
        subject = one.declared.subject
        paths = [path.steps() for path in graph.paths(one.request, subject.user, subject.groups)]
        if allowed and not paths:
            paths = [["granted by another authorizer than RBAC"]]
        found.append(_mismatch(one, "allowed" if allowed else "denied", paths))
    return found


def _mismatch(one: Expectation, seen: str, paths: Sequence[Sequence[str]]) -> Obj:
    return {
        "component": one.declared.component,
        "account": _account(one.declared.subject),
        "what": str(one.request),
        "statement": one.text,
        "expected": "can" if one.allowed else "cannot",
        "seen": seen,
        "paths": [list(path) for path in paths],
    }


def _is_served(thing: Thing, served: Collection[Thing]) -> bool:
    if "*" in (thing.resource, thing.group, thing.subresource) or thing.resource in _VIRTUAL or thing in _IMPERSONATED:
        return True
    # kubelets, not the API server, know what is below a node
    return thing in served or (thing.resource == "nodes" and not thing.group)


def unused_with_token(accounts: Sequence[Account], declared: Sequence[Declared]) -> list[str]:
    """Accounts that no component declares and that give every pod a token all the same."""
    known = {one.subject for one in declared}
    return [_account(one.subject) for one in accounts if one.subject not in known and one.automount is not False]


def _account(subject: Subject) -> str:
    return f"{subject.namespace}/{subject.name}"


def shown(finding: Finding, declared: Mapping[Subject, Declared]) -> Obj:
    """A finding as plain data."""
    mine = declared.get(finding.subject)
    exemption = mine.exempts(finding) if mine else None
    return {
        "power": finding.power,
        "kind": finding.subject.kind,
        "name": finding.subject.name,
        "namespace": finding.subject.namespace,
        "verbs": list(finding.verbs),
        "what": finding.what,
        "scope": finding.scope,
        "names": list(finding.names),
        "member_of": finding.path.member_of,
        "path": finding.path.steps(),
        "reason": mine.reasons[exemption.text] if mine and exemption else "",
    }


def report(graph: Graph, declared: Sequence[Declared], accounts: Sequence[Account] = ()) -> list[Obj]:
    """For each power somebody has: everybody who has it, and apart from them Kubernetes' own. accounts: all that there are."""
    known = {one.subject: one for one in declared}
    findings = everyone(graph, accounts)
    out = []
    for power in POWERS.values():
        mine = [one for one in findings if one.power == power.name]
        if mine:
            out.append(
                {
                    "power": power.name,
                    "meaning": power.meaning,
                    "everyone": [shown(one, known) for one in mine if not one.subject.system],
                    "system": [shown(one, known) for one in mine if one.subject.system],
                }
            )
    return out
