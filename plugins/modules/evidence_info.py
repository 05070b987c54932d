#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_info
short_description: What is proved at this moment, and what is not
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Says of every kind and subject what its newest evidence says now. Evidence that has expired is V(UNKNOWN), and so is what is expected
    and not there. V(UNKNOWN) is not a pass.
  - With O(require) it fails unless everything is V(PASS), and names all that is not in one message.
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
    description: Namespace of the evidence.
    type: str
    default: enclii-system
  kinds:
    description: Only these kinds, such as V(network-probe), and what is O(expected) of others. All by default.
    type: list
    elements: str
    default: []
  expected:
    description: What has to be proved. What of it is not there counts as V(UNKNOWN).
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the evidence.
        type: str
        required: true
      subject:
        description: Its subject.
        type: str
        required: true
  require:
    description: Fail unless everything that is found or expected is V(PASS), and there is something.
    type: bool
    default: false
seealso:
  - module: enclii.platform.evidence
"""

EXAMPLES = r"""
- name: Stop where the restore is not proved
  enclii.platform.evidence_info:
    kinds: [restore-drill]
    expected:
      - {kind: restore-drill, subject: enclii-production/orders}
    require: true
"""

RETURN = r"""
installed:
  description: Whether the kind C(Evidence) is installed in the cluster.
  returned: success
  type: bool
states:
  description: One for each kind and subject, sorted.
  returned: success
  type: list
  elements: dict
  contains:
    kind: {description: Kind of the evidence., type: str, returned: always}
    subject: {description: Its subject., type: str, returned: always}
    state: {description: "V(PASS), V(FAIL) or V(UNKNOWN), at this moment.", type: str, returned: always}
    why: {description: Why it is not V(PASS); empty where it is., type: str, returned: always}
    name: {description: Name of the newest object; empty where there is none., type: str, returned: always}
    verdict: {description: What that object says., type: str, returned: always}
    started: {description: When the proof began., type: str, returned: always}
    ended: {description: When it ended., type: str, returned: always}
    expires: {description: Until when it counts., type: str, returned: always}
    findings: {description: What was found., type: list, elements: str, returned: always}
    figures: {description: What was measured., type: dict, returned: always}
    versions: {description: Versions of what took part., type: dict, returned: always}
    last_pass: {description: When the newest V(PASS) ended; empty where there is none., type: str, returned: always}
failing:
  description: All that are not V(PASS), in words.
  returned: success
  type: list
  elements: str
  sample: ["network-probe of enclii-dev: FAIL, cart -> database 5432 is open"]
"""

from ansible_collections.enclii.platform.plugins.module_utils.evidence import front
from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run


def main() -> None:
    run(front.EVIDENCE_INFO, lambda module, environ: front.evidence_info(module.params, environ))


if __name__ == "__main__":
    main()
