#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_info
short_description: Who can read Secrets, exec or escalate, by which path, and whether accounts can what they were declared to
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Reads all roles, bindings and accounts of a cluster and says of each dangerous power who has it, by which binding, role and rule,
    and where. A group that holds accounts is followed to them. What Kubernetes itself needs, users and groups of names that it reserves
    and accounts of C(kube-system), is told apart; whoever stands for everybody, as C(system:anonymous) does, is not its own.
  - Asks the API server, by SubjectAccessReviews, whether the accounts of components can do what was declared of them, and cannot do
    what was ruled out. These reviews decide, not the roles that were read. Those name the path by which something is granted.
  - Finds powers of the components' accounts that nobody declared, powers of everybody without a login, and accounts that no component
    uses but that give pods a token.
  - The grammar of statements and the list of powers are on the page B(Access) of the collection's documentation.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.info_module
  - enclii.platform.attributes.actiongroup_kube
attributes:
  platform:
    platforms: posix
options:
  components:
    description: What is declared. Components that are not V(present) are left out.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the component.
        type: str
        required: true
      namespace:
        description: Where it lives. All accounts of this namespace are judged.
        type: str
        required: true
      state:
        description: Whether we run it.
        type: str
        choices: [present, external, absent]
        default: present
      access:
        description: Its accounts.
        type: list
        elements: dict
        default: []
        suboptions:
          account:
            description: Name of the service account.
            type: str
            required: true
          namespace:
            description: Its namespace, where it is not the component's.
            type: str
          can:
            description: What it must be able to do, as V(get,list secrets named login in shop).
            type: list
            elements: str
            default: []
          cannot:
            description: What it must not be able to do, as V(create pods/exec in *).
            type: list
            elements: str
            default: []
          exceptions:
            description: Dangerous powers that it cannot do without.
            type: list
            elements: dict
            default: []
            suboptions:
              power:
                description: The power and where, as V(read-secrets in *).
                type: str
                required: true
              reason:
                description: Why it is needed.
                type: str
                required: true
  namespaces:
    description: Further namespaces whose accounts are judged.
    type: list
    elements: str
    default: []
  prove:
    description: Whether the API server is asked. Without it there is only the report.
    type: bool
    default: true
  require:
    description: Fail where something is not as declared, with all of it in one message.
    type: bool
    default: false
notes:
  - It takes the rights to list roles, bindings, accounts and namespaces of the whole cluster and to create SubjectAccessReviews, which
    store nothing.
"""

EXAMPLES = r"""
- name: Prove that the shop can read its own login and nothing else
  enclii.platform.access_info:
    components:
      - name: shop
        namespace: shop
        access:
          - account: api
            can: [get secrets named login in shop]
            cannot: ["list,watch secrets in *", "create pods/exec in *", "get secrets outside shop"]
            exceptions:
              - {power: read-secrets named login in shop, reason: It logs in to its database.}
    require: true
"""

RETURN = r"""
ok:
  description: Whether everything is as declared. True without O(prove).
  returned: success
  type: bool
lines:
  description: Report and proof for people, one line each.
  returned: success
  type: list
  elements: str
wrong:
  description: What is not as declared, one line each.
  returned: with O(prove)
  type: list
  elements: str
report:
  description: Each power that somebody has.
  returned: success
  type: list
  elements: dict
  contains:
    power: {description: Its name., type: str, returned: always}
    meaning: {description: Why it is dangerous., type: str, returned: always}
    everyone:
      description: Who has it, but for Kubernetes' own. An account that has it by a group is listed beside the group.
      type: list
      elements: dict
      returned: always
      contains:
        power: {description: Name of the power., type: str, returned: always}
        kind: {description: "V(ServiceAccount), V(User) or V(Group).", type: str, returned: always}
        name: {description: "Name of the account, user or group.", type: str, returned: always}
        namespace: {description: Namespace of the account., type: str, returned: always}
        verbs: {description: The verbs that give the power., type: list, elements: str, returned: always}
        what: {description: "The resource, as V(pods/exec) or V(jobs.batch).", type: str, returned: always}
        scope: {description: "V(everywhere), or V(namespace) and its name.", type: str, returned: always}
        names: {description: Names it is limited to; none means all., type: list, elements: str, returned: always}
        member_of: {description: "The group by which an account has it; empty where a binding names it.", type: str, returned: always}
        path:
          description: Binding, role and rule; before them the group and between them the role that is aggregated, where there is one.
          type: list
          elements: str
          returned: always
        reason: {description: "Why it is needed, where that is declared.", type: str, returned: always}
    system:
      description: Kubernetes' own, in the same form.
      type: list
      elements: dict
      returned: always
proof:
  description: What the API server answered.
  returned: with O(prove)
  type: dict
  contains:
    asked: {description: Number of reviews., type: int, returned: always}
    seconds: {description: How long they took., type: float, returned: always}
    statements: {description: Number of statements that were declared., type: int, returned: always}
    accounts: {description: Number of accounts that were judged., type: int, returned: always}
    mismatches:
      description: Where the answer is another than declared.
      type: list
      elements: dict
      returned: always
      contains:
        component: {description: The component., type: str, returned: always}
        account: {description: "The account, V(namespace/name).", type: str, returned: always}
        what: {description: What was asked., type: str, returned: always}
        statement: {description: The statement it was asked for., type: str, returned: always}
        expected: {description: "V(can) or V(cannot).", type: str, returned: always}
        seen: {description: "V(allowed), V(denied), or that the cluster serves no such resource.", type: str, returned: always}
        paths: {description: By which paths it is granted., type: list, elements: list, returned: always}
    undeclared:
      description:
        - Powers of accounts that nobody declared, and any of C(system:anonymous), which nobody can declare, in the form of
          RV(report[].everyone), and C(confirmed), the API server's answer.
      type: list
      elements: dict
      returned: always
    unneeded:
      description: Declared powers that the account does not have, with C(component), C(account) and C(power). They do no harm.
      type: list
      elements: dict
      returned: always
    unused_with_token:
      description: Accounts, V(namespace/name), that no component declares, and whose token every pod gets that does not refuse it.
      type: list
      elements: str
      returned: always
"""

from ansible_collections.enclii.platform.plugins.module_utils.access import arguments, front
from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run


def main() -> None:
    run(arguments.ACCESS_INFO, lambda module, environ: front.access_info(module.params, environ))


if __name__ == "__main__":
    main()
