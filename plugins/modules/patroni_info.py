#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_info
short_description: What the members of a Patroni cluster run, and what is to be done next
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Reads the StatefulSet, its pods and Patroni's ConfigMaps, and says which step brings the cluster nearer to what it should be.
  - The step follows from what is there alone, so that a rolling update that was cut off goes on where it stood.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.info_module
  - enclii.platform.attributes.actiongroup_kube
attributes:
  platform:
    platforms: posix
options:
  namespace:
    description: Namespace of the cluster.
    type: str
    required: true
  cluster:
    description: Name of the cluster, which is that of its StatefulSet and its scope.
    type: str
    required: true
  configuration:
    description: Patroni's dynamic configuration as it should be. C(pause) and C(standby_cluster) stay as they are.
    type: dict
    default: {}
  done:
    description: Steps that this run has taken, each as action and pod. A step that was taken twice and did not help ends the run.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds to wait until there is something to do, or nothing any more. It fails when they are over.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: What is to be done next
  enclii.platform.patroni_info:
    namespace: enclii-data
    cluster: postgres
    wait_timeout: 600
  register: postgres
"""

RETURN = r"""
exists:
  description: Whether there is such a StatefulSet.
  returned: success
  type: bool
leader:
  description: Pod that holds the leader's lock, or an empty text.
  returned: success
  type: str
members:
  description: The pods.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: always}
    uid: {description: Its UID., type: str, returned: always}
    revision: {description: Revision of the StatefulSet that it runs., type: str, returned: always}
    ready: {description: Whether it is ready., type: bool, returned: always}
    terminating: {description: Whether it is being stopped., type: bool, returned: always}
    role: {description: Its role as Patroni says., type: str, returned: always}
    state: {description: "Its state, V(streaming) for a replica that follows.", type: str, returned: always}
    timeline: {description: Its timeline., type: int, returned: always}
    location: {description: How far its WAL is., type: int, returned: always}
    pending_restart: {description: Whether parameters wait for a restart., type: bool, returned: always}
step:
  description: What is to be done next.
  returned: success
  type: dict
  contains:
    action:
      description: One of V(none), V(wait), V(stop), V(delete), V(switchover) and V(restart).
      type: str
      returned: always
    member: {description: The pod it is about., type: str, returned: always}
    candidate: {description: The pod that becomes leader., type: str, returned: always}
    reason: {description: Why., type: str, returned: always}
configuration:
  description: Patroni's dynamic configuration.
  returned: success
  type: dict
  contains:
    text: {description: "As it should be, as JSON.", type: str, returned: always}
    differs: {description: Whether the cluster's is another one., type: bool, returned: always}
    changes: {description: Names of what differs., type: list, elements: str, returned: always}
"""

from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run
from ansible_collections.enclii.platform.plugins.module_utils.postgres import members


def main() -> None:
    run(members.PATRONI_INFO, lambda module, environ: members.patroni_info(module.params, environ))


if __name__ == "__main__":
    main()
