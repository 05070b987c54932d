# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was tried, judged: four verdicts, and findings that name the policy, the label, or the node."""

from __future__ import annotations

import copy
import typing as t
from collections.abc import Callable
from dataclasses import replace

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.flows.evaluate import Evaluator, Pod
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Facts, read_flows
from ansible_collections.enclii.platform.plugins.module_utils.flows.render import policies
from ansible_collections.enclii.platform.plugins.module_utils.probing import live, objects, plan, verdicts
from ansible_collections.enclii.platform.plugins.module_utils.probing.run import Outcome, Result, State

FACTS = Facts(
    api_server=(("10.0.0.1", 6443),),
    control_plane=("10.0.0.1",),
    nodes=("10.0.0.1",),
    dns={"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
    pod_networks=("10.244.0.0/16",),
)
SPACES = {"app": "enforce", "data": "enforce"}
DECLARED = [
    {"name": "sql", "from": {"namespace": "app"}, "to": {"namespace": "data"}, "port": 5432},
    {"name": "app-api", "from": {"namespace": "app"}, "to": "api-server", "port": 443},
]
SQL = "data/sql-server TCP 5432"
Obj = dict[str, t.Any]
Change = Callable[[dict[str, Obj]], None]


class World:
    """A design, policies as they are, and what connections come to: by default what those policies say."""

    def __init__(self, change: Change | None = None) -> None:
        flows = read_flows([], DECLARED, [])
        declared = live.by_name(policies(flows, SPACES, FACTS))
        there = copy.deepcopy(declared)
        if change:
            change(there)
        self.walls = verdicts.Walls(
            there, declared, Evaluator(there.values(), {}), Evaluator(declared.values(), {}), "10.0.0.1"
        )
        self.made = plan.design(flows, SPACES, FACTS, self.walls.declared_judge, outside="o")
        states = {
            one.key: State(
                f"p{number}",
                Pod(one.identity.namespace, objects.pod_labels("r", one, (True, True)), f"10.244.0.{number}"),
                f"w{number % 2 + 1}",
            )
            for number, one in enumerate(self.made.probers)
        }
        self.outcome = Outcome(states)
        for number, task in enumerate(self.made.tasks):
            target = states[task.aim.prober].pod if task.aim.prober else task.aim.pod or task.aim.address
            told = self.walls.live_judge.judge(states[task.source].pod, target, task.aim.port, task.aim.protocol)
            allowed = task.flow == plan.WITNESS or told.allowed
            gauge = "connected" if task.aim.prober else ""
            self.outcome.results[number] = Result("connected" if allowed else "refused", 1.0, gauge=gauge)

    def set(self, source: str, place: str, outcome: str, *, gauge: str = "connected", note: str = "") -> None:
        for number, task in enumerate(self.made.tasks):
            if task.source == source and task.aim.place == place:
                self.outcome.results[number] = Result(outcome, 1.0, note, gauge=gauge if task.aim.prober else "")

    def judged(self) -> dict[tuple[str, str], verdicts.Verdict]:
        found = verdicts.judge_all(self.made, self.outcome, self.walls)
        return {(self.made.tasks[one.number].source, self.made.tasks[one.number].aim.place): one for one in found}

    def wrong(self) -> dict[tuple[str, str], verdicts.Verdict]:
        return {pair: one for pair, one in self.judged().items() if one.verdict != "ok"}

    def findings(self) -> list[str]:
        return verdicts.findings(self.made, verdicts.judge_all(self.made, self.outcome, self.walls))


def test_all_as_declared_is_a_pass() -> None:
    world = World()
    assert world.wrong() == {}
    assert verdicts.overall(list(world.judged().values())) == "PASS"
    assert world.findings() == []
    assert not any("metadata" in place for _source, place in world.judged())


# Each opens one side alone.


def way_in(there: dict[str, Obj]) -> None:
    about = {"namespace": "data", "name": "too-wide"}
    there["data/too-wide"] = {"metadata": about, "spec": {"podSelector": {}, "ingress": [{}]}}


def way_out(there: dict[str, Obj]) -> None:
    about = {"namespace": "app", "name": "way-out"}
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}
    there["app/way-out"] = {"metadata": about, "spec": spec}


def no_deny(there: dict[str, Obj]) -> None:
    del there["data/default-deny"]


