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
import statistics
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from database import CLUSTER, SPACE, Database, Obj  # noqa: E402
from labrun import LabRun  # noqa: E402

TARGET = 25.0
LASTS = {
    "switchover": 10,
    "container": 60,
    "pod": 60,
    "node": 90,
}  # seconds that the writer writes, unless a gap is over sooner
EVENTS = tuple(LASTS)
TIMINGS = ("fast", "default")


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
    writer = base.write(LASTS[event], "enough")
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
        base.run.playbook("platform", "--tags", "patroni", "-e", f"patroni_timing={timing}", database=True).succeeded()
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
    base.run.playbook("platform", "--tags", "patroni", database=True).succeeded()
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
