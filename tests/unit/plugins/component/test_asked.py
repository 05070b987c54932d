# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags: what one task does for all components agrees with what Ansible would run for each of them."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.component.asked import asked, components_asked

TAGS = st.sets(
    st.sampled_from(["all", "tagged", "untagged", "always", "never", "platform", "storage", "loki"]), max_size=4
)
COMPONENTS = [{"name": "storage"}, {"name": "cert_manager"}, {"name": "loki"}]


@given(own=TAGS.filter(bool), run=TAGS.filter(bool), skip=TAGS)
def test_says_what_ansible_says(own: set[str], run: set[str], skip: set[str]) -> None:
    task = Task()
    task.tags = sorted(own)
    task._get_all_taggable_objects = lambda: [task]  # a task without a play
    task._loader = DataLoader()
    assert asked(own, run, skip) == task.evaluate_tags(run, skip, {})


@pytest.mark.parametrize(
    ("run", "skip", "expected"),
    [
        (["all"], [], ["storage", "cert_manager", "loki"]),
        (["platform"], [], ["storage", "cert_manager", "loki"]),
        (["loki", "storage"], [], ["storage", "loki"]),
        (["all"], ["cert_manager"], ["storage", "loki"]),
        (["storage"], ["storage"], []),
        # a tag that somebody put around the play
        (["nightly"], [], ["storage", "cert_manager", "loki"]),
        (["nightly"], ["loki"], ["storage", "cert_manager"]),
    ],
)
def test_components(run: list[str], skip: list[str], expected: list[str]) -> None:
    assert [one["name"] for one in components_asked(COMPONENTS, run, skip)] == expected
