# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API server without nodes: what it takes of a probe, and what is left of one. What pods do is tried on the lab."""

from __future__ import annotations

import json
import typing as t
import uuid

import apiserver
import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.probing import front
from ansible_collections.enclii.platform.plugins.module_utils.probing.arguments import NETWORK_PROBE

HOME = {"HOME": "/nonexistent"}
MARK = "probe.enclii.dev/run"
Obj = dict[str, t.Any]


class Api:
    """The server, a client of it, and a namespace of this test, closed as those of environments are."""

    def __init__(self, server: apiserver.ApiServer, space: str) -> None:
        self.server, self.space = server, space
        self.client = Client(load_login({"kubeconfig": str(server.kubeconfig)}, HOME), clock=Clock())
        # No stranger: without a controller manager no namespace ever goes.
        self.within = {"sources": [space], "targets": [space]}

    def probe(self, *, check: bool = False, **more: t.Any) -> Obj:
        given = {name: option.get("default") for name, option in NETWORK_PROBE.items()}
        flows = [{"name": "sql", "from": {"namespace": self.space}, "to": {"namespace": self.space}, "port": 53}]
        wanted = {"kubeconfig": str(self.server.kubeconfig), "spaces": {self.space: "enforce"}, "flows": flows, **more}
        return front.network_probe({**given, **wanted}, HOME, check=check)

    def left(self) -> set[str]:
        return set(self.server.kubectl("get", "pod,configmap,networkpolicy", "-A", "-l", MARK, "-o", "name").split())


@pytest.fixture(scope="session")
def server() -> t.Iterator[apiserver.ApiServer]:
    reason = apiserver.missing()
    if reason:
        pytest.skip(reason)
    running = apiserver.ApiServer()
    try:
        running.start()
        dns = {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
            "spec": {"selector": {"k8s-app": "kube-dns"}, "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]},
        }  # fmt: skip
        running.kubectl("apply", "-f", "-", stdin=json.dumps(dns))
        yield running
    finally:
        running.stop()


@pytest.fixture
def api(server: apiserver.ApiServer) -> t.Iterator[Api]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    server.kubectl("create", "namespace", name)
    strict = "pod-security.kubernetes.io/enforce=restricted"
    server.kubectl("label", "namespace", name, strict, "enclii.dev/walls=enforce")
    made = Api(server, name)
    yield made
    made.client.close()
