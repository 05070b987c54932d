# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""enclii.platform.sealing_keys inside the controller; see plugin_utils/in_process.py."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from ansible_collections.enclii.platform.plugins.plugin_utils.in_process import InProcess, Result
from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

front = load("kube.front")
keeping = load("sealing.keeping")


class ActionModule(InProcess):
    """Same arguments, same library function as the module; identity files come out of their vault."""

    spec = keeping.SEALING_KEYS

    def work(self, params: dict[str, t.Any], environ: dict[str, str]) -> Result:
        return t.cast(
            "Result",
            keeping.sealing_keys(params, environ, check=self._task.check_mode, diff=self._task.diff, read=self._read),
        )

    def _read(self, src: str) -> tuple[bytes, str]:
        """As read_source, and an identity comes out of its vault in memory alone: no temporary file that a kill would leave."""
        try:
            path = str(self._find_needle("files", src))
        except AnsibleError:
            return t.cast("tuple[bytes, str]", front.read_file(src))
        return self._loader.get_text_file_contents(path).encode(), path
