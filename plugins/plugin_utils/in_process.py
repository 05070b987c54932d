# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that run their module's library inside the controller where the task runs there anyway.

A local module task costs 0.3 s before it does anything (a zip, a process, imports); a play that checks a whole
platform has a dozen. Where the connection is not local, or become or async are asked for, the module runs as ever.
"""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

front = load("kube.front")
arguments = load("kube.arguments")
errors = load("kube.errors")
sealing_errors = load("sealing.errors")

Result = dict[str, t.Any]


class InProcess(ActionBase):  # type: ignore[misc]
    """spec: the module's argument_spec. work: the library function it runs."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = True

    spec: t.ClassVar[dict[str, dict[str, t.Any]]] = {}

    def work(self, params: dict[str, t.Any], environ: dict[str, str]) -> Result:
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        if not self._is_local():
            result.update(self._execute_module(module_args=args, task_vars=task_vars, wrap_async=self._task.async_val))
            return result
        checked = ArgumentSpecValidator(self.spec).validate(args)
        if checked.error_messages:
            return {**result, "failed": True, "changed": False, "msg": self._complaint(checked)}
        environ = dict(os.environ)
        task_environment: dict[str, str] = {}
        self._compute_environment_string(task_environment)
        environ.update(task_environment)
        try:
            result.update(self.work(checked.validated_parameters, environ))
        except (errors.KubeError, errors.ApiError) as error:
            result.update(failed=True, changed=front.did_change(error), **front.failure(error))
        except sealing_errors.SealingError as error:
            result.update(failed=True, changed=False, msg=str(error), error=error.as_dict())
        return result

    def _is_local(self) -> bool:
        connection = self._connection
        local = getattr(connection, "transport", None) == "local" or getattr(connection, "_load_name", "") == "local"
        return local and not self._task.async_val and not getattr(connection, "become", None)

    def _complaint(self, checked: ValidationResult) -> str:
        """The first error in the words AnsibleModule has for it."""
        message = str(checked.errors.msg)
        if isinstance(checked.errors[0], UnsupportedError):
            return f"Unsupported parameters for ({self._task.action}) module: {message}"
        return message

    def read_source(self, src: str) -> tuple[bytes, str]:
        """(content, path) of a file, looked up as ansible.builtin.copy does (files/ of the role first), out of its vault."""
        try:
            path = str(self._find_needle("files", src))
        except AnsibleError:
            return t.cast("tuple[bytes, str]", front.read_file(src))  # whose own error names file, cause and next step
        return front.read_file(str(self._loader.get_real_file(path)))[0], path
