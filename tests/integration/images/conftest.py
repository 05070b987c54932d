# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's images as the lab built them, and an S3 server as the lab runs it."""

from __future__ import annotations

import pathlib
import secrets
import subprocess
import typing as t

import objectstore
import pytest
from containers import Container, missing

from lab import s3, state


def running(target: str) -> t.Iterator[Container]:
    if reason := missing():
        pytest.skip(reason)
    container = Container(target)
    try:
        yield container.start()
    finally:
        container.stop()


@pytest.fixture(scope="module")
def patroni() -> t.Iterator[Container]:
    """The image of PostgreSQL, with nothing started in it."""
    yield from running("patroni")


@pytest.fixture(scope="module")
def toolbox() -> t.Iterator[Container]:
    yield from running("toolbox")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[state.Lab]:
    """A lab of which only the S3 server runs, on a loopback address of its own."""
    if reason := objectstore.missing():
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(state, "CLONE", tmp_path_factory.mktemp("lab"))
        lab = state.Lab("s3-test", subnet=f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}.0/24")
        s3.prepare(lab)
        settings = dict(line.split("=", 1) for line in (lab.s3 / "root.env").read_text().splitlines())
        argv = s3.command(str(objectstore.program()), str(lab.s3), lab.s3_address)
        with open(pathlib.Path(lab.directory, "log"), "wb") as log:
            process = subprocess.Popen(argv, env=settings, stdout=log, stderr=log)
        try:
            s3.furnish(lab)
            yield lab
        finally:
            process.kill()
            process.wait()
