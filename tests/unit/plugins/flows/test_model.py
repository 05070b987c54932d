# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be declared as a flow, and what is said of what may not."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.flows.model import (
    METADATA,
    End,
    Facts,
    FlowError,
    Port,
    read_flows,
)

Obj = dict[str, t.Any]
DATABASE: Obj = {"name": "database", "namespace": "data", "state": "present", "flows": []}
ELSEWHERE: Obj = {"name": "elsewhere", "namespace": "theirs", "state": "external", "flows": []}
GONE: Obj = {"name": "gone", "namespace": "gone", "state": "absent", "flows": []}
COMPONENTS = [DATABASE, ELSEWHERE, GONE]
WEB: Obj = {"name": "web", "from": "environments", "to": "database", "port": 5432}


def flow(**changes: t.Any) -> Obj:
    """The flow web with keys changed; `from` is written from_, and None takes a key away."""
    changed = {**WEB, **{key.rstrip("_"): value for key, value in changes.items()}}
    return {key: value for key, value in changed.items() if value is not None}


def read(*declared: t.Any) -> list[t.Any]:
    return read_flows(COMPONENTS, declared, ["enclii-dev"])


@pytest.mark.parametrize(
    ("value", "end"),
    [
        ("database", End("pods", ("data",), None, title="database")),
        ("elsewhere", End("pods", ("theirs",), {}, title="elsewhere")),
        ("environments", End("pods", ("enclii-dev",), None, title="environments")),
        ({"namespace": "a"}, End("pods", ("a",), None, title="a")),
        ({"namespaces": ["a", "b", "a"]}, End("pods", ("a", "b"), None, title="a, b")),
        ({"namespace": "a", "pods": {"app": "x"}}, End("pods", ("a",), {"app": "x"}, title="a")),
        ({"namespace": "a", "pods": {"matchLabels": {"app": "x"}}}, End("pods", ("a",), {"app": "x"}, title="a")),
        ("api-server", End("api-server", title="api-server")),
        ("nodes", End("nodes", title="nodes")),
        ("any", End("cidrs", cidrs=("0.0.0.0/0", "::/0"), excepted=METADATA, title="any")),
        ({"cidrs": ["192.0.2.0/24"]}, End("cidrs", cidrs=("192.0.2.0/24",), title="192.0.2.0/24")),
        ({"cidrs": ["192.0.2.1"]}, End("cidrs", cidrs=("192.0.2.1/32",), title="192.0.2.1/32")),
        (
            {"cidrs": ["0.0.0.0/0"], "except": ["10.0.0.0/8"]},
            End("cidrs", cidrs=("0.0.0.0/0",), excepted=("10.0.0.0/8", METADATA[0]), title="0.0.0.0/0"),
        ),
        (
            {"cidrs": ["169.254.0.0/16"], "except": ["169.254.169.0/24"]},
            End("cidrs", cidrs=("169.254.0.0/16",), excepted=("169.254.169.0/24",), title="169.254.0.0/16"),
        ),
    ],
)
def test_ends(value: t.Any, end: End) -> None:
    found = read(flow(to=value))[0]
    assert found.target == end and found.source.title == "environments" and found.owner == "inventory"


