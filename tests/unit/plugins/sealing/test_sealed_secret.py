# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sealed_secret without a cluster: what is written, what is left alone and why, and what is refused before anything is written."""

from __future__ import annotations

import base64
import json
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from sealing import CANARY, NOW, FakeClock, SealingKey, opened

from ansible_collections.enclii.platform.plugins.module_utils.sealing import objects, seal_front
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

DIGEST_KEY = "a key that lives in the vault"
Obj = dict[str, t.Any]


@pytest.fixture(scope="module")
def key() -> SealingKey:
    return SealingKey(3072)


@pytest.fixture(scope="module")
def other() -> SealingKey:
    return SealingKey(3072)


class Front:
    """The front door with a test's defaults."""

    def __init__(self, home: Path, key: SealingKey) -> None:
        self.home, self.key = home, key
        self.dest = home / "login.yaml"
        (home / "cert.pem").write_bytes(key.pem)
        (home / "key.pem").write_bytes(key.private_pem)

    def secret(self, data: Obj | None = None, **more: t.Any) -> Obj:
        found = {"name": "login", "namespace": "demo", "dest": str(self.dest), "data": data, **more}
        return {name: value for name, value in found.items() if value is not None}

    def seal(self, *secrets: Obj, check: bool = False, diff: bool = False, **params: t.Any) -> Obj:
        given = {"secrets": list(secrets), "certificate": str(self.home / "cert.pem"), **params}
        return seal_front.seal(given, {"HOME": "/nonexistent"}, check=check, diff=diff, clock=FakeClock())

    def fail(self, *secrets: Obj, **params: t.Any) -> SealingError:
        before = {path: path.read_bytes() for path in self.home.iterdir() if path.is_file()}
        with pytest.raises(SealingError) as caught:
            self.seal(*secrets, **params)
        assert CANARY not in str(caught.value) and CANARY not in repr(caught.value.as_dict())
        assert {path: path.read_bytes() for path in self.home.iterdir() if path.is_file()} == before, (
            "it wrote something"
        )
        return caught.value

    def obj(self, dest: Path | None = None, number: int = 0) -> Obj:
        return t.cast("Obj", list(yaml.safe_load_all((dest or self.dest).read_text()))[number])

    def values(self) -> dict[str, bytes]:
        return opened(self.obj(), self.key)


@pytest.fixture
def front(tmp_path: Path, key: SealingKey) -> Front:
    return Front(tmp_path, key)


def test_a_new_manifest(front: Front) -> None:
    told = front.seal(
        front.secret({"password": CANARY, "empty": ""}, labels={"app": "x"}, type="kubernetes.io/basic-auth")
    )
    assert told["changed"] and told["secrets"][0]["items"] == {"password": "sealed", "empty": "sealed"}
    assert told["secrets"][0]["why"] == "none" and told["certificate"]["key_id"] == front.key.key_id
    assert front.values() == {"password": CANARY.encode(), "empty": b""}
    obj = front.obj()
    assert obj["spec"]["template"] == {
        "metadata": {"name": "login", "namespace": "demo", "labels": {"app": "x"}}, "type": "kubernetes.io/basic-auth",
    }  # fmt: skip
    assert json.loads(obj["metadata"]["annotations"][objects.SEALED_WITH]) == dict.fromkeys(
        ("empty", "password"), front.key.key_id
    )
    assert CANARY not in front.dest.read_text() and CANARY not in json.dumps(told)


@pytest.mark.parametrize("scope", ["strict", "namespace-wide", "cluster-wide"])
def test_scopes_are_declared_where_the_controller_looks(front: Front, scope: str) -> None:
    front.seal(front.secret({"a": "b"}, scope=scope))
    assert front.values() == {"a": b"b"}
    obj = front.obj()
    for found in (obj["metadata"]["annotations"], obj["spec"]["template"]["metadata"].get("annotations")):
        assert objects.scope_of(found) == scope


