# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All examples against the real API server: accepted, refused by the rule they are there for and no other, observed with the same words."""

from __future__ import annotations

import re
import typing as t

import admission
import pytest

import house

ACCEPTED = admission.examples("accepted")
REFUSED = admission.examples("refused")
# liveness and readiness are two rules of one kind; every other refusal names one rule alone
RULE = re.compile(r"\[([a-z-]+)\]")


def space(walls: t.Any, example: admission.Example, mode: str) -> str:
    if example.rule != "node-account":
        return str(walls.spaces[mode])
    return str(walls.spaces["nodes"]) if mode == "enforce" else str(walls.space("observe", "nodes"))


@pytest.mark.parametrize("example", ACCEPTED, ids=str)
@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_accepted(walls: t.Any, example: admission.Example, mode: str) -> None:
    answer = walls.admin.create(example.body, space(walls, example, mode))
    assert answer.ok, answer.message
    assert answer.warnings == ()


@pytest.mark.parametrize("example", REFUSED, ids=str)
def test_refused(walls: t.Any, example: admission.Example) -> None:
    answer = walls.admin.create(example.body, space(walls, example, "enforce"))
    assert not answer.ok, "it was accepted"
    assert set(RULE.findall(answer.message)) == {example.rule}, answer.message
    # the object by kind and name, and what to do about it after the semicolon or colon
    assert f"{example.body['kind']} {example.body['metadata']['name']}: [{example.rule}]" in answer.message
    assert "example-of-a" not in answer.message


@pytest.mark.parametrize("example", REFUSED, ids=str)
def test_observed(walls: t.Any, example: admission.Example) -> None:
    """Where is only observed, the same words are a warning, and an entry of the audit log."""
    refused = walls.admin.create(example.body, space(walls, example, "enforce")).message.split(" denied request: ")[1]
    namespace = space(walls, example, "observe")
    answer = walls.admin.create(example.body, namespace)
    assert answer.ok, answer.message
    assert len(answer.warnings) == 1
    told = answer.warnings[0].replace('\\"', '"').replace(namespace, "NS")
    assert refused.replace(str(walls.spaces["enforce"]), "NS").replace("enclii-nodes", "NS") in told
    entries = [one for one in walls.audited(namespace) if "annotations" in one]
    assert any(f"[{example.rule}]" in str(one["annotations"]) for one in entries)


@pytest.mark.parametrize("example", [*ACCEPTED, *REFUSED], ids=str)
def test_nothing_happens_without_the_label(walls: t.Any, example: admission.Example) -> None:
    answer = walls.admin.create(example.body, walls.spaces["free"])
    assert answer.ok, answer.message
    assert answer.warnings == ()


def test_no_value_was_quoted_anywhere(walls: t.Any) -> None:
    for example in REFUSED:
        walls.admin.create(example.body, space(walls, example, "enforce"))
    assert walls.audited("[secret-env]")
    assert walls.audited("example-of-a") == []


def test_the_table_in_the_documents_is_what_the_server_says(walls: t.Any) -> None:
    page = (house.ROOT / "docs" / "admission.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| `([^`]+)` \|$", page, re.MULTILINE))
    said: dict[str, list[str]] = {}
    for example in REFUSED:
        answer = walls.admin.create(example.body, space(walls, example, "enforce"))
        words = answer.message.split(" denied request: ")[1].replace(walls.spaces["enforce"], "enclii-dev")
        said.setdefault(example.rule, []).append(words)
    assert rows.keys() == said.keys()
    assert {rule: words for rule, words in rows.items() if words not in said[rule]} == {}
