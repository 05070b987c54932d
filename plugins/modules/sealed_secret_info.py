#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sealed_secret_info
short_description: Which key sealed what, which keys may retire, and what is known of the controller
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Counts the items of trees and of the cluster by the key they are sealed for. A sealed item does not say which one that is. The
    annotation C(enclii.dev/sealed-with) does, and O(private_keys) prove it.
  - Says of each key how old it is, whether a backup holds it, and whether it may retire, or why not.
  - Says which version the controller has, what faults that is known to have, and who reaches its HTTP API.
  - The controller's keys are read from their Secrets, which takes the right to list the Secrets of its namespace. The private parts are
    dropped at once, and no result holds one. Without that right the report says so, and knows the newest certificate only.
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
    default: []
  exclude:
    description:
      - Patterns of files to leave out, such as V(*/charts/*), held against the whole path and against the name.
    type: list
    elements: str
    default: []
  cluster:
    description:
      - Whether the cluster is looked at. Its controller, keys, SealedSecrets, and the note of the last backup.
    type: bool
    default: true
  namespaces:
    description:
      - Look at SealedSecrets of these namespaces only. No key may retire then.
    type: list
    elements: str
    default: []
  certificates:
    description:
      - Certificates of sealing keys, as paths or PEM.
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
  backups:
    description:
      - Backups of the controller's keys, in the forms of O(private_keys), to hold the keys against, and to count by. Without them the note
        that M(enclii.platform.sealing_keys) keeps of its last backup in the cluster says what is backed up.
    type: list
    elements: path
    default: []
  controller_version:
    description:
      - The controller's version, such as V(0.40.0), where its Deployment may not be read, or its image has no version's tag.
    type: str
seealso:
  - module: enclii.platform.sealed_secret_rekey
  - module: enclii.platform.sealing_keys
"""

EXAMPLES = r"""
- name: Which keys may retire
  enclii.platform.sealed_secret_info:
    kubeconfig: ~/.kube/prod
    paths: [inventories/prod/sealed]
  register: census

- name: Show why not
  ansible.builtin.debug:
    msg: "{{ item.source }}: {{ item.why_not | join('; ') }}"
  loop: "{{ census['keys'] | rejectattr('may_retire') }}"
  loop_control: {label: "{{ item.key_id }}"}
"""

RETURN = r"""
keys:
  description: All keys that are known, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    key_id:
      description: V(SHA256:…) of the public key, as the controller names it.
      type: str
      returned: always
    source:
      description: Where it is known from.
      type: str
      returned: always
      sample: Secret enclii-system/sealed-secrets-keyx7k2p
    state:
      description: Its label. With another than V(active) the controller leaves it alone.
      type: str
      returned: always
    fingerprint:
      description: SHA-256 of its certificate; empty where that is not known.
      type: str
      returned: always
    bits:
      description: Its size in bits; 0 where it is not known.
      type: int
      returned: always
    not_before:
      description: When its certificate was made (RFC 3339); empty where it is not known.
      type: str
      returned: always
    not_after:
      description: When its certificate expires.
      type: str
      returned: always
    age_days:
      description: Its age in days; null where it is not known.
      type: int
      returned: always
    newest:
      description: Whether secrets are sealed for it now.
      type: bool
      returned: always
    items:
      description: Number of different items sealed for it. One in a file and in the cluster counts once.
      type: int
      returned: always
    in_files:
      description: Number of its items in O(paths).
      type: int
      returned: always
    in_cluster:
      description: Number of its items in the cluster.
      type: int
      returned: always
    examples:
      description: Some of them, V(namespace/name item).
      type: list
      elements: str
      returned: always
    in_backup:
      description: Whether the backup holds it; null where none is known.
      type: bool
      returned: always
    may_retire:
      description: Whether nothing that was looked at needs it any more.
      type: bool
      returned: always
    why_not:
      description: Why it may not retire.
      type: list
      elements: str
      returned: always
    proof:
      description: What the counts rest on, V(decrypted) or at least in part V(annotations).
      type: str
      returned: always
newest_key:
  description: Id of the newest key.
  returned: success
  type: str
oldest_key_in_use:
  description: Id of the oldest key that an item is sealed for.
  returned: success
  type: str
unknown:
  description: Items of which nothing tells the key, and those that cannot be decoded.
  returned: success
  type: dict
  sample: {items: 1, examples: [demo/login password], undecodable: []}
sealed_secrets:
  description: Number of SealedSecrets that were counted.
  returned: success
  type: dict
  sample: {files: 120, cluster: 118}
evidence:
  description: Number of items by what told their key.
  returned: success
  type: dict
  sample: {decrypted: 0, annotation: 300, none: 1}
controller:
  description: The controller, empty with O(cluster=false).
  returned: success
  type: dict
  contains:
    namespace:
      description: Namespace of its Service.
      type: str
      returned: always
    name:
      description: Name of its Service.
      type: str
      returned: always
    version:
      description: Its version, empty where it is not known.
      type: str
      returned: always
    recommended_version:
      description: The oldest version without a known fault.
      type: str
      returned: always
    faults:
      description: Its known faults, each with C(fixed_in), C(what), C(reference) and C(paths).
      type: list
      elements: dict
      returned: always
    findings:
      description:
        - What to do about it, the gravest first, each with C(level), C(what) and C(next_step). V(critical) is a controller before 0.40.0
          that everybody with a login reaches.
      type: list
      elements: dict
      returned: always
next_renewal:
  description: When the controller makes its next key (RFC 3339); empty where it does not, or nobody knows.
  returned: success
  type: str
files:
  description: Number of files that were looked at.
  returned: success
  type: int
not_looked_at:
  description: What was not looked at, and what to do about it. Each is a reason for which no key may retire.
  returned: success
  type: list
  elements: str
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
    run(tree_arguments.INFO, lambda module, environ: tree_front.info(module.params, environ))


if __name__ == "__main__":
    main()
