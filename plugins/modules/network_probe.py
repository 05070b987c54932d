#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: network_probe
short_description: Try who reaches whom, with real connections from real pods
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Makes one pod for each kind of pod that the flows know, with its labels and in its namespace, and lets each of them try all the others,
    whether a flow allows it or not. One more, the stranger, stands in a namespace without walls that is made for the run. Ready pods that
    really serve a flow are tried too, and so are the cluster's DNS, the API server, nodes, and single addresses outside.
  - A connection that got through where none is declared is V(open), one that did not where one is declared is V(closed). What does not get
    through counts as denied only while somebody else reaches the same port in the same run; otherwise it is V(unknown).
  - Findings name the policy that opens or closes, the policy or the label that is missing, or the node on which nothing enforces policies.
    A policy of the walls that is not what the flows say is a finding whether a pair meets it or not. One that nobody declared is a notice.
  - Everything it makes carries the label C(probe.enclii.dev/run) and is taken away again. What a killed run left behind, the next one takes
    away. No workload adopts a probe pod. No Service sends anybody to one, for it is never ready; kinds of pods that a Service with
    C(publishNotReadyAddresses) selects are left out, with a notice.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
attributes:
  check_mode:
    support: full
    details: Says what would be tried, and makes nothing.
  diff_mode:
    support: N/A
    details: What it makes does not stay.
  idempotent:
    support: full
    details: It leaves the cluster as it was.
  platform:
    platforms: posix
options:
  components:
    description:
      - The components, each with C(name), C(namespace), C(state) and C(flows), as in C(component_definition) of the role
        P(enclii.platform.component#role).
    type: list
    elements: dict
    default: []
  flows:
    description:
      - The flows of applications, as in C(enclii_flows).
    type: list
    elements: dict
    default: []
  environments:
    description:
      - Namespaces of the environments.
    type: list
    elements: str
    default: []
  spaces:
    description:
      - Name of each namespace with walls to V(enforce) or V(observe). Each gets probe pods, but for namespaces of node agents in which no
        agent runs.
    type: dict
    required: true
  dns_addresses:
    description:
      - Addresses beside the cluster's DNS that answer for names, such as a cache on each node.
    type: list
    elements: str
    default: []
  rehearse:
    description:
      - A namespace that is to be enforced. A scratch namespace gets the policies that it would get, those of its own that it has already,
        and pods with the labels of its pods. Only what no pod can live without is tried. That is DNS, the API server, nodes and addresses
        outside.
    type: str
  sources:
    description:
      - Try only these, each a namespace, or a pattern of C(namespace/name). The stranger is V(outside/stranger).
    type: list
    elements: str
    default: []
  targets:
    description:
      - Try only to reach these, as O(sources), or a pattern of another target such as V(cluster DNS) or V(API server *).
    type: list
    elements: str
    default: []
  image:
    description:
      - Image of the probe pods. All it must have is C(python3), 3.9 or newer.
    type: str
    default: docker.io/library/python:3.13-slim
  timeout:
    description:
      - Seconds to wait for the probe pods to run. What does not run by then is V(unknown).
    type: int
    default: 60
  parallel:
    description:
      - How many requests to the API server are under way at a time.
    type: int
    default: 8
  fail_on:
    description:
      - Fail where the verdict is V(FAIL) with V(fail), or also where it is V(UNKNOWN) with V(unknown). Where nothing is said that is
        V(never), and with O(rehearse) V(fail).
    type: str
    choices: [fail, unknown, never]
  evidence:
    description:
      - Where to write what was found, as an object of kind Evidence. Without it nothing is written.
    type: dict
    suboptions:
      namespace:
        description: Its namespace.
        type: str
        default: enclii-system
      keep:
        description: How many of the same subject are kept.
        type: int
        default: 10
      valid_for:
        description: Hours for which it counts.
        type: int
        default: 192
"""

EXAMPLES = r"""
- name: Try the walls
  enclii.platform.network_probe:
    components:
      - name: cert_manager
        namespace: cert-manager
        state: present
        flows:
          - {name: cert-manager-api, from: cert_manager, to: api-server, port: 443}
    flows:
      - {name: web, from: {namespace: ingress}, to: environments, port: 8080}
    environments: [shop]
    spaces: {shop: enforce, cert-manager: enforce}
  register: probe

- name: Stop where they have a hole
  ansible.builtin.assert:
    that: probe.verdict == 'PASS'
    fail_msg: "{{ probe.findings | join('\n') }}"

- name: Try what enforcing would break
  enclii.platform.network_probe:
    spaces: {shop: observe}
    rehearse: shop
"""

RETURN = r"""
verdict:
  description:
    - V(FAIL) if anything is open or closed against the declaration, or a policy of the walls differs from it, else V(UNKNOWN) if anything
      is unknown, else V(PASS).
  returned: success, not in check mode
  type: str
  sample: PASS
findings:
  description: One sentence for each cause, the holes first.
  returned: success, not in check mode
  type: list
  elements: str
notices:
  description: What was noticed and is no verdict, such as what could not be taken away.
  returned: success
  type: list
  elements: str
counts:
  description: How many pairs are ok, open, closed and unknown.
  returned: success, not in check mode
  type: dict
figures:
  description: The counts, how many seconds each part of the run took, and after how many all was as declared.
  returned: success, not in check mode
  type: dict
plan:
  description: What was tried, or in check mode would be. Pods, namespaces, and numbers of pairs.
  returned: success
  type: dict
pairs:
  description: Every pair.
  returned: success
  type: list
  elements: dict
  contains:
    source: {description: Namespace and name of the kind of pod., type: str, returned: always}
    target: {description: The same of the other side., type: str, returned: always}
    port: {description: Its port., type: int, returned: always}
    protocol: {description: TCP or UDP., type: str, returned: always}
    kind:
      description: V(probe) for a pod of the run, V(server) for one that really serves, V(dns), V(api), V(node), V(outside), V(metadata).
      type: str
      returned: always
    expected: {description: open or closed., type: str, returned: always}
    flow: {description: The flow that opens it., type: str, returned: always}
    outcome: {description: "connected, refused, timeout, dns-failed or error.", type: str, returned: not in check mode}
    ms: {description: Milliseconds it took., type: float, returned: not in check mode}
    verdict: {description: "ok, open, closed or unknown.", type: str, returned: not in check mode}
    why: {description: The cause., type: str, returned: where it is not ok}
swept:
  description: Killed runs whose leftovers were taken away.
  returned: success, not in check mode
  type: list
  elements: str
evidence:
  description: Name of the Evidence.
  returned: where it was written
  type: str
error:
  description: What stood in the way.
  returned: failure
  type: dict
  contains:
    object: {description: What it is about., type: str, returned: always}
    cause: {description: Why., type: str, returned: always}
    next_step: {description: What to do., type: str, returned: always}
    reason: {description: "As RV(enclii.platform.apply#module:error.reason).", type: str, returned: always}
"""

from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run
from ansible_collections.enclii.platform.plugins.module_utils.probing import arguments, front


def main() -> None:
    run(
        arguments.NETWORK_PROBE,
        lambda module, environ: front.network_probe(module.params, environ, check=module.check_mode),
    )


if __name__ == "__main__":
    main()
