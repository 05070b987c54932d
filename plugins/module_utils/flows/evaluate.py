# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What network policies allow, told without a packet: the semantics of Kubernetes, exactly. No Ansible inside."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]
_SPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Pod:
    """A pod as policies see it. ports: name of a container's port to its number, for policies that name ports."""

    namespace: str
    labels: Labels = field(hash=False)
    ip: str = ""
    name: str = ""
    host_network: bool = False
    ports: Mapping[str, tuple[int, str]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Judgement:
    """allowed, and the policies ("namespace/name") that make it so.

    egress_by, ingress_by: those that allow it; isolated_…_by: those that select the pod and so deny what none allows
    """

    allowed: bool
    egress_by: tuple[str, ...] = ()
    ingress_by: tuple[str, ...] = ()
    isolated_egress_by: tuple[str, ...] = ()
    isolated_ingress_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rule:
    """peers None: everybody; ports None: every port."""

    peers: tuple[Callable[[Pod | str], bool], ...] | None
    ports: tuple[Callable[[int, str, Pod | str], bool], ...] | None

    def allows(self, peer: Pod | str, target: Pod | str, port: int, protocol: str) -> bool:
        return (self.peers is None or any(test(peer) for test in self.peers)) and (
            self.ports is None or any(test(port, protocol, target) for test in self.ports)
        )


@dataclass(frozen=True)
class _Policy:
    name: str
    selects: Test
    ingress: tuple[_Rule, ...] | None
    egress: tuple[_Rule, ...] | None


class Evaluator:
    """Judges connections by policies as the API has them.

    What Kubernetes leaves open is judged as most networks do it: an ipBlock matches a pod's address as well, a host's
    own address is no pod. Traffic between a pod and the node it runs on is always allowed and is not judged here.
    """

    def __init__(self, policies: Iterable[Mapping[str, Any]], namespace_labels: Mapping[str, Labels]) -> None:
        self._spaces = {space: {_SPACE_NAME: space, **labels} for space, labels in namespace_labels.items()}
        self._by_space: dict[str, list[_Policy]] = {}
        self._selected: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[list[_Policy], list[_Policy]]] = {}
        for policy in policies:
            space = str(policy["metadata"]["namespace"])
            self._by_space.setdefault(space, []).append(self._compile(policy, space))

    def judge(self, source: Pod | str, target: Pod | str, port: int, protocol: str = "TCP") -> Judgement:
        """Whether source (a pod, or an address outside) may open a connection to that port of target."""
        if source is target or (isinstance(source, Pod) and isinstance(target, Pod) and source == target):
            return Judgement(True)  # nothing keeps a pod from itself
        egress = self._isolating(source)[1]
        ingress = self._isolating(target)[0]
        peer_out, peer_in = _seen(target), _seen(source)
        by_out = tuple(
            one.name
            for one in egress
            if any(rule.allows(peer_out, target, port, protocol) for rule in one.egress or ())
        )
        by_in = tuple(
            one.name
            for one in ingress
            if any(rule.allows(peer_in, target, port, protocol) for rule in one.ingress or ())
        )
        return Judgement(
            allowed=(not egress or bool(by_out)) and (not ingress or bool(by_in)),
            egress_by=by_out,
            ingress_by=by_in,
            isolated_egress_by=tuple(one.name for one in egress),
            isolated_ingress_by=tuple(one.name for one in ingress),
        )

    def _isolating(self, pod: Pod | str) -> tuple[list[_Policy], list[_Policy]]:
        """(for ingress, for egress): the policies that select it."""
        if not isinstance(pod, Pod) or pod.host_network:
            return [], []
        key = (pod.namespace, tuple(sorted(pod.labels.items())))
        if key not in self._selected:
            mine = [one for one in self._by_space.get(pod.namespace, ()) if one.selects(pod.labels)]
            self._selected[key] = (
                [one for one in mine if one.ingress is not None],
                [one for one in mine if one.egress is not None],
            )
        return self._selected[key]

    def _compile(self, policy: Mapping[str, Any], space: str) -> _Policy:
        spec = policy.get("spec") or {}
        kinds = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        return _Policy(
            name=f"{space}/{policy['metadata']['name']}",
            selects=selector(spec.get("podSelector") or {}),
            ingress=self._rules(spec.get("ingress"), "from", space) if "Ingress" in kinds else None,
            egress=self._rules(spec.get("egress"), "to", space) if "Egress" in kinds else None,
        )

    def _rules(self, rules: Sequence[Mapping[str, Any]] | None, way: str, space: str) -> tuple[_Rule, ...]:
        return tuple(
            _Rule(
                peers=tuple(self._peer(one, space) for one in rule[way]) if rule.get(way) else None,
                ports=tuple(_port(one) for one in rule["ports"]) if rule.get("ports") else None,
            )
            for rule in rules or ()
        )

    def _peer(self, peer: Mapping[str, Any], space: str) -> Callable[[Pod | str], bool]:
        if peer.get("ipBlock") is not None:
            return _block(peer["ipBlock"])
        pods = selector(peer.get("podSelector") or {})
        wanted = peer.get("namespaceSelector")
        if wanted is None:
            return lambda one: isinstance(one, Pod) and one.namespace == space and pods(one.labels)
        named = selector(wanted)
        spaces = self._spaces

        def matches(one: Pod | str) -> bool:
            if not isinstance(one, Pod):
                return False
            return named(spaces.get(one.namespace) or {_SPACE_NAME: one.namespace}) and pods(one.labels)

        return matches


