#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Take a backup of the databases now, and wait for it
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Makes a Job as CronJob C(<cluster>-backup-<type>) would, and waits until it has ended. The label of the backup is what its pod found
    new in the repository afterwards, whole and of the type that was asked for.
  - While another backup is under way the Job waits for it.
  - Where waiting ends before the Job does, or the play is killed, the Job goes on.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
attributes:
  check_mode:
    support: full
    details: Says that one would be taken, and takes none.
  diff_mode:
    support: N/A
    details: There is nothing to compare.
  idempotent:
    support: partial
    details: Only with O(only_first); else every run takes another one.
  platform:
    platforms: posix
options:
  namespace:
    description: Namespace of the databases.
    type: str
    default: enclii-data
  cluster:
    description: Name of the cluster of databases, which is that of the stanza, too.
    type: str
    default: postgres
  type:
    description: What is taken - everything, what has changed since the last full one, or since the last one of any kind. The first is full.
    type: str
    choices: [full, diff, incr]
    default: full
  only_first:
    description: Take none where a Job of one of the CronJobs has ended well before. That costs one request, and proves nothing.
    type: bool
    default: false
  timeout:
    description: Seconds to wait.
    type: int
    default: 21600
notes:
  - Needs the rights to get and list CronJobs, to create and get Jobs, to list pods and to get C(pods/log) in the namespace.
seealso:
  - module: enclii.platform.backup_info
"""

EXAMPLES = r"""
- name: Take a full backup before a migration
  enclii.platform.backup:
    namespace: enclii-data
  register: taken

- name: Say which
  ansible.builtin.debug:
    var: taken.label
"""

RETURN = r"""
label:
  description: The backup's name, empty where none was taken.
  returned: success
  type: str
  sample: 20261123-124102F
type:
  description: What it is, which may be V(full) where less was asked for and there was no full one.
  returned: success
  type: str
job:
  description: Name of the Job.
  returned: success
  type: str
seconds:
  description: How long it took in the pod.
  returned: where one was taken
  type: float
bytes:
  description: Size of the database.
  returned: where one was taken
  type: int
repository_bytes:
  description: What it added to the repository.
  returned: where one was taken
  type: int
expired:
  description: Labels of the backups that were thrown away after it.
  returned: where one was taken
  type: list
  elements: str
last_success:
  description: When a Job ended well before.
  returned: with O(only_first) where none was taken
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
from ansible_collections.enclii.platform.plugins.module_utils.postgres import backups


def main() -> None:
    run(backups.BACKUP, lambda module, environ: backups.backup(module.params, environ, check=module.check_mode))


if __name__ == "__main__":
    main()
