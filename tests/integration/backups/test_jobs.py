# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real API server takes of the role's CronJobs and of the Jobs made after them. What their pods do is tried elsewhere."""

from __future__ import annotations

import json
import typing as t

import backups
import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError
from ansible_collections.enclii.platform.plugins.module_utils.postgres import backups as front
from ansible_collections.enclii.platform.plugins.module_utils.postgres import jobs

if t.TYPE_CHECKING:
    import pathlib

    from conftest import Api

HOME = {"HOME": "/nonexistent"}
TAKE = {"type": "full", "only_first": False, "timeout": 1}
LOOK = {"max_age_full": 1.0, "max_age": 1.0, "max_age_archive": 1.0, "system_id": "", "timeout": 1, "require": False}


def test_pods_of_backups_are_admitted_where_pod_security_is_restricted(api: Api) -> None:
    """No controller makes pods here: they are made from the templates, and the server refuses what is not restricted."""
    for kind in front.KINDS:
        cron = jobs.pattern(api.client, jobs.Place(api.space, "postgres"), kind)
        template = cron["spec"]["jobTemplate"]["spec"]["template"]
        path = f"/api/v1/namespaces/{api.space}/pods"
        api.server.kubectl("create", "serviceaccount", "x", "-n", api.space, "--dry-run=server")
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p-{kind}", **template["metadata"]},
            "spec": template["spec"],
        }
        made = api.client.request("POST", path, {"fieldValidation": "Strict"}, body)[1]
        assert made["spec"]["automountServiceAccountToken"] is False
        assert not [one for one in made["spec"]["volumes"] if one["name"].startswith("kube-api-access")]
        assert f"--type={kind}" in made["spec"]["containers"][0]["args"]


def test_cron_jobs_are_what_the_issue_asks_for(api: Api) -> None:
    for kind in front.KINDS:
        spec = jobs.pattern(api.client, jobs.Place(api.space, "postgres"), kind)["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["startingDeadlineSeconds"] > 0
        assert spec["timeZone"] == "Etc/UTC"
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
        assert spec["suspend"] is False


def test_a_job_by_hand_is_the_cron_jobs_own_and_stays(api: Api) -> None:
    with pytest.raises(KubeError, match="has not ended after 1 s"):
        front.backup(api.params(**TAKE), HOME, token=lambda _n: "aaaa")
    (job,) = api.jobs()
    assert job["metadata"]["name"] == "postgres-backup-full-aaaa"
    assert job["metadata"]["ownerReferences"][0]["name"] == "postgres-backup-full"
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"


def test_a_job_that_looks_goes_whatever_happens(api: Api) -> None:
    with pytest.raises(KubeError, match="has not ended after 1 s"):
        front.backup_info(api.params(**LOOK), HOME)
    assert [one for one in api.jobs() if not one["metadata"].get("deletionTimestamp")] == []


def test_backups_must_be_of_the_cluster_that_runs(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.loads((backups.ROOT / "tests/unit/plugins/postgres/recorded.json").read_text())["sound"]
    monkeypatch.setattr(jobs, "run", lambda *_words, **_more: told)  # there are no nodes

    def found() -> set[str]:
        return {
            one["name"] for one in front.backup_info(api.params(**{**LOOK, "max_age_archive": 0.0}), HOME)["findings"]
        }

    before = found()
    api.server.kubectl("create", "configmap", "postgres-config", "-n", api.space)
    assert found() == before
    api.server.kubectl("annotate", "configmap", "postgres-config", "-n", api.space, "initialize=77")
    assert found() == {*before, "other-cluster"}


def test_check_mode_makes_nothing(api: Api) -> None:
    found = front.backup(api.params(**TAKE), HOME, check=True)
    assert found["changed"] is True
    assert api.jobs() == []


def test_the_first_is_taken_once(api: Api) -> None:
    first = {**TAKE, "only_first": True}
    assert front.backup(api.params(**first), HOME, check=True)["changed"] is True
    patch = '{"status": {"lastSuccessfulTime": "2026-11-23T01:00:00Z"}}'
    api.server.kubectl(
        "patch", "cronjob", "postgres-backup-diff", "-n", api.space, "--subresource=status", "--type=merge", "-p", patch
    )
    found = front.backup(api.params(**first), HOME)
    assert found == {"changed": False, "label": "", "type": "", "job": "", "last_success": "2026-11-23T01:00:00Z"}
    assert api.jobs() == []


def test_without_a_repository_the_next_step_is_named(api: Api) -> None:
    with pytest.raises(KubeError, match="Set endpoint and bucket of patroni_backup_s3"):
        front.backup_info({**api.params(**LOOK), "cluster": "other"}, HOME)


def test_a_type_without_a_schedule_is_only_a_pattern(tmp_path: pathlib.Path) -> None:
    objects = backups.render(tmp_path, patroni_backup_schedule={"full": "0 1 * * *"})["objects"]
    suspended = {one["metadata"]["name"]: one["spec"]["suspend"] for one in objects if one["kind"] == "CronJob"}
    assert suspended == {"postgres-backup-full": False, "postgres-backup-diff": True, "postgres-backup-incr": True}


def test_without_a_bucket_there_is_nothing(tmp_path: pathlib.Path) -> None:
    found = backups.render(tmp_path, patroni_backup_s3={"endpoint": "", "bucket": ""})
    assert found["objects"] == []
    assert found["archive_command"] == "/bin/true"
    assert found["restore_command"] == ""
