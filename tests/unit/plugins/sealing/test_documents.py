# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifest files: what is wanted is there after an edit, nothing else has moved, and a killed write leaves old or new."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.sealing import documents, emit
from ansible_collections.enclii.platform.plugins.module_utils.sealing.documents import REMOVE
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

ROOT = Path(__file__).resolve().parents[4]
MANY = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = st.one_of(
    st.from_regex(r"\A[A-Za-z0-9._/-]{1,12}\Z"), st.sampled_from(["on", "8080", "null", "a b", "ключ", "~"])
)
SCALARS = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.just("one\ntwo\n"), st.just("one\n\n two")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.dictionaries(KEYS, inner, max_size=3), st.lists(inner, max_size=3)),
    max_leaves=6,
)
MAPPINGS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)

SEALED = """\
# the shop's database
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
    name: login   # as in the chart
    namespace: 'shop'
    annotations: {argocd.argoproj.io/sync-wave: "-1"}

spec:
    encryptedData:
        # rotated by the on-call
        password: AgBOLD+/=    # 2026-01
        "user": "AgBUSER"
        long: >-
            AgB
            CCC

    template:
        metadata: {name: login, namespace: shop}
        type: Opaque
---
kind: ConfigMap
apiVersion: v1
metadata: {name: other}
"""


def one(text: str, number: int = 1) -> dict[str, t.Any]:
    return next(document.obj for document in documents.read(text, "x.yaml") if document.number == number)


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_one_value_changes_one_line_and_keeps_its_comment() -> None:
    after = documents.edited(SEALED, 1, [(("spec", "encryptedData", "password"), "AgBNEW+/=")])
    assert lines_changed(SEALED, after) == (
        ["        password: AgBOLD+/=    # 2026-01\n"],
        ["        password: AgBNEW+/=    # 2026-01\n"],
    )


def test_quotes_stay_and_new_entries_go_to_the_end_of_theirs() -> None:
    changes = [
        (("spec", "encryptedData", "user"), "AgBX"),
        (("spec", "encryptedData", "token"), "AgBT"),
        (("metadata", "annotations", "enclii.dev/sealed-with"), '{"user":"SHA256:x"}'),
        (("spec", "template", "metadata", "labels", "app"), "shop"),
    ]
    after = documents.edited(SEALED, 1, changes)
    assert '        "user": "AgBX"\n' in after
    assert "            CCC\n        token: AgBT\n\n    template:" in after
    old = '    annotations: {argocd.argoproj.io/sync-wave: "-1"'
    assert old + ', "enclii.dev/sealed-with": "{\\"user\\":\\"SHA256:x\\"}"}\n' in after
    assert one(after)["spec"]["template"]["metadata"]["labels"] == {"app": "shop"}
    assert one(after, 2) == one(SEALED, 2)


def test_what_is_removed_takes_its_lines_along_and_no_other() -> None:
    after = documents.edited(
        SEALED, 1, [(("spec", "encryptedData", "long"), REMOVE), (("metadata", "missing"), REMOVE)]
    )
    assert lines_changed(SEALED, after) == (["        long: >-\n", "            AgB\n", "            CCC\n"], [])
    none = documents.edited(
        SEALED, 1, [(("spec", "encryptedData", key), REMOVE) for key in ("password", "user", "long")]
    )
    assert one(none)["spec"]["encryptedData"] == {}


def test_json_as_kubeseal_writes_it_keeps_its_form() -> None:
    text = json.dumps({"kind": "SealedSecret", "spec": {"encryptedData": {"a": "AgA", "b": "AgB"}}}, indent=2) + "\n"
    after = documents.edited(
        text, 1, [(("spec", "encryptedData", "c"), "AgC"), (("spec", "encryptedData", "a"), REMOVE)]
    )
    assert json.loads(after)["spec"]["encryptedData"] == {"b": "AgB", "c": "AgC"}
    assert after == text.replace('"a": "AgA",\n      ', "").replace('"b": "AgB"', '"b": "AgB",\n      "c": "AgC"')


