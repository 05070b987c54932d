# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database with a real repository of backups; see tests/support/backups.py."""

from __future__ import annotations

import json
import typing as t
import uuid

import apiserver
import backups
import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login

HOME = {"HOME": "/nonexistent"}


@pytest.fixture(scope="session")
def programs() -> None:
    reason = backups.missing()
    if reason:
        pytest.skip(reason)


def _running(**variables: t.Any) -> t.Iterator[backups.Site]:
    site = backups.Site(**variables)
    try:
        yield site.start()
    finally:
        site.stop()


@pytest.fixture(scope="module")
def site(programs: None) -> t.Iterator[backups.Site]:
    """One for all tests of a file; what they break, they break in copies of its bucket."""
    yield from _running()


@pytest.fixture
def own_site(programs: None) -> t.Iterator[backups.Site]:
    """For a test that breaks it."""
    yield from _running()


@pytest.fixture
def impatient_site(programs: None) -> t.Iterator[backups.Site]:
    """One that throws WAL away when three segments of it wait."""
    yield from _running(patroni_backup_queue_max="48MiB")


class Api:
    """A real API server without nodes, and a namespace at Pod Security's strictest level, where what the role renders lies."""

    def __init__(self, server: apiserver.ApiServer, objects: list[dict[str, t.Any]]) -> None:
        self.server, self.space = server, f"t-{uuid.uuid4().hex[:8]}"
        self.client = Client(load_login({"kubeconfig": str(server.kubeconfig)}, HOME), clock=Clock())
        server.kubectl("create", "namespace", self.space)
        server.kubectl("label", "namespace", self.space, "pod-security.kubernetes.io/enforce=restricted")
        for one in objects:
            one = {**one, "metadata": {**one["metadata"], "namespace": self.space}}
            server.kubectl("create", "--validate=strict", "-f", "-", stdin=json.dumps(one))

    def params(self, **more: t.Any) -> dict[str, t.Any]:
        return {"kubeconfig": str(self.server.kubeconfig), "namespace": self.space, "cluster": "postgres", **more}

    def jobs(self) -> list[dict[str, t.Any]]:
        return self.client.list(f"/apis/batch/v1/namespaces/{self.space}/jobs")


@pytest.fixture(scope="session")
def server() -> t.Iterator[apiserver.ApiServer]:
    reason = apiserver.missing()
    if reason:
        pytest.skip(reason)
    running = apiserver.ApiServer()
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, t.Any]]:
    return list(backups.render(tmp_path_factory.mktemp("rendered"))["objects"])


@pytest.fixture
def api(server: apiserver.ApiServer, objects: list[dict[str, t.Any]]) -> t.Iterator[Api]:
    made = Api(server, objects)
    yield made
    made.client.close()
