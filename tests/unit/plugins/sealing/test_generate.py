# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be generated, what declarations mean, and for which items there is a value: nothing that exists is made again."""

from __future__ import annotations

import base64
import collections
import itertools
import json
import typing as t
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.sealing import declared, first, generate
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

CANARY = "canary-5d21"
ENVIRONMENTS = ["dev", "stage"]
Obj = dict[str, t.Any]


# -- generators ----------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.sampled_from(sorted(generate.ALPHABETS)), st.integers(1, 200))
def test_a_text_has_its_length_and_only_its_alphabet(alphabet: str, length: int) -> None:
    found = generate.text(length, alphabet)
    assert len(found) == length
    assert set(found) <= set(generate.ALPHABETS[alphabet])


def test_every_character_is_as_likely_as_any_other() -> None:
    """All bytes once, as random: 62 does not divide 256, and the remainder must not make the first 8 more likely."""
    every = itertools.cycle(range(256))
    found = collections.Counter(
        generate.text(248 * 4, "letters-digits", lambda n: bytes(next(every) for _ in range(n)))
    )
    assert set(found.values()) == {16}


def test_texts_and_tokens_come_from_the_randomness_they_are_given() -> None:
    assert generate.text(4, "hex", lambda n: bytes(range(n))) == "0123"
    assert generate.token(3, "hex", lambda n: b"\x00\xff\x10"[:n]) == "00ff10"
    assert generate.token(2, "base64", lambda n: b"\xfb\xff"[:n]) == "+/8="
    assert generate.token(2, "base64url", lambda n: b"\xfb\xff"[:n]) == "-_8"


@pytest.mark.parametrize("encoding", generate.ENCODINGS)
def test_a_token_holds_all_its_bytes(encoding: str) -> None:
    value = generate.token(32, encoding)
    decoded = (
        bytes.fromhex(value)
        if encoding == "hex"
        else base64.urlsafe_b64decode(value.replace("+", "-").replace("/", "_") + "==")
    )
    assert len(decoded) == 32


