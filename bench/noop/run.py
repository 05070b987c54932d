# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-noop`: the whole platform with nothing to do, beside kubernetes.core's helm and k8s for the same releases and objects.

Whole processes on the lab that is up, alternating, medians, after one run of each that does not count: both find Python's bytecode as any
second run does, also where PYTHONDONTWRITEBYTECODE would leave a fresh clone without it. Both must report changed=0. Ours also checks the
cluster's identity, looks for objects of releases that were deleted by hand, and verifies that every component works; the peer does none of
that.

    ours <= 0.25 x peer

The last line of stdout is one JSON object. Exit code 1 where the target is missed. Options: --rounds 5.
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

from labrun import PLAYBOOK, LabRun  # noqa: E402

OF_PEER = 0.25
RELEASES = {"cert-manager": "cert-manager", "sealed-secrets": "enclii-system", "metrics-server": "enclii-system"}
CRDS = {"cert-manager": "cert-manager.io", "sealed-secrets": "bitnami.com"}
SERVER_FIELDS = ("managedFields", "uid", "resourceVersion", "creationTimestamp", "generation")
Obj = dict[str, t.Any]


def wanted(live: Obj) -> Obj:
    """A live object as somebody would have written it."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in SERVER_FIELDS}
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata}


class Peer:
    """Charts, values and objects of the lab's platform, as files for peer.yml."""

    def __init__(self, run: LabRun, home: pathlib.Path) -> None:
        self.run, self.home = run, home

    def helm(self, *words: str) -> str:
        argv = [f"{self.run.lab.paths['bin']}/helm", "--kubeconfig", str(self.run.kubeconfig), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def write(self, name: str, objects: list[Obj]) -> None:
        assert objects, f"{name}: nothing to compare with; is the platform installed?"
        (self.home / f"{name}.yaml").write_text(yaml.safe_dump_all([wanted(one) for one in objects]))

    def members(self, of: str) -> list[Obj]:
        """The objects of one of our sets, wherever they are."""
        parent = self.run.get("configmap", "-n", "enclii-system", of)["metadata"]
        kinds = parent["annotations"]["applyset.kubernetes.io/contains-group-kinds"].lower()
        label = f"applyset.kubernetes.io/part-of={parent['labels']['applyset.kubernetes.io/id']}"
        return self.run.get(kinds, "-A", "-l", label)["items"]

    def prepare(self) -> None:
        self.write("cluster", [self.run.get("configmap", "-n", "enclii-system", "enclii-cluster")])
        for name in ("baseline", "storage", "cert-manager"):
            self.write(name, self.members(name))
        definitions = self.run.get("crd")["items"]
        for name, group in CRDS.items():
            self.write(f"{name}-crds", [one for one in definitions if one["spec"]["group"].endswith(group)])
        charts = {one["name"]: one["chart"] for one in json.loads(self.helm("list", "-A", "-o", "json"))}
        for name, space in RELEASES.items():
            version = charts[name].removeprefix(f"{name}-")
            chart = f"{self.run.lab.paths['charts']}/{name}"
            self.helm("package", chart, "--version", version, "--destination", str(self.home))
            (self.home / f"{name}-{version}.tgz").rename(self.home / f"{name}.tgz")
            (self.home / f"{name}-values.yaml").write_text(self.helm("get", "values", name, "-n", space, "-o", "yaml"))


def timed(figure: str, *arguments: str) -> float:
    """Seconds of one whole process that must change nothing."""
    argv = [str(PLAYBOOK), "-i", "inventories/local", *arguments]
    began = time.perf_counter()
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
    took = time.perf_counter() - began
    if done.returncode or "changed=0 " not in done.stdout:
        raise SystemExit(
            f"{figure}: exit code {done.returncode}, or something changed\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
        )
    print(f"  {figure:5} {took:6.2f} s", flush=True)
    return took


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    run = LabRun()
    ours = ("site.yml", "--tags", "platform")
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory(prefix="bench-noop-") as home:
        Peer(run, pathlib.Path(home)).prepare()
        peer = ("bench/noop/peer.yml", "-e", f"bench_home={home}")
        pairs = [("ours", ours), ("peer", peer)]
        for figure, arguments in pairs:
            timed(f"{figure}, not counted", *arguments)
        for number in range(rounds):
            for figure, arguments in pairs if number % 2 == 0 else reversed(pairs):
                seconds[figure].append(timed(figure, *arguments))
    medians = {figure: round(statistics.median(values), 3) for figure, values in seconds.items()}
    ratio = round(medians["ours"] / medians["peer"], 3)
    result = {
        "bench": "noop",
        "seconds": medians,
        "all": {figure: [round(value, 2) for value in values] for figure, values in seconds.items()},
        "ratio": ratio,
        "target": OF_PEER,
        "ok": ratio <= OF_PEER,
    }
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
