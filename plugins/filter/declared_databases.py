# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: declared_databases
short_description: What declared databases and roles need before anything is changed
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - All that is wrong with databases and roles as M(enclii.platform.databases) takes them, and the Secrets their passwords come from, as
    components declare theirs.
positional: _input
options:
  _input:
    description: The databases.
    type: list
    elements: dict
    required: true
  roles:
    description: The roles.
    type: list
    elements: dict
    default: []
  environments:
    description: The environments of the cluster.
    type: list
    elements: str
    default: []
  reserved:
    description: Names of roles that the cluster itself uses.
    type: list
    elements: str
    default: []
seealso:
  - module: enclii.platform.databases
"""

EXAMPLES = r"""
- name: What is wrong with them
  ansible.builtin.debug:
    msg: "{{ (patroni_databases | enclii.platform.declared_databases(roles=patroni_roles)).problem }}"
"""

RETURN = r"""
_value:
  description: V(problem), all that is wrong, or an empty text, and V(secrets), with name, namespace, consumers and keys each.
  type: dict
"""

import typing as t

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

Obj = t.Mapping[str, t.Any]


def declared_databases(
    databases: t.Sequence[Obj],
    *,
    roles: t.Sequence[Obj] = (),
    environments: t.Sequence[str] = (),
    reserved: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    """problem and secrets."""
    if not databases and not roles:
        return {"problem": "", "secrets": []}
    declared, errors = load("postgres.declared"), load("postgres.errors")
    try:
        wanted = declared.declared(databases, roles, environments, reserved)
    except errors.DatabaseError as error:
        return {"problem": f"{error.subject} (patroni_databases, patroni_roles): {error.cause}", "secrets": []}
    except (AttributeError, TypeError, ValueError):
        return {"problem": "patroni_databases or patroni_roles is not what its argument spec says", "secrets": []}
    return {"problem": "", "secrets": wanted.declarations()}


class FilterModule:
    """What declared databases and roles need."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"declared_databases": declared_databases}
