# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""K1 and K2 on real nodes: bare machines to a cluster, killed on the way, hardened, and apart again.

The tests stand in the order of a cluster's life and share its lab; bare machines come first.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import ssl
import subprocess
import time
import typing as t
import urllib.error
import urllib.request

import pytest
from labrun import LabRun

CANARY = f"canary-{secrets.token_hex(12)}"
AUDIT_LOG = "/var/log/kubernetes/audit/audit.log"


@pytest.fixture(scope="module")
def bare(lab: LabRun) -> LabRun:
    """The lab with bare machines; a lab somebody works with is not taken down for a test."""
    if any(lab.on(node, "ls /etc/kubernetes/enclii.json", check=False) for node in lab.nodes):
        pytest.skip("there is a cluster on this lab; `make lab-down lab-up` gives bare machines")
    return lab


@pytest.fixture(scope="module")
def namespace(cluster: LabRun) -> t.Iterator[str]:
    """A namespace of these tests."""
    cluster.kubectl("create", "namespace", "kubernetes-test")
    yield "kubernetes-test"
    # waits until all of it is gone: the next tests compare what is on the cluster
    cluster.kubectl("delete", "namespace", "kubernetes-test")


# -- bare machines -------------------------------------------------------------------------------


def test_check_mode_on_bare_machines_ends_with_one_message(bare: LabRun) -> None:
    run = bare.playbook("bootstrap", "--check", "--diff").succeeded()
    assert run.output.count("would become the cluster") == 1
    for node in bare.nodes:
        assert bare.on(node, "find /usr/local/bin /etc/kubernetes -type f", check=False) == ""


def test_preflight_reports_everything_at_once_and_changes_nothing(bare: LabRun) -> None:
    bare.on("worker-1", "systemd-run --unit squatter --collect python3 -m http.server 10250")
    wrong = {
        "kubernetes_requirements": {"disk_gib": 900000, "worker_memory_mib": 90000000},
        "kubernetes_kernel_modules": ["no_such_module"],
        "kubernetes_preflight_ignore": ["time_sync"],
    }
    try:
        bare.until("a squatter on port 10250", lambda: bare.on("worker-1", "ss -Hltn sport = :10250"))
        run = bare.playbook("bootstrap", "-e", json.dumps(wrong))
    finally:
        bare.on("worker-1", "systemctl stop squatter")
    assert run.rc != 0
    for finding in (
        "worker-1 (ports) TCP ports 10250 are in use",
        "cp-1 (disk)",
        "worker-3 (disk)",
        "worker-2 (memory)",
        "cp-1 (kernel) kernel modules no_such_module",
    ):
        assert run.output.count(finding) >= 1, finding
    assert set(run.changed.values()) == {0}


def test_two_control_planes_are_refused(bare: LabRun, tmp_path) -> None:
    more = tmp_path / "more.yml"
    more.write_text("control_plane: {hosts: {worker-1: {}}}\n")
    run = bare.playbook("bootstrap", "-i", str(more))
    assert run.rc != 0
    assert "2 control planes" in run.output
    assert set(run.changed.values()) == {0}


