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

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tools")]

from spec_docs import replaced  # noqa: E402

from ansible_collections.enclii.platform.plugins.module_utils.flows.draw import mermaid, ports_text  # noqa: E402
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Flow, read_flows  # noqa: E402

PAGE = ROOT / "docs" / "flows.md"
# What no role has by default and flows depend on: a database with backups.
EXAMPLE = {"patroni_backup_s3": {"endpoint": "s3.example.com", "bucket": "backups", "cidrs": ["198.51.100.0/24"]}}


def components() -> list[dict[str, Any]]:
    """Return name, namespace and flows of every component as its role has them by default, all present."""
    variables: dict[str, Any] = dict(EXAMPLE)
    parts = {}
    for path in sorted(ROOT.glob("roles/*/vars/main.yml")):
        role = path.parent.parent.name
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if part := data.get(f"__{role}_component"):
            defaults = yaml.safe_load((path.parent.parent / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
            variables = {**defaults, **data, **variables}
            parts[role] = {"namespace": part["namespace"], "flows": part.get("flows", [])}
    templar = Templar(loader=DataLoader(), variables=trusted(variables))
    return [{"name": role, "state": "present", **templar.template(trusted(part))} for role, part in parts.items()]


def trusted(value: Any) -> Any:
    """Return the value with its templates marked as the project's own."""
    if isinstance(value, dict):
        return {key: trusted(one) for key, one in value.items()}
    if isinstance(value, list):
        return [trusted(one) for one in value]
    return trust_as_template(value) if isinstance(value, str) else value


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
