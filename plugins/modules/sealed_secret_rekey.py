#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sealed_secret_rekey
short_description: Seal the items of whole trees anew for another certificate, and change nothing else
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Replaces the sealed values of SealedSecrets by ones for the newest key, or for another cluster's certificate. Comments, order, template,
    labels and annotations stay byte for byte, except for the annotations C(enclii.dev/sealed-with) and C(enclii.dev/sealed-digest).
  - With O(private_keys) items are opened and sealed here. Without them the controller does it by C(/v1/rotate), two SealedSecrets a
    second, for its own newest key. Of its answer only the sealed values are used, since it loses template, labels and annotations.
  - Items that are sealed for the certificate already stay as they are. Private keys prove it, else the annotation is believed.
  - A file is replaced as a whole. A killed run leaves each file as it was or as it is to be, and the next one goes on where it ended,
    by a journal that holds names and digests of files, and no content.
  - A SealedSecret of which one item cannot be opened stays as it is, and the cause is told. The others are done, and the task fails.
  - A renewed key does not make a leaked value secret again. Where a private key leaked, make new values, too.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.sealing
  - enclii.platform.sealing.certificate
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
requirements:
  - pyrage, for backups encrypted with age
attributes:
  check_mode:
    support: full
    details: Private keys are used to find out what would change; the controller is asked for its certificate only.
  diff_mode:
    support: full
    details: Shows items and the keys they are sealed for.
  idempotent:
    support: full
    details: Without O(private_keys) by the annotation C(enclii.dev/sealed-with), which the first run makes. With O(force) not.
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
  controller_version:
    description:
      - The controller's version, such as V(0.40.0), where its Deployment may not be read, or its image has no version's tag.
    type: str
  digest_key:
    description:
      - The key of C(enclii.dev/sealed-digest), see O(enclii.platform.sealed_secret#module:digest_key). Without it, and without
        O(private_keys), the digests of items that are sealed anew are taken away, for they are bound to the sealed values.
    type: str
  force:
    description:
      - Do not believe the annotation where nothing proves that an item is sealed for the certificate already.
    type: bool
    default: false
  journal:
    description:
      - Where a run notes what it is about to write. Without it C(.sealed-secret-rekey.journal) in the first of O(paths), or beside it
        where that is a file. It is deleted at the end.
    type: path
notes:
  - Controllers before 0.40.0 are refused without O(private_keys), since their C(/v1/rotate) is faulty.
seealso:
  - module: enclii.platform.sealed_secret_info
"""

EXAMPLES = r"""
- name: Seal all manifests for the controller's newest key, by the controller
  enclii.platform.sealed_secret_rekey:
    kubeconfig: ~/.kube/prod
    paths: [inventories/prod/sealed]

- name: Move manifests to another cluster, by a backup of the old one's keys
  enclii.platform.sealed_secret_rekey:
    paths: [inventories/new/sealed]
    private_keys: [old-cluster.age]
    identities: [~/.config/age/ops.txt]
    certificate: https://new.example.com/sealing.pem
    certificate_fingerprint: SHA256:Ndgb1dK7z0mE4f2T7Qvq6k8yUe1YhO8c5s2QxJrPz4k
"""

RETURN = r"""
way:
  description: V(local), by private keys, or V(rotate), by the controller.
  returned: success, or when RV(errors) are there
  type: str
certificate:
  description: What was sealed for.
  returned: success, or when RV(errors) are there
  type: dict
  sample: {fingerprint: 00ff…, key_id: "SHA256:…", not_after: "2036-11-20T00:00:00Z", source: new.pem}
objects:
  description: The SealedSecrets that changed, or would change, and those that could not be done.
  returned: success, or when RV(errors) are there
  type: list
  elements: dict
  contains:
    file:
      description: Its file.
      type: str
      returned: always
    document:
      description: Which document of the file, from 1 on.
      type: int
      returned: always
    namespace:
      description: Its namespace.
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    items:
      description: Item to V(rekeyed), V(current) or V(failed).
      type: dict
      returned: always
    from_keys:
      description: Item to the key it was sealed for, V(SHA256:…); empty where nothing told.
      type: dict
      returned: always
    annotated:
      description: Whether the annotation of keys changes.
      type: bool
      returned: always
    changed:
      description: Whether it changed, or would.
      type: bool
      returned: always
    errors:
      description: Why it could not be done; see RV(errors).
      type: list
      elements: dict
      returned: always
counts:
  description: Number of items of each kind.
  returned: success, or when RV(errors) are there
  type: dict
  sample: {current: 10, rekeyed: 20, failed: 0}
files:
  description: Number of files that were looked at.
  returned: success, or when RV(errors) are there
  type: int
changed_files:
  description: Number of files that changed, or would.
  returned: success, or when RV(errors) are there
  type: int
resumed_files:
  description: Number of files that an earlier run, which was killed, had done already.
  returned: success, or when RV(errors) are there
  type: int
errors:
  description: What could not be done, each with C(object), C(cause), C(next_step) and C(reason). The task fails where there is one.
  returned: success, or when something could not be done
  type: list
  elements: dict
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
    run(
        tree_arguments.REKEY,
        lambda module, environ: tree_front.rekey_trees(
            module.params, environ, check=module.check_mode, diff=module._diff
        ),
    )


if __name__ == "__main__":
    main()