@pytest.mark.parametrize(
    ("changes", "ports"),
    [
        ({}, (Port(5432, "TCP"),)),
        ({"protocol": "UDP"}, (Port(5432, "UDP"),)),
        ({"port": None, "ports": [80, {"port": 53, "protocol": "UDP"}, 80]}, (Port(80), Port(53, "UDP"))),
        ({"port": None, "ports": [{"port": 80}]}, (Port(80),)),
    ],
)
def test_ports(changes: Obj, ports: tuple[Port, ...]) -> None:
    assert read(flow(**changes))[0].ports == ports


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("web", "it is no mapping"),
        (flow(name="Web"), "'Web' is no name for a flow"),
        (flow(name="x" * 41), "is no name for a flow"),
        (flow(name=None), "None is no name for a flow"),
        (flow(prot="TCP"), "it has no prot"),
        (flow(port=None), "either port or ports"),
        (flow(ports=[1]), "either port or ports"),
        (flow(port="5432"), "'5432' is no port"),
        (flow(port=True), "True is no port"),
        (flow(port=0), "0 is no port"),
        (flow(port=65536), "65536 is no port"),
        (flow(protocol="SCTP"), "TCP, UDP"),
        (flow(port=None, ports=[]), "ports is []"),
        (flow(port=None, ports=80), "ports is 80"),
        (flow(port=None, ports=[80], protocol="UDP"), "protocol goes with port"),
        (flow(port=None, ports=[{"port": 1, "x": 1}]), "is not understood"),
        (flow(to=None), "to is None"),
        (flow(to="nobody"), "there is no component of that name"),
        (flow(to="node"), "there is no component of that name"),
        (flow(to={"namespace": "a", "namespaces": ["b"]}), "to is {"),
        (flow(to={"pods": {"a": "b"}}), "to is {"),
        (flow(to={"namespaces": []}), "names no namespace"),
        (flow(to={"namespace": "A"}), "'A' is no name of a namespace"),
        (flow(to={"namespace": "a", "pods": {}}), "pods is {}"),
        (flow(to={"namespace": "a", "pods": {"a b": "c"}}), "is no label"),
        (flow(to={"namespace": "a", "pods": {"a": 1}}), "is no label"),
        (flow(to={"cidrs": []}), "names no network"),
        (flow(to={"cidrs": "192.0.2.0/24"}), "cidrs is '192.0.2.0/24'"),
        (flow(to={"cidrs": ["192.0.2.1/24"]}), "has host bits set"),
        (flow(to={"cidrs": ["x"]}), "does not appear to be"),
        (flow(to={"cidrs": ["192.0.2.0/24"], "ports": [1]}), "Beside cidrs"),
        (flow(to={"cidrs": ["192.0.2.0/24"], "except": ["192.0.2.0/24"]}), "lies in none"),
        (flow(to={"cidrs": ["192.0.2.0/24"], "except": ["10.0.0.0/8"]}), "lies in none"),
        (flow(to={"cidrs": ["192.0.2.0/24"], "except": ["2001:db8::/32"]}), "lies in none"),
        (flow(to={"cidrs": ["169.254.169.254/32"]}), "the address of a cloud's metadata"),
        (flow(to={"cidrs": ["fd00:ec2::254/128"]}), "the address of a cloud's metadata"),
        (flow(from_="nodes", to="api-server"), "policies are about pods only"),
    ],
)
def test_what_is_refused(item: t.Any, words: str) -> None:
    with pytest.raises(FlowError) as caught:
        read(item)
    error = caught.value
    assert words in error.cause or words in error.next_step
    assert error.subject.startswith("Flow ") and error.next_step and error.reason == "declaration"
    assert error.problems == [error.as_dict()]


def test_all_problems_in_one_error() -> None:
    component = {**DATABASE, "flows": [flow(name="a", port=0), flow(name="b")]}
    with pytest.raises(FlowError) as caught:
        read_flows([component], [flow(name="b"), flow(name="c", to="nobody")], ["enclii-dev"])
    error = caught.value
    assert [one["object"] for one in error.problems] == [
        "Flow a of component database",
        "Flow b of the inventory",
        "Flow c of the inventory",
    ]
    assert "3 problems, nothing was changed" in str(error) and "database has a flow of that name too" in str(error)


def test_what_is_not_there_has_no_flows() -> None:
    def with_flow(component: Obj, name: str) -> Obj:
        return {**component, "flows": [flow(name=name, to="api-server", from_=component["name"])]}

    components = [with_flow(one, one["name"]) for one in COMPONENTS]
    found = read_flows(components, [flow(name="x", to="gone")], ["enclii-dev"])
    assert [one.name for one in found] == ["database"] and found[0].owner == "database"
    assert read_flows(COMPONENTS, [flow()], []) == []


def test_flows_are_sorted() -> None:
    assert [one.name for one in read(flow(name="b"), flow(name="a"))] == ["a", "b"]


def test_facts() -> None:
    network = {
        "api_server": [{"address": "10.0.0.2", "port": 6443}, {"address": "10.0.0.1", "port": 6443}],
        "control_plane": ["10.0.0.2", "10.0.0.1"],
        "nodes": ["10.0.0.3"],
        "dns": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}, "addresses": ["10.96.0.10"]},
    }
    facts = Facts.read(network)
    assert facts.api_server == (("10.0.0.1", 6443), ("10.0.0.2", 6443)) and facts.control_plane == (
        "10.0.0.1",
        "10.0.0.2",
    )
    assert facts.pod_networks == () and facts.dns == network["dns"]
    for broken in ({}, {**network, "api_server": [{"address": "10.0.0.1"}]}, {**network, "nodes": None}):
        with pytest.raises(FlowError, match="cluster_info") as caught:
            Facts.read(broken)
        assert caught.value.reason == "facts"