@pytest.mark.parametrize(
    ("params", "why"), [({"digest_key": DIGEST_KEY}, "digest"), ({"private_keys": ["key.pem"]}, "key"), ({}, "none")]
)
def test_the_same_again_changes_nothing_where_it_can_be_proven(front: Front, params: Obj, why: str) -> None:
    params = {
        name: [str(front.home / one) for one in value] if name == "private_keys" else value
        for name, value in params.items()
    }
    front.seal(front.secret({"a": "1", "b": "2"}), **params)
    before = front.dest.read_bytes()
    stamp = front.dest.stat().st_mtime_ns, front.dest.stat().st_ino
    for check in (True, False):
        told = front.seal(front.secret({"a": "1", "b": "2"}), check=check, diff=True, **params)
        assert told["changed"] == (why == "none") and told["secrets"][0]["why"] == why
    if why == "none":
        assert front.dest.read_bytes() != before
        return
    assert front.dest.read_bytes() == before and told["diff"] == []
    assert (front.dest.stat().st_mtime_ns, front.dest.stat().st_ino) == stamp, "it was written although nothing changed"


def test_one_changed_value_changes_its_lines_and_no_other_item(front: Front) -> None:
    front.seal(front.secret({"a": "1", "b": "2"}), digest_key=DIGEST_KEY)
    text = front.dest.read_text().replace("  encryptedData:\n", "  # kept\n  encryptedData:\n")
    front.dest.write_text(text)
    told = front.seal(front.secret({"a": "1", "b": "3"}), digest_key=DIGEST_KEY)
    assert told["secrets"][0]["items"] == {"a": "unchanged", "b": "sealed"} and told["secrets"][0]["why"] == "digest"
    after = front.dest.read_text()
    moved = [one for one, two in zip(text.splitlines(), after.splitlines(), strict=True) if one != two]
    assert sorted(line.split(":")[0].strip() for line in moved) == ["b", objects.SEALED_DIGEST]
    assert front.values() == {"a": b"1", "b": b"3"}


@pytest.mark.parametrize("how", ["value", "digest", "key", "name", "scope", "other item"])
def test_a_digest_proves_nothing_about_anything_else(front: Front, how: str) -> None:
    front.seal(front.secret({"a": "1", "b": "1"}), digest_key=DIGEST_KEY)
    obj = front.obj()
    secret, digest_key = front.secret({"a": "1", "b": "1"}), DIGEST_KEY
    items = obj["spec"]["encryptedData"]
    digests = json.loads(obj["metadata"]["annotations"][objects.SEALED_DIGEST])
    if how == "value":
        items["a"] = SealingKey.seal(front.key, {"a": "1"})["spec"]["encryptedData"]["a"]
    elif how == "digest":
        digests["a"] = "0" * 64
    elif how == "key":
        digest_key += "!"
    elif how == "name":
        obj["metadata"]["name"] = secret["name"] = "other"
    elif how == "scope":
        secret["scope"] = "namespace-wide"
    else:
        items["a"], items["b"] = items["b"], items["a"]
    obj["metadata"]["annotations"][objects.SEALED_DIGEST] = json.dumps(digests)
    front.dest.write_text(yaml.safe_dump(obj))
    told = front.seal(secret, digest_key=digest_key)
    assert told["secrets"][0]["items"]["a"] == "sealed"
    assert front.values() == {"a": b"1", "b": b"1"}
    assert not front.seal(secret, digest_key=digest_key)["changed"]


def test_a_digest_does_not_outlive_its_item(front: Front) -> None:
    front.seal(front.secret({"a": "1", "b": "2"}), digest_key=DIGEST_KEY)
    keys = [str(front.home / "key.pem")]
    front.seal(front.secret({"a": "1", "b": "3"}), private_keys=keys)
    assert set(json.loads(front.obj()["metadata"]["annotations"][objects.SEALED_DIGEST])) == {"a"}


def test_scope_is_declared_by_scope(front: Front) -> None:
    for part in ("annotations", "sealed_annotations"):
        error = front.fail(front.secret({"a": "1"}, **{part: {objects.CLUSTER_WIDE: "true"}}))
        assert f"{part} names {objects.CLUSTER_WIDE}, which says how it is sealed. Use scope" in str(error)


def test_another_cluster_s_items_are_sealed_anew(front: Front, other: SealingKey) -> None:
    front.seal(front.secret({"a": "1"}), digest_key=DIGEST_KEY)
    (front.home / "cert.pem").write_bytes(other.pem)
    told = front.seal(front.secret({"a": "1"}), digest_key=DIGEST_KEY, private_keys=[str(front.home / "key.pem")])
    assert told["secrets"][0]["items"] == {"a": "sealed"}
    assert opened(front.obj(), other) == {"a": b"1"}


