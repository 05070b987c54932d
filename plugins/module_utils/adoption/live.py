# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server itself says about walls that are to come: everything is read, or asked as a dry run."""

from __future__ import annotations

import copy
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from ..kube.client import MERGE_PATCH, Client
from ..kube.errors import ApiError
from ..probing.objects import RUN
from . import answers
from .answers import Answer
from .network import groups, named
from .words import Finding

Obj = dict[str, Any]

ENFORCE, WARN = "pod-security.kubernetes.io/enforce", "pod-security.kubernetes.io/warn"
WALLS = "enclii.dev/walls"
_DRY = {"dryRun": "All", "fieldManager": "enclii-adoption"}
# kind -> (collection, where its pods are described)
TEMPLATED = {
    "Deployment": ("apps/v1", "deployments", ("spec", "template")),
    "StatefulSet": ("apps/v1", "statefulsets", ("spec", "template")),
    "DaemonSet": ("apps/v1", "daemonsets", ("spec", "template")),
    "ReplicaSet": ("apps/v1", "replicasets", ("spec", "template")),
    "ReplicationController": ("v1", "replicationcontrollers", ("spec", "template")),
    "CronJob": ("batch/v1", "cronjobs", ("spec", "jobTemplate", "spec", "template")),
}
# What cannot be changed any more is asked for as another one.
COPIED = {"Job": ("batch/v1", "jobs"), "Pod": ("v1", "pods")}
_SUFFIX = "-adoption"
_NUMBERED = ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name")
_MIRROR = "kubernetes.io/config.mirror"  # a node's own pod, which nobody makes through the API server
_LONGEST = 63  # characters of a name that is a label as well
# A Deployment makes the first as a rule, and is asked for it; the second may be without a template.
_SINGLE = ("ReplicaSet", "ReplicationController")


