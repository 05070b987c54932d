# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B1 to B4 on a real cluster: walls from nothing to nothing, and a namespace with workloads that is observed, refused and enforced.

The tests stand in the order of the walls' life and share its cluster.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import typing as t

import pytest
from labrun import LabRun, Outcome

CANARY = f"canary-{secrets.token_hex(12)}"
SHOP = "c-shop"
COMPONENTS = ("storage", "cert_manager", "sealed_secrets", "metrics_server")
SPACES = ("cert-manager", "enclii-dev", "enclii-nodes", "enclii-system")
WALLS = (
    "networkpolicy,limitrange,resourcequota,priorityclass,validatingadmissionpolicy,validatingadmissionpolicybinding"
)
PURGE = [
    word
    for name in ("storage", "cert_manager", "sealed_secrets", "baseline")
    for word in ("-e", f"{name}_purge=local")
]  # fmt: skip
ASK = "python3 -c \"import urllib.request; urllib.request.urlopen('http://web', timeout=2)\" 2> /dev/null"
CALLER = {"flow.enclii.dev/shop-web": "client"}
SERVER = {"flow.enclii.dev/shop-web": "server"}


def platform(lab: LabRun, *arguments: str, **options: t.Any) -> Outcome:
    return lab.playbook("platform", *arguments, **options)


def changes(run: Outcome) -> int:
    return run.succeeded().changed["localhost"]


def walls(lab: LabRun) -> set[str]:
    """Names of everything the walls are made of."""
    # one policy stays for good, and matches nothing: API servers need it
    found = lab.kubectl("get", WALLS, "-A", "-o", "name").split()
    return {one for one in found if not one.endswith("/enclii-parameters")}


def labels_of(lab: LabRun, space: str) -> dict[str, str]:
    return t.cast("dict[str, str]", lab.get("namespace", space)["metadata"]["labels"])


def refusal(lab: LabRun, obj: dict[str, t.Any]) -> str:
    """What the API server says to an object that it is to refuse."""
    argv = [f"{lab.lab.paths['bin']}/kubectl", "--kubeconfig", str(lab.kubeconfig), "apply", "-f", "-"]
    done = subprocess.run(argv, text=True, input=json.dumps(obj), capture_output=True, check=False, timeout=60)
    assert done.returncode != 0, done.stdout
    return done.stderr


def shop(mode: str, *, declared: bool = False, **more: t.Any) -> tuple[str, str]:
    """The words that give namespace c-shop walls, or none of its own where no mode is given. declared: with its flow."""
    said: dict[str, t.Any] = {"baseline_namespaces": {SHOP: {"mode": mode, **more}} if mode else {}}
    if declared:
        flow = {"name": "shop-web", "from": {"namespace": SHOP}, "to": {"namespace": SHOP}, "port": 8080}
        said["enclii_flows"] = [flow]
    return "-e", json.dumps(said)


def deployment(name: str, *, right: bool, labels: dict[str, str], command: str) -> dict[str, t.Any]:
    """A workload as people write them, or as walls ask for."""
    container: dict[str, t.Any] = {
        "name": "main", "image": "docker.io/library/python:3.13-slim", "command": ["sh", "-c", command],
    }  # fmt: skip
    spec: dict[str, t.Any] = {"containers": [container], "terminationGracePeriodSeconds": 0}
    if right:
        container |= {
            "imagePullPolicy": "IfNotPresent",
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "readinessProbe": {"exec": {"command": ["true"]}},
            "livenessProbe": {"exec": {"command": ["true"]}},
        }
        spec["securityContext"] = {
            "runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"},
        }  # fmt: skip
    else:
        container["env"] = [{"name": "DB_PASSWORD", "value": CANARY}]
    app = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": SHOP},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": app}, "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": {**app, **labels}}, "spec": spec},
        },
    }  # fmt: skip


def service(name: str) -> dict[str, t.Any]:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SHOP},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }  # fmt: skip


