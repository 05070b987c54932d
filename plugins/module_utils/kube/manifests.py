# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents in, wanted objects out: parsing as Kubernetes parses, and what is never sent taken off."""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import re
import typing as t

from .errors import KubeError

try:
    import yaml
except ImportError:  # ansible-test imports this without optional packages
    yaml = None  # type: ignore[assignment]

Json = t.Any
Obj = dict[str, t.Any]

# Set by the server alone; sending them is at best ignored, at worst a precondition nobody meant.
SERVER_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)

# tag, pattern, characters it may begin with ("" also stands for nothing at all)
_PLAIN_SCALARS = (
    ("bool", r"^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", "yYnNtTfFoO"),
    ("int", r"^[-+]?(?:0|[1-9][0-9_]*|0[0-7_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+."),
    ("null", r"^(?:~|null|Null|NULL)$", "~nN"),
    ("null", r"^$", ""),
    ("merge", r"^<<$", "<"),
)


@dataclasses.dataclass
class Wanted:
    """One object as the user wants it, and where it stands.

    body: what is sent; where: "file x.yaml, document 3, line 12"; namespace: None for cluster-wide objects
    """

    body: Obj
    where: str
    namespace: str | None = None

    @property
    def api_version(self) -> str:
        return str(self.body["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def label(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@functools.cache
def loader_class() -> type:
    """A loader that resolves plain scalars as Kubernetes' own parser does.

    Not PyYAML's: 22:30 is a text there and no sexagesimal number, dates stay texts, 1e3 is a number.
    """
    base = getattr(yaml, "CSafeLoader", None) or yaml.SafeLoader
    loader = type("KubeLoader", (base,), {"yaml_implicit_resolvers": {}})
    for tag, pattern, first in _PLAIN_SCALARS:
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first) or [""])  # type: ignore[attr-defined]
    return loader


