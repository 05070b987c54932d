# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every pair of pods that a probe can try, and what the declared flows say of it. No Ansible inside."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .model import METADATA, End, Facts, Flow, Port, inside

# Where a pod without any capability listens in a probe, so that it can be proved alive and closed.
SPARE = Port(8080)
BARE = "bare"


@dataclass(frozen=True)
class Identity:
    """A kind of pod: what policies know of it. name: a DNS label, unique in its namespace"""

    name: str
    namespace: str
    labels: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class Pair:
    """expected: whether the connection is allowed; flow: by which, empty where it is not, or where nothing walls it off"""

    source: Identity
    target: Identity
    port: int
    protocol: str
    expected: bool
    flow: str


def identities(flows: Iterable[Flow], spaces: Mapping[str, str]) -> list[Identity]:
    """One for each capability in each walled namespace, and one without any in each of them.

    A flow whose two ends are the same has peers. Ends declared by other labels are one identity for each set of labels.
    """
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Identity] = {}
    for flow in flows:
        sides = (
            [("peer", flow.source)]
            if flow.source == flow.target
            else [("client", flow.source), ("server", flow.target)]
        )
        for side, end in sides:
            labels = {flow.label: side} if end.labels is None else dict(end.labels)
            for space in end.namespaces if end.kind == "pods" and labels else ():
                key = (space, tuple(sorted(labels.items())))
                if space in spaces and key not in found:
                    found[key] = Identity(f"{flow.name}-{side}", space, labels)
    bare = [Identity(BARE, space, {}) for space in spaces]
    return sorted([*found.values(), *bare], key=lambda one: (one.namespace, one.name))


def ports_of(flows: Iterable[Flow], target: Identity) -> list[Port]:
    """Where it listens: the ports of all flows that end at it, or the spare one."""
    found = {port: None for flow in flows if _is(flow, "server", target) for port in flow.ports}
    return list(found) or [SPARE]


def ports_outside(flows: Iterable[Flow], facts: Facts, stranger: Identity) -> list[Port]:
    """Where a pod outside all walls listens: the ports of all flows that lead to pods anywhere, and the spare one."""
    found = {
        port: None
        for flow in flows
        if flow.target.kind == "cidrs" and _holds(flow.target, flow, "server", stranger, facts)
        for port in flow.ports
    }
    return list({**found, SPARE: None})


def expectations(
    flows: Sequence[Flow],
    sources: Sequence[Identity],
    targets: Mapping[Identity, Sequence[Port]],
    spaces: Mapping[str, str],
    facts: Facts,
) -> list[Pair]:
    """Every source with every port of every target, in that order. targets: where each of them listens.

    A direction is open where its namespace enforces nothing, or a flow says so; a connection needs both directions.
    """
    pairs = []
    out = {source: [flow for flow in flows if _is(flow, "client", source)] for source in sources}
    into = {target: [flow for flow in flows if _is(flow, "server", target)] for target in targets}
    for source in sources:
        for target, ports in targets.items():
            for port in ports:
                leaves = {
                    one.name
                    for one in out[source]
                    if port in one.ports and _holds(one.target, one, "server", target, facts)
                }
                enters = {
                    one.name
                    for one in into[target]
                    if port in one.ports and _holds(one.source, one, "client", source, facts)
                }
                free_out, free_in = spaces.get(source.namespace) != "enforce", spaces.get(target.namespace) != "enforce"
                expected = (free_out or bool(leaves)) and (free_in or bool(enters))
                named = min((leaves & enters) or leaves or enters, default="") if expected else ""
                pairs.append(Pair(source, target, port.port, port.protocol, expected, named))
    return pairs


def _is(flow: Flow, side: str, one: Identity) -> bool:
    """Whether that kind of pod is at that end of the flow."""
    end = flow.source if side == "client" else flow.target
    if end.kind != "pods" or one.namespace not in end.namespaces:
        return False
    if end.labels is None:
        return one.labels.get(flow.label) in (side, "peer")
    return all(one.labels.get(key) == value for key, value in end.labels.items())


def _holds(end: End, flow: Flow, side: str, one: Identity, facts: Facts) -> bool:
    """Whether that end takes such a pod in: by its labels, or by networks that pods have their addresses from."""
    if end.kind == "pods":
        return _is(flow, side, one)
    if end.kind != "cidrs":
        return False
    pods = [ipaddress.ip_network(network) for network in facts.pod_networks]
    holes = [ipaddress.ip_network(network) for network in end.excepted]
    for network in map(ipaddress.ip_network, end.cidrs):
        if network.prefixlen == 0 and {*end.excepted} <= {*METADATA}:
            return True  # whatever addresses pods have
        if any(inside(pod, network) and not any(inside(pod, hole) for hole in holes) for pod in pods):
            return True
    return False
