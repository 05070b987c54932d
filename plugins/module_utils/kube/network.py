# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster's network is like, as far as its API tells: what policies need to name addresses instead of guessing them."""

from __future__ import annotations

import ipaddress
import typing as t

Obj = dict[str, t.Any]

# What is read: name -> (path of a collection, query).
LISTS: dict[str, tuple[str, dict[str, str]]] = {
    "slices": (
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        {"labelSelector": "kubernetes.io/service-name=kubernetes"},
    ),
    "nodes": ("/api/v1/nodes", {}),
    "dns": ("/api/v1/namespaces/kube-system/services", {"labelSelector": "k8s-app=kube-dns"}),
}
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
# With tunnels a node's calls to pods of other nodes come from its end of the tunnel.
_TUNNELS = ("projectcalico.org/IPv4IPIPTunnelAddr", "projectcalico.org/IPv4VXLANTunnelAddr")
_FLANNEL = "flannel.alpha.coreos.com/backend-type"


def network(slices: list[Obj], nodes: list[Obj], dns: list[Obj]) -> Obj:
    """See cluster_info's RETURN. The API server's own addresses count as the control plane's, where its nodes are hidden."""
    endpoints = {
        (address, int(port["port"]))
        for one in slices
        if one.get("addressType") in ("IPv4", "IPv6")
        for endpoint in one.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or []
        for port in one.get("ports") or []
        if port.get("port")
    }
    addresses = {str(node["metadata"]["name"]): _addresses(node) for node in nodes}
    control = {
        address
        for node in nodes
        if any(role in (node["metadata"].get("labels") or {}) for role in _CONTROL_PLANE)
        for address in addresses[str(node["metadata"]["name"])]
    }
    return {
        "api_server": [{"address": address, "port": port} for address, port in sorted(endpoints)],
        "control_plane": sorted(control | {address for address, _port in endpoints}),
        "nodes": sorted({address for listed in addresses.values() for address in listed}),
        "dns": _dns(dns),
        "pod_networks": _pod_networks(nodes),
    }


def internal(nodes: list[Obj]) -> list[str]:
    """One address of each node, at which its kubelet is to be reached from within: the first internal one."""
    found = []
    for node in sorted(nodes, key=lambda one: str(one["metadata"]["name"])):
        listed = (node.get("status") or {}).get("addresses") or []
        found += [str(one["address"]) for one in listed if one.get("type") == "InternalIP"][:1]
    return found


def _addresses(node: Obj) -> list[str]:
    status = node.get("status") or {}
    found = [one["address"] for one in status.get("addresses") or [] if one.get("type") in ("InternalIP", "ExternalIP")]
    notes = node["metadata"].get("annotations") or {}
    found += [notes[key] for key in _TUNNELS if notes.get(key)]
    if notes.get(_FLANNEL) == "vxlan":
        found += [str(one.network_address) for one in _networks(node)]
    return [str(one) for one in found]


def _networks(node: Obj) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    spec = node.get("spec") or {}
    listed = spec.get("podCIDRs") or [spec["podCIDR"]] if spec.get("podCIDR") else []
    return [ipaddress.ip_network(one) for one in listed]


def _pod_networks(nodes: list[Obj]) -> list[str]:
    found = [one for node in nodes for one in _networks(node)]
    four = ipaddress.collapse_addresses(one for one in found if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in found if isinstance(one, ipaddress.IPv6Network))
    return [*map(str, four), *map(str, six)]


def _dns(services: list[Obj]) -> Obj:
    """The Service that answers on port 53. Its pods' port is what counts: policies see packets after translation."""
    for service in sorted(services, key=lambda one: str(one["metadata"]["name"])):
        spec = service.get("spec") or {}
        ports = [one for one in spec.get("ports") or [] if one.get("port") == 53]
        if ports and spec.get("selector"):
            return {
                "namespace": service["metadata"]["namespace"],
                "labels": dict(spec["selector"]),
                "addresses": [
                    one for one in spec.get("clusterIPs") or [spec.get("clusterIP")] if one not in (None, "", "None")
                ],
                "ports": [
                    {"port": one.get("targetPort") or 53, "protocol": one.get("protocol") or "TCP"} for one in ports
                ],
            }
    return {"namespace": "kube-system", "labels": {}, "addresses": [], "ports": []}
