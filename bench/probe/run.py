#!/usr/bin/env python3
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds for a matrix of 900 pairs on the lab that is up, and how long a policy takes to hold.

    make bench-probe       two rounds of the matrix, one of another one, five of a policy; at most five minutes

Every round is the whole module: reading the cluster, pods made, started, tried and taken away again. 30 kinds of pods in three
namespaces try each 30 others, to one of which it may; that is held against the target. Then, reported beside it, 31 kinds of pods
try each the 30 others, to two of which they may: as many pairs with half as many pods. A verdict other than PASS ends the bench.
Then one pod connects to another every 50 ms, while a policy that denies it comes and goes: from the request to the first
connection that fails, and back. Namespaces b-bench-* are made and removed. Prints a table, and one line of JSON at the end.
The exit code is 0 only if the first matrix was in time.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import secrets
import statistics
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / ".collections"), str(ROOT / "tests" / "support")]

from labrun import LabRun  # noqa: E402
from walled import HOME, Walled, given  # noqa: E402

from ansible_collections.enclii.platform.plugins.module_utils.flows.matrix import Identity  # noqa: E402
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Port  # noqa: E402
from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client  # noqa: E402
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login  # noqa: E402
from ansible_collections.enclii.platform.plugins.module_utils.probing import front, objects  # noqa: E402
from ansible_collections.enclii.platform.plugins.module_utils.probing.arguments import IMAGE, NETWORK_PROBE  # noqa: E402
from ansible_collections.enclii.platform.plugins.module_utils.probing.plan import Prober  # noqa: E402

MATRIX_SECONDS = 60.0
SPACES = {f"b-bench-{letter}": "enforce" for letter in "xyz"}
SIDE = 30
Obj = dict[str, t.Any]


def together() -> tuple[list[Obj], list[str], list[str]]:
    """31 kinds of pods, each of which tries the 30 others, and two of them with success: flows, sources and targets."""
    kinds = [
        {"namespace": list(SPACES)[number % 3], "pods": {"b-bench": f"kind-{number:02}"}} for number in range(SIDE + 1)
    ]
    listed = [
        {"name": f"bench-{number:02}-{step}", "from": kind, "to": kinds[(number + step) % len(kinds)],
         "port": 7000 + (number + step) % len(kinds)}
        for number, kind in enumerate(kinds) for step in (1, 7)
    ]  # fmt: skip
    return listed, ["*/bench-*"], ["*/bench-*"]


def apart() -> tuple[list[Obj], list[str], list[str]]:
    """30 kinds of pods that try 30 others, each of them one with success, from one namespace to the next."""
    spaces = list(SPACES)
    listed = [
        {"name": f"bench-{number:02}", "port": 7000 + number, "from": {"namespace": spaces[number % 3]},
         "to": {"namespace": spaces[(number + 1) % 3]}}
        for number in range(SIDE)
    ]  # fmt: skip
    return listed, ["*/bench-*-client"], ["*/bench-*-server"]


def matrix(lab: LabRun, what: str, rounds: int, given_by: tuple[list[Obj], list[str], list[str]]) -> list[Obj]:
    """Figures of each round of the whole module."""
    flows, sources, targets = given_by
    walled = Walled(lab, SPACES, flows)
    found = []
    try:
        walled.raise_walls()
        params = given(lab, NETWORK_PROBE, spaces=SPACES, flows=flows, sources=sources, targets=targets)
        for number in range(rounds):
            began = time.perf_counter()
            told = front.network_probe(params, HOME)
            took = time.perf_counter() - began
            if told["verdict"] != "PASS" or told["figures"]["pairs"] < SIDE * SIDE or walled.left():
                raise SystemExit(
                    f"bench-probe: {json.dumps({**told, 'pairs': [], 'plan': {}}, indent=1)}\nleft: {walled.left()}"
                )
            found.append({**told["figures"], "module_seconds": took})
            parts = ", ".join(
                f"{name} {found[-1][name + '_seconds']:.1f}" for name in ("made", "started", "tried", "removed")
            )
            print(f"  {what} {number + 1} of {rounds}: {took:6.1f} s ({parts})", flush=True)
    finally:
        walled.pull_down()
        # The next matrix has namespaces of the same names.
        lab.kubectl("wait", "--for=delete", *(f"namespace/{name}" for name in SPACES), "--timeout=120s", check=False)
    return found