def _seen(end: Pod | str) -> Pod | str:
    """As a peer a pod on the host's network is its host's address."""
    return end.ip if isinstance(end, Pod) and end.host_network else end


def selector(spec: Mapping[str, Any]) -> Test:
    """A LabelSelector as a test of labels; an empty one takes everything."""
    exact = dict(spec.get("matchLabels") or {})
    tests = [_requirement(one) for one in spec.get("matchExpressions") or ()]

    def matches(labels: Labels) -> bool:
        return all(labels.get(key) == value for key, value in exact.items()) and all(test(labels) for test in tests)

    return matches


def _requirement(one: Mapping[str, Any]) -> Test:
    key, operator, values = one["key"], one["operator"], frozenset(one.get("values") or ())
    if operator == "In":
        return lambda labels: key in labels and labels[key] in values
    if operator == "NotIn":
        return lambda labels: key not in labels or labels[key] not in values
    if operator == "Exists":
        return lambda labels: key in labels
    if operator == "DoesNotExist":
        return lambda labels: key not in labels
    raise ValueError(f"no operator of label selectors: {operator}")


def _block(block: Mapping[str, Any]) -> Callable[[Pod | str], bool]:
    network = ipaddress.ip_network(block["cidr"], strict=False)
    holes = [ipaddress.ip_network(one, strict=False) for one in block.get("except") or ()]
    known: dict[str, bool] = {}

    def matches(one: Pod | str) -> bool:
        text = one.ip if isinstance(one, Pod) else one
        if not text:
            return False
        if text not in known:
            address = ipaddress.ip_address(text)
            known[text] = address in network and not any(address in hole for hole in holes)
        return known[text]

    return matches


def _port(spec: Mapping[str, Any]) -> Callable[[int, str, Pod | str], bool]:
    protocol, wanted, last = spec.get("protocol") or "TCP", spec.get("port"), spec.get("endPort")
    if wanted is None:
        return lambda _port, used, _target: used == protocol
    if isinstance(wanted, str) and not wanted.isdigit():
        # The number behind a name is the receiving pod's own business.
        return lambda port, used, target: (
            used == protocol and isinstance(target, Pod) and target.ports.get(wanted) == (port, protocol)
        )
    first = int(wanted)
    end = int(last) if last is not None else first
    return lambda port, used, _target: used == protocol and first <= port <= end
