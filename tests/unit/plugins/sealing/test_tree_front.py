# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options to results: keys from every kind of file, certificates that nothing may be sealed for, and what a failing task says."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest
import sealing
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.sealing import (
    backup,
    keyring,
    tree_arguments,
    tree_front,
)
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

OLD, NEW, EXPIRED = (
    sealing.SealingKey(3072),
    sealing.SealingKey(3072),
    sealing.SealingKey(3072, sealing.NOW - timedelta(days=9), 1),
)
CANARY = sealing.CANARY
PASSPHRASE = "a passphrase of the tests, never in any output"
Obj = dict[str, t.Any]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    place = tmp_path / "tree"
    place.mkdir()
    (place / "x.yaml").write_text(yaml.safe_dump(OLD.seal({"a": CANARY})))
    for name, key in (("old", OLD), ("new", NEW), ("expired", EXPIRED)):
        (tmp_path / f"{name}.pem").write_bytes(key.pem)
        (tmp_path / f"{name}.key").write_bytes(key.private_pem)
    secrets = [OLD.secret("one"), NEW.secret("two")]
    (tmp_path / "list.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": secrets}))
    (tmp_path / "documents.yaml").write_text(yaml.safe_dump_all(secrets))
    (tmp_path / "keys.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": secrets}))
    return place


def call(work: t.Callable[..., Obj], spec: Obj, tree: Path, **given: t.Any) -> Obj:
    more = {name: given.pop(name) for name in ("check", "diff") if name in given}
    defaults = {name: option.get("default") for name, option in spec.items()}
    clock = sealing.FakeClock()
    clock.now = 0
    found = work({**defaults, "paths": [str(tree)], **given}, {"HOME": "/nonexistent"}, clock=clock, **more)
    told = json.dumps(found)
    assert CANARY not in told
    assert PASSPHRASE not in told
    assert "PRIVATE" not in told
    return found


def rekey(tree: Path, **given: t.Any) -> Obj:
    return call(tree_front.rekey_trees, tree_arguments.REKEY, tree, **given)


def lint(tree: Path, **given: t.Any) -> Obj:
    return call(tree_front.lint, tree_arguments.LINT, tree, **given)


@pytest.mark.parametrize("name", ["list.yaml", "documents.yaml", "keys.json", "old.key"])
def test_keys_from_every_kind_of_file(tree: Path, name: str) -> None:
    found = lint(tree, private_keys=[str(tree.parent / name)])
    assert found["findings"] == []


def test_keys_from_an_encrypted_backup(tree: Path) -> None:
    pytest.importorskip("pyrage")
    plain = (tree.parent / "list.yaml").read_bytes()
    path = tree.parent / "backup.age"
    path.write_bytes(backup.encrypt(plain, backup.Lock(passphrase=PASSPHRASE)))
    assert lint(tree, private_keys=[str(path)], passphrase=PASSPHRASE)["findings"] == []
    with pytest.raises(SealingError, match=r"backup\.age"):
        lint(tree, private_keys=[str(path)], passphrase="another one that is wrong")
    with pytest.raises(SealingError, match="encrypted with age"):
        lint(tree, private_keys=[str(path)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no sealing key"),
        (
            b"-----BEGIN RSA PRIVATE KEY-----\n" + CANARY.encode() + b"\n-----END RSA PRIVATE KEY-----\n",
            "no readable PEM",
        ),
        (b"kind: Secret\ndata: {tls.key: '" + CANARY.encode() + b"'}\n", "not base64"),
        (b"kind: Secret\nmetadata: {name: x}\ndata: {a: b}\n", "holds no sealing key"),
        (b"kind: Secret\nx: [" + CANARY.encode(), "not readable as YAML"),
    ],
)
def test_files_that_hold_no_key(tree: Path, content: bytes, words: str) -> None:
    (tree.parent / "bad").write_bytes(content)
    with pytest.raises(SealingError, match=words) as caught:
        lint(tree, private_keys=[str(tree.parent / "bad")])
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_pair_that_is_none(tree: Path) -> None:
    secret = OLD.secret("one")
    secret["data"]["tls.crt"] = NEW.secret("two")["data"]["tls.crt"]
    with pytest.raises(SealingError, match="are no pair"):
        keyring.read(yaml.safe_dump(secret).encode(), "x")


