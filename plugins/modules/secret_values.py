#!/usr/bin/python
# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: secret_values
short_description: Values for the secrets that are declared and not sealed yet
version_added: 1.0.0
author:
  - The Enclii Platform Authors (@enclii)
description:
  - For each item of a declared secret, in this order. It is sealed in the inventory already and stays as it is. The cluster has it
    and it is taken over. It is given. It is generated. So nothing that exists is made again.
  - A value that only a person can give is asked for once where there is a terminal; elsewhere the task fails and names all of them.
  - The result is what M(enclii.platform.sealed_secret) takes. It holds values in plain text and is never shown, whether or not the
    task says C(no_log); its errors hold no value and are shown.
  - It writes nothing, neither to files nor to the cluster.
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
    description:
      - Components by V(name), V(namespace) and V(secrets).
    type: list
    elements: dict
    default: []
  declared:
    description:
      - Secrets that the inventory declares, each with V(name), V(keys) and either V(namespace) or V(environments); without both it
        is in all of O(environments).
      - Each of V(keys) has V(name), V(generator) and what its generator takes. V(random) takes V(length) in characters and V(alphabet).
        V(token) takes V(bytes) and V(encoding). V(keypair) takes V(algorithm), V(size), V(format) and V(public), the item for its public
        half. V(given) takes V(description), which tells a person where to find it.
    type: list
    elements: dict
    default: []
  environments:
    description:
      - The environments of the cluster.
    type: list
    elements: str
    default: []
  directory:
    description:
      - Directory of the sealed manifests. It need not exist.
    type: path
    required: true
  given:
    description:
      - Values that people give, or that exist elsewhere already. V(namespace/name), or V(name) for all its namespaces, to a mapping of
        items to values.
    type: dict
    default: {}
  replace:
    description:
      - Secrets by V(namespace/name) whose given values are sealed again although they exist. What is generated stays.
    type: list
    elements: str
    default: []
  offline:
    description:
      - Do not look for Secrets in the cluster.
    type: bool
    default: false
seealso:
  - module: enclii.platform.sealed_secret
"""

EXAMPLES = r"""
- name: Make what is missing
  enclii.platform.secret_values:
    declared:
      - name: login
        keys:
          - {name: password, generator: random}
    environments: [demo]
    directory: "{{ inventory_dir }}/sealed"
  register: made

- name: Seal it
  enclii.platform.sealed_secret:
    secrets: "{{ made.secrets }}"
    exact: false
"""

RETURN = r"""
secrets:
  description: What M(enclii.platform.sealed_secret) takes, with values. Only secrets of which something is not sealed yet.
  returned: success
  type: list
  elements: dict
generated:
  description: The items that were generated. Names only, as in all that follows.
  returned: success
  type: list
  elements: str
  sample: ["demo/login, item password"]
taken:
  description: The items whose values the cluster has.
  returned: success
  type: list
  elements: str
given:
  description: The items whose values were given.
  returned: success
  type: list
  elements: str
asked:
  description: The items whose values were asked for, or, in check mode, would be.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.enclii.platform.plugins.module_utils.sealing.first import SECRET_VALUES, secret_values
from ansible_collections.enclii.platform.plugins.module_utils.sealing_module import run


def main() -> None:
    # its action keeps the result from every callback
    run(SECRET_VALUES, lambda module, environ: secret_values(module.params, environ, check=module.check_mode))


if __name__ == "__main__":
    main()