@contextlib.contextmanager
def kubeadm_dies(lab: LabRun, node: str, verb: str, once: str) -> t.Iterator[None]:
    """Kill every `kubeadm <verb>` on a node for which a shell condition holds; fails where there was nothing to kill.

    Every one: a kubeadm of a run that was killed before may still be at work, and this run waits for it.
    """
    # The brackets keep pgrep from finding the shell that looks.
    hit = f"pid=$(pgrep -o -f 'kubeadm[ ]{verb}') && {once} && kill -KILL $pid && echo killed"
    command = f"echo waiting; until rm /run/enough 2>/dev/null; do {hit}; sleep 0.02; done"
    killer = subprocess.Popen([*lab.ssh(node), command], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert killer.stdout is not None
    assert killer.stdout.readline() == "waiting\n"
    try:
        yield
    finally:
        lab.on(node, "touch /run/enough")
        said = killer.communicate(timeout=30)[0]
    assert "killed\n" in said


@pytest.mark.parametrize(("task", "seconds"), [("Published binaries", 1.5), ("Configuration and services", 0.7)])
def test_a_run_is_killed_while_installing(bare: LabRun, task: str, seconds: float) -> None:
    assert bare.playbook("bootstrap", kill_at=(task, seconds)).rc == -9


def test_kubeadm_dies_while_initialising(bare: LabRun) -> None:
    with kubeadm_dies(bare, "cp-1", "init", "test -e /etc/kubernetes/manifests/kube-apiserver.yaml"):
        run = bare.playbook("bootstrap")
    assert run.rc > 0
    assert "kubeadm init failed" in run.output
    assert '"started"' in bare.on("cp-1", "cat /etc/kubernetes/enclii.json")


@pytest.mark.parametrize(
    ("task", "seconds"),
    [
        ("Control plane with kubeadm", 2.0),
        ("Apply the pod network", 0.1),
        ("Workers with kubeadm", 1.0),
        ("Approve serving certificates", 1.0),
    ],
)
def test_a_run_is_killed(bare: LabRun, task: str, seconds: float) -> None:
    """Each run starts from what the one before left; the last ones bring the cluster to a good end."""
    run = bare.playbook("bootstrap", kill_at=(task, seconds))
    # What was left for this task may have been done before the signal came; then the run ended well.
    assert run.rc in (-9, 0), run.output[-4000:]


def test_kubeadm_dies_while_joining(bare: LabRun) -> None:
    """The worker is reset and joined anew by the next run."""
    bare.playbook("bootstrap").succeeded()
    bare.playbook("bootstrap", "--limit", "worker-3", "-e", "kubernetes_state=absent").succeeded()
    with kubeadm_dies(bare, "worker-3", "join", "true"):
        run = bare.playbook("bootstrap")
    assert run.rc > 0
    assert "kubeadm join failed" in run.output
    assert '"started"' in bare.on("worker-3", "cat /etc/kubernetes/enclii.json")
    assert "redone" in bare.playbook("bootstrap", "-v").succeeded().output


def test_after_kills_the_next_run_ends_well_and_the_one_after_changes_nothing(cluster: LabRun) -> None:
    assert set(cluster.playbook("bootstrap").succeeded().changed.values()) == {0}
    assert set(cluster.playbook("bootstrap", "--check", "--diff").succeeded().changed.values()) == {0}


# -- the cluster ---------------------------------------------------------------------------------


def test_all_nodes_are_ready_with_serving_certificates_of_the_cluster(cluster: LabRun) -> None:
    nodes = {node["metadata"]["name"]: node for node in cluster.get("nodes")["items"]}
    assert sorted(nodes) == sorted(cluster.nodes)
    for name, node in nodes.items():
        ready = next(entry for entry in node["status"]["conditions"] if entry["type"] == "Ready")
        assert ready["status"] == "True", name
        authority = cluster.on("cp-1", "cat /etc/kubernetes/pki/ca.crt")
        context = ssl.create_default_context(cadata=authority)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"https://{cluster.address(name)}:10250/pods", context=context, timeout=5)
        assert refused.value.code == 401, "kubelet must refuse who has no name"


def test_dns_answers_in_a_pod_on_a_worker(cluster: LabRun, namespace: str) -> None:
    start_pod(cluster, namespace, "dns", "worker-1", ["sleep", "3600"])
    answer = in_pod(cluster, namespace, "dns", "busybox nslookup kubernetes.default.svc.cluster.local")
    assert "10.96.0.1" in answer


def test_network_policy_is_enforced_and_lifted(cluster: LabRun, namespace: str) -> None:
    start_pod(cluster, namespace, "server", "worker-2", ["busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"])
    address = cluster.get("-n", namespace, "pod", "server")["status"]["podIP"]
    probe = f"timeout 3 busybox wget -q -O - http://{address}:8080/hostname"

    def reaches() -> bool:
        return "server" in in_pod(cluster, namespace, "dns", probe, check=False)

    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"]},
    }
    cluster.until("the server answers", reaches, 30)
    cluster.kubectl("apply", "-f", "-", given=json.dumps(policy))
    cluster.until("the policy denies", lambda: not reaches(), 30)
    cluster.kubectl("delete", "-n", namespace, "networkpolicy", "deny")
    cluster.until("the server answers again", reaches, 30)