def documents_of(text: bytes | str) -> t.Iterator[tuple[int, Json]]:
    """(line, value) of each document, ValueError naming line and column where it cannot be read.

    No text of the document goes into the message: it may be a Secret.
    """
    if yaml is None:
        raise ValueError("the Python package PyYAML is missing for this interpreter")
    if text.lstrip()[:1] in (b"{", b"[", b'"', "{", "[", '"'):
        # JSON writes what lies beyond the first plane as two escapes, which no YAML parser takes.
        try:
            value = json.loads(text, object_pairs_hook=_unique)
        except json.JSONDecodeError:
            pass
        else:
            yield 1, value
            return
    loader = loader_class()(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            yield node.start_mark.line + 1, build_value(node, {})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = re.sub(r"'[^']*'|\"[^\"]*\"", "…", str(error.problem or error.context or "syntax error"))
        raise ValueError(place + problem) from None
    except yaml.YAMLError as error:
        raise ValueError(type(error).__name__ + ": not readable as YAML") from None
    finally:
        loader.dispose()


def _unique(pairs: list[tuple[str, Json]]) -> Obj:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is there twice in one mapping")
    return result


def build_value(node: t.Any, seen: dict[int, Json]) -> Json:
    """The value of a composed node. PyYAML's own constructor does the same three times slower."""
    tag = node.tag[18:] if node.tag.startswith("tag:yaml.org,2002:") else node.tag
    if tag == "str":
        return node.value
    key = id(node)
    if key in seen:
        if seen[key] is _OPEN:
            raise ValueError(f"line {node.start_mark.line + 1}: an alias contains itself")
        return seen[key]
    if tag == "map":
        seen[key] = _OPEN
        seen[key] = _build_map(node, seen)
        return seen[key]
    if tag == "seq":
        seen[key] = _OPEN
        seen[key] = [build_value(item, seen) for item in node.value]
        return seen[key]
    return _scalar(tag, node)


_OPEN: t.Final = object()


def _build_map(node: t.Any, seen: dict[int, Json]) -> Obj:
    result: Obj = {}
    merged: list[Obj] = []
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            value = build_value(value_node, seen)
            merged += value if isinstance(value, list) else [value]
            continue
        # Kubernetes turns every key into a text; `on:` and `8080:` are keys people write.
        key = key_node.value
        if not isinstance(key, str):
            raise ValueError(f"line {key_node.start_mark.line + 1}: a mapping or list cannot be a key")
        if key in result:
            raise ValueError(f"line {key_node.start_mark.line + 1}: the key is there twice in one mapping")
        result[key] = build_value(value_node, seen)
    for extra in merged:
        if not isinstance(extra, dict):
            raise ValueError(f"line {node.start_mark.line + 1}: << needs a mapping")
        for key, value in extra.items():
            result.setdefault(key, value)
    return result


def _scalar(tag: str, node: t.Any) -> Json:
    value = node.value
    if tag == "null":
        return None
    if tag == "bool":
        return value.lower() in ("yes", "true", "on")
    if tag == "int":
        digits = value.replace("_", "")
        sign = -1 if digits.startswith("-") else 1
        digits = digits.lstrip("+-")
        octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        return sign * (int(digits, 8) if octal else int(digits, 0))
    if tag == "float":
        plain = value.replace("_", "").lower()
        if "inf" in plain or "nan" in plain:
            raise ValueError(f"line {node.start_mark.line + 1}: infinity and NaN have no place in Kubernetes")
        number = float(plain)
        return int(number) if number.is_integer() and abs(number) < 2**53 and "." not in plain else number
    if tag in ("timestamp", "binary", "value"):
        return value
    raise ValueError(f"line {node.start_mark.line + 1}: tag {tag} means nothing to Kubernetes")


def load_yaml(text: bytes | str) -> Json:
    """The one document of a file; None where it is empty. ValueError where it cannot be read."""
    for _line, value in documents_of(text):
        return value
    return None


def read_documents(text: bytes | str, source: str) -> list[tuple[str, Json]]:
    """[(where, document)] of a YAML or JSON stream; empty documents are left out but counted."""
    result: list[tuple[str, Json]] = []
    number = 0
    try:
        for line, value in documents_of(text):
            number += 1
            if value is not None:
                result.append((f"{source}, document {number}, line {line}", value))
    except ValueError as error:
        raise KubeError(
            f"{source}, document {number + 1}",
            f"not readable as YAML: {error}",
            "Nothing was changed. Correct the document",
            reason="unparsable",
        ) from None
    return result


def plain(value: Json) -> Json:
    """A copy made of nothing but JSON's own types (Ansible's texts are tagged subclasses)."""
    return json.loads(json.dumps(value, default=str))


def collect(definition: Json, src_text: bytes | None, src_name: str) -> list[tuple[str, Json]]:
    """All documents of the arguments `definition` and `src`, in their order, lists taken apart."""
    found: list[tuple[str, Json]] = []
    if src_text is not None:
        found += read_documents(src_text, f"file {src_name}")
    if isinstance(definition, (str, bytes)):
        found += read_documents(definition, "definition")
    elif isinstance(definition, dict):
        found.append(("definition, document 1", plain(definition)))
    elif isinstance(definition, (list, tuple)):
        for number, item in enumerate(plain(definition), 1):
            if isinstance(item, str):
                found += read_documents(item, f"definition, entry {number}")
            elif item is not None:
                found.append((f"definition, document {number}", item))
    elif definition is not None:
        raise KubeError(
            "definition",
            f"it is a {type(definition).__name__}",
            "Give a list of objects or YAML text",
            reason="invalid",
        )
    return [entry for item in found for entry in _flatten(*item)]


def _flatten(where: str, document: Json) -> t.Iterator[tuple[str, Json]]:
    if isinstance(document, list):
        for number, item in enumerate(document, 1):
            yield from _flatten(f"{where}, item {number}", item)
        return
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and "items" in document:
        for number, item in enumerate(document["items"] or [], 1):
            yield from _flatten(f"{where}, item {number}", item)
        return
    yield where, document


def wanted_object(where: str, document: Json, default_namespace: str | None) -> Wanted:
    """Check the shape every object needs and take off what is never sent. The document itself stays as it is."""
    if not isinstance(document, dict):
        raise KubeError(
            "An object",
            f"it is a {type(document).__name__}, not a mapping",
            "Nothing was changed. Correct the document",
            reason="invalid",
            where=where,
        )
    metadata = document.get("metadata")
    named = metadata.get("name") if isinstance(metadata, dict) else None
    subject = f"{document.get('kind') or 'An object'} {named or 'without a name'}"
    for field in ("apiVersion", "kind"):
        if not isinstance(document.get(field), str) or not document[field]:
            raise KubeError(
                subject, f"{field} is missing", "Nothing was changed. Add it", reason="invalid", where=where
            )
    if not isinstance(metadata, dict):
        raise KubeError(subject, "metadata is missing", "Nothing was changed. Add it", reason="invalid", where=where)
    if not isinstance(named, str) or not named:
        cause = "metadata.name is missing"
        if metadata.get("generateName"):
            cause += " (generateName cannot be applied twice to the same object)"
        elif named is not None and not isinstance(named, str):
            cause = f"metadata.name is a {type(named).__name__}, not a text"
        raise KubeError(subject, cause, "Nothing was changed. Give it a name", reason="invalid", where=where)
    body = {key: value for key, value in document.items() if key != "status"}
    body["metadata"] = {key: value for key, value in metadata.items() if key not in SERVER_METADATA}
    for part in ("labels", "annotations"):
        _check_texts(subject, where, part, metadata.get(part))
    if body["kind"] == "Secret" and body["apiVersion"] == "v1":
        _merge_string_data(body, subject, where)
    return Wanted(body, where, metadata.get("namespace") or default_namespace)


def _check_texts(subject: str, where: str, part: str, values: Json) -> None:
    if values is None:
        return
    wrong = [key for key, value in values.items() if not isinstance(value, str)] if isinstance(values, dict) else [part]
    if wrong:
        raise KubeError(
            subject,
            f"metadata.{part}: the value of {', '.join(wrong)} is not a text",
            "Nothing was changed. Put it in quotes",
            reason="invalid",
            where=where,
        )


def _merge_string_data(body: Obj, subject: str, where: str) -> None:
    """stringData is write-only: the server stores data, so only as data can it be compared (and owned)."""
    texts = body.pop("stringData", None)
    if not texts:
        return
    if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
        raise KubeError(
            subject,
            "a value of stringData is not a text",
            "Nothing was changed. Put it in quotes",
            reason="invalid",
            where=where,
        )
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}
    body["data"] = {**(body.get("data") or {}), **encoded}


def secret_values(body: Obj) -> list[str]:
    """Every text of a Secret that must not be seen, encoded and decoded, longest first."""
    if body.get("kind") != "Secret":
        return []
    found: set[str] = set()
    for part in ("data", "stringData"):
        values = body.get(part)
        for value in values.values() if isinstance(values, dict) else ():
            found.add(str(value))
            if part == "data":
                try:
                    found.add(base64.b64decode(str(value)).decode())
                except ValueError:
                    continue
    return sorted((value for value in found if len(value) > 2), key=len, reverse=True)


def scrub(text: str, body: Obj) -> str:
    for value in secret_values(body):
        text = text.replace(value, "********")
    return text
