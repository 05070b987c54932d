#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What runs is the action of the same name, on the controller; this is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: databases
short_description: Databases, roles and rights in PostgreSQL, as they are declared
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Compares what is declared with the live catalogue on the controller, and runs statements only where they differ. The task's connection
    leads to the leader's pod, where the program C(enclii-databases) of the image reads the catalogue and runs statements as the superuser
    over the local socket. Where nothing differs that is one exec.
  - Each database is an application. It gets an owner of its own name, who cannot log in, and two roles that can, C(<name>_a) and
    C(<name>_b), who act as the owner. The application's Secret holds the password, and in C(username), if it has that item, by which of the
    two the application logs in; without it that is C(<name>_a). Password, expiry and login of the other one belong to a rotation.
  - PUBLIC has no rights on these databases nor on their declared schemas, and nobody has any there that are not declared.
  - Nothing is dropped that is not declared absent.
  - Passwords come from Secrets and stay on the controller. What is stored is compared as a SCRAM verifier, and a new one is made there; no
    statement, log or statistics of the server holds either.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.actiongroup_kube
attributes:
  check_mode:
    support: full
    details:
      - The catalogue is read. A Secret that is not there yet is no error.
  diff_mode:
    support: full
    details:
      - One diff for each role, database, schema and extension. Passwords are named by their Secret.
  idempotent:
    support: full
  action:
    description: Runs on the controller, and asks over the task's connection.
    support: full
  platform:
    platforms: posix
options:
  databases:
    description: The applications' databases.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the database and of its owner; at most 61 bytes. Names are taken letter by letter, case included.
        type: str
        required: true
      state:
        description:
          - V(absent) takes away the two roles that log in. Database and owner stay, and are returned in RV(kept).
        type: str
        choices: [present, absent]
        default: present
      namespace:
        description: Namespace of its Secret; the only one of O(environments) where there is one.
        type: str
      secret:
        description: Its Secret, with item C(password) and perhaps C(username).
        type: dict
        suboptions:
          name:
            description: Its name; the database's followed by C(-database) by default.
            type: str
          namespace:
            description: Its namespace, in place of O(databases[].namespace).
            type: str
      connection_limit:
        description: How many connections it takes; V(-1) for any number.
        type: int
        default: -1
      login:
        description: What both roles that log in have.
        type: dict
        suboptions:
          connection_limit:
            description: How many connections each may have; V(-1) for any number.
            type: int
            default: -1
          valid_until:
            description:
              - When the password of the one in use runs out, a date or a time with its zone, or V(infinity). Where it is not given it is
                left alone.
            type: str
          settings:
            description: Parameters of their sessions, name to value. A list of names, as C(search_path), may be a list.
            type: dict
            default: {}
      schemas:
        description:
          - Its schemas. V(public) is declared whether or not it is named, so that PUBLIC has no rights there. Schemas that are not declared
            are the application's own.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the schema.
            type: str
            required: true
          owner:
            description: A declared role; the owner of the database by default.
            type: str
          state:
            description: V(absent) drops it where it is empty, and is an error where it is not.
            type: str
            choices: [present, absent]
            default: present
      extensions:
        description: Its extensions, in the order in which they need each other.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the extension.
            type: str
            required: true
          schema:
            description: A declared schema. V(public) for a new one, or the one that the extension insists on; one that is there may stay.
            type: str
          version:
            description: Its version. The image's default for a new one; one that is there may stay.
            type: str
          state:
            description: V(absent) drops it, unless something needs it.
            type: str
            choices: [present, absent]
            default: present
      privileges:
        description: What other roles may do in it. To connect, and to use the schemas, goes with it.
        type: list
        elements: dict
        default: []
        suboptions:
          role:
            description: A declared role.
            type: str
            required: true
          schemas:
            description: In which schemas.
            type: list
            elements: str
            default: [public]
          tables:
            description:
              - Rights on all tables and views there and on those to come, of V(select), V(insert), V(update), V(delete), V(truncate),
                V(references) and V(trigger). What the role has beside them is revoked.
            type: list
            elements: str
            default: []
          sequences:
            description: The same for sequences, of V(usage), V(select) and V(update).
            type: list
            elements: str
            default: []
          routines:
            description: The same for functions and procedures, of V(execute).
            type: list
            elements: str
            default: []
          create:
            description: Whether it may make objects in the schemas.
            type: bool
            default: false
          temporary:
            description: Whether it may make temporary tables.
            type: bool
            default: false
      purge:
        description: With O(databases[].state=absent), the name of the database, to drop it with all that is in it, and its owner.
        type: str
  roles:
    description: Roles beside those of the applications, such as people, readers and tools.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      state:
        description: V(absent) drops it. What it owned stays and belongs to the owner of the database it is in.
        type: str
        choices: [present, absent]
        default: present
      login:
        description: Whether it can log in.
        type: bool
        default: false
      secret:
        description: Where its password is. A role that logs in and has none has no password, and logs in by certificate.
        type: dict
        suboptions:
          name:
            description: Name of the Secret.
            type: str
          namespace:
            description: Its namespace; the only one of O(environments) where there is one.
            type: str
          item:
            description: Its item.
            type: str
            default: password
      connection_limit:
        description: How many connections it may have; V(-1) for any number.
        type: int
        default: -1
      valid_until:
        description: When its password runs out, a date or a time with its zone. Never by default.
        type: str
      settings:
        description: Parameters of its sessions, name to value.
        type: dict
        default: {}
      member_of:
        description: The roles it is in, declared ones or PostgreSQL's own such as V(pg_monitor); it is taken out of all others.
        type: list
        elements: str
        default: []
      replication:
        description: Whether it may replicate.
        type: bool
        default: false
      bypassrls:
        description: Whether policies on rows do not count for it.
        type: bool
        default: false
  environments:
    description: The environments of the cluster.
    type: list
    elements: str
    default: []
  reserved:
    description: Names of roles that the cluster itself uses, which nobody may declare.
    type: list
    elements: str
    default: []
  program:
    description: Where the program is at the other end of the connection.
    type: str
    default: enclii-databases
