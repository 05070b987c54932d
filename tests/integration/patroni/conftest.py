# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three members of the role's making, once for all tests."""

from __future__ import annotations

import typing as t

import apiserver
import patroni
import pytest


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[patroni.Cluster]:
    if reason := patroni.missing():
        pytest.skip(reason)
    home = tmp_path_factory.mktemp("patroni")
    home.chmod(0o755)
    for parent in list(home.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    objects = patroni.rendered(home, {"patroni_timing": "fast"})
    server = apiserver.ApiServer()
    try:
        made = patroni.Cluster(home, server.start(), objects, 3)
        try:
            made.start()
            made.wait(made.streaming)
            yield made
        finally:
            made.stop()
    finally:
        server.stop()
