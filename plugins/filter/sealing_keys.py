# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: sealing_keys
short_description: Read and check a backup of sealing keys
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Reads a backup of the keys of the sealed-secrets controller and refuses what would make the controller crash or seal for nobody.
  - The result holds private keys. Use it only in tasks with C(no_log).
positional: _input
options:
  _input:
    description:
      - The text of the backup, one or more Secrets of type C(kubernetes.io/tls) in YAML, or that encrypted with age, as
        M(enclii.platform.sealing_keys) writes it.
    type: str
    required: true
  namespace:
    description: Namespace of the controller.
    type: str
    required: true
  identity:
    description: What a file with age identities, or an SSH key, holds that opens the backup.
    type: str
    default: ""
  passphrase:
    description: The passphrase that opens the backup. It takes a second or so, by intent.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Check a backup
  ansible.builtin.set_fact:
    digest: "{{ (lookup('ansible.builtin.unvault', file) | enclii.platform.sealing_keys('enclii-system', identity=age_identity)).digest }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: V(objects), the Secrets to apply, and V(digest) of their public certificates, which may be shown.
  type: dict
"""

import typing as t
from datetime import UTC, datetime

from ansible.errors import AnsibleFilterError

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load


def sealing_keys(text: str, namespace: str, identity: str = "", passphrase: str = "") -> dict[str, t.Any]:
    """The keys of a backup, as plain data."""
    backup, errors, keys = load("sealing.backup"), load("sealing.errors"), load("sealing.keys")
    # A binary file comes out of Ansible's lookups with what is no UTF-8 as surrogates.
    data = text.encode("utf-8", "surrogateescape")
    try:
        if backup.is_encrypted(data):
            lock = backup.Lock(passphrase=passphrase, identities=[identity] if identity else [])
            data = backup.decrypt(data, lock, "The backup of sealing keys")
        # Decoded anew: Ansible's own strings are no plain ones, and the YAML parser takes nothing else.
        found = keys.read(data.decode("utf-8", "replace"), namespace, datetime.now(UTC))
    except errors.SealingError as error:
        # "from None": a traceback would carry the text.
        raise AnsibleFilterError(str(error)) from None
    return {"objects": found.objects, "digest": found.digest}


class FilterModule:
    """Filters on sealing keys."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"sealing_keys": sealing_keys}