def test_a_proof_by_key_gains_a_digest_and_keeps_the_item(front: Front) -> None:
    front.dest.write_text(yaml.safe_dump(front.key.seal({"a": "1"}, annotated=False)))
    item = front.obj()["spec"]["encryptedData"]
    keys = [str(front.home / "key.pem")]
    told = front.seal(front.secret({"a": "1"}), digest_key=DIGEST_KEY, private_keys=keys)
    assert (
        told["changed"]
        and told["secrets"][0]["items"] == {"a": "unchanged"}
        and front.obj()["spec"]["encryptedData"] == item
    )
    assert front.seal(front.secret({"a": "1"}), digest_key=DIGEST_KEY)["secrets"][0]["why"] == "digest"


def test_items_that_are_not_named_go_or_stay(front: Front) -> None:
    front.seal(front.secret({"a": "1", "b": "2"}, labels={"x": "1"}), digest_key=DIGEST_KEY)
    kept = front.seal(front.secret({"c": "3"}, labels={"y": "2"}), digest_key=DIGEST_KEY, exact=False)
    assert kept["secrets"][0]["items"] == {"c": "sealed"} and set(front.values()) == {"a", "b", "c"}
    assert front.obj()["spec"]["template"]["metadata"]["labels"] == {"x": "1", "y": "2"}
    assert set(json.loads(front.obj()["metadata"]["annotations"][objects.SEALED_DIGEST])) == {"a", "b", "c"}
    told = front.seal(front.secret({"c": "3"}, labels={"y": "2"}), digest_key=DIGEST_KEY)
    assert told["secrets"][0]["items"] == {"a": "removed", "b": "removed", "c": "unchanged"}
    assert front.values() == {"c": b"3"} and front.obj()["spec"]["template"]["metadata"]["labels"] == {"y": "2"}
    assert set(json.loads(front.obj()["metadata"]["annotations"][objects.SEALED_DIGEST])) == {"c"}
    error = front.fail(front.secret({"d": "4"}, scope="cluster-wide"), exact=False)
    assert "items that are not given cannot follow: c" in str(error) and error.reason == "scope"


def test_others_labels_and_annotations_of_the_sealed_secret_stay(front: Front) -> None:
    sync = {"argocd.argoproj.io/sync-wave": "1"}
    front.seal(front.secret({"a": "1"}, sealed_annotations=sync, sealed_labels={"team": "x"}), digest_key=DIGEST_KEY)
    assert not front.seal(front.secret({"a": "1"}), digest_key=DIGEST_KEY)["changed"]
    metadata = front.obj()["metadata"]
    assert metadata["labels"] == {"team": "x"} and metadata["annotations"].items() >= sync.items()


def test_scope_type_immutable_and_template_change_in_place(front: Front) -> None:
    front.seal(front.secret({"a": "1"}), digest_key=DIGEST_KEY)
    more = {"scope": "cluster-wide", "type": "x/y", "immutable": True, "template_data": {"conf": "u={{ .a }}\nv=2\n"}}
    front.seal(front.secret({"a": "1"}, **more), digest_key=DIGEST_KEY)
    template = front.obj()["spec"]["template"]
    assert (template["type"], template["immutable"], template["data"]) == ("x/y", True, more["template_data"])
    assert front.values() == {"a": b"1"}
    assert not front.seal(front.secret({"a": "1"}, **more), digest_key=DIGEST_KEY)["changed"]
    front.seal(front.secret({"a": "1"}, immutable=False, template_data={}), digest_key=DIGEST_KEY)
    assert objects.scope_of(front.obj()["metadata"]["annotations"]) == "strict" and front.values() == {"a": b"1"}
    assert "immutable" not in front.obj()["spec"]["template"]


def test_many_in_one_file_beside_what_is_not_ours(front: Front) -> None:
    front.dest.write_text("# others\nkind: ConfigMap\nmetadata: {name: login, namespace: demo}\n")
    names = [f"s{number:02}" for number in range(40)]
    secrets = [front.secret({"a": name, "b": "x"}, name=name) for name in names]
    assert front.seal(*secrets, digest_key=DIGEST_KEY)["changed"]
    assert front.dest.read_text().startswith(
        "# others\nkind: ConfigMap\nmetadata: {name: login, namespace: demo}\n---\n"
    )
    found = list(yaml.safe_load_all(front.dest.read_text()))
    assert [opened(one, front.key)["a"].decode() for one in found[1:]] == names
    secrets[7]["data"]["a"] = "new"
    del secrets[3]
    more = [front.secret({"a": "1"}, name="more"), front.secret(name="s03", state="absent")]
    told = front.seal(*secrets, *more, digest_key=DIGEST_KEY)
    assert [one["name"] for one in told["secrets"] if one["changed"]] == ["s07", "more", "s03"]
    found = list(yaml.safe_load_all(front.dest.read_text()))
    assert [one["metadata"]["name"] for one in found] == ["login", *names[:3], *names[4:], "more"]


