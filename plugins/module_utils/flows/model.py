# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows as components and the inventory declare them, checked: no Ansible inside."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LABEL = "flow.enclii.dev/"
# What a cloud tells whoever asks from a machine of its own, credentials among it: out of reach for every pod.
METADATA = ("169.254.169.254/32", "fd00:ec2::254/128")
EVERYTHING = ("0.0.0.0/0", "::/0")
PROTOCOLS = ("TCP", "UDP")
INVENTORY = "inventory"
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,38}[a-z0-9])?")
_SPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_KEYS = {"name", "from", "to", "port", "ports", "protocol", "description"}
_ENDS = "a component, {namespace: …}, {namespaces: […]}, {cidrs: […]}, environments, api-server, nodes or any"


class FlowError(Exception):
    """One failure a person has to act on.

    subject: what it is about ("Flow web of the inventory", "Flows"); cause: why; next_step: what to do about it
    reason: one word for programs: declaration, facts; problems: each single one as as_dict() has it, for programs
    """

    def __init__(self, subject: str, cause: str, next_step: str = "", *, reason: str = "declaration") -> None:
        self.subject = subject
        self.cause = cause.rstrip(". ")
        self.next_step = next_step.rstrip(". ")
        self.reason = reason
        self.problems: list[dict[str, str]] = [self.as_dict()]
        super().__init__(str(self))

    def __str__(self) -> str:
        step = f". {self.next_step}" if self.next_step else ""
        return f"{self.subject}: {self.cause}{step}."

    def as_dict(self) -> dict[str, str]:
        return {"object": self.subject, "cause": self.cause, "next_step": self.next_step, "reason": self.reason}

    @classmethod
    def together(cls, errors: Sequence[FlowError]) -> FlowError:
        """One error that tells them all."""
        if len(errors) == 1:
            return errors[0]
        lines = "".join(f"\n- {one}" for one in errors)
        whole = cls("Flows", f"{len(errors)} problems, nothing was changed:{lines}", reason=errors[0].reason)
        whole.problems = [one.as_dict() for one in errors]
        return whole


@dataclass(frozen=True)
class Port:
    """A port of the receiving pod itself: policies see packets after a Service has translated them."""

    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class End:
    """One end of a flow.

    kind: pods | api-server | nodes | cidrs
    namespaces, labels: of pods; labels None means those that carry the flow's own label
    cidrs, excepted: of cidrs; excepted holds the metadata addresses wherever they lie inside
    title: as it was declared, for people
    """

    kind: str
    namespaces: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    cidrs: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    title: str = ""

    @property
    def everywhere(self) -> bool:
        """Whether it is all there is, pods among it, but for the metadata addresses."""
        return {*EVERYTHING} <= {*self.cidrs} and {*self.excepted} <= {*METADATA}


@dataclass(frozen=True)
class Flow:
    """Source may talk to target on these ports. owner: the component that declares it, or "inventory"."""

    name: str
    source: End
    target: End
    ports: tuple[Port, ...]
    owner: str = INVENTORY
    description: str = ""

    @property
    def label(self) -> str:
        """Key of the label that its pods carry."""
        return LABEL + self.name


