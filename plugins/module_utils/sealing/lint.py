# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the SealedSecrets of a tree: without a cluster, by the controller, or by private keys. Findings hold no values."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import math
import os
import re
import typing as t
from datetime import datetime
from pathlib import Path

from . import explain, keyring, objects, stable, trees, versions
from . import format as sealed
from .certificate import MINIMUM_BITS, Certificate
from .errors import SealingError

if t.TYPE_CHECKING:
    from .controller import Controller

LEVELS = ("info", "warning", "error", "critical")
# rule -> (level, what it says). The documentation's table is held equal to this by a test.
RULES: dict[str, tuple[str, str]] = {
    "unreadable": ("error", "A file that holds SealedSecrets or Secrets is not YAML or not UTF-8"),
    "schema": ("error", "A field is missing, unknown to the API server, or of the wrong type"),
    "empty": ("warning", "A SealedSecret seals nothing"),
    "deprecated-data": ("warning", "spec.data, one blob of everything, was replaced by spec.encryptedData years ago"),
    "namespace-missing": ("error", "Without a namespace nobody can tell what a strict or namespace-wide secret was sealed for"),
    "undecodable": ("error", "An item is not base64, or no sealed item, or a part of one"),
    "key-size": ("error", "An item was sealed for a key of a size that none of the given certificates and keys has"),
    "weak-key": ("warning", "An item was sealed for a key of less than 3072 bits"),
    "empty-plaintext": ("warning", "An item seals an empty value"),
    "scope-value": ("error", "An annotation of the scope is not the text \"true\", and so means nothing"),
    "scope-both": ("warning", "Both annotations of the scope are there: cluster-wide wins"),
    "scope-mismatch": ("error", "The SealedSecret and its template declare different scopes; the SealedSecret's own counts"),
    "name-mismatch": ("error", "The template has another name than the SealedSecret, whose own counts"),
    "namespace-mismatch": ("error", "The template has another namespace than the SealedSecret, whose own counts"),
    "layout": ("error", "The path says another namespace or name than the SealedSecret"),
    "kustomize": ("error", "A kustomization changes the name or namespace that an item is bound to"),
    "unknown-annotation": ("error", "The controller knows no such annotation below sealedsecrets.bitnami.com/"),
    "last-applied": ("error", "An annotation holds a copy of what was applied, in a template in plain text"),
    "plaintext-beside": ("error", "A SealedSecret holds values in plain text, in fields that nobody reads"),
    "plaintext-template": ("error", "template.data holds what looks like a secret, in plain text"),
    "plaintext-secret": ("error", "A Secret with values in plain text lies in the tree"),
    "sealing-key": ("critical", "A private sealing key lies in the tree: it opens everything that was sealed for it"),
    "template-null": ("error", "template.data holds null, which the controller reads from 0.40.0 on"),
    "template-clash": ("warning", "An item and template.data have the same name; before 0.37.0 the template won"),
    "duplicate": ("error", "The same SealedSecret is there twice"),
    "copied-item": ("error", "The same sealed value stands in two SealedSecrets, and unseals in one of them at most"),
    "sealed-with": ("warning", "The annotation that says which key an item was sealed for does not fit the items"),
    "certificate-expired": ("error", "An item was sealed for a certificate that is past its life"),
    "certificate-unknown": ("error", "An item was sealed for a key that none of the given certificates has"),
    "certificate-old": ("info", "An item was sealed for a key that is not the newest of the given certificates"),
    "verify": ("error", "The controller cannot unseal it"),
    "decrypt": ("error", "No given key unseals an item where it stands"),
    "controller": ("error", "The controller could not be asked"),
}  # fmt: skip
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_ITEM = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SPEC_FIELDS = {"encryptedData", "template", "data"}
_TEMPLATE_FIELDS = {"metadata", "type", "immutable", "data"}
_SENSITIVE = re.compile(
    r"(?i)passw|passphrase|pwd|secret|token|api[-_.]?key|private|credential|access[-_.]?key|\.(key|pem|p12|jks)$"
)
_ASSIGNED = re.compile(
    r"(?im)^[ \t]*[\"']?[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[-_]?key|private[-_]?key)[\w.-]*[\"']?"
    r"[ \t]*[:=][ \t]*[\"']?([^\s\"'\x00,}]{4,})"
)
_IN_URL = re.compile(r"://[^/\s:@\x00]+:[^/\s:@\x00]+@")
_PLACEHOLDER = re.compile(
    r"(?i)<[^>]*>|\$\{[^}]*\}|\{\{.*\}\}|%\w+%|change[-_ ]?me|replace[-_ ]?me|x{3,}|todo|true|false|null|none|/\S*"
)
_BOUND = {sealed.STRICT: ("namespace", "name"), sealed.NAMESPACE_WIDE: ("namespace",), sealed.CLUSTER_WIDE: ()}
Obj = dict[str, t.Any]


