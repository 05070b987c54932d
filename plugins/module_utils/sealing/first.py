# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First secrets: values for what is declared and not sealed yet. Private to the collection, no Ansible inside.

For each item, in this order: it is sealed already and stays as it is; the cluster has it and it is taken over; it is given; it is
generated. So nothing that exists is made again. No message ever holds a value.
"""

from __future__ import annotations

import base64
import binascii
import os
import typing as t
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..kube.arguments import CONNECTION, Spec
from ..kube.client import Client, Clock
from ..kube.config import load_login
from .declared import Declared, Inventory, Key, Name, read
from .errors import SealingError
from .generate import Random, generate, public_half
from .objects import MANAGED, PATCH, clean_metadata

Obj = dict[str, t.Any]

SECRET_VALUES: t.Final[Spec] = {
    **CONNECTION,
    "components": {"type": "list", "elements": "dict", "default": []},
    "declared": {"type": "list", "elements": "dict", "default": []},
    "environments": {"type": "list", "elements": "str", "default": []},
    "directory": {"type": "path", "required": True},
    "given": {"type": "dict", "default": {}, "no_log": True},
    "replace": {"type": "list", "elements": "str", "default": []},
    "offline": {"type": "bool", "default": False},
}


class Asked(t.NamedTuple):
    """A value that only a person can give. subject: "demo/s3, item access-key"; about: where to find it, for people."""

    secret: str
    item: str
    about: str

    @property
    def subject(self) -> str:
        return f"{self.secret}, item {self.item}"


# Values for all that is asked for, in order.
Ask = Callable[[Sequence[Asked]], Sequence[str]]


def secret_values(
    params: Mapping[str, t.Any],
    environ: Mapping[str, str],
    *,
    ask: Ask | None = None,
    check: bool = False,
    clock: Clock | None = None,
    random: Random = os.urandom,
) -> Obj:
    """Result of module secret_values. ask: for values that are given by people, None where nobody can be asked.

    Raises SealingError, and KubeError where the cluster cannot be read.
    """
    inventory = read(params["components"], params["declared"], params["environments"], Path(params["directory"]))
    given = _given(params["given"] or {}, inventory)
    again = _replaced(params["replace"], inventory)
    due = [one for one, _items in inventory.missing()] + [one for one in inventory.declared if one.subject in again]
    live: dict[Name, Obj | None] = {}
    if due and not params["offline"]:
        client = Client(load_login(params, environ), clock=clock)
        try:
            live = _live(client, due)
        finally:
            client.close()
    work = _Work(inventory, live, given, again, random)
    for one in dict.fromkeys(one.subject for one in due):
        work.add(next(secret for secret in due if secret.subject == one))
    if work.problems:
        raise SealingError("Secrets of this inventory", "; ".join(work.problems), "Nothing was sealed", reason="input")
    if work.asked and not check:
        if ask is None:
            raise nobody_asked(work.asked)
        work.answer(ask(work.asked))
    secrets = work.secrets(Path(params["directory"]))
    names = {part: sorted(found) for part, found in work.names.items()}
    return {"changed": False, "secrets": secrets, **names, "asked": [one.subject for one in work.asked]}


def nobody_asked(asked: Sequence[Asked]) -> SealingError:
    listed = "; ".join(f"{one.subject} ({one.about})" if one.about else one.subject for one in asked)
    return SealingError(
        "Secrets of this inventory",
        f"nobody is there to be asked for: {listed}",
        "Nothing was sealed. Set them in enclii_given_secrets, in a file that Ansible Vault encrypts, or run this at a terminal",
        reason="given",
    )


def _given(raw: Mapping[str, t.Any], inventory: Inventory) -> dict[tuple[str, str], str]:
    """("namespace/name", item) -> value; a name without namespace stands for all its namespaces. Raises SealingError."""
    found: dict[tuple[str, str], str] = {}
    wrong = []
    for secret, items in raw.items():
        meant = [one for one in inventory.declared if secret in (one.subject, one.name)]
        if not meant:
            wrong.append(f"no secret {secret} is declared")
        if not isinstance(items, Mapping):
            wrong.append(f"{secret} is a mapping of items to values")
            continue
        for one in meant:
            wrong += [f"{one.subject} has no item {item}" for item in items if item not in one.items]
            wrong += [
                f"{one.subject}, item {item} is a text that is not empty"
                for item, value in items.items()
                if not isinstance(value, str) or not value
            ]
            for item, value in items.items():
                # what names a namespace wins over what stands for all
                if secret == one.subject or (one.subject, item) not in found:
                    found[one.subject, item] = str(value)
    if wrong:
        raise SealingError(
            "enclii_given_secrets", "; ".join(dict.fromkeys(wrong)), "Nothing was sealed. Correct it", reason="input"
        )
    return found


def _replaced(names: Sequence[str], inventory: Inventory) -> set[str]:
    found = {one.subject for one in inventory.declared if any(key.generator == "given" for key in one.keys)}
    wrong = [one for one in names if one not in found]
    if wrong:
        raise SealingError(
            f"secrets_replace: {', '.join(wrong)}",
            "only a declared secret with values that are given can be replaced here, by namespace/name",
            "Nothing was sealed. What is generated is rotated together with what uses it",
        )
    return set(names)


def _live(client: Client, wanted: Sequence[Declared]) -> dict[Name, Obj | None]:
    names = [(one.namespace, one.name) for one in wanted]
    found = client.map(lambda name: client.find(f"/api/v1/namespaces/{name[0]}/secrets/{name[1]}"), names)
    return dict(zip(names, found, strict=True))


class _Work:
    """The values for an inventory, secret by secret. problems, asked and names are for messages and hold no value."""

    def __init__(
        self,
        inventory: Inventory,
        live: Mapping[Name, Obj | None],
        given: Mapping[tuple[str, str], str],
        again: set[str],
        random: Random,
    ) -> None:
        self._inventory, self._live, self._given, self._again, self._random = inventory, live, given, again, random
        self._values: dict[str, dict[str, bytes]] = {}
        self._wanted: list[Declared] = []
        self.problems: list[str] = []
        self.asked: list[Asked] = []
        self.names: dict[str, list[str]] = {"generated": [], "given": [], "taken": []}

    def add(self, one: Declared) -> None:
        """Decide on every item of a declared secret."""
        name = (one.namespace, one.name)
        sealed = self._inventory.sealed.get(name)
        there = set(sealed.items) if sealed else set()
        live = self._data(one.subject, self._live.get(name))
        values: dict[str, bytes] = {}
        self._values[one.subject] = values
        self._wanted.append(one)
        for key in one.keys:
            anew = key.generator == "given" and one.subject in self._again
            self._decide(one.subject, key, values, set() if anew else there, {} if anew else live)
        for item in self._others(one, sealed is None):
            values[item] = live[item]
            self._note("taken", one.subject, item)

    def _others(self, one: Declared, new: bool) -> list[str]:
        """Items of a Secret that is taken over which nobody declares: the controller would drop what is not sealed."""
        obj = self._live.get((one.namespace, one.name)) or {}
        merged = ((obj.get("metadata") or {}).get("annotations") or {}).get(PATCH) == "true"
        return [item for item in obj.get("data") or {} if item not in one.items] if new and not merged else []

    def answer(self, values: Sequence[str]) -> None:
        """Take the values of what was asked, in that order."""
        for one, value in zip(self.asked, values, strict=True):
            self._values[one.secret][one.item] = value.encode()
            self._note("given", one.secret, one.item)

    def secrets(self, directory: Path) -> list[Obj]:
        """What module sealed_secret takes."""
        return [self._entry(one, directory) for one in self._wanted if self._values[one.subject]]

    def _entry(self, one: Declared, directory: Path) -> Obj:
        name = (one.namespace, one.name)
        sealed, live = self._inventory.sealed.get(name), self._live.get(name)
        data = {item: base64.b64encode(value).decode("ascii") for item, value in self._values[one.subject].items()}
        entry: Obj = {"name": one.name, "namespace": one.namespace, "data_base64": data}
        if sealed:
            return {**entry, "dest": sealed.path}
        entry |= {"type": one.type, "dest": str(directory / f"{one.namespace}-{one.name}.yaml")}
        if live:
            metadata = clean_metadata(live["metadata"])
            kept = {
                key: value for key, value in (metadata.get("annotations") or {}).items() if key not in (MANAGED, PATCH)
            }
            # The type of a Secret cannot change.
            entry |= {"type": live.get("type") or one.type, "labels": metadata.get("labels") or {}, "annotations": kept}
        return entry

    def _decide(
        self, secret: str, key: Key, values: dict[str, bytes], there: set[str], live: Mapping[str, bytes]
    ) -> None:
        if key.name not in there:
            self._value(secret, key, values, key.public in there, live)
        if key.public and key.public not in there and not self._pending(secret, key.name):
            self._public(secret, key, values, live)

    def _value(self, secret: str, key: Key, values: dict[str, bytes], half: bool, live: Mapping[str, bytes]) -> None:
        """The value itself; of a key pair the private half."""
        if key.name in live:
            values[key.name] = live[key.name]
            self._note("taken", secret, key.name)
        elif (secret, key.name) in self._given:
            values[key.name] = self._given[secret, key.name].encode()
            self._note("given", secret, key.name)
        elif key.generator == "given":
            self.asked.append(Asked(secret, key.name, str(key.options["description"])))
        elif half:
            self.problems.append(
                f"{secret}, item {key.name}: its public half {key.public} is sealed already and would belong to another key; "
                f"remove {key.public} from the manifest, or give the private half"
            )
        else:
            values[key.name] = generate(key.generator, key.options, self._random).encode()
            self._note("generated", secret, key.name)

    def _public(self, secret: str, key: Key, values: dict[str, bytes], live: Mapping[str, bytes]) -> None:
        private = values.get(key.name) or live.get(key.name)
        if key.public in live:
            values[key.public] = live[key.public]
            self._note("taken", secret, key.public)
        elif private is None:
            self.problems.append(
                f"{secret}, item {key.public}: its private half is sealed and the cluster has none to tell it from; "
                f"apply the manifest first"
            )
        else:
            try:
                half = public_half(private, key.options["format"], f"{secret}, item {key.name}")
            except SealingError as error:
                self.problems.append(f"{error.subject}: {error.cause}")
                return
            values[key.public] = half.encode()
            self._note("generated", secret, key.public)

    def _pending(self, secret: str, item: str) -> bool:
        return any(one.secret == secret and one.item == item for one in self.asked)

    def _note(self, part: str, secret: str, item: str) -> None:
        self.names[part].append(f"{secret}, item {item}")

    def _data(self, secret: str, obj: Obj | None) -> dict[str, bytes]:
        try:
            return {
                item: base64.b64decode(value, validate=True) for item, value in ((obj or {}).get("data") or {}).items()
            }
        except (binascii.Error, ValueError):
            self.problems.append(f"{secret}: the cluster's Secret holds what is no base64")
            return {}
