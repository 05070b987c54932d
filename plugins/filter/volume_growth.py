# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: volume_growth
short_description: Whether volumes can have another size
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description: Compares claims with the size that they should have, and asks their storage classes whether they allow more.
positional: _input
options:
  _input:
    description: PersistentVolumeClaims, as the API server has them.
    type: list
    elements: dict
    required: true
  size:
    description: The size, such as V(50Gi).
    type: str
    required: true
  classes:
    description: The storage classes, as M(enclii.platform.cluster_info) returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Can they grow
  ansible.builtin.debug:
    msg: "{{ (claims | enclii.platform.volume_growth('50Gi', cluster.storage_classes)).problem }}"
"""

RETURN = r"""
_value:
  description:
    - V(growing), names of claims that ask for less; V(waiting), names of those that have less; V(problem), why it cannot be, or an empty
      text.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def volume_growth(
    claims: t.Sequence[t.Mapping[str, t.Any]], size: str, classes: t.Sequence[t.Mapping[str, t.Any]]
) -> dict[str, t.Any]:
    """growing, waiting and problem."""
    try:
        return dict(load("postgres.volumes").growth(claims, size, classes)._asdict())
    except ValueError as error:
        raise AnsibleFilterError(f"size of volumes: {error}") from error


class FilterModule:
    """Sizes of volumes."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"volume_growth": volume_growth}
