# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with an inventory before anything is contacted. PRIVATE to the collection, controller only.

Everything takes plain data and returns a list of findings, each one line: where it is, what is wrong, what to do.
An empty list means that nothing is wrong. Values are never repeated in a finding unless they are placeholders or names.
"""

from __future__ import annotations

import difflib
import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence

import yaml

PLACEHOLDER = "CHANGE_ME"
MAX_CONTROL_PLANES = 1
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Placeholder(t.NamedTuple):
    """A place somebody has to fill in: file with line, or host; dotted name of the variable; the text there."""

    where: str
    name: str
    text: str


def _contains(value: object) -> bool:
    return isinstance(value, str) and PLACEHOLDER in value


def _walk_nodes(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...], str]]:
    if isinstance(node, yaml.ScalarNode):
        if _contains(node.value):
            yield node.start_mark.line + 1, path, node.value
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk_nodes(item, (*path, f"[{number}]"))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value)
            if _contains(name):
                yield key.start_mark.line + 1, path, name
            yield from _walk_nodes(value, (*path, name))


def _dotted(path: Sequence[str]) -> str:
    """Join a path; what stands between the top of an inventory file and a host or a group's variables is left out."""
    shown = list(path)
    for marker in ("hosts", "vars"):
        if shown[:1] == ["all"] and marker in shown:
            at = shown.index(marker)
            shown = shown[at + 1 :] if marker == "hosts" else shown[at - 1 : at] + shown[at + 1 :]
    return ".".join(shown).replace(".[", "[") or "a name"


def placeholders_in_file(text: str, name: str) -> list[Placeholder]:
    """Find placeholders in the text of one inventory or variables file; comments do not count.

    Raises ValueError, naming file and line, if a YAML file cannot be parsed.
    """
    if not name.endswith((".yml", ".yaml", ".json")):
        return [
            Placeholder(f"{name}:{number}", "line", line.strip())
            for number, line in enumerate(text.splitlines(), 1)
            if PLACEHOLDER in line and not line.lstrip().startswith(("#", ";"))
        ]
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"{name}:{line}: not valid YAML: {error.problem}") from None
    return [
        Placeholder(f"{name}:{line}", _dotted(path), value)
        for document in documents
        if document is not None
        for line, path, value in _walk_nodes(document, ())
    ]


def placeholders_in_value(value: object, where: str, name: str) -> list[Placeholder]:
    """Find placeholders in a value, however deep; for what no file shows (dynamic inventories, extra variables)."""
    if _contains(value):
        return [Placeholder(where, name, str(value))]
    if isinstance(value, Mapping):
        return [
            found
            for key, item in value.items()
            for found in (
                *([Placeholder(where, name, str(key))] if _contains(key) else []),
                *placeholders_in_value(item, where, f"{name}.{key}"),
            )
        ]
    if isinstance(value, list | tuple):
        return [f for at, item in enumerate(value) for f in placeholders_in_value(item, where, f"{name}[{at}]")]
    return []


def merged(in_files: Sequence[Placeholder], in_values: Sequence[Placeholder]) -> list[str]:
    """Say each placeholder once: by file where a file shows it, by host otherwise."""
    elsewhere = [found for found in in_values if not any(found.text in shown.text for shown in in_files)]
    return [
        *(f"{where}: {name}: '{text}' is a placeholder" for where, name, text in dict.fromkeys(in_files)),
        *by_host([(host, f"{name}: '{text}' is a placeholder") for host, name, text in elsewhere]),
    ]


def by_host(findings: Sequence[tuple[str, str]]) -> list[str]:
    """Say what is the same for many hosts once. findings are pairs of host and text."""
    hosts: dict[str, list[str]] = {}
    for host, text in findings:
        hosts.setdefault(text, []).append(host)
    out = []
    for text, mentioned in hosts.items():
        names = list(dict.fromkeys(mentioned))
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        out.append(f"{'host' if len(names) == 1 else 'hosts'} {', '.join(names[:2])}{more}: {text}")
    return out


