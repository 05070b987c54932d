# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make proof-postgresql`: what takes minutes, on the lab that is up with its database (about 20 minutes).

- Certificates of one hour, which cert-manager renews every few minutes, three times under load: one client writes over one
  connection, another connects anew for each row. Neither sees a failure, and no container restarts.
- The bucket is away for five minutes under writes. Nothing waits, nothing is lost, and afterwards a restore is proved.

Writes bench/results/proof-postgresql.json, prints it as its last line, and exits with 1 where something failed.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import subprocess
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from database import CLUSTER, SPACE, Database, Obj  # noqa: E402
from labrun import LabRun  # noqa: E402

from proof import results  # noqa: E402

PROVES = ("roles/patroni", "images/patroni", "plugins/module_utils/postgres", "proof/postgresql")
# cert-manager renews when so much is left of an hour: four minutes after the last time. A kubelet takes up to 90 seconds to bring a
# changed Secret into its pods.
SHORT = {"patroni_certificate_duration": "1h", "patroni_certificate_renew_before": "56m"}
RENEWALS, UNDER_LOAD, AWAY = 3, 17 * 60, 300
PODS = [f"{CLUSTER}-{number}" for number in range(3)]


def platform(run: LabRun, **variables: t.Any) -> None:
    words = ["--tags", "patroni", "-e", json.dumps(variables)]
    run.playbook("platform", *words, database=True).succeeded()


def told(writer: subprocess.Popen[str], patience: float) -> Obj:
    """What a writer says at its end."""
    return dict(json.loads(writer.communicate(timeout=patience)[0].splitlines()[-1]))


def fresh(run: LabRun, image: str, restarts: bool = False) -> Obj:
    """Container -> image, or how often it was started again, of all members."""
    found = [run.get("pod", pod, "-n", SPACE) for pod in PODS]
    field = "restartCount" if restarts else image
    return {
        f"{pod['metadata']['name']}/{one['name']}": one[field]
        for pod in found
        for one in pod["status"]["containerStatuses"]
    }


def renewals(base: Database) -> Obj:
    """{"renewed": times, "seconds": each time from the new Secret until all members show it, "writers": [...], "restarts"}."""
    run = base.run
    before = fresh(run, "image", restarts=True)
    writers = [base.write(UNDER_LOAD), base.write(UNDER_LOAD, "anew")]
    seconds: list[float] = []
    try:
        platform(run, **SHORT)
        seen = base.certificate()
        for _number in range(RENEWALS):
            run.until("cert-manager renews", lambda seen=seen: base.certificate() != seen, 360)
            seen, began = base.certificate(), time.monotonic()
            for pod in PODS:
                for port in (5432, 8008):
                    run.until(
                        f"{pod} shows it on {port}",
                        lambda pod=pod, port=port, seen=seen: base.served(pod, port) == seen,
                        150,
                    )
            seconds.append(round(time.monotonic() - began, 1))
            print(f"renewed, and shown by all after {seconds[-1]} s", flush=True)
        ends = [told(one, UNDER_LOAD + 60) for one in writers]
    finally:
        for one in writers:
            one.kill()
    lost = sum(base.lost(one["acknowledged"]) for one in ends)
    kept = [{"gap_s": one["gap"], "refused": one["refused"]} for one in ends]
    restarted = fresh(run, "", restarts=True) != before
    return {"renewed": len(seconds), "seconds": seconds, "writers": kept, "lost": lost, "restarted": restarted}


def away(base: Database) -> Obj:
    """{"gap_s", "refused", "lost", "caught_up_s", "restored"}: a bucket that is away for minutes."""
    run = base.run
    server, writer = run.lab.container("s3"), base.write(AWAY + 60)
    try:
        time.sleep(5)
        subprocess.run(["podman", "stop", "--time", "1", server], check=True, capture_output=True)
        try:
            time.sleep(AWAY)
        finally:
            subprocess.run(["podman", "start", server], check=True, capture_output=True)
        end = told(writer, 180)
    finally:
        writer.kill()
    lost, began = base.lost(end["acknowledged"]), time.monotonic()
    segment = base.sql("SELECT pg_walfile_name(pg_switch_wal());").strip()
    archived = "SELECT last_archived_wal FROM pg_stat_archiver;"
    run.until("all of it is archived", lambda: base.sql(archived).strip() >= segment, 300)
    caught_up = round(time.monotonic() - began, 1)
    targets = json.dumps({"patroni_restore_targets": [{"type": "latest"}]})
    restored = run.playbook("verify_restore", "-e", targets, database=True).rc == 0
    return {
        "gap_s": end["gap"],
        "refused": end["refused"],
        "lost": lost,
        "caught_up_s": caught_up,
        "restored": restored,
    }


def main() -> int:
    base = Database(LabRun())
    base.run.until("three members stream in quorum mode", base.whole, 300)
    base.prepare()
    versions = {
        "images": sorted(set(fresh(base.run, "image").values())),
        "server": base.sql("SHOW server_version;").strip(),
    }
    try:
        figures: Obj = {"renewals": renewals(base)}
        platform(base.run)
        base.run.until("three members stream in quorum mode", base.whole, 300)
        figures["bucket_away"] = away(base)
    finally:
        platform(base.run)
        base.run.until("three members stream in quorum mode", base.whole, 300)
        base.remove()
    renewed, gone = figures["renewals"], figures["bucket_away"]
    ok = (
        renewed["renewed"] == RENEWALS
        and not renewed["restarted"]
        and not any(one["refused"] for one in (*renewed["writers"], gone))
        and not renewed["lost"] + gone["lost"]
        and gone["restored"]
    )
    now = datetime.datetime.now(datetime.UTC)
    path = results.write("postgresql", versions, figures, ok=ok, now=now)
    print(json.dumps(json.loads(path.read_text(encoding="utf-8"))))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
