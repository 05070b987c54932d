# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an item does not unseal: for which key, scope, namespace and name it was sealed.

With private keys one RSA operation for each key tells it all. OAEP hides the label's digest and nothing but it, and where a key is the
right one its padding is found sound, whatever the label: then the digest is looked up among those of every place that is known.
Without keys the controller is asked, place by place.
"""

from __future__ import annotations

import hashlib
import typing as t

from . import format as sealed
from . import objects
from .errors import SealingError

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:  # ansible-test imports this file without its libraries
    rsa = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    from .controller import Controller
    from .keyring import Key

ATTEMPTS = 8  # calls of verify for one SealedSecret: two a second is all that the controller answers
_HASH_BYTES = 32
_MOST_PLACES = 1_000_000
Place = tuple[str, str, str]  # scope, namespace, name


class Cause(t.NamedTuple):
    """cause: why, one sentence without a full stop; next_step: what to do; place, key: what was found out, or nothing."""

    cause: str
    next_step: str
    place: Place | None = None
    key: Key | None = None


class Places:
    """Every name and namespace that is known, and the digests of the labels they make."""

    def __init__(self, known: t.Iterable[tuple[str, str]] = ()) -> None:
        self.known = sorted(set(known))
        self._digests: dict[bytes, Place] | None = None

    def find(self, digest: bytes) -> Place | None:
        """The place whose label has a digest."""
        if self._digests is None:
            self._digests = dict(self._all())
        return self._digests.get(digest)

    def _all(self) -> t.Iterator[tuple[bytes, Place]]:
        namespaces, names = (sorted({pair[number] for pair in self.known}) for number in (0, 1))
        pairs: t.Iterable[tuple[str, str]] = self.known
        if len(namespaces) * len(names) <= _MOST_PLACES:
            pairs = ((namespace, name) for namespace in namespaces for name in names)
        yield _digest(sealed.CLUSTER_WIDE, "", "")
        for namespace in namespaces:
            yield _digest(sealed.NAMESPACE_WIDE, namespace, "")
        for namespace, name in pairs:
            yield _digest(sealed.STRICT, namespace, name)


def _digest(scope: str, namespace: str, name: str) -> tuple[bytes, Place]:
    return hashlib.sha256(sealed.label(scope, namespace, name)).digest(), (scope, namespace, name)


class Origin(t.NamedTuple):
    """What a key tells of an item: the digest of its label, and whether its ciphertext is whole."""

    key: Key
    digest: bytes
    intact: bool


def origin(keys: t.Sequence[Key], item: sealed.Item) -> Origin | None:
    """Which of the keys an item was sealed for, whatever for place; None where it was none of them."""
    for key in keys:
        if key.private is None or key.private.key_size // 8 != item.modulus_bytes:
            continue
        found = _unpadded(key.private, item.session_key)
        if found:
            digest, session_key = found
            try:
                AESGCM(session_key).decrypt(bytes(12), item.ciphertext, None)
            except InvalidTag:
                return Origin(key, digest, intact=False)
            return Origin(key, digest, intact=True)
    return None


def _unpadded(key: rsa.RSAPrivateKey, wrapped: bytes) -> tuple[bytes, bytes] | None:
    """(digest of the label, session key), None where the padding says that it is another key's.

    Not how secrets are opened: that is `format.unseal`. No library tells which label it would have been, so this
    undoes RSA and OAEP by hand, of data and with a key that are its user's own, and hands nothing on but a verdict.
    """
    numbers = key.private_numbers()
    size = key.key_size // 8
    cipher = int.from_bytes(wrapped, "big")
    if cipher >= numbers.public_numbers.n:
        return None
    first, second = pow(cipher, numbers.dmp1, numbers.p), pow(cipher, numbers.dmq1, numbers.q)
    plain = second + (numbers.iqmp * (first - second)) % numbers.p * numbers.q
    padded = plain.to_bytes(size, "big")
    masked_seed, masked = padded[1 : 1 + _HASH_BYTES], padded[1 + _HASH_BYTES :]
    block = _xor(masked, _mask(_xor(masked_seed, _mask(masked, _HASH_BYTES)), len(masked)))
    digest, rest, session_key = block[:_HASH_BYTES], block[_HASH_BYTES:-32], block[-32:]
    if padded[0] or rest != bytes(len(rest) - 1) + b"\x01":
        return None
    return digest, session_key


def _mask(seed: bytes, length: int) -> bytes:
    """MGF1 with SHA-256."""
    blocks = range(-(-length // _HASH_BYTES))
    return b"".join(hashlib.sha256(seed + number.to_bytes(4, "big")).digest() for number in blocks)[:length]


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def by_keys(obj: t.Mapping[str, t.Any], item: sealed.Item, keys: t.Sequence[Key], places: Places) -> Cause:
    """Why an item of a SealedSecret does not unseal where it stands, by private keys."""
    found = origin(keys, item)
    if found is None:
        count = sum(1 for key in keys if key.private is not None)
        sizes = sorted({key.private.key_size for key in keys if key.private is not None})
        if item.modulus_bytes * 8 not in sizes:
            cause = (
                f"it was sealed for a key of {item.modulus_bytes * 8} bits, and the {count} given have {_listed(sizes)}"
            )
        else:
            cause = f"it was sealed for none of the {count} given keys"
        return Cause(
            cause, "It is another cluster's or a lost key's: give that key, or seal the value again for this cluster"
        )
    key = found.key
    if not found.intact:
        return Cause(
            f"it was sealed for key {key.key_id} ({key.source}), and was damaged since",
            "Restore it from git, or seal the value again",
            key=key,
        )
    place = places.find(found.digest)
    if place is None:
        return Cause(
            f"it was sealed for key {key.key_id} ({key.source}), and for a name or namespace that occurs nowhere here",
            "Give it the name and namespace it was sealed for, or seal the value again",
            key=key,
        )
    return Cause(
        f"it was sealed for {said(place)}, and for key {key.key_id} ({key.source})", _step(obj, place), place, key
    )


def by_controller(
    obj: t.Mapping[str, t.Any], controller: Controller, places: Places, attempts: int = ATTEMPTS
) -> dict[str, Cause]:
    """Item -> why it does not unseal, by asking the controller, for an object that it refused. Raises SealingError.

    attempts: calls at most. What fits one item is tried first on the others: mostly all have the same cause.
    """
    spec = obj.get("spec") or {}
    items = sorted(spec.get("encryptedData") or {})
    left = attempts
    failing = items
    if 1 < len(items) <= left:
        failing = [item for item in items if not controller.verify(_only(obj, item))]
        left -= len(items)
    result: dict[str, Cause] = {}
    for place in _candidates(obj, places):
        if left <= 0 or not failing:
            break
        left -= 1
        # With all that failed at once: one call where they share the cause.
        if controller.verify(_moved(_only(obj, *failing), place)):
            for item in failing:
                result[item] = Cause(f"it was sealed for {said(place)}", _step(obj, place), place)
            return result
    for item in failing:
        result[item] = Cause(
            f"{controller.subject} has no key that unseals it here, nor at the other places that were tried",
            "It was sealed for another cluster, name or namespace: lint with private_keys, which tells which; or seal it again",
        )
    return result


def _candidates(obj: t.Mapping[str, t.Any], places: Places) -> t.Iterator[Place]:
    """Places to try, likeliest first: the other scopes, the template's name, the names beside it, its name elsewhere."""
    metadata = obj.get("metadata") or {}
    template = ((obj.get("spec") or {}).get("template") or {}).get("metadata") or {}
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    listed: list[Place] = [(scope, namespace, name) for scope in reversed(sealed.SCOPES)]
    other = (str(template.get("namespace") or namespace), str(template.get("name") or name))
    listed += [(scope, *other) for scope in sealed.SCOPES]
    listed += [(sealed.STRICT, *pair) for pair in places.known if pair[0] == namespace]
    namespaces = sorted({pair[0] for pair in places.known})
    listed += [(sealed.STRICT, other_namespace, name) for other_namespace in namespaces]
    listed += [(sealed.NAMESPACE_WIDE, other_namespace, name) for other_namespace in namespaces]
    own = (objects.scope_of(metadata.get("annotations")), namespace, name)
    seen = {sealed.label(*own)}
    for place in listed:
        about = sealed.label(*place)
        if about not in seen:
            seen.add(about)
            yield place


