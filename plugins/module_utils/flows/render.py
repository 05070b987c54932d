# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows to network policies: default deny both ways, then only what is declared. No Ansible inside."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ..kube.order import CLOSES
from .model import End, Facts, Flow, FlowError, Port, inside

Obj = dict[str, Any]
DEFAULT_DENY = "default-deny"
ALLOW_DNS = "allow-dns"
_SPACE_NAME = "kubernetes.io/metadata.name"
_DNS_PORTS = ({"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"})


def policies(
    flows: Sequence[Flow], spaces: Mapping[str, str], facts: Facts, dns_addresses: Sequence[str] = ()
) -> list[Obj]:
    """The policies of all namespaces in mode enforce, sorted by namespace; what denies comes last in each.

    A policy cannot warn: whatever selects a pod cuts off what it does not allow. So a namespace in mode observe gets none.
    Raises FlowError where the cluster does not tell an address that a flow needs.
    """
    walled = sorted(space for space, mode in spaces.items() if mode == "enforce")
    found: dict[str, list[Obj]] = {space: [] for space in walled}
    errors: list[FlowError] = []
    dns: list[Obj] = []
    unknown: list[FlowError] = []
    try:
        dns = _dns(facts, dns_addresses) if walled else []
    except FlowError as error:
        unknown = [error]
    for flow in flows:
        try:
            for space, policy in _of_flow(flow, found, facts, dns):
                found[space].append(policy)
        except FlowError as error:
            errors.append(error)
    if errors or unknown:
        raise FlowError.together([*errors, *unknown])
    for space in walled:
        found[space] += [
            _closing(_policy(ALLOW_DNS, space, {}, "Egress", dns)),
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": DEFAULT_DENY, "namespace": space},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
            },
        ]
    return [policy for space in walled for policy in found[space]]


def capability(flow: Flow, side: str) -> Obj:
    """Selector of the pods at one end, by the flow's label or by those that were declared. side: client | server"""
    end = flow.source if side == "client" else flow.target
    if end.labels is not None:
        return {"matchLabels": dict(end.labels)} if end.labels else {}
    return {"matchExpressions": [{"key": flow.label, "operator": "In", "values": [side, "peer"]}]}


def _of_flow(flow: Flow, walled: Mapping[str, Any], facts: Facts, dns: list[Obj]) -> list[tuple[str, Obj]]:
    """Its policies with their namespaces: egress where it starts, ingress where it ends.

    A pod that an egress policy selects is isolated from then on: so each allows DNS as well, until that for all pods is there.
    """
    result = []
    if flow.source.kind == "pods":
        rules = _rules(flow, flow.target, "server", facts) if set(flow.source.namespaces) & set(walled) else []
        for space in flow.source.namespaces:
            if space in walled:
                selector = capability(flow, "client")
                result.append((space, _policy(f"flow-{flow.name}-from", space, selector, "Egress", [*rules, *dns])))
    if flow.target.kind == "pods":
        rules = _rules(flow, flow.source, "client", facts) if set(flow.target.namespaces) & set(walled) else []
        for space in flow.target.namespaces:
            if space in walled:
                selector = capability(flow, "server")
                result.append((space, _policy(f"flow-{flow.name}-to", space, selector, "Ingress", rules)))
    return result


def _policy(name: str, space: str, selector: Obj, direction: str, rules: list[Obj]) -> Obj:
    """rules: [{"peers", "ports"}]"""
    way = "to" if direction == "Egress" else "from"
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": space},
        "spec": {
            "podSelector": selector,
            "policyTypes": [direction],
            direction.lower(): [{way: rule["peers"], "ports": rule["ports"]} for rule in rules],
        },
    }


def _closing(policy: Obj) -> Obj:
    """It selects every pod, so that whatever no flow lets out is denied from then on: it comes after the flows."""
    policy["metadata"]["labels"] = {CLOSES: "egress"}
    return policy


def _rules(flow: Flow, other: End, side: str, facts: Facts) -> list[Obj]:
    ports = [_port(one) for one in flow.ports]
    if other.kind == "pods":
        selector = capability(flow, side)
        return [{"peers": [_pods(space, selector) for space in other.namespaces], "ports": ports}]
    if other.kind == "cidrs":
        # Some networks, as Cilium, do not match pods by their addresses.
        pods: list[Obj] = [{"namespaceSelector": {}}] if other.everywhere else []
        return [{"peers": [*_blocks(other.cidrs, other.excepted), *pods], "ports": ports}]
    if other.kind == "nodes":
        return [{"peers": _addresses(flow, facts.nodes, "no node tells its address"), "ports": ports}]
    if side == "client":
        peers = _addresses(flow, facts.control_plane, "no address is known from which the API server calls")
        return [{"peers": peers, "ports": ports}]
    _addresses(
        flow, [address for address, _port_number in facts.api_server], "the Service default/kubernetes has no endpoint"
    )
    by_port: dict[int, list[str]] = {}
    for address, port in facts.api_server:
        by_port.setdefault(port, []).append(address)
    return [{"peers": _hosts(addresses), "ports": [_port(Port(port))]} for port, addresses in sorted(by_port.items())]


def _port(port: Port) -> Obj:
    return {"port": port.port, "protocol": port.protocol}


def _pods(space: str, selector: Obj) -> Obj:
    return {"namespaceSelector": {"matchLabels": {_SPACE_NAME: space}}, "podSelector": selector}


def _addresses(flow: Flow, addresses: Sequence[str], missing: str) -> list[Obj]:
    if not addresses:
        raise FlowError(
            f"Flow {flow.name} of {flow.owner}",
            f"{missing}, so that its policy would allow nothing",
            "Look at what cluster_info returns with network: true",
            reason="facts",
        )
    return _hosts(addresses)


def _hosts(addresses: Sequence[str]) -> list[Obj]:
    return [{"ipBlock": {"cidr": str(ipaddress.ip_network(one))}} for one in sorted(set(addresses))]


def _blocks(cidrs: Sequence[str], excepted: Sequence[str]) -> list[Obj]:
    """An exception stands with each network it lies in: Kubernetes refuses any other."""
    holes = [ipaddress.ip_network(one) for one in excepted]
    blocks = []
    for cidr in cidrs:
        network = ipaddress.ip_network(cidr)
        block: Obj = {"cidr": cidr}
        mine = [str(hole) for hole in holes if inside(hole, network)]
        if mine:
            block["except"] = mine
        blocks.append({"ipBlock": block})
    return blocks


def _dns(facts: Facts, addresses: Sequence[str]) -> list[Obj]:
    """To the pods of the cluster's DNS and to declared addresses, such as those of a cache on each node; nowhere else."""
    dns = facts.dns or {}
    rules = []
    if dns.get("labels"):
        ports = [dict(one) for one in dns.get("ports") or _DNS_PORTS]
        rules.append({"peers": [_pods(dns["namespace"], {"matchLabels": dict(dns["labels"])})], "ports": ports})
    if addresses:
        try:
            rules.append({"peers": _hosts(list(addresses)), "ports": [dict(one) for one in _DNS_PORTS]})
        except ValueError as error:
            raise FlowError("DNS", f"{error}", "Correct baseline_dns_addresses: addresses, as 169.254.20.10") from error
    if not rules:
        raise FlowError(
            "DNS",
            "the cluster's DNS was not found (no Service labelled k8s-app: kube-dns in kube-system), and without it nothing works",
            "Set baseline_dns_addresses to the addresses that answer",
            reason="facts",
        )
    return rules
