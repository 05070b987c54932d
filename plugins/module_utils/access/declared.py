# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access that components declare, read, and turned into questions for the API server."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ..kube.errors import KubeError
from .grammar import Exemption, GrammarError, Statement, exemption, statement
from .graph import Graph
from .model import ANY, Request, Subject
from .powers import Finding


@dataclasses.dataclass(frozen=True)
class Declared:
    """What one account of a component is said to be able to do, or not. reasons: exemption's text -> why."""

    component: str
    subject: Subject
    can: tuple[Statement, ...]
    cannot: tuple[Statement, ...]
    exemptions: tuple[Exemption, ...]
    reasons: Mapping[str, str]

    def exempts(self, finding: Finding) -> Exemption | None:
        """What declares a power, if anything does."""
        return next((one for one in self.exemptions if covers(one, finding)), None)


@dataclasses.dataclass(frozen=True)
class Expectation:
    """A question, and the answer that was declared. text: the statement it comes from."""

    declared: Declared
    text: str
    request: Request
    allowed: bool


def covers(given: Exemption, finding: Finding) -> bool:
    if given.power not in (finding.power, "everything"):
        return False
    if given.things and finding.what not in given.things:
        return False
    if given.names and not (finding.names and set(finding.names) <= set(given.names)):
        return False
    return given.everywhere or (bool(finding.namespace) and finding.namespace in given.spaces)


def read(components: Sequence[Mapping[str, t.Any]]) -> list[Declared]:
    """All that is declared by components that are present. Raises one KubeError that names everything that is wrong."""
    found: list[Declared] = []
    wrong: list[str] = []
    for component in components:
        if component.get("state", "present") != "present":
            continue
        for entry in component.get("access") or ():
            where = f"{component['name']}: {entry['account']}"
            subject = Subject.account(str(entry.get("namespace") or component["namespace"]), str(entry["account"]))
            if any(one.subject == subject for one in found):
                wrong.append(f"{where}: {subject} is declared twice")
            reasons = {str(one["power"]): str(one["reason"]).strip() for one in entry.get("exceptions") or ()}
            wrong += [f"{where}: {power!r} has no reason" for power, reason in reasons.items() if not reason]
            found.append(
                Declared(
                    str(component["name"]),
                    subject,
                    tuple(_each(statement, entry.get("can"), f"{where} can", wrong)),
                    tuple(_each(statement, entry.get("cannot"), f"{where} cannot", wrong)),
                    tuple(_each(exemption, reasons, f"{where} exceptions", wrong)),
                    reasons,
                )
            )
            wrong += [f"{where} can {one.text!r}: 'outside' is for cannot only" for one in found[-1].can if one.outside]
            # the API server would only say whether all of it is allowed, and a "no" to that proves little
            wrong += [
                f"{where} cannot {one.text!r}: name the verbs and resources, '*' asks for all of them at once"
                for one in found[-1].cannot
                if ANY in one.verbs or any(ANY in (it.resource, it.group, it.subresource) for it in one.things)
            ]
    if wrong:
        raise KubeError(
            "Declared access",
            "; ".join(wrong),
            "Nothing was asked. Write it as docs/access.md says",
            reason="invalid",
        )
    return found


Read = t.TypeVar("Read")


def _each(reader: t.Callable[[str], Read], texts: Iterable[str] | None, where: str, wrong: list[str]) -> list[Read]:
    found = []
    for text in texts or ():
        try:
            found.append(reader(str(text)))
        except GrammarError as error:
            wrong.append(f"{where} {str(text)!r}: {error}")
    return found


def expectations(declared: Sequence[Declared], graph: Graph, namespaces: Sequence[str]) -> list[Expectation]:
    """Every question that the statements amount to. namespaces: all that there are."""
    return [
        Expectation(one, given.text, request, allowed)
        for one in declared
        for allowed, statements in ((True, one.can), (False, one.cannot))
        for given in statements
        for request in _requests(given, allowed, one.subject, graph, namespaces)
    ]


def _requests(
    given: Statement, allowed: bool, subject: Subject, graph: Graph, namespaces: Sequence[str]
) -> Iterable[Request]:
    for verb in given.verbs:
        for url in given.urls:
            yield Request(verb, url=url)
        for thing in given.things:
            for space in _spaces(given, allowed, namespaces):
                names = given.names or ("",)
                asked = [Request(verb, thing, space, name) for name in names]
                if not allowed and not given.names:
                    # "cannot" without a name is "not even one": what a rule grants by name is asked for by name, too
                    asked += [
                        dataclasses.replace(asked[0], name=name) for name in _granted_names(graph, subject, asked[0])
                    ]
                yield from asked


def _spaces(given: Statement, allowed: bool, namespaces: Sequence[str]) -> list[str]:
    """Namespaces to ask for, "" for all at once. "In no namespace" has to be asked for each of them."""
    if given.outside:
        return ["", *(space for space in namespaces if space not in given.spaces)]
    if not given.spaces:
        return [""]
    if ANY in given.spaces:
        return [""] if allowed else ["", *namespaces]
    return list(given.spaces)


def _granted_names(graph: Graph, subject: Subject, request: Request) -> list[str]:
    found: dict[str, None] = {}
    for grant in graph.of_subject(subject):
        for name in grant.rule.names:
            if grant.allows(dataclasses.replace(request, name=name)):
                found[name] = None
    return list(found)
