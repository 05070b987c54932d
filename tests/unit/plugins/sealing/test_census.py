# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key sealed what: counted by keys and by annotations, and a key retires only where nothing speaks against it."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest
import sealing
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.sealing import census, keyring, tree_arguments, tree_front
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

OLD = sealing.SealingKey(begins=sealing.NOW - timedelta(days=60))
MIDDLE = sealing.SealingKey(begins=sealing.NOW - timedelta(days=30))
NEW, FOREIGN = sealing.SealingKey(begins=sealing.NOW - timedelta(days=1)), sealing.SealingKey(begins=sealing.NOW)
ALL = {"old": OLD, "middle": MIDDLE, "new": NEW}
PRIVATE = [keyring.read(key.private_pem + key.pem, name)[0] for name, key in ALL.items()]
PUBLIC = [keyring.Key(key.key_id, name, None, key.certificate) for name, key in ALL.items()]
IDS = {key.key_id for key in ALL.values()}
CANARY = sealing.CANARY


def report(
    keys: t.Sequence[keyring.Key],
    *objs: tuple[dict[str, t.Any], str],
    unread: t.Sequence[str] = (),
    backed_up: t.Any = IDS,
) -> dict[str, t.Any]:
    counted = census.Census(keys)
    for obj, where in objs:
        counted.add(obj, where)
    found = counted.report(sealing.NOW, backed_up, unread)
    assert CANARY not in json.dumps(found)
    return found


def of(found: dict[str, t.Any], key: sealing.SealingKey) -> dict[str, t.Any]:
    return next(one for one in found["keys"] if one["key_id"] == key.key_id)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(ALL)), st.booleans(), st.booleans()), max_size=12))
def test_private_keys_count_right_whatever_annotations_say(given: list[tuple[str, bool, bool]]) -> None:
    """Annotated or not, in its place or moved: the key is known, and retires only if nothing is sealed for it."""
    objs = []
    for number, (name, annotated, moved) in enumerate(given):
        obj = ALL[name].seal({"a": CANARY}, f"n{number}", annotated=annotated)
        if moved:
            obj["metadata"]["name"] = "moved"
        objs.append((obj, "x.yaml"))
    found = report(PRIVATE, *objs)
    for name, key in ALL.items():
        one = of(found, key)
        assert one["items"] == sum(1 for which, *_rest in given if which == name)
        assert one["may_retire"] == (key is not NEW and one["items"] == 0)
    assert found["evidence"] == {"decrypted": len(given), "annotation": 0, "none": 0}


def test_ages_sizes_and_the_newest() -> None:
    found = report(PUBLIC, (MIDDLE.seal({"a": "x"}), "x.yaml"))
    assert [one["key_id"] for one in found["keys"]] == [NEW.key_id, MIDDLE.key_id, OLD.key_id]
    assert [(one["age_days"], one["bits"], one["newest"]) for one in found["keys"]] == [
        (1, 2048, True),
        (30, 2048, False),
        (60, 2048, False),
    ]
    assert found["newest_key"] == NEW.key_id
    assert found["oldest_key_in_use"] == MIDDLE.key_id
    assert of(found, MIDDLE)["why_not"] == ["1 items are sealed for it, such as demo/login a: rekey them"]
    assert of(found, OLD)["may_retire"]
    assert of(found, OLD)["proof"] == "annotations"


def test_an_item_in_a_file_and_in_the_cluster_counts_once() -> None:
    obj = OLD.seal({"a": "x", "b": "y"})
    one = of(report(PUBLIC, (obj, "x.yaml"), (obj, "")), OLD)
    assert (one["items"], one["in_files"], one["in_cluster"]) == (2, 2, 2)


@pytest.mark.parametrize(
    ("more", "options", "words"),
    [
        (OLD.seal({"a": "x"}, "other", annotated=False), {}, "Of 1 items nothing tells the key, such as demo/other a"),
        (None, {"unread": ["The cluster was not looked at"]}, "was not looked at"),
        (None, {"backed_up": {NEW.key_id}}, "The backup does not hold it"),
        (None, {"backed_up": None}, "Whether a backup holds it is not known"),
    ],
)
def test_what_keeps_a_key_from_retiring(more: t.Any, options: dict[str, t.Any], words: str) -> None:
    found = report(PUBLIC, *([(more, "x.yaml")] if more else []), **options)
    assert not of(found, OLD)["may_retire"]
    assert words in of(found, OLD)["why_not"][0]


def test_an_unknown_item_of_another_size_keeps_nobody() -> None:
    big = sealing.SealingKey(3072)
    assert of(report(PUBLIC, (big.seal({"a": "x"}, annotated=False), "x.yaml")), OLD)["may_retire"]


def test_broken_items_are_named_and_keep_all() -> None:
    obj = OLD.seal({"a": "x"})
    obj["spec"]["encryptedData"]["a"] = CANARY
    found = report(PUBLIC, (obj, "x.yaml"), ({"spec": [CANARY]}, "y.yaml"))
    assert found["unknown"]["undecodable"] == ["demo/login a", "y.yaml"]
    assert "cannot be decoded" in of(found, OLD)["why_not"][0]


