# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluator against a second one, written down as the documentation of NetworkPolicy reads, and the corners by hand."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.flows.evaluate import Evaluator, Pod, selector

Obj = dict[str, t.Any]
SPACES = {"a": {"team": "x"}, "b": {"team": "y"}, "c": {}}
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.1", "2001:db8::1"]


def policy(spec: Obj, space: str = "a", name: str = "p") -> Obj:
    return {"metadata": {"name": name, "namespace": space}, "spec": spec}


# -- a naive reading ------------------------------------------------------------------------------


def chosen(spec: Obj, labels: t.Mapping[str, str]) -> bool:
    for key, value in (spec.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in spec.get("matchExpressions") or []:
        there, value = one["key"] in labels, labels.get(one["key"])
        good = {
            "In": there and value in one.get("values", []),
            "NotIn": not there or value not in one.get("values", []),
            "Exists": there,
            "DoesNotExist": not there,
        }[one["operator"]]
        if not good:
            return False
    return True


def peer_fits(peer: Obj, end: Pod | str, space: str) -> bool:
    if "ipBlock" in peer:
        text = end if isinstance(end, str) else end.ip
        address = ipaddress.ip_address(text)
        block = peer["ipBlock"]
        return address in ipaddress.ip_network(block["cidr"]) and all(
            address not in ipaddress.ip_network(hole) for hole in block.get("except", [])
        )
    if isinstance(end, str) or end.host_network:
        return False
    if "namespaceSelector" in peer:
        labels = {**SPACES[end.namespace], "kubernetes.io/metadata.name": end.namespace}
        if not chosen(peer["namespaceSelector"], labels):
            return False
    elif end.namespace != space:
        return False
    return chosen(peer.get("podSelector", {}), end.labels)


def port_fits(spec: Obj, port: int, protocol: str, target: Pod | str) -> bool:
    if spec.get("protocol", "TCP") != protocol:
        return False
    wanted = spec.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return isinstance(target, Pod) and target.ports.get(wanted) == (port, protocol)
    return wanted <= port <= spec.get("endPort", wanted)


def naive(policies: list[Obj], source: Pod | str, target: Pod | str, port: int, protocol: str) -> bool:
    if source == target:
        return True
    for kind, word, mine, other in (("Egress", "to", source, target), ("Ingress", "from", target, source)):
        if isinstance(mine, str) or mine.host_network:
            continue
        isolated = allowed = False
        for one in policies:
            spec, space = one["spec"], one["metadata"]["namespace"]
            default = ["Ingress"] + (["Egress"] if spec.get("egress") else [])
            if space != mine.namespace or kind not in (spec.get("policyTypes") or default):
                continue
            if not chosen(spec["podSelector"], mine.labels):
                continue
            isolated = True
            for rule in spec.get(kind.lower()) or []:
                peers = not rule.get(word) or any(peer_fits(peer, other, space) for peer in rule[word])
                ports = not rule.get("ports") or any(port_fits(p, port, protocol, target) for p in rule["ports"])
                allowed = allowed or (peers and ports)
        if isolated and not allowed:
            return False
    return True


KEYS, VALUES = st.sampled_from(["app", "tier"]), st.sampled_from(["1", "2"])
LABELS = st.dictionaries(KEYS, VALUES, max_size=2)
EXPRESSIONS = st.one_of(
    st.fixed_dictionaries(
        {"key": KEYS, "operator": st.sampled_from(["In", "NotIn"]), "values": st.lists(VALUES, min_size=1, unique=True)}
    ),
    st.fixed_dictionaries({"key": KEYS, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)
SELECTORS = st.fixed_dictionaries(
    {}, optional={"matchLabels": LABELS, "matchExpressions": st.lists(EXPRESSIONS, max_size=2)}
)
SPACE_SELECTORS = st.sampled_from(
    [
        {},
        {"matchLabels": {"team": "x"}},
        {"matchLabels": {"kubernetes.io/metadata.name": "b"}},
        {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]},
    ]
)
BLOCKS = st.sampled_from(
    [
        {"cidr": "0.0.0.0/0"},
        {"cidr": "10.0.0.0/16", "except": ["10.0.1.0/24"]},
        {"cidr": "192.0.2.1/32"},
        {"cidr": "::/0", "except": ["2001:db8::1/128"]},
    ]
)
PEERS = st.one_of(
    st.fixed_dictionaries({"podSelector": SELECTORS}),
    st.fixed_dictionaries({"namespaceSelector": SPACE_SELECTORS}, optional={"podSelector": SELECTORS}),
    st.fixed_dictionaries({"ipBlock": BLOCKS}),
)
PORTS = st.one_of(
    st.fixed_dictionaries({"port": st.sampled_from([80, 81])}, optional={"protocol": st.sampled_from(["TCP", "UDP"])}),
    st.fixed_dictionaries({"port": st.just(79), "endPort": st.sampled_from([79, 80, 90])}),
    st.just({"protocol": "UDP"}),
    st.just({"port": "http"}),
)


def rules(word: str) -> st.SearchStrategy[list[Obj]]:
    return st.lists(
        st.fixed_dictionaries({}, optional={word: st.lists(PEERS, max_size=2), "ports": st.lists(PORTS, max_size=2)}),
        max_size=2,
    )


SPECS = st.fixed_dictionaries(
    {"podSelector": SELECTORS},
    optional={
        "ingress": rules("from"),
        "egress": rules("to"),
        "policyTypes": st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
    },
)
PODS = st.builds(
    Pod,
    namespace=st.sampled_from(sorted(SPACES)),
    labels=LABELS,
    ip=st.sampled_from(ADDRESSES),
    name=st.sampled_from(["one", "two"]),
    host_network=st.sampled_from([False, False, False, True]),
    ports=st.sampled_from([{}, {"http": (80, "TCP")}]),
)


@settings(max_examples=400, deadline=None)
@given(
    specs=st.lists(st.tuples(SPECS, st.sampled_from(sorted(SPACES))), max_size=5),
    pairs=st.lists(
        st.tuples(PODS | st.sampled_from(ADDRESSES), PODS | st.sampled_from(ADDRESSES)), min_size=1, max_size=6
    ),
    port=st.sampled_from([80, 81]),
    protocol=st.sampled_from(["TCP", "UDP"]),
)
def test_any_policies_are_judged_as_documented(
    specs: list[tuple[Obj, str]], pairs: list[tuple[Pod | str, Pod | str]], port: int, protocol: str
) -> None:
    policies = [policy(spec, space, f"p{number}") for number, (spec, space) in enumerate(specs)]
    evaluator = Evaluator(policies, SPACES)
    for source, target in pairs:
        found = evaluator.judge(source, target, port, protocol)
        assert found.allowed == naive(policies, source, target, port, protocol)
        if source != target:
            assert found.allowed == (
                (not found.isolated_egress_by or bool(found.egress_by))
                and (not found.isolated_ingress_by or bool(found.ingress_by))
            )


# -- corners --------------------------------------------------------------------------------------

WEB = Pod("a", {"app": "web"}, "10.0.0.1", "web")
DB = Pod("b", {"app": "db"}, "10.0.0.2", "db")
DENY: Obj = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_judgement_names_what_it_is_made_of() -> None:
    out = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [{}]}
    policies = [policy(DENY, "a", "deny"), policy(DENY, "b", "deny"), policy(out, "a", "out")]
    found = Evaluator(policies, SPACES).judge(WEB, DB, 80)
    assert not found.allowed and found.egress_by == ("a/out",) and found.ingress_by == ()
    assert found.isolated_egress_by == ("a/deny", "a/out") and found.isolated_ingress_by == ("b/deny",)


def test_nothing_is_isolated_without_a_policy() -> None:
    found = Evaluator([], SPACES).judge(WEB, DB, 80)
    assert found.allowed and not found.isolated_egress_by and not found.isolated_ingress_by


def test_an_empty_rule_allows_all_and_no_rule_allows_none() -> None:
    def ingress(value: t.Any) -> bool:
        spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": value}
        return Evaluator([policy(spec, "b")], SPACES).judge(WEB, DB, 80).allowed

    assert ingress([{}]) and ingress([{"from": []}]) and ingress([{"ports": []}])
    assert not ingress([]) and not ingress(None)


def test_a_pod_reaches_itself_and_a_host_is_no_pod() -> None:
    host = Pod("a", {"app": "web"}, "10.0.0.9", "agent", host_network=True)
    evaluator = Evaluator([policy(DENY, "a"), policy(DENY, "b")], SPACES)
    assert evaluator.judge(WEB, WEB, 80).allowed
    assert evaluator.judge(host, "192.0.2.1", 80).allowed and not evaluator.judge(WEB, host, 80).allowed
    everyone = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"namespaceSelector": {}}]}]}
    assert not Evaluator([policy(everyone, "b")], SPACES).judge(host, DB, 80).allowed
    assert Evaluator([policy(everyone, "b")], SPACES).judge(WEB, DB, 80).allowed


