# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-apply`: enclii.platform.apply beside kubectl and kubernetes.core.k8s, whole processes, on a real API server.

300 ConfigMaps, first run and unchanged, several rounds in alternating order, medians. The targets:

    ours <= 0.6 x kubectl apply --server-side + an empty playbook        (first, unchanged)
    ours <= 0.35 x kubernetes.core.k8s with the same file                (first, unchanged)

The stricter reading of the first, 0.6 x (kubectl + empty playbook), and 3,000 mixed objects are reported. The last line of
stdout is one JSON object. Exit code 1 where a target is missed. Options: --rounds 5, --objects 300, --mixed 3000 (0: none),
--kubeconfig FILE for a cluster that runs already. Without it the lab's cluster where the lab is up (LAB_NAME), which is the
measure that counts; else, or with --bare, an etcd and API server of its own with nothing around them.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from apiserver import ApiServer, find_binaries, missing  # noqa: E402

OF_KUBECTL, OF_K8S = 0.6, 0.35
Obj = dict[str, t.Any]


def config_map(number: int, namespace: str) -> Obj:
    data = {"key": f"value {number}", "settings.conf": "a=1\nb=two\nc=[3, 4]\n" * 5}
    labels = {"app.kubernetes.io/name": "bench"}
    metadata = {"name": f"cm-{number:05}", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def mixed(number: int, namespace: str) -> Obj:
    """By turns a ConfigMap, a Secret, a Service, a Deployment (without pods), a Role and a NetworkPolicy."""
    base = config_map(number, namespace)
    del base["data"]
    name, labels = base["metadata"]["name"], {"app": f"a{number}"}
    container = {
        "name": "main",
        "image": "registry.example.org/app:1.0.0",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "MODE", "value": "bench"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    }
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "serviceAccountName": name}}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": [name]}
    kinds: list[Obj] = [
        {"data": {"key": f"value {number}"}},
        {"kind": "Secret", "stringData": {"key": f"value {number}"}},
        {
            "kind": "Service",
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod},
        },
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": [rule]},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "spec": {
                "podSelector": {"matchLabels": labels},
                "policyTypes": ["Ingress"],
                "ingress": [{"ports": [{"port": 8080}]}],
            },
        },
    ]
    return {**base, **kinds[number % len(kinds)]}


class Cluster:
    """A cluster that runs already; of ours in it are only namespaces, which go in the end."""

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfig = pathlib.Path(kubeconfig).resolve()
        self.spaces: list[str] = []

    def start(self) -> None:
        self.kubectl("version")

    def kubectl(self, *args: str) -> str:
        if args[:2] == ("create", "namespace"):
            self.spaces.append(args[2])
        argv = [str(find_binaries()["kubectl"]), "--kubeconfig", str(self.kubeconfig), *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300).stdout

    def stop(self) -> None:
        if self.spaces:
            self.kubectl("delete", "namespace", *self.spaces, "--wait=false")


class Bench:
    """One server, one directory of playbooks and manifests, and the seconds of every run."""

    def __init__(self, server: ApiServer | Cluster, home: pathlib.Path) -> None:
        self.server, self.home = server, home
        self.seconds: dict[str, list[float]] = {}
        interpreter = "{{ ansible_playbook_python }}"
        host = {"ansible_connection": "local", "ansible_python_interpreter": interpreter}
        (home / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"localhost": host}}}))
        self.playbook("empty", [])

    def space(self, name: str, peer: str) -> str:
        """Namespace of one peer's objects, new in each run: those of the run before may still be on their way out."""
        return f"bench-{name}-{peer}-{os.getpid()}"

    def playbook(self, name: str, tasks: list[Obj]) -> None:
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        (self.home / f"{name}.yml").write_text(yaml.safe_dump([play]))

    def prepare(self, name: str, make: t.Callable[[int, str], Obj], count: int) -> None:
        """Manifest, namespace and playbooks of one peer's objects; each peer has a namespace of its own."""
        for peer in ("ours", "kubectl", "k8s"):
            space = self.space(name, peer)
            self.server.kubectl("create", "namespace", space)
            path = self.home / f"{name}-{peer}.yaml"
            path.write_text(yaml.safe_dump_all([make(number, space) for number in range(count)]))
        login = {"kubeconfig": str(self.server.kubeconfig)}
        ours = {
            **login,
            "src": str(self.home / f"{name}-ours.yaml"),
            "apply_set": {"name": "bench", "namespace": self.space(name, "ours")},
        }
        self.playbook(f"{name}-ours", [{"name": "Apply", "enclii.platform.apply": ours}])
        k8s = {
            **login,
            "src": str(self.home / f"{name}-k8s.yaml"),
            "apply": True,
            "server_side_apply": {"field_manager": "bench"},
        }
        self.playbook(f"{name}-k8s", [{"name": "Apply", "kubernetes.core.k8s": k8s}])

    def clean(self, space: str) -> None:
        kinds = "configmaps,secrets,services,deployments.apps,roles.rbac.authorization.k8s.io,networkpolicies.networking.k8s.io"
        self.server.kubectl("delete", kinds, "--all", "-n", space, "--wait=false")

    def time(self, figure: str, argv: list[str], changed: int | None) -> None:
        """Run one process; an Ansible one must have changed exactly so many tasks."""
        started = time.perf_counter()
        # As at a user's: Python may keep the bytecode of what it has compiled. All peers alike.
        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
        took = time.perf_counter() - started
        told = done.stdout + done.stderr
        if done.returncode or (changed is not None and f"changed={changed} " not in told):
            raise SystemExit(f"{figure}: exit code {done.returncode}\n{told[-3000:]}")
        self.seconds.setdefault(figure, []).append(took)
        print(f"  {figure:24} {took:6.2f} s", flush=True)

    def ansible(self, figure: str, book: str, changed: int | None) -> None:
        argv = [
            str(ROOT / ".venv/bin/ansible-playbook"),
            "-i",
            str(self.home / "inventory.yml"),
            str(self.home / f"{book}.yml"),
        ]
        self.time(figure, argv, changed)

    def peer(self, name: str, peer: str) -> None:
        """First and unchanged run of one peer."""
        self.clean(self.space(name, peer))
        for figure, changed in (("first", 1), ("unchanged", 0)):
            if peer == "ours":
                self.ansible("empty", "empty", None)  # beside the run it is subtracted from
            if peer == "kubectl":
                argv = [str(find_binaries()["kubectl"]), "--kubeconfig", str(self.server.kubeconfig)]
                argv += ["apply", "--server-side", "-f", str(self.home / f"{name}-kubectl.yaml")]
                self.time(f"{name} kubectl {figure}", argv, None)
            else:
                self.ansible(f"{name} {peer} {figure}", f"{name}-{peer}", changed)

    def median(self, figure: str) -> float:
        return statistics.median(self.seconds[figure])


