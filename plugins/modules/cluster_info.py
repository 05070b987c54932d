#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: Which cluster is this, and what does it offer
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Everything a play has to know of a cluster before it changes it, asked for in parallel.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.info_module
  - enclii.platform.attributes.actiongroup_kube
attributes:
  platform:
    platforms: posix
options:
  identity_namespace:
    description:
      - Namespace of the ConfigMap in which the cluster's identity is recorded.
    type: str
    default: enclii-system
  identity_name:
    description:
      - Name of that ConfigMap.
    type: str
    default: enclii-cluster
  api_groups:
    description:
      - API groups to look for, such as V(cert-manager.io).
    type: list
    elements: str
    default: []
  crds:
    description:
      - CustomResourceDefinitions to look for, such as V(certificates.cert-manager.io).
    type: list
    elements: str
    default: []
  releases:
    description:
      - Return the Helm releases, too, as M(enclii.platform.release_info) does with
        O(enclii.platform.release_info#module:check_objects=true). It saves a play a task, and with it a process and a login.
    type: bool
    default: false
  inside:
    description:
      - Return the namespaces and the sets of objects that were applied, too.
    type: bool
    default: false
  network:
    description:
      - Return RV(network), too, which network policies are rendered from. It lists all nodes.
    type: bool
    default: false
  allow_unreachable:
    description:
      - Return RV(reachable=false) and RV(cause) instead of failing where no API server answers, or no kubeconfig is there yet.
        Refused credentials fail all the same.
    type: bool
    default: false
seealso:
  - module: kubernetes.core.k8s_cluster_info
"""

EXAMPLES = r"""
- name: Which cluster is this
  enclii.platform.cluster_info:
    kubeconfig: /etc/kubernetes/admin.conf
    api_groups: [cert-manager.io]
    allow_unreachable: true
  register: cluster
"""

RETURN = r"""
reachable:
  description: Whether the API server answered.
  returned: success
  type: bool
cause:
  description: Why it did not; empty where it did.
  returned: success
  type: str
server:
  description: Address of the API server.
  returned: when reachable
  type: str
version:
  description: Version of the API server.
  returned: when reachable
  type: dict
  sample: {git_version: v1.36.3, major: "1", minor: "36"}
kube_system_uid:
  description: UID of the namespace kube-system, which identifies the cluster.
  returned: when reachable
  type: str
identity:
  description: Data of the identity ConfigMap; null where there is none.
  returned: when reachable
  type: dict
storage_classes:
  description: The storage classes.
  returned: when reachable
  type: list
  elements: dict
  contains:
    name:
      description: Name of the class.
      type: str
      returned: always
    provisioner:
      description: Its provisioner.
      type: str
      returned: always
    default:
      description: Whether it is marked as default.
      type: bool
      returned: always
    allow_volume_expansion:
      description: Whether its volumes can grow.
      type: bool
      returned: always
    volume_binding_mode:
      description: V(Immediate) or V(WaitForFirstConsumer).
      type: str
      returned: always
    reclaim_policy:
      description: V(Delete) or V(Retain).
      type: str
      returned: always
api_groups:
  description: Served versions of each asked group; an empty list where the group is not served.
  returned: when reachable
  type: dict
  sample: {cert-manager.io: [v1]}
crds:
  description: Whether each asked definition exists and is established.
  returned: when reachable
  type: dict
  sample: {certificates.cert-manager.io: true}
namespaces:
  description: Labels of each namespace; one that is being deleted counts as gone.
  returned: when reachable and asked for
  type: dict
  sample: {kube-system: {kubernetes.io/metadata.name: kube-system}}
sets:
  description: Names of the sets of objects, as M(enclii.platform.apply) makes them, whose parents are in O(identity_namespace).
  returned: when reachable and asked for
  type: list
  elements: str
  sample: [baseline, storage]
releases:
  description: RV(enclii.platform.release_info#module:releases).
  returned: when reachable and asked for
  type: list
  elements: dict
network:
  description: What the cluster's network is like, as far as its API tells.
  returned: when reachable and asked for
  type: dict
  contains:
    api_server:
      description: Each C(address) and C(port) behind the Service C(kubernetes) in C(default).
      type: list
      elements: dict
      returned: always
    control_plane:
      description:
        - Addresses from which the API server calls webhooks - those of the control plane's nodes and its own.
      type: list
      elements: str
      returned: always
    nodes:
      description: Addresses of all nodes, ends of tunnels among them where the nodes name them (Calico, flannel).
      type: list
      elements: str
      returned: always
    dns:
      description:
        - The cluster's DNS, by the Service labelled C(k8s-app=kube-dns) in C(kube-system) - its C(namespace), the C(labels) and
          C(ports) of its pods, and the C(addresses) of the Service. Without labels and addresses where there is none.
      type: dict
      returned: always
    pod_networks:
      description: Networks that pods have their addresses from, as far as the nodes say so.
      type: list
      elements: str
      returned: always
  sample:
    api_server: [{address: 192.0.2.10, port: 6443}]
    control_plane: [192.0.2.10]
    nodes: [192.0.2.10, 192.0.2.11]
    dns:
      namespace: kube-system
      labels: {k8s-app: kube-dns}
      addresses: [10.96.0.10]
      ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
    pod_networks: [10.244.0.0/23]
"""

from ansible_collections.enclii.platform.plugins.module_utils.kube import arguments, front
from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run


def main() -> None:
    run(arguments.CLUSTER_INFO, lambda module, environ: front.cluster_info(module.params, environ))


if __name__ == "__main__":
    main()