def _only(obj: t.Mapping[str, t.Any], *items: str) -> dict[str, t.Any]:
    found = obj["spec"]["encryptedData"]
    return {**obj, "spec": {"encryptedData": {item: found[item] for item in items}}}


def _moved(obj: t.Mapping[str, t.Any], place: Place) -> dict[str, t.Any]:
    scope, namespace, name = place
    metadata = {"name": name, "namespace": namespace, "annotations": objects.scope_annotations(scope)}
    return {**obj, "metadata": metadata}


def said(place: Place) -> str:
    """A place in words."""
    scope, namespace, name = place
    if scope == sealed.CLUSTER_WIDE:
        return "scope cluster-wide"
    if scope == sealed.NAMESPACE_WIDE:
        return f"namespace {namespace}, scope namespace-wide"
    return f"namespace {namespace}, name {name}, scope strict"


def _step(obj: t.Mapping[str, t.Any], place: Place) -> str:
    """What to do about an item that was sealed for another place than it stands at."""
    metadata = obj.get("metadata") or {}
    scope, namespace, name = place
    own = objects.scope_of(metadata.get("annotations"))
    wanted = objects.scope_annotations(scope)
    if scope != own and wanted:
        annotation = next(iter(wanted))
        return f'Set the annotation {annotation}: "true" on the SealedSecret itself, not only in its template, or seal it again'
    if scope != own and (namespace, name) == (metadata.get("namespace"), metadata.get("name")):
        return f"Take the annotation for {own} off the SealedSecret, or seal it again"
    where = "/".join(part for part in (namespace, name if scope == sealed.STRICT else "") if part)
    return f"Move the SealedSecret back to {where}, or seal it again for where it is"


def _listed(sizes: t.Sequence[int]) -> str:
    return " and ".join(str(size) for size in sizes) or "no private part"


def refused(error: SealingError) -> Cause:
    """A cause of what could not be found out."""
    return Cause(error.cause, error.next_step)
