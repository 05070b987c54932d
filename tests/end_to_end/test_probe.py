# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B2 on a real cluster: walls that hold pass, every hole made on purpose is found by name, and nothing of a probe stays."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from labrun import PLAYBOOK, LabRun, kill_all
from walled import Walled

from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError
from ansible_collections.enclii.platform.plugins.module_utils.probing.arguments import IMAGE

SPACES = {"b-app": "enforce", "b-data": "enforce"}
FLOWS = [
    {"name": "b-sql", "from": {"namespace": "b-app"}, "to": {"namespace": "b-data"}, "port": 5432},
    {"name": "b-stat", "from": {"namespace": "b-app"}, "to": {"namespace": "b-data"}, "port": 53, "protocol": "UDP"},
    {"name": "b-copy", "from": {"namespace": "b-data"}, "to": {"namespace": "b-data"}, "port": 7000},
    {"name": "b-api", "from": {"namespace": "b-app"}, "to": "api-server", "port": 443},
]
ROUTER = ("-n", "kube-system", "daemonset/kube-router")
# The tests before have to do with a few pairs only, each of which says what the whole would.
FEW = {"sources": ["b-app/bare", "b-app/b-sql-client"], "targets": ["b-data/b-sql-server", "b-data/bare"]}
STRANGER = "outside/stranger"
# With somebody whom nothing holds: a hole on one side shows only there.
AND_OUTSIDE = {name: [*listed, STRANGER] for name, listed in FEW.items()}
WAY_OUT = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}
METADATA = "169.254.169.254"
Obj = dict[str, t.Any]


def policy(space: str, name: str, spec: Obj) -> Obj:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": space},
        "spec": spec,
    }


