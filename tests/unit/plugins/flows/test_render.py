# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows to policies: their text, and that they allow exactly what was declared."""

from __future__ import annotations

import ipaddress
import time
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.flows import matrix
from ansible_collections.enclii.platform.plugins.module_utils.flows.evaluate import Evaluator, Pod
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import (
    Facts,
    Flow,
    FlowError,
    Port,
    read_flows,
)
from ansible_collections.enclii.platform.plugins.module_utils.flows.render import policies
from ansible_collections.enclii.platform.plugins.module_utils.kube import order

Obj = dict[str, t.Any]
NETWORK: Obj = {
    "api_server": [{"address": "192.0.2.10", "port": 6443}],
    "control_plane": ["192.0.2.10"],
    "nodes": ["192.0.2.10", "192.0.2.11"],
    "dns": {
        "namespace": "kube-system",
        "labels": {"k8s-app": "kube-dns"},
        "addresses": ["10.96.0.10"],
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    },
    "pod_networks": ["10.244.0.0/16"],
}
FACTS = Facts.read(NETWORK)
DATABASE: Obj = {"name": "database", "namespace": "data", "state": "present", "flows": []}
SPACES = {"data": "enforce", "enclii-dev": "enforce"}
DNS_PODS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
# In each egress policy: the first one that selects a pod isolates it.
DNS_RULE: Obj = {"to": [DNS_PODS], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def flows(
    *declared: Obj, components: t.Sequence[Obj] = (DATABASE,), environments: t.Sequence[str] = ("enclii-dev",)
) -> list[Flow]:
    return read_flows(components, declared, environments)


def specs(found: list[Obj]) -> dict[str, Obj]:
    return {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["spec"] for one in found}


def one(declared: Obj, spaces: t.Mapping[str, str] | None = None, facts: Facts = FACTS) -> dict[str, Obj]:
    """The policies of one flow, without those of every namespace."""
    found = specs(policies(flows(declared), spaces or SPACES, facts))
    return {name: spec for name, spec in found.items() if "/flow-" in name}


def test_a_flow_between_pods() -> None:
    assert one({"name": "sql", "from": "environments", "to": "database", "port": 5432}) == {
        "enclii-dev/flow-sql-from": {
            "podSelector": {
                "matchExpressions": [{"key": "flow.enclii.dev/sql", "operator": "In", "values": ["client", "peer"]}]
            },
            "policyTypes": ["Egress"],
            "egress": [
                {
                    "to": [
                        {
                            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}},
                            "podSelector": {
                                "matchExpressions": [
                                    {"key": "flow.enclii.dev/sql", "operator": "In", "values": ["server", "peer"]}
                                ]
                            },
                        }
                    ],
                    "ports": [{"port": 5432, "protocol": "TCP"}],
                },
                DNS_RULE,
            ],
        },
        "data/flow-sql-to": {
            "podSelector": {
                "matchExpressions": [{"key": "flow.enclii.dev/sql", "operator": "In", "values": ["server", "peer"]}]
            },
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [
                        {
                            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "enclii-dev"}},
                            "podSelector": {
                                "matchExpressions": [
                                    {"key": "flow.enclii.dev/sql", "operator": "In", "values": ["client", "peer"]}
                                ]
                            },
                        }
                    ],
                    "ports": [{"port": 5432, "protocol": "TCP"}],
                }
            ],
        },
    }


def test_every_walled_namespace_denies_and_asks_the_clusters_dns() -> None:
    found = policies([], {"b": "enforce", "a": "enforce", "c": "observe"}, FACTS)
    assert [(p["metadata"]["namespace"], p["metadata"]["name"]) for p in found] == [
        ("a", "allow-dns"), ("a", "default-deny"), ("b", "allow-dns"), ("b", "default-deny")
    ]  # fmt: skip
    # by its mark it comes after the flows: it leaves a pod that they do not let out nothing but DNS
    assert [order.closes(p) for p in found] == [True, False, True, False]
    assert specs(found)["a/default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert specs(found)["a/allow-dns"] == {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {"to": [DNS_PODS], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
        ],
    }


def test_a_cache_of_dns_and_a_dns_behind_another_port() -> None:
    dns = {**NETWORK["dns"], "ports": [{"port": 5353, "protocol": "UDP"}]}
    facts = Facts.read({**NETWORK, "dns": dns})
    found = specs(policies([], {"a": "enforce"}, facts, ["169.254.20.10"]))["a/allow-dns"]["egress"]
    assert found == [
        {"to": [DNS_PODS], "ports": [{"port": 5353, "protocol": "UDP"}]},
        {
            "to": [{"ipBlock": {"cidr": "169.254.20.10/32"}}],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        },
    ]


