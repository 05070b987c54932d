# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tries: which probe pods there are, what each of them connects to, and whether it should get through."""

from __future__ import annotations

import fnmatch
import ipaddress
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..flows.evaluate import Evaluator, Pod, selector
from ..flows.matrix import Identity, expectations, identities, ports_of, ports_outside
from ..flows.model import METADATA, Facts, Flow, Port
from ..flows.render import capability

DNS_TITLE, METADATA_TITLE, API_SERVER = "cluster DNS", "metadata address", "API server"
WITNESS, STRANGER = "witness", "stranger"
# Of whom no wall holds anything: its namespace is made for a run and named after it, so it goes by this name.
OUTSIDER = f"outside/{STRANGER}"
_NODES = 3  # of the addresses behind one name so many are tried
_FIRST_GAUGE = 61337
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Prober:
    """A probe pod. role: probe; twin, a second pod of an identity whose pods talk to each other; witness"""

    identity: Identity
    ports: tuple[Port, ...]
    role: str = "probe"

    @property
    def key(self) -> str:
        return _title(self.identity) + ("-twin" if self.role == "twin" else "")


@dataclass(frozen=True)
class Aim:
    """A port to be reached.

    kind: probe (a pod of the run), server (a pod that really serves), dns, api, node, outside, metadata
    prober: key of the probe pod; address: of everything else; pod: what policies know of one that is there already
    space, labels: of a pod of either sort
    """

    title: str
    kind: str
    port: int
    protocol: str = "TCP"
    prober: str = ""
    address: str = ""
    pod: Pod | None = field(default=None, compare=False)
    space: str = field(default="", compare=False)
    labels: Mapping[str, str] | None = field(default=None, compare=False)

    @property
    def place(self) -> str:
        return f"{self.title} {self.protocol} {self.port}"


@dataclass(frozen=True)
class Task:
    """One pair. source: key of a prober, or API_SERVER; expected: whether it should get through; flow: by which"""

    source: str
    aim: Aim
    expected: bool
    flow: str = ""


@dataclass(frozen=True)
class Design:
    probers: tuple[Prober, ...]
    tasks: tuple[Task, ...]
    gauge: int
    home: str  # namespace of the witness
    outside: str = ""  # namespace of the stranger, where there is one

    @property
    def namespaces(self) -> list[str]:
        return sorted({one.identity.namespace for one in self.probers})


def chosen(title: str, patterns: Sequence[str]) -> bool:
    """Whether a filter takes it: a pattern of the whole, or the name of a namespace; no filter takes everything."""
    space = title.partition("/")[0]
    return not patterns or any(fnmatch.fnmatchcase(title, one) or space == one for one in patterns)


def design(
    flows: Sequence[Flow],
    spaces: Mapping[str, str],
    facts: Facts,
    declared: Evaluator,
    *,
    servers: Sequence[Pod] = (),
    sources: Sequence[str] = (),
    targets: Sequence[str] = (),
    more: Sequence[Identity] = (),
    without: Sequence[Identity] = (),
    nodes: Sequence[str] = (),
    home: str = "",
    outside: str = "",
) -> Design:
    """declared: judges by the policies that the flows amount to. more, without: identities beside those of the flows, and not.

    nodes: an address of each; outside: name of a namespace without walls for the stranger, who finds what only the other side
    would close.
    """
    known = _distinct([*(one for one in identities(flows, spaces) if one not in without), *more])
    home = home or min((one.namespace for one in known), default="")
    stranger = Identity(STRANGER, outside, {})
    known += [stranger] if outside else []
    ports = {one: tuple(ports_outside(flows, facts, one) if one is stranger else ports_of(flows, one)) for one in known}
    starts = [one for one in known if chosen(_title(one), sources)]
    ends = [one for one in known if chosen(_title(one), targets)]
    pairs = expectations(flows, starts, {one: ports[one] for one in ends}, spaces, facts)
    twins = {pair.target for pair in pairs if pair.source == pair.target and pair.expected and pair.flow}
    twins.discard(stranger)
    probers = [Prober(one, ports[one]) for one in known if one in starts or one in ends]
    probers += [Prober(one, ports[one], "twin") for one in known if one in twins]
    tasks = []
    for pair in pairs:
        own = pair.source == pair.target
        if own and pair.target not in twins:
            continue  # nothing keeps a pod from itself
        key = Prober(pair.target, (), "twin" if own else "probe").key
        aim = Aim(_title(pair.target), "probe", pair.port, pair.protocol, prober=key, space=pair.target.namespace,
                  labels=pair.target.labels)  # fmt: skip
        tasks.append(Task(_title(pair.source), aim, pair.expected, pair.flow))
    tasks += _to_servers(flows, starts, servers, spaces, facts, targets)
    # What no wall holds needs no lifelines.
    inside = [one for one in starts if one != stranger]
    tasks += _lifelines(flows, inside, spaces, facts, nodes, declared, targets)
    if chosen(API_SERVER, sources):
        tasks += _from_api_server(flows, [task.aim for task in tasks])
    used = {port.port for flow in flows for port in flow.ports}
    gauge = next(number for number in range(_FIRST_GAUGE, 65536) if number not in used)
    witness = Prober(Identity(WITNESS, home, {}), (), WITNESS)
    outside = outside if any(one.identity == stranger for one in probers) else ""
    return Design((*probers, witness), (*tasks, *_witnessed(witness, probers, tasks)), gauge, home, outside)


