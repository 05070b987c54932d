# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we seal the real controller and the real kubeseal unseal, and what they seal we read, edit and prove."""

from __future__ import annotations

import base64
import datetime
import json
import os
import typing as t

import pytest
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.sealing import format as sealed
from ansible_collections.enclii.platform.plugins.module_utils.sealing import keyring, objects

MEBIBYTE = 1024 * 1024
SCOPES = ("strict", "namespace-wide", "cluster-wide")
VALUES: dict[str, bytes] = {
    "ascii": b"correct horse",
    "empty": b"",
    "unicode": "pässwörd ☃ 𝄞\n".encode(),
    "binary": bytes(range(256)),
    "tls.crt.with.dots_and-more": b"-----BEGIN",
    "lines": b"one\r\ntwo\n\n",
}
Obj = dict[str, t.Any]


def encoded(values: dict[str, bytes]) -> dict[str, str]:
    return {item: base64.b64encode(value).decode() for item, value in values.items()}


def secret(place: t.Any, name: str, **fields: t.Any) -> str:
    return json.dumps(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": place.namespace}, **fields}
    )


def opened(place: t.Any, manifest: str) -> dict[str, bytes]:
    """By our own library, with the controller's keys."""
    obj = yaml.safe_load(manifest)
    keys = keyring.read(place.private_keys().read_bytes(), "keys")
    return {
        item: keyring.opener(keys, objects.label_of(obj), sealed.parse(value, item), item)[0]
        for item, value in obj["spec"]["encryptedData"].items()
    }


@pytest.mark.parametrize("scope", SCOPES)
def test_ours_is_unsealed_by_the_controller_and_by_kubeseal(place: t.Any, scope: str) -> None:
    dest = place.home / "login.yaml"
    place.seal(place.secret(data_base64=encoded(VALUES), scope=scope, dest=str(dest)), certificate=str(place.cert))
    manifest = dest.read_text()
    place.kubeseal("--validate", stdin=manifest)
    assert place.recovered(manifest) == VALUES
    place.put(manifest)
    found = place.unsealed(wanted=VALUES)
    assert found["type"] == "Opaque"
    assert objects.scope_of(found["metadata"].get("annotations")) == scope


@pytest.mark.parametrize("scope", SCOPES)
def test_theirs_is_opened_edited_and_proven_by_us(place: t.Any, scope: str) -> None:
    manifest = place.kubeseal(
        "--cert", str(place.cert), "--scope", scope, "-o", "yaml", stdin=secret(place, "login", data=encoded(VALUES))
    )
    assert opened(place, manifest) == VALUES
    dest = place.home / "login.yaml"
    dest.write_text("# by kubeseal\n" + manifest)
    place.put(manifest)
    place.unsealed(wanted=VALUES)
    told = place.seal(place.secret(data_base64=encoded(VALUES), scope=scope, dest=str(dest)))
    assert (
        not told["changed"] and told["secrets"][0]["why"] == "live" and dest.read_text() == "# by kubeseal\n" + manifest
    )
    changed = {**VALUES, "ascii": b"new", "more": b"x"}
    told = place.seal(place.secret(data_base64=encoded(changed), scope=scope, dest=str(dest)))
    assert {item for item, what in told["secrets"][0]["items"].items() if what == "sealed"} == {"ascii", "more"}
    assert place.recovered(dest.read_text()) == changed
    untouched = yaml.safe_load(manifest)["spec"]["encryptedData"]
    after = yaml.safe_load(dest.read_text())["spec"]["encryptedData"]
    assert {item: after[item] for item in VALUES if item != "ascii"} == {
        item: value for item, value in untouched.items() if item != "ascii"
    }


def test_string_data_wins_over_data_as_kubeseal_has_it(place: t.Any) -> None:
    both = json.loads(secret(place, "login", data=encoded({"a": b"data", "b": b"data"}), stringData={"a": "string"}))
    theirs = place.kubeseal("--cert", str(place.cert), "-o", "yaml", stdin=json.dumps(both))
    values = objects.plaintext(both)
    dest = place.home / "ours.yaml"
    place.seal(place.secret(data_base64=encoded(values), dest=str(dest)), certificate=str(place.cert))
    assert place.recovered(theirs) == place.recovered(dest.read_text()) == {"a": b"string", "b": b"data"}


