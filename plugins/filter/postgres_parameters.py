# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_parameters
short_description: Parameters of PostgreSQL from what its pod has
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Shared buffers, cache, memory for sorts, WAL and workers follow from memory, CPU and volume; what somebody sets goes on top.
  - Parameters on which replicas, certificates, logs and backups depend cannot be set.
positional: _input
options:
  _input:
    description: Memory of the pod, as Kubernetes writes it, such as V(4Gi).
    type: str
    required: true
  cpu:
    description: CPU it asks for, such as V(500m).
    type: str
    required: true
  storage:
    description: Size of its volume.
    type: str
    required: true
  connections:
    description: Connections at the same time.
    type: int
    required: true
  replicas:
    description: Pods of the cluster.
    type: int
    required: true
  base:
    description: Parameters that do not depend on sizes.
    type: dict
    default: {}
  overrides:
    description: Parameters that take the place of what would follow.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: What would 4 GiB get
  ansible.builtin.debug:
    msg: "{{ ('4Gi' | enclii.platform.postgres_parameters(cpu='2', storage='50Gi', connections=200, replicas=3)).parameters }}"
"""

RETURN = r"""
_value:
  description: V(parameters), name to text, and V(problem), why there are none, or an empty text.
  type: dict
"""

import typing as t

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def postgres_parameters(
    memory: str,
    *,
    cpu: str,
    storage: str,
    connections: int,
    replicas: int,
    base: t.Mapping[str, t.Any] | None = None,
    overrides: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """parameters and problem."""
    tuning = load("postgres.tuning")
    try:
        found = tuning.tuned(tuning.machine(memory, cpu, storage, int(connections), int(replicas)))
        return {"parameters": tuning.merged(base or {}, found, overrides or {}), "problem": ""}
    except ValueError as error:
        return {"parameters": {}, "problem": f"PostgreSQL's parameters (patroni_*): {error}"}


class FilterModule:
    """Parameters of PostgreSQL."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"postgres_parameters": postgres_parameters}
