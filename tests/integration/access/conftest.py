# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API server, whose answers about random roles are compared with ours."""

from __future__ import annotations

import typing as t

import apiserver
import pytest
import rbac


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


@pytest.fixture(scope="session")
def _access(server: apiserver.ApiServer) -> t.Iterator[rbac.Access]:
    made = rbac.Access(server)
    for name in ("a", "b"):
        server.kubectl("create", "namespace", name)
        for account in ("default", "one", "two"):
            server.kubectl("create", "serviceaccount", account, "-n", name)
    yield made
    made.client.close()


@pytest.fixture
def access(_access: rbac.Access) -> t.Iterator[rbac.Access]:
    yield _access
    _access.clear()
