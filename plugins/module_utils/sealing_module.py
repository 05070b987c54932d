# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell of the modules around module_utils/sealing: arguments in, one result or one error out."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.enclii.platform.plugins.module_utils.kube import front
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError, KubeError
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError


def run(
    spec: dict[str, dict[str, t.Any]], work: t.Callable[[AnsibleModule, t.Mapping[str, str]], dict[str, t.Any]]
) -> None:
    # no_log: no argument goes to the host's syslog, whatever the task says
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, no_log=True)
    # Results hold names only. Masking would search each of them for every value, and hide names that happen to be a value, too.
    seen: dict[str, t.Any] = {"invocation": {"module_args": {}}}
    try:
        result = work(module, os.environ)
    except SealingError as error:
        module.fail_json(msg=str(error), changed=False, error=error.as_dict(), **seen)
    except (KubeError, ApiError) as error:
        module.fail_json(**front.failure(error), changed=front.did_change(error), **seen)
    else:
        module.no_log_values = set()
        module.exit_json(**result, **seen)
