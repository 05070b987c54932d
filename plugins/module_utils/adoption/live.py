# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server itself says about walls that are to come: everything is read, or asked as a dry run."""

from __future__ import annotations

import copy
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..kube.client import Client
from ..kube.errors import ApiError
from .words import Finding

Obj = dict[str, Any]

ENFORCE = "pod-security.kubernetes.io/enforce"
WALLS = "enclii.dev/walls"
_DRY = {"dryRun": "All", "fieldManager": "enclii-adoption"}
_MERGE = "application/merge-patch+json"
# kind -> (collection, where its pods are described)
TEMPLATED = {
    "Deployment": ("apps/v1", "deployments", ("spec", "template")),
    "StatefulSet": ("apps/v1", "statefulsets", ("spec", "template")),
    "DaemonSet": ("apps/v1", "daemonsets", ("spec", "template")),
    "CronJob": ("batch/v1", "cronjobs", ("spec", "jobTemplate", "spec", "template")),
}
# What cannot be changed any more is asked for as another one.
COPIED = {"Job": ("batch/v1", "jobs"), "Pod": ("v1", "pods")}
_SUFFIX = "-adoption"
_POLICY = re.compile(r"ValidatingAdmissionPolicy '[^']+' with binding '[^']+'(?: denied request)?: (.*)", re.DOTALL)
_NUMBERED = ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name")
_PROBE = "enclii-probe"


class Space:
    """One namespace as it is. pods: those that are not over; workloads: (kind, object), without what a controller made."""

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
        self.pods = [one for one in self.pods if _labels(one).get("app.kubernetes.io/managed-by") != _PROBE]
        self.workloads = [(kind, one) for kind in TEMPLATED for one in got[kind]]
        self.workloads += [("Job", one) for one in got["Job"] if not _owned(one) and not _over(one)]
        self.workloads += [("Pod", one) for one in self.pods if not _owned(one)]

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
        warned: list[str] = []
        patch = {"metadata": {"labels": {ENFORCE: level, ENFORCE + "-version": None}}}
        path = f"/api/v1/namespaces/{urllib.parse.quote(self.name)}"
        self._client.request("PATCH", path, _DRY, patch, content_type=_MERGE, warned=warned)
        step = f"Set its securityContext as level {level} asks; docs/walls.md has an example"
        # the first says only that there are some; each pod has a line of its own
        listed = [one for one in warned if not one.startswith("existing pods in namespace")]
        return [Finding("pod-security", f"Pod {self.name}/{name}", why, step) for name, why in map(_split, listed)]

    # -- admission -------------------------------------------------------------------------------

    def watched(self) -> bool:
        """Does admission look at this namespace? Told by something that it has to warn of, or to refuse."""
        pod = {"containers": [{"name": "canary", "image": "registry.invalid/canary:latest"}]}
        labels = {"enclii.dev/adoption": "canary"}
        spec = {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        canary = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "enclii-adoption"}, "spec": spec}
        return any(_POLICY.search(one) for one in self._warnings("POST", self.path("Deployment"), canary))

    def admission(self) -> list[Finding]:
        """What admission says of each workload that is there."""
        found = []
        answers = self._client.map(self._asked, self.workloads)
        for (kind, live), warned in zip(self.workloads, answers, strict=True):
            subject = f"{kind} {self.name}/{live['metadata']['name']}"
            found += list(dict.fromkeys(self._told(subject, warned)))
        return found

    def _asked(self, workload: tuple[str, Obj]) -> list[str]:
        kind, live = workload
        name = live["metadata"]["name"]
        if kind in COPIED:
            return [
                one.replace(name + _SUFFIX, name)
                for one in self._warnings("POST", self.path(kind), another(kind, live))
            ]
        patch: Obj = {"metadata": {"annotations": {"enclii.dev/adoption": "dry-run"}}}
        for part in reversed(TEMPLATED[kind][2]):
            patch = {part: patch}
        return self._warnings("PATCH", f"{self.path(kind)}/{urllib.parse.quote(name)}", patch)

    def _warnings(self, method: str, path: str, body: Obj) -> list[str]:
        warned: list[str] = []
        kind = _MERGE if method == "PATCH" else "application/json"
        try:
            self._client.request(method, path, _DRY, body, content_type=kind, warned=warned)
        except ApiError as error:
            if error.status not in (403, 404, 409, 422):
                raise
            # gone meanwhile is nothing to say; a refusal says what enforcing would
            return [*warned, *([error.message] if error.status in (403, 422) else [])]
        return warned

    def _told(self, subject: str, warned: Sequence[str]) -> Iterator[Finding]:
        for text in warned:
            policy = _POLICY.search(text)
            if policy:
                said = policy.group(1).strip()
                kind_name = subject.replace(f" {self.name}/", " ") + ": "
                yield Finding(
                    "admission", subject, said.removeprefix(kind_name), "Change what it names; docs/admission.md"
                )
            elif "violate PodSecurity" in text:
                yield Finding("pod-security", subject, text.partition(": ")[2] or text, "Set its securityContext so")
            elif "is forbidden" in text or "is invalid" in text:
                yield Finding("admission", subject, f"it would be refused even now: {text}", "Mend that first")


def another(kind: str, live: Mapping[str, Any]) -> Obj:
    """The same once more under another name, as somebody would make it."""
    metadata = live["metadata"]
    kept = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    made: Obj = {
        "metadata": {**copy.deepcopy(kept), "name": metadata["name"] + _SUFFIX},
        "spec": copy.deepcopy(live["spec"]),
    }
    made["apiVersion"], made["kind"] = COPIED[kind][0], kind
    spec = made["spec"]
    if kind == "Pod":
        for key in ("nodeName", "hostname", "ephemeralContainers"):
            spec.pop(key, None)
        # the priority's number is made of its class
        spec.pop("priority", None)
        return made
    spec.pop("selector", None)
    for holder in (made["metadata"], spec["template"].get("metadata") or {}):
        for key in _NUMBERED:
            (holder.get("labels") or {}).pop(key, None)
    return made


def _labels(obj: Mapping[str, Any]) -> dict[str, str]:
    return dict(obj["metadata"].get("labels") or {})


def _owned(obj: Mapping[str, Any]) -> bool:
    return any(one.get("controller") for one in obj["metadata"].get("ownerReferences") or [])


def _over(job: Mapping[str, Any]) -> bool:
    return bool((job.get("status") or {}).get("completionTime")) or any(
        one.get("type") == "Failed" and one.get("status") == "True"
        for one in (job.get("status") or {}).get("conditions") or []
    )


def _split(line: str) -> tuple[str, str]:
    """Of "web-1 (and 2 other pods): hostNetwork, runAsNonRoot != true": pod, and why."""
    name, _colon, why = line.partition(": ")
    return name, why or "it would not be let in again"