class Watch:
    """Two pods in a namespace of their own, one of which connects to the other all the time."""

    def __init__(self, lab: LabRun) -> None:
        self.lab, self.space, self.run = lab, "b-bench-watch", secrets.token_hex(4)
        self.names: list[str] = []

    def start(self) -> None:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.space}}
        self.apply(space)
        self.apply(objects.script(self.run, self.space, front.script()))
        owner = self.lab.get("configmap", f"probe-{self.run}", "-n", self.space)
        self.lab.until("the account", lambda: self.lab.kubectl("get", "sa", "default", "-n", self.space, check=False))
        for number, name in enumerate(("listener", "watcher")):
            one = Prober(Identity(name, self.space, {"b-bench": name}), (Port(8080),))
            pod = objects.pod(
                self.run, number, one, owner=owner, image=IMAGE, gauge=61337, lifetime=900, walled=(False, False)
            )
            self.apply(pod)
            self.names.append(pod["metadata"]["name"])
        address = self.lab.until("the listener's address", self._address)
        one = {"kind": "tcp", "host": address, "port": 8080, "greeting": objects.greeting(self.run, f"{self.space}/listener"),
               "expect": True, "gauge": None}  # fmt: skip
        plan = {"id": "watch", "watch": True, "interval": 0.05, "patience": 0.4, "tries": [one]}
        note = f"{objects.PLAN}={json.dumps(plan)}"
        self.lab.kubectl("annotate", "pod", "-n", self.space, self.names[1], note)
        self.lab.until(
            "the first connection", lambda: self.changes()[-1:] and self.changes()[-1]["outcome"] == "connected"
        )

    def _address(self) -> str:
        pods = [self.lab.get("pod", name, "-n", self.space)["status"] for name in self.names]
        return str(pods[0].get("podIP") or "") if all(one["phase"] == "Running" for one in pods) else ""

    def apply(self, obj: Obj) -> None:
        self.lab.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(obj))

    def changes(self) -> list[Obj]:
        """Changes that the watching pod has told, oldest first."""
        text = self.lab.kubectl("logs", "-n", self.space, self.names[1], check=False)
        return [one for one in map(json.loads, text.splitlines()) if "at" in one]

    def after(self, moment: float, connected: bool) -> float:
        """Seconds from a moment until it is so for the first time."""

        def found() -> list[float]:
            return [
                one["at"] - moment for one in self.changes()
                if one["at"] > moment and (one["outcome"] == "connected") == connected
            ]  # fmt: skip

        return float(self.lab.until(f"connected: {connected}", found, 90)[0])

    def stop(self) -> None:
        self.lab.kubectl("delete", "namespace", self.space, "--wait=false", check=False)


def latency(lab: LabRun, rounds: int) -> dict[str, list[float]]:
    """Seconds until a policy blocks, and until its removal opens."""
    found: dict[str, list[float]] = {"blocks": [], "opens": []}
    if not rounds:
        return found
    watch = Watch(lab)
    client = Client(load_login({"kubeconfig": str(lab.kubeconfig)}, HOME))
    path = f"/apis/networking.k8s.io/v1/namespaces/{watch.space}/networkpolicies"
    deny = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny", "namespace": watch.space},
        "spec": {"podSelector": {"matchLabels": {"b-bench": "listener"}}, "policyTypes": ["Ingress"]},
    }  # fmt: skip
    try:
        watch.start()
        for number in range(rounds):
            asked = time.time()
            client.request("POST", path, None, deny)
            found["blocks"].append(watch.after(asked, False))
            time.sleep(2)
            asked = time.time()
            client.request("DELETE", f"{path}/deny")
            found["opens"].append(watch.after(asked, True))
            time.sleep(2)
            told = f"blocks after {found['blocks'][-1]:.2f} s, its removal opens after {found['opens'][-1]:.2f} s"
            print(f"  policy {number + 1} of {rounds}: {told}", flush=True)
    finally:
        watch.stop()
        client.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="rounds of the matrix that is held against the target")
    parser.add_argument("--together", type=int, default=1, help="rounds of the one whose targets are its sources")
    parser.add_argument("--policies", type=int, default=5, help="rounds of a policy that comes and goes")
    options = parser.parse_args()
    lab, load = LabRun(), os.getloadavg()
    rounds = matrix(lab, "30 by 30", max(1, options.rounds), apart())
    beside = matrix(lab, "31 by themselves", options.together, together()) if options.together else []
    policies = latency(lab, options.policies)
    whole = statistics.median(one["module_seconds"] for one in rounds)
    target = {"value": round(whole, 2), "target": MATRIX_SECONDS, "ok": whole <= MATRIX_SECONDS}
    parts = ("made", "started", "tried", "removed", "settled")
    result = {
        "bench": "probe",
        "pairs": rounds[0]["pairs"],
        "pods": rounds[0]["pods"],
        "seconds": {
            "module": round(whole, 2),
            **{part: round(statistics.median(one[f"{part}_seconds"] for one in rounds), 2) for part in parts},
            **({"together": round(statistics.median(one["module_seconds"] for one in beside), 2)} if beside else {}),
            **{name: round(statistics.median(took), 2) for name, took in policies.items() if took},
        },
        "all": {
            "module": [round(one["module_seconds"], 2) for one in rounds],
            "together": [round(one["module_seconds"], 2) for one in beside],
            **{name: [round(one, 2) for one in took] for name, took in policies.items()},
        },
        "targets": {f"900 pairs in at most {MATRIX_SECONDS:g} s": target},
        "load_before_and_after": [round(load[0], 2), round(os.getloadavg()[0], 2)],
        "ok": target["ok"],
    }
    print(f"module {whole:.1f} s, target {MATRIX_SECONDS:g} s: {'ok' if target['ok'] else 'MISSED'}")
    print(json.dumps(result, sort_keys=True))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