def widened_in(there: dict[str, Obj]) -> None:
    there["data/flow-sql-to"]["spec"]["ingress"] = [{"ports": [{"port": 5432, "protocol": "TCP"}]}]


def widened_out(there: dict[str, Obj]) -> None:
    there["app/flow-sql-from"]["spec"]["egress"] = [{}]


STRANGER, OUTSIDE = plan.OUTSIDER, f"{plan.OUTSIDER} TCP 8080"
EXTRA, CHANGED = "which is none of the walls'", "which differs from what the flows say"


@pytest.mark.parametrize(
    ("change", "pair", "why"),
    [
        (way_in, (STRANGER, SQL), f"the ingress is opened by NetworkPolicy data/too-wide, {EXTRA}"),
        (way_in, (STRANGER, "data/bare TCP 8080"), f"the ingress is opened by NetworkPolicy data/too-wide, {EXTRA}"),
        (way_out, ("app/bare", OUTSIDE), f"the egress is opened by NetworkPolicy app/way-out, {EXTRA}"),
        (widened_in, (STRANGER, SQL), f"the ingress is opened by NetworkPolicy data/flow-sql-to, {CHANGED}"),
        (widened_out, ("app/sql-client", OUTSIDE), f"the egress is opened by NetworkPolicy app/flow-sql-from, {CHANGED}"),
        (no_deny, (STRANGER, "data/bare TCP 8080"),
         "no policy isolates the ingress of namespace data: NetworkPolicy data/default-deny is missing"),
    ],
)  # fmt: skip
def test_a_hole_on_one_side_is_named(change: Change, pair: tuple[str, str], why: str) -> None:
    world = World(change)
    wrong = world.wrong()
    assert (wrong[pair].verdict, wrong[pair].why) == ("open", why)
    assert verdicts.overall(list(wrong.values())) == "FAIL"
    # nothing else than what the stranger does, or is done to it: the other side holds
    told = {(source, place.partition(" ")[0]) for source, place in wrong if "/" in place}
    assert all(STRANGER in one for one in told)


def both(there: dict[str, Obj]) -> None:
    way_in(there)
    about = {"namespace": "app", "name": "way-out"}
    there["app/way-out"] = {"metadata": about, "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}}


def test_a_hole_on_both_sides_is_named_with_both() -> None:
    one = World(both).wrong()["app/bare", SQL]
    assert one.verdict == "open"
    assert f"egress is opened by NetworkPolicy app/way-out, {EXTRA}" in one.why
    assert f"ingress is opened by NetworkPolicy data/too-wide, {EXTRA}" in one.why


@pytest.mark.parametrize(
    ("change", "severity", "told"),
    [
        (way_in, "notice", "NetworkPolicy data/too-wide is none of the walls': "),
        (way_out, "notice", "NetworkPolicy app/way-out is none of the walls': "),
        (widened_in, "differs", "NetworkPolicy data/flow-sql-to is not what the flows say: "),
        (widened_out, "differs", "NetworkPolicy app/flow-sql-from is not what the flows say: "),
        (no_deny, "differs", "NetworkPolicy data/default-deny is missing: "),
    ],
)
def test_policies_that_are_not_as_declared_are_named(change: Change, severity: str, told: str) -> None:
    """Even where no pair that is tried meets them."""
    ((found, text),) = verdicts.strange(SPACES, World(change).walls)
    assert (found, text.startswith(told)) == (severity, True)
    assert verdicts.overall([verdicts.Verdict(0, "ok")], [found]) == ("PASS" if severity == "notice" else "FAIL")


def test_policies_as_declared_and_those_of_others_are_nothing_strange() -> None:
    def change(there: dict[str, Obj]) -> None:
        there["kube-system/x"] = {"metadata": {"namespace": "kube-system", "name": "x"}, "spec": {"podSelector": {}}}

    assert verdicts.strange(SPACES, World(change).walls) == []


def test_a_network_that_does_not_enforce_is_named_with_its_node() -> None:
    world = World()
    world.set("app/bare", "data/bare TCP 8080", "connected")
    one = world.wrong()["app/bare", "data/bare TCP 8080"]
    assert one.verdict == "open"
    source, target = (world.outcome.states[key].node for key in ("app/bare", "data/bare"))
    assert f"the policies deny the egress of pods on node {source} and the ingress of pods on node {target}" in one.why
    assert "the network does not enforce them there" in one.why


def test_a_policy_that_is_missing_closes_by_name() -> None:
    one = World(lambda there: there.__delitem__("data/flow-sql-to")).wrong()["app/sql-client", SQL]
    assert one.verdict == "closed"
    assert "the ingress in namespace data is closed by NetworkPolicy data/default-deny" in one.why
    assert "NetworkPolicy data/flow-sql-to is missing" in one.why


def test_dns_that_is_cut_off_is_named() -> None:
    def change(there: dict[str, Obj]) -> None:
        about = {"namespace": "kube-system", "name": "lock"}
        there["kube-system/lock"] = {
            "metadata": about,
            "spec": {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}},
        }

    world = World(change)
    one = world.wrong()["app/bare", "cluster DNS UDP 53"]
    assert (one.verdict, one.why) == (
        "closed",
        "the ingress in namespace kube-system is closed by NetworkPolicy kube-system/lock",
    )
    assert world.findings()[0].startswith("closed: ")


