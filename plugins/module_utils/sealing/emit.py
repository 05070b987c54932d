# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as YAML: one form for each value, whoever writes it, so that files differ only where their content does.

PyYAML's emitter folds lines, and is a hundred times slower in Python than this for the few shapes that manifests have.
"""

from __future__ import annotations

import json
import re
import typing as t

# Plain only where no version of YAML could take it for something else than a text.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./+=-]*\Z")
_PLAIN_PATH = re.compile(r"/?[A-Za-z][A-Za-z0-9_./+=-]*\Z")
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# Not printable in YAML, or a line break to it.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_FIRST = ("apiVersion", "kind", "metadata", "name", "namespace", "labels", "annotations")


def double_quoted(value: str) -> str:
    """A text in double quotes, on one line; JSON's form, and valid YAML."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(value, ensure_ascii=False))


def _single_quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _text(value: str, quote: str) -> str:
    simple = "\n" not in value and "\t" not in value and not _CONTROL.search(value)
    if quote == "'" and simple:
        return _single_quoted(value)
    if quote == '"':
        return double_quoted(value)
    if _PLAIN_PATH.match(value) and value.lower() not in _RESERVED:
        return value
    return _single_quoted(value) if simple and ('"' in value or "\\" in value) else double_quoted(value)


def _literal(value: str, indent: int) -> str:
    """A text of several lines as a literal block; "" where it cannot be one."""
    body = value.removesuffix("\n")
    if not body or body.startswith((" ", "\n", "\t")) or body.endswith("\n") or _CONTROL.search(value):
        return ""
    lines = body.split("\n")
    if len(lines) < 2 or not all(line.strip() or not line for line in lines):
        return ""
    margin = " " * indent
    return ("|" if value.endswith("\n") else "|-") + "".join(f"\n{margin}{line}" if line else "\n" for line in lines)


def scalar(value: t.Any, indent: int | None, quote: str = "") -> str:
    """A value that is no mapping or list, or an empty one. indent: of the lines of a literal block, None where there may be none;
    quote: the quotation mark that it should have where it is a text."""
    if isinstance(value, str):
        literal = _literal(value, indent) if indent is not None and "\n" in value else ""
        return literal or _text(str(value), quote)
    return flow(value)


def flow(value: t.Any) -> str:
    """Any value on one line, as JSON, which is YAML as well."""
    if isinstance(value, str):
        return double_quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{double_quoted(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    return json.dumps(value)


def key_text(key: str, *, quoted: bool = False) -> str:
    """A key, plain where it can be."""
    if quoted:
        return double_quoted(key)
    return key if _PLAIN.match(key) and key.lower() not in _RESERVED else double_quoted(key)


def _ordered(obj: dict[str, t.Any]) -> list[str]:
    return [key for key in _FIRST if key in obj] + sorted(key for key in obj if key not in _FIRST)


def block(value: t.Any, indent: int) -> str:
    """A mapping or list in block style, its lines indented, without a line break at the end."""
    margin = " " * indent
    lines = []
    if isinstance(value, dict):
        for key in _ordered(value):
            inner = value[key]
            if isinstance(inner, (dict, list)) and inner:
                lines.append(f"{margin}{key_text(key)}:\n{block(inner, indent + 2)}")
            else:
                lines.append(f"{margin}{key_text(key)}: {scalar(inner, indent + 2)}")
        return "\n".join(lines)
    for inner in value:
        if isinstance(inner, (dict, list)) and inner:
            lines.append(f"{margin}- {block(inner, indent + 2)[indent + 2 :]}")
        else:
            lines.append(f"{margin}- {scalar(inner, indent + 2)}")
    return "\n".join(lines)
