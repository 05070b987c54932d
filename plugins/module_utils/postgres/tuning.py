# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's parameters from what a pod has: no Ansible inside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..adoption.quantities import quantity

_MIB = 2**20
_GIB = 2**30
LEAST_MEMORY = 256 * _MIB
# What keeps replicas, certificates, logs and backups working; most of it Patroni would take back in silence.
GUARDED = frozenset(
    {
        "archive_command",
        "archive_library",
        "archive_mode",
        "cluster_name",
        "config_file",
        "data_directory",
        "fsync",
        "full_page_writes",
        "hba_file",
        "hot_standby",
        "ident_file",
        "listen_addresses",
        "log_destination",
        "log_directory",
        "log_filename",
        "logging_collector",
        "password_encryption",
        "port",
        "primary_conninfo",
        "primary_slot_name",
        "restore_command",
        "ssl",
        "ssl_ca_file",
        "ssl_cert_file",
        "ssl_key_file",
        "synchronous_standby_names",
        "unix_socket_directories",
        "wal_level",
        "wal_log_hints",
    }
)
_PRELOAD = "shared_preload_libraries"


class Machine(NamedTuple):
    """What a pod has. memory, storage: bytes; cpu: cores, a part of one counts as one."""

    memory: int
    cpu: int
    storage: int
    connections: int
    replicas: int


def machine(memory: Any, cpu: Any, storage: Any, connections: int, replicas: int) -> Machine:
    """From quantities as Kubernetes writes them. Raises ValueError with the name of what is wrong."""
    found = {}
    for name, text in (("memory", memory), ("cpu", cpu), ("storage", storage)):
        try:
            found[name] = quantity(text)
        except ValueError as error:
            raise ValueError(f"{name}: {error}; write it as Kubernetes does, 4Gi or 500m") from error
        if found[name] <= 0:
            raise ValueError(f"{name}: {text!r} is nothing")
    if found["memory"] < LEAST_MEMORY:
        raise ValueError(f"memory: {memory} is too little for PostgreSQL; give it 256Mi at least")
    if connections < 20:
        raise ValueError(f"max_connections: {connections} leaves nothing beside the platform's own; give 20 at least")
    return Machine(int(found["memory"]), math.ceil(found["cpu"]), int(found["storage"]), connections, replicas)


def tuned(one: Machine) -> dict[str, str]:
    """Parameters by what a pod has. A quarter of memory is shared; sorts and hashes of all connections find room in half of the rest."""
    shared = max(one.memory // 4, 64 * _MIB)
    work = (one.memory - shared) // 2 // one.connections
    wal = _clamp(one.storage // 10, 256 * _MIB, 16 * _GIB)
    workers = max(8, one.cpu)
    return {
        "max_connections": str(one.connections),
        "superuser_reserved_connections": "5",
        "reserved_connections": "5",
        "shared_buffers": _size(shared),
        "effective_cache_size": _size(one.memory * 2 // 3),
        "work_mem": _size(_clamp(work, _MIB, 64 * _MIB)),
        "maintenance_work_mem": _size(_clamp(one.memory // 16, 16 * _MIB, 2 * _GIB)),
        "autovacuum_work_mem": _size(_clamp(one.memory // 32, 16 * _MIB, _GIB)),
        "wal_buffers": _size(_clamp(shared // 32, _MIB, 16 * _MIB)),
        "huge_pages": "off",
        "min_wal_size": _size(max(wal // 4, 80 * _MIB)),
        "max_wal_size": _size(wal),
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        # A replica that is away for long is copied anew, before its WAL fills the volume.
        "max_slot_wal_keep_size": _size(one.storage * 3 // 10),
        "max_wal_senders": str(one.replicas + 7),
        "max_replication_slots": str(one.replicas + 7),
        "max_worker_processes": str(workers),
        "max_parallel_workers": str(workers),
        "max_parallel_workers_per_gather": str(_clamp(one.cpu // 2, 0, 4)),
        "max_parallel_maintenance_workers": str(_clamp(one.cpu // 2, 1, 4)),
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
    }


def merged(base: Mapping[str, Any], found: Mapping[str, str], overrides: Mapping[str, Any]) -> dict[str, str]:
    """base, then found, then overrides, each as text, sorted. Libraries to preload are added to those of base.

    Raises ValueError with every parameter that may not be set.
    """
    refused = sorted(name for name in overrides if name.lower() in GUARDED)
    if refused:
        raise ValueError(
            f"{', '.join(refused)}: the platform's own, for replicas, certificates, logs and backups depend on it; take it away"
        )
    own = {name.lower(): _text(value) for name, value in overrides.items()}
    result = {name: _text(value) for name, value in {**base, **found}.items()}
    if _PRELOAD in own:
        names = [part.strip() for part in f"{result.get(_PRELOAD, '')},{own[_PRELOAD]}".split(",")]
        own[_PRELOAD] = ",".join(dict.fromkeys(name for name in names if name))
    return dict(sorted({**result, **own}.items()))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _clamp(value: int, least: int, most: int) -> int:
    return max(least, min(most, value))


def _size(number: int) -> str:
    """Whole MiB, as PostgreSQL writes them."""
    return f"{max(number // _MIB, 1)}MB"
