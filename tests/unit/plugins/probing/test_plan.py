# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tries, and the objects it makes for it."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.flows.evaluate import Evaluator, Pod
from ansible_collections.enclii.platform.plugins.module_utils.flows.matrix import Identity
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Facts, Flow, Port, read_flows
from ansible_collections.enclii.platform.plugins.module_utils.flows.render import policies
from ansible_collections.enclii.platform.plugins.module_utils.kube import network as net
from ansible_collections.enclii.platform.plugins.module_utils.probing import live, objects, plan, rehearse
from ansible_collections.enclii.platform.plugins.module_utils.probing.run import Run, Settings, State, read_log

FACTS = Facts(
    api_server=(("10.0.0.1", 6443),),
    control_plane=("10.0.0.1",),
    nodes=("10.0.0.1", "10.0.0.2", "10.244.1.0", "198.51.100.1", "198.51.100.2"),
    dns={
        "namespace": "kube-system",
        "labels": {"k8s-app": "kube-dns"},
        "ports": [{"port": 5353, "protocol": "UDP"}, {"port": "dns-tcp", "protocol": "TCP"}],
    },
    pod_networks=("10.244.0.0/16",),
)
SPACES = {"app": "enforce", "data": "enforce"}
COMPONENTS = [
    {
        "name": "database",
        "namespace": "data",
        "state": "present",
        "flows": [
            {"name": "sql", "from": {"namespace": "app"}, "to": "database", "port": 5432},
            {"name": "copy", "from": "database", "to": "database", "port": 53, "protocol": "UDP"},
            {"name": "db-api", "from": "database", "to": "api-server", "port": 443},
            {"name": "kubelets", "from": "database", "to": "nodes", "port": 10250},
        ],
    }
]
DECLARED = [
    {"name": "mail", "from": {"namespace": "app"}, "to": {"cidrs": ["192.0.2.7/32", "198.51.100.0/24"]}, "port": 25},
    {"name": "legacy", "from": {"namespace": "app"}, "to": {"namespace": "app", "pods": {"app": "old"}}, "port": 80},
]
Obj = dict[str, t.Any]


def flows() -> list[Flow]:
    return read_flows(COMPONENTS, DECLARED, ["app"])


NODES = ("10.0.0.1", "10.0.0.2")


def made(**options: t.Any) -> plan.Design:
    listed = flows()
    judge = Evaluator(policies(listed, SPACES, FACTS), {})
    return plan.design(listed, SPACES, FACTS, judge, **{"nodes": NODES, **options})


def pairs(design: plan.Design) -> dict[tuple[str, str], bool]:
    return {(task.source, task.aim.place): task.expected for task in design.tasks if task.flow != plan.WITNESS}


def test_every_source_tries_every_port_of_every_target() -> None:
    design = made()
    found = pairs(design)
    sources = {one.key for one in design.probers if one.role == "probe"}
    assert {
        "app/bare",
        "data/bare",
        "app/sql-client",
        "data/sql-server",
        "data/copy-peer",
        "app/legacy-server",
    } <= sources
    assert found["app/sql-client", "data/sql-server TCP 5432"]
    assert not found["app/bare", "data/sql-server TCP 5432"]
    assert not found["data/bare", "data/sql-server TCP 5432"]
    assert ("app/bare", "app/bare TCP 8080") not in found
    reached = {(source, place) for source, place in found if place.startswith("data/sql-server")}
    assert {source for source, _place in reached} == sources - {"data/sql-server"}


def test_peers_have_a_twin_to_talk_to() -> None:
    design = made()
    assert [one.key for one in design.probers if one.role == "twin"] == ["data/copy-peer-twin"]
    (task,) = [one for one in design.tasks if one.source == "data/copy-peer" and one.aim.title == "data/copy-peer"]
    assert (task.expected, task.aim.prober, task.flow) == (True, "data/copy-peer-twin", "copy")


