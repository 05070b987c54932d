# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of a play its tags ask for: private to the collection, no Ansible inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any


def asked(tags: Collection[str], run: Collection[str], skip: Collection[str]) -> bool:
    """Whether Ansible would run a task with these tags (at least one) under --tags run and --skip-tags skip.

    The special tags mean what they mean to Ansible: all, tagged, untagged, always, never.
    """
    own, run, skip = set(tags), set(run), set(skip)
    wanted = (
        "always" in own
        or ("all" in run and "never" not in own)
        or not own.isdisjoint(run)
        or ("tagged" in run and "never" not in own)
    )
    if "all" in skip:
        return wanted and "always" in own and "always" not in skip
    return wanted and own.isdisjoint(skip) and "tagged" not in skip


def components_asked(
    components: Sequence[Mapping[str, Any]], run: Collection[str], skip: Collection[str]
) -> list[Mapping[str, Any]]:
    """The components that --tags run and --skip-tags skip ask for: their tags are their name and "platform".

    A run that asks for none of them, and comes here all the same, has a tag that somebody put around the whole play.
    """
    tags = [(one["name"], "platform") for one in components]
    run = run if any(asked(one, run, ()) for one in tags) else ("all",)
    return [one for one, own in zip(components, tags, strict=True) if asked(own, run, skip)]
