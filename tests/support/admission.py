# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admission policies as the role renders them, and the examples that stand beside them."""

from __future__ import annotations

import dataclasses
import http.client
import json
import ssl
import typing as t
from pathlib import Path

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from apiserver import ApiServer

import house

ROLE = house.ROOT / "roles" / "baseline"
EXAMPLES = ROLE / "files" / "admission"
TEMPLATES = sorted((ROLE / "templates" / "resources").glob("4?-admission-*.yaml.j2"))
# Everything a refusal can name.
RULES = (
    "image-tag",
    "registry",
    "resources",
    "liveness",
    "readiness",
    "pull-policy",
    "secret-env",
    "host",
    "node-account",
)
Obj = dict[str, t.Any]


def _variables(**given: t.Any) -> Obj:
    loader = DataLoader()
    found: Obj = {}
    for path in ("cluster/defaults", "component/defaults", "baseline/defaults", "baseline/vars"):
        text = house.ROOT / "roles" / path / "main.yml"
        found |= loader.load_from_file(str(text), trusted_as_template=True) or {}
    return found | {"enclii_inventory": "contract"} | given


def rendered(**given: t.Any) -> list[Obj]:
    """Parameters, policies and bindings, by the role's own templates and defaults; given: variables of the inventory."""
    templar = Templar(DataLoader(), variables=_variables(**given))
    objects: list[Obj] = []
    for path in TEMPLATES:
        text = str(templar.template(trust_as_template(path.read_text(encoding="utf-8"))))
        objects += [one for one in yaml.safe_load_all(text) if one]
    return objects


def exemptions(*roles: str) -> list[Obj]:
    """What roles declare that their containers cannot do, as a play hands it to the templates: definitions of components."""
    found = []
    for role in roles:
        data = house.load(house.ROOT / "roles" / role / "vars" / "main.yml")[f"__{role}_component"]
        defaults = house.load(house.ROOT / "roles" / role / "defaults" / "main.yml")
        namespace = str(defaults[f"{role}_namespace"])
        found.append(
            {
                "name": role,
                "state": "present",
                "namespace": "enclii-system" if "{{" in namespace else namespace,
                "exemptions": data.get("exemptions", []),
            }
        )
    return found


@dataclasses.dataclass(frozen=True)
class Example:
    """One object, in <rule>/<name>.yaml."""

    path: Path
    body: Obj

    @property
    def rule(self) -> str:
        return self.path.parent.name

    @property
    def namespace(self) -> str:
        """Where it belongs: everything goes to an environment, but for what is about node agents."""
        return "nodes" if self.rule == "node-account" else "environment"

    def __str__(self) -> str:
        return str(self.path.relative_to(EXAMPLES).with_suffix(""))


def examples(kind: str) -> list[Example]:
    """The examples that are `accepted` or `refused`."""
    return [
        Example(path, yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted((EXAMPLES / kind).glob("*/*.yaml"))
    ]


def template_of(obj: Obj) -> Obj:
    """The pod template of a workload; of a pod itself."""
    if obj["kind"] == "Pod":
        return obj
    spec = obj["spec"]
    return t.cast("Obj", (spec["jobTemplate"]["spec"] if obj["kind"] == "CronJob" else spec)["template"])


PLURALS = {
    "Pod": ("/api/v1", "pods"),
    "ReplicationController": ("/api/v1", "replicationcontrollers"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Namespace": ("/api/v1", "namespaces"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
} | {kind: ("/apis/apps/v1", f"{kind.lower()}s") for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")}


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the API server said to one request."""

    status: int
    body: Obj
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message", "")) if not self.ok else ""


class Api:
    """One kept connection, with the warnings that kubectl would print. user: impersonated."""

    def __init__(self, server: ApiServer, user: str = "", groups: t.Sequence[str] = ()) -> None:
        self.server = server
        self._headers = [("Authorization", f"Bearer {server.token}")]
        if user:
            self._headers += [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)]
        context = ssl.create_default_context(cafile=str(server.ca))
        self._connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=60)

    def call(self, method: str, path: str, body: t.Any = None, kind: str = "application/json") -> Answer:
        self._connection.putrequest(method, path)
        data = b"" if body is None else json.dumps(body).encode()
        for name, value in [*self._headers, ("Content-Type", kind), ("Content-Length", str(len(data)))]:
            self._connection.putheader(name, value)
        self._connection.endheaders(data)
        answer = self._connection.getresponse()
        text = answer.read()
        warned = tuple(value for name, value in answer.getheaders() if name.lower() == "warning")
        return Answer(answer.status, json.loads(text or b"{}"), warned)

    @staticmethod
    def path(kind: str, namespace: str, name: str = "") -> str:
        root, plural = PLURALS[kind]
        space = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{space}/{plural}" + (f"/{name}" if name else "")

    def create(self, obj: Obj, namespace: str, dry: bool = True) -> Answer:
        return self.call("POST", self.path(obj["kind"], namespace) + ("?dryRun=All" if dry else ""), obj)

    def patch(self, kind: str, namespace: str, name: str, body: Obj, sub: str = "", dry: bool = False) -> Answer:
        path = self.path(kind, namespace, name) + (f"/{sub}" if sub else "") + ("?dryRun=All" if dry else "")
        return self.call("PATCH", path, body, "application/strategic-merge-patch+json")


def good(kind: str = "Deployment", name: str = "web", **changes: t.Any) -> Obj:
    """A workload that breaks no rule; changes: fields of its container, None to leave one out."""
    probe = {"tcpSocket": {"port": 8080}}
    container = {
        "name": "api", "image": "ghcr.io/madfam/switchyard-api:1.4.2", "imagePullPolicy": "IfNotPresent",
        "readinessProbe": probe, "livenessProbe": probe,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    }  # fmt: skip
    container = {field: value for field, value in {**container, **changes}.items() if value is not None}
    labels = {"app": name}
    spec: Obj = {"containers": [container]}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec}
    template = {"metadata": {"labels": labels}, "spec": spec}
    if kind in ("Job", "CronJob"):
        spec["restartPolicy"] = "Never"
        inner: Obj = {"template": template}
        outer = inner if kind == "Job" else {"schedule": "17 3 * * *", "jobTemplate": {"spec": inner}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": name}, "spec": outer}
    selector = labels if kind == "ReplicationController" else {"matchLabels": labels}
    outer = {"selector": selector, "template": template} | ({"serviceName": name} if kind == "StatefulSet" else {})
    version = "v1" if kind == "ReplicationController" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": outer}
