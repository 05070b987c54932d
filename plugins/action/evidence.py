# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""enclii.platform.evidence inside the controller; see plugin_utils/in_process.py."""

from __future__ import annotations

import typing as t

from ansible_collections.enclii.platform.plugins.plugin_utils.in_process import InProcess, Result
from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

front = load("evidence.front")


class ActionModule(InProcess):
    """Same arguments, same library function as the module."""

    spec = front.EVIDENCE

    def work(self, params: dict[str, t.Any], environ: dict[str, str]) -> Result:
        return t.cast("Result", front.evidence(params, environ, check=self._task.check_mode))
