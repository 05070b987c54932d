# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole trees sealed anew: nothing else changes, by either way, wherever it is killed. The real controller: tests/integration/sealing."""

from __future__ import annotations

import dataclasses
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
import sealing
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.sealing import (
    controller,
    keyring,
    objects,
    rekey,
    trees,
)
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

OLD, NEW, FOREIGN = sealing.SealingKey(), sealing.SealingKey(), sealing.SealingKey()
KEYS = keyring.read(OLD.private_pem, "old.pem")
CANARY = sealing.CANARY
FULL = """\
# Who to ask: the shop's team
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: beside, namespace: demo}}   # not ours
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  annotations:   # of the SealedSecret itself
    argocd.argoproj.io/sync-wave: "-1"
    sealedsecrets.bitnami.com/namespace-wide: "true"
    enclii.dev/sealed-digest: '{{"password":"old","user":"old"}}'
  labels:
    app: 'shop'
  name: "login"
  namespace: demo
spec:
  template:
    type: kubernetes.io/basic-auth
    immutable: true
    metadata:
      labels: {{tier: back}}
      annotations:
        sealedsecrets.bitnami.com/namespace-wide: "true"
        note: |
          two
          lines
    data:
      url: "https://{{{{ .user }}}}:{{{{ .password }}}}@shop/"
  encryptedData:
    # renewed every spring
    user: {user}
    password: >-
      {password}

    "tls.key": '{key}'   # the last one
# the end
"""


def full(key: sealing.SealingKey = OLD) -> str:
    items = key.seal({"user": "app", "password": CANARY, "tls.key": bytes(range(256))}, scope="namespace-wide")
    values = items["spec"]["encryptedData"]
    return FULL.format(user=values["user"], password=values["password"], key=values["tls.key"])


def write(tmp_path: Path, files: t.Mapping[str, str]) -> list[Path]:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return trees.walk([tmp_path])


def options(**given: t.Any) -> rekey.Options:
    return rekey.Options(**{"target": NEW.certificate, "keys": KEYS, **given})


def run(tmp_path: Path, given: rekey.Options) -> rekey.Report:
    paths = trees.walk([tmp_path])
    before = {path: path.read_bytes() for path in paths}
    report = rekey.Rekeyer(given, rekey.places_of(paths)).run(paths, tmp_path / "journal")
    told = json.dumps([one.as_dict() for one in report.outcomes] + report.failed)
    assert CANARY not in told
    assert not (tmp_path / "journal").exists()
    assert [path.name for path in tmp_path.rglob("*.tmp")] == []
    changed = {path for path in paths if path.read_bytes() != before[path]}
    if not given.check:
        assert len(changed) == report.written
        assert changed == {Path(one.file) for one in report.outcomes if one.changed}
    else:
        assert changed == set()
    return report


