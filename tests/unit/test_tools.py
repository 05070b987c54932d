# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own tools."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import house

sys.path.insert(0, str(house.ROOT / "tools"))

import spec_docs


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("V(a) and O(role_x=b), C(c)", "`a` and `role_x=b`, `c`"),
        ("L(the docs,https://x.y/z) U(https://x.y)", "[the docs](https://x.y/z) <https://x.y>"),
        ("B(bold) I(slant) M(a.b.c) E(HOME)", "**bold** *slant* `a.b.c` `HOME`"),
        (["one", "two\n  three"], "one two three"),
        ("a | b V(f\\(x\\))", "a \\| b `f(x)`"),
        ("UNESCO (ABC) stays", "UNESCO (ABC) stays"),
    ],
)
def test_markup_becomes_markdown(text: Any, wanted: str) -> None:
    assert spec_docs.markdown(text) == wanted


def test_rows_show_types_defaults_and_inner_options() -> None:
    options: dict[str, Any] = {
        "r_a": {"description": "A.", "required": True},
        "r_b": {"description": "B.", "type": "bool", "default": True},
        "r_c": {
            "description": "C.",
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"d": {"description": "D.", "choices": ["x", "y"], "default": "x"}},
        },
    }
    assert spec_docs.rows(options) == [
        "| `r_a` | str | **required** | A. |",
        "| `r_b` | bool | `true` | B. |",
        "| `r_c` | list of dict | `[]` | C. |",
        "| `r_c[].d` | str | `x` | D. One of `x`, `y`. |",
    ]


def test_attributes_are_lines() -> None:
    spec = {
        "attributes": {"check_mode": {"support": "full", "details": ["V(x) too."]}, "diff_mode": {"support": "none"}}
    }
    assert spec_docs.attributes(spec) == ["- **Check mode**: full. `x` too.", "- **Diff mode**: none.", ""]
    assert spec_docs.attributes({}) == []


def test_only_what_is_between_the_markers_changes() -> None:
    text = "above\n<!-- BEGIN X -->\nold\n<!-- END X -->\nbelow\n"
    assert spec_docs.replaced(text, "X", "new", "f") == "above\n<!-- BEGIN X -->\nnew\n<!-- END X -->\nbelow\n"
    with pytest.raises(SystemExit, match="f: needs the lines"):
        spec_docs.replaced("nothing", "X", "new", "f")


def test_check_refuses_a_check_it_does_not_have() -> None:
    run = subprocess.run(
        [sys.executable, "tools/check", "nonsense"], cwd=house.ROOT, check=False, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "no check named nonsense; there are: pytest," in run.stderr
