# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts, recording rules and dashboards of the database: what promtool says of them, and what it does not look at."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import rules
import yaml

import house

Obj = dict[str, t.Any]
HERE = Path(__file__).resolve().parent
FILES = house.ROOT / "roles" / "patroni" / "files"
RUNBOOK = house.ROOT / "docs" / "runbooks" / "postgresql.md"
RUNBOOK_URL = "https://github.com/enclii/platform/blob/main/docs/runbooks/postgresql.md#"
RULE_FILES = sorted((FILES / "rules").glob("*.yaml"))
CASES = sorted(HERE.glob("*.test.yaml"))
DASHBOARDS = sorted((FILES / "dashboards").glob("*.json"))
RULES = rules.rules(FILES / "rules")
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
SERIES = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?$", re.DOTALL)
LABEL = re.compile(r'(\w+)="')

needs_promtool = pytest.mark.skipif(bool(rules.missing()), reason=rules.missing())


def name(path: Path) -> str:
    return path.name


def cases() -> t.Iterator[tuple[str, Obj]]:
    """(file, case) of everything promtool is asked."""
    for path in CASES:
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            yield path.name, case


# What promtool says
@needs_promtool
def test_rules_parse() -> None:
    code, said = rules.promtool("check", "rules", *RULE_FILES)
    assert code == 0, said


@needs_promtool
@pytest.mark.parametrize("path", CASES, ids=name)
def test_alerts_fire_and_do_not(path: Path) -> None:
    code, said = rules.promtool("test", "rules", path)
    assert code == 0, said


@needs_promtool
@pytest.mark.parametrize("path", DASHBOARDS, ids=name)
def test_dashboard_parses(path: Path, tmp_path: Path) -> None:
    asked = rules.expressions(json.loads(path.read_text(encoding="utf-8")))
    assert asked and rules.parse(asked, tmp_path / "asked.json") == ""


@needs_promtool
def test_parsing_finds_what_does_not_parse(tmp_path: Path) -> None:
    assert "parse error" in rules.parse(["up{", "up"], tmp_path / "asked.json")


# What the cases have to hold
@pytest.mark.parametrize("alert", ALERTS)
def test_alert_is_tested_both_ways(alert: str) -> None:
    checks = [
        (file, check) for file, case in cases() for check in case["alert_rule_test"] if check["alertname"] == alert
    ]
    fires = [one for _, check in checks for one in check["exp_alerts"]]
    assert fires and all(one["exp_annotations"] for one in fires)
    # a healthy cluster, and one that is nearly as ill as where it fires
    assert {file == "healthy.test.yaml" for file, check in checks if not check["exp_alerts"]} == {True, False}


def test_cases_know_only_alerts_that_exist() -> None:
    assert {check["alertname"] for _, case in cases() for check in case["alert_rule_test"]} == set(ALERTS)


def test_cases_use_series_as_they_are_exported() -> None:
    known, wrong = rules.catalogue(), []
    for file, case in cases():
        for series in case["input_series"]:
            match = SERIES.match(series["series"].strip())
            assert match, series
            if strange := set(LABEL.findall(match[2] or "")) - known.get(match[1], set()):
                wrong.append(f"{file}: {match[1]} has no {', '.join(sorted(strange))}")
    assert wrong == []


# What people read
@pytest.mark.parametrize("alert", ALERTS)
def test_alert_says_what_where_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"] == {"severity": rule["labels"].get("severity"), "component": "patroni"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert re.fullmatch(r"[1-9]\d*[mhd]", rule["for"])
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert "$labels." in notes["summary"] and "$labels." in notes["description"]
    assert len(notes["summary"]) < 120 and not notes["summary"].endswith(".")
    assert re.search(r"\. .*\bNext: .+\.$|: .* Next: .+\.$", notes["description"])


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_its_page(alert: str) -> None:
    url = ALERTS[alert]["annotations"]["runbook_url"]
    assert url == RUNBOOK_URL + house.slug(alert)
    assert house.slug(alert) in house.anchors(RUNBOOK.read_text(encoding="utf-8"))


def test_page_names_no_alert_that_is_not_there() -> None:
    named = set(re.findall(r"\bPostgres[A-Z]\w+", RUNBOOK.read_text(encoding="utf-8")))
    assert named == set(ALERTS)


@pytest.mark.parametrize("path", RULE_FILES, ids=name)
def test_each_wait_has_its_reason(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r"^      - alert: (\w+)$", text, re.MULTILINE):
        before = re.search(r"# (\w+): [^\n]+\n(?:      # [^\n]+\n)*$", text[: match.start()])
        assert before and before[1] == ALERTS[match[1]]["for"], match[1]