def test_keys_are_merged_with_their_certificates() -> None:
    found = keyring.read(NEW.pem + OLD.private_pem + OLD.pem + NEW.private_pem + OLD.private_pem, "x")
    assert {key.key_id: (key.private is not None, key.certificate is not None) for key in found} == {
        OLD.key_id: (True, True), NEW.key_id: (True, True),
    }  # fmt: skip


def test_certificates_of_a_bundle_and_as_pem(tree: Path) -> None:
    (tree.parent / "bundle.pem").write_bytes(NEW.pem + EXPIRED.pem)
    assert [one["rule"] for one in lint(tree, certificates=[str(tree.parent / "bundle.pem")])["findings"]] == [
        "certificate-unknown"
    ]
    both = [str(tree.parent / "bundle.pem"), OLD.pem.decode()]
    assert [one["rule"] for one in lint(tree, certificates=both)["findings"]] in ([], ["certificate-old"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"certificate": "expired.pem"}, "it expired on"),
        ({"certificate": "new.pem", "certificate_fingerprint": "00" * 32}, "is expected"),
        ({"certificate": "new.pem", "minimum_key_size": 4096}, "has 3072 bits"),
        ({"certificate": "old.key"}, "it holds a private key, and no certificate"),
        ({"certificate": "none.pem"}, "No such file"),
        ({"certificate": "new.pem", "digest_key": "short"}, "shorter than"),
    ],
)
def test_what_nothing_is_sealed_for(tree: Path, options: Obj, words: str) -> None:
    before = (tree / "x.yaml").read_text()
    options = {**options, "certificate": str(tree.parent / options["certificate"])}
    with pytest.raises(Exception, match=words):
        rekey(tree, private_keys=[str(tree.parent / "old.key")], **options)
    assert (tree / "x.yaml").read_text() == before
    assert [path.name for path in tree.iterdir()] == ["x.yaml"]


def test_a_result_diff_and_pin(tree: Path) -> None:
    given = {
        "private_keys": [str(tree.parent / "old.key")], "certificate": str(tree.parent / "new.pem"),
        "certificate_fingerprint": NEW.key_id, "diff": True,
    }  # fmt: skip
    predicted = rekey(tree, check=True, **given)
    done = rekey(tree, **given)
    assert predicted == done
    assert done["diff"] == [
        {
            "before_header": str(tree / "x.yaml"), "after_header": str(tree / "x.yaml"),
            "before": f"demo/login a: {OLD.key_id}\n", "after": f"demo/login a: {NEW.key_id}\n",
        }
    ]  # fmt: skip
    assert (done["changed"], done["changed_files"], done["errors"]) == (True, 1, [])
    assert "failed" not in done
    assert rekey(tree, **given)["changed"] is False
    assert [path.name for path in tree.iterdir()] == ["x.yaml"]


def test_a_task_that_fails_names_the_first_and_counts_the_rest(tree: Path) -> None:
    for name in ("b", "c"):
        (tree / f"{name}.yaml").write_text(yaml.safe_dump(EXPIRED.seal({"a": CANARY}, name)))
    found = rekey(tree, private_keys=[str(tree.parent / "old.key")], certificate=str(tree.parent / "new.pem"))
    assert found["failed"]
    assert found["changed"]
    assert found["msg"].startswith("SealedSecret demo/b, item a: it was sealed for none of the 1 given keys.")
    assert found["msg"].endswith("And 1 more.")
    assert found["counts"] == {"current": 0, "rekeyed": 1, "failed": 2}
    told = lint(tree, private_keys=[str(tree.parent / "old.key")])
    assert told["failed"]
    assert "[decrypt], and 2 more" in told["msg"]
    assert "failed" not in lint(tree, private_keys=[str(tree.parent / "old.key")], fail_on="critical")


def test_without_keys_and_certificate_the_controller_is_looked_for(tree: Path) -> None:
    with sealing.StandIn(OLD, NEW) as server:
        assert rekey(tree, host=server.url)["certificate"]["source"] == "Controller kube-system/sealed-secrets"
        with pytest.raises(SealingError, match="seals anew only for its own newest"):
            rekey(tree, host=server.url, certificate=str(tree.parent / "old.pem"))
        with pytest.raises(SealingError, match="/v1/rotate is not used"):
            rekey(tree, host=server.url, controller_version="0.39.1")


def test_rules_to_ignore_are_known(tree: Path) -> None:
    with pytest.raises(SealingError, match="there is no rule nonsense"):
        lint(tree, ignore=["nonsense", "empty"])