@pytest.mark.parametrize(
    ("algorithm", "size", "form", "kind"),
    [
        ("ed25519", "", "pem", ed25519.Ed25519PrivateKey),
        ("ed25519", "", "openssh", ed25519.Ed25519PrivateKey),
        ("ec", "", "pem", ec.EllipticCurvePrivateKey),
        ("ec", "P-384", "openssh", ec.EllipticCurvePrivateKey),
        ("rsa", "3072", "pem", rsa.RSAPrivateKey),
    ],
)
def test_a_key_pair_is_a_pair(algorithm: str, size: str, form: str, kind: type) -> None:
    private = generate.private_key(algorithm, size, form).encode()
    key: t.Any = (load_ssh_private_key if form == "openssh" else load_pem_private_key)(private, None)
    assert isinstance(key, kind)
    if size:
        assert key.key_size == int(size.removeprefix("P-"))
    public = generate.public_half(private, form, "x").encode()
    shape = (
        (Encoding.OpenSSH, PublicFormat.OpenSSH)
        if form == "openssh"
        else (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    assert public.strip() == key.public_key().public_bytes(*shape).strip()


def test_what_is_no_private_key_is_refused_and_not_quoted() -> None:
    for text in (
        CANARY,
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}",
    ):
        with pytest.raises(SealingError) as caught:
            generate.public_half(text.encode(), "pem", "demo/x, item key")
        assert CANARY not in str(caught.value)
        assert str(caught.value).startswith("demo/x, item key: it is no private key")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (
            {"generator": "random", "length": 12},
            "12 characters of letters-digits can be guessed, at least 14 are needed",
        ),
        ({"generator": "random", "length": 24, "alphabet": "digits"}, "at least 25"),
        ({"generator": "random", "length": "32"}, "its length is a number"),
        ({"generator": "random", "length": 10**9}, "its length is a number"),
        ({"generator": "random", "alphabet": "emoji"}, "no alphabet emoji"),
        ({"generator": "random", "lenght": 32}, "random has no option lenght, but length, alphabet"),
        ({"generator": "token", "bytes": 4}, "its bytes are a number from 10"),
        ({"generator": "token", "encoding": "rot13"}, "no encoding rot13"),
        ({"generator": "keypair", "algorithm": "dsa"}, "no algorithm dsa"),
        ({"generator": "keypair", "algorithm": "rsa", "size": 2048}, "no size 2048 of rsa"),
        ({"generator": "keypair", "format": "der"}, "no format der"),
        ({"generator": "keypair", "public": "a/b"}, "public is the name of an item"),
        ({"generator": "keypair", "public": "key"}, "item key is there twice"),
        ({"generator": "pwgen"}, "its generator is one of random, token, keypair, given"),
        ({"generator": "random", "name": "a b"}, "its name is a name for an item"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(key: Obj, words: str, tmp_path: Path) -> None:
    with pytest.raises(SealingError, match=r"enclii_secrets\[0\] \(login\)") as caught:
        declared.read([], [{"name": "login", "keys": [{"name": "key", **key}]}], ENVIRONMENTS, tmp_path)
    assert words in str(caught.value)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    key = {"name": "k", "generator": "random"}
    secrets: list[t.Any] = [
        "login", {"name": "Bad_Name", "keys": [key]}, {"name": "none", "keys": []},
        {"name": "there", "environments": ["prod"], "keys": [key]},
        {"name": "both", "namespace": "x", "environments": ["dev"], "keys": [key]}, {"name": "more", "keys": [key], "shared": True},
        {"name": "twice", "keys": [key]}, {"name": "twice", "namespace": "dev", "keys": [key]},
    ]  # fmt: skip
    (tmp_path / "plain.yaml").write_text(
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\nstringData: {{a: {CANARY}}}\n"
    )
    (tmp_path / "torn.yaml").write_text(f"kind: SealedSecret\n  x: [{CANARY}\n")
    (tmp_path / "a.yaml").write_text(manifest("dev", "login", a="x") + "---\n" + manifest("dev", "login", a="x"))
    with pytest.raises(SealingError) as caught:
        declared.read([], secrets, ENVIRONMENTS, tmp_path)
    words = [
        "enclii_secrets[0]: it is a mapping", "(Bad_Name): its name", "(none): it has a list of keys",
        "prod is none of enclii_environments",
        "namespace or environments, not both", "no option shared", "dev/twice is declared by enclii_secrets[6] (twice), too",
        "plain.yaml, document 1, line 1: it is no SealedSecret of bitnami.com/v1alpha1 and its values are in plain text",
        "torn.yaml, document 1: not readable as YAML", "dev/login is in",
    ]  # fmt: skip
    assert [one for one in words if one not in str(caught.value)] == []
    assert CANARY not in str(caught.value)


# -- what is missing -----------------------------------------------------------------------------


def manifest(namespace: str, name: str, **items: str) -> str:
    metadata = {"name": name, "namespace": namespace}
    spec = {"encryptedData": items, "template": {"metadata": metadata}}
    return yaml.safe_dump(
        {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": metadata, "spec": spec}
    )


LOGIN = {
    "name": "login",
    "keys": [
        {"name": "password", "generator": "random"},
        {"name": "s3", "generator": "given", "description": "console"},
    ],
}


def test_components_and_inventory_declare_in_the_same_words(tmp_path: Path) -> None:
    component = {
        "name": "patroni",
        "namespace": "data",
        "secrets": [LOGIN, {**LOGIN, "name": "other", "environments": ["dev"]}],
    }
    found = declared.read([component], [LOGIN], ENVIRONMENTS, tmp_path / "none")
    assert [one.subject for one in found.declared] == ["data/login", "dev/other", "dev/login", "stage/login"]
    assert found.missing() == [(one, ["password", "s3"]) for one in found.declared]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.yml").write_text(
        manifest("dev", "login", password="x") + "---\n" + manifest("stage", "login", password="x", s3="y")
    )
    found = declared.read([], [LOGIN], ENVIRONMENTS, tmp_path)
    assert [(one.subject, items) for one, items in found.missing()] == [("dev/login", ["s3"])]


# -- values --------------------------------------------------------------------------------------


class Cluster:
    """Secrets of a cluster, as the library asks for them; the real API server is asked in the end-to-end tests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **secrets: Obj) -> None:
        self.secrets, self.asked = secrets, 0
        monkeypatch.setattr(first, "load_login", lambda params, environ: None)
        monkeypatch.setattr(first, "Client", lambda login, clock: self)

    def map(self, work: t.Callable[[t.Any], t.Any], items: t.Iterable[t.Any]) -> list[t.Any]:
        return [work(one) for one in items]

    def find(self, path: str) -> Obj | None:
        self.asked += 1
        return self.secrets.get(path.removeprefix("/api/v1/namespaces/").replace("/secrets/", "/"))

    def close(self) -> None:
        """Nothing is open."""


def live(annotations: dict[str, str] | None = None, **data: str) -> Obj:
    values = {item: base64.b64encode(value.encode()).decode() for item, value in data.items()}
    return {
        "metadata": {"name": "login", "uid": "u", "labels": {"a": "b"}, "annotations": annotations or {}},
        "type": "x/y",
        "data": values,
    }


def values(directory: Path, secrets: list[Obj], **more: t.Any) -> Obj:
    ask = more.pop("ask", None)
    check = more.pop("check", False)
    params = {
        "components": [],
        "declared": secrets,
        "environments": ["dev"],
        "directory": str(directory),
        "given": {},
        "replace": [],
        "offline": False,
    }
    return first.secret_values(params | more, {}, ask=ask, check=check)


def plain(result: Obj, name: str) -> dict[str, str]:
    found = next((one for one in result["secrets"] if one["name"] == name), {"data_base64": {}})
    return {item: base64.b64decode(value).decode() for item, value in found["data_base64"].items()}


def test_a_value_is_generated_given_or_asked_for_and_ends_where_the_manifest_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster(monkeypatch)
    seen: list[str] = []

    def ask(asked: t.Sequence[first.Asked]) -> list[str]:
        seen.extend(f"{one.subject} ({one.about})" for one in asked)
        return [CANARY for _one in asked]

    other = {"name": "other", "keys": [{"name": "a", "generator": "given"}, {"name": "b", "generator": "token"}]}
    result = values(
        tmp_path, [LOGIN, other], given={"dev/other": {"a": "mine", "b": "known"}, "other": {"a": "all"}}, ask=ask
    )
    assert seen == ["dev/login, item s3 (console)"]
    assert plain(result, "login")["s3"] == CANARY
    assert len(plain(result, "login")["password"]) == 32
    assert plain(result, "other") == {"a": "mine", "b": "known"}
    assert [one["dest"] for one in result["secrets"]] == [
        str(tmp_path / "dev-login.yaml"),
        str(tmp_path / "dev-other.yaml"),
    ]
    assert result["generated"] == ["dev/login, item password"]
    assert result["given"] == ["dev/login, item s3", "dev/other, item a", "dev/other, item b"]
    assert CANARY not in json.dumps({**result, "secrets": []})


def test_where_nobody_can_be_asked_all_names_are_said_and_in_check_mode_nobody_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster(monkeypatch)
    third = {"name": "third", "keys": [{"name": "t", "generator": "given"}]}
    with pytest.raises(SealingError) as caught:
        values(tmp_path, [LOGIN, third])
    assert caught.value.reason == "given"
    assert "dev/login, item s3 (console); dev/third, item t." in str(caught.value)
    assert "enclii_given_secrets" in str(caught.value)
    result = values(tmp_path, [LOGIN, third], check=True)
    assert result["asked"] == ["dev/login, item s3", "dev/third, item t"]
    assert [one["name"] for one in result["secrets"]] == ["login"]


def test_what_is_sealed_is_not_made_again_and_the_cluster_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(monkeypatch)
    (tmp_path / "x.yaml").write_text(manifest("dev", "login", password="x", s3="y"))
    assert values(tmp_path, [LOGIN])["secrets"] == []
    assert cluster.asked == 0
    # a key that is declared later goes into the manifest that is there, and nothing else of it is touched
    more = {**LOGIN, "keys": [*LOGIN["keys"], {"name": "new", "generator": "token"}]}
    result = values(tmp_path, [more])
    assert list(plain(result, "login")) == ["new"]
    assert result["secrets"][0]["dest"] == str(tmp_path / "x.yaml")
    assert "type" not in result["secrets"][0]


def test_what_the_cluster_has_is_taken_over_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(
        monkeypatch,
        **{
            "dev/login": live(
                {"sealedsecrets.bitnami.com/managed": "true", "mine": "1"}, password="old", s3="key", more="too"
            )
        },
    )
    result = values(tmp_path, [LOGIN], given={"login": {"s3": "another"}})
    assert plain(result, "login") == {"password": "old", "s3": "key", "more": "too"}
    assert result["generated"] == result["given"] == result["asked"] == []
    entry = result["secrets"][0]
    assert (entry["type"], entry["labels"], entry["annotations"]) == ("x/y", {"a": "b"}, {"mine": "1"})


def test_what_nobody_declares_is_taken_over_only_with_a_secret_that_is_new_to_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster(monkeypatch, **{"dev/login": live(password="old", s3="key", more="too")})
    (tmp_path / "x.yaml").write_text(manifest("dev", "login", password="x"))
    assert plain(values(tmp_path, [LOGIN]), "login") == {"s3": "key"}


def test_items_of_others_in_a_merged_secret_stay_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(
        monkeypatch,
        **{"dev/login": live({"sealedsecrets.bitnami.com/patch": "true"}, password="old", s3="key", more="theirs")},
    )
    assert set(plain(values(tmp_path, [LOGIN]), "login")) == {"password", "s3"}


def test_a_given_value_is_replaced_when_it_is_named_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster(monkeypatch, **{"dev/login": live(password="old", s3="key")})
    (tmp_path / "x.yaml").write_text(manifest("dev", "login", password="x", s3="y"))
    result = values(tmp_path, [LOGIN], given={"login": {"s3": "new"}}, replace=["dev/login"])
    assert plain(result, "login") == {"s3": "new"}
    with pytest.raises(SealingError, match="secrets_replace: dev/none"):
        values(tmp_path, [LOGIN], replace=["dev/none"])


PAIR = {"name": "pair", "keys": [{"name": "key", "generator": "keypair", "public": "key.pub"}]}


def test_halves_of_a_pair_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    made = plain(values(tmp_path, [PAIR]), "pair")
    assert generate.public_half(made["key"].encode(), "pem", "x") == made["key.pub"]
    # only the private half: its public half is told from the cluster's, else not at all
    (tmp_path / "x.yaml").write_text(manifest("dev", "pair", key="x"))
    with pytest.raises(SealingError, match=r"dev/pair, item key\.pub: its private half is sealed"):
        values(tmp_path, [PAIR])
    cluster.secrets["dev/pair"] = live(key=made["key"])
    assert plain(values(tmp_path, [PAIR]), "pair") == {"key.pub": made["key.pub"]}
    # only the public half: another private half would not belong to it
    del cluster.secrets["dev/pair"]
    (tmp_path / "x.yaml").write_text(manifest("dev", "pair", **{"key.pub": "x"}))
    with pytest.raises(SealingError, match=r"dev/pair, item key: its public half key.pub is sealed already"):
        values(tmp_path, [PAIR])
    assert plain(values(tmp_path, [PAIR], given={"pair": {"key": made["key"]}}), "pair") == {"key": made["key"]}


def test_given_values_that_nobody_declared_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch)
    given = {"logn": {"s3": CANARY}, "login": {"s4": CANARY, "s3": ""}, "dev/login": CANARY}
    with pytest.raises(SealingError) as caught:
        values(tmp_path, [LOGIN], given=given)
    for words in (
        "no secret logn is declared",
        "dev/login has no item s4",
        "dev/login, item s3 is a text that is not empty",
        "dev/login is a mapping",
    ):
        assert words in str(caught.value)
    assert CANARY not in str(caught.value)


def test_offline_the_cluster_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, **{"dev/login": live(password="old")})
    result = values(tmp_path, [LOGIN], given={"login": {"s3": "x"}}, offline=True)
    assert plain(result, "login")["password"] != "old"
    assert cluster.asked == 0