def test_a_key_that_only_an_annotation_names() -> None:
    one = of(report(PUBLIC, (FOREIGN.seal({"a": "x"}), "x.yaml")), FOREIGN)
    assert (one["items"], one["source"], one["bits"], one["may_retire"]) == (1, "only an annotation names it", 0, False)


@pytest.mark.parametrize(
    ("period", "when"),
    [("720h0m0s", "2026-12-22T00:00:00Z"), ("1h30m", "2026-11-22T01:30:00Z"), ("0", ""), ("0s", ""), ("", "")],
)
def test_next_renewal(period: str, when: str) -> None:
    assert census.next_renewal(PUBLIC[2], period) == when
    assert census.next_renewal(None, period) == ""


# -- as the module does it --------------------------------------------------------------------------


@pytest.fixture
def server() -> t.Iterator[sealing.StandIn]:
    with sealing.StandIn(OLD, NEW) as running:
        for name, key, state in (("a", OLD, "active"), ("b", NEW, "active"), ("c", MIDDLE, "compromised")):
            running.objects[f"/api/v1/namespaces/kube-system/secrets/{name}"] = key.secret(name, state=state)
        running.objects["/api/v1/namespaces/kube-system/secrets/other"] = {
            "metadata": {"name": "other", "labels": {}},
            "data": {"a": "b"},
        }
        live = OLD.seal({"a": "x"}, "live")
        live["metadata"]["labels"] = {}
        running.objects["/apis/bitnami.com/v1alpha1/namespaces/demo/sealedsecrets/live"] = live
        yield running


def info(server: sealing.StandIn, **given: t.Any) -> dict[str, t.Any]:
    defaults = {name: option.get("default") for name, option in tree_arguments.INFO.items()}
    found = tree_front.info({**defaults, "host": server.url, **given}, {"HOME": "/nonexistent"})
    told = json.dumps(found)
    assert CANARY not in told
    assert "PRIVATE" not in told
    assert OLD.secret("a")["data"]["tls.key"] not in told
    return found


def test_the_whole_report(server: sealing.StandIn, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(NEW.seal({"a": CANARY})))
    (tmp_path / "backup.key").write_bytes(OLD.private_pem)
    found = info(server, paths=[str(tmp_path)], backups=[str(tmp_path / "backup.key")])
    assert found["controller"]["version"] == "0.40.0"
    assert found["controller"]["faults"] == []
    assert found["next_renewal"] == "2026-11-24T00:00:00Z"  # its flag says 48h
    assert found["sealed_secrets"] == {"files": 1, "cluster": 1}
    assert {one["key_id"]: (one["source"], one["state"], one["in_backup"], one["items"]) for one in found["keys"]} == {
        OLD.key_id: ("Secret kube-system/a", "active", True, 1),
        NEW.key_id: ("Secret kube-system/b", "active", False, 1),
        MIDDLE.key_id: ("Secret kube-system/c", "compromised", False, 0),
    }
    assert found["not_looked_at"] == []


def test_what_the_login_may_not_read_is_said(server: sealing.StandIn, tmp_path: Path) -> None:
    server.forbidden = ("/secrets", "/sealedsecrets", "bindings", "/configmaps")
    found = info(server, paths=[str(tmp_path)])
    words = " ".join(found["not_looked_at"])
    assert "Sealing keys in kube-system: the login may not read" in words
    assert "SealedSecrets of the cluster: the login may not list" in words
    # The newest is known all the same: the controller gives it to everybody who reaches it.
    assert [one["key_id"] for one in found["keys"]] == [NEW.key_id]
    assert not any(one["may_retire"] for one in found["keys"])
    assert any("may not read the bindings" in one["what"] for one in found["controller"]["findings"])


def test_without_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(NEW.seal({"a": CANARY})))
    (tmp_path / "broken.yaml").write_text("kind: SealedSecret\n[")
    (tmp_path / "new.pem").write_bytes(NEW.pem + OLD.pem)
    defaults = {name: option.get("default") for name, option in tree_arguments.INFO.items()}
    given = {**defaults, "paths": [str(tmp_path)], "cluster": False, "certificates": [str(tmp_path / "new.pem")]}
    found = tree_front.info(given, {"HOME": "/nonexistent"})
    assert [(one["key_id"], one["items"]) for one in found["keys"]] == [(NEW.key_id, 1), (OLD.key_id, 0)]
    assert [one["may_retire"] for one in found["keys"]] == [False, False]
    assert "broken.yaml" in " ".join(found["not_looked_at"])


def test_no_controller_is_an_error_that_says_so(server: sealing.StandIn) -> None:
    server.objects = {}
    with pytest.raises(SealingError, match="there is none: looked for"):
        info(server)
