# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dated results of the long proofs in bench/results: written by `make proof-<name>`, and what `make test` says of them.

A result is {"proof", "commit", "clean": nothing was changed beside that commit, "ended": UTC, "versions": {…}, "figures": {…}, "ok"}. It is
fresh for 30 days, for as long as nothing changes below the paths that its proof names in PROVES.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import pathlib
import subprocess
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
DAYS = 30
Obj = dict[str, t.Any]
Git = t.Callable[..., str]


def git(*words: str) -> str:
    """Output of git in this clone."""
    return subprocess.run(["git", *words], cwd=ROOT, text=True, capture_output=True, check=True).stdout.strip()


def write(
    name: str, versions: Obj, figures: Obj, *, ok: bool, now: datetime.datetime, folder: pathlib.Path = RESULTS
) -> pathlib.Path:
    """Write a result; its path."""
    told = {
        "proof": name, "commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain"),
        "ended": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "versions": versions, "figures": figures, "ok": ok,
    }  # fmt: skip
    path = folder / f"proof-{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return path


def state(
    name: str, proves: t.Sequence[str], now: datetime.datetime, folder: pathlib.Path = RESULTS, run: Git = git
) -> str:
    """What is wrong with a proof's result; "" where it is fresh."""
    path = folder / f"proof-{name}.json"
    if not path.exists():
        return f"missing: make proof-{name}"
    told = json.loads(path.read_text(encoding="utf-8"))
    if not told["ok"]:
        return f"failed on {told['ended']}: see {path.name}"
    ended = datetime.datetime.strptime(told["ended"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    if now - ended > datetime.timedelta(days=DAYS):
        return f"older than {DAYS} days ({told['ended']})"
    try:
        changed = run("diff", "--name-only", told["commit"], "--", *proves).splitlines()
    except subprocess.CalledProcessError:
        return f"of a commit that is not in this clone ({told['commit'][:9]})"
    if changed:
        return f"older than what it proves: {changed[0]}{f' and {len(changed) - 1} more' if len(changed) > 1 else ''} changed since"
    return ""


def proofs() -> dict[str, tuple[str, ...]]:
    """Name -> the paths whose code it proves."""
    sys.path.insert(0, str(ROOT))
    found = sorted(path.parent.name for path in (ROOT / "proof").glob("*/run.py"))
    return {name: tuple(importlib.import_module(f"proof.{name}.run").PROVES) for name in found}


def main() -> int:
    parser = argparse.ArgumentParser(description="What is known of the long proofs.")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where one is not fresh, as for a release")
    options = parser.parse_args()
    now, stale = datetime.datetime.now(datetime.UTC), 0
    for name, proves in proofs().items():
        wrong = state(name, proves, now)
        stale += bool(wrong)
        print(f"proof-{name}: {wrong or 'fresh'}")
    return 1 if options.strict and stale else 0


if __name__ == "__main__":
    sys.exit(main())
