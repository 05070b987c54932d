# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules and dashboards as tests read them: which names an expression uses, which names there are, and promtool."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import typing as t

import yaml

import house

Obj = dict[str, t.Any]
CATALOGUE = house.ROOT / "tests" / "unit" / "rules" / "metrics.yml"
WORDS = {
    "and",
    "or",
    "unless",
    "offset",
    "bool",
    "by",
    "on",
    "without",
    "ignoring",
    "group_left",
    "group_right",
    "inf",
    "nan",
}
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}


def program() -> pathlib.Path | None:
    """promtool as the lab built it, else the one of PATH, else nothing."""
    from lab import builds
    from lab.core import LabError

    try:
        built = pathlib.Path(builds.place("promtool") / "promtool")
    except (LabError, OSError):  # no Go here, so that the lab can have built nothing
        built = None
    if built and built.exists():
        return built
    found = shutil.which("promtool")
    return pathlib.Path(found) if found else None


def missing() -> str:
    """Why promtool cannot run; '' where it can."""
    return (
        "" if program() else "promtool is not built: python -c \"from lab import builds; builds.ensure(['promtool'])\""
    )


def promtool(*words: str | pathlib.Path) -> tuple[int, str]:
    """(exit code, everything it printed)"""
    done = subprocess.run([program() or "promtool", *words], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def rules(folder: pathlib.Path) -> list[Obj]:
    """All rules of a directory of groups."""
    files = sorted(folder.glob("*.yaml"))
    return [rule for path in files for group in house.load(path)["groups"] for rule in group["rules"]]


def catalogue() -> dict[str, set[str]]:
    """{metric: labels}, those of the scrape among them."""
    scraped = {"job", "instance"}
    return {
        name: scraped | set(source["target"]) | set(labels)
        for source in yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")).values()
        for name, labels in source["metrics"].items()
    }


def names(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", text)
    text = re.sub(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", text)
    text = re.sub(r"\boffset\s+\w+", "", text)
    found = re.findall(r"(?<![\w:.])([A-Za-z_:][\w:]*)(?!\s*\(|[\w:])", text)
    return set(found) - WORDS


def exported(exposition: str) -> dict[str, set[str]]:
    """{metric: labels} in what an exporter answers."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? ", exposition, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', labels))
    return found


def expressions(dashboard: Obj) -> list[str]:
    """What the panels of a dashboard ask, and what its variables do, the variables filled in."""
    asked = [target["expr"] for panel in panels(dashboard) for target in panel.get("targets", [])]
    defined = [variable.get("definition", "") for variable in dashboard["templating"]["list"]]
    asked += [match[1] for one in defined if (match := re.match(r"label_values\((.*), \w+\)$", one))]
    return [filled(one, dashboard) for one in asked]


def panels(dashboard: Obj) -> list[Obj]:
    """Its panels, those inside folded rows too."""
    return [inner for panel in dashboard["panels"] for inner in [panel, *panel.get("panels", [])]]


def filled(expression: str, dashboard: Obj) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    for variable in dashboard["templating"]["list"]:
        expression = expression.replace(f"${variable['name']}", "x")
    return expression


def parse(asked: list[str], where: pathlib.Path) -> str:
    """What promtool has against expressions; '' where it has nothing. where: a file that it writes."""
    made = [{"record": f"parsed:{number}", "expr": one} for number, one in enumerate(asked)]
    where.write_text(json.dumps({"groups": [{"name": "parsed", "rules": made}]}), encoding="utf-8")
    code, said = promtool("check", "rules", where)
    return said if code else ""
