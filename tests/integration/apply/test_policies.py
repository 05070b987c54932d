# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered policies and a real API server: it takes every form, and finds nothing to add to it."""

from __future__ import annotations

import typing as t

from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Facts, read_flows
from ansible_collections.enclii.platform.plugins.module_utils.flows.render import policies

FACTS = Facts.read(
    {
        "api_server": [{"address": "192.0.2.10", "port": 6443}, {"address": "2001:db8::10", "port": 443}],
        "control_plane": ["192.0.2.10", "2001:db8::10"],
        "nodes": ["192.0.2.10", "192.0.2.11"],
        "dns": {
            "namespace": "kube-system",
            "labels": {"k8s-app": "kube-dns"},
            "addresses": ["10.96.0.10"],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": "dns-tcp", "protocol": "TCP"}],
        },
    }
)


def test_every_form_is_accepted_and_unchanged_at_once(kube: t.Any) -> None:
    """A default of the server's would make every second run send them all again."""
    ends: list[t.Any] = [
        "here",
        "environments",
        "api-server",
        "nodes",
        "any",
        {"namespaces": [kube.namespace, "elsewhere"]},
        {"namespace": kube.namespace, "pods": {"app": "old"}},
        {"cidrs": ["0.0.0.0/0", "2001:db8::/32", "198.51.100.7"], "except": ["10.0.0.0/8"]},
    ]
    ports = [80, {"port": 53, "protocol": "UDP"}]
    declared = [{"name": f"to-{number}", "from": "here", "to": end, "ports": ports} for number, end in enumerate(ends)]
    declared += [
        {"name": f"from-{number}", "from": end, "to": "here", "ports": ports} for number, end in enumerate(ends)
    ]
    component = {"name": "here", "namespace": kube.namespace, "state": "present", "flows": declared}
    flows = read_flows([component], [], [kube.namespace])
    wanted = policies(flows, {kube.namespace: "enforce"}, FACTS, ["169.254.20.10"])
    given = {"apply_set": kube.set()}
    assert kube.apply(*wanted, **given)["counts"] == {"created": len(wanted)}
    assert kube.apply(*wanted, **given)["counts"] == {"unchanged": len(wanted)}


def rendered(kube: t.Any, port: int = 80) -> list[t.Any]:
    declared = [
        {"name": "out", "from": "here", "to": "any", "port": 443},
        {"name": "in", "from": "any", "to": "here", "port": port},
    ]
    component = {"name": "here", "namespace": kube.namespace, "state": "present", "flows": declared}
    return policies(read_flows([component], [], []), {kube.namespace: "enforce"}, FACTS)


def test_where_a_flow_is_refused_nothing_is_closed(kube: t.Any) -> None:
    """allow-dns and default-deny select every pod, and only the flows make up for it."""
    wanted = rendered(kube)
    (refused,) = [one for one in wanted if one["metadata"]["name"] == "flow-in-to"]
    refused["spec"]["ingress"][0]["ports"][0]["port"] = 70000
    assert "flow-in-to" in str(kube.fail(*wanted, apply_set=kube.set()))
    assert kube.names("networkpolicy") <= {"flow-out-from"}


def test_walls_go_in_the_other_direction(kube: t.Any) -> None:
    """First what denies, then what lets out to the DNS alone, and the flows after both."""
    wanted = rendered(kube)
    kube.apply(*wanted, apply_set=kube.set())
    gone = kube.apply(kube.config_map("left"), apply_set=kube.set())["objects"]
    names = [one["name"] for one in gone if one["kind"] == "NetworkPolicy" and one["action"] == "deleted"]
    assert names[:2] == ["default-deny", "allow-dns"]
    assert set(names[2:]) == {"flow-out-from", "flow-in-to"}
