# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell of the modules around module_utils/kube: arguments in, one result or one error out."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.enclii.platform.plugins.module_utils.kube import front
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError, KubeError


class _QuietModule(AnsibleModule):  # type: ignore[misc]
    """definition may hold Secrets: the arguments are not written to the host's syslog.

    Not by the constructor's no_log, which the task's overrides, and not by no_log of the argument, which would mask
    every text of it in the result, names included.
    """

    def _log_invocation(self) -> None:
        self.log("enclii.platform: arguments not logged")


def run(
    spec: dict[str, dict[str, t.Any]], work: t.Callable[[AnsibleModule, t.Mapping[str, str]], dict[str, t.Any]]
) -> None:
    module = _QuietModule(argument_spec=spec, supports_check_mode=True)
    seen = {key: value for key, value in module.params.items() if key not in ("definition", "api_key", "kubeconfig")}
    try:
        result = work(module, os.environ)
    except (KubeError, ApiError) as error:
        module.fail_json(**front.failure(error), changed=front.did_change(error), invocation={"module_args": seen})
    else:
        module.exit_json(**result, invocation={"module_args": seen})
