# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest release_info reports, of values a role is about to give to Helm."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.module_utils.kube.helm import values_digest


def digest(values: t.Any) -> str:
    if values is not None and not isinstance(values, t.Mapping):
        raise AnsibleFilterError(f"values_digest: Helm values are a mapping, not a {type(values).__name__}")
    return values_digest(values)


class FilterModule:
    """Filters of this file by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"values_digest": digest}
