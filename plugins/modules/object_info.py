#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: object_info
short_description: Look whether objects of a cluster exist and work
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Reads many objects and lists in one call and says of each whether it exists and is ready, as its kind means it.
  - With O(require) it waits until all are, and fails with all that are not in one message.
  - Of a Secret it returns nothing but whether it has certain keys, and where asked for a certificate in it, which is public.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.info_module
  - enclii.platform.attributes.actiongroup_kube
attributes:
  platform:
    platforms: posix
options:
  checks:
    description: What to look at, each by O(checks[].kind) and O(checks[].name) or by O(checks[].path).
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: Such as V(apps/v1).
        type: str
      kind:
        description: Such as V(Deployment).
        type: str
      name:
        description: Name of the object.
        type: str
      namespace:
        description: Its namespace, where it has one.
        type: str
      keys:
        description: Keys that a Secret or ConfigMap must have.
        type: list
        elements: str
      show:
        description: Keys of a ConfigMap to return.
        type: list
        elements: str
      certificate:
        description: A key of a Secret, or of the Secrets of a list, that holds a certificate, which is returned with its fingerprint.
        type: str
      fingerprint:
        description: SHA-256 fingerprint the certificate must have, hexadecimal, with or without colons.
        type: str
      path:
        description: Path of a list on the API server, with its query.
        type: str
      minimum:
        description: How many items the list must have.
        type: int
        default: 0
      whole:
        description: Read whole items; for API servers behind the aggregation layer that serve nothing else.
        type: bool
        default: false
  crds:
    description: Names of CustomResourceDefinitions whose objects are listed; their results follow those of O(checks).
    type: list
    elements: str
    default: []
  require:
    description: Fail unless all checks are met.
    type: bool
    default: false
  wait_timeout:
    description: With O(require), seconds to wait for it.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Wait until the controller and its API work
  enclii.platform.object_info:
    checks:
      - {api_version: apps/v1, kind: Deployment, namespace: enclii-system, name: metrics-server}
      - {path: /apis/metrics.k8s.io/v1beta1/nodes, minimum: 1, whole: true}
    require: true
    wait_timeout: 120
"""

RETURN = r"""
results:
  description: One result for each check, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    subject: {description: What it is about., type: str, returned: always}
    exists: {description: Whether it exists., type: bool, returned: always}
    ok: {description: Whether it exists and everything asked for is true., type: bool, returned: always}
    message: {description: Why it is not ok., type: str, returned: always}
    annotations: {description: Its annotations., type: dict, returned: for objects}
    data: {description: "The keys of O(checks[].show).", type: dict, returned: for ConfigMaps}
    certificate: {description: PEM of the certificate., type: str, returned: "with O(checks[].certificate)"}
    fingerprint: {description: SHA-256 of the certificate., type: str, returned: "with O(checks[].certificate)"}
    count: {description: Number of items., type: int, returned: for lists}
    certificates:
      description: Name of the Secret to its certificate and fingerprint.
      type: dict
      returned: for lists with O(checks[].certificate)
    names: {description: The items as C(namespace/name)., type: list, elements: str, returned: for lists}
"""

from ansible_collections.enclii.platform.plugins.module_utils.component import front
from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run


def main() -> None:
    run(front.OBJECT_INFO, lambda module, environ: front.object_info(module.params, environ))


if __name__ == "__main__":
    main()
