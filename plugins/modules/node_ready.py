#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_ready
short_description: Approve serving certificates of nodes and wait until the cluster can use them
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Approves pending requests of the signer C(kubernetes.io/kubelet-serving) after comparing requestor, subject, names
    and addresses with O(nodes). A request of one of these nodes that does not fit is an error, others are left alone.
  - Waits until every node is Ready and its kubelet answers the API server with a certificate of the cluster, and until
    the workloads are ready.
  - In check mode it looks once, approves nothing and does not wait.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
requirements:
  - cryptography >= 3.3
options:
  kubeconfig:
    description: Kubeconfig of an administrator.
    type: path
  context:
    description: Context in it.
    type: str
  nodes:
    description: Name of each node to the list of its addresses.
    type: dict
    required: true
  ready:
    description: Whether to wait for Ready; V(false) where there is no pod network yet.
    type: bool
    default: true
  workloads:
    description: What must run too. A DaemonSet needs a ready pod for each of O(nodes), a Deployment one replica.
    type: list
    elements: dict
    default: []
    suboptions:
      resource:
        description: Which resource of the group apps.
        type: str
        choices: [deployments, daemonsets]
        required: true
      namespace:
        description: Its namespace.
        type: str
        required: true
      name:
        description: Its name.
        type: str
        required: true
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Wait for the nodes
  enclii.platform.node_ready:
    kubeconfig: ~/.kube/enclii.conf
    nodes:
      worker-1: [192.0.2.11]
"""

RETURN = r"""
approved:
  description: Names of the requests that were, or in check mode would be, approved.
  returned: success
  type: list
  elements: str
versions:
  description: Name of each node to the version of its kubelet.
  returned: success
  type: dict
missing:
  description: In check mode, what is not ready, and why.
  returned: success
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError, KubeError
from ansible_collections.enclii.platform.plugins.module_utils.node import ready, serving


def main() -> None:
    workload = {
        "resource": {"type": "str", "choices": ["deployments", "daemonsets"], "required": True},
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path"},
            "context": {"type": "str"},
            "nodes": {"type": "dict", "required": True},
            "ready": {"type": "bool", "default": True},
            "workloads": {"type": "list", "elements": "dict", "default": [], "options": workload},
            "wait_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    params = module.params
    if serving.CRYPTOGRAPHY_MISSING:
        module.fail_json(msg=missing_required_lib("cryptography >= 3.3"), exception=serving.CRYPTOGRAPHY_MISSING)
    wanted = ready.Wanted(
        nodes=params["nodes"],
        ready=params["ready"],
        workloads=[(item["resource"], item["namespace"], item["name"]) for item in params["workloads"]],
    )
    try:
        # An API server that has just started may still refuse: asking again is this module's own work.
        client = Client(load_login(params, os.environ), patience=2.0, first_contact=20.0)
        if module.check_mode:
            seen = ready.Seen()
            ready.look(client, wanted, seen, set(), change=False)
        else:
            seen = ready.wait(client, wanted, params["wait_timeout"])
    except (ready.NotReadyError, KubeError, ApiError) as error:
        module.fail_json(msg=str(error))
    for stranger in seen.strangers:
        module.warn(f"CertificateSigningRequest {stranger}; left as it is")
    module.exit_json(changed=bool(seen.approved), approved=seen.approved, versions=seen.versions, missing=seen.missing)


if __name__ == "__main__":
    main()
