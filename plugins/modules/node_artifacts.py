#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_artifacts
short_description: Install published binaries on a machine by checksum
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Fetches several published files at once, checks each against its SHA-256 and puts it in place in one step.
  - Notes what it installed in a ledger, so that an unchanged run costs one stat for each file and no request, and
    so that O(state=absent) removes exactly what was installed.
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
    description: Whether the artifacts are to be there. V(absent) removes everything in the ledger.
    type: str
    choices: [present, absent]
    default: present
  ledger:
    description: File that notes what was installed.
    type: path
    default: /var/lib/enclii/artifacts.json
  artifacts:
    description: What to install.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name in the ledger and in messages.
        type: str
        required: true
      url:
        description: Address of the file.
        type: str
        required: true
      dest:
        description: Path of the file, or, of an archive, the directory its executable files go to.
        type: path
        required: true
      archive:
        description: Whether the file is a tar archive to unpack.
        type: bool
        default: false
      sha256:
        description: The digest, pinned. Empty takes the published one.
        type: str
        default: ""
      sha256_url:
        description: Address of the published digest, bare or with the file's name.
        type: str
        default: ""
  timeout:
    description: Seconds to wait for a server to answer or to go on sending.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Install kubelet
  enclii.platform.node_artifacts:
    artifacts:
      - name: kubelet
        url: https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet
        sha256_url: https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet.sha256
        dest: /usr/local/bin/kubelet
"""

RETURN = r"""
installed:
  description: Names of the artifacts that were, or in check mode would be, installed.
  returned: when O(state=present)
  type: list
  elements: str
removed:
  description: Paths of the files that were, or in check mode would be, removed.
  returned: when O(state=absent)
  type: list
  elements: str
"""

import typing as t
from pathlib import Path
from urllib.error import HTTPError, URLError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.enclii.platform.plugins.module_utils.node import artifacts as library

ATTEMPTS = 3


def _fetcher(timeout: int) -> library.Fetch:
    def fetch(url: str) -> t.Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return open_url(url, timeout=timeout, http_agent="enclii.platform")
            except HTTPError as error:
                if error.code < 500 or attempt == ATTEMPTS:
                    raise library.ArtifactError(f"{url}: HTTP {error.code}; check mirror and version") from error
            except (URLError, OSError) as error:
                if attempt == ATTEMPTS:
                    raise library.ArtifactError(f"{url}: {error}; check kubernetes_mirror_* and the network") from error
        raise AssertionError("unreachable")

    return fetch


def _present(module: AnsibleModule, ledger: Path) -> dict[str, t.Any]:
    wanted = module.params["artifacts"]
    have = library.load(ledger)
    missing = [artifact for artifact in wanted if not library.installed(artifact, have)]
    if missing and not module.check_mode:
        library.install(missing, ledger, _fetcher(module.params["timeout"]))
    before = "".join(f"{a['name']} {have.get(a['name'], {}).get('url', 'absent')}\n" for a in missing)
    after = "".join(f"{a['name']} {a['url']}\n" for a in missing)
    names = sorted(artifact["name"] for artifact in missing)
    return {"changed": bool(missing), "installed": names, "diff": {"before": before, "after": after}}


def _absent(module: AnsibleModule, ledger: Path) -> dict[str, t.Any]:
    entries = library.load(ledger).values()
    paths = sorted(path for entry in entries for path in entry["files"] if Path(path).exists())
    if not module.check_mode:
        library.remove(ledger)
    return {"changed": bool(paths), "removed": paths, "diff": {"before": "\n".join(paths) + "\n", "after": ""}}


def main() -> None:
    artifact = {
        "name": {"type": "str", "required": True},
        "url": {"type": "str", "required": True},
        "dest": {"type": "path", "required": True},
        "archive": {"type": "bool", "default": False},
        "sha256": {"type": "str", "default": ""},
        "sha256_url": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ledger": {"type": "path", "default": "/var/lib/enclii/artifacts.json"},
            "artifacts": {"type": "list", "elements": "dict", "default": [], "options": artifact},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    act = _present if module.params["state"] == "present" else _absent
    try:
        result = act(module, Path(module.params["ledger"]))
    except (library.ArtifactError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