def sealed_in(path: Path) -> list[dict[str, t.Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one["kind"] == "SealedSecret"]


@pytest.fixture
def server() -> t.Iterator[sealing.StandIn]:
    with sealing.StandIn(OLD, NEW) as running:
        yield running


def by_rotate(server: sealing.StandIn, **given: t.Any) -> rekey.Options:
    clock = sealing.FakeClock()
    asked = controller.discover(sealing.client_for(server.url, clock), clock)
    return options(keys=(), controller=asked, version=asked.version(), **given)


@pytest.mark.parametrize("way", ["local", "rotate"])
def test_nothing_but_the_sealed_values_and_our_annotations_changes(
    tmp_path: Path, server: sealing.StandIn, way: str
) -> None:
    path = write(tmp_path, {"x.yaml": full()})[0]
    before, old = path.read_text(), sealed_in(path)[0]
    given = options() if way == "local" else by_rotate(server)
    report = run(tmp_path, given)
    assert report.counts() == {"current": 0, "rekeyed": 3, "failed": 0}
    new = sealed_in(path)[0]
    assert sealing.opened(new, NEW) == sealing.opened(old, OLD)
    assert json.loads(new["metadata"]["annotations"].pop(objects.SEALED_WITH)) == dict.fromkeys(
        ["user", "password", "tls.key"], NEW.key_id
    )
    # Bound to the old sealed values, and nobody gave its key.
    del old["metadata"]["annotations"][objects.SEALED_DIGEST]
    new["spec"]["encryptedData"] = old["spec"]["encryptedData"]
    assert new == old
    # Line by line: what is gone held a sealed value or the digest, what came holds one or the annotation.
    first, last = before.splitlines(), path.read_text().splitlines()
    values = ("  user: Ag", "  user: AQ", "password: ", "      A", "tls.key", "sealed-digest", "sealed-with")
    assert [line for line in first if line not in last and not any(part in line for part in values)] == []
    assert [line for line in last if line not in first and not any(part in line for part in values)] == []
    assert [line for line in last if "#" in line and "tls.key" not in line] == [
        line for line in first if "#" in line and "tls.key" not in line
    ]
    assert any(line.endswith("   # the last one") for line in last)
    # and again: nothing
    again = run(tmp_path, options(keys=KEYS) if way == "local" else given)
    assert again.counts() == {"current": 3, "rekeyed": 0, "failed": 0}
    assert again.written == 0


@pytest.mark.parametrize("way", ["local", "rotate"])
def test_check_mode_says_what_would_change_and_changes_nothing(
    tmp_path: Path, server: sealing.StandIn, way: str
) -> None:
    write(tmp_path, {"x.yaml": full(), "y.yaml": full(NEW)})
    given = options if way == "local" else lambda **more: by_rotate(server, **more)
    predicted = run(
        tmp_path,
        given(keys=[*KEYS, *keyring.read(NEW.private_pem, "n")], check=True) if way == "local" else given(check=True),
    )
    assert [one[0] for one in server.seen if one[0] == "rotate"] == []
    done = run(tmp_path, given(keys=[*KEYS, *keyring.read(NEW.private_pem, "n")]) if way == "local" else given())
    assert [one.as_dict() for one in predicted.outcomes] == [one.as_dict() for one in done.outcomes]
    assert done.outcomes[0].changed


def test_only_the_items_that_need_it_are_sealed_anew(tmp_path: Path, server: sealing.StandIn) -> None:
    mixed = OLD.seal({"a": "1", "b": "2"})
    mixed["spec"]["encryptedData"]["b"] = NEW.seal({"b": "2"})["spec"]["encryptedData"]["b"]
    mixed["metadata"]["annotations"][objects.SEALED_WITH] = json.dumps({"a": OLD.key_id, "b": NEW.key_id})
    path = write(tmp_path, {"x.yaml": yaml.safe_dump(mixed)})[0]
    report = run(tmp_path, by_rotate(server))
    assert report.outcomes[0].items == {"a": "rekeyed", "b": "current"}
    assert [sorted(body["spec"]["encryptedData"]) for what, body in server.seen if what == "rotate"] == [["a"]]
    new = sealed_in(path)[0]
    assert new["spec"]["encryptedData"]["b"] == mixed["spec"]["encryptedData"]["b"]
    assert sealing.opened(new, NEW) == {"a": b"1", "b": b"2"}


def test_an_annotation_that_lies_is_found_out_by_keys(tmp_path: Path) -> None:
    lying = OLD.seal({"a": "1"})
    lying["metadata"]["annotations"][objects.SEALED_WITH] = json.dumps({"a": NEW.key_id})
    path = write(tmp_path, {"x.yaml": yaml.safe_dump(lying)})[0]
    assert run(tmp_path, options()).counts()["rekeyed"] == 1
    assert sealing.opened(sealed_in(path)[0], NEW) == {"a": b"1"}


def test_an_annotation_that_is_missing_is_made(tmp_path: Path) -> None:
    path = write(tmp_path, {"x.yaml": yaml.safe_dump(NEW.seal({"a": "1"}, annotated=False))})[0]
    value = sealed_in(path)[0]["spec"]["encryptedData"]["a"]
    report = run(tmp_path, options(keys=keyring.read(NEW.private_pem, "new")))
    assert (report.counts()["current"], report.written) == (1, 1)
    new = sealed_in(path)[0]
    assert new["spec"]["encryptedData"]["a"] == value
    assert json.loads(new["metadata"]["annotations"][objects.SEALED_WITH]) == {"a": NEW.key_id}


def test_force_has_the_controller_seal_all_of_it(tmp_path: Path, server: sealing.StandIn) -> None:
    write(tmp_path, {"x.yaml": yaml.safe_dump(NEW.seal({"a": "1"}))})
    assert run(tmp_path, by_rotate(server)).counts()["current"] == 1
    assert run(tmp_path, by_rotate(server, force=True)).counts()["rekeyed"] == 1


def test_a_forced_run_that_was_stopped_goes_on_where_it_ended(tmp_path: Path, server: sealing.StandIn) -> None:
    """There only the journal knows what was done: the annotation is not believed."""
    paths = write(tmp_path, {f"{name}.yaml": yaml.safe_dump(OLD.seal({"a": name}, name)) for name in "abcd"})
    with pytest.raises(SealingError, match="HTTP 418"):
        server.faults = [0, 0, 418]
        rekey.Rekeyer(by_rotate(server, force=True)).run(paths, tmp_path / "journal")
    done = {path: path.read_bytes() for path in paths[:2]}
    report = rekey.Rekeyer(by_rotate(server, force=True)).run(paths, tmp_path / "journal")
    assert (report.resumed, report.written) == (2, 2)
    assert {path: path.read_bytes() for path in paths[:2]} == done
    assert all(sealing.opened(sealed_in(path)[0], NEW) for path in paths)
    # The journal is gone, and with it what was done: now all is sealed anew.
    assert rekey.Rekeyer(by_rotate(server, force=True)).run(paths, tmp_path / "journal").written == 4


def test_digests_are_made_anew_where_their_key_is_given(tmp_path: Path) -> None:
    path = write(tmp_path, {"x.yaml": full()})[0]
    calls = []

    def digester(*given: t.Any) -> str:
        calls.append(given)
        return "made-of-" + given[3]

    run(tmp_path, options(digester=digester))
    new = sealed_in(path)[0]
    digests = json.loads(new["metadata"]["annotations"][objects.SEALED_DIGEST])
    assert digests == {item: f"made-of-{item}" for item in ("user", "password", "tls.key")}
    assert (
        "demo",
        "login",
        "namespace-wide",
        "password",
        new["spec"]["encryptedData"]["password"],
        CANARY.encode(),
    ) in calls


def test_what_cannot_be_opened_stays_whole_and_is_explained(tmp_path: Path) -> None:
    half = OLD.seal({"good": "1", "lost": "2"}, "half")
    half["spec"]["encryptedData"]["lost"] = FOREIGN.seal({"lost": CANARY}, "half")["spec"]["encryptedData"]["lost"]
    moved = {**OLD.seal({"a": CANARY}, "login", "demo"), "metadata": {"name": "login", "namespace": "shop"}}
    broken = OLD.seal({"a": "1"}, "broken")
    broken["spec"]["encryptedData"]["a"] = CANARY
    files = {
        "half.yaml": yaml.safe_dump(half),
        "two.yaml": yaml.safe_dump_all([moved, OLD.seal({"a": "1"}, "fine", "demo")]),
        "broken.yaml": yaml.safe_dump(broken),
        "list.yaml": yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [half]}),
        "torn.yaml": f"kind: SealedSecret\nspec: [{CANARY}",
        "login.yaml": yaml.safe_dump(OLD.seal({"a": "1"}, "login", "demo")),
    }
    write(tmp_path, files)
    report = run(tmp_path, options())
    told = {error["object"].rpartition("/")[2]: error["cause"] for error in report.failed}
    assert told["half, item lost"] == "it was sealed for none of the 1 given keys"
    assert "namespace demo, name login, scope strict" in told["login, item a"]
    assert told["broken, item a"] == "it is not base64"
    assert "it is a List" in told["list.yaml"]
    assert "it is not YAML" in told["torn.yaml"]
    assert [(tmp_path / name).read_text() == text for name, text in files.items()] == [
        True,
        False,
        True,
        True,
        True,
        False,
    ]
    second = sealed_in(tmp_path / "two.yaml")[1]
    assert sealing.opened(second, NEW) == {"a": b"1"}


