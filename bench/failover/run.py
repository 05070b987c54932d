# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-failover`: the longest time in which a writer of one row every 10 ms could not commit, and whether a commit was lost.

On the lab that is up, with the database on its workers. Four events, each with the fast and the default timing: a switchover, the
leader's container killed, its pod deleted by force, its node killed. Before each, three members stream in quorum mode. The writer sits on
the control plane's node and goes through the read-write Service; afterwards every acknowledged row is looked for.

    acknowledged commits lost = 0
    node killed, fast timing, median <= 25 s

The last line of stdout is one JSON object. Exit code 1 where a target is missed. Options: --rounds 10, --only EVENT, --timing TIMING.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import secrets
import statistics
import subprocess
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import yaml  # noqa: E402
from labrun import LabRun  # noqa: E402

TARGET = 25.0
SPACE, CLUSTER = "enclii-data", "postgres"
WRITER = pathlib.Path(__file__).with_name("writer.py")
LASTS = {"switchover": 20, "container": 60, "pod": 60, "node": 90}  # seconds that the writer writes
EVENTS = tuple(LASTS)
TIMINGS = ("fast", "default")
Obj = dict[str, t.Any]


class Database:
    """The database of the lab, and the writer's pod."""

    def __init__(self, run: LabRun) -> None:
        self.run = run
        self._password = secrets.token_urlsafe(24)
        self._next = 1

    def inside(self, pod: str, *words: str, given: str | None = None) -> str:
        return self.run.kubectl("exec", "-i", "-n", SPACE, pod, "-c", "postgres", "--", *words, given=given)

    def members(self) -> list[Obj]:
        """What patronictl lists; [] while it cannot."""
        for pod in (f"{CLUSTER}-{number}" for number in range(3)):
            try:
                listed = self.inside(pod, "patronictl", "-c", "/etc/patroni/patroni.yml", "list", "-f", "json")
                return t.cast("list[Obj]", json.loads(listed))
            except (AssertionError, ValueError, subprocess.TimeoutExpired):
                continue
        return []

    def leader(self) -> str:
        return next((one["Member"] for one in self.members() if one["Role"] == "Leader"), "")

    def whole(self) -> str:
        """The leader, where three members stream and two of them make the quorum; else ''."""
        members = self.members()
        roles = sorted(one["Role"] for one in members)
        states = sorted(one["State"] for one in members)
        fine = roles == ["Leader", "Quorum Standby", "Quorum Standby"] and states == [
            "running",
            "streaming",
            "streaming",
        ]
        return self.leader() if fine and len({one["TL"] for one in members}) == 1 else ""

    def sql(self, text: str, database: str = "postgres") -> str:
        """What the leader answers; the text goes over standard input, so that no password is an argument."""
        words = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]
        return self.inside(self.leader(), *words, given=text)

    def prepare(self) -> None:
        """A role, a database and a pod of the writer's own."""
        self.remove()
        self.sql(
            f"SET log_statement = 'none'; SET pgaudit.log = 'none'; CREATE ROLE bench LOGIN PASSWORD '{self._password}';"
        )
        self.sql("CREATE DATABASE bench OWNER bench;")
        self.sql(
            "SET ROLE bench; CREATE TABLE written (id bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());",
            "bench",
        )
        about = {"namespace": SPACE, "name": "bench-writer"}
        settings = {"PGHOST": CLUSTER, "PGUSER": "bench", "PGDATABASE": "bench", "PGPASSWORD": self._password}
        settings |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca/ca.crt"}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": about, "stringData": settings}
        self.run.kubectl("apply", "-f", "-", given=json.dumps(secret))
        self.run.kubectl("apply", "-f", "-", given=json.dumps(self.pod(about)))
        self.run.kubectl("wait", "-n", SPACE, "pod/bench-writer", "--for=condition=Ready", "--timeout=120s")

    def pod(self, about: Obj) -> Obj:
        images = yaml.safe_load(self.run.kubectl("get", "statefulset", CLUSTER, "-n", SPACE, "-o", "yaml"))
        image = images["spec"]["template"]["spec"]["containers"][0]["image"]
        closed = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        container = {
            "name": "postgres", "image": image, "command": ["sleep", "infinity"], "envFrom": [{"secretRef": {"name": "bench-writer"}}],
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}, "securityContext": closed,
            "volumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
        }  # fmt: skip
        items = [{"key": "ca.crt", "path": "ca.crt"}]
        return {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {**about, "labels": {"flow.enclii.dev/postgres-sql": "client"}},
            "spec": {
                "nodeName": "cp-1", "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0, "containers": [container],
                "tolerations": [{"operator": "Exists"}],
                "securityContext": {"runAsNonRoot": True, "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"}},
                "volumes": [{"name": "ca", "secret": {"secretName": f"{CLUSTER}-server", "items": items}}],
            },
        }  # fmt: skip

    def remove(self) -> None:
        self.run.kubectl(
            "delete", "pod,secret", "bench-writer", "-n", SPACE, "--ignore-not-found", "--grace-period=0", "--force"
        )
        self.sql("DROP DATABASE IF EXISTS bench WITH (FORCE);")
        self.sql("DROP ROLE IF EXISTS bench;")

    def write(self, seconds: int) -> subprocess.Popen[str]:
        """The writer, once it has committed."""
        first, self._next = self._next, self._next + seconds * 1000
        argv = [
            f"{self.run.lab.paths['bin']}/kubectl",
            "--kubeconfig",
            str(self.run.kubeconfig),
            "exec",
            "-i",
            "-n",
            SPACE,
            "bench-writer",
        ]
        argv += ["--", "python3", "-", str(seconds), str(first)]
        with WRITER.open() as source:
            process = subprocess.Popen(argv, stdin=source, stdout=subprocess.PIPE, text=True)
        assert process.stdout and process.stdout.readline() == "ready\n", "the writer could not write"
        return process

    def lost(self, acknowledged: list[list[int]]) -> int:
        """How many acknowledged rows are not there."""
        there = self.sql("SELECT id FROM written ORDER BY id;", "bench").split()
        wanted = {number for first, last in acknowledged for number in range(first, last + 1)}
        return len(wanted - set(map(int, there)))


