# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of objects by Kubernetes' ApplySet specification (KEP 3659): a parent object that says which kinds and
namespaces may hold members, and a label on each member."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import typing as t

from .errors import KubeError

PREFIX = "applyset.kubernetes.io/"
ID = PREFIX + "id"
PART_OF = PREFIX + "part-of"
TOOLING = PREFIX + "tooling"
GROUP_KINDS = PREFIX + "contains-group-kinds"
NAMESPACES = PREFIX + "additional-namespaces"
OUR_TOOL = "enclii.platform"
PARENTS = {"ConfigMap": "configmaps", "Secret": "secrets"}
Obj = dict[str, t.Any]


def set_id(name: str, namespace: str, kind: str, group: str = "") -> str:
    digest = hashlib.sha256(f"{name}.{namespace}.{kind}.{group}".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


@dataclasses.dataclass
class ApplySet:
    """One set: its parent and what the parent says now.

    group_kinds: {"ConfigMap", "Deployment.apps"}; namespaces: all that may hold members, the parent's included
    """

    name: str
    namespace: str
    kind: str = "ConfigMap"
    prune: bool = True
    exists: bool = False
    uid: str = ""
    group_kinds: set[str] = dataclasses.field(default_factory=set)
    namespaces: set[str] = dataclasses.field(default_factory=set)

    @property
    def id(self) -> str:
        return set_id(self.name, self.namespace, self.kind)

    @property
    def label(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{PARENTS[self.kind]}/{self.name}"

    @property
    def selector(self) -> dict[str, str]:
        return {"labelSelector": f"{PART_OF}={self.id}"}

    def read(self, parent: Obj | None) -> None:
        """Take over what the parent says; an error where it is not a parent of ours."""
        self.exists = parent is not None
        if parent is None:
            return
        metadata = parent["metadata"]
        labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
        if labels.get(ID) != self.id:
            raise KubeError(
                self.label,
                f"it exists and is not the parent of this set (label {ID})",
                "Nothing was changed. Choose another name for apply_set",
                reason="other_set",
            )
        tool = (notes.get(TOOLING) or "").partition("/")[0]
        if tool != OUR_TOOL:
            raise KubeError(
                self.label,
                f"the set belongs to another tool ({tool or 'not stated'})",
                f"Nothing was changed. Choose another name, or hand the set over by its annotation {TOOLING}",
                reason="other_set",
            )
        self.uid = metadata["uid"]
        self.group_kinds = {part for part in (notes.get(GROUP_KINDS) or "").split(",") if part}
        self.namespaces = {part for part in (notes.get(NAMESPACES) or "").split(",") if part} | {self.namespace}

    def parent(self, group_kinds: set[str], namespaces: set[str], version: str) -> Obj:
        """The parent object that says so."""
        return {
            "apiVersion": "v1",
            "kind": self.kind,
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {ID: self.id},
                "annotations": {
                    TOOLING: f"{OUR_TOOL}/{version}",
                    GROUP_KINDS: ",".join(sorted(group_kinds)),
                    NAMESPACES: ",".join(sorted(namespaces - {self.namespace})),
                },
            },
        }

    def refuse_foreign(self, live: Obj, label: str, where: str) -> None:
        """An object that another set holds is never touched."""
        other = (live["metadata"].get("labels") or {}).get(PART_OF)
        if other and other != self.id:
            raise KubeError(
                label,
                f"it belongs to another set ({other})",
                f"Nothing was changed. Remove it from that set, or take its label {PART_OF} away to hand it over",
                reason="other_set",
                where=where,
            )