def test_secrets_are_encrypted_in_etcd(cluster: LabRun, namespace: str) -> None:
    for kind, name in (("Secret", "hidden"), ("ConfigMap", "open")):
        content = {"stringData" if kind == "Secret" else "data": {"value": CANARY}}
        thing = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}
        cluster.kubectl("create", "-f", "-", given=json.dumps(thing))
    hidden = cluster.stored(f"secrets/{namespace}/hidden")
    shown = cluster.stored(f"configmaps/{namespace}/open")
    assert CANARY in shown, "the way we read etcd shows values"
    assert hidden.startswith("k8s:enc:secretbox:v1:key1:")
    assert CANARY not in hidden
    assert json.loads(cluster.kubectl("get", "-n", namespace, "secret", "hidden", "-o", "json"))["data"]["value"]


def test_audit_log_holds_an_rbac_change_and_no_secret_body(cluster: LabRun, namespace: str) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "audited", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "resourceNames": ["marker-pod"], "verbs": ["get"]}],
    }
    cluster.kubectl("create", "-f", "-", given=json.dumps(role))

    def events() -> list[dict]:
        lines = cluster.on("cp-1", f"grep -F '{namespace}' {AUDIT_LOG}").splitlines()
        return [json.loads(line) for line in lines]

    def of(resource: str, verb: str) -> list[dict]:
        return [e for e in events() if e["objectRef"]["resource"] == resource and e["verb"] == verb]

    granted = cluster.until("the change of the Role is in the log", lambda: of("roles", "create"), 15)
    assert granted[0]["requestObject"]["rules"][0]["resourceNames"] == ["marker-pod"]
    assert granted[0]["user"]["username"] == "kubernetes-admin"
    written = of("secrets", "create")
    assert written, "who wrote a Secret is in the log"
    assert all(event["level"] == "Metadata" and "requestObject" not in event for event in written)
    assert cluster.on("cp-1", f"grep -c -F '{CANARY}' {AUDIT_LOG}", check=False).strip() == "0"


def test_profiling_is_off(cluster: LabRun) -> None:
    assert "404" in denied(cluster, "/debug/pprof/")
    for node in cluster.nodes:
        # The kubelet answers this administrator, so what it denies is profiling, not us.
        assert cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz") == "ok"
        assert denied(cluster, f"/api/v1/nodes/{node}/proxy/debug/pprof/")


def test_the_encryption_key_and_tokens_are_in_no_output(cluster: LabRun) -> None:
    cluster.playbook("bootstrap", "-vvv", "--diff").succeeded()
    config = json.loads(cluster.on("cp-1", "cat /etc/kubernetes/encryption/config.json"))
    key = config["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"]
    client = [line.split()[-1] for line in cluster.kubeconfig.read_text().splitlines() if "client-key-data" in line]
    tokens = [secret["data"]["token-secret"] for secret in cluster.get("-n", "kube-system", "secrets")["items"]
              if secret["type"] == "bootstrap.kubernetes.io/token"]  # fmt: skip
    assert len(client) == 1
    everything = "\n".join(cluster.transcript)
    assert len(everything) > 10000
    for secret in [key, client[0], *(base64.b64decode(token).decode() for token in tokens)]:
        assert secret not in everything


# -- day two -------------------------------------------------------------------------------------


def test_a_killed_worker_comes_back_by_itself(cluster: LabRun, namespace: str) -> None:
    cluster.power("kill", "worker-2")
    killed = time.time()
    cluster.power("start", "worker-2")

    def renewed() -> bool:
        lease = cluster.get("-n", "kube-node-lease", "lease", "worker-2")["spec"]["renewTime"]
        return lease > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(killed + 1))

    cluster.until("worker-2 reports again", renewed, 90)
    start_pod(cluster, namespace, "back", "worker-2", ["sleep", "3600"])
    question = "busybox nslookup kubernetes.default.svc.cluster.local"
    # The other nodes learn its routes once their BGP sessions are up again.
    cluster.until(
        "DNS answers in a pod on worker-2",
        lambda: "10.96.0.1" in in_pod(cluster, namespace, "back", question, check=False),
        30,
    )
    assert set(cluster.playbook("bootstrap").succeeded().changed.values()) == {0}


