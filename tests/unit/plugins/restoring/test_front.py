# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proof asks for, what it makes of the words of the live cluster and of its pod, and what it tells."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError
from ansible_collections.enclii.platform.plugins.module_utils.restoring import front, live, objects

Obj = dict[str, t.Any]
WORD = {
    "enclii-heartbeat": 1,
    "marker": "enclii-1",
    "lsn": "0/5000028",
    "at": 10.0,
    "system_id": "77",
    "archived": "A" * 24,
}


def cronjob(**spec: t.Any) -> Obj:
    pod = {
        "automountServiceAccountToken": False,
        "containers": [{"name": "proof", "image": "i"}],
        "volumes": [
            {"name": "request", "configMap": {"name": "postgres-restore-request"}},
            {"name": "work", "ephemeral": {"volumeClaimTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {}}}},
        ],
        **spec,
    }
    labels = {"flow.enclii.dev/postgres-s3": "client", objects.SCHEDULED: "postgres"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"spec": {"jobTemplate": {"spec": {"template": template}}}}


OWNER = {"metadata": {"name": "alive", "namespace": "enclii-data", "uid": "u"}}


def test_the_pod_is_as_the_pattern_but_for_its_request() -> None:
    pattern = cronjob()
    made = objects.pod("r1", pattern, OWNER, 60)
    assert made["metadata"]["labels"]["flow.enclii.dev/postgres-s3"] == "client"
    # what nobody scheduled is not recorded by another
    assert objects.SCHEDULED not in made["metadata"]["labels"] and made["metadata"]["labels"][objects.RUN] == "r1"
    assert made["spec"]["volumes"][0] == {"name": "request", "configMap": {"name": "restore-proof-r1"}}
    assert made["spec"]["volumes"][1]["ephemeral"]["volumeClaimTemplate"]["metadata"]["labels"] == {
        "a": "b",
        objects.RUN: "r1",
    }
    assert made["spec"]["activeDeadlineSeconds"] == 60
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert pattern == cronjob()


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({}, ""),
        ({"automountServiceAccountToken": True}, "token"),
        ({"automountServiceAccountToken": None}, "token"),
        ({"hostNetwork": True}, "network of their node"),
        ({"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {}}]}}]}, "mount the token"),
        ({"volumes": []}, "no volume request"),
        ({"containers": [{"name": "other"}]}, "no container proof"),
    ],
)
def test_a_pattern_that_would_not_be_isolated_is_refused(spec: Obj, why: str) -> None:
    found = objects.unsafe(cronjob(**spec))
    assert (why in found) if why else found == ""


def test_the_newest_mark_of_all_pods_counts() -> None:
    texts = [
        "noise\n{broken\n" + json.dumps({"enclii-heartbeat": 1, "problem": "x"}),
        json.dumps(WORD) + "\n" + json.dumps({**WORD, "marker": "enclii-2", "at": 20.0}) + "\n",
        json.dumps({**WORD, "marker": "enclii-0", "at": 5.0}),
    ]
    found = live.newest(texts)
    assert found is not None and found["marker"] == "enclii-2"
    assert live.newest(["", "[]\n{}"]) is None


def test_targets() -> None:
    assert front.aim({}, None, "why") == {"type": "latest"}
    assert front.aim({"type": "mark"}, WORD, "") == {"type": "name", "value": "enclii-1", "lsn": "0/5000028"}
    assert front.aim({"type": "time", "value": "2026-11-23T04:05:00Z"}, None, "")["value"] == "2026-11-23T04:05:00Z"
    for target in (
        {"type": "mark"},
        {"type": "time", "value": "2026-11-23T04:05:00"},
        {"type": "time", "value": "x"},
        {"type": "lsn", "value": "5"},
    ):
        with pytest.raises(KubeError):
            front.aim(target, None, "no heartbeat has told of a mark yet")


def told(**more: t.Any) -> Obj:
    return {
        "enclii-restore-proof": 1, "verdict": "PASS", "failures": [], "checks": [],
        "phases": {"provision": 2.0, "restore": 10.0, "total": 14.0},
        "figures": {"rpo_seconds": 3.0}, "facts": {}, "versions": {}, "notices": [], **more,
    }  # fmt: skip


def test_what_is_not_the_tools_time_is_ours() -> None:
    figures = front._result(told(), 20.0)["figures"]
    assert figures["own_seconds"] == 10.0 and figures["restore_seconds"] == 10.0 and "total_seconds" not in figures


def test_failures_are_told_by_name_and_what_is_unknown_as_such() -> None:
    failed = {"name": "missing_wal", "object": "WAL 1", "cause": "it lacks", "next": "Take a backup"}
    found = front.findings(
        told(failures=[failed], checks=[{"name": "rpo", "verdict": "UNKNOWN", "why": "no heartbeat"}])
    )
    assert found == ["missing_wal: WAL 1: it lacks. Take a backup", "unknown: rpo: no heartbeat"]


def test_a_verdict_that_nobody_knows_is_no_pass() -> None:
    assert front._result(told(verdict="SPLENDID"), 1.0)["verdict"] == "UNKNOWN"


def test_a_pod_that_told_nothing_is_an_error_with_its_end() -> None:
    state = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    with pytest.raises(KubeError, match="OOMKilled, exit code 137"):
        front.told_by("repository …\n", {"status": {"containerStatuses": [{"state": state}]}}, "Pod a/b")
    line = json.dumps(told())
    assert front.told_by(f"x\n{line}\n", {}, "Pod a/b")["verdict"] == "PASS"


def test_a_request_of_the_role_names_a_stanza() -> None:
    assert objects.base_request({"data": {"request.json": '{"stanza": "postgres"}'}}) == {"stanza": "postgres"}
    for text in ("", "[]", "{}"):
        with pytest.raises(ValueError):
            objects.base_request({"data": {"request.json": text}})
