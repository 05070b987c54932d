# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing the items of whole trees anew, for another certificate, and changing nothing else of their files.

By private keys items are opened and sealed here. Without them the controller does it, for its newest key, and of its answer only
the sealed values are used, each put where the old one stood.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t
from pathlib import Path

from . import documents, explain, keyring, objects, stable, trees, versions
from . import format as sealed
from .certificate import Certificate
from .errors import SealingError
from .journal import Intent, Journal, digest

if t.TYPE_CHECKING:
    from .controller import Controller

# Files between two marks of the journal: few enough that a kill costs little, many enough that the disk does not.
CHUNK = 64
CURRENT, REKEYED, FAILED = "current", "rekeyed", "failed"
_ENCRYPTED = ("spec", "encryptedData")
_ANNOTATIONS = ("metadata", "annotations")
Obj = dict[str, t.Any]
Digester = t.Callable[[str, str, str, str, str, bytes], str]  # namespace, name, scope, item, sealed value, plaintext


@dataclasses.dataclass
class Options:
    """target: to seal for; keys: private ones, or controller: without them; version: the controller's.

    digester: makes the keyed digest of an item, where its key is given; force: do not believe the annotation that says an item is
    sealed for the target already, where nothing can prove it; check: change nothing.
    """

    target: Certificate
    keys: t.Sequence[keyring.Key] = ()
    controller: Controller | None = None
    version: str = ""
    digester: Digester | None = None
    force: bool = False
    check: bool = False

    @property
    def way(self) -> str:
        return "local" if self.keys else "rotate"


@dataclasses.dataclass
class Outcome:
    """One SealedSecret. items: item -> current, rekeyed (in check mode: would be), failed; from_keys: item -> key id before, "" unknown."""

    file: str
    document: int
    namespace: str
    name: str
    items: dict[str, str] = dataclasses.field(default_factory=dict)
    from_keys: dict[str, str] = dataclasses.field(default_factory=dict)
    annotated: bool = False
    errors: list[dict[str, str]] = dataclasses.field(default_factory=list)

    @property
    def changed(self) -> bool:
        return not self.errors and (self.annotated or REKEYED in self.items.values())

    def as_dict(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "changed": self.changed}


@dataclasses.dataclass
class Report:
    """outcomes: of all SealedSecrets but those of files that an earlier run did, of which there are so many: resumed."""

    outcomes: list[Outcome] = dataclasses.field(default_factory=list)
    errors: list[dict[str, str]] = dataclasses.field(default_factory=list)
    files: int = 0
    written: int = 0
    resumed: int = 0

    @property
    def failed(self) -> list[dict[str, str]]:
        return [*self.errors, *(error for outcome in self.outcomes for error in outcome.errors)]

    def counts(self) -> dict[str, int]:
        states = [state for outcome in self.outcomes for state in outcome.items.values()]
        return {state: states.count(state) for state in (CURRENT, REKEYED, FAILED)}


class _Plan(t.NamedTuple):
    """A file that was looked at. text: what it is to hold, None where it stays; before: digest of what it holds."""

    path: Path
    before: str
    text: str | None
    outcomes: list[Outcome]
    error: dict[str, str] | None
    resumed: bool


