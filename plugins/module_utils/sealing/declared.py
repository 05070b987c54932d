# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that components and the inventory declare, beside what lies sealed in the inventory's directory.

Private to the collection, no Ansible inside, no network: whether something is missing is known before a cluster is.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..kube.errors import KubeError
from ..kube.manifests import read_documents
from .errors import SealingError
from .generate import GENERATORS
from .generate import problem as generator_problem
from .objects import API_VERSION, KIND

Obj = dict[str, t.Any]
Name = tuple[str, str]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ITEM = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SECRET_FIELDS = {"name", "namespace", "environments", "type", "keys", "consumers"}
_SUFFIXES = (".yaml", ".yml", ".json")


class Key(t.NamedTuple):
    """One value of a Secret: its item's name, its generator and that one's options, complete."""

    name: str
    generator: str
    options: Obj

    @property
    def public(self) -> str:
        """The item that holds a key pair's public half, or nothing."""
        return str(self.options.get("public") or "")

    @property
    def items(self) -> list[str]:
        return [self.name, *([self.public] if self.public else [])]


class Declared(t.NamedTuple):
    """A Secret in one namespace. by: who declares it, for messages; consumers: who reads it, for people."""

    namespace: str
    name: str
    type: str
    keys: list[Key]
    consumers: list[str]
    by: str

    @property
    def subject(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def items(self) -> list[str]:
        return [item for key in self.keys for item in key.items]


class Sealed(t.NamedTuple):
    """A SealedSecret in the inventory's directory. where: file and document, for messages."""

    path: str
    where: str
    obj: Obj

    @property
    def name(self) -> Name:
        return str(self.obj["metadata"].get("namespace") or ""), str(self.obj["metadata"]["name"])

    @property
    def items(self) -> list[str]:
        return list(self.obj["spec"].get("encryptedData") or {})


class Inventory(t.NamedTuple):
    """What an inventory declares and holds."""

    declared: list[Declared]
    sealed: dict[Name, Sealed]

    def missing(self) -> list[tuple[Declared, list[str]]]:
        """The declared secrets that are not sealed, or not completely, each with the items that are not."""
        found = []
        for one in self.declared:
            there = self.sealed.get((one.namespace, one.name))
            items = [item for item in one.items if there is None or item not in there.items]
            if items:
                found.append((one, items))
        return found


def read(
    components: Sequence[Mapping[str, t.Any]], inventory: t.Any, environments: Sequence[str], directory: Path
) -> Inventory:
    """Everything at once. Raises one SealingError with all that is wrong.

    components: name, namespace and secrets of each; inventory: the list enclii_secrets; directory: of sealed manifests, it need
    not exist.
    """
    problems: list[str] = []
    found: list[Declared] = []
    for component in components:
        for number, one in enumerate(component.get("secrets") or []):
            by = f"component {component['name']}, secret {number + 1}"
            found += _secret(one, [str(component["namespace"])], list(environments), by, problems)
    for number, one in enumerate(inventory if isinstance(inventory, list) else []):
        found += _secret(one, list(environments), list(environments), f"enclii_secrets[{number}]", problems)
    if not isinstance(inventory, list):
        problems.append("enclii_secrets: it is a list of secrets")
    first: dict[Name, Declared] = {}
    for secret in found:
        before = first.setdefault((secret.namespace, secret.name), secret)
        if before is not secret:
            problems.append(f"{secret.by}: {secret.subject} is declared by {before.by}, too")
    sealed = _sealed(directory, problems)
    if problems:
        raise SealingError(
            "Secrets of this inventory", "; ".join(problems), "Correct what declares them", reason="input"
        )
    return Inventory(list(first.values()), sealed)


def _secret(raw: t.Any, default: list[str], environments: list[str], by: str, problems: list[str]) -> list[Declared]:
    """One declaration in each of its namespaces."""
    if not isinstance(raw, Mapping):
        problems.append(f"{by}: it is a mapping with name and keys")
        return []
    name = str(raw.get("name") or "")
    by = f"{by} ({name})" if name else by
    count = len(problems)
    problems += [f"{by}: it has no option {option}" for option in raw if option not in _SECRET_FIELDS]
    if not _NAME.fullmatch(name):
        problems.append(f"{by}: its name is a name for a Secret (a-z, 0-9, '-', '.')")
    spaces = _namespaces(raw, default, environments, by, problems)
    listed = raw.get("keys")
    if not isinstance(listed, list) or not listed:
        problems.append(f"{by}: it has a list of keys, each with name and generator")
        return []
    keys = [key for number, one in enumerate(listed) for key in _key(one, f"{by}, key {number + 1}", problems)]
    names = [item for key in keys for item in key.items]
    problems += [f"{by}: item {item} is there twice" for item in sorted(set(names)) if names.count(item) > 1]
    if len(problems) > count:
        return []
    consumers = [str(one) for one in raw.get("consumers") or []]
    return [Declared(space, name, str(raw.get("type") or "Opaque"), keys, consumers, by) for space in spaces]


def _namespaces(
    raw: Mapping[str, t.Any], default: list[str], environments: list[str], by: str, problems: list[str]
) -> list[str]:
    if raw.get("namespace") and raw.get("environments"):
        problems.append(f"{by}: it has namespace or environments, not both")
    chosen = raw.get("environments")
    if chosen and not isinstance(chosen, list):
        problems.append(f"{by}: its environments are a list")
        return []
    problems += [f"{by}: {one} is none of enclii_environments" for one in chosen or [] if one not in environments]
    spaces = [str(one) for one in ([raw["namespace"]] if raw.get("namespace") else chosen or default)]
    problems += [f"{by}: {one} is no name for a namespace" for one in spaces if not _NAMESPACE.fullmatch(one)]
    return list(dict.fromkeys(spaces))


def _key(raw: t.Any, by: str, problems: list[str]) -> list[Key]:
    if not isinstance(raw, Mapping):
        problems.append(f"{by}: it is a mapping with name and generator")
        return []
    name, generator = str(raw.get("name") or ""), str(raw.get("generator") or "")
    by = f"{by} ({name})" if name else by
    if not _ITEM.fullmatch(name):
        problems.append(f"{by}: its name is a name for an item of a Secret (letters, digits, '-', '_', '.')")
    if generator not in GENERATORS:
        problems.append(f"{by}: its generator is one of {', '.join(GENERATORS)}")
        return []
    known = GENERATORS[generator]
    # Ansible's argument specs fill in what is not said with nothing.
    said = {option: value for option, value in raw.items() if option not in ("name", "generator") and value is not None}
    unknown = [option for option in said if option not in known]
    if unknown:
        problems.append(f"{by}: {generator} has no option {', '.join(unknown)}, but {', '.join(known)}")
        return []
    key = Key(name, generator, {**known, **said})
    wrong = generator_problem(generator, key.options)
    if not wrong and key.public and not _ITEM.fullmatch(key.public):
        wrong = "public is the name of an item of a Secret"
    if wrong:
        problems.append(f"{by}: {wrong}")
        return []
    return [key]


def files(directory: Path) -> list[Path]:
    """The manifests in the directory and below, in the order of their names."""
    return sorted(one for one in directory.rglob("*") if one.suffix in _SUFFIXES and one.is_file())


def _sealed(directory: Path, problems: list[str]) -> dict[Name, Sealed]:
    found: dict[Name, Sealed] = {}
    for path in files(directory):
        try:
            documents = read_documents(path.read_text(encoding="utf-8"), str(path))
        except KubeError as error:
            problems.append(f"{error.subject}: {error.cause}")
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path}: it cannot be read: {getattr(error, 'strerror', '') or 'it is no text'}")
            continue
        for where, obj in documents:
            wrong = _wrong(obj)
            if wrong:
                problems.append(f"{where}: {wrong}")
                continue
            one = Sealed(str(path), where, obj)
            before = found.setdefault(one.name, one)
            if before is not one:
                problems.append(f"{where}: {'/'.join(one.name)} is in {before.where}, too")
    return found


def _wrong(obj: t.Any) -> str:
    """Why a document has no place among sealed manifests; "" where it has."""
    if not isinstance(obj, dict) or obj.get("kind") != KIND or obj.get("apiVersion") != API_VERSION:
        kind = obj.get("kind") if isinstance(obj, dict) else None
        plain = " and its values are in plain text: take them for known" if kind == "Secret" else ""
        return f"it is no {KIND} of {API_VERSION}{plain}"
    metadata, spec = obj.get("metadata"), obj.get("spec")
    if not isinstance(metadata, dict) or not metadata.get("name") or not metadata.get("namespace"):
        return "its metadata lacks name or namespace"
    if not isinstance(spec, dict) or not isinstance(spec.get("encryptedData") or {}, dict):
        return "its spec holds no encryptedData"
    return ""