@pytest.mark.parametrize("fault", ["widen", "rename", "lose", "garbage", 413, 403])
def test_a_controller_that_does_not_do_what_it_should_changes_nothing(
    tmp_path: Path, server: sealing.StandIn, fault: int | str
) -> None:
    path = write(tmp_path, {"x.yaml": full()})[0]
    before = path.read_text()
    server.faults = [fault]
    with pytest.raises(SealingError):
        rekey.Rekeyer(by_rotate(server)).run([path], tmp_path / "journal")
    assert path.read_text() == before


def test_one_that_the_controller_cannot_open_keeps_no_other_from_being_done(
    tmp_path: Path, server: sealing.StandIn
) -> None:
    write(tmp_path, {"a.yaml": yaml.safe_dump(FOREIGN.seal({"a": "1"})), "b.yaml": full()})
    report = run(tmp_path, by_rotate(server))
    assert report.counts() == {"current": 0, "rekeyed": 3, "failed": 1}
    assert "could not unseal" in report.failed[0]["cause"]


def test_a_key_that_is_renewed_meanwhile_stops_it(tmp_path: Path, server: sealing.StandIn) -> None:
    path = write(tmp_path, {"x.yaml": full()})[0]
    given = by_rotate(server)
    server.keys.append(FOREIGN)
    with pytest.raises(SealingError, match="made a new key meanwhile"):
        rekey.Rekeyer(given).run([path], tmp_path / "journal")
    assert "sealed-with" not in path.read_text()


@pytest.mark.parametrize("version", ["", "0.35.0", "0.38.2", "0.39.1"])
def test_a_controller_whose_rotate_is_faulty_is_refused_and_keys_are_not(
    tmp_path: Path, server: sealing.StandIn, version: str
) -> None:
    given = dataclasses.replace(by_rotate(server), version=version)
    with pytest.raises(SealingError, match="private keys"):
        rekey.Rekeyer(given)
    write(tmp_path, {"x.yaml": full()})
    assert run(tmp_path, dataclasses.replace(given, keys=KEYS)).counts()["rekeyed"] == 3
    with pytest.raises(SealingError, match="neither private keys nor a controller"):
        rekey.Rekeyer(options(keys=()))