class Rekeyer:
    """Seals files anew. Raises SealingError for what stands in the way of all; what is wrong with one object is reported."""

    def __init__(self, options: Options, places: explain.Places | None = None) -> None:
        self.options = options
        self.places = places or explain.Places()
        if not options.keys:
            if options.controller is None:
                raise SealingError(
                    "Rekeying", "neither private keys nor a controller are given", "Give one of them", reason="input"
                )
            versions.refuse(options.version, "rotate")

    def run(self, paths: t.Sequence[Path], journal: Path) -> Report:
        """All files, a chunk at a time: planned, put into the journal, written."""
        report = Report()
        if self.options.check:
            for chunk in _chunks(paths, CHUNK):
                self._take(report, self._plans(chunk, None))
            return report
        purpose = {"target": self.options.target.key_id, "way": self.options.way}
        with Journal(journal, purpose) as opened:
            _sweep(opened)
            # The controller does two a second: each is written as soon as it is there.
            for chunk in _chunks(paths, CHUNK if self.options.keys else 1):
                plans = self._plans(chunk, opened)
                self._take(report, plans)
                self._write(report, [plan for plan in plans if plan.text is not None], opened)
            opened.finish()
        return report

    # -- inside ---------------------------------------------------------------------------------

    def _plans(self, paths: t.Sequence[Path], journal: Journal | None) -> list[_Plan]:
        # One after the other: RSA keeps Python's lock, threads would win nothing.
        return [self._plan(path, journal) for path in paths]

    def _take(self, report: Report, plans: t.Sequence[_Plan]) -> None:
        for plan in plans:
            report.files += 1
            report.outcomes += plan.outcomes
            report.resumed += plan.resumed
            if plan.error:
                report.errors.append(plan.error)

    def _write(self, report: Report, plans: t.Sequence[_Plan], journal: Journal) -> None:
        if not plans:
            return
        journal.intend([
            Intent(str(plan.path), plan.before, digest((plan.text or "").encode())) for plan in plans
        ])  # fmt: skip
        for plan in plans:
            if digest(trees.load(plan.path)) != plan.before:
                raise SealingError(
                    f"File {plan.path}",
                    "somebody else changed it meanwhile",
                    "It was left as it is. Run this again, it goes on",
                    reason="file",
                )
        documents.write_all([(plan.path, plan.text or "") for plan in plans])
        report.written += len(plans)

    def _plan(self, path: Path, journal: Journal | None) -> _Plan:
        data = trees.load(path)
        before = digest(data)
        if journal and journal.done(str(path), data):
            return _Plan(path, before, None, [], None, True)
        if b"SealedSecret" not in data or not trees.concerns(data):
            return _Plan(path, before, None, [], None, False)
        outcomes: list[Outcome] = []
        try:
            text = new = data.decode("utf-8")
            for document in documents.read(text, str(path)):
                if document.obj.get("kind") == objects.KIND:
                    outcome, changes = self._object(str(path), document.number, document.obj)
                    outcomes.append(outcome)
                    if outcome.changed:
                        new = self._edited(new, document.number, changes, outcome)
                elif _holds_sealed(document.obj):
                    raise SealingError(
                        f"File {document.where}", "it is a List, whose objects cannot be edited in place",
                        "Write each object as a document of its own", reason="file",
                    )  # fmt: skip
        except UnicodeDecodeError:
            error = SealingError(f"File {path}", "it is not UTF-8", "Save it as UTF-8", reason="file").as_dict()
            return _Plan(path, before, None, [], error, False)
        except SealingError as error:
            if error.reason == "controller":
                raise
            return _Plan(path, before, None, [], error.as_dict(), False)
        return _Plan(path, before, new if new != text else None, outcomes, None, False)

    def _edited(self, text: str, number: int, changes: list[tuple[tuple[str, ...], t.Any]], outcome: Outcome) -> str:
        try:
            return documents.edited(text, number, changes)
        except SealingError as error:
            outcome.errors.append({**error.as_dict(), "object": objects.subject(outcome.namespace, outcome.name)})
            outcome.items = dict.fromkeys(outcome.items, FAILED)
            return text

    def _object(self, file: str, number: int, obj: Obj) -> tuple[Outcome, list[tuple[tuple[str, ...], t.Any]]]:
        """What becomes of a SealedSecret, and the changes to its document."""
        wrong = trees.misshapen(obj)
        metadata = {} if wrong else obj.get("metadata") or {}
        namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
        outcome = Outcome(file, number, namespace, name)
        if wrong:
            error = SealingError(
                f"File {file}, document {number}", f"{wrong} is not a mapping", "Lint it", reason="format"
            )
            outcome.errors.append(error.as_dict())
            return outcome, []
        said = stable.noted(obj, objects.SEALED_WITH)
        values: dict[str, str] = (obj.get("spec") or {}).get("encryptedData") or {}
        parsed: dict[str, sealed.Item] = {}
        for item, value in values.items():
            try:
                parsed[item] = sealed.parse(value, objects.subject(namespace, name, item))
            except SealingError as error:
                self._fail(outcome, item, error)
        plain = self._open(obj, outcome, parsed, said) if self.options.keys else self._believe(outcome, parsed, said)
        if outcome.errors:
            return outcome, []
        wanted = [item for item, state in outcome.items.items() if state == REKEYED]
        fresh: dict[str, str] = {}
        if wanted and self.options.check:
            fresh = dict.fromkeys(wanted, "")
        elif wanted and self.options.keys:
            fresh = self._seal(obj, plain)
        elif wanted:
            try:
                fresh = self._rotate(obj, {item: parsed[item] for item in wanted})
            except SealingError as error:
                if error.reason == "controller":
                    raise
                outcome.errors.append(error.as_dict())
                outcome.items.update(dict.fromkeys(wanted, FAILED))
                return outcome, []
        if set(fresh) != set(wanted):
            raise SealingError(
                objects.subject(namespace, name), "not all items came back", "Nothing was written", reason="controller"
            )
        known = {item: key for item, key in {**said, **outcome.from_keys}.items() if item in values and key}
        known.update(dict.fromkeys(fresh, self.options.target.key_id))
        known.update({item: self.options.target.key_id for item, state in outcome.items.items() if state == CURRENT})
        outcome.annotated = known != said
        changes: list[tuple[tuple[str, ...], t.Any]] = [((*_ENCRYPTED, item), value) for item, value in fresh.items()]
        if outcome.annotated:
            changes.append(((*_ANNOTATIONS, objects.SEALED_WITH), stable.note(known)))
        return outcome, changes + self._digests(obj, fresh, plain)

    def _fail(self, outcome: Outcome, item: str, error: SealingError) -> None:
        outcome.items[item] = FAILED
        outcome.errors.append(error.as_dict())

    def _open(
        self, obj: Obj, outcome: Outcome, parsed: t.Mapping[str, sealed.Item], said: t.Mapping[str, str]
    ) -> dict[str, bytes]:
        """Item -> plaintext of those to seal anew. The annotation only says which key to try first."""
        target = self.options.target.key_id
        have_target = any(key.key_id == target and key.private for key in self.options.keys)
        about, plain = objects.label_of(obj), {}
        for item, one in parsed.items():
            subject = objects.subject(outcome.namespace, outcome.name, item)
            order = sorted(self.options.keys, key=lambda key, item=item: key.key_id != said.get(item))  # type: ignore[misc]
            try:
                plaintext, key = keyring.opener(order, about, one, subject)
            except SealingError:
                if said.get(item) == target and not have_target and not self.options.force:
                    # None of the old keys opens it, as is to be when it is sealed for the target.
                    outcome.items[item], outcome.from_keys[item] = CURRENT, target
                    continue
                cause = explain.by_keys(obj, one, self.options.keys, self.places)
                self._fail(outcome, item, SealingError(subject, cause.cause, cause.next_step, reason="key"))
                continue
            outcome.from_keys[item] = key.key_id
            outcome.items[item] = CURRENT if key.key_id == target else REKEYED
            if key.key_id != target:
                plain[item] = plaintext
        return plain

    def _believe(
        self, outcome: Outcome, parsed: t.Mapping[str, sealed.Item], said: t.Mapping[str, str]
    ) -> dict[str, bytes]:
        """Without private keys only the annotation tells what is sealed for the target already."""
        for item in parsed:
            done = said.get(item) == self.options.target.key_id and not self.options.force
            outcome.items[item] = CURRENT if done else REKEYED
            outcome.from_keys[item] = said.get(item, "")
        return {}

    def _seal(self, obj: Obj, plain: t.Mapping[str, bytes]) -> dict[str, str]:
        about = objects.label_of(obj)
        return {item: sealed.seal(self.options.target.public_key, about, value) for item, value in plain.items()}

    def _rotate(self, obj: Obj, wanted: t.Mapping[str, sealed.Item]) -> dict[str, str]:
        """Fresh values of exactly the items that were sent. Raises SealingError where they are not what they should be."""
        controller = t.cast("Controller", self.options.controller)
        metadata = obj.get("metadata") or {}
        namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
        values = {item: obj["spec"]["encryptedData"][item] for item in wanted}
        try:
            answer = controller.rotate({**obj, "spec": {"encryptedData": values}})["spec"]["encryptedData"]
        except SealingError as error:
            if "could not unseal" not in error.cause:
                raise
            raise SealingError(objects.subject(namespace, name), error.cause, error.next_step, reason="key") from error
        if self._renewed(controller):
            raise SealingError(
                controller.subject,
                "it made a new key meanwhile",
                "Run this again: it goes on for that key",
                reason="controller",
            )
        for item, old in wanted.items():
            subject = objects.subject(namespace, name, item)
            new = sealed.parse(answer[item], subject)
            if (new.plaintext_bytes, new.modulus_bytes * 8) != (old.plaintext_bytes, self.options.target.bits):
                raise SealingError(
                    subject,
                    "what came back from the controller has another length or key size",
                    "Nothing was written",
                    reason="controller",
                )
            if answer[item] == values[item]:
                raise SealingError(
                    subject, "the controller gave the same back", "Nothing was written", reason="controller"
                )
        return {item: str(answer[item]) for item in wanted}

    def _renewed(self, controller: Controller) -> bool:
        return self.options.target.pem.strip().encode() not in controller.certificate()

    def _digests(
        self, obj: Obj, fresh: t.Mapping[str, str], plain: t.Mapping[str, bytes]
    ) -> list[tuple[tuple[str, ...], t.Any]]:
        """The keyed digests are bound to the sealed values: made anew where their key is given, else taken away."""
        metadata = obj["metadata"]
        text = (metadata.get("annotations") or {}).get(objects.SEALED_DIGEST)
        if not fresh or (text is None and not self.options.digester):
            return []
        noted = stable.noted(obj, objects.SEALED_DIGEST)
        kept = {item: value for item, value in noted.items() if item not in fresh}
        if self.options.digester and plain:
            namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
            scope = objects.scope_of(metadata.get("annotations"))
            for item, value in plain.items():
                kept[item] = self.options.digester(namespace, name, scope, item, fresh[item], value)
        new = stable.note(kept) if kept else documents.REMOVE
        return [((*_ANNOTATIONS, objects.SEALED_DIGEST), new)] if text is not None or kept else []


