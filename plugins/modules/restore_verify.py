#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: restore_verify
short_description: Restore a backup, start it, and look whether everything is there
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Makes one pod after the pattern of the CronJob C(CLUSTER-restore-proof) that role P(enclii.platform.patroni#role) makes. It has a volume
    of its own, no token of an account, credentials that may only read the repository, and reaches nothing but that.
  - In it the repository is held against itself first. There must be a backup, of this cluster, whose files are there and as long as its
    manifest says, all WAL from its beginning to the target without a gap, and room for it. What C(pgbackrest info) says is parsed, and
    neither exit codes nor quiet fallbacks to a copy are trusted.
  - Then it is restored and started, each timed, and looked at. The heartbeat says how much would have been lost, a mark that recovery
    stopped where it was told to. Databases, roles, extensions and rows are compared with what the live cluster said of itself;
    C(pg_amcheck), C(pg_dump) and C(pg_checksums) read all of it.
  - Whatever fails has a name, such as V(missing_wal) or V(wrong_key); docs/restore-proof.md lists them. What could not be looked at is
    V(UNKNOWN), which is no pass.
  - Everything it makes carries the label C(restore.enclii.dev/run) and is taken away again. What a killed run left behind, the next one
    takes away; its pod ends by itself, and its volume goes with it.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
attributes:
  check_mode:
    support: full
    details: Says what would be asked for, and makes nothing.
  diff_mode:
    support: N/A
    details: What it makes does not stay.
  idempotent:
    support: full
    details: It leaves the cluster as it was.
  platform:
    platforms: posix
options:
  namespace:
    description:
      - Namespace of the database.
    type: str
    default: enclii-data
  cluster:
    description:
      - Name of the database's cluster.
    type: str
    default: postgres
  target:
    description:
      - Where recovery is to stop.
    type: dict
    default: {}
    suboptions:
      type:
        description:
          - V(latest) is the end of the archive. V(mark) is the newest mark of the heartbeat, at which rows can be compared exactly. V(time)
            and V(lsn) are what O(target.value) says.
        type: str
        choices: [latest, mark, time, lsn]
        default: latest
      value:
        description:
          - The moment, as RFC 3339 with a zone, or the position in the WAL.
        type: str
        default: ""
  set:
    description:
      - Label of the backup. By default it is the newest before the target.
    type: str
    default: ""
  verify:
    description:
      - What C(pgbackrest verify) reads beside, V(backup) the files of the backup, V(all) all backups and all WAL. Restoring compares
        checksums of all that it uses anyhow.
    type: str
    choices: [none, backup, all]
    default: none
  max_rpo:
    description:
      - Seconds that may be lost. More fails. By default what the role says.
    type: int
  jobs:
    description:
      - Processes that restore and that check. By default what the role says.
    type: int
  timeout:
    description:
      - Seconds for all that the pod does.
    type: int
    default: 3600
  start_timeout:
    description:
      - Seconds until the pod must run, with its volume and its image.
    type: int
    default: 300
  evidence:
    description:
      - Keep the result as Evidence of kind V(restore-proof), the subject being C(namespace/cluster), with C(to a mark), C(to a time) or
        C(to a lsn) behind it for such a target.
    type: dict
    suboptions:
      namespace:
        description: Namespace of the evidence.
        type: str
        default: enclii-system
      keep:
        description: How many are kept.
        type: int
        default: 10
      valid_for:
        description: Hours for which it counts.
        type: int
        default: 192
notes:
  - Needs C(create), C(get), C(list) and C(deletecollection) of pods and C(configmaps), C(patch) of the latter, C(list) of
    C(persistentvolumeclaims), C(get) of C(pods/log) and of C(cronjobs) in the namespace.
seealso:
  - module: enclii.platform.evidence
"""

EXAMPLES = r"""
- name: Prove that the newest backup can be restored
  enclii.platform.restore_verify:
    evidence: {}
  register: proof
  failed_when: proof.verdict != 'PASS'

- name: Prove that recovery stops where it is told to
  enclii.platform.restore_verify:
    target: {type: mark}
    max_rpo: 300
"""

RETURN = r"""
verdict:
  description: V(PASS), V(FAIL), or V(UNKNOWN) where something could not be looked at.
  returned: not in check mode
  type: str
findings:
  description: One sentence for each failure, beginning with its name, and for each check that is not known.
  returned: not in check mode
  type: list
  elements: str
failures:
  description: The same as data, with C(name), C(object), C(cause) and C(next).
  returned: not in check mode
  type: list
  elements: dict
checks:
  description: Every check with C(name), C(verdict) and C(why).
  returned: not in check mode
  type: list
  elements: dict
figures:
  description:
    - C(rpo_seconds), C(rto_seconds), seconds of every phase, bytes, segments, rows, pages. C(own_seconds) is all but the tools' time.
  returned: not in check mode
  type: dict
facts:
  description: The backup, the system, timelines, the first and the last segment of WAL.
  returned: not in check mode
  type: dict
versions:
  description: Of PostgreSQL and pgBackRest.
  returned: not in check mode
  type: dict
notices:
  description: What is no failure and worth reading.
  returned: success
  type: list
  elements: str
swept:
  description: Killed runs that were taken away.
  returned: not in check mode
  type: list
  elements: str
evidence:
  description: Name of the evidence.
  returned: with O(evidence)
  type: str
request:
  description: What the pod would be asked for.
  returned: in check mode
  type: dict
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
from ansible_collections.enclii.platform.plugins.module_utils.restoring import front
from ansible_collections.enclii.platform.plugins.module_utils.restoring.arguments import RESTORE_VERIFY


def main() -> None:
    run(RESTORE_VERIFY, lambda module, environ: front.restore_verify(module.params, environ, check=module.check_mode))


if __name__ == "__main__":
    main()
