# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that a backup of sealing keys opens what the cluster's controller opens.

A random item is sealed for the controller's certificate in a scratch namespace; the controller unseals it there, and the backup's keys
unseal the same item here. The namespace is removed whatever happens, and one that a killed run left behind by the next proof.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import typing as t
from datetime import UTC, datetime

from ..kube.client import Client, Clock
from ..kube.errors import ApiError
from ..kube.explain import explain
from . import certificate, objects
from . import format as sealed
from .controller import Controller
from .errors import SealingError
from .keys import SealingKey

NAMESPACE = "enclii-sealing-proof"
LABEL = "enclii.dev/sealing-proof"
ITEM = "item"
UNSEAL_SECONDS = 60.0
REMOVAL_SECONDS = 90.0
_SUBJECT = "Proof of the backup of sealing keys"
_NAMESPACE_PATH = f"/api/v1/namespaces/{NAMESPACE}"
Obj = dict[str, t.Any]


def prove(
    client: Client,
    controller: Controller,
    keys: t.Sequence[SealingKey],
    held: t.Sequence[SealingKey],
    clock: Clock,
    random: t.Callable[[int], bytes] = os.urandom,
    seconds: float = UNSEAL_SECONDS,
) -> str:
    """How it was proved, in one sentence. keys: the cluster's; held: the backup's, as read back and decrypted. SealingError if not."""
    missing = sorted({key.key_id for key in keys} - {key.key_id for key in held})
    if missing:
        names = ", ".join(key.name for key in keys if key.key_id in missing)
        raise _failed(f"the backup lacks keys of the cluster: {names}", "Back them up: run backed_up with force")
    now = datetime.fromtimestamp(clock.time(), UTC)
    served = certificate.load(controller.certificate(), f"of {controller.namespace}/{controller.name}")
    # Whatever size its key has, the backup must open what is sealed for it.
    certificate.check(served, now, minimum_bits=0)
    if served.key_id not in {key.key_id for key in keys}:
        raise _failed(
            f"the controller has secrets sealed for {served.key_id}, which no Secret of the cluster holds",
            "Restart the controller: it reads its keys when it starts",
        )
    # A name of its own: a controller that was slow may still write what a killed proof had sealed.
    name = f"proof-{random(5).hex()}"
    wanted = random(32).hex().encode("ascii")
    item = sealed.seal(served.public_key, sealed.label(sealed.STRICT, NAMESPACE, name), wanted)
    with scratch(client, clock):
        _unsealed_by_controller(client, clock, name, item, wanted, seconds)
    about = objects.subject(NAMESPACE, name, ITEM)
    plain, number = sealed.unseal(
        [key.private_key for key in held],
        sealed.label(sealed.STRICT, NAMESPACE, name),
        sealed.parse(item, about),
        f"{about}, by the backup",
    )
    if not hmac.compare_digest(plain, wanted):
        raise _failed("the backup unsealed something else than what was sealed", "Back the keys up again, with force")
    return f"an item sealed for {held[number].key_id} was unsealed by the controller and by the backup, which holds all {len(keys)} keys"


@contextlib.contextmanager
def scratch(client: Client, clock: Clock) -> t.Iterator[None]:
    """A namespace for one proof, gone afterwards. Raises SealingError where it cannot be made or does not go."""
    _remove(client, clock, "a killed run left it")
    body: Obj = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {LABEL: "true", "app.kubernetes.io/managed-by": "enclii-platform"}},
    }
    try:
        _request(client, "PATCH", _NAMESPACE_PATH, body)
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # the first failure is the one to tell
            _remove(client, clock, "")
        raise
    _remove(client, clock, "the proof is over")


def _remove(client: Client, clock: Clock, why: str) -> None:
    try:
        live = client.find(_NAMESPACE_PATH)
        if live is None:
            return
        if (live["metadata"].get("labels") or {}).get(LABEL) != "true":
            raise SealingError(
                f"Namespace {NAMESPACE}", f"it is not ours, for it has no label {LABEL}", "Remove or rename it"
            )
        if not live["metadata"].get("deletionTimestamp"):
            body = {"preconditions": {"uid": live["metadata"]["uid"]}, "propagationPolicy": "Background"}
            client.request("DELETE", _NAMESPACE_PATH, body=body)
        end = clock.monotonic() + REMOVAL_SECONDS
        while client.find(_NAMESPACE_PATH) is not None:
            if clock.monotonic() > end:
                raise SealingError(
                    f"Namespace {NAMESPACE}",
                    f"it is not gone after {REMOVAL_SECONDS:.0f} s, though {why or 'it was deleted'}",
                    "See what its status says; it holds nothing of value",
                )
            clock.sleep(0.5)
    except ApiError as error:
        if error.status in (404, 409):
            return  # somebody else removed it meanwhile
        raise explain(error, f"Namespace {NAMESPACE}", "", verb="delete") from error


def _request(client: Client, method: str, path: str, body: Obj) -> None:
    query = {"fieldManager": "enclii-sealing-keys", "force": "true"}
    try:
        client.request(method, path, query, body, content_type="application/apply-patch+yaml")
    except ApiError as error:
        subject = f"{body['kind']} {path.rpartition('/')[2]}"
        raise explain(error, subject, "", verb="create namespaces and SealedSecrets") from error


def _unsealed_by_controller(client: Client, clock: Clock, name: str, item: str, wanted: bytes, seconds: float) -> None:
    """Raises SealingError where the controller does not unseal it in time, or to something else."""
    secret = {"metadata": {"name": name, "namespace": NAMESPACE}}
    path = f"/apis/bitnami.com/v1alpha1/namespaces/{NAMESPACE}/sealedsecrets/{name}"
    _request(client, "PATCH", path, objects.compose(secret, sealed.STRICT, {ITEM: item}))
    end = clock.monotonic() + seconds
    while True:
        try:
            found = client.find(f"{_NAMESPACE_PATH}/secrets/{name}")
        except ApiError as error:
            raise explain(error, f"Secret {NAMESPACE}/{name}", "", verb="get") from error
        if found:
            if base64.b64decode((found.get("data") or {}).get(ITEM) or "") != wanted:
                raise _failed("the controller unsealed something else than what was sealed", "Look into its log")
            return
        if clock.monotonic() > end:
            raise _failed(
                f"the controller did not unseal an item within {seconds:.0f} s: {_why(client, path)}",
                "Look into its log; it must watch all namespaces",
            )
        clock.sleep(0.2)


def _why(client: Client, path: str) -> str:
    try:
        status = (client.find(path) or {}).get("status") or {}
    except ApiError:
        status = {}
    messages = [str(one.get("message") or "") for one in status.get("conditions") or [] if one.get("type") == "Synced"]
    return next((message for message in messages if message), "it says nothing about it")


def _failed(cause: str, step: str) -> SealingError:
    return SealingError(_SUBJECT, cause, step, reason="key")