def test_lifelines() -> None:
    found = pairs(made())
    for source in ("app/bare", "data/sql-server"):
        assert found[source, "cluster DNS UDP 5353"]
        assert found[source, "cluster DNS TCP 53"]
        assert not found[source, "API server 10.0.0.1 TCP 6443"]
        assert not found[source, "metadata address TCP 80"]
    assert found["data/db-api-client", "API server 10.0.0.1 TCP 6443"]
    assert found["data/kubelets-client", "node 10.0.0.2 TCP 10250"]
    assert found["app/mail-client", "address 192.0.2.7 TCP 25"]
    assert not found["data/bare", "address 192.0.2.7 TCP 25"]
    assert not any("198.51.100" in place for _source, place in found)
    # of a node one address, none of the others that policies name
    assert {place for _source, place in found if place.startswith("node")} == {
        "node 10.0.0.1 TCP 10250",
        "node 10.0.0.2 TCP 10250",
    }


def test_a_namespace_that_is_observed_is_open() -> None:
    listed = flows()
    spaces = {"app": "observe", "data": "observe"}
    design = plan.design(listed, spaces, FACTS, Evaluator(policies(listed, spaces, FACTS), {}))
    assert all(task.expected for task in design.tasks)
    # where nothing is enforced nothing keeps a pod from the metadata address
    half = plan.design(listed, {**spaces, "app": "enforce"}, FACTS, Evaluator([], {}))
    assert {task.source.partition("/")[0] for task in half.tasks if task.aim.kind == "metadata"} == {"app"}


def test_a_stranger_goes_to_everything_and_everything_to_it() -> None:
    """A hole on one side shows only where the other side holds nothing."""
    design = made(outside="enclii-outside-r")
    found = pairs(design)
    assert design.outside == "enclii-outside-r" in design.namespaces
    assert "enclii-outside-r" not in plan.describe(design)["namespaces"]
    (stranger,) = [one for one in design.probers if one.key == plan.OUTSIDER]
    assert (stranger.identity.namespace, dict(stranger.identity.labels)) == ("enclii-outside-r", {})
    others = {one.key for one in design.probers if one.role == "probe"} - {plan.OUTSIDER}
    goes = {place: expected for (source, place), expected in found.items() if source == plan.OUTSIDER}
    assert {place.partition(" ")[0] for place in goes} == others
    assert not any(goes.values())
    comes = {source: expected for (source, place), expected in found.items() if place == "outside/stranger TCP 8080"}
    assert comes == dict.fromkeys(others, False)
    assert any(task.flow == plan.WITNESS and task.aim.prober == plan.OUTSIDER for task in design.tasks)
    assert design.home == "app"


def test_flows_that_lead_anywhere_lead_to_the_stranger_and_it_comes_by_those_from_anywhere() -> None:
    listed = read_flows([], [
        {"name": "web", "from": "any", "to": {"namespace": "app"}, "port": 8443},
        {"name": "out", "from": {"namespace": "data"}, "to": "any", "ports": [80, {"port": 123, "protocol": "UDP"}]},
        {"name": "pods", "from": {"namespace": "data"}, "to": {"cidrs": ["10.0.0.0/8"]}, "port": 81},
        {"name": "far", "from": {"namespace": "data"}, "to": {"cidrs": ["0.0.0.0/0"], "except": ["10.0.0.0/8"]}, "port": 82},
    ], [])  # fmt: skip
    judge = Evaluator(policies(listed, SPACES, FACTS), {})
    design = plan.design(listed, SPACES, FACTS, judge, outside="o")
    found = pairs(design)
    assert found[plan.OUTSIDER, "app/web-server TCP 8443"]
    assert not found[plan.OUTSIDER, "app/bare TCP 8080"]
    ports = {place.partition(" ")[2] for _source, place in found if place.startswith(plan.OUTSIDER)}
    assert ports == {"TCP 80", "UDP 123", "TCP 81", "TCP 8080"}
    opened = {pair for pair, expected in found.items() if expected and pair[1].startswith(plan.OUTSIDER)}
    assert opened == {
        ("data/out-client", "outside/stranger TCP 80"),
        ("data/out-client", "outside/stranger UDP 123"),
        ("data/pods-client", "outside/stranger TCP 81"),
    }
    # what is declared is what the policies say
    where = {one.key: one for one in design.probers}
    for (source, place), expected in found.items():
        key, protocol, port = place.split() if place.count(" ") == 2 else ("", "", "0")
        if key in where and source in where and key != source:
            ends = [Pod(one.identity.namespace, one.identity.labels, f"10.244.0.{at}", one.key)
                    for at, one in enumerate((where[source], where[key]), 1)]  # fmt: skip
            assert judge.judge(*ends, int(port), protocol).allowed == expected, (source, place)