def python(space: str, name: str, labels: Obj, *words: str, **more: t.Any) -> Obj:
    """A pod that runs Python, as strict as its namespace asks for."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "python",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", *words],
                    "workingDir": "/tmp",
                    **more,
                    "resources": {
                        "requests": {"cpu": "5m", "memory": "24Mi"},
                        "limits": {"cpu": "250m", "memory": "64Mi"},
                    },
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def server(name: str, labels: Obj, port: int) -> Obj:
    """A pod that really listens."""
    reached = {"tcpSocket": {"port": port}}
    return python(
        "b-data", name, labels, "-m", "http.server", str(port),
        readinessProbe={**reached, "periodSeconds": 1}, livenessProbe={**reached, "periodSeconds": 10},
    )  # fmt: skip


@pytest.fixture(scope="module")
def raised(cluster: LabRun) -> t.Iterator[Walled]:
    walled = Walled(cluster, SPACES, FLOWS)
    walled.raise_walls()
    yield walled
    walled.pull_down()


@pytest.fixture
def walled(raised: Walled) -> t.Iterator[Walled]:
    yield raised
    raised.restore()
    assert raised.left() == []


def pairs(told: Obj, verdict: str) -> set[tuple[str, str]]:
    return {(one["source"], one["target"]) for one in told["pairs"] if one["verdict"] == verdict}


def test_check_mode_tells_the_matrix_and_makes_nothing(walled: Walled) -> None:
    told = walled.probe(check=True)
    assert told["plan"]["pairs"] == len(told["pairs"]) > 50
    assert "verdict" not in told
    assert walled.left() == []


def test_walls_that_hold_pass(walled: Walled) -> None:
    told = walled.probe()
    assert told["findings"] == []
    assert told["verdict"] == "PASS", told["findings"]
    assert told["counts"]["ok"] == told["figures"]["pairs"] > 50
    tried = {(one["kind"], one["protocol"], one["expected"]) for one in told["pairs"]}
    assert {("probe", "TCP", "open"), ("probe", "UDP", "open"), ("probe", "UDP", "closed"), ("dns", "UDP", "open"),
            ("dns", "TCP", "open"), ("api", "TCP", "open"), ("api", "TCP", "closed")} <= tried  # fmt: skip
    assert all(one["outcome"] == "connected" for one in told["pairs"] if one["expected"] == "open")


@pytest.mark.parametrize(
    ("name", "spec", "opened"),
    [
        ("b-data/helpful", {"podSelector": {}, "ingress": [{}]},
         {(STRANGER, "b-data/b-sql-server"), (STRANGER, "b-data/bare")}),
        ("b-app/way-out", WAY_OUT, {("b-app/bare", STRANGER), ("b-app/b-sql-client", STRANGER)}),
    ],
)  # fmt: skip
def test_a_policy_that_is_too_wide_is_named(walled: Walled, name: str, spec: Obj, opened: set[tuple[str, str]]) -> None:
    """One side alone: with any of these the other one still holds all that walls hold."""
    walled.apply(policy(*name.split("/"), spec))
    told = walled.probe(**AND_OUTSIDE)
    assert told["verdict"] == "FAIL", told["findings"]
    assert pairs(told, "open") == opened
    (finding,) = told["findings"]
    assert f"is opened by NetworkPolicy {name}, which is none of the walls'" in finding
    assert [one for one in told["notices"] if one.startswith(f"NetworkPolicy {name} is none of the walls'")]


def test_a_policy_of_the_walls_that_was_widened_is_named(walled: Walled) -> None:
    (found,) = [one for one in walled.policies if one["metadata"]["name"] == "flow-b-sql-to"]
    wide = copy.deepcopy(found)
    wide["spec"]["ingress"] = [{"ports": [{"port": 5432, "protocol": "TCP"}]}]
    walled.lab.kubectl("replace", "-f", "-", given=json.dumps(wide))
    told = walled.probe(**AND_OUTSIDE)
    walled.lab.kubectl("delete", "networkpolicy", "flow-b-sql-to", "-n", "b-data")
    assert pairs(told, "open") == {(STRANGER, "b-data/b-sql-server")}
    hole, differs = told["findings"]
    assert "NetworkPolicy b-data/flow-b-sql-to, which differs from what the flows say" in hole
    assert differs.startswith("differs: NetworkPolicy b-data/flow-b-sql-to is not what the flows say")


def test_a_namespace_without_default_deny_is_named(walled: Walled) -> None:
    walled.lab.kubectl("delete", "networkpolicy", "default-deny", "-n", "b-data")
    told = walled.probe(**AND_OUTSIDE)
    assert pairs(told, "open") == {(STRANGER, "b-data/bare")}
    hole, differs = told["findings"]
    assert "no policy isolates the ingress of namespace b-data: NetworkPolicy b-data/default-deny is missing" in hole
    assert differs.startswith("differs: NetworkPolicy b-data/default-deny is missing")


@pytest.fixture
def metadata(cluster: LabRun) -> t.Iterator[None]:
    """What a cloud has for its machines: an address that every node leads to, here on the control plane's."""
    listens = (
        f"systemd-run --unit=b-metadata --collect python3 -m http.server 80 --bind {METADATA} --directory /var/empty"
    )
    try:
        cluster.on("cp-1", f"mkdir -p /var/empty && ip address add {METADATA}/32 dev lo && {listens}")
        for node in cluster.workers:
            cluster.on(node, f"ip route replace {METADATA}/32 via {cluster.address('cp-1')}")
        yield
    finally:
        for node in cluster.workers:
            cluster.on(node, f"ip route del {METADATA}/32", check=False)
        cluster.on("cp-1", f"systemctl stop b-metadata; ip address del {METADATA}/32 dev lo", check=False)


@pytest.fixture
def outward(cluster: LabRun) -> t.Iterator[tuple[Walled, str]]:
    """Namespaces with flows to the outside, and an address there at which somebody answers: the lab's registry."""
    address = cluster.lab.address(3)
    flows = [
        {"name": "b-registry", "from": {"namespace": "b-out"}, "to": {"cidrs": [f"{address}/32"]}, "port": 5000},
        {"name": "b-web", "from": {"namespace": "b-out"}, "to": "any", "port": 80},
    ]
    walled = Walled(cluster, {"b-out": "enforce", "b-eye": "observe"}, flows)
    walled.raise_walls()
    yield walled, address
    walled.pull_down()