class Space:
    """One namespace as it is.

    pods: those that are not over; workloads: (kind, object), without what a controller made; made: pods that controllers
    of any kind made, those alike together
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client, self.name = client, name
        paths = {
            "namespace": f"/api/v1/namespaces/{urllib.parse.quote(name)}",
            **{kind: self.path(kind) for kind in (*TEMPLATED, *COPIED)},
            "Service": f"/api/v1/namespaces/{name}/services",
            "Claim": f"/api/v1/namespaces/{name}/persistentvolumeclaims",
        }
        read: Callable[[str], Any] = lambda one: (client.find if one == "namespace" else client.list)(paths[one])  # noqa: E731
        got: dict[str, Any] = dict(zip(paths, client.map(read, paths), strict=True))
        self.namespace: Obj | None = got["namespace"]
        self.services: list[Obj] = got["Service"]
        self.claims: list[Obj] = got["Claim"]
        self.pods = [one for one in got["Pod"] if (one.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
        self.pods = [one for one in self.pods if RUN not in _labels(one)]
        self.workloads = [
            (kind, one) for kind in TEMPLATED for one in got[kind] if kind not in _SINGLE or _stands_alone(one)
        ]
        self.workloads += [("Job", one) for one in got["Job"] if not _owned(one) and not _over(one)]
        self.workloads += [("Pod", one) for one in self.pods if not _owned(one)]
        mine = [one for one in self.pods if _owned(one) and _MIRROR not in (one["metadata"].get("annotations") or {})]
        self.made = groups(mine, on_host=True)
        self._makers_by_name = {
            (kind, one["metadata"]["name"]): one for kind in (*TEMPLATED, "Job") for one in got[kind]
        }

    @property
    def labels(self) -> dict[str, str]:
        return _labels(self.namespace or {"metadata": {}})

    def path(self, kind: str) -> str:
        version, plural = TEMPLATED[kind][:2] if kind in TEMPLATED else COPIED[kind]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{root}/namespaces/{urllib.parse.quote(self.name)}/{plural}"

    # -- Pod Security ----------------------------------------------------------------------------

    def pod_security(self, level: str) -> list[Finding]:
        """Running pods that the level would not let in again: the API server looks at them when the label is to be set."""
        if self.labels.get(ENFORCE) == level or not self.pods:
            return []
        patch = {"metadata": {"labels": {ENFORCE: level, ENFORCE + "-version": None}}}
        answer = self._ask("PATCH", f"/api/v1/namespaces/{urllib.parse.quote(self.name)}", patch)
        return list(answers.of_level(self.name, level, answer, self.labels.get(WARN) == level))

    # -- admission -------------------------------------------------------------------------------

    def unwatched(self) -> str:
        """Why nobody knows what admission would refuse here; "" where something that breaks a rule is warned of, or refused."""
        pod = {"containers": [{"name": "canary", "image": "registry.invalid/canary:latest"}]}
        labels = {"enclii.dev/adoption": "canary"}
        spec = {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        canary = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "enclii-adoption"}, "spec": spec}
        return answers.unwatched(self._ask("POST", self.path("Deployment"), canary))

    def admission(self) -> list[Finding]:
        """What admission says of each workload that is there, and of pods what it does not say of their workload already."""
        asked = [(kind, live, f"{kind} {self.name}/{live['metadata']['name']}") for kind, live in self.workloads]
        asked += [
            ("Pod", next((one for one in alike if not _going(one)), alike[0]), named(alike)) for alike in self.made
        ]
        found: list[Finding] = []
        said: dict[tuple[str, str], set[str]] = {}
        for (kind, live, subject), answer in zip(asked, self._client.map(self._asked, asked), strict=True):
            name, makers = live["metadata"]["name"], self._makers(live)
            if _going(live) and any(one in said for one in makers):
                continue  # what comes in its place is as its maker says
            mine = list(dict.fromkeys(answers.of_workload(subject, f"{kind} {name}", answer)))
            said[kind, name] = {one.cause for one in mine}
            known = {cause for one in makers for cause in said.get(one, ())}
            found += [one for one in mine if one.cause not in known]
        return found

    def _makers(self, live: Obj) -> list[tuple[str, str]]:
        """(kind, name) of what made it and of what made that, as far as it is looked at here."""
        found: list[tuple[str, str]] = []
        owner = _owner(live)
        while owner and (key := (str(owner["kind"]), str(owner["name"]))) not in found:
            found.append(key)
            owner = _owner(self._makers_by_name[key]) if key in self._makers_by_name else None
        return found

    def _asked(self, one: tuple[str, Obj, str]) -> Answer:
        kind, live, _subject = one
        name = live["metadata"]["name"]
        if kind in COPIED:
            made = another(kind, live)
            return self._ask("POST", self.path(kind), made).renamed(made["metadata"]["name"], name)
        patch: Obj = {"metadata": {"annotations": {"enclii.dev/adoption": "dry-run"}}}
        for part in reversed(TEMPLATED[kind][2]):
            patch = {part: patch}
        return self._ask("PATCH", f"{self.path(kind)}/{urllib.parse.quote(name)}", patch)

    def _ask(self, method: str, path: str, body: Obj) -> Answer:
        warned: list[str] = []
        kind = MERGE_PATCH if method == "PATCH" else "application/json"
        try:
            self._client.request(method, path, _DRY, body, content_type=kind, warned=warned)
        except ApiError as error:
            # a webhook answers with whatever code it likes
            if error.status not in (400, 403, 404, 409, 422) and "webhook" not in error.message:
                raise
            gone = error.status == 404 and "webhook" not in error.message  # meanwhile
            return Answer(tuple(warned), "" if gone else error.message)
        return Answer(tuple(warned))


def another(kind: str, live: Mapping[str, Any]) -> Obj:
    """The same once more under another name, as somebody would make it."""
    metadata = live["metadata"]
    kept = {key: metadata[key] for key in ("labels", "annotations", "ownerReferences") if key in metadata}
    name = metadata["name"][: _LONGEST - len(_SUFFIX)].rstrip("-.") + _SUFFIX
    made: Obj = {
        "metadata": {**copy.deepcopy(kept), "name": name},
        "spec": copy.deepcopy(live["spec"]),
    }
    made["apiVersion"], made["kind"] = COPIED[kind][0], kind
    spec = made["spec"]
    if kind == "Pod":
        for key in ("nodeName", "hostname", "ephemeralContainers"):
            spec.pop(key, None)
        # both are made of its priority class
        for key in ("priority", "preemptionPolicy"):
            spec.pop(key, None)
        return made
    if spec.get("manualSelector"):
        return made  # selector and labels are somebody's, and belong together
    spec.pop("selector", None)
    for holder in (made["metadata"], spec["template"].get("metadata") or {}):
        for key in _NUMBERED:
            (holder.get("labels") or {}).pop(key, None)
    return made


def _labels(obj: Mapping[str, Any]) -> dict[str, str]:
    return dict(obj["metadata"].get("labels") or {})


def _owner(obj: Mapping[str, Any]) -> Obj | None:
    """Its controller, where it has one."""
    owners: list[Obj] = obj["metadata"].get("ownerReferences") or []
    return next((one for one in owners if one.get("controller")), None)


def _owned(obj: Mapping[str, Any]) -> bool:
    return _owner(obj) is not None


def _going(obj: Mapping[str, Any]) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def _stands_alone(obj: Mapping[str, Any]) -> bool:
    """Did nobody else make it, and does it say what its pods are like?"""
    return not _owned(obj) and bool((obj.get("spec") or {}).get("template"))


def _over(job: Mapping[str, Any]) -> bool:
    return bool((job.get("status") or {}).get("completionTime")) or any(
        one.get("type") == "Failed" and one.get("status") == "True"
        for one in (job.get("status") or {}).get("conditions") or []
    )
