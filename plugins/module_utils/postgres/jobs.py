# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Job made after the pattern of a CronJob, waited for, and what its pod said last."""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import dataclass

from ..kube.client import Client
from ..kube.errors import ApiError, KubeError
from ..kube.explain import explain
from ..kube.ready import assess, pod_reason

MARK = "enclii-backup"  # in the last line of JSON that the pods' program writes
_HOPELESS = ("ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff", "CreateContainerConfigError")
_MANAGER = {"fieldManager": "enclii-platform"}
_PAUSE = 1.0
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Place:
    """Where backups are taken: namespace, and name of the cluster of databases."""

    namespace: str
    cluster: str

    @property
    def crons(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/cronjobs"

    @property
    def jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"


def pattern(client: Client, place: Place, kind: str) -> Obj:
    """The CronJob that takes backups of this kind. Raises KubeError where there is none."""
    name = f"{place.cluster}-backup-{kind}"
    try:
        found = client.find(f"{place.crons}/{name}")
    except ApiError as error:
        raise explain(error, f"CronJob {place.namespace}/{name}", "", verb="get cronjobs") from error
    if found is None:
        raise KubeError(
            f"CronJob {place.namespace}/{name}",
            "there is no such CronJob, so that nobody takes backups",
            "Set endpoint and bucket of patroni_backup_s3 and run the platform's playbook with --tags patroni",
            reason="not_ready",
        )
    return t.cast(Obj, found)


def taking(cron: Obj, token: str) -> Obj:
    """A Job as the CronJob itself would make it; it counts as one of its own."""
    about, template = cron["metadata"], cron["spec"]["jobTemplate"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{about['name']}-{token}",
            "namespace": about["namespace"],
            "labels": dict((template.get("metadata") or {}).get("labels") or {}),
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": about["name"],
                    "uid": about["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": copy.deepcopy(template["spec"]),
    }


def looking(cron: Obj, cluster: str, token: str, seconds: int) -> Obj:
    """A Job whose pod only reads; nobody's own, and gone by itself where its maker is killed."""
    made = taking(cron, token)
    about, spec = made["metadata"], made["spec"]
    about["name"] = f"{cluster}-backup-info-{token}"
    del about["ownerReferences"], about["annotations"]
    spec.update(backoffLimit=0, activeDeadlineSeconds=seconds, ttlSecondsAfterFinished=60)
    container = spec["template"]["spec"]["containers"][0]
    container["args"] = ["info", f"--stanza={cluster}"]
    return made


def run(client: Client, body: Obj, patience: float, *, keep: bool) -> Obj:
    """What its pod said last. keep: whether the Job stays; one that only looks goes, whatever happens. Raises KubeError."""
    about = body["metadata"]
    path = f"/apis/batch/v1/namespaces/{about['namespace']}/jobs"
    subject = f"Job {about['namespace']}/{about['name']}"
    try:
        client.request("POST", path, _MANAGER, body)
    except ApiError as error:
        if error.reason != "AlreadyExists":  # a repeated request finds its own, whose name is random
            raise explain(error, subject, "", verb="create jobs") from error
    try:
        return _wait(client, f"{path}/{about['name']}", about, subject, patience)
    finally:
        if not keep:
            _delete(client, f"{path}/{about['name']}")


def _wait(client: Client, path: str, about: Obj, subject: str, patience: float) -> Obj:
    deadline, pods = client.clock.monotonic() + patience, f"/api/v1/namespaces/{about['namespace']}/pods"
    query = {"labelSelector": f"batch.kubernetes.io/job-name={about['name']}"}
    while True:
        job = client.find(path)
        if job is None:
            raise KubeError(subject, "somebody deleted it", "Try again", reason="not_ready")
        state = assess(job)
        listed = sorted(client.list(pods, query), key=lambda one: str(one["metadata"]["creationTimestamp"]))
        if state.ready or state.failed:
            return _said(client, listed, subject, state.why)
        why = pod_reason(listed[-1]) if listed else ""
        hopeless = any(word in why for word in _HOPELESS)
        if hopeless or client.clock.monotonic() > deadline:
            words = f"its pod does not start: {why}" if hopeless else f"it has not ended after {patience:.0f} s"
            raise KubeError(
                subject, f"{words}{f' ({why})' if why and not hopeless else ''}", "See its pod", reason="not_ready"
            )
        client.clock.sleep(_PAUSE)


def _said(client: Client, pods: list[Obj], subject: str, why: str) -> Obj:
    if not pods:
        raise KubeError(subject, f"its pod is gone, and what it said with it: {why}", "Try again", reason="not_ready")
    text = _log(client, pods[-1]["metadata"])
    told = last_line(text)
    if told is None:
        ending = " ".join(text.split())[-300:] or "nothing"
        cause = f"it ended without a result; the last that it said is: {ending}"
        raise KubeError(
            subject, cause, "See whether the toolbox image is the one of this collection", reason="not_ready"
        )
    return told


def last_line(text: str) -> Obj | None:
    """The result in the log of a pod, or None."""
    for line in reversed(text.splitlines()):
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and MARK in one:
            return one
    return None


def _log(client: Client, about: Obj) -> str:
    path = f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}/log"
    try:
        answer = client.request("GET", path, decode=lambda raw: raw.decode("utf-8", "replace"), accept="*/*")[1]
    except ApiError as error:
        raise explain(error, f"Log of pod {about['namespace']}/{about['name']}", "", verb="get pods/log") from error
    return str(answer or "")


def _delete(client: Client, path: str) -> None:
    try:
        client.request("DELETE", path, None, {"propagationPolicy": "Background"})
    except (ApiError, KubeError):
        return  # it goes by itself a minute after its end; what was found is worth more