@pytest.mark.usefixtures("metadata")
def test_outside_what_is_declared_is_open_and_nothing_else(outward: tuple[Walled, str]) -> None:
    walled, address = outward
    some = {"sources": ["b-out", "b-eye"], "targets": ["address *", "metadata address", STRANGER]}
    # who is only observed reaches the metadata address: it is there, and nothing else is in the way
    reach = f"import socket; socket.create_connection(('{METADATA}', 80), 9)"
    walled.lab.until("the account", lambda: walled.lab.kubectl("get", "sa", "default", "-n", "b-eye", check=False))
    walled.apply(python("b-eye", "eye", {}, "-c", reach))
    walled.lab.kubectl("wait", "-n", "b-eye", "pod/eye", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    told = walled.probe(**some)
    assert (told["verdict"], told["findings"]) == ("PASS", [])
    there = f"address {address}"
    seen = {(one["source"], one["target"], one["port"]): one["outcome"] == "connected" for one in told["pairs"]}
    assert seen["b-out/b-registry-client", there, 5000]
    assert not seen["b-out/b-web-client", there, 5000]
    assert not seen["b-out/bare", there, 5000]
    assert seen["b-out/b-web-client", STRANGER, 80]
    assert not seen["b-out/b-web-client", STRANGER, 8080]
    assert not seen["b-out/bare", STRANGER, 80]
    assert seen["b-eye/bare", there, 5000]
    assert not [one for one in told["pairs"] if one["kind"] == "metadata"]
    # and with a hole those who are held reach it, too
    walled.apply(policy("b-out", "way-out", WAY_OUT))
    told = walled.probe(**some)
    assert {("b-out/bare", there), ("b-out/bare", "metadata address"), ("b-out/b-web-client", "metadata address"),
            ("b-out/bare", STRANGER)} <= pairs(told, "open")  # fmt: skip
    assert not [one for one in pairs(told, "open") if one[0].startswith("b-eye/")]
    assert all("the egress is opened by NetworkPolicy b-out/way-out" in one for one in told["findings"])
    assert walled.left() == []


def test_a_policy_that_is_missing_closes_by_name(walled: Walled) -> None:
    walled.lab.kubectl("delete", "networkpolicy", "flow-b-sql-to", "-n", "b-data")
    told = walled.probe(**FEW)
    assert pairs(told, "closed") == {("b-app/b-sql-client", "b-data/b-sql-server")}
    assert "closed by NetworkPolicy b-data/default-deny" in told["findings"][0]
    assert "NetworkPolicy b-data/flow-b-sql-to is missing" in told["findings"][0]


def test_a_namespace_without_its_label_is_named(walled: Walled) -> None:
    walled.lab.kubectl("label", "namespace", "b-data", "enclii.dev/walls-")
    try:
        told = walled.probe(**FEW)
    finally:
        walled.lab.kubectl("label", "namespace", "b-data", "enclii.dev/walls=enforce")
    assert told["verdict"] == "FAIL", told["findings"]
    assert told["findings"] == [
        "open: namespace b-data lacks the label enclii.dev/walls, and it is declared enforce: run the platform's playbook"
    ]


def test_real_servers_are_tried_and_their_missing_label_is_named(walled: Walled) -> None:
    component = {"name": "b_shop", "namespace": "b-data", "state": "present",
                 "flows": [{"name": "b-shop", "from": {"namespace": "b-app"}, "to": "b_shop", "port": 8000}]}  # fmt: skip
    label = "flow.enclii.dev/b-shop"
    walled.apply(*walled.with_flows_of(component), server("shop-0", {label: "server", "app": "shop"}, 8000))
    walled.lab.kubectl("wait", "-n", "b-data", "pod/shop-0", "--for=condition=Ready", "--timeout=60s")
    some = {"sources": ["b-app/bare", "b-app/b-shop-client"], "targets": ["b-data/shop-0"], "components": [component]}
    try:
        told = walled.probe(**some)
        assert told["verdict"] == "PASS", told["findings"]
        verdicts = {
            one["source"]: (one["kind"], one["target"], one["expected"], one["verdict"]) for one in told["pairs"]
        }
        assert verdicts == {
            "b-app/b-shop-client": ("server", "pod b-data/shop-0", "open", "ok"),
            "b-app/bare": ("server", "pod b-data/shop-0", "closed", "ok"),
        }
        # nobody who may reach it is tried: that the others do not proves nothing
        alone = walled.probe(**{**some, "sources": ["b-app/bare"]})
        assert (alone["verdict"], alone["counts"]["unknown"]) == ("UNKNOWN", 1)
        walled.lab.kubectl("label", "pod", "shop-0", "-n", "b-data", f"{label}-")
        told = walled.probe(**{**some, "targets": ["b-data/b-shop-server"]})
        assert told["verdict"] == "FAIL", told["findings"]
        assert f"no running pod of b_shop in namespace b-data carries the label {label}=server" in told["findings"][-1]
    finally:
        walled.lab.kubectl("delete", "pod", "shop-0", "-n", "b-data", "--ignore-not-found")


@pytest.fixture
def dns_closed_to_probes(walled: Walled) -> t.Iterator[None]:
    """A policy that keeps nobody from the cluster's DNS but namespaces of rehearsals."""
    peer = {"namespaceSelector": {"matchExpressions": [{"key": "probe.enclii.dev/run", "operator": "DoesNotExist"}]}}
    spec = {
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [peer]}],
    }
    walled.apply(policy("kube-system", "b-no-dns-for-rehearsals", spec))
    yield
    walled.lab.kubectl("delete", "networkpolicy", "b-no-dns-for-rehearsals", "-n", "kube-system")


