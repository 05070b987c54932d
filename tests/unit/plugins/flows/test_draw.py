# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of flows, and that the one in docs/flows.md is of the flows there are."""

from __future__ import annotations

import re
import sys

import pytest
import yaml
from ansible.errors import AnsibleFilterError

import house
from ansible_collections.enclii.platform.plugins.filter.flow_picture import flow_picture
from ansible_collections.enclii.platform.plugins.filter.flow_policies import flow_policies
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import read_flows

sys.path.insert(0, str(house.ROOT / "tools"))

import flow_docs

COMPONENTS = [{"name": "database", "namespace": "data", "state": "present", "flows": []}]
DECLARED = [
    {"name": "sql", "from": "environments", "to": "database", "port": 5432},
    {"name": "copy", "from": "database", "to": "database", "ports": [5433, {"port": 53, "protocol": "UDP"}]},
    {"name": "api", "from": "database", "to": "api-server", "port": 443},
    {
        "name": "out",
        "from": {"namespace": "data"},
        "to": {"cidrs": ["0.0.0.0/0"], "except": ["10.0.0.0/8"]},
        "port": 443,
    },
]
PICTURE = """flowchart LR
  cidrs_0_0_0_0_0{{"0.0.0.0/0<br/>except 10.0.0.0/8, 169.254.169.254/32"}}
  pods_data["data"]
  pods_database["database<br/>data"]
  pods_environments["environments<br/>a, b"]
  the_api_server(["API server"])
  pods_database -- "api<br/>TCP, its own port" --> the_api_server
  pods_database -- "copy<br/>TCP 5433, UDP 53" --> pods_database
  pods_data -- "out<br/>TCP 443" --> cidrs_0_0_0_0_0
  pods_environments -- "sql<br/>TCP 5432" --> pods_database
"""


def test_a_picture() -> None:
    assert flow_picture(COMPONENTS, DECLARED, ["a", "b"]) == PICTURE
    assert flow_picture(COMPONENTS, list(reversed(DECLARED)), ["a", "b"]) == PICTURE
    assert flow_picture([]) == "flowchart LR\n"


def test_what_is_not_the_same_is_not_one_node() -> None:
    components = [{"name": "storage", "namespace": "enclii-nodes", "state": "present", "flows": []}]
    sides = ["storage", {"namespace": "storage"}, {"namespace": "p"}, {"namespace": "p", "pods": {"app": "db", "a": "b"}},
             {"namespaces": ["a", "b"]}, {"namespace": "a-b"}]  # fmt: skip
    declared = [{"name": f"f{number}", "from": side, "to": "any", "port": 1} for number, side in enumerate(sides)]
    told = flow_picture(components, declared)
    nodes = dict(re.findall(r"^  (\w+)\[\"(.*?)\"\]$", told, re.MULTILINE))
    assert set(nodes.values()) == {"storage<br/>enclii-nodes", "storage", "p", "p<br/>a=b<br/>app=db", "a, b", "a-b"}
    starts = re.findall(r"^  (\w+) -- \"(f\d)", told, re.MULTILINE)
    assert len({name for name, _flow in starts}) == len(sides)
    assert nodes[next(name for name, flow in starts if flow == "f3")] == "p<br/>a=b<br/>app=db"
    # the order in which they are declared changes nothing
    assert flow_picture(components, list(reversed(declared))) == told


def test_the_picture_in_the_docs_is_of_these_flows() -> None:
    """tools/flow_docs.py writes it."""
    assert flow_docs.page() == flow_docs.PAGE.read_text(encoding="utf-8")


def test_the_flows_in_the_docs_are_flows() -> None:
    text = flow_docs.PAGE.read_text(encoding="utf-8")
    examples = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    declared = [one for example in examples for one in example["enclii_flows"]]
    declared += [yaml.safe_load(line) for line in re.findall(r"`(\{name: .*?\})`", text)]
    assert len(read_flows([], declared, ["enclii-dev"])) == len(declared) == 4


def test_filters_tell_what_is_wrong() -> None:
    broken = [{"name": "sql", "from": "nobody", "to": "database", "port": 5432}]
    network = {"api_server": [], "control_plane": [], "nodes": [], "dns": {}}
    with pytest.raises(AnsibleFilterError, match="Flow sql of the inventory: from is 'nobody'"):
        flow_picture(COMPONENTS, broken)
    with pytest.raises(AnsibleFilterError, match="Flow sql of the inventory: from is 'nobody'"):
        flow_policies(COMPONENTS, broken, [], {}, network)
    with pytest.raises(AnsibleFilterError, match="default/kubernetes"):
        flow_policies(COMPONENTS, DECLARED[2:3], [], {"data": "enforce"}, network, ["192.0.2.53"])
    found = flow_policies(COMPONENTS, DECLARED[:1], ["a"], {"data": "enforce"}, network, ["192.0.2.53"])
    assert [one["metadata"]["name"] for one in found] == ["flow-sql-to", "allow-dns", "default-deny"]