def test_windows_line_ends_and_a_byte_order_mark_stay() -> None:
    text = "\ufeff" + SEALED.replace("\n", "\r\n")
    changes = [
        (("spec", "encryptedData", "user"), REMOVE),
        (("spec", "encryptedData", "new"), "AgN"),
        (("spec", "template", "data"), {"conf": "a\nb\n"}),
    ]
    after = documents.edited(text, 1, changes)
    assert after.startswith("\ufeff# the shop") and after.count("\n") == after.count("\r\n")
    assert one(after)["spec"]["template"]["data"] == {"conf": "a\nb\n"}
    assert set(one(after)["spec"]["encryptedData"]) == {"password", "long", "new"}


def test_a_file_without_a_last_line_end() -> None:
    assert documents.edited("a:\n  b: x", 1, [(("a", "c"), "z")]) == "a:\n  b: x\n  c: z"
    assert one(documents.edited("a:\n  b: |-\n    x", 1, [(("a", "b"), "one\ntwo\n")])) == {"a": {"b": "one\ntwo\n"}}


def test_missing_and_empty_parents_are_made() -> None:
    for text in (
        "a:\n",
        "a: {}\n",
        "a: null # why\n",
        "a: {}",
        "a:   # later\nb: 1\n",
        "a: ~\r\nb: 1\r\n",
        '{"a": {}}',
    ):
        after = documents.edited(text, 1, [(("a", "b", "c"), "x"), (("a", "d"), "y")])
        assert one(after)["a"] == {"b": {"c": "x"}, "d": "y"}, text