def test_a_denial_counts_only_where_the_target_is_proved_alive() -> None:
    world = World()
    for task in world.made.tasks:
        if task.aim.place == "data/bare TCP 8080":
            world.set(task.source, task.aim.place, "refused")
    assert {one.verdict for (_source, place), one in world.judged().items() if place == "data/bare TCP 8080"} == {
        "unknown"
    }
    world.set("app/witness", "data/bare TCP 8080", "connected")
    assert world.wrong() == {}


def test_a_denial_counts_only_where_the_network_knows_both_pods() -> None:
    world = World()
    world.set("app/bare", SQL, "refused", gauge="timeout")
    one = world.wrong()["app/bare", SQL]
    assert one.verdict == "unknown"
    assert "had not learned of both pods" in one.why


def test_two_nodes_between_which_nothing_gets_through_are_named() -> None:
    """A missing route is no policy: it is told by the nodes, once, however many pairs it concerns."""
    world = World()
    states = world.outcome.states
    witness = states["app/witness"].node
    ends = ("w2", "w1") if witness == "w1" else ("w1", "w2")
    for number, task in enumerate(world.made.tasks):
        if (
            task.aim.prober
            and task.source in states
            and (states[task.source].node, states[task.aim.prober].node) == ends
        ):
            world.outcome.results[number] = Result("timeout", 1.0, gauge="timeout")
    (found,) = [one for one in world.findings() if "did not open it" in one]
    assert (
        f"nothing else of this run got from node {ends[0]} to node {ends[1]}: see whether the network carries" in found
    )


@pytest.mark.parametrize(
    ("outcome", "gauge", "verdict"),
    [("timeout", "connected", "closed"), ("timeout", "timeout", "unknown"), ("error", "connected", "unknown")],
)
def test_open_by_policy_and_not_reached(outcome: str, gauge: str, verdict: str) -> None:
    world = World()
    note = "somebody else answered" if outcome == "error" else ""
    world.set("app/sql-client", SQL, outcome, gauge=gauge, note=note)
    assert world.wrong()["app/sql-client", SQL].verdict == verdict


def test_nobody_reaches_the_api_server() -> None:
    world = World()
    for task in world.made.tasks:
        if task.aim.kind == "api":
            world.set(task.source, task.aim.place, "timeout")
    api = {source: one.verdict for (source, place), one in world.judged().items() if place.startswith("API")}
    assert (api["app/app-api-client"], api["app/bare"]) == ("closed", "unknown")


def test_what_the_api_server_does_not_reach_is_closed_by_name() -> None:
    world = World(lambda there: there.__delitem__("data/flow-sql-to"))
    aim = next(task.aim for task in world.made.tasks if task.aim.place == SQL)
    number = len(world.made.tasks)
    world.made = replace(world.made, tasks=(*world.made.tasks, plan.Task(plan.API_SERVER, aim, True, "sql")))
    world.outcome.results[number] = Result("refused", 1.0)
    one = world.judged()[plan.API_SERVER, SQL]
    assert (one.verdict, one.why) == (
        "closed",
        "the ingress in namespace data is closed by NetworkPolicy data/default-deny",
    )
    world.outcome.results[number] = Result("connected", 1.0)
    assert world.judged()[plan.API_SERVER, SQL].verdict == "ok"
    world.outcome.moot.add(number)
    assert (plan.API_SERVER, SQL) not in world.judged()


