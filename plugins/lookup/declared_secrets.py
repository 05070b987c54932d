# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: declared_secrets
short_description: Compare the secrets that are declared with what lies sealed in the inventory
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Everything an inventory needs in secrets, in one place. Reads files only, no cluster, and knows no value.
options:
  _terms:
    description: Directories of sealed manifests. One that does not exist is empty.
    type: list
    elements: path
    required: true
  components:
    description: Components by V(name), V(namespace) and V(secrets), as role C(enclii.platform.component) describes secrets.
    type: list
    elements: dict
    default: []
  declared:
    description: Secrets that the inventory declares, as C(enclii_secrets) of role C(enclii.platform.secrets).
    type: list
    elements: dict
    default: []
  environments:
    description: The environments of the cluster.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Say which secrets are missing
  ansible.builtin.debug:
    msg: "{{ lookup('enclii.platform.declared_secrets', inventory_dir ~ '/sealed', declared=wanted, environments=['demo']).missing }}"
"""

RETURN = r"""
_raw:
  description:
    - V(secrets), each with V(namespace), V(name), V(items), V(consumers) and V(by).
    - V(missing), one text for each secret that is not sealed, or not completely, such as V(demo/login with password).
    - V(objects), the sealed manifests, and V(problem), all that is wrong with declarations and manifests in one text, or nothing.
  type: list
  elements: dict
"""

import typing as t
from pathlib import Path

from ansible.plugins.lookup import LookupBase

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

library = load("sealing.declared")
errors = load("sealing.errors")


class LookupModule(LookupBase):
    """Declared secrets beside sealed manifests."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        options = [self.get_option(name) for name in ("components", "declared", "environments")]
        return [self._one(Path(str(directory)), *options) for directory in terms]

    @staticmethod
    def _one(directory: Path, components: t.Any, declared: t.Any, environments: t.Any) -> dict[str, t.Any]:
        try:
            found = library.read(components, declared, environments, directory)
        except errors.SealingError as error:
            return {"secrets": [], "missing": [], "objects": [], "problem": str(error)}
        return {
            "secrets": [
                {
                    "namespace": one.namespace,
                    "name": one.name,
                    "items": one.items,
                    "consumers": one.consumers,
                    "by": one.by,
                }
                for one in found.declared
            ],
            "missing": [f"{one.subject} with {', '.join(items)}" for one, items in found.missing()],
            "objects": [one.obj for one in found.sealed.values()],
            "problem": "",
        }