def test_check_mode_foretells_and_writes_nothing(front: Front) -> None:
    foretold = front.seal(front.secret({"a": CANARY}), check=True, diff=True)
    assert not front.dest.exists()
    assert foretold == front.seal(front.secret({"a": CANARY}), diff=True)
    foretold = front.seal(front.secret(state="absent"), check=True)
    assert front.dest.exists() and foretold["changed"]
    assert front.seal(front.secret(state="absent"))["changed"] and not front.dest.exists()
    assert not front.seal(front.secret(state="absent"))["changed"]


def test_a_diff_shows_names_only(front: Front) -> None:
    front.seal(front.secret({"a": CANARY, "gone": CANARY}, labels={"x": "1", "y": "1"}))
    item = front.obj()["spec"]["encryptedData"]["a"]
    (diff,) = front.seal(front.secret({"a": CANARY, "new": CANARY}, labels={"x": "2"}), diff=True)["diff"]
    assert diff["before_header"] == f"SealedSecret demo/login ({front.dest})"
    before, after = set(diff["before"].splitlines()), set(diff["after"].splitlines())
    assert before - after == {
        "item a: sealed", "item gone: sealed", "spec.template.metadata.labels.x: set", "spec.template.metadata.labels.y: set",
        "metadata.annotations.enclii.dev/sealed-with: set",
    }  # fmt: skip
    assert after - before == {
        "item a: sealed anew", "item new: sealed", "spec.template.metadata.labels.x: changed",
        "metadata.annotations.enclii.dev/sealed-with: changed",
    }  # fmt: skip
    new = front.obj()["spec"]["encryptedData"]["a"]
    assert not any(text in json.dumps(diff) for text in (CANARY, item[:40], new[-40:]))


def test_sources_of_values(front: Front) -> None:
    (front.home / "blob").write_bytes(b"\x00\xff" + CANARY.encode())
    text = base64.encodebytes(b"\xfe" * 100).decode()
    front.seal(front.secret({"t": "ünï ☃ 𝄞"}, data_base64={"b": text}, files={"f.bin": str(front.home / "blob")}))
    assert front.values() == {"t": "ünï ☃ 𝄞".encode(), "b": b"\xfe" * 100, "f.bin": b"\x00\xff" + CANARY.encode()}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"data": {"a": 12345}}, "item a: its value is a number, not a text. Put it in quotes"),
        ({"data": {"a": None}}, "its value is a null"),
        ({"data": {"a": True}}, "its value is a truth value"),
        ({"data": {"a": {"b": CANARY}}}, "its value is a mapping"),
        ({"data": {"a b": CANARY}}, "has an item whose name no Secret can have"),
        ({"data": {CANARY + "/": "x"}}, "has an item whose name no Secret can have"),
        ({"data_base64": {"a": CANARY + "!"}}, "item a: its value is not base64"),
        ({"data_base64": {"a": 7}}, "item a: its value is not base64"),
        ({"data": {"a": CANARY}, "data_base64": {"a": ""}}, "item a: both data and data_base64 give it"),
        ({"data": {"a": CANARY}, "labels": {"x": 1}}, "labels: the value of x is a number"),
        ({"data": {"a": CANARY}, "name": "No_Name"}, "its name is no name of a Kubernetes object"),
        ({"data": {"a": CANARY}, "namespace": ""}, "scope strict binds it to a namespace"),
        ({"data": {"a": CANARY}, "namespace": "a.b"}, "its namespace is no name of a namespace"),
        ({"data": {}}, "it has no values"),
        ({"data": {"a": "x" * (1024 * 1024), "b": "y"}}, "its values have 1048577 bytes, and a Secret holds 1048576"),
        ({"data": {"a": CANARY}, "dest": ""}, "neither dest nor apply says where it goes"),
    ],
)  # fmt: skip
def test_what_is_no_secret_is_refused_and_its_value_never_named(front: Front, more: Obj, words: str) -> None:
    assert words in str(
        front.fail(front.secret({"ok": CANARY}, name="fine", dest=str(front.home / "fine.yaml")), front.secret(**more))
    )


