#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Bring many Kubernetes objects to their wanted state by server-side apply
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Applies all objects of a definition or file in one task, over a few connections in parallel. Namespaces come first, then
    definitions of custom resources (until they are established), then configuration and RBAC, then workloads and custom
    resources, then webhooks and API services. Deletion goes the other way.
  - An object that is proven unchanged (this manager owns exactly the wanted fields and every value is the wanted one) is not
    sent again. Everything else is applied for real, and V(changed) means that the apply changed it.
  - The first time an object is applied that C(kubectl) or Helm made, their fields are taken over, so that what the definition
    leaves out goes away. Of a Namespace only the wanted labels and annotations are taken over. C(replicas) that the definition
    leaves out and injected C(caBundle) are never taken over. C(replicas) of an object that a HorizontalPodAutoscaler scales
    are left to it.
  - With O(apply_set) the objects are members of a set by Kubernetes' ApplySet specification, and members that are no longer
    wanted are deleted after everything else has succeeded. PersistentVolumes, PersistentVolumeClaims, Namespaces and
    CustomResourceDefinitions are never pruned.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
attributes:
  check_mode:
    support: full
    details:
      - The server is asked by dry run, admission included. Objects in namespaces, or of kinds, that do not exist yet cannot be
        asked about; they are predicted and marked RV(objects[].predicted).
  diff_mode:
    support: full
    details: Values of Secrets are masked.
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  definition:
    description:
      - The objects as a list of dictionaries, one dictionary, or YAML text of one or more documents. A list may hold texts, too.
      - Objects of kind C(List) are taken apart. C(status) and metadata that only the server sets are not sent.
    type: raw
    aliases: [resource_definition]
  src:
    description:
      - Path of a YAML or JSON file of one or more documents on the host the task runs on. In a task that runs on the controller
        a relative path is looked up in C(files/) of the role or play first, and a vaulted file is decrypted.
      - Its objects come before those of O(definition).
    type: path
  namespace:
    description:
      - Namespace of namespaced objects that name none. Without it such an object is an error; V(default) is never assumed.
    type: str
  state:
    description:
      - V(present) applies the objects. V(absent) deletes them, and with O(apply_set) all other members of the set and its
        parent, too; kinds that are never pruned are deleted only where O(definition) or O(src) names them.
    type: str
    choices: [present, absent]
    default: present
  field_manager:
    description:
      - Name under which fields are owned.
    type: str
    default: enclii-platform
  force_conflicts:
    description:
      - Take fields that another manager owns with another value, instead of failing.
    type: bool
    default: false
  apply_set:
    description:
      - The set the objects belong to. An object that is a member of another set is an error.
    type: dict
    suboptions:
      name:
        description: Name of the parent object. It may not exist as anything else.
        type: str
        required: true
      namespace:
        description: Namespace of the parent object.
        type: str
        required: true
      kind:
        description: Kind of the parent object.
        type: str
        choices: [ConfigMap, Secret]
        default: ConfigMap
      prune:
        description: Whether members that are no longer wanted are deleted.
        type: bool
        default: true
  wait:
    description:
      - Wait until every object is ready, by the rules of its kind (rollouts complete, Jobs done, claims bound or waiting for
        their first consumer, C(Ready) or C(Available) of custom resources), or until every deleted object is gone.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait. An error names what is not ready, and why.
    type: int
    default: 120
seealso:
  - module: kubernetes.core.k8s
"""

EXAMPLES = r"""
- name: A file of many documents as one set, pruned
  enclii.platform.apply:
    src: dashboards.yaml
    apply_set:
      name: dashboards
      namespace: enclii-system
    kubeconfig: /etc/kubernetes/admin.conf

- name: Objects from templates, until they are ready
  enclii.platform.apply:
    definition: "{{ query('ansible.builtin.template', 'namespace.yaml.j2', 'issuer.yaml.j2') }}"
    wait: true
    wait_timeout: 180

- name: The whole set goes
  enclii.platform.apply:
    state: absent
    apply_set:
      name: dashboards
      namespace: enclii-system
"""

RETURN = r"""
objects:
  description: What happened to each object, in the order of the definition; pruned and kept ones after them. Also on failure.
  returned: always
  type: list
  elements: dict
  sample:
    - apiVersion: v1
      kind: ConfigMap
      namespace: demo
      name: settings
      action: created
      source: file demo.yaml, document 1, line 1
  contains:
    apiVersion:
      description: Its API version.
      type: str
      returned: always
    kind:
      description: Its kind.
      type: str
      returned: always
    namespace:
      description: Its namespace; null for cluster-wide ones.
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    action:
      description:
        - V(created), V(changed), V(unchanged), V(adopted) (changed, and ours from now on), V(deleted), V(absent) (was not there),
          V(kept) (a member no longer wanted, of a kind that is never pruned).
      type: str
      returned: always
    source:
      description: Where it stands in the input.
      type: str
      returned: for objects of the input
    predicted:
      description: Only predicted, since its namespace or kind does not exist yet.
      type: bool
      returned: in check mode, where so
    note:
      description: What else is to be said.
      type: str
      returned: where there is something
counts:
  description: How many objects met with each action.
  returned: success
  type: dict
  sample: {created: 3, unchanged: 12}
apply_set:
  description: The set and what happened to its parent object.
  returned: where apply_set is given
  type: dict
  sample: {id: applyset-wHf5Gity0G0nPN34KuNBIBBEOu2H9ED2KqsblMPFygM-v1, name: dashboards, namespace: enclii-system,
           kind: ConfigMap, action: created}
error:
  description: The parts of the error message.
  returned: failure
  type: dict
  contains:
    object:
      description: What it is about.
      type: str
      returned: always
    where:
      description: File, document and line of it.
      type: str
      returned: always
    cause:
      description: Why.
      type: str
      returned: always
    next_step:
      description: What to do, and what was done before.
      type: str
      returned: always
    reason:
      description:
        - One of V(unparsable), V(invalid), V(unknown_kind), V(conflict), V(forbidden), V(quota), V(admission), V(unreachable),
          V(unauthorized), V(timeout), V(other_set), V(not_ready), V(config), V(api).
      type: str
      returned: always
"""

from ansible_collections.enclii.platform.plugins.module_utils.kube import arguments, front
from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run


def main() -> None:
    run(
        arguments.APPLY,
        lambda module, environ: front.apply(module.params, environ, check=module.check_mode, diff=module._diff),
    )


if __name__ == "__main__":
    main()
