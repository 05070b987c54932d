# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API server with the kind Evidence as role baseline makes it, and a namespace of its own for each test."""

from __future__ import annotations

import pathlib
import typing as t
import uuid

import apiserver
import pytest
from evidence import Place, Play, applied, rendered


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


@pytest.fixture
def place(server: apiserver.ApiServer) -> t.Iterator[Place]:
    namespace = f"t-{uuid.uuid4().hex[:8]}"
    server.kubectl("create", "namespace", namespace)
    applied(server, rendered(namespace))
    made = Place(server, namespace)
    yield made
    made.client.close()


@pytest.fixture
def play(place: Place, tmp_path: pathlib.Path) -> Play:
    return Play(place, tmp_path)
