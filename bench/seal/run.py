# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-seal`: 1,000 new secrets in one task of enclii.platform.sealed_secret, beside kubeseal run once for each.

Each secret has one value and a manifest of its own, for one certificate of 4096 bits, from a file, without a cluster on both sides.
Several rounds in alternating order, medians. The targets:

    module time <= 1 s        the library's front door, from checked arguments to files that are safe on the disk
    >= 50 x faster            than 1,000 runs of kubeseal, which leave their files to the system: a sample each round, its median x 1,000

Reported only: the module's CPU time, which other work on the machine does not touch; the task, a whole ansible-playbook less an empty
one, so that templates, arguments, validation and result count; the same with the module as a process of its own; one file for all; the
same again with nothing to do; the value changed in 1,000 existing files; and two values each on both sides, which is twice the RSA.

A bench that ran within the last minutes slows down the next one in the same place, by the thousands of files that it removed: see
`Bench.fresh`. TMPDIR chooses another place.

Needs the lab's kubeseal (`make lab-build`) or --kubeseal FILE; no cluster, no root. The last line of stdout is one JSON object. Exit
code 1 where a target is missed. Options: --rounds 5, --secrets 1000, --sample 100.
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
sys.path[:0] = [str(ROOT), str(ROOT / ".collections"), str(ROOT / "tests" / "support")]

from sealing import SealingKey, program  # noqa: E402

from ansible_collections.enclii.platform.plugins.module_utils.sealing import seal_front  # noqa: E402

MODULE_SECONDS, FASTER = 1.0, 50.0
DIGEST_KEY = "the key of the digests, from a vault"
Obj = dict[str, t.Any]


def values(number: int, changed: bool = False, two: bool = False) -> dict[str, str]:
    password = {"password": f"{'new' if changed else 'old'}-{number:032}"}
    return {"username": f"user-{number}", **password} if two else password


class Bench:
    """One directory, one key, and the seconds of every run."""

    def __init__(self, home: pathlib.Path, kubeseal: pathlib.Path, count: int) -> None:
        self.home, self.kubeseal, self.count = home, kubeseal, count
        self.sealed = home / "sealed"
        self.cert = home / "cert.pem"
        self.cert.write_bytes(SealingKey(4096).pem)
        self.seconds: dict[str, list[float]] = {}
        host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        (home / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"localhost": host}}}))
        self.playbook("empty", [])
        # become makes it an ordinary module run of its own process
        module = {"become": True, "become_method": "ansible.builtin.su"}
        task = {"name": "Seal", "enclii.platform.sealed_secret": self.arguments(self.secrets())}
        self.playbook("task", [task])
        self.playbook("process", [{**task, **module}])

    def secrets(self, *, changed: bool = False, one_file: bool = False, two: bool = False) -> list[Obj]:
        return [
            {
                "name": f"secret-{number:04}", "namespace": "bench", "data": values(number, changed, two),
                "dest": str(self.sealed / ("all.yaml" if one_file else f"{number:04}.yaml")),
            }
            for number in range(self.count)
        ]  # fmt: skip

    def arguments(self, secrets: list[Obj]) -> Obj:
        return {"secrets": secrets, "certificate": str(self.cert), "digest_key": DIGEST_KEY}

    def playbook(self, name: str, tasks: list[Obj]) -> None:
        (self.home / f"{name}.yml").write_text(
            json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
        )

    def record(self, figure: str, seconds: float) -> None:
        self.seconds.setdefault(figure, []).append(seconds)
        print(f"  {figure:22} {seconds:8.3f} s", flush=True)

    def fresh(self) -> None:
        """An empty directory. The old files stay until the end: ext4 searches long for an inode where many were freed just before."""
        if self.sealed.exists():
            self.sealed.rename(self.home / f"old-{time.monotonic_ns()}")
        self.sealed.mkdir()

    def module(self, figure: str, secrets: list[Obj], changed: int) -> None:
        """The front door alone, as module and action call it."""
        began, cpu = time.perf_counter(), time.process_time()
        told = seal_front.seal(self.arguments(secrets), {})
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        assert sum(one["changed"] for one in told["secrets"]) == changed, figure
        self.record(figure, took)
        if figure == "module":
            self.record("module, CPU", cpu)

    def ansible(self, figure: str, changed: int) -> None:
        argv = [
            str(ROOT / ".venv/bin/ansible-playbook"),
            "-i",
            str(self.home / "inventory.yml"),
            str(self.home / f"{figure}.yml"),
        ]
        # As at a user's: Python may keep the bytecode of what it has compiled.
        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        began = time.perf_counter()
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
        took = time.perf_counter() - began
        if done.returncode or (changed and f"changed={changed} " not in done.stdout):
            raise SystemExit(f"{figure}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        self.record(figure, took)

    def peer(self, sample: int) -> None:
        """kubeseal once for each of a sample of secrets."""
        for two in (False, True):
            runs = []
            home = self.home / f"peer-{time.monotonic_ns()}"
            home.mkdir()
            for number in range(sample):
                manifest = {
                    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"secret-{number:04}", "namespace": "bench"},
                    "stringData": values(number, two=two),
                }  # fmt: skip
                source, target = home / f"{number}.json", home / f"{number}.yaml"
                source.write_text(json.dumps(manifest))
                argv = [
                    str(self.kubeseal),
                    "--cert",
                    str(self.cert),
                    "-o",
                    "yaml",
                    "-f",
                    str(source),
                    "-w",
                    str(target),
                ]
                began = time.perf_counter()
                subprocess.run(argv, check=True, capture_output=True)
                runs.append(time.perf_counter() - began)
            self.record("kubeseal, two values" if two else "kubeseal", statistics.median(runs))

    def new(self) -> None:
        self.fresh()
        self.module("module", self.secrets(), self.count)
        self.fresh()
        self.module("two values", self.secrets(two=True), self.count)
        self.fresh()
        self.module("one file", self.secrets(one_file=True), self.count)

    def rest(self) -> None:
        """What replaces or is slow to start, after all new files are measured: see `fresh`."""
        self.ansible("empty", 0)
        self.fresh()
        self.ansible("task", 1)
        assert len(list(self.sealed.iterdir())) == self.count
        self.module("again", self.secrets(), 0)
        self.module("edited", self.secrets(changed=True), self.count)
        self.fresh()
        self.ansible("process", 1)


