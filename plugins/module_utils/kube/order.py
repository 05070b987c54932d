# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order only where it matters; within a phase everything goes in parallel."""

from __future__ import annotations

import typing as t

NAMESPACES, DEFINITIONS, BASE, CLOSING, LIMITS, WORKLOADS, LATE = range(7)
PHASES = (
    "namespaces",
    "custom resource definitions",
    "base",
    "policies that close more than they open",
    "quotas and denials",
    "workloads and custom resources",
    "webhooks and API services",
)

_WORKLOADS = {"Pod", "ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}
_BUILT_IN = {"", "apps", "batch", "autoscaling", "policy", "extensions"}
_POLICY = ("networking.k8s.io", "NetworkPolicy")
# On a network policy that selects more pods than it serves: no form tells it from a flow.
CLOSES = "enclii.dev/closes"
_LATE_GROUPS = {"admissionregistration.k8s.io", "apiregistration.k8s.io"}

# Pruning never touches these: what they hold cannot be made again.
NEVER_PRUNED = {
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition.apiextensions.k8s.io",
}


def never_pruned(group_kind: str, name: str) -> bool:
    """A namespace's own account among them: Kubernetes makes another at once, and pods that run have the old one's token."""
    return group_kind in NEVER_PRUNED or (group_kind, name) == ("ServiceAccount", "default")


def phase(group: str, kind: str, body: t.Mapping[str, t.Any] | None = None) -> int:
    """RBAC, accounts and configuration come before the workloads that need them at their start; webhooks come last,
    since one whose server is not there yet refuses everything else.

    What only takes away comes after what makes up for it: a quota after the limit range that gives pods the figures it
    asks for, a policy that denies everything after those that allow something, and one that opens a little and so closes
    the rest for every pod (CLOSES) between them. Deleted is in the other direction.
    """
    if group == "" and kind == "Namespace":
        return NAMESPACES
    if group == "apiextensions.k8s.io":
        return DEFINITIONS
    if group in _LATE_GROUPS:
        return LATE
    if (group, kind) == ("", "ResourceQuota"):
        return LIMITS
    if (group, kind) == _POLICY and body is not None and (denies(body) or closes(body)):
        return LIMITS if denies(body) else CLOSING
    built_in = group in _BUILT_IN or group.endswith(".k8s.io")
    return WORKLOADS if kind in _WORKLOADS or not built_in else BASE


def denies(policy: t.Mapping[str, t.Any]) -> bool:
    """Is this a network policy that allows nothing?"""
    spec = policy.get("spec") or {}
    return not spec.get("ingress") and not spec.get("egress")


def closes(policy: t.Mapping[str, t.Any]) -> bool:
    """Is this a network policy that is marked as one that closes more than it opens?"""
    return CLOSES in ((policy.get("metadata") or {}).get("labels") or {})
