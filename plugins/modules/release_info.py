#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: All Helm releases of a cluster in one request
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - Reads Helm's release Secrets (without superseded revisions) and returns the newest revision of each release, so that a play
    starts Helm only for what differs. Values are compared by digest and never returned.
extends_documentation_fragment:
  - enclii.platform.kube
  - enclii.platform.attributes
  - enclii.platform.attributes.info_module
  - enclii.platform.attributes.actiongroup_kube
attributes:
  platform:
    platforms: posix
options:
  namespaces:
    description:
      - Only releases of these namespaces, one request each. All by default, which needs the right to list Secrets everywhere.
    type: list
    elements: str
  names:
    description:
      - Only releases of these names.
    type: list
    elements: str
  check_objects:
    description:
      - Also look for the objects of each release's manifest. One LIST for each kind and namespace, names only, except for workloads.
    type: bool
    default: false
seealso:
  - module: kubernetes.core.helm_info
"""

EXAMPLES = r"""
- name: Which releases are there
  enclii.platform.release_info:
    names: [cert-manager, metrics-server]
    check_objects: true
  register: releases

- name: Does the release have the wanted values
  ansible.builtin.debug:
    msg: "{{ releases.releases[0].values_digest == (wanted_values | enclii.platform.values_digest) }}"
"""

RETURN = r"""
releases:
  description: The newest revision of each release, by namespace and name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the release.
      type: str
      returned: always
    namespace:
      description: Namespace of the release.
      type: str
      returned: always
    revision:
      description: Its newest revision.
      type: int
      returned: always
    status:
      description: Status of that revision as Helm writes it (V(deployed), V(failed), V(pending-install), V(pending-upgrade) and so on).
      type: str
      returned: always
    pending:
      description: Whether a Helm run is under way, or was killed; then Helm refuses an upgrade until it is rolled back.
      type: bool
      returned: always
    chart:
      description: Name of the chart.
      type: str
      returned: always
    chart_version:
      description: Version of the chart.
      type: str
      returned: always
    app_version:
      description: Version of the application the chart states.
      type: str
      returned: always
    values_digest:
      description: C(sha256:) and the digest of the user's values, as filter P(enclii.platform.values_digest#filter) computes it.
      type: str
      returned: always
    updated:
      description: When that revision was deployed, RFC 3339.
      type: str
      returned: always
    missing:
      description: Objects of the manifest that are not in the cluster, as V(Kind namespace/name).
      type: list
      elements: str
      returned: when check_objects is true
    not_ready:
      description: Workloads of the manifest that are not ready, each as object and why.
      type: list
      elements: dict
      returned: when check_objects is true
"""

from ansible_collections.enclii.platform.plugins.module_utils.kube import arguments, front
from ansible_collections.enclii.platform.plugins.module_utils.kube_module import run


def main() -> None:
    run(arguments.RELEASE_INFO, lambda module, environ: front.release_info(module.params, environ))


if __name__ == "__main__":
    main()