def ingress_of(rule: Obj) -> Evaluator:
    return Evaluator([policy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]}, "b")], SPACES)


def test_a_selector_of_pods_alone_means_its_own_namespace() -> None:
    evaluator = ingress_of({"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]})
    assert evaluator.judge(Pod("b", {"app": "web"}, "10.0.0.7"), DB, 80).allowed
    assert not evaluator.judge(WEB, DB, 80).allowed


def test_a_range_of_ports_has_two_ends() -> None:
    evaluator = ingress_of({"ports": [{"port": 80, "endPort": 82}]})
    assert [evaluator.judge(WEB, DB, port).allowed for port in (79, 80, 81, 82, 83)] == [False, True, True, True, False]
    assert not evaluator.judge(WEB, DB, 81, "UDP").allowed


def test_a_named_port_is_the_receiving_pods() -> None:
    evaluator = ingress_of({"ports": [{"port": "http"}, {"port": "dns", "protocol": "UDP"}]})
    target = Pod("b", {}, "10.0.0.2", "db", ports={"http": (8080, "TCP"), "dns": (53, "TCP")})
    assert evaluator.judge(WEB, target, 8080).allowed and not evaluator.judge(WEB, target, 80).allowed
    assert not evaluator.judge(WEB, target, 53, "UDP").allowed and not evaluator.judge(WEB, DB, 8080).allowed


def test_an_unknown_namespace_has_its_name() -> None:
    named = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "z"}}}
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [named]}]}
    assert Evaluator([policy(spec, "b")], {}).judge(Pod("z", {}, "10.0.0.7"), DB, 80).allowed


def test_selectors_refuse_what_kubernetes_does_not_have() -> None:
    with pytest.raises(ValueError, match="Like"):
        selector({"matchExpressions": [{"key": "a", "operator": "Like"}]})