class Finding(t.NamedTuple):
    """file, document: where, from 1 on; line: where the document begins; item: "" where it is about all of it."""

    file: str
    document: int
    line: int
    subject: str
    item: str
    rule: str
    level: str
    message: str
    next_step: str

    def as_dict(self) -> dict[str, t.Any]:
        return self._asdict()


@dataclasses.dataclass
class Options:
    """What is known beside the tree.

    certificates: of the cluster the tree is for; keys: private ones; controller: to verify by, or None; version: its, "" unknown;
    layout: pattern of paths such as "{namespace}/{name}.yaml", * for what is no matter, held against their ends;
    ignore: rules that do not count; now: aware; attempts: calls of the controller to explain one failure.
    """

    now: datetime
    certificates: t.Sequence[Certificate] = ()
    keys: t.Sequence[keyring.Key] = ()
    controller: Controller | None = None
    version: str = ""
    layout: str = ""
    ignore: t.Collection[str] = ()
    attempts: int = explain.ATTEMPTS


@dataclasses.dataclass
class _One:
    """A SealedSecret under the glass."""

    source: trees.Source
    namespace: str
    name: str
    scope: str
    items: dict[str, sealed.Item] = dataclasses.field(default_factory=dict)
    values: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def obj(self) -> Obj:
        return self.source.obj

    @property
    def metadata(self) -> Obj:
        return _dict(self.obj.get("metadata"))

    @property
    def spec(self) -> Obj:
        return _dict(self.obj.get("spec"))

    @property
    def template(self) -> Obj:
        return _dict(self.spec.get("template"))