def report(bench: Bench) -> Obj:
    medians = {figure: statistics.median(found) for figure, found in bench.seconds.items()}
    peer = medians["kubeseal"] * bench.count
    task = medians["task"] - medians["empty"]
    allowed = MODULE_SECONDS * bench.count / 1000
    targets = {
        f"module time at most {allowed:g} s": {"value": medians["module"], "target": allowed, "ok": medians["module"] <= allowed},
        f"at least {FASTER:g} times faster": {
            "value": peer / medians["module"], "target": FASTER, "ok": peer / medians["module"] >= FASTER,
        },
    }  # fmt: skip
    return {
        "bench": "seal",
        "secrets": bench.count,
        "seconds": {
            **medians,
            "kubeseal, all": peer,
            "task - empty": task,
            "process - empty": medians["process"] - medians["empty"],
        },
        "all": bench.seconds,
        "ratios": {
            "kubeseal / module": peer / medians["module"],
            "kubeseal / module, two values": medians["kubeseal, two values"] * bench.count / medians["two values"],
            "kubeseal / task": peer / task,
            "kubeseal / process": peer / (medians["process"] - medians["empty"]),
            "kubeseal / whole playbook": peer / medians["task"],
        },
        "targets": targets,
        "ok": all(target["ok"] for target in targets.values()),
    }


def rounded(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--secrets", type=int, default=1000)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--kubeseal", type=pathlib.Path, default=None)
    options = parser.parse_args()
    kubeseal = options.kubeseal or program("kubeseal")
    if not kubeseal.is_file():
        raise SystemExit(f"bench-seal: no {kubeseal}; `make lab-build` makes it")
    load = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="bench-seal-") as home:
        bench = Bench(pathlib.Path(home), kubeseal, options.secrets)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}, {options.secrets} secrets", flush=True)
            turns: list[t.Callable[[], None]] = [bench.new, lambda: bench.peer(options.sample)]
            for turn in turns if number % 2 == 0 else reversed(turns):
                turn()
        for _round in range(options.rounds):
            bench.rest()
        result = {**report(bench), "load_before_and_after": [load[0], os.getloadavg()[0]]}
    for name, target in result["targets"].items():
        print(f"{name:26} {target['value']:8.2f}  {'ok' if target['ok'] else 'MISSED'}")
    print(json.dumps(rounded(result), sort_keys=True))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