def deploy(lab: LabRun, *, right: bool) -> None:
    """Server `web` behind a Service, and `caller`, that asks it every second and counts what it gets."""
    serve = "mkdir -p /tmp/www && exec python3 -m http.server 8080 -d /tmp/www"
    ask = f"while :; do {ASK} && echo got || echo missed; sleep 1; done"
    made = [
        deployment("web", right=right, labels=SERVER if right else {}, command=serve),
        deployment("caller", right=right, labels=CALLER if right else {}, command=ask),
        service("web"),
    ]
    for one in made:
        lab.kubectl("apply", "-f", "-", given=json.dumps(one))
    for name in ("web", "caller"):
        lab.kubectl("rollout", "status", f"deployment/{name}", "-n", SHOP, "--timeout=120s")


def answers(lab: LabRun, seconds: int = 8) -> list[str]:
    """What the caller got lately."""
    lines = lab.kubectl("logs", "-n", SHOP, "deployment/caller", f"--since={seconds}s").split()
    return [one for one in lines if one in ("got", "missed")]


# -- from nothing --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def before(cluster: LabRun) -> set[str]:
    """The walls of a cluster without the platform: none."""
    cluster.playbook("uninstall", "-e", "enclii_uninstall=local", *PURGE).succeeded()
    cluster.kubectl("delete", "namespace", SHOP, "--ignore-not-found")
    return walls(cluster)


def test_check_mode_on_an_empty_cluster_is_honest(cluster: LabRun, before: set[str]) -> None:
    run = platform(cluster, "--check", "--diff")
    assert changes(run) > 0
    for words in ("+  name: default-deny", "+kind: ResourceQuota", "+  name: enclii-workloads-enforce"):
        assert words in run.output, words
    assert walls(cluster) ^ before == set()


def test_killed_half_way_and_run_again(cluster: LabRun, before: set[str]) -> None:
    assert platform(cluster, kill_at=("Apply the component's objects", 0.3)).rc < 0
    platform(cluster).succeeded()
    assert changes(platform(cluster)) == 0
    assert changes(platform(cluster, "--check", "--diff")) == 0
    cluster.playbook("verify").succeeded()


@pytest.mark.parametrize("space", SPACES)
def test_everything_runs_inside_enforced_walls(cluster: LabRun, space: str) -> None:
    labels = labels_of(cluster, space)
    assert labels["enclii.dev/walls"] == "enforce"
    level = "privileged" if space == "enclii-nodes" else "restricted"
    assert labels["pod-security.kubernetes.io/enforce"] == level
    policies = {one["metadata"]["name"]: one["spec"] for one in cluster.get("networkpolicy", "-n", space)["items"]}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert "allow-dns" in policies
    for pod in cluster.get("pods", "-n", space)["items"]:
        assert pod["status"]["phase"] in ("Running", "Succeeded"), pod["metadata"]["name"]
        assert pod["spec"]["priority"] > 0, pod["metadata"]["name"]


def test_what_is_kubernetes_own_is_untouched(cluster: LabRun) -> None:
    for space in ("default", "kube-system", "kube-public", "kube-node-lease"):
        assert set(labels_of(cluster, space)) == {"kubernetes.io/metadata.name"}, space
        assert not cluster.kubectl("get", "networkpolicy,limitrange,resourcequota", "-n", space, "-o", "name")


def test_environments_have_figures_and_classes(cluster: LabRun) -> None:
    hard = cluster.get("resourcequota", "-n", "enclii-dev", "enclii-quota")["spec"]["hard"]
    assert hard["services.nodeports"] == "0"
    limits = cluster.get("limitrange", "-n", "enclii-dev", "enclii-limits")["spec"]["limits"]
    assert limits[0]["type"] == "Container"
    classes = {one["metadata"]["name"]: one["value"] for one in cluster.get("priorityclass")["items"]}
    wanted = {"enclii-critical": 1000000, "enclii-data": 500000, "enclii-platform": 100000, "enclii-batch": -100}
    assert wanted.items() <= classes.items()


def test_each_component_comes_with_its_walls(cluster: LabRun) -> None:
    """Whatever tag is asked for: nothing runs before the walls around it stand."""
    cluster.kubectl("delete", "networkpolicy", "-n", "enclii-system", "default-deny")
    assert changes(platform(cluster, "--tags", "metrics_server", "--check")) == 1
    assert changes(platform(cluster, "--tags", "metrics_server")) == 1
    assert "default-deny" in cluster.kubectl("get", "networkpolicy", "-n", "enclii-system", "-o", "name")


