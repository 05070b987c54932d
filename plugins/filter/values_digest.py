# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest release_info reports, of values a role is about to give to Helm."""

from __future__ import annotations

DOCUMENTATION = r"""
name: values_digest
short_description: The digest of Helm values that module release_info reports
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - C(sha256:) and the digest of the canonical JSON of Helm values. It is the same before they are given to Helm and after they
    are read back from a release, so equal digests mean that nothing is to be upgraded for its values.
  - Like Helm it does not tell V(1) from V(1.0), nor no values from V({}); it does tell V(1) from V("1").
options:
  _input:
    description: The values.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Does the release have the wanted values
  ansible.builtin.debug:
    msg: "{{ release.values_digest == (wanted_values | enclii.platform.values_digest) }}"
"""

RETURN = r"""
_value:
  description: The digest.
  type: str
  sample: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def digest(values: t.Any) -> str:
    if values is not None and not isinstance(values, t.Mapping):
        raise AnsibleFilterError(f"values_digest: Helm values are a mapping, not a {type(values).__name__}")
    return t.cast("str", load("kube.helm").values_digest(values))


class FilterModule:
    """Filters of this file by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"values_digest": digest}
