# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""enclii.platform.secret_values inside the controller, where there may be a person to ask; see plugin_utils/in_process.py."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.utils import display as console

from ansible_collections.enclii.platform.plugins.plugin_utils.in_process import InProcess, Result
from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

first = load("sealing.first")
errors = load("sealing.errors")

display = console.Display()


class ActionModule(InProcess):
    """Same arguments, same library function as the module, which cannot ask."""

    spec = first.SECRET_VALUES

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result = super().run(tmp, task_vars)
        # Values are for the next task: no callback sees this result, even where somebody forgets no_log. Errors hold none.
        return result if result.get("failed") else {**result, "_ansible_no_log": True}

    def work(self, params: dict[str, t.Any], environ: dict[str, str]) -> Result:
        return t.cast("Result", first.secret_values(params, environ, ask=_ask, check=self._task.check_mode))


def _ask(asked: t.Sequence[t.Any]) -> list[str]:
    """One answer for each, typed unseen. Raises SealingError where nobody is there, or nothing was typed."""
    answers = []
    for number, one in enumerate(asked, 1):
        about = f" ({one.about})" if one.about else ""
        try:
            typed = display.prompt_until(f"{number} of {len(asked)}: {one.subject}{about}", private=True)
        except AnsiblePromptNoninteractive:
            raise first.nobody_asked(asked) from None
        except AnsiblePromptInterrupt:
            raise errors.SealingError(one.subject, "it was not given", "Nothing was sealed", reason="given") from None
        if not typed:
            raise errors.SealingError(
                one.subject, "nothing was typed", "Nothing was sealed. Run this again", reason="given"
            )
        answers.append(typed.decode() if isinstance(typed, bytes) else typed)
    return answers