def test_the_control_plane_is_not_taken_away(cluster: LabRun) -> None:
    run = cluster.playbook("bootstrap", "--limit", "cp-1", "-e", "kubernetes_state=absent")
    assert run.rc != 0
    assert "without it there is no cluster" in run.output
    assert set(run.changed.values()) == {0}


def test_reset_wants_the_name_typed(cluster: LabRun) -> None:
    run = cluster.playbook("reset", "-e", "kubernetes_reset_cluster=another")
    assert run.rc != 0
    assert f"kubernetes_reset_cluster={cluster.lab.name}" in run.output
    assert set(run.changed.values()) == {0}


def test_a_worker_is_removed_and_added_again(cluster: LabRun) -> None:
    gone = ("--limit", "worker-3", "-e", "kubernetes_state=absent")
    assert cluster.playbook("bootstrap", *gone, "--check").succeeded().changed["worker-3"] > 0
    assert "worker-3" in cluster.kubectl("get", "nodes")
    cluster.playbook("bootstrap", *gone).succeeded()
    assert "worker-3" not in cluster.kubectl("get", "nodes")
    places = "/etc/kubernetes/* /var/lib/kubelet/* /usr/local/bin/* /etc/cni/net.d/*"
    left = f"ls {places} 2>/dev/null; iptables-save | grep KUBE-"
    assert cluster.on("worker-3", left, check=False) == ""
    assert cluster.on("worker-3", "systemctl is-active containerd kubelet", check=False).split() == ["inactive"] * 2
    assert cluster.playbook("bootstrap", *gone).succeeded().changed["worker-3"] == 0
    changed = cluster.playbook("bootstrap").succeeded().changed
    assert changed["worker-3"] > 0
    assert changed["worker-1"] == changed["worker-2"] == 0
    assert set(cluster.playbook("bootstrap").succeeded().changed.values()) == {0}


def test_a_node_that_came_later_meets_pods_as_themselves(cluster: LabRun, namespace: str) -> None:
    """Not as the node they run on, which no policy for pods lets in."""
    start_pod(cluster, namespace, "late", "worker-3", ["busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"])
    address = cluster.get("-n", namespace, "pod", "late")["status"]["podIP"]
    peers = {f"from-{node}": node for node in ("cp-1", "worker-1", "worker-2")}
    for name, node in peers.items():
        start_pod(cluster, namespace, name, node, ["sleep", "3600"])
    allowed = {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": sorted(peers)}]}}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "peers", "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": {"app": "late"}}, "ingress": [{"from": [allowed]}]},
    }
    cluster.kubectl("apply", "-f", "-", given=json.dumps(policy))

    def reaches(name: str) -> bool:
        probe = f"timeout 3 busybox wget -q -O - http://{address}:8080/hostname"
        return "late" in in_pod(cluster, namespace, name, probe, check=False)

    cluster.until("the policy denies others", lambda: not reaches("dns"), 30)
    for name in peers:
        cluster.until(f"a pod reaches one on worker-3: {name}", lambda name=name: reaches(name), 30)
    assert not reaches("dns")


# -- helpers -------------------------------------------------------------------------------------


def start_pod(cluster: LabRun, namespace: str, name: str, node: str, command: list[str]) -> None:
    """Start a pod on a node and wait until it runs."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "docker.io/library/busybox:1.36", "command": command}],
        },
    }
    cluster.kubectl("apply", "-f", "-", given=json.dumps(pod))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", f"pod/{name}", "--timeout=60s")


def in_pod(cluster: LabRun, namespace: str, name: str, command: str, check: bool = True) -> str:
    """Output of a shell command in a pod."""
    return cluster.kubectl("exec", "-n", namespace, name, "--", "sh", "-c", command, check=check)


def denied(cluster: LabRun, path: str) -> str:
    """Why the API server does not give this path; empty where it does."""
    argv = [
        f"{cluster.lab.paths['bin']}/kubectl",
        "--kubeconfig",
        str(cluster.kubeconfig),
        "get",
        "--raw",
        path,
        "-v=6",
    ]
    done = subprocess.run(argv, text=True, capture_output=True, check=False)
    return done.stderr if done.returncode else ""