def _title(one: Identity) -> str:
    return OUTSIDER if one.name == STRANGER else f"{one.namespace}/{one.name}"


def _distinct(listed: Iterable[Identity]) -> list[Identity]:
    """By namespace and labels, with names that are unique in their namespace."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Identity] = {}
    names: set[str] = set()
    for one in listed:
        key = (one.namespace, tuple(sorted(one.labels.items())))
        if key in found:
            continue
        name, number = one.name, 2
        while f"{one.namespace}/{name}" in names or name in (WITNESS, STRANGER):
            name, number = f"{one.name}-{number}", number + 1
        names.add(f"{one.namespace}/{name}")
        found[key] = replace(one, name=name)
    return list(found.values())


def _to_servers(
    flows: Sequence[Flow],
    starts: Sequence[Identity],
    servers: Sequence[Pod],
    spaces: Mapping[str, str],
    facts: Facts,
    targets: Sequence[str],
) -> list[Task]:
    """To the pods that really serve; as far as policies go such a pod is what its labels say."""
    found = {Identity(f"pod {one.name}", one.namespace, one.labels): one for one in servers}
    ends = [one for one in found if chosen(f"{one.namespace}/{one.name.removeprefix('pod ')}", targets)]
    tasks = []
    for pair in expectations(flows, starts, {one: ports_of(flows, one) for one in ends}, spaces, facts):
        pod = found[pair.target]
        title = f"pod {pod.namespace}/{pod.name}"
        aim = Aim(
            title, "server", pair.port, pair.protocol, address=pod.ip, pod=pod, space=pod.namespace, labels=pod.labels
        )
        tasks.append(Task(_title(pair.source), aim, pair.expected, pair.flow))
    return tasks


def _from_api_server(flows: Sequence[Flow], aims: Sequence[Aim]) -> list[Task]:
    """What the API server calls, webhooks and such: it is asked to go there itself, and is the one peer that may."""
    called = [
        (flow, selector(capability(flow, "server"))) for flow in flows
        if flow.source.kind == "api-server" and flow.target.kind == "pods"
    ]  # fmt: skip
    return [
        Task(API_SERVER, aim, True, flow.name)
        for aim in dict.fromkeys(aims)
        for flow, takes in called
        if aim.labels is not None and aim.protocol == "TCP" and Port(aim.port) in flow.ports
        and aim.space in flow.target.namespaces and takes(aim.labels)
    ]  # fmt: skip


def outside(flows: Iterable[Flow]) -> list[tuple[str, Port, str]]:
    """(address, port, flow): what is declared outside as a single address. Of a whole network nobody knows who answers."""
    found = []
    for flow in flows:
        for network in map(ipaddress.ip_network, flow.target.cidrs if flow.target.kind == "cidrs" else ()):
            if network.num_addresses == 1:
                found += [(str(network.network_address), port, flow.name) for port in flow.ports]
    return found


def _lifelines(
    flows: Sequence[Flow],
    starts: Sequence[Identity],
    spaces: Mapping[str, str],
    facts: Facts,
    nodes: Sequence[str],
    declared: Evaluator,
    targets: Sequence[str],
) -> list[Task]:
    dns = facts.dns or {}
    resolver = Pod(str(dns["namespace"]), dict(dns["labels"]), name="dns") if dns.get("labels") else None
    # Policies see the pods' own port, which need not be 53.
    behind = {one.get("protocol"): one.get("port") for one in dns.get("ports") or ()}
    aims = [
        Aim(DNS_TITLE, "dns", port if isinstance(port := behind.get(protocol), int) else 53, protocol, pod=resolver)
        for protocol in ("UDP", "TCP")
    ]
    aims += [Aim(f"API server {host}", "api", port, address=host) for host, port in facts.api_server[:_NODES]]
    node_ports = {port for flow in flows if flow.target.kind == "nodes" for port in flow.ports}
    for port in sorted(node_ports, key=lambda one: (one.port, one.protocol)):
        aims += [Aim(f"node {host}", "node", port.port, port.protocol, address=host) for host in nodes[:_NODES]]
    known = {(aim.address, aim.port, aim.protocol) for aim in aims}
    for host, port, _flow in outside(flows):
        if (host, port.port, port.protocol) not in known:
            known.add((host, port.port, port.protocol))
            aims.append(Aim(f"address {host}", "outside", port.port, port.protocol, address=host))
    aims.append(Aim(METADATA_TITLE, "metadata", 80, address=METADATA[0].partition("/")[0]))
    tasks = []
    for one in starts:
        pod = Pod(one.namespace, one.labels)
        for aim in aims:
            # Nothing keeps a pod from the metadata address where nothing is enforced.
            observed = aim.kind == "metadata" and spaces.get(one.namespace) != "enforce"
            if observed or not chosen(aim.title, targets):
                continue
            # Every pod needs names; everything else is open where a flow says so, or nothing walls it off.
            told = declared.judge(pod, aim.address, aim.port, aim.protocol) if aim.kind != "dns" else None
            expected = aim.kind != "metadata" and (told is None or told.allowed)
            by = _flow_of(told.egress_by) if told is not None and expected else "allow-dns" if expected else ""
            tasks.append(Task(_title(one), aim, expected, by))
    return tasks


def _flow_of(policies: Sequence[str]) -> str:
    """The flow that a policy is made of: namespace/flow-<name>-from."""
    name = policies[0].partition("/")[2] if policies else ""
    return name.removeprefix("flow-").removesuffix("-from")


def _witnessed(witness: Prober, probers: Sequence[Prober], tasks: Sequence[Task]) -> list[Task]:
    """The witness goes to every listener of the run, and to what else its own policy can let it reach."""
    listed = [Aim(one.key, "probe", port.port, port.protocol, prober=one.key) for one in probers for port in one.ports]
    reached = {aim.prober: aim for aim in (task.aim for task in tasks) if aim.kind == "probe"}
    # Under the title that the pairs have, so that it proves the same place alive.
    aims = [replace(aim, title=reached[aim.prober].title) for aim in listed if aim.prober in reached]
    aims += dict.fromkeys(task.aim for task in tasks if task.aim.kind in ("dns", "api"))
    return [Task(witness.key, aim, True, WITNESS) for aim in aims]


def describe(made: Design) -> Obj:
    """What would be tried, for check mode and reports."""
    tried = [task for task in made.tasks if task.flow != WITNESS]
    return {
        "pods": [f"{one.key} ({one.role})" for one in made.probers],
        "pairs": len([task for task in tried if task.aim.kind != "metadata"]),
        "open": len([task for task in tried if task.expected]),
        "closed": len([task for task in tried if not task.expected and task.aim.kind != "metadata"]),
        "namespaces": [space for space in made.namespaces if space != made.outside],
    }
