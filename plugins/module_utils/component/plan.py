# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to a Helm release: private to the collection, no Ansible inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..kube.helm import values_digest
from .chart import Chart, describe, same_version

# A status in which Helm refuses every upgrade ("another operation is in progress"), or that a killed or broken run left behind.
STUCK = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "failed"})


class Plan(NamedTuple):
    """What to do, in this order: recover, then action.

    recover: none | rollback (unlocks the release; the action then says what it is to become) | uninstall
    action: none | install | upgrade | repair (same chart and values: put back what was deleted by hand)
    revision: of the release as found, 0 without one; reasons: one line each, for people.
    """

    recover: str
    action: str
    revision: int
    reasons: list[str]


def find(releases: Sequence[Mapping[str, Any]], name: str, namespace: str) -> Mapping[str, Any] | None:
    """The release of that name in that namespace, or None; one shape: what module release_info returns."""
    return next((one for one in releases if one["name"] == name and one["namespace"] == namespace), None)


def _differences(release: Mapping[str, Any], chart: Chart, digest: str) -> list[str]:
    """Why the deployed release is not the wanted one; empty when it is."""
    reasons = []
    if release["chart"] != chart.name and chart.source != "archive":
        reasons.append(f"chart {release['chart']} is to become {chart.name}")
    if chart.version and not same_version(release["chart_version"], chart.version):
        reasons.append(f"version {release['chart_version']} is to become {chart.version}")
    if release["values_digest"] != digest:
        reasons.append("values differ")
    return reasons


def decide(release: Mapping[str, Any] | None, chart: Chart, digest: str) -> Plan:
    """Compare the release as found with the chart and the values it should have."""
    if release is None:
        return Plan("none", "install", 0, ["not installed"])
    status, revision = release["status"], int(release["revision"])
    if status == "uninstalled":
        return Plan("none", "install", revision, ["uninstalled with its history kept"])
    if status == "uninstalling":
        return Plan("uninstall", "install", revision, ["an earlier uninstallation was cut off"])
    if status in STUCK:
        recover = "uninstall" if revision == 1 else "rollback"
        return Plan(recover, "install" if revision == 1 else "upgrade", revision, [f"an earlier run left it {status}"])
    reasons = _differences(release, chart, digest)
    if reasons:
        return Plan("none", "upgrade", revision, reasons)
    if release["missing"]:
        return Plan("none", "repair", revision, [f"deleted by hand: {', '.join(release['missing'])}"])
    return Plan("none", "none", revision, [])


def decision(
    data: Mapping[str, Any], values: Mapping[str, Any], releases: Sequence[Mapping[str, Any]], crds: Mapping[str, bool]
) -> dict[str, Any]:
    """plan, missing_crds and busy of a component, as plain data.

    data: its definition; values: as they should be; releases, crds: as the cluster has them. Raises ChartError.
    """
    wanted = data["chart"]
    plan: dict[str, Any] = {"action": "none", "recover": "none", "reasons": []}
    if wanted["ref"]:
        chart = describe(wanted["ref"], wanted["version"])
        release = find(releases, wanted["release"], data["namespace"])
        plan = {**decide(release, chart, values_digest(values))._asdict(), "chart": chart._asdict()}
    missing = [name for name in data["crds"] if name in crds and not crds[name]]
    return {
        "plan": plan,
        "missing_crds": missing,
        "busy": plan["action"] != "none" or bool(data["due"]) or bool(missing),
    }
