#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sealing_keys
short_description: Back up the keys of the sealed-secrets controller, and prove the backup
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Reads the Secrets of all sealing keys (label C(sealedsecrets.bitnami.com/sealed-secrets-key), any value, and the Secret
    C(sealed-secrets-key) of old controllers), encrypts them with age, and writes them to a directory, a bucket of an S3 server, or both.
    They are written nowhere in plain text and pass through no command line. No backup overwrites another, each has time and digest in
    its name, and what was written is read back.
  - A backup is proved by a random item that is sealed for the controller's certificate in the scratch namespace C(enclii-sealing-proof).
    The controller has to unseal it, and the backup, read back from where it was written and decrypted, has to unseal the same item and
    to hold every key of the cluster. The namespace is removed whatever happens; one that a killed run left behind, by the next proof.
    Two proofs at a time in one cluster disturb each other.
  - ConfigMap C(enclii-sealing-keys-backup) in the controller's namespace records what the last backup holds, where it is and whether it
    was proved. It holds no secrets. Every proof makes a ConfigMap C(enclii-sealing-keys-proved-…) beside it, in place of the one before,
    and one that fails removes it - the time it was made is what an alert compares with that of the newest key's Secret.
  - Where the kind C(Evidence) is installed, every proof, and every one that failed, is kept as evidence of kind V(sealing-key-backup) as
    well, see M(enclii.platform.evidence). It counts for twice O(proof_max_age).
  - A backup is restored by role P(enclii.platform.sealed_secrets#role), before the controller starts.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
attributes:
  check_mode:
    support: full
    details:
      - Says whether a backup would be written. It writes none and proves nothing.
  diff_mode:
    support: full
    details:
      - Shows the record before and after.
  idempotent:
    support: partial
    details:
      - With O(force) every run writes a backup.
  platform:
    platforms: posix
options:
  state:
    description:
      - V(backed_up) - the recorded backup holds every key of the cluster, for these recipients, and can be read in every place that is
        named; otherwise a new one is written. A new one is proved, and one whose proof is older than O(proof_max_age), where
        O(identities) or O(passphrase) opens it. Without them the record says that it is not proved, and why.
      - V(proved) - proves the recorded backup now. Evidence is no change.
      - V(reported) - only reads, and warns where the newest key is in no proved backup.
    type: str
    choices: [backed_up, proved, reported]
    default: reported
  controller_namespace:
    description: Namespace of the controller, its keys and the record.
    type: str
    default: enclii-system
  controller_name:
    description: Name of the controller's Service, whose certificate the proof asks for.
    type: str
    default: sealed-secrets-controller
  directory:
    description: Directory for backups, made where it is missing. Files get mode 0600.
    type: path
  s3:
    description: Bucket for backups. Give it versions and a lifecycle of its own; nothing is ever deleted by this module.
    type: dict
    suboptions:
      endpoint:
        description: URL of the server, V(https://host:port).
        type: str
        required: true
      bucket:
        description: The bucket. It must exist.
        type: str
        required: true
      prefix:
        description: Beginning of the objects' names, such as the name of the cluster.
        type: str
        default: ""
      region:
        description: Region, for the signature.
        type: str
        default: us-east-1
      access_key:
        description: Access key. Without it boto3 looks for credentials as it does, in the environment for instance.
        type: str
        default: ""
      secret_key:
        description: Its secret key.
        type: str
        default: ""
      session_token:
        description: Token of temporary credentials.
        type: str
        default: ""
      ca_cert:
        description: Path of the CA certificates (PEM) of the server. Its certificate is always checked.
        type: path
  recipients:
    description:
      - Whom backups are encrypted for - C(age1…) as C(age-keygen -y) prints them, or SSH keys of type RSA or Ed25519. Either these or
        O(passphrase).
    type: list
    elements: str
    default: []
  passphrase:
    description: Passphrase that encrypts the backup, and opens it for the proof.
    type: str
    default: ""
  identities:
    description:
      - Files with age identities or SSH keys, one of which opens the backup for the proof. Where the task runs on the controller
        itself, they may be encrypted with Ansible Vault.
    type: list
    elements: path
    default: []
  proof_max_age:
    description: Hours after which V(backed_up) proves a backup again.
    type: int
    default: 168
  evidence_namespace:
    description: Namespace for evidence of proofs. What cannot be written there is a warning.
    type: str
    default: enclii-system
  force:
    description: Write a new backup though there is nothing new.
    type: bool
    default: false
requirements:
  - cryptography
  - pyrage, for V(backed_up) and V(proved)
  - boto3, for O(s3)
notes:
  - Needs the rights to read Secrets and write ConfigMaps in the controller's namespace, and for a proof those to reach the controller by
    the proxy of its Service and to make and delete namespaces, SealedSecrets in them, and read Secrets of them. For evidence those of
    Role C(enclii-evidence-writer).
  - An error names the object, the cause and the next step, and never holds a key, a passphrase or an identity.
"""

EXAMPLES = r"""
- name: Back up the sealing keys, and prove the backup
  enclii.platform.sealing_keys:
    state: backed_up
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    identities: [sealing-keys-identity.vault]
    s3:
      endpoint: https://s3.example.com
      bucket: backups
      prefix: prod/sealing-keys
      access_key: "{{ backup_access_key }}"
      secret_key: "{{ backup_secret_key }}"

- name: Is the newest key in a backup?
  enclii.platform.sealing_keys:
  register: sealing

- name: Stop where it is not
  ansible.builtin.assert:
    that: sealing.newest_key.in_proved_backup
"""

RETURN = r"""
why:
  description: Why a backup was written, or would be in check mode.
  returned: success
  type: list
  elements: str
keys:
  description: The keys of the cluster, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of its Secret., type: str, returned: always}
    id: {description: "V(SHA256:…) of the public key, as the controller names it.", type: str, returned: always}
    state:
      description: V(active), V(legacy), or the value of its label, with which the controller leaves it alone.
      type: str
      returned: always
    made: {description: When its certificate begins., type: str, returned: always}
    until: {description: When its certificate ends., type: str, returned: always}
newest_key:
  description: The key that secrets are sealed for, with what RV(keys) tells of it; null where there is none.
  returned: success
  type: dict
  contains:
    age_hours: {description: Its age., type: float, returned: always}
    in_backup: {description: Whether the recorded backup holds it., type: bool, returned: always}
    in_proved_backup: {description: Whether that backup is proved., type: bool, returned: always}
backup:
  description: The recorded backup; null where there is none.
  returned: success
  type: dict
  contains:
    key_ids: {description: The keys it holds., type: list, elements: str, returned: always}
    time: {description: When it was written., type: str, returned: always}
    places: {description: Where it is., type: list, elements: str, returned: always}
    digest: {description: SHA-256 of the encrypted file., type: str, returned: always}
    recipients: {description: "Whom it is encrypted for, or V(passphrase).", type: list, elements: str, returned: always}
    proved: {description: Whether it is proved., type: bool, returned: always}
    proof: {description: "How it was proved, or why it is not.", type: str, returned: always}
last_proof:
  description: The last backup that was proved, which may be an older one; null where there was none.
  returned: success
  type: dict
  contains:
    time: {description: When it was proved., type: str, returned: always}
    age_hours: {description: How long ago that was., type: float, returned: always}
    digest: {description: SHA-256 of the encrypted file., type: str, returned: always}
    places: {description: Where it is., type: list, elements: str, returned: always}
"""

from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run
from ansible_collections.enclii.platform.plugins.module_utils.sealing import keeping


def main() -> None:
    run(
        keeping.SEALING_KEYS,
        lambda module, environ: keeping.sealing_keys(
            module.params, environ, check=module.check_mode, diff=module._diff
        ),
    )


if __name__ == "__main__":
    main()