def test_a_file_that_somebody_else_changes_meanwhile_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, {"x.yaml": full()})[0]
    intend = rekey.Journal.intend

    def meddle(self: rekey.Journal, intents: t.Any) -> None:
        intend(self, intents)
        path.write_text("kind: Other\n")

    monkeypatch.setattr(rekey.Journal, "intend", meddle)
    with pytest.raises(SealingError, match="somebody else changed it"):
        rekey.Rekeyer(options()).run([path], tmp_path / "journal")
    assert path.read_text() == "kind: Other\n"


# -- killed and resumed -----------------------------------------------------------------------------


def many(tmp_path: Path, count: int) -> dict[str, bytes]:
    files = {}
    for number in range(count):
        obj = OLD.seal({"a": str(number), "b": CANARY}, f"n{number}", annotated=False)
        files[f"{number % 3}/{number}.yaml"] = f"# {number}\n" + yaml.safe_dump(obj)
    write(tmp_path, files)
    return {str(tmp_path / name): text.encode() for name, text in files.items()}


def judge(old: dict[str, bytes], seen: dict[str, bytes]) -> None:
    """Each file is as it was, or new and whole; and what was new before is what it was then."""
    for name, before in old.items():
        now = Path(name).read_bytes()
        if now == before:
            assert name not in seen
            continue
        assert seen.setdefault(name, now) == now, "touched twice"
        assert sealing.opened(yaml.safe_load(now), NEW) == sealing.opened(yaml.safe_load(before), OLD)
        assert now.startswith(before.split(b"\n")[0])


@pytest.mark.parametrize("place", range(38))
def test_killed_at_every_step_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Every sync of a file, every rename and every write to the journal is a place to die, before it or after it."""
    old = many(tmp_path, 5)
    monkeypatch.setattr(rekey, "CHUNK", 2)
    steps = iter(range(1000))

    def deadly(work: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def step(*given: t.Any, **more: t.Any) -> t.Any:
            if next(steps) == place:
                os._exit(9)
            result = work(*given, **more)
            if next(steps) == place:
                os._exit(9)
            return result

        return step

    child = os.fork()
    if not child:
        try:
            os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)
            rekey.Journal.finish = deadly(rekey.Journal.finish)  # type: ignore[method-assign]
            rekey.Rekeyer(options()).run(trees.walk([tmp_path]), tmp_path / "journal")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    seen: dict[str, bytes] = {}
    judge(old, seen)
    if (tmp_path / "journal").exists():
        assert CANARY.encode() not in (tmp_path / "journal").read_bytes()
    done = len(seen)
    report = rekey.Rekeyer(options()).run(trees.walk([tmp_path]), tmp_path / "journal")
    judge(old, seen)
    assert len(seen) == len(old)
    assert report.written == len(old) - done
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".yaml"] == []


PROGRAM = """
import pickle, sys
from pathlib import Path
from ansible_collections.enclii.platform.plugins.module_utils.sealing import certificate, keyring, rekey, trees
root, keys = Path(sys.argv[1]), Path(sys.argv[2])
rekey.CHUNK = 4
target = certificate.load((keys / "new.pem").read_bytes(), "new")
given = rekey.Options(target, keyring.read((keys / "old.key").read_bytes(), "old"))
print("begun", flush=True)
rekey.Rekeyer(given).run(trees.walk([root]), root / "journal")
"""


@pytest.mark.parametrize("seed", range(2))
def test_killed_by_the_system_at_random_and_resumed(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    tree, keys = tmp_path / "tree", tmp_path / "keys"
    tree.mkdir()
    keys.mkdir()
    (keys / "new.pem").write_bytes(NEW.pem)
    (keys / "old.key").write_bytes(OLD.private_pem)
    old = many(tree, 40)
    seen: dict[str, bytes] = {}
    kills = 0
    for attempt in range(200):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tree), str(keys)], env={"PYTHONPATH": ":".join(sys.path)},
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout
        process.stdout.readline()
        try:
            process.wait(timeout=chance.uniform(0, 0.06 + attempt * 0.01))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        judge(old, seen)
        if process.returncode == 0:
            break
    assert process.returncode == 0
    assert kills > 0
    assert len(seen) == len(old)
    assert [path.name for path in tree.rglob("*") if path.is_file() and path.suffix != ".yaml"] == []


def test_a_thousand_items_in_reasonable_time(tmp_path: Path) -> None:
    many(tmp_path, 200)
    began = time.monotonic()
    report = run(tmp_path, options())
    assert report.counts()["rekeyed"] == 400
    assert time.monotonic() - began < 30