@pytest.mark.parametrize(
    "words",
    [
        ("delete", "networkpolicy", "-n", "cert-manager", "default-deny"),
        ("label", "namespace", "enclii-dev", "pod-security.kubernetes.io/enforce-"),
        ("delete", "validatingadmissionpolicybinding", "enclii-workloads-enforce"),
        ("delete", "resourcequota", "-n", "enclii-dev", "enclii-quota"),
    ],
    ids=lambda words: words[-1],
)
def test_a_hole_made_by_hand_is_closed_again(cluster: LabRun, words: tuple[str, ...]) -> None:
    cluster.kubectl(*words)
    assert changes(platform(cluster, "--check")) == 1
    assert changes(platform(cluster)) == 1
    assert changes(platform(cluster)) == 0


# -- a namespace that has workloads already ------------------------------------------------------


def test_a_namespace_that_was_never_observed_is_not_enforced(cluster: LabRun) -> None:
    cluster.kubectl("create", "namespace", SHOP)
    deploy(cluster, right=False)
    was = walls(cluster)
    run = platform(cluster, *shop("enforce"))
    assert run.rc != 0
    assert run.changed["localhost"] == 0
    assert "no admission policy of the platform watches it, so nobody knows yet what it would refuse" in run.output
    assert walls(cluster) == was
    assert "enclii.dev/walls" not in labels_of(cluster, SHOP)


def test_observed_everything_goes_on(cluster: LabRun) -> None:
    assert changes(platform(cluster, *shop("observe"))) == 1
    assert changes(platform(cluster, *shop("observe"))) == 0
    labels = labels_of(cluster, SHOP)
    assert labels["enclii.dev/walls"] == "observe"
    assert labels["pod-security.kubernetes.io/warn"] == "restricted"
    assert "pod-security.kubernetes.io/enforce" not in labels
    assert not cluster.kubectl("get", "networkpolicy,limitrange,resourcequota", "-n", SHOP, "-o", "name")
    cluster.kubectl("rollout", "restart", "-n", SHOP, "deployment/web")
    cluster.kubectl("rollout", "status", "-n", SHOP, "deployment/web", "--timeout=60s")
    cluster.until("the caller gets answers", lambda: "got" in answers(cluster, 2), 30)


def test_what_would_break_is_listed(cluster: LabRun, tmp_path: t.Any) -> None:
    report = tmp_path / "report.json"
    run = cluster.playbook("adoption", *shop("observe"), "-e", f"baseline_adoption_report={report}").succeeded()
    assert "c-shop: observed, 2 workloads, 2 pods:" in run.output
    found = {one["name"]: one for one in json.loads(report.read_text())["namespaces"]}
    assert not found[SHOP]["ready"]
    assert all(found[space]["ready"] for space in SPACES)
    broken = {(one["area"], one["object"].rpartition("/")[0]) for one in found[SHOP]["findings"] if one["breaks"]}
    for wanted in (
        ("pod-security", "Pod c-shop"),
        ("admission", "Deployment c-shop"),
        ("network", "Pod c-shop"),
        ("network", "Service c-shop"),
    ):
        assert wanted in broken, report.read_text()


def test_a_transition_that_would_break_something_is_refused(cluster: LabRun) -> None:
    was = walls(cluster)
    run = platform(cluster, *shop("enforce"))
    assert run.rc != 0
    assert run.changed["localhost"] == 0
    assert "The walls would break what runs" in run.output
    for words in ("Service c-shop/web", "DB_PASSWORD", "mode: observe", "[resources]"):
        assert words in run.output.replace('"mode": "observe"', "mode: observe"), words
    assert walls(cluster) == was
    assert labels_of(cluster, SHOP)["enclii.dev/walls"] == "observe"


