#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sealed_secret
short_description: Seal secrets into manifests, the cluster, or both, and leave what is sealed already as it is
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Makes SealedSecrets for the controller of bitnami/sealed-secrets, many in one task, without its program C(kubeseal).
  - A sealed item stays as it is where it is proven that it holds the same value already. See RV(secrets[].why). Where nothing proves
    it, it is sealed anew, and the task has changed something.
  - Manifests are edited in place. Comments, order and everything that does not change stay byte for byte. A file is replaced as a
    whole, so that a killed run leaves the old one or the new one.
  - No value is in a result, an error, a diff or a log. The length of a value can be told from a sealed item by anybody, and names,
    labels, annotations and O(secrets[].template_data) are not sealed.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.sealing
  - enclii.platform.sealing.certificate
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
attributes:
  check_mode:
    support: full
    details:
      - Everything is sealed and compared as in earnest, and nothing is written. With O(apply=true) the API server is asked by dry run.
  diff_mode:
    support: full
    details: Shows names and what happens to them. Values and sealed items are never shown.
  idempotent:
    support: partial
    details:
      - Fully where a proof is possible, by a cluster that can be read, O(digest_key) or O(private_keys). Without one every item is
        sealed anew in each run, since two sealed items of one value have nothing in common.
  platform:
    platforms: posix
options:
  secrets:
    description:
      - The secrets. Sources of values can be combined; an item may come from one of them only.
      - All values of a secret have 1 MiB (1048576 bytes) at most together, by Kubernetes' own rule.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the SealedSecret and of the Secret it becomes.
        type: str
        required: true
      namespace:
        description: Their namespace. May be left out with V(cluster-wide) in a manifest that is not applied.
        type: str
      scope:
        description:
          - What its items are bound to. V(strict) to namespace and name, V(namespace-wide) to the namespace, V(cluster-wide) to nothing.
            Whoever may create SealedSecrets anywhere can read what is sealed V(cluster-wide).
        type: str
        choices: [strict, namespace-wide, cluster-wide]
        default: strict
      state:
        description:
          - V(absent) takes it out of O(secrets[].dest), removes the file where nothing else is in it, and with O(apply=true) deletes it
            from the cluster. The controller's Secret goes with it.
        type: str
        choices: [present, absent]
        default: present
      type:
        description: Type of the Secret. That of O(secrets[].from_secret), else V(Opaque), by default; an existing one stays.
        type: str
      immutable:
        description: Whether the Secret is immutable. By default as O(secrets[].from_secret), or as it is.
        type: bool
      labels:
        description: Labels of the Secret. Where they are given, they are all it has, unless O(exact=false).
        type: dict
      annotations:
        description: Annotations of the Secret. Where they are given, they are all it has, unless O(exact=false).
        type: dict
      sealed_labels:
        description: Labels of the SealedSecret itself. Others stay.
        type: dict
        default: {}
      sealed_annotations:
        description: Annotations of the SealedSecret itself. Others stay.
        type: dict
        default: {}
      data:
        description: Item to value. A value is a text, and an empty one is a value; anything else is refused.
        type: dict
        default: {}
      data_base64:
        description: Item to value as base64, for what is not text.
        type: dict
        default: {}
      files:
        description:
          - Item to the path of a file on the host the task runs on; its bytes are the value. In a task that runs on the controller a
            relative path is looked up in C(files/) of the role or play first, and a vaulted file is decrypted.
        type: dict
        default: {}
      from_secret:
        description:
          - An existing Secret whose values are taken, and its type, labels and annotations where none are given.
        type: dict
        suboptions:
          namespace:
            description: Its namespace.
            type: str
            required: true
          name:
            description: Its name.
            type: str
            required: true
          items:
            description: The items to take; all by default.
            type: list
            elements: str
      template_data:
        description:
          - Plain templates for items of the Secret, which the controller renders with the values. They are not secret.
        type: dict
      dest:
        description:
          - Manifest file. It may hold other documents, which stay as they are. It is made where it is missing, its directory is not.
        type: path
  exact:
    description:
      - Whether items that are not named are removed. With V(false) they stay.
    type: bool
    default: true
  apply:
    description:
      - Bring the SealedSecrets into the cluster, too. What is in O(secrets[].dest) is what is applied.
    type: bool
    default: false
  digest_key:
    description:
      - Key of the keyed digests (HMAC-SHA256), 16 characters at least. With it each item gets a digest in annotation
        C(enclii.dev/sealed-digest), by which a later run knows that it holds the same value. Keep it in Ansible Vault.
    type: str
  private_keys:
    description:
      - Files with private keys of the controller, as PEM or as Secrets, to compare items by unsealing them.
    type: list
    elements: path
    default: []
  adopt:
    description:
      - What happens with O(apply=true) where a Secret of that name exists that no SealedSecret made. V(never) is an error. V(managed) lets
        the controller replace it, V(patch) merge into it.
    type: str
    choices: [never, managed, patch]
    default: never
  wait:
    description:
      - Wait with O(apply=true) until the controller has unsealed them; what it reports is the error.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait.
    type: int
    default: 60
