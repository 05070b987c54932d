# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-bootstrap`: bare nodes to a cluster by the role, whole process of playbooks/bootstrap.yml, on a lab of its own.

Each round boots fresh nodes, runs the playbook, then asks DNS from a pod on a worker. The clock runs from the start of
ansible-playbook to its end, and on to the answer of DNS; what is built and in the registry before is not counted. An
unchanged second run and kubeadm's own share are reported. The target, on the median:

    bootstrap <= 75 s, all nodes Ready, and DNS answers

The last line of stdout is one JSON object. Exit code 1 where the target is missed. Options: --rounds 3.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from lab.core import default_name  # noqa: E402

TARGET = 75.0
os.environ["LAB_NAME"] = f"{default_name()[:24]}-bench"

from labrun import LabRun  # noqa: E402

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "dns", "namespace": "default"},
    "spec": {
        "nodeName": "worker-1",
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "docker.io/library/busybox:1.36", "command": ["sleep", "600"]}],
    },
}
TASK = re.compile(r"^enclii\.platform\.kubernetes : (.+?) -+ ([0-9.]+)s$", re.MULTILINE)


def lab(verb: str) -> None:
    """Bring the bench's own lab up or down; what it says goes to stderr."""
    subprocess.run([sys.executable, "-m", "lab", verb], cwd=ROOT, check=True, stdout=sys.stderr)


def ready(run: LabRun) -> int:
    """Number of nodes that are Ready."""
    nodes = run.get("nodes")["items"]
    conditions = (entry for node in nodes for entry in node["status"]["conditions"])
    return sum(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def one_round() -> dict[str, float]:
    """Seconds of one bare start: bootstrap, until DNS answered, an unchanged run, and the longest tasks."""
    lab("down")
    lab("up")
    try:
        run = LabRun()
        began = time.monotonic()
        first = run.playbook("bootstrap").succeeded()
        count = ready(run)
        assert count == len(run.nodes), f"{count} of {len(run.nodes)} nodes are Ready after the playbook"
        run.kubectl("apply", "-f", "-", given=json.dumps(POD))
        question = ["exec", "dns", "--", "busybox", "nslookup", "kubernetes.default.svc.cluster.local"]
        run.until("DNS answers in a pod", lambda: "10.96.0.1" in run.kubectl(*question, check=False), 60)
        answered = time.monotonic() - began
        again = run.playbook("bootstrap").succeeded()
        assert set(again.changed.values()) == {0}, again.output[-4000:]
        tasks = {name: float(seconds) for name, seconds in TASK.findall(first.output)}
        kubeadm = sum(seconds for name, seconds in tasks.items() if "with kubeadm" in name)
        return {"bootstrap_s": first.seconds, "dns_s": answered, "unchanged_s": again.seconds, "kubeadm_s": kubeadm}
    finally:
        lab("down")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    os.environ["ANSIBLE_CALLBACKS_ENABLED"] = "ansible.posix.profile_tasks"
    seen = []
    for number in range(1, rounds + 1):
        load = os.getloadavg()[0]
        seen.append({**one_round(), "load_before": load})
        print(f"round {number}: " + ", ".join(f"{name} {value:.1f}" for name, value in seen[-1].items()), flush=True)
    medians = {name: round(statistics.median(entry[name] for entry in seen), 1) for name in seen[0]}
    ok = medians["bootstrap_s"] <= TARGET
    result = {
        "bench": "bootstrap",
        "nodes": 4,
        "rounds": rounds,
        "figures": medians,
        "ratios": {"bootstrap_of_target": round(medians["bootstrap_s"] / TARGET, 2)},
        "targets": {"bootstrap_s": TARGET},
        "ok": ok,
    }
    print(json.dumps(result))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
