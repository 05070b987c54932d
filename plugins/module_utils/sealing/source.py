# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where secrets come from: declared values checked and decoded, certificates and keys read."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
import typing as t
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from pathlib import Path

from . import certificate as certificates
from . import format as sealed
from . import keyring, objects
from .errors import SealingError

MAXIMUM_BYTES = 1024 * 1024  # of all values of a Secret together, by the API server's own rule
_CERTIFICATE_BYTES = 1024 * 1024
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_ITEM = re.compile(r"[-._a-zA-Z0-9]{1,253}\Z")
Obj = dict[str, t.Any]
Read = t.Callable[[str], tuple[bytes, str]]  # path -> content, and the path for messages
Find = t.Callable[[str, str], "Obj | None"]  # namespace, name -> a live Secret


class Declared(t.NamedTuple):
    """A secret as it is wanted.

    values: item -> plaintext; labels, annotations, template_data: None where nothing is said of them; kind: type of the Secret, or None;
    immutable: or None; dest: path of its manifest, or None
    """

    namespace: str
    name: str
    scope: str
    state: str
    dest: Path | None
    values: dict[str, bytes]
    kind: str | None
    immutable: bool | None
    labels: dict[str, str] | None
    annotations: dict[str, str] | None
    template_data: dict[str, str | None] | None
    sealed_labels: dict[str, str]
    sealed_annotations: dict[str, str]

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    def subject(self, item: str = "") -> str:
        return objects.subject(self.namespace, self.name, item)


def declared(params: t.Mapping[str, t.Any], read: Read, find: Find) -> Declared:
    """One entry of the module's `secrets`, checked. Raises SealingError; it names items and never values."""
    namespace, name = str(params.get("namespace") or ""), str(params["name"])
    scope, about = str(params.get("scope") or sealed.STRICT), objects.subject(namespace, name)
    if len(name) > 253 or not _NAME.match(name):
        raise SealingError(about, "its name is no name of a Kubernetes object", "Use small letters, digits, - and .")
    if not namespace and scope != sealed.CLUSTER_WIDE:
        raise SealingError(about, f"scope {scope} binds it to a namespace, and none is given", "Set namespace")
    if namespace and (len(namespace) > 63 or "." in namespace or not _NAME.match(namespace)):
        raise SealingError(about, "its namespace is no name of a namespace", "Use small letters, digits and -")
    state = str(params.get("state") or "present")
    origin: Obj = {}
    values: dict[str, bytes] = {}
    if state == "present":
        values, origin = _values(params, about, read, find)
    metadata = objects.clean_metadata(origin.get("metadata") or {})
    taken = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if not key.startswith(objects.PREFIX)
    }
    return Declared(
        namespace,
        name,
        scope,
        state,
        Path(str(params["dest"])) if params.get("dest") else None,
        values,
        params.get("type") or origin.get("type"),
        params["immutable"] if params.get("immutable") is not None else origin.get("immutable"),
        _texts(params, "labels", about) if params.get("labels") is not None else metadata.get("labels"),
        _texts(params, "annotations", about) if params.get("annotations") is not None else (taken or None),
        _texts(params, "template_data", about, none=True) if params.get("template_data") is not None else None,
        _texts(params, "sealed_labels", about),
        _texts(params, "sealed_annotations", about),
    )


def _values(params: t.Mapping[str, t.Any], about: str, read: Read, find: Find) -> tuple[dict[str, bytes], Obj]:
    """(values of all sources, the Secret that some were taken from or {})."""
    found: dict[str, bytes] = {}
    came_from: dict[str, str] = {}

    def add(item: str, value: bytes, where: str) -> None:
        if not isinstance(item, str) or not _ITEM.match(item) or item == "." or item.startswith(".."):
            raise SealingError(
                about, f"{where} has an item whose name no Secret can have", "Use letters, digits, -, _ and ."
            )
        if item in found:
            raise SealingError(f"{about}, item {item}", f"both {came_from[item]} and {where} give it", "Give it once")
        found[item], came_from[item] = value, where

    origin = _taken(params.get("from_secret"), about, find, add)
    for item, value in (params.get("data") or {}).items():
        if not isinstance(value, str):
            cause = f"its value is a {_kind(value)}, not a text"
            raise SealingError(f"{about}, item {item}", cause, "Put it in quotes, or make it a text")
        try:
            add(item, value.encode(), "data")
        except UnicodeEncodeError:
            raise SealingError(f"{about}, item {item}", "its value is no valid Unicode", "Use data_base64") from None
    for item, value in (params.get("data_base64") or {}).items():
        try:
            add(item, base64.b64decode("".join(value.split()), validate=True), "data_base64")
        except (binascii.Error, ValueError, TypeError, AttributeError):
            raise SealingError(f"{about}, item {item}", "its value is not base64", "Use data for plain text") from None
    for item, path in (params.get("files") or {}).items():
        if not isinstance(path, str):
            raise SealingError(f"{about}, item {item}", f"its file is a {_kind(path)}, not a path", "Give a path")
        add(item, read(path)[0], "files")
    total = sum(map(len, found.values()))
    if total > MAXIMUM_BYTES:
        raise SealingError(
            about,
            f"its values have {total} bytes, and a Secret holds {MAXIMUM_BYTES} at most",
            "Split it, or store less",
        )
    return found, origin