notes:
  - A cluster is asked only where O(apply=true), O(certificate) is not given, or O(kubeconfig), O(context) or O(host) name it.
  - An item that is sealed for another key than the certificate's is sealed anew, unless the live cluster shows that it opens it.
seealso:
  - module: enclii.platform.apply
"""

EXAMPLES = r"""
- name: Seal a password into the inventory
  enclii.platform.sealed_secret:
    secrets:
      - namespace: shop
        name: database
        data:
          username: shop
          password: "{{ vault_shop_database_password }}"
        labels: {app.kubernetes.io/name: shop}
        dest: "{{ inventory_dir }}/sealed/shop-database.yaml"
    certificate: "{{ inventory_dir }}/sealing.pem"
    certificate_fingerprint: "{{ sealing_fingerprint }}"
    digest_key: "{{ vault_seal_digest_key }}"

- name: Take over a Secret that somebody made by hand, and wait until the controller has it
  enclii.platform.sealed_secret:
    secrets:
      - namespace: shop
        name: registry
        from_secret: {namespace: shop, name: registry}
        dest: sealed/shop-registry.yaml
    apply: true
    adopt: managed
    wait: true
    kubeconfig: /etc/kubernetes/admin.conf
"""

RETURN = r"""
secrets:
  description: What became of each, in the order of the argument.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Its namespace.
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    scope:
      description: Its scope.
      type: str
      returned: always
    dest:
      description: Its manifest; null where there is none.
      type: str
      returned: always
    changed:
      description: Whether anything of it changed, in the file or in the cluster.
      type: bool
      returned: always
    items:
      description: Item to V(unchanged), V(sealed) or V(removed).
      type: dict
      returned: always
      sample: {password: sealed, username: unchanged}
    why:
      description:
        - How unchanged items were proven unchanged; several separated by commas. V(live), the cluster has the same sealed item and
          unsealed it to this value. V(digest), by O(digest_key). V(key), by O(private_keys). V(none), nothing was.
      type: str
      returned: always
      sample: digest
certificate:
  description: What was sealed for.
  returned: where a secret is present
  type: dict
  contains:
    fingerprint:
      description: SHA-256 of the certificate, 64 hexadecimal digits.
      type: str
      returned: always
    key_id:
      description: Its key, as the controller and OpenSSH name it.
      type: str
      returned: always
      sample: SHA256:qP3yVZ…
    not_after:
      description: When it expires. The controller unseals with its key after that, too.
      type: str
      returned: always
      sample: "2036-11-20T08:00:00Z"
    source:
      description: Where it came from.
      type: str
      returned: always
error:
  description: The parts of the error message.
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
        - One of V(certificate), V(format), V(scope), V(input), V(file), V(controller), V(key), or of
          RV(enclii.platform.apply#module:error.reason).
      type: str
      returned: always
"""

from ansible_collections.enclii.platform.plugins.module_utils.sealing.seal_arguments import SEALED_SECRET
from ansible_collections.enclii.platform.plugins.module_utils.sealing.seal_front import seal
from ansible_collections.enclii.platform.plugins.module_utils.sealing_module import run


def main() -> None:
    run(
        SEALED_SECRET,
        lambda module, environ: seal(module.params, environ, check=module.check_mode, diff=module._diff),
    )


if __name__ == "__main__":
    main()
