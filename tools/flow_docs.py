#!/usr/bin/env python3
"""Write the picture and the table of the flows that the components' data declares into docs/flows.md.

    tools/flow_docs.py           write them
    tools/flow_docs.py --check   write nothing; fail if they are out of date

Between `<!-- BEGIN PICTURE -->` and its end stands the picture, between `<!-- BEGIN FLOWS -->` and its end the table.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jinja2
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tools")]

from spec_docs import replaced  # noqa: E402

from ansible_collections.enclii.platform.plugins.module_utils.flows.draw import mermaid, ports_text  # noqa: E402
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Flow, read_flows  # noqa: E402

PAGE = ROOT / "docs" / "flows.md"


def components() -> list[dict[str, Any]]:
    """Return name, namespace and flows of every component as its role has them by default, all present."""
    defaults: dict[str, Any] = {}
    for path in sorted(ROOT.glob("roles/*/defaults/main.yml")):
        defaults |= yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    found = []
    for path in sorted(ROOT.glob("roles/*/vars/main.yml")):
        role = path.parent.parent.name
        data = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get(f"__{role}_component")
        if data:
            part = {"namespace": data["namespace"], "flows": data.get("flows", [])}
            found.append({"name": role, "state": "present", **resolved(part, defaults)})
    return found


def resolved(value: Any, variables: dict[str, Any]) -> Any:
    """Return the value with its templates filled in, as often as they hold templates themselves."""
    if isinstance(value, dict):
        return {key: resolved(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [resolved(one, variables) for one in value]
    while isinstance(value, str) and "{{" in value:
        value = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(value).render(variables)
    return value


def table(flows: list[Flow]) -> str:
    """Return the flows as a table."""
    lines = ["| Flow | From | To | Port | What for |", "|---|---|---|---|---|"]
    for flow in flows:
        ports = ports_text(flow.target, flow.ports)
        lines.append(f"| `{flow.name}` | {flow.source.title} | {flow.target.title} | {ports} | {flow.description} |")
    return "\n".join(lines)


def page() -> str:
    """Return what the page should contain."""
    flows = read_flows(components(), [], [])
    text = replaced(PAGE.read_text(encoding="utf-8"), "PICTURE", f"```mermaid\n{mermaid(flows)}```", "docs/flows.md")
    return replaced(text, "FLOWS", table(flows), "docs/flows.md")


def main() -> int:
    """Write or check; return 1 if --check found it out of date."""
    wanted = page()
    if PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/flows.md: out of date; run tools/flow_docs.py")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    print("docs/flows.md: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
