# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of evidence in a bucket: proof that a cluster was lost and made again has to outlive it."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Sequence

from ..sealing.errors import SealingError
from .errors import EvidenceError
from .objects import slug

Obj = dict[str, t.Any]


class Bucket(t.Protocol):
    """As sealing.objectstore has one: it overwrites nothing."""

    def write(self, name: str, data: bytes) -> str:
        """Raises SealingError, of reason "exists" where something of that name is there."""

    def read(self, place: str) -> bytes:
        """Raises SealingError, of reason "missing" where nothing is there."""

    def place(self, name: str) -> str:
        """How something of that name is called."""


def key(obj: Obj) -> str:
    """inventory/kind/subject/name.json; the name holds the time, so a folder is in the order of time."""
    spec = obj["spec"]
    return f"{spec.get('inventory') or 'no-inventory'}/{spec['kind']}/{slug(spec['subject'])}/{obj['metadata']['name']}.json"


def content(obj: Obj) -> bytes:
    """The object without what only its API server cares about; the same bytes from everybody who copies it."""
    metadata = {
        name: obj["metadata"][name]
        for name in ("name", "namespace", "uid", "creationTimestamp", "labels")
        if name in obj["metadata"]
    }
    plain = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata, "spec": obj["spec"]}
    return (json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def copy(bucket: Bucket, objects: Sequence[Obj], check: bool = False) -> list[str]:
    """Write those that are not there yet; their places. check: only say which. Raises EvidenceError.

    Nothing has to be remembered between runs: what a killed one did not copy, the next does, as long as the cluster keeps it.
    """
    return [place for obj in objects if (place := _copy(bucket, obj, check))]


def _copy(bucket: Bucket, obj: Obj, check: bool) -> str:
    name = key(obj)
    try:
        if not check:
            return bucket.write(name, content(obj))
        bucket.read(bucket.place(name))
    except SealingError as error:
        if error.reason == "exists":
            return ""
        if check and error.reason == "missing":
            return bucket.place(name)
        cause = f"it cannot be copied to the bucket: {error.subject}: {error.cause}"
        step = f"{error.next_step}; it stays in the cluster, and the next copy takes it along"
        raise EvidenceError(f"Evidence {obj['metadata']['name']}", cause, step, reason="copy") from None
    return ""
