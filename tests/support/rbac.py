# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and bindings on a real API server, and access_info's library in front of it."""

from __future__ import annotations

import time
import typing as t
import uuid

import apiserver

from ansible_collections.enclii.platform.plugins.module_utils.access import front, live
from ansible_collections.enclii.platform.plugins.module_utils.access.graph import Graph
from ansible_collections.enclii.platform.plugins.module_utils.access.model import Request, Subject, Thing
from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError

Obj = dict[str, t.Any]
API = "rbac.authorization.k8s.io"
PATHS = {
    "Role": "/namespaces/{}/roles",
    "RoleBinding": "/namespaces/{}/rolebindings",
    "ClusterRole": "/clusterroles",
    "ClusterRoleBinding": "/clusterrolebindings",
}
HOME = {"HOME": "/nonexistent"}


def obj(kind: str, name: str, namespace: str = "", labels: dict[str, str] | None = None, **fields: t.Any) -> Obj:
    metadata = {"name": name, "labels": labels or {}, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{API}/v1", "kind": kind, "metadata": metadata, **fields}


def ref(kind: str, name: str) -> Obj:
    return {"apiGroup": API, "kind": kind, "name": name}


class Access:
    """The server as its administrator, and the library's front door."""

    def __init__(self, server: apiserver.ApiServer) -> None:
        self.server = server
        self.client = Client(load_login({"kubeconfig": str(server.kubeconfig)}, HOME))
        self._made: list[str] = []

    def write(self, objects: t.Sequence[Obj]) -> None:
        """Create them, and wait until the authorizer knows them: watches tell in order, so the last one tells for all."""
        mark = f"mark-{uuid.uuid4().hex[:8]}"
        rule = {"verbs": ["get"], "apiGroups": [mark], "resources": ["marks"]}
        user = [{"apiGroup": API, "kind": "User", "name": mark}]
        marks = [
            obj("Role", mark, "default", rules=[rule]),
            obj("ClusterRole", mark, rules=[rule]),
            obj("RoleBinding", mark, "default", roleRef=ref("Role", mark), subjects=user),
            obj("ClusterRoleBinding", mark, roleRef=ref("ClusterRole", mark), subjects=user),
        ]
        self.client.map(self._create, list(objects))
        self.client.map(self._create, marks)
        # The role binding grants without the cluster's: each is asked for alone, in the namespace and outside of it.
        local = Request("get", Thing("marks", mark), "default")
        self._until(Subject("User", mark), Request("get", Thing("marks", mark)))
        self._delete([self._path(marks[3], named=True)])
        self._until(Subject("User", mark), Request("get", Thing("marks", mark)), allowed=False)
        self._until(Subject("User", mark), local)

    def clear(self) -> None:
        self._delete(self._made)
        self._made = []

    def _path(self, one: Obj, named: bool = False) -> str:
        metadata = one["metadata"]
        path = f"/apis/{API}/v1" + PATHS[one["kind"]].format(metadata.get("namespace"))
        return f"{path}/{metadata['name']}" if named else path

    def _create(self, one: Obj) -> None:
        self.client.request("POST", self._path(one), body=one)
        self._made.append(self._path(one, named=True))

    def _delete(self, paths: t.Sequence[str]) -> None:
        def gone(path: str) -> None:
            try:
                self.client.request("DELETE", path)
            except ApiError as error:
                if error.status != 404:
                    raise

        self.client.map(gone, list(paths))

    def _until(self, subject: Subject, request: Request, allowed: bool = True) -> None:
        end = time.monotonic() + 20
        while live.ask(self.client, [(subject, request)])[subject, request] is not allowed:
            assert time.monotonic() < end, f"the authorizer does not know {request} yet"
            time.sleep(0.005)

    def graph(self) -> Graph:
        return Graph(live.look(self.client).objects)

    def info(self, components: t.Sequence[Obj] = (), **params: t.Any) -> Obj:
        whole = [
            {"state": "present", **one, "access": [{"can": [], "cannot": [], "exceptions": [], **entry} for entry in one["access"]]}
            for one in components
        ]  # fmt: skip
        given = {"namespaces": [], "prove": True, "require": False, **params}
        return front.access_info({"kubeconfig": str(self.server.kubeconfig), "components": whole, **given}, HOME)
