# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: docs/access.md names every power with its meaning, and its examples can be read."""

from __future__ import annotations

import re
import typing as t

import yaml

import house
from ansible_collections.enclii.platform.plugins.module_utils.access import declared
from ansible_collections.enclii.platform.plugins.module_utils.access.powers import POWERS

PAGE = (house.ROOT / "docs" / "access.md").read_text(encoding="utf-8")


def test_every_power_is_in_the_docs() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(power.name, power.meaning) for power in POWERS.values()]


def test_examples_can_be_read() -> None:
    examples: list[t.Any] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    components = [
        {"name": "storage", "namespace": "enclii-nodes", "access": examples[0]["access"]},
        *examples[-1][0]["enclii.platform.access_info"]["components"],
    ]
    assert len(declared.read(components)) == 2
