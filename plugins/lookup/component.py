# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: component
short_description: Render the templates of a component role
version_added: 1.0.0
author: The Enclii Platform Authors (@enclii)
description:
  - Renders C(templates/values.yaml.j2) and C(templates/resources/*.yaml.j2) of a role and parses them.
  - All of them with the variables as they are. P(ansible.builtin.template#lookup) copies all variables for each file, which would cost
    more than the rest of an unchanged run.
options:
  _terms:
    description: Definitions of components, complete, as role C(enclii.platform.component) describes them.
    type: list
    elements: dict
    required: true
  directory:
    description: Directory of the role.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Show what a component is made of
  ansible.builtin.debug:
    msg: "{{ lookup('enclii.platform.component', definition, directory=role_path) }}"
"""

RETURN = r"""
_raw:
  description:
    - V(values) for the chart, the user's merged last, V(namespace) as a list of none or one, and V(manifest).
    - V(manifest) holds the objects as one JSON text, which is empty where there are none. Ansible looks into every value of a structure
      whenever it passes it on, and a component has thousands.
  type: list
  elements: dict
"""

import json
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template

from ansible_collections.enclii.platform.plugins.plugin_utils.library import load

render = load("component.render")
errors = load("kube.errors")


class LookupModule(LookupBase):
    """Values and objects of components."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        values, resources = render.templates(Path(self.get_option("directory")))
        found = []
        for data in terms:
            text = self._rendered(values) if values and data["chart"]["ref"] else ""
            try:
                rendered = [(one.name, self._rendered(one)) for one in resources]
                made = render.compose(data, text, rendered)
            except (render.RenderError, errors.KubeError) as error:
                raise AnsibleError(f"component {data['name']}: {error}") from error
            objects = made.pop("objects")
            found.append({**made, "manifest": json.dumps(objects) if objects else ""})
        return found

    def _rendered(self, path: Path) -> str:
        template = trust_as_template(self._loader.get_text_file_contents(str(path)))
        return str(self._templar.template(template) or "")