# Names
def test_names_are_found() -> None:
    asked = 'sum by (a) (rate(up{job="x"}[5m] offset 1m)) > on (b) group_left (c) 2 * 1e9 and enclii:x:y unless time() - foo == bool 1'
    assert rules.names(asked) == {"up", "enclii:x:y", "foo"}
    assert rules.exported('# HELP a b\na 1\nb_total{c="d"} 2\n') == {"a": set(), "b_total": {"c"}}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rule_uses_known_metrics(rule: Obj) -> None:
    assert rules.names(rule["expr"]) - set(rules.catalogue()) - RECORDED == set()


@pytest.mark.parametrize("path", DASHBOARDS, ids=name)
def test_dashboard_uses_known_metrics(path: Path) -> None:
    asked = rules.expressions(json.loads(path.read_text(encoding="utf-8")))
    assert set().union(*map(rules.names, asked)) - set(rules.catalogue()) - RECORDED == set()


def test_what_is_recorded_is_used() -> None:
    asked = [rule["expr"] for rule in RULES]
    asked += [one for path in DASHBOARDS for one in rules.expressions(json.loads(path.read_text(encoding="utf-8")))]
    assert RECORDED - set().union(*map(rules.names, asked)) == set()


def test_catalogue_is_of_the_versions_that_run() -> None:
    sources = yaml.safe_load(rules.CATALOGUE.read_text(encoding="utf-8"))
    builds = house.load(house.ROOT / "lab" / "builds.yml")
    assert sources["kube_state_metrics"]["version"] == builds["kube-state-metrics"]["version"]
    assert sources["kubelet"]["version"] == builds["kubernetes"]["version"]
    role = house.load(house.ROOT / "roles" / "cert_manager" / "defaults" / "main.yml")
    assert sources["cert_manager"]["version"] == role["cert_manager_chart_version"]
    wheels = (house.ROOT / "images" / "patroni" / "requirements.txt").read_text(encoding="utf-8")
    assert f"patroni=={sources['patroni']['version']} " in wheels


def test_catalogue_has_evidence_as_it_is_exported() -> None:
    path = house.ROOT / "roles" / "baseline" / "files" / "kube-state-metrics" / "evidence.yaml"
    (resource,) = house.load(path)["spec"]["resources"]
    common, made = {"job", "instance"} | set(resource["labelsFromPath"]), {}
    for metric in resource["metrics"]:
        each = metric["each"]
        own = set(each.get("info", {}).get("labelsFromPath", {})) | {each.get("stateSet", {}).get("labelName", "name")}
        made[f"{resource['metricNamePrefix']}_{metric['name']}"] = common | own
    assert {key: value for key, value in rules.catalogue().items() if key.startswith("enclii_")} == made


def test_rules_go_by_names_that_the_role_gives() -> None:
    role = FILES.parent
    pods = (role / "templates" / "resources" / "41-pods.yaml.j2").read_text(encoding="utf-8")
    assert "- name: pgbackrest\n" in pods and "- name: exporter\n" in pods
    jobs = (role / "templates" / "resources" / "51-backup-jobs.yaml.j2").read_text(encoding="utf-8")
    assert "name: {{ patroni_cluster }}-backup-{{ kind }}\n" in jobs
    assert "kind: backup\n" in (role / "tasks" / "backup.yml").read_text(encoding="utf-8")
    restoring = house.ROOT / "plugins" / "module_utils" / "restoring" / "front.py"
    assert 'KIND = "restore-proof"\n' in restoring.read_text(encoding="utf-8")


def test_exporter_has_the_flags_that_the_rules_need() -> None:
    pods = (FILES.parent / "templates" / "resources" / "41-pods.yaml.j2").read_text(encoding="utf-8")
    flags = yaml.safe_load(rules.CATALOGUE.read_text(encoding="utf-8"))["postgres_exporter"]["flags"]
    assert [flag for flag in flags if flag not in pods] == []


# Dashboards
@pytest.mark.parametrize("path", DASHBOARDS, ids=name)
def test_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    assert board["uid"] == path.stem and board["title"] and "id" not in board and "__inputs" not in board
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource", "namespace", "scope"]
    shown = [panel for panel in rules.panels(board) if panel["type"] != "row"]
    ids = [panel["id"] for panel in rules.panels(board)]
    assert len(ids) == len(set(ids))
    for panel in shown:
        assert panel["title"] and panel["description"], panel["id"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), panel["title"]
        assert all("$namespace" in target["expr"] for target in panel["targets"]), panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=name)
def test_panels_do_not_overlap(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    taken: dict[tuple[int, int], str] = {}
    for panel in rules.panels(board):
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for cell in [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]:
            assert cell not in taken, f"{panel['title']} lies over {taken.get(cell)}"
            taken[cell] = panel["title"]
