# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal is gone on with after any tear, belongs to one run at a time, and is deleted by the run that comes to its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError
from ansible_collections.enclii.platform.plugins.module_utils.sealing.journal import Intent, Journal, digest

PURPOSE = {"target": "SHA256:x", "way": "local"}
INTENTS = [Intent(f"{number}.yaml", f"b{number}", digest(str(number).encode())) for number in range(6)]


def test_what_was_intended_is_known_to_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, PURPOSE) as journal:
        assert not journal.resumed
        journal.intend(INTENTS[:2])
        journal.intend(INTENTS[2:])
    with Journal(path, PURPOSE) as journal:
        assert journal.resumed
        assert list(journal.intents.values()) == INTENTS
        assert journal.done("3.yaml", b"3")
        assert not journal.done("3.yaml", b"4")
        assert not journal.done("7.yaml", b"7")
        journal.finish()
    assert not path.exists()


def test_a_journal_of_another_purpose_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, PURPOSE) as journal:
        journal.intend(INTENTS)
    with Journal(path, {**PURPOSE, "target": "SHA256:y"}) as journal:
        assert (journal.resumed, journal.intents) == (False, {})
    with Journal(path, PURPOSE) as journal:
        assert not journal.resumed


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_torn_anywhere_it_holds_what_came_before_and_takes_what_comes_after(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("torn") / "journal"
    with Journal(path, PURPOSE) as journal:
        journal.intend(INTENTS[:4])
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut] + data.draw(st.sampled_from([b"", b"\0\0\0", b'{"file": 3}'])))
    with Journal(path, PURPOSE) as journal:
        kept = list(journal.intents.values())
        assert kept == INTENTS[: len(kept)]
        complete = whole[:cut].count(b"\n") - 1
        assert len(kept) >= complete
        journal.intend(INTENTS[4:])
    with Journal(path, PURPOSE) as journal:
        assert list(journal.intents.values()) == kept + INTENTS[4:]


def test_two_runs_at_once_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    program = (
        "import sys; from pathlib import Path; "
        "from ansible_collections.enclii.platform.plugins.module_utils.sealing.journal import Journal; "
        "j = Journal(Path(sys.argv[1]), {}).__enter__(); print('locked', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert other.stdout
    assert other.stdout.readline() == b"locked\n"
    with pytest.raises(SealingError, match="another run is at work"):
        Journal(path, {}).__enter__()
    other.kill()
    other.communicate()
    with Journal(path, {}) as journal:
        assert journal.resumed


def test_it_is_for_its_owner_alone_and_follows_no_link(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", PURPOSE) as journal:
        journal.intend(INTENTS)
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SealingError, match="link"):
        Journal(tmp_path / "link", PURPOSE).__enter__()
    with pytest.raises(SealingError, match="No such file"):
        Journal(tmp_path / "none" / "journal", PURPOSE).__enter__()
