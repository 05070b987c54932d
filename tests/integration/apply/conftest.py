# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API server for the tests of apply, release_info and cluster_info, and a namespace of its own for each test."""

from __future__ import annotations

import typing as t
import uuid

import apiserver
import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube import front
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

Obj = dict[str, t.Any]


@pytest.fixture(scope="session")
def server() -> t.Iterator[apiserver.ApiServer]:
    reason = apiserver.missing()
    if reason:
        pytest.skip(reason)
    running = apiserver.ApiServer()
    try:
        yield running.start()
    finally:
        running.stop()


class Kube:
    """The library's front door with a test's defaults, and the server behind it for a second opinion."""

    def __init__(self, server: apiserver.ApiServer, namespace: str) -> None:
        self.server = server
        self.namespace = namespace

    def apply(self, *objects: Obj | str, check: bool = False, diff: bool = False, **params: t.Any) -> Obj:
        definition: t.Any = list(objects)
        if len(objects) == 1 and isinstance(objects[0], str):
            definition = objects[0]
        given = {
            "kubeconfig": str(self.server.kubeconfig),
            "definition": definition or None,
            "namespace": None,
            "state": "present",
            "field_manager": "enclii-platform",
            "force_conflicts": False,
            "wait": False,
            "wait_timeout": 20,
            **params,
        }
        return front.apply(given, {"HOME": "/nonexistent"}, check=check, diff=diff)

    def fail(self, *objects: Obj | str, **params: t.Any) -> KubeError:
        with pytest.raises(KubeError) as caught:
            self.apply(*objects, **params)
        return caught.value

    def actions(self, result: Obj) -> dict[str, str]:
        return {f"{entry['kind']}/{entry['name']}": entry["action"] for entry in result["objects"]}

    def set(self, name: str = "set", **options: t.Any) -> Obj:
        return {"name": name, "namespace": self.namespace, "kind": "ConfigMap", "prune": True, **options}

    def config_map(self, name: str, data: t.Any = None, **metadata: t.Any) -> Obj:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "data": data or {"a": "1"},
        }

    def live(self, kind: str, name: str) -> Obj:
        return t.cast(Obj, self.server.get(kind, name, "-n", self.namespace))

    def names(self, kind: str) -> set[str]:
        return {item["metadata"]["name"] for item in self.server.get(kind, "-n", self.namespace)["items"]} - {
            "kube-root-ca.crt"
        }


@pytest.fixture
def kube(server: apiserver.ApiServer) -> Kube:
    name = f"t-{uuid.uuid4().hex[:8]}"
    server.kubectl("create", "namespace", name)
    return Kube(server, name)