def test_without_a_filter_that_takes_it_there_is_no_stranger() -> None:
    alone = made(outside="o", sources=["app"], targets=["data"])
    assert (alone.outside, plan.OUTSIDER in {one.key for one in alone.probers}) == ("", False)
    for filters in ({"sources": ["outside"], "targets": ["data"]}, {"sources": ["data"], "targets": [plan.OUTSIDER]}):
        assert made(outside="o", **filters).outside == "o"


def test_kinds_of_pods_can_be_left_out() -> None:
    (server,) = [one.identity for one in made().probers if one.key == "data/sql-server"]
    left = made(without=[server])
    assert not any("data/sql-server" in (source, place.partition(" ")[0]) for source, place in pairs(left))


def test_the_witness_goes_to_every_listener() -> None:
    design = made()
    witnessed = {task.aim.place for task in design.tasks if task.flow == plan.WITNESS}
    assert {task.aim.place for task in design.tasks if task.aim.kind in ("probe", "dns", "api")} == witnessed
    assert {task.source for task in design.tasks if task.flow == plan.WITNESS} == {"app/witness"}
    assert design.home == "app"


def test_real_servers_are_tried_by_what_their_labels_say() -> None:
    pod = Pod("data", {"flow.enclii.dev/sql": "server", "app": "pg"}, "10.244.1.9", "pg-0")
    found = pairs(made(servers=[pod]))
    assert found["app/sql-client", "pod data/pg-0 TCP 5432"]
    assert not found["app/bare", "pod data/pg-0 TCP 5432"]


def test_the_api_server_is_asked_to_go_where_it_calls() -> None:
    component = {"name": "hook", "namespace": "data", "state": "present",
                 "flows": [{"name": "hook", "from": "api-server", "to": "hook", "port": 9443}]}  # fmt: skip
    listed = read_flows([component], [], [])
    pod = Pod("data", {"flow.enclii.dev/hook": "server"}, "10.244.1.9", "hook-0")
    judge = Evaluator(policies(listed, SPACES, FACTS), {})
    design = plan.design(listed, SPACES, FACTS, judge, servers=[pod])
    asked = [(task.aim.place, task.expected) for task in design.tasks if task.source == plan.API_SERVER]
    assert asked == [("data/hook-server TCP 9443", True), ("pod data/hook-0 TCP 9443", True)]
    alone = plan.design(listed, SPACES, FACTS, judge, servers=[pod], sources=["data/bare"])
    assert not [task for task in alone.tasks if task.source == plan.API_SERVER]


def test_what_no_policy_has_a_say_in_is_left_out() -> None:
    design = made()
    run = Run(
        t.cast(t.Any, type("Nobody", (), {"clock": None})()), design, FACTS, Evaluator([], {}), Settings("r", "i", "s")
    )
    there = states(design)
    on_its_node = [one for one in design.tasks if one.aim.title == "node 10.0.0.2"]
    assert {one.source: run._is_moot(one, there) for one in on_its_node} == {
        one.source: not one.expected for one in on_its_node
    }
    assert not any(run._is_moot(one, there) for one in design.tasks if one.aim.title == "node 10.0.0.1")


def test_filters() -> None:
    found = pairs(made(sources=["app"], targets=["data/sql-*", "cluster DNS"]))
    assert {source.partition("/")[0] for source, _place in found} == {"app"}
    assert {place for _source, place in found} == {
        "data/sql-server TCP 5432",
        "cluster DNS UDP 5353",
        "cluster DNS TCP 53",
    }


def test_identities_of_the_same_name_are_told_apart() -> None:
    twice = [
        Identity("like-web", "app", {"a": "1"}),
        Identity("like-web", "app", {"a": "2"}),
        Identity("witness", "app", {"a": "3"}),
    ]
    keys = [one.key for one in made(more=twice).probers]
    assert len(keys) == len(set(keys))
    assert {"app/like-web", "app/like-web-2", "app/witness-2", "app/witness"} <= set(keys)


def test_what_check_mode_tells() -> None:
    told = plan.describe(made())
    assert told["pairs"] == told["open"] + told["closed"]
    assert told["namespaces"] == ["app", "data"]
    assert "app/witness (witness)" in told["pods"]


# -- objects -----------------------------------------------------------------------------------


def owner(space: str) -> Obj:
    return {"metadata": {"name": "probe-r", "namespace": space, "uid": "u"}}