def happen(base: Database, event: str, leader: str) -> t.Callable[[], None]:
    """Make it happen; what is to be done afterwards."""
    run, node = base.run, base.run.get("pod", leader, "-n", SPACE)["spec"]["nodeName"]
    if event == "switchover":
        words = ["patronictl", "-c", "/etc/patroni/patroni.yml", "switchover", CLUSTER, "--leader", leader, "--force"]
        base.inside(leader, *words)
    elif event == "container":
        find = f"crictl ps -q --name '^postgres$' --pod $(crictl pods -q --name '^{leader}$' --state ready)"
        run.on(node, f"kill -9 $(crictl inspect --output go-template --template '{{{{.info.pid}}}}' $({find}))")
    elif event == "pod":
        run.kubectl("delete", "pod", leader, "-n", SPACE, "--grace-period=0", "--force")
    else:
        run.power("kill", node)
        return lambda: run.power("start", node)
    return lambda: None


def one(base: Database, event: str) -> Obj:
    """{gap: seconds, lost: rows} of one event."""
    leader = base.run.until("three members stream in quorum mode", base.whole, 300)
    writer = base.write(LASTS[event])
    afterwards = happen(base, event, leader)
    try:
        said, _ = writer.communicate(timeout=LASTS[event] + 60)
    finally:
        writer.kill()
        afterwards()
    told = json.loads(said.splitlines()[-1])
    base.run.until("there is a leader", base.leader, 120)
    return {"gap": told["gap"], "lost": base.lost(told["acknowledged"]), "moved": base.leader() != leader}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", choices=EVENTS, action="append")
    parser.add_argument("--timing", choices=TIMINGS, action="append")
    options = parser.parse_args()
    base = Database(LabRun())
    figures: Obj = {}
    for timing in options.timing or TIMINGS:
        base.run.playbook("site", "--tags", "patroni", "-e", f"patroni_timing={timing}").succeeded()
        base.run.until("three members stream in quorum mode", base.whole, 300)
        base.prepare()
        try:
            for event in options.only or EVENTS:
                seen = []
                for number in range(1, options.rounds + 1):
                    seen.append({**one(base, event), "load": os.getloadavg()[0]})
                    print(f"{timing} {event} {number}: {seen[-1]}", flush=True)
                gaps = sorted(each["gap"] for each in seen)
                figures[f"{timing}_{event}"] = {
                    "median_s": round(statistics.median(gaps), 2), "longest_s": gaps[-1], "lost": sum(each["lost"] for each in seen),
                    "moved": sum(each["moved"] for each in seen),
                }  # fmt: skip
        finally:
            base.run.until("three members stream in quorum mode", base.whole, 300)
            base.remove()
    base.run.playbook("site", "--tags", "patroni").succeeded()
    slow = figures.get("fast_node", {}).get("median_s", 0.0)
    ok = slow <= TARGET and not any(each["lost"] for each in figures.values())
    print(
        json.dumps(
            {
                "bench": "failover",
                "rounds": options.rounds,
                "figures": figures,
                "targets": {"fast_node_median_s": TARGET, "lost": 0},
                "ok": ok,
            }
        )
    )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
