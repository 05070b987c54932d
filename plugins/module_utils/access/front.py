# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of access_info to its result, in a module or inside the controller."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import KubeError
from . import declared as declarations
from . import judge, live, words
from .declared import Declared
from .graph import Graph
from .model import ACCOUNT, ANONYMOUS, Subject

Obj = dict[str, t.Any]


def access_info(params: Mapping[str, t.Any], environ: Mapping[str, str], clock: Clock | None = None) -> Obj:
    """changed (false), ok, report, proof, lines; see module access_info. Raises KubeError."""
    clock = clock or Clock()
    declared = declarations.read(params["components"])
    client = Client(load_login(params, environ), clock=clock)
    try:
        cluster = live.look(client)
        graph = Graph(cluster.objects)
        proof = _prove(params, client, clock, cluster, graph, declared) if params["prove"] else None
    finally:
        client.close()
    report = judge.report(graph, declared, cluster.accounts)
    result: Obj = {"changed": False, "ok": True, "report": report, "lines": words.of_report(report)}
    if proof is not None:
        wrong = words.wrong(proof)
        result.update(ok=not wrong, wrong=wrong, proof=proof, lines=[*result["lines"], *words.of_proof(proof)])
        if params["require"] and wrong:
            raise KubeError(
                "Access",
                "; ".join(wrong),
                "Take away what nobody declared, or declare it with its reason; docs/access.md tells how",
                reason="not_ready",
            )
    return result


def _prove(
    params: Mapping[str, t.Any],
    client: Client,
    clock: Clock,
    cluster: live.Cluster,
    graph: Graph,
    declared: Sequence[Declared],
) -> Obj:
    """What was declared beside what the API server answers, and powers of accounts that nobody declared."""
    spaces = _spaces(params)
    expected = declarations.expectations(declared, graph, cluster.namespaces)
    # a component may live in kube-system, whose other accounts are Kubernetes' own
    accounts = [one for one in cluster.accounts if one.subject.namespace in spaces and not one.subject.system]
    judged = _judged(accounts, declared, graph, spaces)
    # whoever shows no login may do nothing of the kind, and nobody can declare it
    subjects = [*judged, ANONYMOUS]
    known = {one.subject: one for one in declared}
    found = judge.undeclared(graph, subjects, declared)
    probes = judge.probes(subjects, declared, found)
    questions = [(one.declared.subject, one.request) for one in expected]
    began = clock.monotonic()
    answers = live.ask(client, [*questions, *((one.subject, one.request()) for one in (*found, *probes))])
    seconds = clock.monotonic() - began
    found += [one for one in probes if answers[one.subject, one.request()]]
    return {
        "asked": len(answers),
        "seconds": round(seconds, 3),
        "statements": sum(len(one.can) + len(one.cannot) for one in declared),
        "accounts": len(judged),
        "mismatches": judge.mismatches(expected, answers, graph, cluster.served),
        "undeclared": [{**judge.shown(one, known), "confirmed": answers[one.subject, one.request()]} for one in found],
        "unneeded": judge.unneeded(graph, declared),
        "unused_with_token": judge.unused_with_token(accounts, declared),
    }


def _spaces(params: Mapping[str, t.Any]) -> set[str]:
    """Namespaces whose accounts are judged: those of the components that we run, and those that are named."""
    own = {str(one["namespace"]) for one in params["components"] if one["state"] == "present"}
    return own | set(params["namespaces"])


def _judged(
    accounts: Sequence[judge.Account], declared: Sequence[Declared], graph: Graph, spaces: set[str]
) -> list[Subject]:
    """Accounts that exist, that are declared, and that a binding names although nobody has made them yet."""
    named = [one for one in graph.subjects() if one.kind == ACCOUNT and one.namespace in spaces and not one.system]
    return list(dict.fromkeys([*(one.subject for one in accounts), *(one.subject for one in declared), *named]))
