#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_config
short_description: Bring files of a machine and the services that read them to their state
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Writes several files, each in one step, and starts, enables or restarts the systemd services that read them.
  - A service is restarted when a file it reads is newer than its process, so a run that was killed between writing and
    restarting is made good by the next.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
options:
  state:
    description: V(absent) stops and disables the services, then removes the files, and blocks from files of others.
    type: str
    choices: [present, absent]
    default: present
  files:
    description: The files. Their content appears in the diff, so it must not be secret.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of the file; directories above it are made.
        type: path
        required: true
      content:
        description: All of the file, or of the block.
        type: str
        required: true
      mode:
        description: Permissions in octal. Those of an existing file with a block are kept.
        type: str
        default: "0644"
      block:
        description: Whether to manage only a marked block of the file.
        type: bool
        default: false
  services:
    description: The services, in the order to start them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name without the suffix V(.service).
        type: str
        required: true
      started:
        description: Whether it is to run. V(false) only enables it, for a service that something else starts.
        type: bool
        default: true
      reads:
        description: Files after whose change a running service is restarted.
        type: list
        elements: path
        default: []
"""

EXAMPLES = r"""
- name: Configure containerd
  enclii.platform.node_config:
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'containerd.toml.j2') }}"
    services:
      - name: containerd
        reads: [/etc/containerd/config.toml]
"""

RETURN = r"""
paths:
  description: Files that were, or in check mode would be, written or removed.
  returned: success
  type: list
  elements: str
actions:
  description: What was, or in check mode would be, done to services, such as V(restart containerd).
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.enclii.platform.plugins.module_utils.node import config as library


def _service_actions(module: AnsibleModule, written: set[str], run: library.Run) -> list[list[str]]:
    """The systemctl calls that bring the services to their state, as lists of words after systemctl."""
    services = module.params["services"]
    units = library.units([service["name"] for service in services], run)
    if module.params["state"] == "absent":
        return [
            ["disable", "--now", f"{name}.service"]
            for name, unit in reversed(units.items())
            if unit.loaded and (unit.active or unit.enabled)
        ]
    actions = []
    unit_files = any(path.startswith("/etc/systemd/system/") for path in written)
    if unit_files or any(unit.reload_needed for unit in units.values()):
        actions.append(["daemon-reload"])
    for service in services:
        unit = units[service["name"]]
        if not unit.enabled:
            actions.append(["enable", "--quiet", f"{unit.name}.service"])
        if unit.active and (written.intersection(service["reads"]) or library.stale(unit, service["reads"])):
            actions.append(["restart", f"{unit.name}.service"])
        elif service["started"] and not unit.active:
            actions.append(["start", f"{unit.name}.service"])
    return actions


def main() -> None:
    file_spec = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "0644"},
        "block": {"type": "bool", "default": False},
    }
    service_spec = {
        "name": {"type": "str", "required": True},
        "started": {"type": "bool", "default": True},
        "reads": {"type": "list", "elements": "path", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "files": {"type": "list", "elements": "dict", "default": [], "options": file_spec},
            "services": {"type": "list", "elements": "dict", "default": [], "options": service_spec},
        },
        supports_check_mode=True,
    )
    present = module.params["state"] == "present"
    try:
        files = [{**item, "mode": int(item["mode"], 8)} for item in module.params["files"]]
        changes = [change for change in library.plan(files, present) if change.changed]
        written = {str(change.path) for change in changes}
        # Services go down before their files do, and come up after.
        actions = _service_actions(module, written, module.run_command)
        order = [changes, actions] if present else [actions, changes]
        for step in [] if module.check_mode else [item for part in order for item in part]:
            if isinstance(step, library.Change):
                library.write(step)
                continue
            code, _out, err = module.run_command(["systemctl", *step])
            if code != 0:
                raise library.ConfigError(f"systemctl {' '.join(step)}: {err.strip()} (see journalctl -u {step[-1]})")
    except (library.ConfigError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(changes or actions),
        paths=sorted(written),
        actions=[" ".join(step) for step in actions],
        diff=[
            {
                "before_header": str(change.path),
                "after_header": str(change.path),
                "before": change.before or "",
                "after": change.after or "",
            }
            for change in changes
        ],
    )


if __name__ == "__main__":
    main()