def test_one_mebibyte_fits(front: Front) -> None:
    front.seal(front.secret({"a": "x" * (1024 * 1024)}))
    assert len(front.values()["a"]) == 1024 * 1024


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"a: [{CANARY}", "it is not YAML"),
        (f"- {CANARY}\n", "it is not a mapping"),
        ("\xff", None),
        (f"kind: SealedSecret\nmetadata: {{name: login, namespace: demo}}\nspec: {{encryptedData: {CANARY}}}\n", "is not built as one"),
        ("kind: SealedSecret\nmetadata: {name: login, namespace: demo}\n---\n" * 2, "is in it twice"),
        ("x: &x {a: AgA}\nkind: SealedSecret\nmetadata: {name: login, namespace: demo}\nspec: {encryptedData: *x}\n", "is an alias"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_edited_stays_as_it_is(front: Front, content: str, words: str | None) -> None:
    front.dest.write_bytes(content.encode("utf-8" if words else "latin-1"))
    error = front.fail(front.secret({"a": CANARY}))
    assert str(front.dest) in str(error) and (words or "it is not UTF-8") in str(error) and error.reason == "file"


def test_what_is_declared_twice_is_refused(front: Front) -> None:
    assert "it is declared twice" in str(front.fail(front.secret({"a": "1"}), front.secret({"b": "1"})))


# -- certificates -----------------------------------------------------------------------------------


def test_certificates_that_nothing_is_sealed_for(front: Front, other: SealingKey) -> None:
    cases: list[tuple[bytes, str, Obj]] = [
        (SealingKey(3072, begins=NOW - timedelta(days=40), days=30).pem, "it expired on 2026-11-13. Fetch the controller's", {}),
        (SealingKey(3072, begins=NOW + timedelta(days=1)).pem, "it is valid from 2026-11-24 00:00 UTC on. Check the clock", {}),
        (SealingKey(2048).pem, "its key has 2048 bits, and at least 3072 are expected. Renew", {}),
        (front.key.pem, "its key has 3072 bits, and at least 4096", {"minimum_key_size": 4096}),
        (other.pem, f"(key {other.key_id}), and {front.key.key_id} is expected. It belongs to another cluster",
         {"certificate_fingerprint": front.key.key_id}),
        (front.key.private_pem, "it holds a private key, and no certificate. Give the controller's certificate", {}),
        (b"garbage " + CANARY.encode(), "it is no PEM certificate", {}),
        (b"-----BEGIN CERTIFICATE-----\n" + CANARY.encode() + b"\n-----END CERTIFICATE-----\n", "it cannot be read", {}),
        (b"", "it is no PEM certificate", {}),
    ]  # fmt: skip
    for pem, words, params in cases:
        (front.home / "cert.pem").write_bytes(pem)
        error = front.fail(front.secret({"a": CANARY}), **params)
        assert words in str(error) and str(front.home / "cert.pem") in str(error), words
        assert error.reason == "certificate" and "PRIVATE" not in str(error)


def test_pins(front: Front) -> None:
    fingerprint = front.key.certificate.fingerprint
    colons = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    for pin in (front.key.key_id, fingerprint, colons):
        assert front.seal(front.secret({"a": "1"}), certificate_fingerprint=pin)["changed"]


def test_a_certificate_as_text_and_one_that_is_not_there(front: Front) -> None:
    told = front.seal(front.secret({"a": "1"}), certificate=front.key.pem.decode())
    assert told["certificate"]["source"] == "given as PEM"
    assert "digest_key: it is shorter than 16 characters" in str(
        front.fail(front.secret({"a": "1"}), digest_key="short")
    )
    error = front.fail(front.secret({"a": "1"}), certificate="http://user:word@127.0.0.1:1/cert.pem?token=x")
    assert "plain http" in str(error) and "word" not in str(error) and "token" not in str(error)
    error = front.fail(front.secret({"a": "1"}), certificate="https://127.0.0.1:1/cert.pem")
    assert "Certificate https://127.0.0.1:1/cert.pem: it cannot be fetched (ConnectionRefusedError)" in str(error)


def test_without_a_cluster_none_is_asked(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_front, "load_login", lambda *_: pytest.fail("it looked for a cluster that nobody named"))
    assert front.seal(front.secret({"a": "1"}))["changed"]
