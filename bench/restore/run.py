#!/usr/bin/env python3
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of a restore proof by phase, against `pgbackrest restore` alone, with the real programs and no cluster.

    make bench-restore                      5 GB, four rounds
    bench/restore/run.py --megabytes 200    something smaller

A database of that size is made with a full backup, an incremental one and WAL after it, encrypted and bundled as the role has it.
Then in turn, for as many rounds as asked for: `pgbackrest restore` of the newest backup into an empty directory, and the whole proof
of it. What the proof costs beside pgBackRest's and PostgreSQL's programs is its own; in a cluster the pod's start comes on top, which
the module reports as provision_seconds and remove_seconds. Prints a table, and one line of JSON at the end. The exit code is 0 only if
the medians reach the targets.

Programs are those of our images, as the user of the images; see tests/support/pods.py. Needs root.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil
import statistics
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT),
    str(ROOT / ".collections"),
    str(ROOT / "tests" / "support"),
    str(ROOT / "tests" / "integration" / "restoring"),
]

import conftest as restoring  # noqa: E402
import pods  # noqa: E402

from ansible_collections.enclii.platform.plugins.module_utils.restoring.front import TOOLS  # noqa: E402

RATIO, OWN_SECONDS = 1.2, 15.0
Obj = dict[str, t.Any]


def filled(machine: restoring.Machine, megabytes: int) -> tuple[restoring.Origin, Obj]:
    """A stopped cluster of that size with its backups, and what is asked of them."""
    one = restoring.Origin(machine)
    one.init()
    one.start()
    try:
        one.pgbackrest("stanza-create")
        one.sql("create table filler (id bigint primary key, what text)")
        # 150 bytes of text that does not compress to nothing, 210 with row and index
        step = 4_000_000
        rows = megabytes * 1_000_000 // 210
        for first in range(0, rows, step):
            last = min(first + step, rows)
            text = "md5(g::text) || md5((g + 1)::text) || md5((g + 2)::text) || md5((g + 3)::text) || 'abcdefghijklmnopqrstuv'"
            one.sql(f"insert into filler select g, {text} from generate_series({first}, {last - 1}) g")
        one.sql("vacuum (analyze) filler")
        size = int(one.sql("select sum(pg_database_size(oid)) from pg_database"))
        one.backup("full")
        one.sql("update filler set what = 'x' where id % 1000 = 0")
        label = one.backup("incr")
        marked = one.mark()
        one.sql("update filler set what = 'y' where id % 1000 = 1")
        last_one = one.archived()
    finally:
        one.stop()
    return one, {"marked": marked, "label": label, "last": last_one, "bytes": size}


def alone(one: restoring.Origin, machine: restoring.Machine, copy: restoring.Copy, jobs: int) -> float:
    """Seconds of `pgbackrest restore` by itself."""
    place = machine.base / "alone"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    machine.own(place)
    began = time.perf_counter()
    argv = [
        restoring.PGBACKREST,
        f"--stanza={restoring.STANZA}",
        f"--pg1-path={machine.home / 'alone'}",
        f"--process-max={jobs}",
        "restore",
    ]
    machine.pod.run(*argv, timeout=3600, **copy.environment)
    took = time.perf_counter() - began
    shutil.rmtree(place)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    if reason := pods.missing():
        print(f"bench-restore: {reason}", file=sys.stderr)
        return 2
    machine = restoring.Machine(disk=True)
    try:
        one, told = filled(machine, asked.megabytes)
        print(f"{told['bytes'] / 1e9:.2f} GB, {asked.jobs} processes", flush=True)
        base = {
            "stanza": restoring.STANZA,
            "system_id": told["marked"]["system_id"],
            "archived": told["last"],
            "manifest": told["marked"],
        }
        copy = restoring.Copy(machine, one, "bench", base)
        shutil.rmtree(machine.base / one.name / "pg")
        rounds: list[Obj] = []
        for number in range(asked.rounds):
            # What is written first leaves the other one a disk at work: they take turns.
            plain = alone(one, machine, copy, asked.jobs) if number % 2 == 0 else 0.0
            began = time.perf_counter()
            found = copy.prove(jobs=asked.jobs, asked=time.time())
            whole = time.perf_counter() - began
            plain = plain or alone(one, machine, copy, asked.jobs)
            if found["verdict"] != "PASS":
                raise SystemExit(f"bench-restore: {json.dumps(found, indent=1)}")
            phases = found["phases"]
            own = whole - sum(phases.get(name, 0.0) for name in TOOLS)
            rounds.append({"alone": plain, "whole": whole, "own": own, "ratio": phases["restore"] / plain, **phases})
            parts = ", ".join(f"{name} {value:.1f}" for name, value in phases.items() if name != "total")
            print(
                f"  {number + 1} of {asked.rounds}: alone {plain:.1f} s, proof {whole:.1f} s, own {own:.1f} s ({parts})",
                flush=True,
            )
    finally:
        machine.remove()
    median = {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}
    targets = {"restore_ratio": RATIO, "own_s": OWN_SECONDS}
    ok = median["ratio"] <= RATIO and median["own"] <= OWN_SECONDS
    print(
        f"restore phase {median['ratio']:.2f} of pgbackrest alone (at most {RATIO}), "
        f"own {median['own']:.1f} s (at most {OWN_SECONDS:.0f} s)"
    )
    about = {"bench": "restore", "bytes": told["bytes"], "rounds": asked.rounds}
    ratios = {"restore": median.pop("ratio")}
    print(json.dumps({**about, "figures": median, "ratios": ratios, "targets": targets, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