def report(bench: Bench, load: tuple[float, float, float]) -> Obj:
    empty = bench.median("empty")
    ratios, targets, strict = {}, {}, {}
    for run in ("first", "unchanged"):
        ours, kubectl = bench.median(f"many ours {run}"), bench.median(f"many kubectl {run}")
        allowed = OF_KUBECTL * kubectl + empty
        targets[f"{run}: at most 0.6 kubectl + empty"] = {"seconds": ours, "allowed": allowed, "ok": ours <= allowed}
        allowed = OF_K8S * bench.median(f"many k8s {run}")
        targets[f"{run}: at most 0.35 k8s"] = {"seconds": ours, "allowed": allowed, "ok": ours <= allowed}
        allowed = OF_KUBECTL * (kubectl + empty)
        strict[f"{run}: at most 0.6 (kubectl + empty)"] = {"seconds": ours, "allowed": allowed, "ok": ours <= allowed}
        ratios[f"{run}: (ours - empty) / kubectl"] = (ours - empty) / kubectl
        ratios[f"{run}: ours / k8s"] = ours / bench.median(f"many k8s {run}")
    return {
        "bench": "apply",
        "figures": {figure: statistics.median(values) for figure, values in bench.seconds.items()},
        "runs": {figure: len(values) for figure, values in bench.seconds.items()},
        "ratios": ratios,
        "targets": targets,
        "strict_reading_reported_only": strict,
        "load_before_and_after": [load[0], os.getloadavg()[0]],
        "ok": all(target["ok"] for target in targets.values()),
    }


def lab_kubeconfig() -> str | None:
    """The kubeconfig of the lab where one is up."""
    from lab.core import default_name
    from lab.state import Lab

    lab = Lab.load(default_name())
    path = lab.directory / "kubeconfig" if lab else None
    return str(path) if path and path.is_file() else None


def rounded(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--mixed", type=int, default=3000)
    parser.add_argument("--kubeconfig", default=None)
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    if "ENCLII_TEST_BIN" not in os.environ:
        from lab.nodes import controller_programs

        os.environ["ENCLII_TEST_BIN"] = str(controller_programs())
    if missing():
        raise SystemExit(f"bench-apply: {missing()}; `make lab-build` makes them")
    load = os.getloadavg()
    kubeconfig = None if options.bare else options.kubeconfig or lab_kubeconfig()
    server = Cluster(kubeconfig) if kubeconfig else ApiServer(durable=True)
    print(f"server: {kubeconfig or 'an etcd and API server of its own'}", flush=True)
    try:
        server.start()
        with tempfile.TemporaryDirectory(prefix="enclii-bench-") as home:
            bench = Bench(server, pathlib.Path(home))
            bench.prepare("many", config_map, options.objects)
            for number in range(options.rounds):
                print(f"round {number + 1} of {options.rounds}, {options.objects} ConfigMaps", flush=True)
                peers = ["kubectl", "ours", "k8s"]
                for peer in peers if number % 2 == 0 else reversed(peers):
                    bench.peer("many", peer)
            if options.mixed:
                print(f"{options.mixed} mixed objects", flush=True)
                bench.prepare("mixed", mixed, options.mixed)
                for peer in ("kubectl", "ours"):
                    bench.peer("mixed", peer)
            outcome = {"server": "cluster" if kubeconfig else "bare", **rounded(report(bench, load))}
    finally:
        server.stop()
    for name, target in {**outcome["targets"], **outcome["strict_reading_reported_only"]}.items():
        verdict = "ok" if target["ok"] else "MISSED"
        print(f"{name:40} {target['seconds']:6.2f} s of {target['allowed']:6.2f} s  {verdict}")
    print(json.dumps(outcome, sort_keys=True))
    return 0 if outcome["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
