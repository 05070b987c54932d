#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm
short_description: Initialise, join or reset a node with kubeadm, whole or made whole by the next run
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Runs kubeadm with a configuration file and notes in C(/etc/kubernetes/enclii.json) when it starts and when it
    is done.
  - A node that is done is not touched. A run that was killed is continued, or reset and done again; one whose kubeadm
    is still at work is waited for.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: The result says what happened in RV(outcome).
  platform:
    platforms: posix
options:
  action:
    description: What to do. V(reset) also removes what kubeadm reset leaves behind.
    type: str
    choices: [init, join, reset]
    required: true
  cluster:
    description: Name of the cluster, for the record.
    type: str
    required: true
  version:
    description: Version of Kubernetes, for the record.
    type: str
    default: ""
  config:
    description: Documents of kubeadm.k8s.io/v1beta4 and their like, in YAML, without O(token).
    type: str
    default: ""
  token:
    description: Bootstrap token; takes the place of V(@TOKEN@) in O(config).
    type: str
    default: ""
  ignore_preflight_errors:
    description: Checks of kubeadm's own that only warn.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for a kubeadm of an earlier run.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Initialise the control plane
  enclii.platform.kubeadm:
    action: init
    cluster: enclii
    version: 1.36.3
    config: "{{ lookup('ansible.builtin.file', 'init.yaml') }}"
"""

RETURN = r"""
outcome:
  description: V(unchanged), V(started) and done, V(continued) from a killed run, V(redone) after one, or V(reset).
  returned: success
  type: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.enclii.platform.plugins.module_utils.node import kubeadm as library

# The routing protocol that kube-router marks its routes with.
ROUTES = "17"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _clean_network(module: AnsibleModule) -> None:
    """Take what Kubernetes left out of the kernel's network: chains (in one transaction), bridge, sets and routes.

    A route to the pods of a cluster that is gone would lead the next one's astray, whose nodes get their ranges in another order.
    """
    for family in ("iptables", "ip6tables"):
        code, rules, _err = module.run_command([f"{family}-save"], handle_exceptions=False)
        kept = library.without_kubernetes(rules)
        if code == 0 and kept.strip() != rules.strip():
            module.run_command([f"{family}-restore"], data=kept, check_rc=True)
    if os.path.exists("/sys/class/net/kube-bridge"):
        module.run_command(["ip", "link", "delete", "kube-bridge"], check_rc=True)
    for family in ("-4", "-6"):
        if module.run_command(["ip", family, "route", "show", "proto", ROUTES])[1].strip():
            module.run_command(["ip", family, "route", "flush", "proto", ROUTES], check_rc=True)
    if module.get_bin_path("ipset"):
        for name in library.sets_of_kubernetes(module.run_command(["ipset", "list", "-n"])[1]):
            module.run_command(["ipset", "destroy", name], check_rc=True)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "choices": ["init", "join", "reset"], "required": True},
            "cluster": {"type": "str", "required": True},
            "version": {"type": "str", "default": ""},
            "config": {"type": "str", "default": ""},
            "token": {"type": "str", "default": "", "no_log": True},
            "ignore_preflight_errors": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
        required_if=[("action", "init", ["config", "version"]), ("action", "join", ["config", "version", "token"])],
    )
    params = module.params
    module.run_command_environ_update = {"PATH": SEARCH, "LC_ALL": "C"}
    machine = library.Kubeadm(
        module.run_command, params["cluster"], params["version"], params["ignore_preflight_errors"]
    )
    settings = library.settings_digest(params["config"])
    record = machine.record()
    if record and record.get("cluster", params["cluster"]) != params["cluster"]:
        module.fail_json(msg=f"this node belongs to the cluster {record['cluster']!r}, not {params['cluster']!r}")
    if module.check_mode:
        wanted = machine.present() if params["action"] == "reset" else record.get("state") != "done"
        module.exit_json(changed=wanted, outcome=params["action"] if wanted else "unchanged")
    try:
        with machine.locked(params["lock_timeout"]):
            if params["action"] != "reset":
                config = params["config"].replace("@TOKEN@", params["token"])
                outcome = machine.ensure(params["action"], config, settings)
            elif machine.present():
                machine.reset()
                _clean_network(module)
                outcome = "reset"
            else:
                outcome = "unchanged"
    except (library.KubeadmError, OSError) as error:
        module.fail_json(msg=str(error))
    if outcome == "unchanged" and params["action"] == "init" and record.get("settings") != settings:
        module.warn("the settings of this cluster differ from those it was made with; kubeadm init is not run again")
    module.exit_json(changed=outcome != "unchanged", outcome=outcome)


if __name__ == "__main__":
    main()