def test_dns_that_answers_wrongly_is_closed() -> None:
    world = World()
    world.set("app/bare", "cluster DNS UDP 53", "dns-failed", note="rcode 2")
    one = world.wrong()["app/bare", "cluster DNS UDP 53"]
    assert one.verdict == "closed"
    assert "rcode 2" in one.why


def test_the_metadata_address_is_told_where_it_is_reached() -> None:
    world = World()
    world.set("app/bare", "metadata address TCP 80", "connected")
    assert world.wrong()["app/bare", "metadata address TCP 80"].verdict == "open"


def test_what_was_not_tried_is_unknown() -> None:
    world = World()
    number = next(number for number, task in enumerate(world.made.tasks) if task.source == "app/bare")
    del world.outcome.results[number]
    world.outcome.skipped[number] = "its probe pod does not run: no room"
    (one,) = world.wrong().values()
    assert (one.verdict, one.why) == ("unknown", "its probe pod does not run: no room")
    assert verdicts.overall(list(world.judged().values())) == "UNKNOWN"


def test_nothing_tried_is_no_pass() -> None:
    assert verdicts.overall([]) == "UNKNOWN"
    assert verdicts.overall([verdicts.Verdict(0, "ok")], ["open"]) == "FAIL"
    assert verdicts.overall([verdicts.Verdict(0, "ok")], ["notice"]) == "PASS"


def test_findings_are_one_for_each_cause_with_the_holes_first() -> None:
    world = World(lambda there: there.__delitem__("data/flow-sql-to"))
    world.set("app/bare", "data/bare TCP 8080", "connected")
    world.outcome.results.pop(next(iter(world.outcome.results)))
    told = world.findings()
    assert [text.partition(":")[0] for text in told] == ["open", "closed", "unknown"]
    assert "1 pair is open and not declared: app/bare to data/bare TCP 8080" in told[0]


def test_policies_are_compared_by_what_they_say() -> None:
    one = {"spec": {"podSelector": {}, "policyTypes": ["Egress", "Ingress"], "egress": [{"to": [{"a": 1}, {"b": 2}]}]}}
    same = {"spec": {"egress": [{"to": [{"b": 2}, {"a": 1}]}], "policyTypes": ["Ingress", "Egress"], "ingress": []}}
    assert verdicts._shape(one) == verdicts._shape(same)
    assert verdicts._shape({"spec": {"podSelector": {}}}) == verdicts._shape({"spec": {"policyTypes": ["Ingress"]}})


# -- labels ------------------------------------------------------------------------------------

COMPONENTS = [
    {
        "name": "database",
        "namespace": "data",
        "state": "present",
        "flows": [{"name": "sql", "from": {"namespace": "app"}, "to": "database", "port": 5432},
                  {"name": "db-api", "from": "database", "to": "api-server", "port": 443}],
    }
]  # fmt: skip


def test_a_component_whose_pods_lack_the_label_is_named() -> None:
    flows = read_flows(COMPONENTS, [], [])
    told = dict(
        verdicts.missing_labels(flows, COMPONENTS, [Pod("data", {"app": "pg"}), Pod("app", {flows[1].label: "server"})])
    )
    assert "no running pod of database in namespace data carries the label flow.enclii.dev/sql=server" in told["closed"]
    assert "flow.enclii.dev/db-api=client" in told["notice"]
    right = [Pod("data", {"flow.enclii.dev/sql": "server", "flow.enclii.dev/db-api": "client"})]
    assert verdicts.missing_labels(flows, COMPONENTS, right) == []


def test_a_namespace_without_its_label_is_named() -> None:
    there = {"app": {"enclii.dev/walls": "observe"}, "data": {}}
    told = [text for _severity, text in verdicts.unlabelled(SPACES, there)]
    assert told[0].startswith("namespace app has the label enclii.dev/walls=observe, and it is declared enforce")
    assert told[1].startswith("namespace data lacks the label enclii.dev/walls")
    assert verdicts.unlabelled({"app": "observe"}, there) == []
