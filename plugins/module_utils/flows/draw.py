# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared flows as a picture. No Ansible inside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .model import End, Flow, Port

_Key = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]
_SPECIAL = {"api-server": "API server", "nodes": "nodes", "any": "anywhere"}


def mermaid(flows: Iterable[Flow]) -> str:
    """A flowchart: one node for each kind of pods or network, one arrow for each flow. Same flows, same text."""
    listed = sorted(flows, key=lambda flow: flow.name)
    ends = {_key(end): end for flow in listed for end in (flow.source, flow.target)}
    names: dict[_Key, str] = {}
    for key in sorted(ends):
        name, number = _readable(ends[key]), 2
        while name in names.values():
            name, number = f"{_readable(ends[key])}_{number}", number + 1
        names[key] = name
    lines = ["flowchart LR"]
    lines += [f"  {name}{_shape(ends[key])}" for key, name in sorted(names.items(), key=lambda item: item[1])]
    lines += [
        f'  {names[_key(flow.source)]} -- "{flow.name}<br/>{ports_text(flow.target, flow.ports)}" --> {names[_key(flow.target)]}'
        for flow in listed
    ]
    return "\n".join(lines) + "\n"


def _key(end: End) -> _Key:
    """The same for what is the same: a component is not the namespace of its name, nor all pods those with a label."""
    labels = ("any",) if end.labels is None else tuple(f"{key}={value}" for key, value in sorted(end.labels.items()))
    return end.kind, (end.title,), end.namespaces, labels, end.cidrs, end.excepted


def _readable(end: End) -> str:
    """A name that mermaid takes; others may have it, too."""
    readable = re.sub(r"[^a-z0-9]+", "_", end.title.lower()).strip("_")
    return f"{end.kind.replace('-', '_')}_{readable}" if end.kind in ("pods", "cidrs") else f"the_{readable}"


def _shape(end: End) -> str:
    title = _SPECIAL.get(end.title, end.title)
    if end.kind == "pods":
        spaces = ", ".join(end.namespaces)
        lines = [title, *([spaces] if spaces != title else [])]
        lines += [f"{key}={value}" for key, value in sorted((end.labels or {}).items())]
        return f'["{"<br/>".join(lines)}"]'
    if end.kind == "cidrs":
        holes = f"<br/>except {', '.join(end.excepted)}" if end.excepted else ""
        return f'{{{{"{title}{holes}"}}}}'
    return f'(["{title}"])'


def ports_text(target: End, ports: Sequence[Port]) -> str:
    """The API server listens where its endpoints say, whatever a flow calls it."""
    if target.kind == "api-server":
        return "TCP, its own port"
    return ", ".join(f"{one.protocol} {one.port}" for one in ports)