@pytest.mark.usefixtures("dns_closed_to_probes")
def test_a_rehearsal_finds_that_dns_would_be_cut_off(walled: Walled) -> None:
    with pytest.raises(KubeError) as caught:
        walled.probe(rehearse="b-app")
    assert "Rehearsal of namespace b-app" in str(caught.value)
    assert "closed by NetworkPolicy kube-system/b-no-dns-for-rehearsals" in str(caught.value)
    assert "cluster DNS UDP 53" in str(caught.value)


def test_a_rehearsal_passes_where_nothing_is_cut_off(walled: Walled) -> None:
    told = walled.probe(rehearse="b-app")
    assert told["verdict"] == "PASS", told["findings"]
    kinds = {(one["kind"], one["expected"]) for one in told["pairs"]}
    assert {("dns", "open"), ("api", "open"), ("api", "closed")} <= kinds
    assert all(space.startswith("enclii-rehearsal-") for space in told["plan"]["namespaces"])


def test_a_run_that_was_killed_leaves_what_the_next_one_takes_away(walled: Walled, tmp_path: Path) -> None:
    given = {name: value for name, value in walled.params().items() if value is not None}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"enclii.platform.network_probe": given}]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    argv = [str(PLAYBOOK), "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")]
    process = subprocess.Popen(
        argv, env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        walled.lab.until("probe pods", lambda: [one for one in walled.left() if one.startswith("pod/")], 90)
    finally:
        kill_all(process.pid)
        output = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, output.decode()
    assert walled.left()
    time.sleep(16)  # until its pulse stands still
    told = walled.probe(**FEW)
    assert told["verdict"] == "PASS", told["findings"]
    assert len(told["swept"]) == 1
    assert walled.left() == []


def flipped(lab: LabRun, on: bool) -> None:
    """Make kube-router enforce policies, or not, on all nodes."""
    found = lab.get(*ROUTER)["spec"]["template"]["spec"]["containers"][0]["args"]
    wanted = [f"--run-firewall={str(on).lower()}" if one.startswith("--run-firewall") else one for one in found]
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": wanted}]
    lab.kubectl("patch", *ROUTER, "--type=json", "-p", json.dumps(patch))
    lab.kubectl("rollout", "status", *ROUTER, "--timeout=240s")


def test_a_network_that_does_not_enforce_is_found_with_its_nodes(walled: Walled) -> None:
    flipped(walled.lab, False)
    try:
        told = walled.probe(**FEW)
    finally:
        flipped(walled.lab, True)
    assert told["verdict"] == "FAIL", told["findings"]
    assert {("b-app/bare", "b-data/b-sql-server"), ("b-app/bare", "b-data/bare")} <= pairs(told, "open")
    finding = told["findings"][0]
    assert "the network does not enforce them there" in finding
    assert any(f"on node {node}" in finding for node in walled.lab.workers)
    assert walled.probe(**FEW)["verdict"] == "PASS"


def test_the_walls_of_the_platform_pass_and_are_kept_as_evidence(cluster: LabRun, tmp_path: Path) -> None:
    cluster.playbook("platform").succeeded()
    before = set(cluster.kubectl("get", "evidence", "-n", "enclii-system", "-o", "name").split())
    planned = cluster.playbook("probe", "--check").succeeded()
    assert "Would try" in planned.output
    report = tmp_path / "walls.md"
    done = cluster.playbook("probe", "-e", f"baseline_probe_report={report}").succeeded()
    assert "PASS:" in done.output
    assert done.changed["localhost"] == 1  # the file of the report
    text = report.read_text(encoding="utf-8")
    assert text.startswith("# Walls of local: PASS\n")
    assert "None: every pair is as declared." in text
    assert "```mermaid\nflowchart LR\n" in text
    assert text.count("| ok |") > 100
    (made,) = set(cluster.kubectl("get", "evidence", "-n", "enclii-system", "-o", "name").split()) - before
    spec = cluster.get(made, "-n", "enclii-system")["spec"]
    assert (spec["kind"], spec["subject"], spec["verdict"], spec["findings"]) == ("network-probe", "walls", "PASS", [])
    assert spec["figures"]["pairs_ok"] == spec["figures"]["pairs"] > 100
