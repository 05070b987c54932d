#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Read from the repository itself which backups there are, and what is wrong with them
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Makes a Job after the pattern of CronJob C(<cluster>-backup-full), whose pod reads the repository of pgBackRest and changes nothing in
    it. What it says is judged here. The Job is taken away again; one whose maker was killed goes by itself a minute after its end.
  - A Job that ended well proves nothing. So the backups, the WAL that each of them needs, and the archive are set against each other.
  - What cannot be seen without restoring is not seen here; that is what C(playbooks/verify_restore.yml) is for.
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
    description: Namespace of the databases.
    type: str
    default: enclii-data
  cluster:
    description: Name of the cluster of databases, which is that of the stanza, too.
    type: str
    default: postgres
  max_age_full:
    description: Hours after which the last sound full backup is too old; V(0) for no limit.
    type: float
    default: 192.0
  max_age:
    description: Hours after which the last sound backup of any kind is too old; V(0) for no limit.
    type: float
    default: 30.0
  max_age_archive:
    description: Minutes after which the newest WAL in the repository is too old; V(0) for no limit.
    type: float
    default: 15.0
  system_id:
    description:
      - System identifier of the database whose backups these must be. Empty, the one that Patroni keeps; without a cluster, any.
    type: str
    default: ""
  timeout:
    description: Seconds that the Job may take.
    type: int
    default: 300
  require:
    description: Fail where there is a finding.
    type: bool
    default: false
notes:
  - Needs the rights to get the CronJob and ConfigMap C(<cluster>-config), to create, get and delete Jobs, to list pods and to get
    C(pods/log) in the namespace.
seealso:
  - module: enclii.platform.backup
"""

EXAMPLES = r"""
- name: Read what the repository holds
  enclii.platform.backup_info:
    namespace: enclii-data
  register: backups

- name: Stop where no backup is sound
  ansible.builtin.assert:
    that: backups.state == 'ok'
    fail_msg: "{{ backups.findings | map(attribute='text') | join('\n') }}"
"""

RETURN = r"""
state:
  description: V(ok), or V(findings).
  returned: success
  type: str
  sample: ok
findings:
  description:
    - What is wrong. Names are V(stanza-missing), V(no-backup), V(full-old), V(backup-old), V(page-errors), V(backup-empty),
      V(backup-incomplete), V(wal-missing), V(wal-gap), V(wal-duplicate), V(history-missing), V(archive-empty), V(archive-old),
      V(other-cluster); and where the repository cannot be read, V(unreachable), V(wrong-credentials), V(wrong-key), V(wrong-certificate),
      V(bucket-missing), V(secret-missing), V(unreadable).
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: For programs., type: str, returned: always}
    text: {description: One sentence., type: str, returned: always}
notices:
  description: What was noticed and is nothing wrong, such as a backup that is under way.
  returned: success
  type: list
  elements: str
backups:
  description: Every backup, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    label: {description: Its name., type: str, returned: always}
    type: {description: "full, diff or incr.", type: str, returned: always}
    started: {description: Seconds since 1970., type: int, returned: always}
    ended: {description: The same., type: int, returned: always}
    seconds: {description: How long it took., type: int, returned: always}
    age_hours: {description: Hours since it ended., type: float, returned: always}
    bytes: {description: Size of the database., type: int, returned: always}
    repository_bytes: {description: What it added to the repository., type: int, returned: always}
    error: {description: Whether pages had wrong checksums., type: bool, returned: always}
    needs: {description: Labels of the backups that it builds on., type: list, elements: str, returned: always}
    wal_start: {description: First WAL that it needs., type: str, returned: always}
    wal_stop: {description: Last WAL that it needs., type: str, returned: always}
    wal_missing: {description: Those of them that are not in the archive., type: list, elements: str, returned: always}
    lsn_stop: {description: Position at which it is consistent., type: str, returned: always}
    expires: {description: Whether the next backup throws it away., type: bool, returned: always}
    database: {description: "pgBackRest's number of the database.", type: int, returned: always}
last:
  description: Label of the last sound backup by type, empty where there is none.
  returned: success
  type: dict
  sample: {full: 20261122-011502F, diff: 20261122-011502F_20261123-011503D, incr: ""}
full_age_hours:
  description: Hours since the last sound full backup ended.
  returned: success
  type: float
age_hours:
  description: Hours since the last sound backup of any kind ended.
  returned: success
  type: float
bytes:
  description: What all backups take in the repository, without WAL.
  returned: success
  type: int
expires:
  description: Labels that the next backup throws away, as pgBackRest itself says.
  returned: success
  type: list
  elements: str
unfinished:
  description: Labels of backups that are under way or were broken off.
  returned: success
  type: list
  elements: str
archive:
  description: The WAL in the repository.
  returned: success
  type: dict
  contains:
    current: {description: Whether the newest is young enough., type: bool, returned: always}
    newest: {description: The newest segment., type: str, returned: always}
    age_minutes: {description: Minutes since it came., type: float, returned: always}
    timelines: {description: Timelines., type: list, elements: int, returned: always}
    ranges: {description: Segments without a gap between them., type: list, elements: str, returned: always}
    gaps: {description: What is missing between the oldest backup and the newest WAL., type: list, elements: str, returned: always}
    segments: {description: How many there are., type: int, returned: always}
    bytes: {description: What they take., type: int, returned: always}
stanza:
  description: Name of the stanza.
  returned: success
  type: str
system_id:
  description: System identifier of the database that the backups are of.
  returned: success
  type: str
postgresql:
  description: Its version.
  returned: success
  type: str
pgbackrest:
  description: Version of the pgBackRest that read it.
  returned: success
  type: str
encrypted:
  description: Whether the repository is encrypted.
  returned: success
  type: bool
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
    run(backups.BACKUP_INFO, lambda module, environ: backups.backup_info(module.params, environ))


if __name__ == "__main__":
    main()