def test_lost_dns_is_found_before_it_is_enforced(cluster: LabRun) -> None:
    """What policies cut off is told from the policies alone."""
    deploy(cluster, right=True)
    patch = {"spec": {"template": {"spec": {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.53"]}}}}}
    cluster.kubectl("patch", "-n", SHOP, "deployment/web", "--patch", json.dumps(patch))
    cluster.kubectl("rollout", "status", "-n", SHOP, "deployment/web", "--timeout=60s")
    run = platform(cluster, *shop("enforce", declared=True))
    assert run.rc != 0
    assert "it would not reach the DNS it asks" in run.output
    assert labels_of(cluster, SHOP)["enclii.dev/walls"] == "observe"
    undo = {"spec": {"template": {"spec": {"dnsPolicy": "ClusterFirst", "dnsConfig": None}}}}
    cluster.kubectl("patch", "-n", SHOP, "deployment/web", "--patch", json.dumps(undo))
    cluster.kubectl("rollout", "status", "-n", SHOP, "deployment/web", "--timeout=60s")


def test_a_lost_api_server_is_found_before_it_is_enforced(cluster: LabRun) -> None:
    """Whoever holds a token for it would be cut off by policies in which no flow leads there."""
    cluster.kubectl("create", "serviceaccount", "-n", SHOP, "asker")
    patch = {"spec": {"template": {"spec": {"serviceAccountName": "asker", "automountServiceAccountToken": True}}}}
    cluster.kubectl("patch", "-n", SHOP, "deployment/web", "--patch", json.dumps(patch))
    cluster.kubectl("rollout", "status", "-n", SHOP, "deployment/web", "--timeout=60s")
    run = platform(cluster, *shop("enforce", declared=True))
    assert run.rc != 0
    assert "it holds a token of account asker, and would not reach the API server" in run.output
    assert labels_of(cluster, SHOP)["enclii.dev/walls"] == "observe"
    undo = {
        "spec": {
            "template": {
                "spec": {"serviceAccountName": None, "serviceAccount": None, "automountServiceAccountToken": False}
            }
        }
    }
    cluster.kubectl("patch", "-n", SHOP, "deployment/web", "--patch", json.dumps(undo))
    cluster.kubectl("rollout", "status", "-n", SHOP, "deployment/web", "--timeout=60s")


def test_observe_to_enforce_without_a_missed_answer(cluster: LabRun) -> None:
    cluster.until("the caller gets answers", lambda: set(answers(cluster, 5)) == {"got"}, 60)
    cluster.kubectl("wait", "-n", SHOP, "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    run = platform(cluster, *shop("enforce", declared=True))
    assert "Rehearse the walls with real connections" in run.output
    assert changes(run) > 0
    assert labels_of(cluster, SHOP)["enclii.dev/walls"] == "enforce"
    assert "missed" not in answers(cluster, 15)
    assert changes(platform(cluster, *shop("enforce", declared=True))) == 0


def test_inside_the_walls_the_undeclared_is_refused(cluster: LabRun) -> None:
    stranger = deployment("stranger", right=True, labels={}, command="sleep 3600")
    cluster.kubectl("apply", "-f", "-", given=json.dumps(stranger))
    cluster.kubectl("rollout", "status", "-n", SHOP, "deployment/stranger", "--timeout=60s")

    def reached(name: str) -> bool:
        return "got" in cluster.kubectl(
            "exec", "-n", SHOP, f"deployment/{name}", "--", "sh", "-c", f"{ASK} && echo got", check=False
        )

    cluster.until("the caller still reaches it", lambda: reached("caller"), 20)
    cluster.until("the stranger does not", lambda: not reached("stranger"), 20)
    message = refusal(cluster, deployment("wrong", right=False, labels={}, command="sleep 1"))
    for words in ("Deployment wrong: [resources]", "[liveness]", "env DB_PASSWORD holds a secret in plain text"):
        assert words in message
    cluster.kubectl("delete", "-n", SHOP, "deployment/stranger")


def test_a_namespace_that_leaves_the_inventory_keeps_its_walls(cluster: LabRun) -> None:
    assert changes(platform(cluster, *shop("", declared=True))) == 0
    assert labels_of(cluster, SHOP)["enclii.dev/walls"] == "enforce"


def test_a_component_that_somebody_else_runs_from_now_on_keeps_its_walls(cluster: LabRun) -> None:
    states = [word for name in COMPONENTS for word in ("-e", f"{name}_state=external")]
    words = (*states, "-e", "storage_class=enclii-local", *shop("enforce", declared=True))
    assert changes(platform(cluster, *words)) == 0


def test_walls_of_one_namespace_go_when_the_inventory_says_so(cluster: LabRun) -> None:
    absent = shop("absent", declared=True)
    assert changes(platform(cluster, *absent)) == 1
    assert not cluster.kubectl("get", "networkpolicy,limitrange,resourcequota", "-n", SHOP, "-o", "name")
    left = [key for key in labels_of(cluster, SHOP) if key.startswith(("enclii.dev/", "pod-security."))]
    assert left == []
    assert changes(platform(cluster, *absent)) == 0


def test_what_is_asked_from_now_on_is_what_a_namespace_is_judged_by(cluster: LabRun) -> None:
    """Mode, registries and exemptions come in one change."""
    platform(cluster, *shop("observe", declared=True)).succeeded()
    narrow = {"registries": ["quay.io"]}
    run = platform(cluster, *shop("enforce", declared=True, **narrow))
    assert run.rc != 0
    assert "[registry]" in run.output
    assert labels_of(cluster, SHOP)["enclii.dev/walls"] == "observe"
    spared = [{"container": "main", "rules": ["registry"], "reason": "not mirrored yet"}]
    platform(cluster, *shop("enforce", declared=True, exemptions=spared, **narrow)).succeeded()
    assert labels_of(cluster, SHOP)["enclii.dev/walls"] == "enforce"


@pytest.mark.parametrize(
    "words",
    [
        {"baseline_admission_tag_pattern": "([0-9]"},
        {"baseline_admission_registries": []},
    ],
    ids=lambda words: next(iter(words)),
)
def test_what_would_refuse_every_pod_is_refused_itself(cluster: LabRun, words: dict[str, t.Any]) -> None:
    was = cluster.get("configmap", "-n", "enclii-system", "enclii-admission")["data"]
    run = platform(cluster, *shop("enforce", declared=True), "-e", json.dumps(words))
    assert run.rc != 0
    assert f"{next(iter(words))}" in run.output
    assert cluster.get("configmap", "-n", "enclii-system", "enclii-admission")["data"] == was


# -- gone ----------------------------------------------------------------------------------------


def test_an_absent_component_loses_its_flows_and_no_other(cluster: LabRun) -> None:
    flows = lambda: cluster.kubectl("get", "networkpolicy", "-n", "enclii-system", "-o", "name")  # noqa: E731
    absent = ("-e", "metrics_server_state=absent", *shop("enforce", declared=True))
    assert "flow-metrics-server-" in flows()
    assert changes(platform(cluster, *absent)) > 0
    assert "flow-metrics-server-" not in flows()
    assert "flow-sealed-secrets-" in flows()
    assert "default-deny" in flows()
    assert changes(platform(cluster, *absent)) == 0


def test_walls_absent_and_the_platform_present(cluster: LabRun) -> None:
    """What runs keeps them, components among it; nothing changes by doing it again."""
    absent = ("-e", "baseline_state=absent", "-e", "metrics_server_state=absent", *shop("enforce", declared=True))
    run = platform(cluster, *absent).succeeded()
    assert "Walls stay around what runs: " in run.output
    assert "enclii.dev/walls" not in labels_of(cluster, "enclii-dev")
    for space in ("cert-manager", SHOP):
        assert "default-deny" in cluster.kubectl("get", "networkpolicy", "-n", space, "-o", "name"), space
    assert changes(platform(cluster, *absent)) == 0


def test_uninstalling_keeps_walls_around_what_runs(cluster: LabRun) -> None:
    run = cluster.playbook("uninstall", "-e", "enclii_uninstall=local", *shop("enforce", declared=True)).succeeded()
    assert f"Walls stay around what runs: {SHOP} (" in run.output
    assert labels_of(cluster, SHOP)["pod-security.kubernetes.io/enforce"] == "restricted"
    left = cluster.kubectl("get", "networkpolicy", "-A", "-o", "jsonpath={.items[*].metadata.namespace}")
    assert set(left.split()) == {SHOP}
    assert "missed" not in answers(cluster, 10)
    message = refusal(cluster, deployment("wrong", right=False, labels={}, command="sleep 1"))
    assert "Deployment wrong: [resources]" in message
    # what lost its walls says so, and is judged anew when they come back; Pod Security stays
    labels = labels_of(cluster, "enclii-dev")
    assert "enclii.dev/walls" not in labels
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    again = cluster.playbook("uninstall", "-e", "enclii_uninstall=local", *shop("enforce", declared=True))
    assert changes(again) == 0


def test_a_purge_of_another_name_touches_nothing(cluster: LabRun) -> None:
    was = walls(cluster)
    words = ("-e", "enclii_uninstall=local", *shop("enforce", declared=True), "-e", "baseline_purge=locl")
    run = cluster.playbook("uninstall", "--tags", "baseline", *words)
    assert run.rc != 0
    assert run.changed["localhost"] == 0
    assert "no wall was touched" in run.output
    assert walls(cluster) == was


def test_walls_go_by_purge(cluster: LabRun, before: set[str]) -> None:
    words = ("-e", "enclii_uninstall=local", *shop("enforce", declared=True), *PURGE)
    assert changes(cluster.playbook("uninstall", *words, "--check")) > 0
    cluster.playbook("uninstall", *words).succeeded()
    assert walls(cluster) ^ before == set()
    assert "enclii.dev/walls" not in labels_of(cluster, SHOP)
    assert "pod-security.kubernetes.io/enforce" not in labels_of(cluster, SHOP)
    # pods run there still, and that is no reason to build walls
    words = ("-e", "enclii_uninstall=local", *shop("enforce", declared=True))
    assert changes(cluster.playbook("uninstall", *words)) == 0
    assert walls(cluster) ^ before == set()


# -- a whole cluster: observed, enforced, left ----------------------------------------------------


def test_a_whole_cluster_is_observed_first(cluster: LabRun) -> None:
    observed = ("-e", "baseline_mode=observe", *shop("observe", declared=True))
    platform(cluster, *observed).succeeded()
    modes = {space: labels_of(cluster, space)["enclii.dev/walls"] for space in (*SPACES, SHOP)}
    # nobody but the platform puts anything there, so it is limited from the first
    assert modes == {space: "enforce" if space == "enclii-nodes" else "observe" for space in modes}
    left = cluster.kubectl("get", "networkpolicy,resourcequota", "-A", "-o", "jsonpath={.items[*].metadata.namespace}")
    assert set(left.split()) == {"enclii-nodes"}
    assert changes(platform(cluster, *observed)) == 0


def test_uninstalling_closes_nothing(cluster: LabRun) -> None:
    """The inventory says enforce, and what was judged was never closed: taking walls down does not close it."""
    words = ("-e", "enclii_uninstall=local", *shop("enforce", declared=True))
    run = cluster.playbook("uninstall", "--tags", "baseline", *words).succeeded()
    assert "Walls stay around what runs: enclii-nodes (" in run.output
    assert not cluster.kubectl("get", "networkpolicy,limitrange,resourcequota", "-n", SHOP, "-o", "name")
    for space in (SHOP, "cert-manager", "enclii-system"):
        assert "enclii.dev/walls" not in labels_of(cluster, space), space
    assert "pod-security.kubernetes.io/enforce" not in labels_of(cluster, SHOP)


def test_then_it_is_enforced(cluster: LabRun) -> None:
    # what lost its labels is watched before it is judged
    platform(cluster, "-e", "baseline_mode=observe", *shop("observe", declared=True)).succeeded()
    platform(cluster, *shop("enforce", declared=True)).succeeded()
    assert {labels_of(cluster, space)["enclii.dev/walls"] for space in (*SPACES, SHOP)} == {"enforce"}
    assert changes(platform(cluster, *shop("enforce", declared=True))) == 0


def test_walls_go_with_the_last_thing_that_runs(cluster: LabRun, before: set[str]) -> None:
    words = ("-e", "enclii_uninstall=local", *shop("enforce", declared=True))
    cluster.kubectl("delete", "deployment", "-n", SHOP, "--all")
    cluster.kubectl("wait", "pod", "-n", SHOP, "--all", "--for=delete", "--timeout=60s")
    run = cluster.playbook("uninstall", *words).succeeded()
    assert "Walls stay around" not in run.output
    assert walls(cluster) ^ before == set()
    labels = labels_of(cluster, SHOP)
    assert "enclii.dev/walls" not in labels
    # nothing is opened that does not have to be
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    cluster.playbook("uninstall", *words, *PURGE).succeeded()
    assert "pod-security.kubernetes.io/enforce" not in labels_of(cluster, SHOP)
    cluster.kubectl("delete", "namespace", SHOP)


def test_canary_is_nowhere(cluster: LabRun) -> None:
    """What stood in a workload's env is in no report and no log."""
    assert len(cluster.transcript) > 10
    for text in cluster.transcript:
        assert CANARY not in text
