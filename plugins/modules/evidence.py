#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Keep what a drill, a probe or a rotation has proved
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Writes one object of the kind C(Evidence) (C(enclii.dev/v1)) that says what was proved, when, with which verdict and figures, and for
    how long that counts. It is never changed afterwards; the next proof writes another one.
  - Of the same kind and subject the newest O(keep) are kept, and the newest V(PASS) beside them, so that a proof does not vanish behind
    failures. Two writers at a time do each other no harm.
  - With O(s3) it is copied to a bucket as well, for proof that a cluster was lost and made again has to outlive it. Nothing there is ever
    overwritten or deleted.
  - Evidence is read by many. What looks like a secret is refused; that is a net for accidents, and no promise to find every secret.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
attributes:
  check_mode:
    support: full
    details:
      - The API server says whether it would take the object; nothing is written, deleted or copied.
  diff_mode:
    support: N/A
    details:
      - Nothing is ever changed; what is written is returned.
  idempotent:
    support: N/A
    details:
      - Every run writes another object, and none is a change. RV(ignore:changed) is always V(false).
  platform:
    platforms: posix
options:
  state:
    description:
      - V(written) - writes one, and with O(s3) copies it, and those of the same kind and subject that are not in the bucket yet.
      - V(copied) - copies all evidence of the namespace that is not in the bucket yet, and writes none.
    type: str
    choices: [written, copied]
    default: written
  namespace:
    description: Namespace of the evidence.
    type: str
    default: enclii-system
  kind:
    description: What was done, such as V(restore-drill). A DNS label of at most 40 characters. Needed to write.
    type: str
  subject:
    description: To what, such as a namespace or a database; at most 253 characters. Needed to write.
    type: str
  verdict:
    description: What came out. V(UNKNOWN) where it could not be told, which is no pass. Needed to write.
    type: str
    choices: [PASS, FAIL, UNKNOWN]
  started:
    description: When it began, as RFC 3339 with a zone, such as V(2026-11-23T04:05:00Z). O(ended) by default.
    type: str
  ended:
    description: When it ended, in the same form. Now by default.
    type: str
  valid_for:
    description: Hours from O(ended) for which it counts; after that it is V(UNKNOWN).
    type: int
    default: 168
  figures:
    description: What was measured, name to number, with the unit in the name. At most 64.
    type: dict
    default: {}
  versions:
    description: Versions of what took part, name to text. At most 64.
    type: dict
    default: {}
  findings:
    description: What was found, one sentence each, the worst first. At most 200 are kept, and it is said how many are not.
    type: list
    elements: str
    default: []
  details:
    description: Anything else, as JSON has it. At most 64 KiB; what is larger is left out, and it is said that it is.
    type: dict
    default: {}
  keep:
    description: How many of the same kind and subject are kept in the cluster. Those in the bucket all stay.
    type: int
    default: 10
  s3:
    description: Bucket for copies, as C(inventory/kind/subject/name.json) below the prefix. Give it versions and a lifecycle of its own.
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
        description: Beginning of the objects' names.
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
requirements:
  - boto3, for O(s3)
notes:
  - Needs the rights of Role C(enclii-evidence-writer) in the namespace, which role P(enclii.platform.baseline#role) makes together with
    the kind.
  - Inventory and cluster are taken from ConfigMap C(enclii-cluster) of the namespace.
  - Copies are made before older evidence is deleted. Where the copy fails the new evidence is in the cluster nevertheless and nothing is
    deleted, so the next copy takes all of it along.
seealso:
  - module: enclii.platform.evidence_info
"""

EXAMPLES = r"""
- name: Keep what the restore drill proved
  enclii.platform.evidence:
    kind: restore-drill
    subject: enclii-production/orders
    verdict: PASS
    started: "{{ drill.started }}"
    ended: "{{ drill.ended }}"
    valid_for: 192
    figures: {seconds: 212.4, restored_mib: 1830}
    versions: {postgresql: "17.5"}
    s3:
      endpoint: https://s3.example.com
      bucket: evidence
      access_key: "{{ evidence_access_key }}"
      secret_key: "{{ evidence_secret_key }}"

- name: Copy what others have written
  enclii.platform.evidence:
    state: copied
    s3: "{{ evidence_s3 }}"
"""

RETURN = r"""
evidence:
  description: The object as the cluster has it, or would have it.
  returned: "with O(state=written)"
  type: dict
deleted:
  description: Names of older ones that were deleted, or would be.
  returned: "with O(state=written)"
  type: list
  elements: str
copied:
  description: Where in the bucket copies were written, or would be.
  returned: success
  type: list
  elements: str
  sample: ["s3://evidence/prod/restore-drill/enclii-production-orders-1f0c2a9b/restore-drill-….json"]
"""

from ansible_collections.enclii.platform.plugins.module_utils.evidence import front
from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run


def main() -> None:
    run(front.EVIDENCE, lambda module, environ: front.evidence(module.params, environ, check=module.check_mode))


if __name__ == "__main__":
    main()