def _taken(given: t.Any, about: str, find: Find, add: t.Callable[[str, bytes, str], None]) -> Obj:
    if not given:
        return {}
    namespace, name = str(given["namespace"]), str(given["name"])
    secret = find(namespace, name)
    if secret is None:
        raise SealingError(
            about, f"Secret {namespace}/{name}, which it is made from, does not exist", "Correct from_secret"
        )
    values = objects.plaintext(secret)
    wanted = given.get("items") or sorted(values)
    missing = [item for item in wanted if item not in values]
    if missing:
        raise SealingError(
            about,
            f"Secret {namespace}/{name} has no item {', '.join(missing)}",
            f"It has {', '.join(sorted(values)) or 'none'}",
        )
    for item in wanted:
        add(item, values[item], "from_secret")
    return secret


def _kind(value: t.Any) -> str:
    names = {bool: "truth value", int: "number", float: "number", dict: "mapping", list: "list", type(None): "null"}
    return next((word for kind, word in names.items() if isinstance(value, kind)), "value of another type")


def _texts(params: t.Mapping[str, t.Any], part: str, about: str, *, none: bool = False) -> dict[str, t.Any]:
    found = params.get(part) or {}
    for key, value in found.items():
        if key in (objects.NAMESPACE_WIDE, objects.CLUSTER_WIDE):
            raise SealingError(about, f"{part} names {key}, which says how it is sealed", "Use scope")
        if not isinstance(value, str) and not (none and value is None):
            raise SealingError(about, f"{part}: the value of {key} is a {_kind(value)}, not a text", "Put it in quotes")
    return {str(key): None if value is None else str(value) for key, value in found.items()}


# -- certificates and keys --------------------------------------------------------------------------


def certificate(
    given: str, fetch: t.Callable[[], tuple[bytes, str]], read: Read, now: datetime, *, pin: str, minimum_bits: int
) -> certificates.Certificate:
    """The certificate to seal for, checked.

    given: a path, a URL, PEM, or "" for the controller's, which fetch() brings with its name; pin: fingerprint or key id, or "".
    """
    if not given:
        data, source = fetch()
    elif "-----BEGIN" in given:
        data, source = given.encode(), "given as PEM"
    elif re.match(r"https?://", given):
        data, source = _download(given, pinned=bool(pin)), _shown(given)
    else:
        data, source = read(given)
    found = certificates.load(data, source)
    certificates.check(found, now, pin, minimum_bits)
    return found


def keys(paths: t.Sequence[str], read: Read) -> list[keyring.Key]:
    """The private keys of all files, each once. Raises SealingError where a file holds none."""
    return keyring.merged(key for path in paths for key in keyring.read(*read(path)))


def _shown(url: str) -> str:
    """A URL without what may be a password in it."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _download(url: str, *, pinned: bool) -> bytes:
    subject = f"Certificate {_shown(url)}"

    def refuse(cause: str, step: str) -> t.NoReturn:
        raise SealingError(subject, cause, step, reason="certificate")

    step = "Use https, or set certificate_fingerprint"
    if url.startswith("http://") and not pinned:
        refuse("over plain http anybody on the way can replace it", step)
    try:
        with urllib.request.build_opener().open(url, timeout=30) as answer:
            if answer.url.startswith("http://") and not pinned:
                refuse("it is led on to plain http, where anybody on the way can replace it", step)
            return t.cast("bytes", answer.read(_CERTIFICATE_BYTES))
    except urllib.error.HTTPError as error:
        refuse(f"HTTP {error.code}", "Correct the address")
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            refuse(
                f"TLS to it failed: {error.reason.verify_message}",
                "Trust its CA on this machine, or fetch it to a file",
            )
        refuse(f"it cannot be fetched ({type(error.reason).__name__})", "Check the address, name service and network")
    except (OSError, ValueError) as error:
        refuse(f"it cannot be fetched ({type(error).__name__})", "Check the address, name service and network")
