# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cluster_info makes of Services, EndpointSlices and Nodes."""

from __future__ import annotations

import typing as t

from ansible_collections.enclii.platform.plugins.module_utils.kube.network import network

Obj = dict[str, t.Any]


def node(
    name: str, address: str, *, control: bool = False, cidrs: t.Sequence[str] = (), notes: Obj | None = None
) -> Obj:
    return {
        "metadata": {
            "name": name,
            "labels": {"node-role.kubernetes.io/control-plane": ""} if control else {},
            "annotations": notes or {},
        },
        "spec": {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]
        },
    }  # fmt: skip


def endpoints(*addresses: str, port: int = 6443, kind: str = "IPv4", ready: bool | None = True) -> Obj:
    conditions = {} if ready is None else {"ready": ready}
    return {
        "addressType": kind,
        "endpoints": [{"addresses": [one], "conditions": conditions} for one in addresses],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


def service(name: str, ports: list[Obj], **spec: t.Any) -> Obj:
    return {"metadata": {"name": name, "namespace": "kube-system"}, "spec": {"ports": ports, **spec}}


DNS = service(
    "kube-dns",
    [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp"},
        {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
    ],
    selector={"k8s-app": "kube-dns"},
    clusterIP="10.96.0.10",
    clusterIPs=["10.96.0.10"],
)


def test_a_cluster_of_ones_own() -> None:
    nodes = [
        node("cp", "192.0.2.10", control=True, cidrs=["10.244.0.0/24"]),
        node("w", "192.0.2.11", cidrs=["10.244.1.0/24", "2001:db8:1::/64"]),
    ]
    assert network([endpoints("192.0.2.10")], nodes, [DNS]) == {
        "api_server": [{"address": "192.0.2.10", "port": 6443}],
        "control_plane": ["192.0.2.10"],
        "nodes": ["192.0.2.10", "192.0.2.11"],
        "dns": {
            "namespace": "kube-system",
            "labels": {"k8s-app": "kube-dns"},
            "addresses": ["10.96.0.10"],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": "dns-tcp", "protocol": "TCP"}],
        },
        "pod_networks": ["10.244.0.0/23", "2001:db8:1::/64"],
    }


def test_a_managed_control_plane_is_where_its_endpoints_are() -> None:
    found = network([endpoints("198.51.100.2", "198.51.100.1", port=443)], [node("w", "192.0.2.11")], [DNS])
    assert found["control_plane"] == ["198.51.100.1", "198.51.100.2"] and found["nodes"] == ["192.0.2.11"]
    assert found["api_server"] == [{"address": f"198.51.100.{last}", "port": 443} for last in (1, 2)]


def test_ends_of_tunnels_are_addresses_too() -> None:
    calico = node("a", "192.0.2.1", control=True, notes={"projectcalico.org/IPv4VXLANTunnelAddr": "10.244.7.1"})
    notes = {"flannel.alpha.coreos.com/backend-type": "vxlan"}
    flannel = node("b", "192.0.2.2", control=True, cidrs=["10.244.3.0/24"], notes=notes)
    found = network([endpoints("192.0.2.1")], [calico, flannel], [])
    assert found["control_plane"] == ["10.244.3.0", "10.244.7.1", "192.0.2.1", "192.0.2.2"]


def test_only_what_is_there() -> None:
    away = [
        endpoints("192.0.2.1", ready=False),
        endpoints("192.0.2.2", ready=None),
        endpoints("a.example", kind="FQDN"),
    ]
    found = network(
        away, [], [service("other", [{"port": 80}], selector={"a": "b"}), service("kube-dns", [{"port": 53}])]
    )
    assert found["api_server"] == [{"address": "192.0.2.2", "port": 6443}]
    assert found["dns"] == {"namespace": "kube-system", "labels": {}, "addresses": [], "ports": []}
    headless = service("kube-dns", [{"port": 53}], selector={"a": "b"}, clusterIP="None")
    assert network([], [], [headless])["dns"]["addresses"] == []
    assert network([], [], [headless])["dns"]["ports"] == [{"port": 53, "protocol": "TCP"}]
