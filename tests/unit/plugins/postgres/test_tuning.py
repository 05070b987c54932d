# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters follow from what a pod has, stay within it, and leave the platform's own alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.filter.postgres_parameters import postgres_parameters
from ansible_collections.enclii.platform.plugins.module_utils.postgres import tuning

MIB = 2**20


def size(text: str) -> int:
    assert text.endswith("MB")
    return int(text.removesuffix("MB")) * MIB


def of(
    memory: str = "4Gi", cpu: str = "2", storage: str = "50Gi", connections: int = 200, replicas: int = 3
) -> dict[str, str]:
    return tuning.tuned(tuning.machine(memory, cpu, storage, connections, replicas))


@pytest.mark.parametrize(
    ("memory", "shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem"),
    [
        ("256Mi", "64MB", "170MB", "1MB", "16MB"),
        ("1Gi", "256MB", "682MB", "1MB", "64MB"),
        ("4Gi", "1024MB", "2730MB", "7MB", "256MB"),
        ("64Gi", "16384MB", "43690MB", "64MB", "2048MB"),
    ],
)
def test_by_memory(
    memory: str, shared_buffers: str, effective_cache_size: str, work_mem: str, maintenance_work_mem: str
) -> None:
    found = of(memory)
    assert (found["shared_buffers"], found["effective_cache_size"]) == (shared_buffers, effective_cache_size)
    assert (found["work_mem"], found["maintenance_work_mem"]) == (work_mem, maintenance_work_mem)


@pytest.mark.parametrize(
    ("storage", "max_wal_size", "min_wal_size", "kept"),
    [
        ("1Gi", "256MB", "80MB", "307MB"),
        ("50Gi", "5120MB", "1280MB", "15360MB"),
        ("1Ti", "16384MB", "4096MB", "314572MB"),
    ],
)
def test_by_storage(storage: str, max_wal_size: str, min_wal_size: str, kept: str) -> None:
    found = of(storage=storage)
    assert (found["max_wal_size"], found["min_wal_size"]) == (max_wal_size, min_wal_size)
    assert found["max_slot_wal_keep_size"] == kept


def test_by_cpu() -> None:
    assert of(cpu="250m")["max_parallel_workers_per_gather"] == "0"
    assert of(cpu="250m")["max_worker_processes"] == "8"
    assert of(cpu="16")["max_parallel_workers_per_gather"] == "4"
    assert of(cpu="16")["max_worker_processes"] == "16"


@given(
    memory=st.integers(256, 1 << 20),
    cpu=st.integers(1, 256),
    storage=st.integers(1, 1 << 14),
    connections=st.integers(20, 5000),
)
def test_memory_is_never_promised_twice(memory: int, cpu: int, storage: int, connections: int) -> None:
    found = of(f"{memory}Mi", str(cpu), f"{storage}Gi", connections)
    whole = memory * MIB
    assert size(found["shared_buffers"]) + size(found["maintenance_work_mem"]) <= whole // 2
    assert size(found["effective_cache_size"]) <= whole
    # the floor of 1MB is all that may go beyond
    assert size(found["work_mem"]) == MIB or size(found["work_mem"]) * connections <= whole - size(
        found["shared_buffers"]
    )
    assert size(found["min_wal_size"]) < size(found["max_wal_size"])


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"memory": "4 GB"}, "memory: '4 GB' is no quantity; write it as Kubernetes does"),
        ({"memory": "128Mi"}, "memory: 128Mi is too little"),
        ({"cpu": "0"}, "cpu: '0' is nothing"),
        ({"storage": "-1Gi"}, "storage: '-1Gi' is nothing"),
        ({"connections": 10}, "max_connections: 10 leaves nothing"),
    ],
)
def test_what_cannot_be(given_: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        of(**given_)  # type: ignore[arg-type]


def test_overrides_go_on_top_as_text() -> None:
    found = tuning.merged(
        {"jit": "on", "archive_mode": "on"},
        {"work_mem": "4MB"},
        {"work_mem": "8MB", "jit": False, "Max_Connections": 50},
    )
    assert found == {"archive_mode": "on", "jit": "off", "max_connections": "50", "work_mem": "8MB"}


def test_libraries_are_added_to_those_that_are_needed() -> None:
    base = {"shared_preload_libraries": "pg_stat_statements,pgaudit"}
    found = tuning.merged(base, {}, {"shared_preload_libraries": "auto_explain, pgaudit"})
    assert found["shared_preload_libraries"] == "pg_stat_statements,pgaudit,auto_explain"


def test_the_platforms_own_cannot_be_set() -> None:
    with pytest.raises(ValueError, match=r"^ssl, wal_level: the platform's own"):
        tuning.merged({}, {}, {"wal_level": "minimal", "ssl": False, "work_mem": "1MB"})


def test_the_filter_says_what_is_wrong() -> None:
    found = postgres_parameters("1Gi", cpu="1", storage="1Gi", connections=100, replicas=1, overrides={"fsync": False})
    assert found["parameters"] == {}
    assert found["problem"].startswith("PostgreSQL's parameters (patroni_*): fsync: the platform's own")
