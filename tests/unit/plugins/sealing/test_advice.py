# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role sealed_secrets refuses and recommends by the controller's version, and by the time of a renewal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import house
from ansible_collections.enclii.platform.plugins.filter.sealing_advice import LOWEST, sealing_advice
from ansible_collections.enclii.platform.plugins.module_utils.sealing import versions

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROLE = house.ROOT / "roles" / "sealed_secrets"


@pytest.mark.parametrize("version", ["0.29.9", "0.30.0", "0.35.99", "v0.35.0", "0.5.1"])
def test_below_the_lowest_version_is_refused(version: str) -> None:
    problem = sealing_advice(version)["problem"]
    assert problem.startswith(f"sealed_secrets_image_tag is {version}: ")
    assert "CVE-2026-22728" in problem
    assert problem.endswith("Set it to 0.40.0.")


@pytest.mark.parametrize(("version", "count"), [("0.36.0", 4), ("0.38.0", 3), ("v0.39.9", 1)])
def test_below_the_recommended_version_faults_are_told(version: str, count: int) -> None:
    advice = sealing_advice(version)
    assert advice["problem"] == ""
    assert len(advice["recommended"]) == count + 1
    assert advice["recommended"][-1] == "Set sealed_secrets_image_tag to 0.40.0."


def test_good_unknown_and_incomplete_versions() -> None:
    assert sealing_advice("0.40.0") == sealing_advice("v1.0.0") == {"problem": "", "recommended": []}
    assert "is no version" in sealing_advice("latest")["recommended"][0]
    assert "0.38.4 was not released completely." in sealing_advice("0.38.4")["recommended"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ""),
        ("Mon, 23 Nov 2026 11:59:59 +0000", ""),
        ("Mon, 23 Nov 2026 13:59:59 +0200", ""),
        ("Mon, 23 Nov 2026 13:59:59 +0000", "is yet to come"),
        ("2026-11-23T11:00:00Z", "cannot read"),
        ("Mon, 23 Nov 2026 11:59:59 GMT", "cannot read"),
        ("Mon, 3 Nov 2026 11:59:59 +0000", "cannot read"),
        ("Mon, 31 Feb 2026 11:59:59 +0000", "cannot read"),
        ("Mon, 23 Foo 2026 11:59:59 +0000", "cannot read"),
    ],
)
def test_time_of_renewal_is_one_that_the_controller_reads_and_past(text: str, problem: str) -> None:
    found = sealing_advice("0.40.0", text, now=NOW)["problem"]
    assert (problem in found) if problem else found == ""


@pytest.mark.parametrize(
    ("proxier", "refused"),
    [
        ({}, False),
        ({"bind": False}, False),
        ({"bind": True}, True),
        ({"bind": True, "subjects": "- {kind: Group, name: system:authenticated}"}, True),
        ({"bind": True, "subjects": "- {kind: Group, name: 'system:serviceaccounts:demo'}"}, True),
        ({"bind": True, "subjects": "- {kind: User, name: deployer}"}, False),
        (None, False),
    ],
)
def test_nobody_opens_the_controllers_api_to_everybody(proxier: dict[str, object] | None, refused: bool) -> None:
    problem = sealing_advice("0.40.0", values={"rbac": {"serviceProxier": proxier}})["problem"]
    assert problem.startswith("sealed_secrets_values binds everybody") if refused else problem == ""


def test_the_role_asks_only_where_there_is_something_to_say() -> None:
    """Its short cut names the version from which on the table of faults is empty; and the chart binds no proxy for everybody."""
    sound = house.load(ROLE / "vars" / "main.yml")["__sealed_secrets_sound"]
    assert f"version('{versions.RECOMMENDED}', '>=')" in sound
    assert versions.faults(versions.RECOMMENDED) == []
    assert {fault.fixed_in for fault in versions.FAULTS} >= {LOWEST, versions.RECOMMENDED}
    assert house.load(ROLE / "defaults" / "main.yml")["sealed_secrets_image_tag"] == versions.RECOMMENDED
    values = (ROLE / "templates" / "values.yaml.j2").read_text(encoding="utf-8")
    assert "serviceProxier:\n    create: true\n    bind: false\n" in values
