# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order only where it matters; within a phase everything goes in parallel."""

from __future__ import annotations

NAMESPACES, DEFINITIONS, BASE, WORKLOADS, LATE = range(5)
PHASES = (
    "namespaces",
    "custom resource definitions",
    "base",
    "workloads and custom resources",
    "webhooks and API services",
)

_WORKLOADS = {"Pod", "ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}
_BUILT_IN = {"", "apps", "batch", "autoscaling", "policy", "extensions"}
_LATE_GROUPS = {"admissionregistration.k8s.io", "apiregistration.k8s.io"}

# Pruning never touches these: what they hold cannot be made again.
NEVER_PRUNED = {
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition.apiextensions.k8s.io",
}


def phase(group: str, kind: str) -> int:
    """RBAC, accounts and configuration come before the workloads that need them at their start; webhooks come last,
    since one whose server is not there yet refuses everything else."""
    if group == "" and kind == "Namespace":
        return NAMESPACES
    if group == "apiextensions.k8s.io":
        return DEFINITIONS
    if group in _LATE_GROUPS:
        return LATE
    built_in = group in _BUILT_IN or group.endswith(".k8s.io")
    return WORKLOADS if kind in _WORKLOADS or not built_in else BASE
