#!/usr/bin/env python3
"""Write the tables of variables that follow from roles' argument specs.

    tools/spec_docs.py           write them
    tools/spec_docs.py --check   write nothing; fail and name every file that is out of date

The text between `<!-- BEGIN <name> -->` and `<!-- END <name> -->` is replaced: VARIABLES in each role's README.md,
ROLES in README.md, ALL VARIABLES in docs/variables.md. What stands around it is written by people.
"""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent

# Ansible's semantic markup and what Markdown says instead; arguments may hold escaped brackets.
_ARGUMENT = r"\(((?:[^()\\]|\\.)*)\)"
_MARKUP: tuple[tuple[str, str], ...] = (
    (r"\bL\(((?:[^(),\\]|\\.)*),\s*((?:[^()\\]|\\.)*)\)", r"[\1](\2)"),
    (rf"\bU{_ARGUMENT}", r"<\1>"),
    (rf"\b[CVOEM]{_ARGUMENT}", r"`\1`"),
    (rf"\bRV{_ARGUMENT}", r"`\1`"),
    (r"\bP\(((?:[^()#\\]|\\.)*)(?:#\w+)?\)", r"`\1`"),
    (rf"\bB{_ARGUMENT}", r"**\1**"),
    (rf"\bI{_ARGUMENT}", r"*\1*"),
)


def markdown(text: str | list[str]) -> str:
    """Turn a description (one string or several paragraphs) into one line of Markdown fit for a table cell."""
    line = " ".join([text] if isinstance(text, str) else [str(part) for part in text])
    for pattern, replacement in _MARKUP:
        line = re.sub(pattern, replacement, line)
    return re.sub(r"\\([()\\,])", r"\1", " ".join(line.split())).replace("|", "\\|")


def _type(option: dict[str, Any]) -> str:
    name = str(option.get("type", "str"))
    return f"list of {option.get('elements', 'str')}" if name == "list" else name


def _default(option: dict[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    if "default" not in option:
        return ""
    value = option["default"]
    if isinstance(value, str):
        return f"`{value}`".replace("|", "\\|") if value else '`""`'
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix('...' + chr(10)).strip()}`"


def rows(options: dict[str, Any], prefix: str = "") -> list[str]:
    """Return one table row for each option and, below it, for each option inside it."""
    out: list[str] = []
    for name, option in options.items():
        meaning = markdown(option.get("description", ""))
        if choices := option.get("choices"):
            meaning += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
        out.append(f"| `{prefix}{name}` | {_type(option)} | {_default(option)} | {meaning} |")
        if inner := option.get("options"):
            out += rows(inner, f"{prefix}{name}{'[]' if option.get('type') == 'list' else ''}.")
    return out


def table(spec: dict[str, Any]) -> str:
    """Return the table of one entry point's variables."""
    body = rows(spec.get("options") or {})
    if not body:
        return "This role has no variables of its own."
    return "\n".join(["| Variable | Type | Default | Meaning |", "|---|---|---|---|", *body])


def attributes(spec: dict[str, Any]) -> list[str]:
    """Return one line for each attribute of a role: what check and diff mode do."""
    lines = []
    for name, attribute in (spec.get("attributes") or {}).items():
        details = markdown(attribute.get("details") or attribute.get("description", ""))
        lines.append(f"- **{name.replace('_', ' ').capitalize()}**: {attribute['support']}. {details}".rstrip())
    return [*lines, ""] if lines else []


def specs() -> dict[str, dict[str, Any]]:
    """Return role name -> its argument_specs."""
    found = {}
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        found[path.parent.parent.name] = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
    return found


def replaced(text: str, name: str, body: str, where: str) -> str:
    """Return text with what stands between the markers of that name exchanged for body."""
    pattern = re.compile(rf"(<!-- BEGIN {name} -->\n).*?(<!-- END {name} -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise SystemExit(f"{where}: needs the lines <!-- BEGIN {name} --> and <!-- END {name} --> exactly once")
    return pattern.sub(lambda match: f"{match[1]}{body}\n{match[2]}", text)


def introduced(role: str, spec: dict[str, Any]) -> str:
    """Return the first README of a role: what its spec says of it."""
    description = spec.get("description", "")
    paragraphs = [description] if isinstance(description, str) else description
    return "\n\n".join([f"# {role}", *(markdown(paragraph) for paragraph in paragraphs)]) + "\n"


def pages() -> dict[Path, str]:
    """Return path -> what the file should contain."""
    wanted: dict[Path, str] = {}
    chapters: list[str] = []
    overview = ["| Role | What it does |", "|---|---|"]
    for role, entry_points in specs().items():
        chapter = [*attributes(entry_points["main"]), table(entry_points["main"]), ""]
        for entry_point, spec in entry_points.items():
            if entry_point != "main":
                chapter += [f"**Entry point `{entry_point}`**: {markdown(spec.get('short_description', ''))}", ""]
                if spec.get("options") != entry_points["main"].get("options"):
                    chapter += [table(spec), ""]
        body = "\n".join(chapter).rstrip()
        readme = ROOT / "roles" / role / "README.md"
        text = readme.read_text(encoding="utf-8") if readme.is_file() else introduced(role, entry_points["main"])
        if "<!-- BEGIN VARIABLES -->" not in text:
            text = f"{text.rstrip()}\n\n## Variables\n\n<!-- BEGIN VARIABLES -->\n<!-- END VARIABLES -->\n"
        wanted[readme] = replaced(text, "VARIABLES", body, f"roles/{role}/README.md")
        short = markdown(next(iter(entry_points.values())).get("short_description", "")).rstrip(".")
        overview.append(f"| [{role}](roles/{role}/README.md) | {short} |")
        if role != "component":  # the engine: its one variable is filled by roles, not by users
            chapters += [f"## {role}", "", f"{short}. More in [its README](../roles/{role}/README.md).", "", body, ""]
    for name, marker, body in (
        ("README.md", "ROLES", "\n".join(overview)),
        ("docs/variables.md", "ALL VARIABLES", "\n".join(chapters).rstrip()),
    ):
        path = ROOT / name
        wanted[path] = replaced(path.read_text(encoding="utf-8"), marker, body, name)
    return wanted


def main() -> int:
    """Write or check; return 1 if --check found a file out of date."""
    stale = False
    for path, text in pages().items():
        current = path.read_text(encoding="utf-8") if path.is_file() else ""
        if current == text:
            continue
        name = path.relative_to(ROOT)
        if "--check" in sys.argv[1:]:
            stale = True
            print(f"{name}: out of date; run tools/spec_docs.py")
            changes = difflib.unified_diff(current.splitlines(), text.splitlines(), "is", "should be", lineterm="", n=0)
            print("\n".join(list(changes)[:20]))
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{name}: written")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
