# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs after the pattern of a CronJob, and what their pods say last."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.postgres.jobs import last_line, looking, taking

CRON: dict[str, t.Any] = {
    "metadata": {"name": "postgres-backup-full", "namespace": "data", "uid": "u-1"},
    "spec": {
        "jobTemplate": {
            "metadata": {"labels": {"app.kubernetes.io/name": "postgres-backup"}},
            "spec": {
                "backoffLimit": 1,
                "activeDeadlineSeconds": 21600,
                "template": {"spec": {"containers": [{"name": "backup", "args": ["take", "--stanza=postgres"]}]}},
            },
        }
    },
}


def test_one_by_hand_is_the_cron_jobs_own() -> None:
    before = copy.deepcopy(CRON)
    made = taking(CRON, "ab12")
    assert made["metadata"]["name"] == "postgres-backup-full-ab12"
    assert made["metadata"]["labels"] == {"app.kubernetes.io/name": "postgres-backup"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert made["spec"] == CRON["spec"]["jobTemplate"]["spec"]
    made["spec"]["template"]["spec"]["containers"][0]["args"].append("x")
    assert before == CRON


def test_one_that_looks_is_nobodys_and_goes_by_itself() -> None:
    made = looking(CRON, "postgres", "ab12", 300)
    assert made["metadata"]["name"] == "postgres-backup-info-ab12"
    assert "ownerReferences" not in made["metadata"]
    assert made["spec"]["template"]["spec"]["containers"][0]["args"] == ["info", "--stanza=postgres"]
    assert (made["spec"]["backoffLimit"], made["spec"]["activeDeadlineSeconds"]) == (0, 300)
    assert made["spec"]["ttlSecondsAfterFinished"] == 60
    assert CRON["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("P00 INFO: nothing\n", None),
        ('{"other": 1}\n[1]\n"x"\n', None),
        ('P00 INFO: x\n{"enclii-backup": 1, "ok": true}\n', {"enclii-backup": 1, "ok": True}),
        (
            '{"enclii-backup": 1, "ok": false}\n{"enclii-backup": 1, "ok": true}\ntrailing\n',
            {"enclii-backup": 1, "ok": True},
        ),
        ('{"enclii-backup": 1, "ok"', None),
    ],
)
def test_what_a_pod_said_last(text: str, expected: dict[str, t.Any] | None) -> None:
    assert last_line(text) == expected