def places_of(paths: t.Iterable[Path]) -> explain.Places:
    """The names and namespaces of a tree's SealedSecrets, to explain what fails."""
    known = set()
    for path in paths:
        data = trees.load(path)
        if b"SealedSecret" not in data:
            continue
        try:
            found = trees.parse(data, path)
        except SealingError:
            continue
        for source in found:
            if source.obj.get("kind") == objects.KIND and isinstance(source.obj.get("metadata"), dict):
                metadata = source.obj["metadata"]
                known.add((str(metadata.get("namespace") or ""), str(metadata.get("name") or "")))
    return explain.Places(known)


def _sweep(journal: Journal) -> None:
    """Take away the unfinished files that a killed run left beside those it was about to replace."""
    for intent in journal.intents.values():
        path = Path(os.path.realpath(intent.file))
        name = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{12}\.tmp")
        for beside in path.parent.iterdir() if path.parent.is_dir() else ():
            if name.fullmatch(beside.name):
                beside.unlink(missing_ok=True)


def _holds_sealed(obj: Obj) -> bool:
    items = obj.get("items")
    return isinstance(items, list) and any(isinstance(one, dict) and one.get("kind") == objects.KIND for one in items)


def _chunks(paths: t.Sequence[Path], size: int) -> t.Iterator[t.Sequence[Path]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]