def test_the_api_server_is_its_endpoints() -> None:
    facts = Facts.read({**NETWORK, "api_server": [{"address": a, "port": 6443} for a in ("192.0.2.11", "192.0.2.10")]})
    found = one({"name": "api", "from": "database", "to": "api-server", "port": 443}, facts=facts)
    assert found["data/flow-api-from"]["egress"] == [
        {
            "to": [{"ipBlock": {"cidr": "192.0.2.10/32"}}, {"ipBlock": {"cidr": "192.0.2.11/32"}}],
            "ports": [{"port": 6443, "protocol": "TCP"}],
        },
        DNS_RULE,
    ]


def test_the_api_server_calls_from_the_control_plane() -> None:
    found = one({"name": "hook", "from": "api-server", "to": "database", "port": 9443})
    assert found["data/flow-hook-to"]["ingress"] == [
        {"from": [{"ipBlock": {"cidr": "192.0.2.10/32"}}], "ports": [{"port": 9443, "protocol": "TCP"}]}
    ]


def test_exceptions_stand_with_the_network_they_lie_in() -> None:
    """Kubernetes refuses an exception outside its network."""
    outside = {"cidrs": ["0.0.0.0/0", "::/0", "198.51.100.0/24"], "except": ["10.0.0.0/8"]}
    found = one({"name": "out", "from": "database", "to": outside, "port": 443})
    assert found["data/flow-out-from"]["egress"][0]["to"] == [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.169.254/32"]}},
        {"ipBlock": {"cidr": "::/0", "except": ["fd00:ec2::254/128"]}},
        {"ipBlock": {"cidr": "198.51.100.0/24"}},
    ]


def test_anywhere_names_the_pods_beside_their_addresses() -> None:
    """Some networks match no pod by its address; the metadata addresses are no pods."""
    blocks = [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}},
        {"ipBlock": {"cidr": "::/0", "except": ["fd00:ec2::254/128"]}},
    ]
    found = one({"name": "out", "from": "database", "to": "any", "port": 443})
    assert found["data/flow-out-from"]["egress"][0]["to"] == [*blocks, {"namespaceSelector": {}}]
    found = one({"name": "in", "from": "any", "to": "database", "port": 443})
    assert found["data/flow-in-to"]["ingress"][0]["from"] == [*blocks, {"namespaceSelector": {}}]


def test_networks_with_the_pods_excepted_lead_to_no_pod() -> None:
    found = flows(
        {"name": "out", "from": "environments", "to": {"cidrs": ["0.0.0.0/0"], "except": ["10.0.0.0/8"]}, "port": 443},
        {"name": "in", "from": "any", "to": {"namespace": "data"}, "port": 443},
    )
    client = matrix.Identity("client", "enclii-dev", {"flow.enclii.dev/out": "client"})
    server = matrix.Identity("server", "data", {"flow.enclii.dev/in": "server"})
    (pair,) = matrix.expectations(found, [client], listening(found, [server]), SPACES, FACTS)
    assert not pair.expected
    assert matrix.ports_outside(found, FACTS, client) == [Port(8080)]


def test_labels_of_others_select_instead() -> None:
    adopted = {"namespace": "enclii-dev", "pods": {"app": "old"}}
    found = one({"name": "old", "from": adopted, "to": "database", "port": 5432})
    assert found["enclii-dev/flow-old-from"]["podSelector"] == {"matchLabels": {"app": "old"}}
    assert found["data/flow-old-to"]["ingress"][0]["from"][0]["podSelector"] == {"matchLabels": {"app": "old"}}


def test_only_enforcing_namespaces_get_policies() -> None:
    sql = {"name": "sql", "from": "environments", "to": "database", "port": 5432}
    assert list(one(sql, {"data": "enforce", "enclii-dev": "observe"})) == ["data/flow-sql-to"]
    assert policies(flows(sql), {"data": "observe"}, Facts()) == []


def test_what_the_cluster_does_not_tell_stops_it() -> None:
    declared = [
        {"name": "api", "from": "database", "to": "api-server", "port": 443},
        {"name": "hook", "from": "api-server", "to": "database", "port": 9443},
        {"name": "kubelet", "from": "database", "to": "nodes", "port": 10250},
    ]
    with pytest.raises(FlowError) as caught:
        policies(flows(*declared), SPACES, Facts())
    assert [problem["object"] for problem in caught.value.problems] == [
        "Flow api of inventory", "Flow hook of inventory", "Flow kubelet of inventory", "DNS"
    ]  # fmt: skip
    with pytest.raises(FlowError, match="baseline_dns_addresses"):
        policies([], SPACES, FACTS, ["dns.example.org"])


