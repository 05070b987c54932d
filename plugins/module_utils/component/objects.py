# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered templates to Kubernetes objects: private to the collection, no Ansible inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..kube.manifests import read_documents

Object = dict[str, Any]


class RenderError(ValueError):
    """A rendered text that is not a list of Kubernetes objects; the message names the document and the cause."""


def parse(text: str, source: str) -> list[Object]:
    """The objects in a text of YAML documents; empty documents are left out.

    Raises RenderError, or KubeError (which quotes nothing of the text) where it is not YAML.
    """
    objects = []
    for where, one in read_documents(text, source):
        if not isinstance(one, dict) or not all(one.get(key) for key in ("apiVersion", "kind")):
            raise RenderError(f"{where}: no Kubernetes object, apiVersion and kind are needed.")
        objects.append(one)
    return objects


def labelled(objects: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> list[Object]:
    """The objects with these labels where they do not set them themselves."""
    result = []
    for one in objects:
        metadata = one.get("metadata") or {}
        result.append({**one, "metadata": {**metadata, "labels": {**labels, **(metadata.get("labels") or {})}}})
    return result