class Linter:
    """Lints files one by one, then what only the whole tree shows. Findings come by file and document."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._findings: list[Finding] = []
        self._found: list[_One] = []
        self._plain: list[tuple[trees.Source, list[str]]] = []
        self._kustomizations: dict[Path, Obj] = {}
        self._layout = _layout(options.layout) if options.layout else None
        self.files = 0

    def run(self, paths: t.Iterable[Path]) -> list[Finding]:
        """All findings."""
        for path in paths:
            self.file(path, trees.load(path))
        self._whole()
        if self.options.keys:
            self._decrypt()
        if self.options.controller:
            self._verify(self.options.controller)
        kept = [one for one in self._findings if one.rule not in self.options.ignore]
        return sorted(dict.fromkeys(kept), key=lambda one: (one.file, one.document, one.subject, one.item, one.rule))

    @property
    def sealed_secrets(self) -> int:
        return len(self._found)

    def file(self, path: Path, data: bytes) -> None:
        """One file: what it alone shows."""
        self.files += 1
        if path.name in ("kustomization.yaml", "kustomization.yml"):
            self._kustomization(path, data)
        if not trees.concerns(data):
            return
        try:
            sources = trees.parse(data, path)
        except SealingError as error:
            template = "template" in error.cause
            level = "info" if template else "error" if b"SealedSecret" in data else "warning"
            self._findings.append(
                Finding(str(path), 0, 0, error.subject, "", "unreadable", level, error.cause, error.next_step)
            )
            return
        for source in sources:
            if source.obj.get("kind") == objects.KIND:
                self._sealed_secret(source)
            elif source.obj.get("kind") == "Secret":
                self._secret(source)

    # -- one object ---------------------------------------------------------------------------------

    def _say(self, one: _One, rule: str, message: str, step: str, item: str = "", level: str = "") -> None:
        source = one.source
        subject = objects.subject(one.namespace, one.name, item)
        self._findings.append(
            Finding(
                source.file, source.document, source.line, subject, item, rule, level or RULES[rule][0], message, step
            )
        )

    def _sealed_secret(self, source: trees.Source) -> None:
        metadata = _dict(source.obj.get("metadata"))
        annotations = _dict(metadata.get("annotations"))
        one = _One(
            source, str(metadata.get("namespace") or ""), str(metadata.get("name") or ""), objects.scope_of(annotations)
        )
        wrong = trees.misshapen(source.obj)
        if wrong:
            # Wrong types in encryptedData are an error that the controller swallows: it unseals to nothing.
            self._say(one, "schema", f"{wrong} is not a mapping", "Correct it, or seal it again")
            return
        self._found.append(one)
        self._schema(one)
        self._items(one)
        self._scope(one)
        self._names(one)
        self._annotations(one)
        self._template(one)
        self._certificates(one)

    def _schema(self, one: _One) -> None:
        def wrong(message: str, step: str) -> None:
            self._say(one, "schema", message, step)

        if one.obj.get("apiVersion") != objects.API_VERSION:
            wrong(f"its apiVersion is not {objects.API_VERSION}", f"Set apiVersion: {objects.API_VERSION}")
        if not _NAME.fullmatch(one.name):
            wrong("metadata.name is missing or no name for an object", "Give it a name of a-z, 0-9, - and .")
        if not isinstance(one.obj.get("spec"), dict):
            wrong("spec is missing", "Seal it again")
            return
        for field in sorted(set(one.spec) - _SPEC_FIELDS):
            if field != "stringData":  # which plaintext-beside has
                wrong(f"spec.{field} is no field of a SealedSecret", "Take it out, or correct its name and indentation")
        for field in sorted(set(one.template) - _TEMPLATE_FIELDS - {"stringData"}):
            wrong(
                f"spec.template.{field} is no field of a template", "Take it out, or correct its name and indentation"
            )
        self._types(one)
        if not one.namespace and one.scope != sealed.CLUSTER_WIDE:
            self._say(
                one, "namespace-missing", f"it has no namespace, and its scope is {one.scope}", "Set metadata.namespace"
            )

    def _types(self, one: _One) -> None:
        def wrong(message: str, step: str) -> None:
            self._say(one, "schema", message, step)

        if one.template.get("type") is not None and not isinstance(one.template["type"], str):
            wrong("spec.template.type is no text", "Quote it")
        if one.template.get("immutable") is not None and not isinstance(one.template["immutable"], bool):
            wrong("spec.template.immutable is neither true nor false", "Take its quotes away")
        for part, where in (
            (one.metadata, "metadata"),
            (_dict(one.template.get("metadata")), "spec.template.metadata"),
        ):
            for field in ("labels", "annotations"):
                bad = sorted(str(name) for name, value in _dict(part.get(field)).items() if not isinstance(value, str))
                if bad:
                    wrong(f"{where}.{field} has values that are no texts: {', '.join(bad)}", "Quote them")

    def _items(self, one: _One) -> None:
        found = one.spec.get("encryptedData")
        if one.spec.get("data") is not None and not isinstance(one.spec["data"], dict):
            self._say(
                one, "deprecated-data", "it seals everything in one blob, spec.data", "Seal it again with current tools"
            )
            if found:
                self._say(one, "schema", "it has both spec.data and spec.encryptedData", "Take spec.data out")
        elif isinstance(one.obj.get("spec"), dict) and not found:
            self._say(one, "empty", "it has no item in spec.encryptedData", "Seal its values, or delete it")
        sizes = {one_.bits for one_ in self.options.certificates} | {
            key.private.key_size for key in self.options.keys if key.private
        }
        for name, value in _dict(found).items():
            name = str(name)
            if not _ITEM.fullmatch(name):
                self._say(
                    one, "schema", "an item has a name that no Secret takes", "Use letters, digits, -, _ and .", name
                )
            try:
                item = sealed.parse(value, name)
            except SealingError as error:
                self._say(one, "undecodable", error.cause, "Restore it from git, or seal the value again", name)
                continue
            one.items[name], one.values[name] = item, value
            bits = item.modulus_bytes * 8
            if sizes and bits not in sizes:
                listed = " and ".join(str(size) for size in sorted(sizes))
                self._say(
                    one, "key-size", f"it was sealed for a key of {bits} bits, and those of this cluster have {listed}",
                    "It is another cluster's: seal the value again", name,
                )  # fmt: skip
            if bits < MINIMUM_BITS:
                self._say(
                    one,
                    "weak-key",
                    f"it was sealed for a key of {bits} bits",
                    "Renew the key with 4096 bits, then rekey",
                    name,
                )
            if item.plaintext_bytes == 0:
                self._say(
                    one,
                    "empty-plaintext",
                    "its value is empty",
                    "Seal the value that was meant, or remove the item",
                    name,
                )

    def _scope(self, one: _One) -> None:
        own, inside = (_dict(part.get("annotations")) for part in (one.metadata, _dict(one.template.get("metadata"))))
        for found, where in ((own, "its annotation"), (inside, "its template's annotation")):
            for name in (objects.NAMESPACE_WIDE, objects.CLUSTER_WIDE):
                if name in found and found[name] not in ("true", "false"):
                    self._say(one, "scope-value", f"{where} {name} is not the text true", f'Write {name}: "true"')
        if own.get(objects.NAMESPACE_WIDE) == "true" and own.get(objects.CLUSTER_WIDE) == "true":
            self._say(
                one, "scope-both", "it is annotated namespace-wide and cluster-wide", "Keep the one that is meant"
            )
        within = objects.scope_of(inside)
        if within == one.scope:
            return
        if within != sealed.STRICT:
            annotation = next(iter(objects.scope_annotations(within)))
            self._say(
                one, "scope-mismatch",
                f"its template says scope {within}, and itself {one.scope}, which counts: it unseals only if it was sealed so",
                f'Set {annotation}: "true" in metadata.annotations too, if it was sealed {within}',
            )  # fmt: skip
        else:
            self._say(
                one, "scope-mismatch", f"it says scope {one.scope}, and its template strict",
                "Annotate spec.template.metadata too: controllers before 0.36.0 and other tools go by that", level="warning",
            )  # fmt: skip

    def _names(self, one: _One) -> None:
        template = _dict(one.template.get("metadata"))
        for field, rule in (("name", "name-mismatch"), ("namespace", "namespace-mismatch")):
            inside, own = template.get(field), getattr(one, field)
            if inside and own and inside != own:
                bound = field in _BOUND[one.scope]
                self._say(
                    one, rule, f"its template has the {field} {inside}" + (", and may be sealed for that" if bound else ""),
                    f"Use the {field} it was sealed for in both places", level="error" if bound else "warning",
                )  # fmt: skip
        if self._layout:
            match = self._layout.search("/" + one.source.file.replace(os.sep, "/"))
            if match is None:
                self._say(
                    one,
                    "layout",
                    f"its path does not fit {self.options.layout}",
                    "Move it, or correct layout",
                    level="warning",
                )
            for field, said in (match.groupdict() if match else {}).items():
                if said != getattr(one, field):
                    self._say(
                        one, "layout", f"its path says {field} {said}",
                        f"Move the file, or correct metadata.{field} and seal it again",
                    )  # fmt: skip

    def _annotations(self, one: _One) -> None:
        template = _dict(one.template.get("metadata"))
        for part, where in ((one.metadata, "It"), (template, "Its template")):
            annotations = _dict(part.get("annotations"))
            for name in sorted(str(name) for name in annotations):
                if name.startswith(objects.PREFIX) and name not in objects.KNOWN_ANNOTATIONS:
                    self._say(
                        one, "unknown-annotation", f"{where} has the annotation {name}, which means nothing",
                        "Use " + ", ".join(sorted(objects.KNOWN_ANNOTATIONS)),
                    )  # fmt: skip
            for name in objects._PLAINTEXT_ANNOTATIONS:
                if name in annotations:
                    plain = part is template or '"kind":"Secret"' in str(annotations[name]).replace(" ", "")
                    self._say(
                        one, "last-applied",
                        f"{where} has the annotation {name}" + (", which holds the values in plain text" if plain else ""),
                        "Take it out" + (", and make new values: these are in git's history" if plain else ""),
                        level="error" if plain else "warning",
                    )  # fmt: skip

    def _template(self, one: _One) -> None:
        for part, where in ((one.obj, ""), (one.spec, "spec."), (one.template, "spec.template.")):
            for field in ("data", "stringData"):
                found = part.get(field)
                if isinstance(found, dict) and found and where + field != "spec.template.data":
                    self._say(
                        one, "plaintext-beside",
                        f"{where}{field} holds {', '.join(sorted(str(name) for name in found))}, and nobody reads it",
                        "Take it out, and make new values where these were secret: they are in git's history",
                    )  # fmt: skip
        data = one.template.get("data")
        if data is not None and not isinstance(data, dict):
            self._say(one, "schema", "spec.template.data is not a mapping of texts", "Correct it")
        for name, value in _dict(data).items():
            name = str(name)
            clash = name in _dict(one.spec.get("encryptedData"))
            if value is None:
                if versions.before(self.options.version, versions.NULL_IN_TEMPLATE):
                    self._say(
                        one, "template-null", f"template.data.{name} is null, which the controller {self.options.version} does not take",
                        f"Update it to {versions.NULL_IN_TEMPLATE}, or take the null out", name,
                    )  # fmt: skip
            elif not isinstance(value, str):
                self._say(one, "schema", f"template.data.{name} is no text", "Quote it", name)
            else:
                if clash and (not self.options.version or versions.before(self.options.version, versions.ITEM_WINS)):
                    self._say(
                        one,
                        "template-clash",
                        "template.data has an entry of the item's name",
                        "Rename one of them",
                        name,
                    )
                if _looks_secret(name, value):
                    self._say(
                        one, "plaintext-template", f"template.data.{name} looks like a value in plain text",
                        f"Seal it as an item and write {{{{ .{name} }}}}, and make a new value: this one is in git's history", name,
                    )  # fmt: skip

    def _certificates(self, one: _One) -> None:
        annotations = _dict(one.metadata.get("annotations"))
        text = annotations.get(objects.SEALED_WITH)
        if text is None:
            return
        said = stable.noted(one.obj, objects.SEALED_WITH)
        if not said and one.items:
            self._say(
                one, "sealed-with", f"its annotation {objects.SEALED_WITH} is not readable", "Rekey it, or take it out"
            )
            return
        for what, names in (
            ("no item", set(said) - set(one.items)),
            ("nothing of the item", set(one.items) - set(said)),
        ):
            if names:
                self._say(
                    one, "sealed-with", f"its annotation {objects.SEALED_WITH} fits {what}: {', '.join(sorted(names))}",
                    "Edit it with our tools, or take the annotation out", level="warning",
                )  # fmt: skip
        if not self.options.certificates:
            return
        known = {certificate.key_id: certificate for certificate in self.options.certificates}
        newest = max(self.options.certificates, key=lambda certificate: certificate.not_before)
        for item in sorted(set(said) & set(one.items)):
            certificate = known.get(said[item])
            if certificate is None:
                self._say(
                    one, "certificate-unknown", f"it was sealed for key {said[item]}, and no given certificate has that",
                    "Give that certificate, if it is this cluster's; else seal the value again", item,
                )  # fmt: skip
            elif certificate.not_after <= self.options.now:
                self._say(
                    one, "certificate-expired",
                    f"it was sealed for key {said[item]}, whose certificate expired on {certificate.not_after:%Y-%m-%d}",
                    "Rekey it", item,
                )  # fmt: skip
            elif certificate.key_id != newest.key_id:
                self._say(
                    one, "certificate-old", f"it was sealed for key {said[item]}, and there is a newer one of {newest.not_before:%Y-%m-%d}",
                    "Rekey it when that key is to retire", item,
                )  # fmt: skip

    def _secret(self, source: trees.Source) -> None:
        metadata = _dict(source.obj.get("metadata"))
        if keyring.KEY_LABEL in _dict(metadata.get("labels")) and "tls.key" in _dict(source.obj.get("data")):
            self._findings.append(
                Finding(
                    source.file,
                    source.document,
                    source.line,
                    _secret_subject(source),
                    "",
                    "sealing-key",
                    RULES["sealing-key"][0],
                    "it is a private sealing key, and opens everything that was sealed for it",
                    "Take it out of the tree and its history, renew the key, rekey, and make new values",
                )
            )
            return
        names = _plain_values(source.obj)
        if names:
            self._plain.append((source, names))

    def _kustomization(self, path: Path, data: bytes) -> None:
        try:
            for source in trees.parse(data, path):
                self._kustomizations[path.parent] = source.obj
        except SealingError:
            return  # kustomize itself says what is wrong with it

    # -- the whole tree -----------------------------------------------------------------------------

    def _whole(self) -> None:
        places: dict[tuple[str, str], _One] = {}
        values: dict[str, tuple[_One, str]] = {}
        for one in self._found:
            if one.name:
                first = places.setdefault((one.namespace, one.name), one)
                if first is not one:
                    self._say(
                        one, "duplicate", f"it is in {first.source.file}, document {first.source.document}, too",
                        "Keep one: who is applied last wins",
                    )  # fmt: skip
            for item, value in one.values.items():
                other, name = values.setdefault(value, (one, item))
                if other is not one and _apart(one, other):
                    self._say(
                        one, "copied-item",
                        f"its sealed value is that of {objects.subject(other.namespace, other.name, name)}",
                        "Seal the value for this place: a sealed value unseals only where it was sealed for", item,
                    )  # fmt: skip
            self._kustomized(one)
        for source, names in self._plain:
            metadata = _dict(source.obj.get("metadata"))
            beside = places.get((str(metadata.get("namespace") or ""), str(metadata.get("name") or "")))
            also = f"; it is sealed in {beside.source.file}, too" if beside else ""
            self._findings.append(
                Finding(
                    source.file,
                    source.document,
                    source.line,
                    _secret_subject(source),
                    "",
                    "plaintext-secret",
                    RULES["plaintext-secret"][0],
                    f"it holds {', '.join(names)} in plain text{also}",
                    "Seal it, delete it from the tree, and make new values: these are in git's history",
                )
            )

    def _kustomized(self, one: _One) -> None:
        path = Path(one.source.file)
        kustomization = self._kustomizations.get(path.parent)
        if not kustomization or path.name not in [
            str(entry).removeprefix("./") for entry in kustomization.get("resources") or []
        ]:
            return
        bound = _BOUND[one.scope]
        namespace = kustomization.get("namespace")
        if namespace and namespace != one.namespace and "namespace" in bound:
            self._say(
                one, "kustomize", f"{path.parent / 'kustomization'} puts it into namespace {namespace}",
                "Seal it for that namespace, and name it in the manifest",
            )  # fmt: skip
        if "name" in bound and (kustomization.get("namePrefix") or kustomization.get("nameSuffix")):
            self._say(
                one, "kustomize", f"{path.parent / 'kustomization'} changes its name by namePrefix or nameSuffix",
                "Seal it for the name it gets, and keep it out of that kustomization",
            )  # fmt: skip

    # -- keys and controller ------------------------------------------------------------------------

    def _places(self) -> explain.Places:
        known = {(one.namespace, one.name) for one in self._found}
        for one in self._found:
            template = _dict(one.template.get("metadata"))
            known.add((str(template.get("namespace") or one.namespace), str(template.get("name") or one.name)))
        return explain.Places(known)

    def _decrypt(self) -> None:
        places = self._places()

        def check(one: _One) -> list[tuple[str, explain.Cause]]:
            out = []
            about = objects.label_of(one.obj)
            for name, item in one.items.items():
                try:
                    keyring.opener(self.options.keys, about, item, name)
                except SealingError:
                    out.append((name, explain.by_keys(one.obj, item, self.options.keys, places)))
            return out

        # One after the other: RSA keeps Python's lock, threads would win nothing.
        for one in self._found:
            for name, cause in check(one):
                self._say(one, "decrypt", cause.cause, cause.next_step, name)

    def _verify(self, controller: Controller) -> None:
        places = self._places()
        try:
            version = self.options.version or controller.version()
            versions.refuse(version, "verify")
            for one in self._found:
                if not one.items or controller.verify(one.obj):
                    continue
                for name, cause in explain.by_controller(one.obj, controller, places, self.options.attempts).items():
                    self._say(one, "verify", cause.cause, cause.next_step, name)
        except SealingError as error:
            self._findings.append(
                Finding("", 0, 0, error.subject, "", "controller", RULES["controller"][0], error.cause, error.next_step)
            )


def failing(findings: t.Iterable[Finding], fail_on: str) -> list[Finding]:
    """Those of a level or above; none for "never"."""
    if fail_on == "never":
        return []
    return [one for one in findings if LEVELS.index(one.level) >= LEVELS.index(fail_on)]


# -- small judgements -------------------------------------------------------------------------------


def _dict(value: t.Any) -> Obj:
    return value if isinstance(value, dict) else {}


def _layout(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\{namespace\}|\{name\}|\*)", pattern.strip("/"))
    words = {"{namespace}": "(?P<namespace>[^/]+)", "{name}": "(?P<name>[^/]+)", "*": "[^/]*"}
    try:
        return re.compile("/" + "".join(words.get(part, re.escape(part)) for part in parts) + "$")
    except re.error:
        raise SealingError(
            f"Layout {pattern}", "it names the same thing twice", "Use {namespace} and {name} once each"
        ) from None


def _apart(one: _One, other: _One) -> bool:
    """Whether a sealed value cannot be right in both."""
    return (one.scope, *(getattr(one, field) for field in _BOUND[one.scope])) != (
        other.scope, *(getattr(other, field) for field in _BOUND[other.scope]),
    )  # fmt: skip


def _secret_subject(source: trees.Source) -> str:
    metadata = _dict(source.obj.get("metadata"))
    return f"Secret {metadata.get('namespace') or ''}/{metadata.get('name') or ''}".replace(" /", " ")


def _plain_values(secret: Obj) -> list[str]:
    """Names of the items of a Secret that hold values, and no placeholders. Values that SOPS encrypted are none."""
    if "sops" in secret or secret.get("type") == "kubernetes.io/service-account-token":
        return []
    found = []
    for name, value in {**_dict(secret.get("data")), **_dict(secret.get("stringData"))}.items():
        text = str(value or "")
        if name in _dict(secret.get("data")) and name not in _dict(secret.get("stringData")):
            # What is not base64 lies open as it is.
            with contextlib.suppress(binascii.Error, ValueError):
                text = base64.b64decode(text, validate=True).decode("utf-8", "replace")
        if text.strip() and not _PLACEHOLDER.fullmatch(text.strip()):
            found.append(str(name))
    return sorted(found)


def _looks_secret(name: str, value: str) -> bool:
    """Whether an entry of template.data is a secret in plain text rather than a template or a setting."""
    rest = re.sub(r"\{\{.*?\}\}", "\x00", value, flags=re.DOTALL)
    if "-----BEGIN" in rest and "PRIVATE KEY" in rest:
        return True
    if _IN_URL.search(rest):
        return True
    if any(not _PLACEHOLDER.fullmatch(match.group(1)) for match in _ASSIGNED.finditer(rest)):
        return True
    stripped = rest.strip()
    if "\x00" in rest or not stripped or "\n" in stripped or _PLACEHOLDER.fullmatch(stripped):
        return False
    return bool(_SENSITIVE.search(name)) or _random(stripped)


def _random(text: str) -> bool:
    """Whether a text looks like made by chance: long, without spaces, letters and digits mixed, and hardly any character twice."""
    if len(text) < 20 or not re.fullmatch(r"[A-Za-z0-9+/=_-]+", text):
        return False
    if not (re.search(r"\d", text) and re.search(r"[A-Z]", text) and re.search(r"[a-z]", text)):
        return False
    entropy = -sum(text.count(sign) / len(text) * math.log2(text.count(sign) / len(text)) for sign in set(text))
    return entropy > 3.8
