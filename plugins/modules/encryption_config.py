#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: encryption_config
short_description: Make the API server's encryption key on the machine that uses it
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Writes an EncryptionConfiguration for Secrets with a fresh random key, once. The key is made on the machine, never
    leaves it, and is in no argument, result or diff of this module.
  - An existing file is never replaced, since what was stored in etcd could not be read without its key.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: The file is a secret.
  platform:
    platforms: posix
options:
  path:
    description: The file.
    type: path
    required: true
  provider:
    description: How Secrets are encrypted.
    type: str
    choices: [secretbox, aescbc]
    default: secretbox
"""

EXAMPLES = r"""
- name: Make the key
  enclii.platform.encryption_config:
    path: /etc/kubernetes/encryption/config.json
"""

RETURN = r"""
provider:
  description: Provider of the file that is there.
  returned: success
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.enclii.platform.plugins.module_utils.node import encryption


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "provider": {"type": "str", "choices": ["secretbox", "aescbc"], "default": "secretbox"},
        },
        supports_check_mode=True,
    )
    path = Path(module.params["path"])
    wanted = module.params["provider"]
    changed = False
    try:
        have = encryption.provider_of(path)
        if not have:
            changed, have = True, wanted
            if not module.check_mode:
                encryption.create(path, wanted)
        elif path.stat().st_mode & 0o077:
            changed = True
            if not module.check_mode:
                path.chmod(0o600)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{path}: {error}. Copy it before you mend it: etcd cannot be read without its key")
    if have != wanted:
        module.warn(f"{path} encrypts by {have}, not {wanted}: the key of a cluster is not replaced by this module")
    module.exit_json(changed=changed, provider=have)


if __name__ == "__main__":
    main()
