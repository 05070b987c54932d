# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before and after of an object for people: without the server's bookkeeping, without any Secret's value."""

from __future__ import annotations

import copy
import typing as t

from .adopt import LAST_APPLIED
from .manifests import SERVER_METADATA

try:
    import yaml
except ImportError:  # ansible-test imports this without optional packages
    yaml = None  # type: ignore[assignment]

Obj = dict[str, t.Any]
MASK = "********"


def content(obj: Obj | None) -> Obj | None:
    """The object without status and what the server keeps for itself."""
    if obj is None:
        return None
    body = {key: value for key, value in obj.items() if key != "status"}
    body["metadata"] = {key: value for key, value in obj.get("metadata", {}).items() if key not in SERVER_METADATA}
    return body


def pair(before: Obj | None, after: Obj | None, label: str) -> dict[str, str]:
    """One entry of Ansible's diff: YAML texts before and after."""
    old, new = copy.deepcopy(content(before)), copy.deepcopy(content(after))
    if "Secret" in ((old or {}).get("kind"), (new or {}).get("kind")):
        _mask(old, new)
    return {
        "before_header": label,
        "after_header": label,
        "before": _text(old),
        "after": _text(new),
    }


def _mask(old: Obj | None, new: Obj | None) -> None:
    for part in ("data", "stringData"):
        before = (old or {}).get(part) or {}
        after = (new or {}).get(part) or {}
        for key in set(before) | set(after):
            differs = key in before and key in after and before[key] != after[key]
            if key in before:
                before[key] = MASK
            if key in after:
                after[key] = f"{MASK} (changed)" if differs else MASK
    for body in (old, new):
        notes = ((body or {}).get("metadata") or {}).get("annotations") or {}
        if LAST_APPLIED in notes:
            notes[LAST_APPLIED] = MASK


def _text(body: Obj | None) -> str:
    if body is None:
        return ""
    dumper = getattr(yaml, "CSafeDumper", None) or yaml.SafeDumper
    return str(yaml.dump(body, Dumper=dumper, default_flow_style=False, allow_unicode=True, width=1000))
