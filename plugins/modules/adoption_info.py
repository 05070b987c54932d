#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: adoption_info
short_description: Say what walls around a namespace would break in it
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Judges namespaces as if they were in mode V(enforce) already, and says of everything that runs there what would break, and what to do
    about it.
  - Pod Security is judged by the API server, asked as a dry run for the label. Admission is judged by the policies themselves, which
    warn of each workload in a dry run, and of one of each group of pods that a controller made; a namespace that no policy of the
    platform watches yet counts as not ready.
  - Network policies are judged before they are there, by what the flows are rendered to and what others have applied. Named are pods
    that no flow names, Services whose pods nobody may reach, and pods that would lose DNS or the API server. Traffic is not observed;
    pods from which, or to which, no flow leads are listed as something to know.
  - Quota and limits are compared with what is used now. Only what keeps pods from coming back counts as breaking.
  - Nothing is changed.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.info_module
  - enclii.platform.attributes.actiongroup_kube
attributes:
  platform:
    platforms: posix
options:
  namespaces:
    description: The namespaces to judge.
    type: list
    elements: str
    required: true
  spaces:
    description: Namespace to its mode, V(enforce) or V(observe), of all that have walls.
    type: dict
    default: {}
  components:
    description: The components with their C(name), C(namespace), C(state) and C(flows).
    type: list
    elements: dict
    default: []
  flows:
    description: Flows of the inventory.
    type: list
    elements: dict
    default: []
  environments:
    description: The namespaces that a flow means by C(environments).
    type: list
    elements: str
    default: []
  dns_addresses:
    description: Addresses that answer DNS besides the cluster's.
    type: list
    elements: str
    default: []
  levels:
    description: Namespace to its Pod Security level, where it is not V(restricted).
    type: dict
    default: {}
  limits:
    description: Namespace to the C(limits) of its containers and its C(quota), as they will be.
    type: dict
    default: {}
  set_namespace:
    description: Namespace of the set that holds the walls; its policies are judged as they will be, not as they are.
    type: str
    default: enclii-system
seealso:
  - module: enclii.platform.network_probe
"""

EXAMPLES = r"""
- name: Ask what would break
  enclii.platform.adoption_info:
    namespaces: [shop]
    environments: [shop]
    flows:
      - {name: web, from: any, to: {namespace: shop, pods: {app: web}}, port: 8080}
  register: adoption
"""

RETURN = r"""
ready:
  description: Whether nothing would break in any of them.
  returned: success
  type: bool
report:
  description: All of it for people, namespace by namespace.
  returned: success
  type: str
namespaces:
  description: One item for each namespace, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: always}
    exists: {description: Whether it is there., type: bool, returned: always}
    mode: {description: "V(enforce), V(observe), or empty where it has no walls yet.", type: str, returned: always}
    workloads: {description: How many workloads were judged., type: int, returned: always}
    pods: {description: How many pods run or are to run there., type: int, returned: always}
    ready: {description: Whether nothing would break., type: bool, returned: always}
    findings:
      description: What was found, what breaks first.
      returned: always
      type: list
      elements: dict
      contains:
        area: {description: "V(pod-security), V(admission), V(network), V(quota) or V(limits).", type: str, returned: always}
        object: {description: "What it is about, as C(Kind namespace/name).", type: str, returned: always}
        cause: {description: What would happen to it., type: str, returned: always}
        next_step: {description: What to do about it., type: str, returned: always}
        breaks: {description: Whether something would break; otherwise it is only to know., type: bool, returned: always}
"""

from ansible_collections.enclii.platform.plugins.module_utils.adoption import front
from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run


def main() -> None:
    run(front.ADOPTION_INFO, lambda module, environ: front.adoption_info(module.params, environ))


if __name__ == "__main__":
    main()
