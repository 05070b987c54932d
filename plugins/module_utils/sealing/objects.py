# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SealedSecret and Secret objects: scope, what goes into a template, and what never does."""

from __future__ import annotations

import base64
import binascii
import copy
import re
import typing as t

from . import format as sealed
from .errors import SealingError

API_VERSION = "bitnami.com/v1alpha1"
KIND = "SealedSecret"
PREFIX = "sealedsecrets.bitnami.com/"
NAMESPACE_WIDE, CLUSTER_WIDE = PREFIX + "namespace-wide", PREFIX + "cluster-wide"
MANAGED, PATCH = PREFIX + "managed", PREFIX + "patch"
SKIP_OWNER = PREFIX + "skip-set-owner-references"
# What the controller and kubeseal know; another one below their prefix is a mistake.
KNOWN_ANNOTATIONS = frozenset({NAMESPACE_WIDE, CLUSTER_WIDE, MANAGED, PATCH, SKIP_OWNER})
# Ours, on the SealedSecret itself: item -> key id, and item -> keyed digest, each as JSON.
SEALED_WITH = "enclii.dev/sealed-with"
SEALED_DIGEST = "enclii.dev/sealed-digest"
# The server's own, and what other tools keep in annotations: it holds the values in plain text.
_SERVER_FIELDS = (
    "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "ownerReferences", "managedFields",
)  # fmt: skip
_PLAINTEXT_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubecfg.ksonnet.io/last-applied-configuration",
)

Obj = dict[str, t.Any]


def subject(namespace: str, name: str, item: str = "") -> str:
    """A SealedSecret, or an item of it, as messages name it."""
    return f"SealedSecret {namespace}/{name}" + (f", item {item}" if item else "")


def scope_of(annotations: t.Mapping[str, t.Any] | None) -> str:
    """The scope that annotations declare; cluster-wide wins, as it does for the controller."""
    found = annotations if isinstance(annotations, dict) else {}
    if found.get(CLUSTER_WIDE) == "true":
        return sealed.CLUSTER_WIDE
    return sealed.NAMESPACE_WIDE if found.get(NAMESPACE_WIDE) == "true" else sealed.STRICT


def scope_annotations(scope: str) -> dict[str, str]:
    """The annotations that declare a scope, on the SealedSecret and in its template."""
    return {sealed.NAMESPACE_WIDE: {NAMESPACE_WIDE: "true"}, sealed.CLUSTER_WIDE: {CLUSTER_WIDE: "true"}}.get(scope, {})


def label_of(obj: t.Mapping[str, t.Any]) -> bytes:
    """What the items of a SealedSecret are bound to: its own namespace, name and annotations count, not its template's."""
    metadata = obj.get("metadata") or {}
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    return sealed.label(scope_of(metadata.get("annotations")), namespace, name)


def plaintext(secret: t.Mapping[str, t.Any]) -> dict[str, bytes]:
    """The values of a Secret; stringData wins over data, as it does for the API server. Raises SealingError."""
    metadata = secret.get("metadata") or {}
    about = f"Secret {metadata.get('namespace') or ''}/{metadata.get('name') or ''}".replace(" /", " ")
    result: dict[str, bytes] = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            # line breaks are no matter to the API server, as in a block of YAML
            result[key] = base64.b64decode(re.sub(r"[\r\n]", "", value or ""), validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise SealingError(
                f"{about}, item {key}", "its data is not base64", "Use stringData for plain text"
            ) from None
    for key, value in (secret.get("stringData") or {}).items():
        if not isinstance(value, str):
            raise SealingError(f"{about}, item {key}", "its stringData is not a string", "Quote it")
        result[key] = value.encode()
    return result


def clean_metadata(metadata: t.Mapping[str, t.Any]) -> Obj:
    """Metadata of a Secret for a template: without the server's fields and without what holds plain text."""
    result = {key: copy.deepcopy(value) for key, value in metadata.items() if key not in _SERVER_FIELDS and value}
    annotations = {
        key: value for key, value in (result.get("annotations") or {}).items() if key not in _PLAINTEXT_ANNOTATIONS
    }
    result.pop("annotations", None)
    return {**result, "annotations": annotations} if annotations else result


def compose(
    secret: t.Mapping[str, t.Any],
    scope: str,
    items: t.Mapping[str, str],
    sealed_metadata: t.Mapping[str, t.Any] | None = None,
) -> Obj:
    """A SealedSecret. secret: metadata, type and immutable of the Secret it becomes, its values are not looked at;
    items: name -> sealed item; sealed_metadata: labels and annotations of the SealedSecret itself."""
    metadata = clean_metadata(secret.get("metadata") or {})
    own = scope_annotations(scope)
    kept = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if key not in (NAMESPACE_WIDE, CLUSTER_WIDE)
    }
    if own or kept:
        metadata["annotations"] = {**kept, **own}
    else:
        metadata.pop("annotations", None)
    outer: Obj = {"name": metadata["name"]}
    if metadata.get("namespace"):
        outer["namespace"] = metadata["namespace"]
    for part in ("labels", "annotations"):
        found = {**((sealed_metadata or {}).get(part) or {}), **(own if part == "annotations" else {})}
        if found:
            outer[part] = found
    template: Obj = {"metadata": metadata}
    for part in ("type", "immutable"):
        if secret.get(part):
            template[part] = secret[part]
    spec: Obj = {"encryptedData": dict(items), "template": template}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": outer, "spec": spec}