def pod_of(key: str, walled: tuple[bool, bool] = (True, True)) -> Obj:
    design = made()
    number, one = next((number, one) for number, one in enumerate(design.probers) if one.key == key)
    return objects.pod(
        "r", number, one, owner=owner(one.identity.namespace), image="i", gauge=61337, lifetime=100, walled=walled
    )


def test_a_probe_pod_is_restricted_and_nobodys() -> None:
    pod = pod_of("data/sql-server")
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert spec["automountServiceAccountToken"] is False
    assert spec["tolerations"] == []
    assert spec["activeDeadlineSeconds"] == 100
    assert spec["readinessGates"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert "sysctls" not in spec["securityContext"]
    (reference,) = pod["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["controller"]) == ("ConfigMap", True)
    labels = pod["metadata"]["labels"]
    assert labels["flow.enclii.dev/sql"] == "server"
    assert labels[objects.RUN] == "r"
    assert container["args"][-4:] == ["--listen", "TCP/5432", "--listen", "TCP/61337"]


def test_a_probe_pod_carries_the_labels_that_flows_go_by_as_they_are() -> None:
    """Its own marks are nobody else's, so that a flow may go by the usual labels."""
    usual = {f"app.kubernetes.io/{name}": name for name in ("name", "part-of", "managed-by", "component")}
    declared = {"name": "figures", "from": {"namespace": "app"}, "to": {"namespace": "data", "pods": usual}, "port": 1}
    listed = read_flows([], [declared], [])
    there = policies(listed, SPACES, FACTS)
    design = plan.design(listed, SPACES, FACTS, Evaluator(there, {}))
    ends = [
        Pod(one.identity.namespace, objects.pod_labels("r", one, (True, True)), "", one.key)
        for one in design.probers if one.identity.name.startswith("figures")
    ]  # fmt: skip
    client, server = sorted(ends, key=lambda one: one.namespace)
    assert usual.items() <= dict(server.labels).items()
    assert Evaluator(there, {}).judge(client, server, 1).allowed
    own = set(objects.pod_labels("r", design.probers[0], (True, True))) - set(design.probers[0].identity.labels)
    assert all(key.startswith("probe.enclii.dev/") for key in own)
    assert live.by_name([{"metadata": {"namespace": "data", "name": "p", "labels": objects.labels("r")}}]) == {}


def test_low_ports_take_the_safe_sysctl() -> None:
    pod = pod_of("data/copy-peer")
    assert pod["spec"]["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]


def test_names_fit() -> None:
    long = plan.Prober(Identity("x" * 40 + "_Y-server", "app", {}), ())
    name = objects.name_of("0123abcd", 1234, long)
    assert len(name) <= 63
    assert name == name.lower()


def test_its_policies_isolate_no_pod_that_was_not_isolated_before() -> None:
    design = made()
    found = objects.policies("r", design, {space: owner(space) for space in design.namespaces}, FACTS)
    judge = Evaluator(found, {})
    bare = {one.key: one for one in design.probers}["app/bare"]
    free = Pod("app", objects.pod_labels("r", bare, (False, False)), "10.244.0.2")
    walled = Pod("data", objects.pod_labels("r", bare, (True, True)), "10.244.0.3")
    witness = Pod("app", objects.pod_labels("r", design.probers[-1], (True, True)), "10.244.0.4")
    stranger = Pod("app", {}, "10.244.0.5")
    assert judge.judge(stranger, free, 80).isolated_ingress_by == ()
    assert judge.judge(free, stranger, 80).isolated_egress_by == ()
    assert judge.judge(free, walled, design.gauge).allowed
    assert not judge.judge(free, walled, 5432).allowed
    assert not judge.judge(stranger, walled, design.gauge).allowed
    assert not judge.judge(walled, stranger, design.gauge).allowed
    assert judge.judge(witness, walled, 5432).allowed
    assert judge.judge(witness, "10.0.0.1", 6443).allowed
    assert not judge.judge(witness, "10.0.0.2", 6443).allowed
    assert judge.judge(witness, Pod("kube-system", {"k8s-app": "kube-dns"}), 53, "UDP").allowed
    assert judge.judge(stranger, Pod("app", witness.labels), 80).isolated_ingress_by == ("app/probe-r-in",)


# -- plans and logs ----------------------------------------------------------------------------


def states(design: plan.Design) -> dict[str, State]:
    return {
        one.key: State(f"p{number}", Pod(one.identity.namespace, {}, f"10.244.0.{number}"), "w1", ("10.0.0.2",))
        for number, one in enumerate(design.probers)
    }


def test_a_plan_has_a_gauge_for_every_pod_it_goes_to() -> None:
    design = made()
    run = Run(
        t.cast(t.Any, type("Nobody", (), {"clock": None})()), design, FACTS, Evaluator([], {}), Settings("r", "i", "s")
    )
    numbers = [number for number, task in enumerate(design.tasks) if task.source == "app/sql-client"]
    told = json.loads(run.plan(numbers, states(design)))
    tasks = [design.tasks[number] for number in numbers]
    gauges = told["tries"][len(tasks) :]
    assert len(gauges) == len({task.aim.prober for task in tasks if task.aim.prober})
    assert all(one["port"] == design.gauge and one["expect"] for one in gauges)
    for one, task in zip(told["tries"], tasks, strict=False):
        assert one["expect"] == task.expected
        if task.aim.prober:
            assert one["greeting"] == f"r {task.aim.prober}"
            assert told["tries"][one["gauge"]]["host"] == one["host"]
        else:
            assert one["gauge"] is None
    kinds = {task.aim.kind: one["kind"] for one, task in zip(told["tries"], tasks, strict=False)}
    assert (kinds["api"], kinds["node"], kinds["outside"], kinds["metadata"]) == (
        "tls",
        "connect",
        "connect",
        "connect",
    )


def test_a_log_is_read_when_it_is_done() -> None:
    lines = ['{"listening":[]}', '{"try":0,"outcome":"connected"}', "no json", '{"try":1,"outcome":"refused"}']
    assert read_log("\n".join(lines), "r") == ({0: json.loads(lines[1]), 1: json.loads(lines[3])}, False)
    assert read_log("\n".join([*lines, '{"done":"r"}']), "r")[1]
    assert not read_log("\n".join([*lines, '{"done":"other"}']), "r")[1]


def test_of_each_node_one_address_is_tried() -> None:
    """Of those that policies name some do not lead to a kubelet: external ones, and ends of tunnels."""

    def node(name: str, *addresses: tuple[str, str]) -> Obj:
        notes = {"projectcalico.org/IPv4VXLANTunnelAddr": "10.244.7.1"}
        listed = [{"type": kind, "address": address} for kind, address in addresses]
        return {"metadata": {"name": name, "annotations": notes}, "status": {"addresses": listed}}

    nodes = [
        node("b", ("ExternalIP", "198.51.100.2"), ("InternalIP", "10.0.0.2"), ("InternalIP", "fd00::2")),
        node("a", ("Hostname", "a"), ("InternalIP", "10.0.0.1")),
        node("c", ("ExternalIP", "198.51.100.3")),
    ]
    assert net.internal(nodes) == ["10.0.0.1", "10.0.0.2"]
    assert len(net.network([], nodes, [])["nodes"]) == 6


# -- the pods that serve -----------------------------------------------------------------------


def real(name: str, labels: Obj, ready: str = "True", **metadata: t.Any) -> Obj:
    return {
        "metadata": {"namespace": "data", "name": name, "labels": labels, **metadata},
        "spec": {"containers": [{"ports": [{"name": "sql", "containerPort": 5432}]}]},
        "status": {"podIP": "10.244.1.1", "conditions": [{"type": "Ready", "status": ready}]},
    }


def test_one_ready_pod_of_those_that_serve_the_same() -> None:
    serves = {"flow.enclii.dev/sql": "server"}
    pods = [
        real("b", serves),
        real("a", serves, ready="False"),
        real("c", serves),
        real("d", {}),
        real("e", serves, deletionTimestamp="now"),
    ]
    (found,) = live.servers(flows(), pods)
    assert (found.name, found.ports) == ("b", {"sql": (5432, "TCP")})


def test_among_node_agents_it_runs_as_one_of_them() -> None:
    agent = {**real("agent", {}), "spec": {"serviceAccountName": "agents", "containers": []}}
    other = {**real("b", {}), "metadata": {"namespace": "app", "name": "b"}}
    names = {"data": {"enclii.dev/purpose": "nodes"}, "app": {"enclii.dev/purpose": "environment"}}
    assert live.Cluster(FACTS, {}, names, [agent, other], "v1").accounts() == {"data": "agents"}
    one = plan.Prober(Identity("bare", "data", {}), ())
    pod = objects.pod(
        "r", 0, one, owner=owner("data"), image="i", gauge=1, lifetime=1, walled=(True, True), account="agents"
    )
    assert pod["spec"]["serviceAccountName"] == "agents"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod_of("app/bare")["spec"]


@pytest.mark.parametrize(("agents", "told"), [([], ["data"]), (["agent"], [])])
def test_where_no_node_agent_runs_no_probe_pod_may(agents: list[str], told: list[str]) -> None:
    pods = [{**real(name, {}), "spec": {"serviceAccountName": "agents", "containers": []}} for name in agents]
    names = {"data": {"enclii.dev/purpose": "nodes"}, "app": {"enclii.dev/purpose": "environment"}}
    assert live.Cluster(FACTS, {}, names, pods, "v1").idle(SPACES) == told


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"publishNotReadyAddresses": True, "selector": {"app": "old"}}, "app/s"),
        ({"publishNotReadyAddresses": True, "selector": {"app": "new"}}, ""),
        ({"publishNotReadyAddresses": True, "selector": {"app": "old", "tier": "1"}}, ""),
        ({"publishNotReadyAddresses": True}, ""),
        ({"selector": {"app": "old"}}, ""),
    ],
)
def test_a_service_that_would_send_callers_to_a_probe_pod_is_seen(spec: Obj, told: str) -> None:
    cluster = live.Cluster(
        FACTS, {}, {}, [], "v1", services=[{"metadata": {"namespace": "app", "name": "s"}, "spec": spec}]
    )
    assert cluster.publishes(Identity("legacy-server", "app", {"app": "old"})) == told
    assert cluster.publishes(Identity("legacy-server", "data", {"app": "old"})) == ""
    assert cluster.publishes(Identity("bare", "app", {})) == ""


