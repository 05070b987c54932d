# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and the services that read them."""

from __future__ import annotations

import errno
import os
import time
import typing as t
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ansible_collections.enclii.platform.plugins.module_utils.node import config

LINES = st.lists(st.text(st.characters(categories=["L", "N", "Zs"], include_characters="#."), max_size=12), max_size=6)


@given(LINES, LINES.filter(any))
def test_a_block_is_found_again_and_leaves_without_trace(others: list[str], block: list[str]) -> None:
    text = "".join(f"{line}\n" for line in others)
    once = config.with_block(text, "\n".join(block))
    assert config.with_block(once, "\n".join(block)) == once
    assert config.with_block(once, "") == text
    assert once.startswith(text)


def test_a_block_is_replaced_where_it_stands() -> None:
    text = config.with_block("127.0.0.1 localhost\n", "192.0.2.1 api") + "192.0.2.9 mine\n"
    assert config.with_block(text, "192.0.2.2 api").splitlines() == [
        "127.0.0.1 localhost",
        "# BEGIN enclii.platform kubernetes",
        "192.0.2.2 api",
        "# END enclii.platform kubernetes",
        "192.0.2.9 mine",
    ]


def item(path: Path, content: str = "x\n", mode: int = 0o644, block: bool = False) -> dict[str, t.Any]:
    return {"path": str(path), "content": content, "mode": mode, "block": block}


def test_writing_makes_what_was_planned_and_then_nothing_differs(tmp_path: Path) -> None:
    files = [item(tmp_path / "a" / "b.conf", "one\n", 0o600), item(tmp_path / "hosts", "192.0.2.1 api", block=True)]
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    (tmp_path / "hosts").chmod(0o640)
    changes = config.plan(files)
    assert [change.changed for change in changes] == [True, True]
    for change in changes:
        config.write(change)
    assert (tmp_path / "a" / "b.conf").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "hosts").stat().st_mode & 0o777 == 0o640
    assert not any(change.changed for change in config.plan(files))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b.conf", "hosts"]


def test_other_permissions_are_a_change(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x\n")
    (tmp_path / "f").chmod(0o666)
    (change,) = config.plan([item(tmp_path / "f")])
    assert change.changed
    assert change.before == change.after


def test_absent_removes_files_and_only_our_block(tmp_path: Path) -> None:
    files = [item(tmp_path / "f"), item(tmp_path / "hosts", "192.0.2.1 api", block=True), item(tmp_path / "never")]
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    for change in config.plan(files[:2]):
        config.write(change)
    gone = [change for change in config.plan(files, present=False) if change.changed]
    assert [change.path.name for change in gone] == ["f", "hosts"]
    for change in gone:
        config.write(change)
    assert (tmp_path / "hosts").read_text() == "127.0.0.1 localhost\n"
    assert not (tmp_path / "f").exists()


def test_a_file_that_is_a_mount_is_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "hosts"
    target.write_text("old\n")
    inode = target.stat().st_ino

    def busy(_self: Path, _target: Path) -> t.NoReturn:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(Path, "replace", busy)
    config.write(config.Change(target, "old\n", "new\n", 0o644, 0o644))
    assert (target.read_text(), target.stat().st_ino) == ("new\n", inode)
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


@pytest.mark.parametrize("make", ["directory", "binary"])
def test_errors_name_the_file(tmp_path: Path, make: str) -> None:
    path = tmp_path / "f"
    if make == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(config.ConfigError, match=f"{path} cannot be read"):
        config.plan([item(path)])


SHOWN = """Id=containerd.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no
ExecMainStartTimestampMonotonic={start}

Id=kubelet.service
LoadState=not-found
ActiveState=inactive
UnitFileState=
NeedDaemonReload=no
ExecMainStartTimestampMonotonic=0
"""


def shown(start: int) -> config.Run:
    return lambda argv: (0, SHOWN.format(start=start), "") if argv[:2] == ["systemctl", "show"] else (1, "", "?")


def test_units_are_read_in_one_call() -> None:
    found = config.units(["containerd", "kubelet"], shown(5_000_000))
    assert (found["containerd"].active, found["containerd"].enabled) == (True, True)
    assert (found["kubelet"].loaded, found["kubelet"].active, found["kubelet"].started) == (False, False, 0.0)


def test_a_service_older_than_its_file_is_stale(tmp_path: Path) -> None:
    started_now = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
    unit = config.units(["containerd", "kubelet"], shown(started_now))["containerd"]
    file = tmp_path / "config.toml"
    file.write_text("")
    for offset, stale in ((-60, False), (60, True)):
        os.utime(file, (time.time() + offset, time.time() + offset))
        assert config.stale(unit, [str(file), str(tmp_path / "missing")]) is stale


def test_systemctl_that_fails_is_an_error() -> None:
    with pytest.raises(config.ConfigError, match="systemctl show containerd: no bus"):
        config.units(["containerd"], lambda _argv: (1, "", "no bus\n"))
    assert config.units([], lambda _argv: (1, "", "never asked")) == {}