@dataclass(frozen=True)
class Facts:
    """What a cluster's network is like; see cluster_info's `network`.

    api_server: addresses and ports behind the Service default/kubernetes; control_plane: where its calls come from
    dns: {namespace, labels, addresses, ports}: labels of the DNS pods, addresses of its Service, ports of the pods
    pod_networks: what pods get their addresses from, as far as the nodes say so
    """

    api_server: tuple[tuple[str, int], ...] = ()
    control_plane: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    dns: Mapping[str, Any] | None = None
    pod_networks: tuple[str, ...] = ()

    @classmethod
    def read(cls, network: Mapping[str, Any]) -> Facts:
        """From the `network` of cluster_info. Raises FlowError where it is not that."""
        try:
            return cls(
                api_server=tuple(sorted((str(one["address"]), int(one["port"])) for one in network["api_server"])),
                control_plane=tuple(sorted(map(str, network["control_plane"]))),
                nodes=tuple(sorted(map(str, network["nodes"]))),
                dns=dict(network.get("dns") or {}),
                pod_networks=tuple(sorted(map(str, network.get("pod_networks") or []))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FlowError(
                "Facts of the network",
                f"they are not what cluster_info returns with network: true ({type(error).__name__}: {error})",
                "Pass its result's network",
                reason="facts",
            ) from error


def read_flows(
    components: Iterable[Mapping[str, Any]], declared: Iterable[Mapping[str, Any]], environments: Sequence[str]
) -> list[Flow]:
    """Every flow of every component that is present, and of the inventory, sorted by name; all problems in one FlowError.

    components: {name, namespace, state, flows}. What an absent or external component declares is left out, and so is a flow
    to or from an absent one. An external one's pods cannot carry our labels: as an end it is its whole namespace.
    """
    known = {str(one["name"]): one for one in components}
    reader = _Reader(known, tuple(str(one) for one in environments))
    for name, one in known.items():
        if one.get("state") == "present":
            for item in one.get("flows") or []:
                reader.add(item, name)
    for item in declared or []:
        reader.add(item, INVENTORY)
    if reader.errors:
        raise FlowError.together(reader.errors)
    return sorted(reader.flows.values(), key=lambda flow: flow.name)


class _Problem(Exception):
    """cause, next step"""


class _Gone(Exception):
    """An end of it is absent."""


class _Reader:
    """Collects flows and what is wrong with them."""

    def __init__(self, components: Mapping[str, Mapping[str, Any]], environments: tuple[str, ...]) -> None:
        self.components = components
        self.environments = environments
        self.flows: dict[str, Flow] = {}
        self.errors: list[FlowError] = []
        self._owners: dict[str, str] = {}

    def add(self, item: Any, owner: str) -> None:
        name = item.get("name") if isinstance(item, Mapping) else None
        of = "the inventory" if owner == INVENTORY else f"component {owner}"
        try:
            self._add(item, owner)
        except _Gone:
            pass
        except _Problem as problem:
            cause, step = problem.args
            self.errors.append(FlowError(f"Flow {name if isinstance(name, str) else repr(item)} of {of}", cause, step))

    def _add(self, item: Any, owner: str) -> None:
        if not isinstance(item, Mapping):
            raise _Problem("it is no mapping", "Give name, from, to and port or ports")
        name = item.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _Problem(f"{name!r} is no name for a flow", "Use a-z, 0-9 and '-', at most 40 characters")
        if name in self._owners:
            raise _Problem(f"{self._owners[name]} has a flow of that name too", "Choose another: it is a label of pods")
        self._owners[name] = owner
        unknown = sorted(set(item) - _KEYS)
        if unknown:
            raise _Problem(f"it has no {', '.join(map(str, unknown))}", f"It has {', '.join(sorted(_KEYS))}")
        ports = _ports(item)
        source, target = self._end(item, "from"), self._end(item, "to")
        if source.kind != "pods" and target.kind != "pods":
            raise _Problem(
                f"neither from ({source.title}) nor to ({target.title}) are pods, and policies are about pods only",
                "Name a component or a namespace at one end",
            )
        self.flows[name] = Flow(name, source, target, ports, owner, str(item.get("description") or ""))

    def _end(self, item: Mapping[str, Any], side: str) -> End:
        value = item.get(side)
        if isinstance(value, str):
            return self._named(value, side)
        if isinstance(value, Mapping):
            if "cidrs" in value:
                return _external(value, side)
            return _spaces(value, side)
        raise _Problem(f"{side} is {value!r}", f"It is {_ENDS}")

    def _named(self, value: str, side: str) -> End:
        if value in ("api-server", "nodes"):
            return End(value, title=value)
        if value == "any":
            return End("cidrs", cidrs=EVERYTHING, excepted=METADATA, title="any")
        if value == "environments":
            if not self.environments:
                raise _Gone
            return End("pods", self.environments, title="environments")
        one = self.components.get(value)
        if one is None:
            raise _Problem(f"{side} is {value!r}, and there is no component of that name", f"It is {_ENDS}")
        if one.get("state") == "absent":
            raise _Gone
        return End("pods", (str(one["namespace"]),), {} if one.get("state") == "external" else None, title=value)


def _ports(item: Mapping[str, Any]) -> tuple[Port, ...]:
    if ("port" in item) == ("ports" in item):
        raise _Problem(
            "it has to have either port or ports", "Give port: 8080, or ports: [8080, {port: 53, protocol: UDP}]"
        )
    if "ports" in item:
        listed = item["ports"]
        if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
            raise _Problem(f"ports is {listed!r}", "Give a list with at least one port")
        if "protocol" in item:
            raise _Problem("protocol goes with port, not with ports", "Write ports: [{port: 53, protocol: UDP}]")
    else:
        listed = [{"port": item["port"], "protocol": item.get("protocol", "TCP")}]
    found = []
    for one in listed:
        entry = one if isinstance(one, Mapping) else {"port": one}
        number, protocol = entry.get("port"), str(entry.get("protocol", "TCP"))
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 65536:
            raise _Problem(f"{number!r} is no port", "Give a number from 1 to 65535: the pod's own, not its Service's")
        if protocol not in PROTOCOLS or set(entry) - {"port", "protocol"}:
            raise _Problem(f"port {one!r} is not understood", f"Its protocol is one of {', '.join(PROTOCOLS)}")
        found.append(Port(int(number), protocol))
    return tuple(dict.fromkeys(found))


def _spaces(value: Mapping[str, Any], side: str) -> End:
    if set(value) - {"namespace", "namespaces", "pods"} or ("namespace" in value) == ("namespaces" in value):
        raise _Problem(f"{side} is {dict(value)!r}", f"It is {_ENDS}")
    listed = value["namespaces"] if "namespaces" in value else [value["namespace"]]
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise _Problem(f"{side} names no namespace", "Give a list of their names")
    for name in listed:
        if not isinstance(name, str) or not _SPACE.fullmatch(name):
            raise _Problem(f"{side}: {name!r} is no name of a namespace", "Use a-z, 0-9 and '-', at most 63 characters")
    spaces = tuple(dict.fromkeys(str(name) for name in listed))
    pods = value.get("pods")
    if pods is not None:
        pods = _labels(pods, side)
    return End("pods", spaces, pods, title=", ".join(spaces))


def _labels(pods: Any, side: str) -> dict[str, str]:
    """Both ways to write it: {matchLabels: {…}} and the labels themselves. None at all would be every pod."""
    if isinstance(pods, Mapping) and set(pods) == {"matchLabels"}:
        pods = pods["matchLabels"]
    if not isinstance(pods, Mapping) or not pods:
        raise _Problem(f"{side}: pods is {pods!r}", "Give the labels of the pods, as app: web")
    for key, text in pods.items():
        if not _LABEL_KEY.fullmatch(str(key)) or not isinstance(text, str) or not _LABEL_VALUE.fullmatch(text):
            raise _Problem(f"{side}: {key}: {text!r} is no label", "Give labels as Kubernetes has them, values as text")
    return {str(key): str(text) for key, text in pods.items()}


def _external(value: Mapping[str, Any], side: str) -> End:
    if set(value) - {"cidrs", "except"}:
        raise _Problem(f"{side} is {dict(value)!r}", "Beside cidrs it has only except")
    networks = [_network(one, side) for one in _list(value["cidrs"], f"{side}: cidrs")]
    holes = [_network(one, side) for one in _list(value.get("except") or [], f"{side}: except")]
    if not networks:
        raise _Problem(f"{side} names no network", "Give at least one, as 192.0.2.0/24")
    for hole in holes:
        if not any(inside(hole, one) and hole != one for one in networks):
            raise _Problem(f"{side}: {hole} is excepted, and lies in none of its networks", "Take it out of except")
    for metadata in map(ipaddress.ip_network, METADATA):
        if any(inside(one, metadata) for one in networks):
            raise _Problem(
                f"{side} names {metadata}, the address of a cloud's metadata, which is closed to all pods",
                "Give the pods what they need as Secrets, or by the cloud's workload identity",
            )
        if any(inside(metadata, one) for one in networks) and not any(inside(metadata, one) for one in holes):
            holes.append(metadata)
    cidrs = tuple(dict.fromkeys(map(str, networks)))
    return End("cidrs", cidrs=cidrs, excepted=tuple(dict.fromkeys(map(str, holes))), title=", ".join(cidrs))


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _Problem(f"{what} is {value!r}", "Give a list of networks, as 192.0.2.0/24")
    return list(value)


def _network(value: Any, side: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(str(value))
    except ValueError as error:
        raise _Problem(
            f"{side}: {error}", "Give a network with its mask and nothing beyond it, as 192.0.2.0/24"
        ) from error


def inside(
    one: ipaddress.IPv4Network | ipaddress.IPv6Network, other: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    """Whether the one lies in the other, or is it."""
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and one.subnet_of(other)