notes:
  - The connection is C(kubernetes.core.kubectl) with a pod, or any other that leads to where the program and the socket are. E(PGHOST) and
    E(PGPORT) in the task's C(environment) name another socket.
  - All that is wrong with the declaration is in one error, and so is all that is wrong with what is there, before anything is changed.
  - Statements of one database run in one transaction. A new database takes no connections until everything in it is done, so a run that
    was killed leaves nothing half open, and the next one goes on.
"""

EXAMPLES = r"""
- name: Make databases and roles what they are declared to be
  enclii.platform.databases:
    databases:
      - name: orders
        namespace: enclii-production
        connection_limit: 60
        login:
          connection_limit: 25
          settings: {statement_timeout: 30s}
        extensions:
          - name: pg_trgm
        privileges:
          - role: reporting
            tables: [select]
    roles:
      - name: reporting
        login: true
        secret: {name: reporting-database, namespace: enclii-production}
        valid_until: 2027-06-30
  vars:
    ansible_connection: kubernetes.core.kubectl
    ansible_kubectl_namespace: enclii-data
    ansible_kubectl_pod: postgres-0
    ansible_kubectl_container: postgres
"""

RETURN = r"""
statements:
  description: The statements that were run, or would be, in their order. Passwords are not among them.
  returned: success
  type: list
  elements: dict
  contains:
    database: {description: Where., type: str, returned: always}
    sql: {description: The statement., type: str, returned: always}
kept:
  description: Databases that are declared absent and still there.
  returned: success
  type: list
  elements: str
  sample: [database orders]
error:
  description: What is wrong, by C(object), C(cause), C(next_step) and C(reason).
  returned: failure
  type: dict
"""
