# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of enclii.platform.inventory_check: hands files, variables and argument specs to the checks."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.enclii.platform.plugins.plugin_utils import inventory as checks

ROLES = Path(__file__).resolve().parents[2] / "roles"


# What says how a host is reached, and what every role shares: evaluated for the checks besides the roles' own options.
_REACHED = ("ansible_host", "ansible_port")
_SHARED = (
    "enclii_inventory",
    "enclii_environments",
    "enclii_namespace",
    "enclii_kubeconfig",
    "enclii_context",
    "enclii_in_cluster",
)
# Ansible's own, which hold other variables once more.
_MAGIC = ("groups", "group_names", "hostvars", "vars", "omit", "inventory_dir", "inventory_file", "playbook_dir")
_LEFT_OUT = (".pyc", ".orig", ".bak", ".retry")


class ActionModule(ActionBase):
    """Check the inventory; contacts nothing, changes nothing."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the findings; fail if there are any."""
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        self.validate_argument_spec(argument_spec={})
        groups = {name: list(hosts) for name, hosts in variables["groups"].items()}
        raw = {host: dict(variables["hostvars"].raw_get(host)) for host in groups["all"]}
        files = list(self._files(variables.get("ansible_inventory_sources") or []))
        try:
            in_files = [found for name, text in files for found in checks.placeholders_in_file(text, name)]
        except ValueError as error:
            return result | {"failed": True, "msg": str(error), "findings": [str(error)]}
        in_values = [
            found
            for host, known in raw.items()
            for name, value in known.items()
            if name not in _MAGIC and (not name.startswith("ansible_") or name in _REACHED)
            for found in checks.placeholders_in_value(value, host, name)
        ]
        findings = [*checks.merged(in_files, in_values), *checks.group_findings(groups), *self._variables(groups, raw)]
        if findings:
            lines = "\n".join(f"  - {finding}" for finding in findings)
            return result | {
                "failed": True,
                "findings": findings,
                "msg": f"This inventory is not ready; {len(findings)} to mend:\n{lines}",
            }
        ready = f"{len(groups['all'])} hosts and {len(files)} files of this inventory have nothing to mend"
        return result | {"findings": [], "msg": ready}

    def _files(self, sources: list[str]) -> t.Iterator[tuple[str, str]]:
        """Yield name and text of each file of the inventory; encrypted ones decrypted, programs left out."""
        for source in map(Path, sources):
            base = source if source.is_dir() else source.parent
            beside = [path for part in ("group_vars", "host_vars") for path in (base / part).rglob("*")]
            top = base.glob("*") if source.is_dir() else [source]
            for path in sorted(path for path in {*top, *beside} if path.is_file() and not path.name.startswith(".")):
                if path.stat().st_mode & 0o111 or path.suffix in _LEFT_OUT:
                    continue
                plain = self._loader.get_real_file(str(path))
                try:
                    text = Path(plain).read_text(encoding="utf-8", errors="replace")
                finally:
                    if plain != str(path):
                        self._loader.cleanup_tmp_file(plain)
                yield str(path.relative_to(base.parent)), text

    def _variables(self, groups: dict[str, list[str]], raw: dict[str, dict[str, t.Any]]) -> list[str]:
        """Check names and values of variables, on the hosts where the roles look at them."""
        specs, defaults = self._roles()
        known = {name for options in specs.values() for name in options}
        on_nodes = specs.pop("kubernetes", {})
        on_platform = {name: option for options in specs.values() for name, option in options.items()}
        per_host: list[tuple[str, str]] = []
        shared: list[str] = []
        addresses: dict[str, tuple[str, ...]] = {}
        nodes = groups.get("kubernetes_nodes", [])
        for host in dict.fromkeys((*nodes, *groups.get("platform", []))):
            options = on_nodes if host in nodes else on_platform
            unknown = checks.unknown_variables(list(raw[host]), known, ["kubernetes", *specs])
            wanted = {*options, *_REACHED, *_SHARED} & set(raw[host])
            values, broken = self._evaluated(host, raw[host], defaults, wanted)
            per_host += [(host, text) for text in (*unknown, *broken, *_spec_findings(options, values))]
            if host in nodes:
                addresses[host] = (str(values.get("ansible_host", host)), str(values.get("ansible_port", "")))
            else:
                shared += checks.platform_findings(values)
        return [*checks.by_host(per_host), *shared, *checks.address_findings(addresses)]

    def _roles(self) -> tuple[dict[str, dict[str, t.Any]], dict[str, t.Any]]:
        """Return role -> its options, and all roles' defaults."""
        specs: dict[str, dict[str, t.Any]] = {}
        defaults: dict[str, t.Any] = {}
        for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
            entry_points = self._loader.load_from_file(str(path))["argument_specs"].values()
            specs[path.parts[-3]] = {
                name: spec for point in entry_points for name, spec in (point.get("options") or {}).items()
            }
            values = path.parents[1] / "defaults" / "main.yml"
            if values.is_file():
                defaults |= self._loader.load_from_file(str(values)) or {}
        return specs, defaults

    def _evaluated(
        self, host: str, raw: dict[str, t.Any], defaults: dict[str, t.Any], names: set[str]
    ) -> tuple[dict[str, t.Any], list[str]]:
        """Return the values of the variables named, and what could not be evaluated. Facts are not known here."""
        templar = self._templar.copy_with_new_env(available_variables={**defaults, **raw, "inventory_hostname": host})
        values: dict[str, t.Any] = {}
        broken = []
        for name in sorted(names):
            try:
                values[name] = templar.template(raw[name])
            except AnsibleError as error:
                if "ansible_facts" not in str(raw[name]):
                    broken.append(f"{name}: cannot be evaluated: {error.message}")
        return values, broken


def _spec_findings(options: dict[str, t.Any], values: dict[str, t.Any]) -> list[str]:
    """Hold each value against type, choices and inner options of its spec; one by one, so that all are reported."""
    findings = []
    for name, value in values.items():
        if name in options and not checks.placeholders_in_value(value, "", name):
            outcome = ArgumentSpecValidator({name: _plain(options[name])}).validate({name: value})
            messages = outcome.error_messages
            if messages and options[name].get("no_log"):
                messages = ["does not have the type, or is none of the choices, that docs/variables.md names"]
            findings += [f"{name}: {message}" for message in messages]
    return findings


def _plain(option: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the part of a role's option that ArgumentSpec knows."""
    known = ("type", "elements", "choices", "options", "no_log", "required", "default")
    kept = {key: value for key, value in option.items() if key in known}
    if isinstance(kept.get("options"), dict):
        kept["options"] = {name: _plain(inner) for name, inner in kept["options"].items()}
    return kept