# -- rehearsals --------------------------------------------------------------------------------


def test_a_rehearsal_has_the_policies_of_the_namespace_and_its_own() -> None:
    moved = rehearse.moved(flows(), "app", "scratch")
    ours = {
        "podSelector": {},
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "app"}}}]}],
    }
    there = {
        "app/team": {"metadata": {"namespace": "app", "name": "team"}, "spec": ours},
        "app/default-deny": {"metadata": {"namespace": "app", "name": "default-deny"}, "spec": {}},
        "data/other": {"metadata": {"namespace": "data", "name": "other"}, "spec": {}},
    }
    walls, own = rehearse.wanted(moved, "app", "scratch", FACTS, (), there)
    real_ones = {one["metadata"]["name"] for one in policies(flows(), {"app": "enforce"}, FACTS)}
    assert {one["metadata"]["name"] for one in walls} == real_ones
    assert {one["metadata"]["namespace"] for one in walls} == {"scratch"}
    (copied,) = own
    assert copied["metadata"] == {"name": "team", "namespace": "scratch"}
    assert copied["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "scratch"
    }
    assert ours["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "app"}


def test_a_rehearsal_has_pods_like_those_that_run() -> None:
    pods = [
        real("a-1", {"app": "a", "pod-template-hash": "1"}),
        real("a-2", {"app": "a", "pod-template-hash": "2"}),
        real("b", {"app": "b"}),
    ]
    found = rehearse.identities_of(pods, "scratch")
    assert [(one.name, one.labels) for one in found] == [("like-a-1", {"app": "a"}), ("like-b", {"app": "b"})]


@pytest.mark.parametrize(("labels", "told"), [({}, 1), ({"flow.enclii.dev/db-api": "client"}, 0)])
def test_a_token_without_a_way_to_the_api_server_is_noticed(labels: Obj, told: int) -> None:
    pod = real("a", labels)
    pod["spec"]["volumes"] = [{"projected": {"sources": [{"serviceAccountToken": {}}]}}]
    judge = Evaluator(policies(flows(), SPACES, FACTS), {})
    assert len(rehearse.without_api_server([pod, real("b", labels)], "data", FACTS, judge)) == told


def test_ports_are_those_of_flows() -> None:
    probers = {one.key: one.ports for one in made().probers}
    assert probers["data/sql-server"] == (Port(5432),)
    assert probers["data/copy-peer"] == (Port(53, "UDP"),)
    assert probers["app/bare"] == (Port(8080),)
