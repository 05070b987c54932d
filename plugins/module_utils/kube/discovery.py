# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kinds the server serves, from its aggregated discovery (one document for /api, one for /apis)."""

from __future__ import annotations

import dataclasses
import threading
import typing as t
import urllib.parse

from .client import Client
from .errors import KubeError

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclasses.dataclass(frozen=True)
class Resource:
    """One kind in one version as the server serves it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> str:
        """Kind.group, as the ApplySet specification writes it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{urllib.parse.quote(namespace)}" if self.namespaced and namespace else ""
        return f"{root}{middle}/{self.plural}" + (f"/{urllib.parse.quote(name)}" if name else "")


class Discovery:
    """Kinds by apiVersion and kind, and by Kind.group in the server's preferred version."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._exact: dict[tuple[str, str], Resource] = {}
        self._preferred: dict[str, Resource] = {}
        self.versions: dict[str, list[str]] = {}
        self.stale: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        answers = self._client.map(lambda path: self._client.get(path, accept=ACCEPT), ("/api", "/apis"))
        with self._lock:
            self._exact, self._preferred, self.versions, self.stale = {}, {}, {}, set()
            for answer in answers:
                if answer.get("kind") != "APIGroupDiscoveryList":
                    raise KubeError(
                        f"API server {self._client.login.server}",
                        "it has no aggregated discovery",
                        "Kubernetes 1.30 or newer is needed",
                        reason="api",
                    )
                for group in answer["items"]:
                    self._read_group(group)

    def _read_group(self, group: dict[str, t.Any]) -> None:
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or []:
            self.versions.setdefault(name, []).append(version["version"])
            if version.get("freshness") == "Stale":
                self.stale.add(name)
            for entry in version.get("resources") or []:
                served = entry.get("responseKind") or {}
                if "patch" not in (entry.get("verbs") or ()) and "list" not in (entry.get("verbs") or ()):
                    continue
                resource = Resource(
                    name,
                    version["version"],
                    served.get("kind", ""),
                    entry["resource"],
                    entry.get("scope") == "Namespaced",
                )
                self._exact.setdefault((resource.api_version, resource.kind), resource)
                self._preferred.setdefault(resource.group_kind, resource)

    def find(self, api_version: str, kind: str) -> Resource | None:
        return self._exact.get((api_version, kind))

    def preferred(self, group_kind: str) -> Resource | None:
        return self._preferred.get(group_kind)

    def near(self, api_version: str, kind: str) -> str:
        """What a person who wrote apiVersion and kind may have meant; '' where nothing is near."""
        same_kind = sorted(version for version, served in self._exact if served == kind)
        if same_kind:
            return f"{kind} is served as {', '.join(same_kind)}"
        same_version = sorted(served for version, served in self._exact if version == api_version)
        for served in same_version:
            if served.lower() == kind.lower():
                return f"The kind is written {served}"
        return ""