# -- what is rendered allows exactly what was declared ----------------------------------------------

NAMES = ["one", "two", "three"]
ENDS = st.one_of(
    st.sampled_from([*NAMES, "environments", "any"]),
    st.sampled_from(["env-a", "env-b", "far"]).map(lambda space: {"namespace": space}),
    st.sampled_from(["env-a", "data"]).map(lambda space: {"namespace": space, "pods": {"app": "old"}}),
    st.just({"cidrs": ["10.244.0.0/15"]}),
    st.just({"cidrs": ["198.51.100.0/24"]}),
    st.just({"cidrs": ["0.0.0.0/0"]}),
    st.just({"cidrs": ["0.0.0.0/0"], "except": ["10.0.0.0/8"]}),
)
PODS_AT_ONE_END = st.tuples(ENDS, ENDS).filter(lambda ends: not all(_outside(end) for end in ends))
PORTS = st.lists(st.sampled_from([80, 81, {"port": 53, "protocol": "UDP"}]), min_size=1, max_size=2)
MODES = st.sampled_from(["enforce", "enforce", "observe"])


def listening(found: list[Flow], ends: t.Sequence[matrix.Identity]) -> dict[matrix.Identity, list[Port]]:
    return {end: matrix.ports_of(found, end) for end in ends}


def _outside(end: t.Any) -> bool:
    return end == "any" or (isinstance(end, dict) and "cidrs" in end)


@settings(max_examples=150, deadline=None)
@given(
    ends=st.lists(st.tuples(PODS_AT_ONE_END, PORTS), max_size=6),
    modes=st.fixed_dictionaries(dict.fromkeys(("data", "env-a", "env-b", "more"), MODES)),
)
def test_policies_allow_exactly_the_flows(
    ends: list[tuple[tuple[t.Any, t.Any], list[t.Any]]], modes: dict[str, str]
) -> None:
    components = [
        {"name": name, "namespace": space, "state": "present", "flows": []}
        for name, space in zip(NAMES, ("data", "data", "more"), strict=True)
    ]
    declared = [
        {"name": f"f{number}", "from": source, "to": target, "ports": ports}
        for number, ((source, target), ports) in enumerate(ends)
    ]
    found = flows(*declared, components=components, environments=["env-a", "env-b"])
    evaluator = Evaluator(policies(found, modes, FACTS), {})
    identities = matrix.identities(found, modes)
    addresses = dict(zip(identities, ipaddress.ip_network("10.244.0.0/20").hosts(), strict=False))

    def pod(identity: matrix.Identity, name: str, shift: int) -> Pod:
        return Pod(identity.namespace, identity.labels, str(addresses[identity] + shift), name)

    for pair in matrix.expectations(found, identities, listening(found, identities), modes, FACTS):
        judged = evaluator.judge(pod(pair.source, "s", 0), pod(pair.target, "t", 4096), pair.port, pair.protocol)
        assert judged.allowed == pair.expected, pair


def test_the_metadata_address_is_closed_to_all() -> None:
    declared = {"name": "out", "from": "database", "to": "any", "port": 80}
    evaluator = Evaluator(policies(flows(declared), SPACES, FACTS), {})
    client = Pod("data", {"flow.enclii.dev/out": "client"}, "10.244.0.9")
    assert evaluator.judge(client, "198.51.100.1", 80).allowed
    for address in ("169.254.169.254", "fd00:ec2::254"):
        assert not evaluator.judge(client, address, 80).allowed


def test_dns_goes_to_the_clusters_own_alone() -> None:
    evaluator = Evaluator(policies([], SPACES, FACTS), {})
    pod, resolver = Pod("data", {}, "10.244.0.9"), Pod("kube-system", {"k8s-app": "kube-dns"}, "10.244.0.2")
    assert evaluator.judge(pod, resolver, 53, "UDP").allowed and evaluator.judge(pod, resolver, 53, "TCP").allowed
    assert not evaluator.judge(pod, resolver, 9153).allowed
    assert not evaluator.judge(pod, Pod("enclii-dev", {"k8s-app": "kube-dns"}, "10.244.0.3"), 53, "UDP").allowed
    assert not evaluator.judge(pod, "198.51.100.53", 53, "UDP").allowed


