# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helm's releases as they lie in the cluster: decoded, compared by digest, never shown."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import typing as t

from . import manifests

Obj = dict[str, t.Any]
PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


def values_digest(values: t.Any) -> str:
    """sha256 of the canonical JSON of values, the same before they go into Helm and after they come out.

    What Helm does not keep apart is not kept apart: no values, null and {}; 1 and 1.0. What it does is:
    1 and "1", true and "true", a null below (it deletes a chart's default) and an absent key.
    """
    canonical = _canonical(values if values else {})
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: t.Any) -> t.Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        # Helm reads numbers as float64, so 1.0 comes back as 1 and big integers lose digits.
        number = float(value)
        if number.is_integer() and abs(number) < 1e21:
            return int(number)
        return number
    if isinstance(value, str):
        return str(value)
    if isinstance(value, t.Mapping):
        return {_key(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return str(value)


def _key(key: t.Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def decode(data: str) -> Obj:
    """The release in a Secret's data.release: base64 (Secret) of base64 (Helm) of gzip of JSON."""
    raw = base64.b64decode(base64.b64decode(data))
    if raw[:3] == b"\x1f\x8b\x08":
        raw = gzip.decompress(raw)
    return t.cast(Obj, json.loads(raw))


def summary(release: Obj) -> Obj:
    """What we tell of a release: identity, chart, status, digest of the user's values."""
    chart = (release.get("chart") or {}).get("metadata") or {}
    info = release.get("info") or {}
    status = str(info.get("status") or "unknown")
    return {
        "name": release.get("name"),
        "namespace": release.get("namespace"),
        "revision": release.get("version"),
        "status": status,
        "pending": status in PENDING,
        "chart": chart.get("name"),
        "chart_version": chart.get("version"),
        "app_version": chart.get("appVersion"),
        "values_digest": values_digest(release.get("config")),
        "updated": info.get("last_deployed"),
    }


def references(release: Obj) -> list[tuple[str, str, str | None, str]]:
    """(apiVersion, kind, namespace or None, name) of every object in a release's manifest."""
    found = []
    for _where, document in manifests.read_documents(release.get("manifest") or "", f"release {release.get('name')}"):
        for _place, item in manifests._flatten(_where, document):
            metadata = item.get("metadata") if isinstance(item, dict) else None
            if isinstance(metadata, dict) and metadata.get("name") and item.get("kind"):
                found.append(
                    (str(item.get("apiVersion")), str(item["kind"]), metadata.get("namespace"), str(metadata["name"]))
                )
    return found
