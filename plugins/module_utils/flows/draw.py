# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared flows as a picture. No Ansible inside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .model import End, Flow, Port

_SPECIAL = {"api-server": "API server", "nodes": "nodes", "any": "anywhere"}


def mermaid(flows: Iterable[Flow]) -> str:
    """A flowchart: one node for each component, namespace or network, one arrow for each flow. Same flows, same text."""
    listed = sorted(flows, key=lambda flow: flow.name)
    nodes: dict[str, str] = {}
    for flow in listed:
        for end in (flow.source, flow.target):
            nodes[_id(end)] = _node(end)
    lines = ["flowchart LR"]
    lines += [f"  {nodes[name]}" for name in sorted(nodes)]
    lines += [
        f'  {_id(flow.source)} -- "{flow.name}<br/>{ports_text(flow.target, flow.ports)}" --> {_id(flow.target)}'
        for flow in listed
    ]
    return "\n".join(lines) + "\n"


def _id(end: End) -> str:
    """A name that mermaid takes, another for each end."""
    readable = re.sub(r"[^a-z0-9]+", "_", end.title.lower()).strip("_")
    return f"{end.kind.replace('-', '_')}_{readable}" if end.kind in ("pods", "cidrs") else f"the_{readable}"


def _node(end: End) -> str:
    title = _SPECIAL.get(end.title, end.title)
    if end.kind == "pods":
        spaces = ", ".join(end.namespaces)
        return f'{_id(end)}["{title}<br/>{spaces}"]' if spaces != title else f'{_id(end)}["{title}"]'
    if end.kind == "cidrs":
        holes = f"<br/>except {', '.join(end.excepted)}" if end.excepted else ""
        return f'{_id(end)}{{{{"{title}{holes}"}}}}'
    return f'{_id(end)}(["{title}"])'


def ports_text(target: End, ports: Sequence[Port]) -> str:
    """The API server listens where its endpoints say, whatever a flow calls it."""
    if target.kind == "api-server":
        return "TCP, its own port"
    return ", ".join(f"{one.protocol} {one.port}" for one in ports)
