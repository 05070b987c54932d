# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""enclii.platform.databases: compares on the controller, and asks the leader's pod over the task's connection."""

from __future__ import annotations

import os
import shlex
import typing as t
from datetime import UTC, datetime

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

front = load("postgres.front")
errors = load("kube.errors")
kube_front = load("kube.front")

Result = dict[str, t.Any]


class ActionModule(ActionBase):  # type: ignore[misc]
    """One exec where nothing differs. What holds a verifier goes through stdin, never into an argument or a file."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        checked = ArgumentSpecValidator(front.DATABASES).validate(dict(self._task.args))
        if checked.error_messages:
            return {**result, "failed": True, "changed": False, "msg": str(checked.errors.msg)}
        environ = dict(os.environ)
        task_environment: dict[str, str] = {}
        self._compute_environment_string(task_environment)
        environ.update(task_environment)
        params = checked.validated_parameters

        def ask(word: str, given: str) -> tuple[int, str, str]:
            # not _low_level_execute_command, which shows all output in a debug log: the answer has verifiers
            command = shlex.join(
                ["env", *(f"{key}={text}" for key, text in sorted(task_environment.items())), params["program"], word]
            )
            try:
                code, out, err = self._connection.exec_command(command, in_data=given.encode(), sudoable=False)
            except AnsibleError as error:
                return 255, "", str(error)
            return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

        try:
            done = front.databases(
                params, environ, ask, os.urandom, datetime.now(UTC), check=self._task.check_mode, diff=self._task.diff
            )
        except (errors.KubeError, errors.ApiError) as error:
            return {**result, "failed": True, "changed": getattr(error, "changed", False), **kube_front.failure(error)}
        return {**result, **done}