def test_a_whole_platform_costs_milliseconds() -> None:
    components = [
        {
            "name": f"c{number}",
            "namespace": f"n{number % 20}",
            "state": "present",
            "flows": [
                {"name": f"c{number}-{other}", "from": f"c{number}", "to": f"c{other}", "port": 5432}
                for other in range(5)
            ],
        }
        for number in range(40)
    ]
    spaces = {f"n{number}": "enforce" for number in range(20)}
    started = time.perf_counter()
    found = flows(components=components)
    rendered = policies(found, spaces, FACTS)
    assert len(rendered) == 2 * 200 + 2 * 20
    assert time.perf_counter() - started < 0.25  # 5 ms on an idle machine


# -- the matrix -------------------------------------------------------------------------------------


def test_identities_are_one_for_each_capability_and_a_bare_one() -> None:
    found = matrix.identities(
        flows(
            {"name": "sql", "from": "environments", "to": "database", "port": 5432},
            {"name": "copy", "from": "database", "to": "database", "port": 5433},
            {
                "name": "old",
                "from": {"namespace": "enclii-dev", "pods": {"app": "old"}},
                "to": "database",
                "port": 5432,
            },
            {"name": "older", "from": {"namespace": "enclii-dev", "pods": {"app": "old"}}, "to": "any", "port": 443},
            {"name": "far", "from": {"namespace": "not-walled"}, "to": "any", "port": 443},
        ),
        SPACES,
    )
    assert [(one.namespace, one.name, dict(one.labels)) for one in found] == [
        ("data", "bare", {}),
        ("data", "copy-peer", {"flow.enclii.dev/copy": "peer"}),
        ("data", "old-server", {"flow.enclii.dev/old": "server"}),
        ("data", "sql-server", {"flow.enclii.dev/sql": "server"}),
        ("enclii-dev", "bare", {}),
        ("enclii-dev", "old-client", {"app": "old"}),
        ("enclii-dev", "sql-client", {"flow.enclii.dev/sql": "client"}),
    ]


def test_expectations_name_the_flow() -> None:
    found = flows(
        {"name": "sql", "from": "environments", "to": "database", "ports": [5432, {"port": 53, "protocol": "UDP"}]}
    )
    everyone = matrix.identities(found, SPACES)
    pairs = matrix.expectations(found, everyone, listening(found, everyone), SPACES, FACTS)
    assert {(p.source.name, p.target.name, p.port, p.protocol, p.flow) for p in pairs if p.expected} == {
        ("sql-client", "sql-server", 5432, "TCP", "sql"),
        ("sql-client", "sql-server", 53, "UDP", "sql"),
    }
    assert len(pairs) == 4 * (3 + 2) and {p.flow for p in pairs if not p.expected} == {""}
    assert matrix.ports_of(found, everyone[0]) == [Port(8080)]


def test_the_flow_that_does_both_is_the_one_named() -> None:
    """Two flows may let it out, or in; the one that does both is the reason."""
    found = flows(
        {"name": "all", "from": "environments", "to": "any", "port": 5432},
        {"name": "sql", "from": {"namespace": "enclii-dev", "pods": {"app": "old"}}, "to": "database", "port": 5432},
    )
    old = matrix.Identity("old", "enclii-dev", {"app": "old", "flow.enclii.dev/all": "client"})
    server = matrix.Identity("server", "data", {"flow.enclii.dev/sql": "server"})
    assert [
        (p.expected, p.flow) for p in matrix.expectations(found, [old], listening(found, [server]), SPACES, FACTS)
    ] == [(True, "sql")]


def test_anywhere_takes_pods_in_whatever_their_addresses() -> None:
    found = flows(
        {"name": "in", "from": "any", "to": "database", "port": 80},
        {"name": "out", "from": "environments", "to": "any", "port": 80},
    )
    client, server = (
        matrix.Identity("client", "enclii-dev", {"flow.enclii.dev/out": "client"}),
        matrix.Identity("server", "data", {"flow.enclii.dev/in": "server"}),
    )
    assert [
        pair.expected for pair in matrix.expectations(found, [client], listening(found, [server]), SPACES, Facts())
    ] == [True]


def test_an_observing_namespace_walls_nothing_off() -> None:
    found = flows({"name": "sql", "from": "environments", "to": "database", "port": 5432})
    observing = dict.fromkeys(SPACES, "observe")
    everyone = matrix.identities(found, observing)
    assert all(
        pair.expected for pair in matrix.expectations(found, everyone, listening(found, everyone), observing, FACTS)
    )
