#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sealed_secret_lint
short_description: Find what is wrong with SealedSecrets before the controller does
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Looks through whole trees, without a cluster. Form, scopes, names, keys, and plain text that lies beside.
  - With O(verify) the controller is asked whether it unseals each SealedSecret where it stands, two a second, which is all it answers.
  - With O(private_keys) every item is opened here.
  - Where an item does not unseal it is found out for which namespace, name, scope and key it was sealed. By keys that takes
    milliseconds, whatever number of names and namespaces there is. By the controller it takes calls, see O(explain_attempts).
  - No finding holds a value.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.sealing
  - enclii.platform.attributes
  - enclii.platform.attributes.info_module
  - enclii.platform.attributes.actiongroup_kube
requirements:
  - pyrage, for backups encrypted with age
attributes:
  platform:
    platforms: posix
options:
  paths:
    description:
      - Files and directories. Of a directory all files ending in C(.yml), C(.yaml) and C(.json) are read, at any depth, except in C(.git)
        and in other directories that nobody keeps manifests in. Files without a SealedSecret or a Secret are passed over unparsed.
    type: list
    elements: path
    required: true
  exclude:
    description:
      - Patterns of files to leave out, such as V(*/charts/*), held against the whole path and against the name.
    type: list
    elements: str
    default: []
  certificates:
    description:
      - Certificates of the cluster the tree is for, as paths or PEM, the old ones too. With them items for another cluster, for an
        expired certificate and for an old key are found, by the annotation C(enclii.dev/sealed-with) and by the size of keys.
    type: list
    elements: str
    default: []
  private_keys:
    description:
      - Files with private sealing keys. PEM, or Secrets with them, as backups hold them, also encrypted with age
        (see O(identities) and O(passphrase)). No key leaves this machine, and no result holds one.
    type: list
    elements: path
    default: []
  identities:
    description:
      - Files with age or SSH identities that open encrypted backups.
    type: list
    elements: path
    default: []
  passphrase:
    description:
      - Passphrase that opens encrypted backups.
    type: str
  verify:
    description:
      - Ask the controller. It is sent names, scopes and sealed items, no templates. Controllers before 0.39.0 are not asked, since their
        C(/v1/verify) is faulty.
    type: bool
    default: false
  controller_version:
    description:
      - The controller's version, such as V(0.40.0), where its Deployment may not be read, or its image has no version's tag.
    type: str
  explain_attempts:
    description:
      - Calls of the controller at most to find out why one SealedSecret does not unseal.
    type: int
    default: 8
  layout:
    description:
      - Where manifests lie, such as V({namespace}/{name}.yaml), with V(*) for what is no matter. It is held against the end of paths,
        and what it says of namespace and name against the manifest.
    type: str
  ignore:
    description:
      - Rules that do not count. See RV(findings[].rule).
    type: list
    elements: str
    default: []
  fail_on:
    description:
      - The task fails where there is a finding of this level or above. V(never) only reports.
    type: str
    choices: [critical, error, warning, info, never]
    default: error
seealso:
  - module: enclii.platform.sealed_secret
  - module: enclii.platform.sealed_secret_info
"""

EXAMPLES = r"""
- name: Check all manifests, without a cluster
  enclii.platform.sealed_secret_lint:
    paths: [inventories/prod/sealed]
    certificates: [inventories/prod/sealing.pem]
    layout: "{namespace}/{name}.yaml"
    fail_on: warning

- name: Find out why one does not unseal, with a backup of the keys
  enclii.platform.sealed_secret_lint:
    paths: [login.yaml]
    private_keys: [backup.age]
    identities: [~/.config/age/ops.txt]
    fail_on: never
"""

RETURN = r"""
findings:
  description: What is wrong, by file, document and item.
  returned: success, or when findings reach O(fail_on)
  type: list
  elements: dict
  contains:
    file:
      description: The file, as found below O(paths).
      type: str
      returned: always
    document:
      description: Which document of the file, from 1 on; 0 where it is about the whole file.
      type: int
      returned: always
    line:
      description: Line where the document begins.
      type: int
      returned: always
    subject:
      description: What it is about.
      type: str
      returned: always
      sample: SealedSecret demo/login, item password
    item:
      description: The item; empty where it is about the whole object.
      type: str
      returned: always
    rule:
      description: The rule, by which O(ignore) leaves it out. The documentation of rekeying lists all of them.
      type: str
      returned: always
      sample: scope-mismatch
    level:
      description: V(critical), V(error), V(warning) or V(info).
      type: str
      returned: always
    message:
      description: What is wrong.
      type: str
      returned: always
    next_step:
      description: What to do.
      type: str
      returned: always
counts:
  description: Number of findings of each level.
  returned: success, or when findings reach O(fail_on)
  type: dict
  sample: {critical: 0, error: 1, warning: 0, info: 2}
files:
  description: Number of files that were looked at.
  returned: success, or when findings reach O(fail_on)
  type: int
sealed_secrets:
  description: Number of SealedSecrets in them.
  returned: success, or when findings reach O(fail_on)
  type: int
error:
  description: What stood in the way, where a task could not do its work at all.
  returned: failure
  type: dict
  contains:
    object:
      description: What it is about.
      type: str
      returned: always
    cause:
      description: Why.
      type: str
      returned: always
    next_step:
      description: What to do.
      type: str
      returned: always
    reason:
      description:
        - One of V(certificate), V(format), V(scope), V(input), V(file), V(controller), V(key), V(journal), or of
          RV(enclii.platform.apply#module:error.reason).
      type: str
      returned: always
"""

from ansible_collections.enclii.platform.plugins.module_utils.sealing import tree_arguments, tree_front
from ansible_collections.enclii.platform.plugins.module_utils.sealing_module import run


def main() -> None:
    run(tree_arguments.LINT, lambda module, environ: tree_front.lint(module.params, environ))


if __name__ == "__main__":
    main()
