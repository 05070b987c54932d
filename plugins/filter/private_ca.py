# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: private_ca
short_description: Judge the root of the private CA
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Compares the root that exists with the recorded one and with what the inventory asks for, and composes the bundle of trusted roots.
positional: _input
options:
  _input:
    description:
      - Two results of M(enclii.platform.object_info), of ConfigMap C(enclii-ca) with its C(ca.crt) shown, and of the list of the roots'
        Secrets with their certificates.
    type: list
    elements: dict
    required: true
  pin:
    description: Fingerprint that the root must have, or nothing.
    type: str
    default: ""
  rotate:
    description: Fingerprint of the root that is to be replaced, or nothing.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Judge the root
  ansible.builtin.set_fact:
    ca: "{{ found.results | enclii.platform.private_ca }}"
"""

RETURN = r"""
_value:
  description: V(secret), V(generation), V(fingerprint), V(bundle), V(issue) and V(problem).
  type: dict
"""

import typing as t

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def private_ca(results: t.Sequence[t.Mapping[str, t.Any]], pin: str = "", rotate: str = "") -> dict[str, t.Any]:
    """State of the private CA, as plain data."""
    record, roots = results
    bundle = record.get("data", {}).get("ca.crt", "")
    state = load("component.private_ca").assess(
        record.get("annotations", {}), bundle, roots.get("certificates", {}), pin, rotate
    )
    return t.cast("dict[str, t.Any]", state._asdict())


class FilterModule:
    """Filters on the private CA."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"private_ca": private_ca}
