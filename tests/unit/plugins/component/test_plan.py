# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release needs, and what a chart reference stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.component.chart import Chart, ChartError, describe
from ansible_collections.enclii.platform.plugins.module_utils.component.plan import decide, decision, find
from ansible_collections.enclii.platform.plugins.module_utils.kube.helm import values_digest

CHART = Chart("remote", "oci://example.org/cert-manager", "cert-manager", "v1.21.2")


def release(**changes: Any) -> dict[str, Any]:
    found = {
        "name": "cert-manager", "namespace": "cert-manager", "revision": 3, "status": "deployed", "chart": "cert-manager",
        "chart_version": "v1.21.2", "values_digest": "sha256:a", "missing": [],
    }  # fmt: skip
    return {**found, **changes}


@pytest.mark.parametrize(
    ("found", "recover", "action", "words"),
    [
        (None, "none", "install", "not installed"),
        (release(), "none", "none", ""),
        (release(chart_version="1.21.2"), "none", "none", ""),
        (release(chart_version="v1.20.0"), "none", "upgrade", "version v1.20.0 is to become v1.21.2"),
        (release(chart_version="v1.21.2+other"), "none", "upgrade", "version v1.21.2+other"),
        (release(chart="other"), "none", "upgrade", "chart other is to become cert-manager"),
        (release(values_digest="sha256:b"), "none", "upgrade", "values differ"),
        (release(missing=["Service a/b"]), "none", "repair", "deleted by hand: Service a/b"),
        (release(missing=["Service a/b"], values_digest="sha256:b"), "none", "upgrade", "values differ"),
        (release(status="pending-install", revision=1), "uninstall", "install", "left it pending-install"),
        (release(status="failed", revision=1), "uninstall", "install", "left it failed"),
        (release(status="pending-upgrade"), "rollback", "upgrade", "left it pending-upgrade"),
        (release(status="pending-rollback"), "rollback", "upgrade", "left it pending-rollback"),
        (release(status="failed"), "rollback", "upgrade", "left it failed"),
        (release(status="uninstalling"), "uninstall", "install", "cut off"),
        (release(status="uninstalled"), "none", "install", "history kept"),
    ],
)
def test_decision(found: dict[str, Any] | None, recover: str, action: str, words: str) -> None:
    plan = decide(found, CHART, "sha256:a")
    assert (plan.recover, plan.action) == (recover, action)
    assert words in "; ".join(plan.reasons)


def definition(**changes: Any) -> dict[str, Any]:
    chart = {"ref": CHART.ref, "version": CHART.version, "release": "cert-manager"}
    return {"name": "x", "namespace": "cert-manager", "chart": chart, "crds": [], "due": False, **changes}


def test_nothing_to_do_is_not_busy() -> None:
    there = [release(values_digest=values_digest({"a": 1}))]
    found = decision(definition(crds=["one"]), {"a": 1}, there, {"one": True, "other": False})
    assert (found["busy"], found["missing_crds"], found["plan"]["action"]) == (False, [], "none")
    assert found["plan"]["chart"] == CHART._asdict()


@pytest.mark.parametrize(
    ("changes", "values", "crds", "missing"),
    [
        ({}, {"a": 2}, {}, []),
        ({"due": True}, {"a": 1}, {}, []),
        ({"crds": ["one", "two"]}, {"a": 1}, {"one": True, "two": False}, ["two"]),
    ],
)
def test_busy(changes: dict[str, Any], values: dict[str, Any], crds: dict[str, bool], missing: list[str]) -> None:
    found = decision(definition(**changes), values, [release(values_digest=values_digest({"a": 1}))], crds)
    assert found["busy"]
    assert found["missing_crds"] == missing


def test_a_component_without_a_chart_has_no_plan() -> None:
    found = decision(definition(chart={"ref": "", "version": "", "release": ""}), {}, [release()], {})
    assert found == {"plan": {"action": "none", "recover": "none", "reasons": []}, "missing_crds": [], "busy": False}


def test_find_wants_name_and_namespace() -> None:
    releases = [release(namespace="other"), release()]
    assert find(releases, "cert-manager", "cert-manager") is releases[1]
    assert find(releases, "cert-manager", "nowhere") is None


def chart(directory: Path, version: str = "1.0.0") -> Path:
    (directory / "templates").mkdir(parents=True)
    (directory / "Chart.yaml").write_text(f"name: demo\nversion: {version}\n")
    (directory / "templates" / "a.yaml").write_text("a: 1\n")
    return directory


def test_directory_is_known_by_content(tmp_path: Path) -> None:
    one, other = chart(tmp_path / "one"), chart(tmp_path / "other")
    assert describe(str(one)).version == describe(str(other)).version
    assert describe(str(one)).version.startswith("1.0.0+")
    (other / "templates" / "a.yaml").rename(other / "templates" / "b.yaml")
    assert describe(str(one)).version != describe(str(other)).version


def test_git_does_not_count_and_build_metadata_is_extended(tmp_path: Path) -> None:
    one = chart(tmp_path / "one", version="1.0.0+5")
    was = describe(str(one)).version
    (one / ".git").mkdir()
    (one / ".git" / "HEAD").write_text("x")
    assert describe(str(one)).version == was
    assert was.startswith("1.0.0+5.")


@pytest.mark.parametrize(
    ("ref", "version", "expected"),
    [
        (
            "oci://quay.io/charts/cert-manager",
            "v1",
            Chart("remote", "oci://quay.io/charts/cert-manager", "cert-manager", "v1"),
        ),
        ("metrics-server", "3.13.1", Chart("remote", "metrics-server", "metrics-server", "3.13.1")),
    ],
)
def test_remote(ref: str, version: str, expected: Chart) -> None:
    assert describe(ref, version) == expected


def test_archive_by_version(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.2.3.tgz"
    path.write_bytes(b"")
    assert describe(str(path), "1.2.3") == Chart("archive", str(path), "demo", "1.2.3")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "has no Chart.yaml"),
        ("name: [", "is not YAML"),
        ("name: demo", "names no chart and version"),
        ("- a", "names no chart"),
    ],
)
def test_unusable_directory(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "Chart.yaml").write_text(content)
    with pytest.raises(ChartError, match=words):
        describe(str(tmp_path))


def test_unusable_references() -> None:
    with pytest.raises(ChartError, match="does not exist"):
        describe("/nowhere/at/all")
    with pytest.raises(ChartError, match="has no version"):
        describe("oci://example.org/x")