def test_the_same_secret_gives_the_same_object_but_for_our_notes(place: t.Any) -> None:
    metadata = {"labels": {"app": "shop"}, "annotations": {"note": "x"}}
    given = json.loads(
        secret(place, "login", type="kubernetes.io/basic-auth", immutable=True, stringData={"username": "u"})
    )
    given["metadata"].update(metadata)
    theirs = yaml.safe_load(
        place.kubeseal("--cert", str(place.cert), "--scope", "namespace-wide", "-o", "yaml", stdin=json.dumps(given))
    )
    dest = place.home / "ours.yaml"
    place.seal(
        place.secret({"username": "u"}, scope="namespace-wide", type="kubernetes.io/basic-auth", immutable=True,
                     dest=str(dest), **metadata),
        certificate=str(place.cert),
    )  # fmt: skip
    ours = yaml.safe_load(dest.read_text())
    del ours["metadata"]["annotations"][objects.SEALED_WITH]
    for obj in (ours, theirs):
        obj["spec"]["encryptedData"] = set(obj["spec"]["encryptedData"])
        obj["spec"]["template"]["metadata"].pop("creationTimestamp", None)
        obj["metadata"].pop("creationTimestamp", None)
    assert ours == theirs


def test_template_with_labels_type_and_rendered_data(place: t.Any) -> None:
    told = place.seal(
        place.secret(
            {"username": "u", "password": "p"}, type="kubernetes.io/basic-auth", labels={"app": "shop"}, annotations={"note": "x"},
            template_data={"dsn": "postgres://{{ .username }}:{{ .password }}@db"},
        ),
        apply=True, wait=True,
    )  # fmt: skip
    assert told["changed"]
    found = place.unsealed(wanted={"username": b"u", "password": b"p", "dsn": b"postgres://u:p@db"})
    assert found["type"] == "kubernetes.io/basic-auth" and found["metadata"]["labels"] == {"app": "shop"}
    assert found["metadata"]["annotations"]["note"] == "x"


def test_a_secret_of_one_mebibyte_goes_all_the_way(place: t.Any) -> None:
    """1 MiB is what a Secret may hold; sealed it is 1.4 MB, which etcd takes by its default limit of 1.5 MiB."""
    big = os.urandom(MEBIBYTE)
    dest = place.home / "big.yaml"
    given = place.secret(data_base64=encoded({"a": big}), dest=str(dest))
    assert place.seal(given, apply=True, wait=True)["changed"]
    place.unsealed(wanted={"a": big})
    assert place.recovered(dest.read_text()) == {"a": big}
    assert place.seal(given, apply=True)["secrets"][0] == {
        "namespace": place.namespace, "name": "login", "scope": "strict", "dest": str(dest), "changed": False,
        "items": {"a": "unchanged"}, "why": "live",
    }  # fmt: skip


def test_a_renewed_key_opens_old_items_and_seals_new_ones(place: t.Any) -> None:
    """The controller keeps its old keys: what it opens stays as it is, and only what is new is sealed for the new key."""
    dest = place.home / "login.yaml"
    given = place.secret({"a": "1", "b": "2"}, dest=str(dest))
    old = place.seal(given, apply=True, wait=True)["certificate"]["key_id"]
    flags = place.controller.flags
    place.past_newest_key()
    place.controller.end()
    now = datetime.datetime.now(datetime.UTC)
    place.controller.flags = (*flags, "--key-cutoff-time", now.strftime("%a, %d %b %Y %H:%M:%S +0000"))
    try:
        place.controller.run()
    finally:
        place.controller.flags = flags
    place.renew_cert()
    assert not place.seal(given, apply=True, wait=True)["changed"]
    given["data"]["b"] = "3"
    told = place.seal(given, apply=True, wait=True)
    assert told["certificate"]["key_id"] != old and told["secrets"][0]["items"] == {"a": "unchanged", "b": "sealed"}
    with_key = json.loads(yaml.safe_load(dest.read_text())["metadata"]["annotations"][objects.SEALED_WITH])
    assert with_key == {"a": old, "b": told["certificate"]["key_id"]}
    place.unsealed(wanted={"a": b"1", "b": b"3"})
    assert opened(place, dest.read_text()) == {"a": b"1", "b": b"3"}
    # without the cluster nobody knows that the old key is this cluster's
    offline = place.seal(given, certificate=str(place.cert), kubeconfig=None, digest_key="0123456789abcdef")
    assert offline["secrets"][0]["items"] == {"a": "sealed", "b": "sealed"}


def test_merging_by_kubeseal_into_ours_works(place: t.Any) -> None:
    dest = place.home / "login.yaml"
    place.seal(place.secret({"a": "1"}, dest=str(dest)), certificate=str(place.cert))
    place.kubeseal(
        "--cert",
        str(place.cert),
        "-o",
        "yaml",
        "--merge-into",
        str(dest),
        stdin=secret(place, "login", stringData={"b": "2"}),
    )
    assert place.recovered(dest.read_text()) == {"a": b"1", "b": b"2"}
