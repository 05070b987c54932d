# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL for all tests of a session; each test has names of its own in it."""

from __future__ import annotations

import typing as t
import uuid

import pods
import postgres
import pytest


@pytest.fixture(scope="session")
def server() -> t.Iterator[postgres.Server]:
    reason = pods.missing()
    if reason:
        pytest.skip(reason)
    running = postgres.Server()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def site(server: postgres.Server) -> postgres.Site:
    return postgres.Site(server)


@pytest.fixture
def app() -> str:
    """The name of an application that nobody else has."""
    return f"app{uuid.uuid4().hex[:8]}"