@pytest.mark.parametrize(
    ("text", "path", "cause"),
    [
        ("a: &x {b: 1}\nc: *x\n", ("c", "b"), "c is an alias"),
        ("a: &x {b: 1}\nc: *x\n", ("a", "b"), "cannot be edited in place"),
        ("a: 1\n", ("a", "b"), "a is not a mapping"),
        ("- 1\n", ("a",), "no document 1"),
        ("a: [\n", ("a",), "not YAML"),
        ("? {a: 1}\n: 2\n", ("a",), "not YAML"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, path: tuple[str, ...], cause: str) -> None:
    with pytest.raises(SealingError, match=cause) as caught:
        documents.edited(text, 1, [(path, "canary")])
    assert caught.value.reason == "file" and "canary" not in str(caught.value)


def test_merge_keys_and_anchors_beside_an_edit_do_not_matter() -> None:
    text = "base: &b {x: '1'}\na:\n  <<: *b\n  c: '2'\n"
    assert documents.edited(text, 1, [(("a", "c"), "3")]) == text.replace("'2'", "'3'")
    assert one(documents.edited(text, 1, [(("a", "x"), "9")]))["a"] == {"x": "9", "c": "2"}


@pytest.mark.parametrize("text", ["a: 'canary\n", "a: b\na: canary\n", "canary: [", "\tcanary: x", "a: !x canary"])
def test_reading_quotes_nothing(text: str) -> None:
    with pytest.raises(SealingError, match=r"File x\.yaml: it is not YAML") as caught:
        documents.read(text, "x.yaml")
    assert "canary" not in str(caught.value) and caught.value.__cause__ is None


def test_documents_are_numbered_as_they_stand() -> None:
    found = documents.read("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n", "x.yaml")
    assert [(entry.number, entry.where) for entry in found] == [(2, "x.yaml, document 2"), (4, "x.yaml, document 4")]
    assert documents.read("a: 1", "x.yaml")[0].where == "x.yaml"
    with pytest.raises(SealingError, match="it is not a mapping"):
        documents.read("[1]", "x.yaml")


def test_a_document_goes_with_its_comments_and_leaves_the_others() -> None:
    text = "# file\n---\n# one\na: 1\n---\n# two\nb: 2\n---\n# three\nc: 3\n"
    assert documents.removed(text, 2) == "# file\n---\n# one\na: 1\n---\n# three\nc: 3\n"
    assert documents.removed(text, 3) == "# file\n---\n# one\na: 1\n---\n# two\nb: 2\n"
    assert [entry.obj for entry in documents.read(documents.removed(text, 1), "x")] == [{"b": 2}, {"c": 3}]
    assert documents.removed("# only\na: 1\n", 1) == ""


# -- properties -----------------------------------------------------------------------------------


@MANY
@given(MAPPINGS)
def test_what_is_dumped_is_read_again_by_us_and_by_yaml(obj: dict[str, t.Any]) -> None:
    text = documents.dump(obj)
    assert documents.read(text, "x")[0].obj == obj
    assert yaml.safe_load(text) == obj, "YAML 1.1 must see no dates, sexagesimal numbers or bools in our texts"
    assert documents.dump(json.loads(json.dumps(obj, sort_keys=True))) == text
    assert json.loads(emit.flow(obj)) == obj


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: t.Any) -> bool:
        return True


def styled(obj: t.Any, flow: bool | None, style: str | None, indent: int, width: int, start: bool) -> str:
    return yaml.dump(
        obj, Dumper=_Dumper, default_flow_style=flow, default_style=style, indent=indent, width=width,
        explicit_start=start, allow_unicode=True, sort_keys=False,
    )  # fmt: skip


PLACES = st.lists(
    st.tuples(st.lists(KEYS, min_size=1, max_size=3).map(tuple), st.one_of(VALUES, st.just(REMOVE))), max_size=4
)


@MANY
@given(
    MAPPINGS, MAPPINGS, PLACES, st.data(), st.sampled_from([None, False, True]), st.sampled_from([None, "'", '"', "|"]),
    st.integers(2, 5), st.sampled_from([20, 80, 10**6]), st.booleans(),
)  # fmt: skip
def test_an_edit_gives_what_was_wanted_or_says_that_it_cannot(
    first: dict[str, t.Any], second: dict[str, t.Any], changes: list[t.Any], data: t.Any,
    flow: bool | None, style: str | None, indent: int, width: int, crlf: bool,
) -> None:  # fmt: skip
    text = styled(first, flow, style, indent, width, True) + styled(second, flow, style, indent, width, True)
    if crlf and style != "|":
        text = text.replace("\n", "\r\n")
    before = documents.read(text, "x")
    number = data.draw(st.sampled_from([1, 2]))
    known = [(key,) for key in before[number - 1].obj]
    known += [
        (key, inner) for key, value in before[number - 1].obj.items() if isinstance(value, dict) for inner in value
    ]
    changes = changes + data.draw(
        st.lists(st.tuples(st.sampled_from(known), st.one_of(VALUES, st.just(REMOVE))), max_size=4)
    )
    try:
        wanted = documents.changed(before[number - 1].obj, changes)
    except SealingError:
        return  # a path through something that is no mapping
    told = documents.edited(text, number, changes)
    after = [entry.obj for entry in documents.read(told, "x")]
    expected = [wanted if entry.number == number else entry.obj for entry in before]
    assert json.dumps(after, sort_keys=True) == json.dumps(expected, sort_keys=True)


COMMENT = st.sampled_from(["", "  # why", " # secret: 'x'"])


@MANY
@given(
    st.dictionaries(
        st.from_regex(r"\A[a-z][a-z0-9.]{0,8}\Z"),
        st.tuples(
            st.sampled_from(["AgB+/=", "'AgB'", '"AgB"', ">-\n    AgB\n    C", "|\n    AgB\n\n"]), COMMENT
        ), min_size=1, max_size=6,
    ),
    st.data(),
)  # fmt: skip
def test_untouched_lines_stay_byte_for_byte(items: dict[str, tuple[str, str]], data: t.Any) -> None:
    entries = {}
    for key, (value, comment) in items.items():
        head, _, rest = value.partition("\n")
        entries[key] = f"  # about {key}\n  {key}: {head}{comment}\n" + (rest + "\n" if rest else "")
    text = "# head\nkind: X # kind\nitems:\n" + "".join(entries.values()) + "\n# tail\nlast: [1,  2]\n"
    touched = data.draw(st.sets(st.sampled_from(sorted(items))))
    actions = {key: data.draw(st.sampled_from(["AgNEW", "a: 'b'", REMOVE])) for key in sorted(touched)}
    after = documents.edited(text, 1, [(("items", key), value) for key, value in actions.items()])
    assert after.startswith("# head\nkind: X # kind\nitems:")
    assert after.endswith("\n# tail\nlast: [1,  2]\n")
    for key in items:
        if key not in touched:
            assert entries[key].rstrip("\n") in after
        assert f"  # about {key}\n" in after or not any(value is not REMOVE for value in actions.values())
        if actions.get(key) not in (None, REMOVE):
            assert items[key][1] in next(line for line in after.split("\n") if line.startswith(f"  {key}:"))
    read = one(after)["items"]
    assert read == documents.changed(one(text), [(("items", key), value) for key, value in actions.items()])["items"]


# -- files ----------------------------------------------------------------------------------------


def test_write_keeps_permissions_and_links_and_leaves_no_other_file(tmp_path: Path) -> None:
    path, link = tmp_path / "a.yaml", tmp_path / "link.yaml"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    documents.write(link, "new\r\n")
    assert path.read_bytes() == b"new\r\n" and path.stat().st_mode & 0o777 == 0o640 and link.is_symlink()
    documents.write(path, "x", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    assert documents.load(path) == "x"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.yaml", "link.yaml"]


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SealingError, match=r"missing/a\.yaml: No such file or directory"):
        documents.write(tmp_path / "missing" / "a.yaml", "x")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, cause in (("binary", "not UTF-8"), ("none", "No such file"), (".", "Is a directory")):
        with pytest.raises(SealingError, match=cause):
            documents.load(tmp_path / name)
    (tmp_path / "directory").mkdir()
    with pytest.raises(SealingError, match="directory"):
        documents.write(tmp_path / "directory", "x")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["binary", "directory"]


def test_many_files_are_replaced_only_when_all_can_be(tmp_path: Path) -> None:
    files = [(tmp_path / f"{number}.yaml", f"new {number}") for number in range(40)]
    for path, _text in files[:20]:
        path.write_text("old")
    (tmp_path / "30.yaml").mkdir()
    with pytest.raises(SealingError, match=r"30\.yaml: Is a directory"):
        documents.write_all([files[30]])
    with pytest.raises(SealingError, match=r"none/x\.yaml: No such file"):
        documents.write_all([*files[:30], (tmp_path / "none" / "x.yaml", "x")])
    assert {path.read_text() for path, _text in files[:20]} == {"old"}
    assert len(list(tmp_path.iterdir())) == 21, "temporary files stayed"
    documents.write_all(files[:30])
    assert [path.read_text() for path, _text in files[:30]] == [text for _path, text in files[:30]]


def test_what_a_killed_run_left_goes_in_time(tmp_path: Path) -> None:
    old, young, other = (
        tmp_path / name for name in (".a.yaml.0123456789ab.tmp", ".a.yaml.ba9876543210.tmp", ".b.yaml.0123456789ab.tmp")
    )
    for path in (old, young, other):
        path.write_text("half")
    for path in (old, other):
        os.utime(path, (1, 1))
    documents.write(tmp_path / "a.yaml", "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.yaml", young.name, other.name])


WRITER = """
import sys
from pathlib import Path
from ansible_collections.enclii.platform.plugins.module_utils.sealing import documents
path, texts = Path(sys.argv[1]), ["a" * 300_000 + "\\n", "b" * 500_000 + "\\n"]
number = 0
print("ready", flush=True)
while True:
    documents.write(path, texts[number % 2])
    number += 1
"""


def test_a_killed_write_leaves_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    whole = {"a" * 300_000 + "\n", "b" * 500_000 + "\n"}
    path.write_text("a" * 300_000 + "\n")
    chance = random.Random()
    seen, left_over = set(), 0
    for _ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / ".collections")},
        )  # fmt: skip
        assert child.stdout and child.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.0, 0.05))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        content = path.read_text()
        assert content in whole, f"{len(content)} bytes, neither old nor new"
        seen.add(content[0])
        left_over += len(list(tmp_path.iterdir())) > 1
    assert seen, "nothing was read"