def unknown_variables(names: Sequence[str], known: set[str], roles: Sequence[str]) -> list[str]:
    """Find variables in the collection's own name space that no role has, with the name that was probably meant."""
    prefixes = tuple(f"{role}_" for role in (*roles, "enclii"))
    out = []
    for name in sorted(names):
        if name in known or not name.startswith(prefixes):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "see docs/variables.md for those there are"
        out.append(f"{name}: no role has a variable of this name; {hint}")
    return out


def group_findings(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Check the groups and the names of machines. groups maps group name -> host names."""
    out = []
    control_plane, workers = groups.get("control_plane", ()), groups.get("workers", ())
    nodes = groups.get("kubernetes_nodes", ())
    if workers and not control_plane:
        out.append(
            "group control_plane: empty, while workers has machines; "
            "name one machine, or none in both groups for a managed cluster"
        )
    if len(control_plane) > MAX_CONTROL_PLANES:
        out.append(
            f"group control_plane: {len(control_plane)} machines; this version builds clusters of one. "
            "Leave one: kubernetes_endpoint is set from the start, so the cluster can grow to three later"
        )
    out += [
        f"group {group}: {host} is not in kubernetes_nodes, which has to contain this group"
        for group, hosts in (("control_plane", control_plane), ("workers", workers))
        for host in hosts
        if host not in nodes
    ]
    out += [
        f"group workers: {host} is in control_plane, too; a machine is one of both"
        for host in workers
        if host in control_plane
    ]
    if len(groups.get("platform", ())) != 1:
        out.append(
            f"group platform: {len(groups.get('platform', ()))} hosts; "
            "it names the one machine that talks to the cluster, usually localhost"
        )
    out += [
        f"inventory host name {host}: not a DNS label (a-z, 0-9, '-', at most 63); it becomes the name of the node"
        for host in nodes
        if not _LABEL.fullmatch(host) and PLACEHOLDER not in host
    ]
    return out


def address_findings(addresses: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Find machines that are the same machine. addresses maps host name -> what it is reached by (address, port)."""
    seen: dict[tuple[str, ...], str] = {}
    out = []
    for host, address in addresses.items():
        if any(PLACEHOLDER in part for part in address):
            continue
        if first := seen.get(address):
            out.append(
                f"host {host}: reached at {':'.join(filter(None, address))} like {first}; each machine is named once"
            )
        seen.setdefault(address, host)
    return out


def platform_findings(values: Mapping[str, t.Any]) -> list[str]:
    """Check the variables that every role shares, as the host of group platform sees them (evaluated)."""
    out = []
    inventory = values.get("enclii_inventory")
    if not inventory:
        out.append("enclii_inventory: not set; give this inventory a name, it is recorded in the cluster it belongs to")
    elif not (isinstance(inventory, str) and _LABEL.fullmatch(inventory)) and not _contains(inventory):
        out.append("enclii_inventory: not a DNS label (a-z, 0-9, '-', at most 63)")
    out += _environment_findings(
        values.get("enclii_environments"), str(values.get("enclii_namespace") or "enclii-system")
    )
    if inventory != "local" and not values.get("enclii_in_cluster"):
        out += [
            f"{name}: not set; outside the inventory local no cluster is ever implied. "
            "Set it, or enclii_in_cluster: true inside a pod"
            for name in ("enclii_kubeconfig", "enclii_context")
            if not values.get(name)
        ]
    return out


def _environment_findings(environments: object, system: str) -> list[str]:
    if not isinstance(environments, list) or not environments:
        return ["enclii_environments: no list with at least one namespace; name the environments of this cluster"]
    out = []
    for number, name in enumerate(environments):
        where = f"enclii_environments[{number}]"
        if _contains(name):
            continue
        if not isinstance(name, str) or not _LABEL.fullmatch(name):
            out.append(f"{where}: '{name}' is no name for a namespace (a-z, 0-9, '-', at most 63)")
        elif name == "default" or name.startswith("kube-"):
            out.append(f"{where}: '{name}' belongs to Kubernetes; environments have namespaces of their own")
        elif name == system:
            out.append(f"{where}: '{name}' is enclii_namespace, where the platform itself lives")
        elif name in environments[:number]:
            out.append(f"{where}: '{name}' is in the list twice")
    return out
