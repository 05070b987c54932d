# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which namespaces have walls, and of what kind: no Ansible inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .patterns import wrong_admission, wrong_registries

WALLS, PURPOSE = "enclii.dev/walls", "enclii.dev/purpose"
MODES = ("observe", "enforce")
# Of a namespace that nothing else gives walls: they are taken down.
ABSENT = "absent"
# Where pods may reach into the node they run on: the only namespace of that kind.
NODES = "enclii-nodes"
# Rules of admission that a container can be exempt from.
EXEMPT_RULES = ("image-tag", "registry", "resources", "liveness", "readiness", "pull-policy", "secret-env")
_KEYS = {"mode": str, "quota": Mapping, "limits": Mapping, "registries": Sequence, "exemptions": Sequence}


def _wrong_exemption(one: Any) -> bool:
    if not isinstance(one, Mapping) or not one.get("container") or not one.get("reason"):
        return True
    rules = one.get("rules")
    return not isinstance(rules, Sequence) or isinstance(rules, str) or not rules or bool(set(rules) - {*EXEMPT_RULES})


def _is_kubernetes_own(name: str) -> bool:
    return name == "default" or name.startswith("kube-")


def _wrong_of(name: str, said: Any) -> list[str]:
    """What is wrong with what an inventory says of one namespace."""
    where = f"baseline_namespaces.{name}"
    if not isinstance(said, Mapping):
        return [f"{where} is no mapping; give {', '.join(_KEYS)}, or {{}}"]
    wrong = []
    if _is_kubernetes_own(name):
        wrong.append(f"baseline_namespaces: {name} belongs to Kubernetes and stays as it is; take it out")
    for key, value in said.items():
        kind = _KEYS.get(key)
        if kind is None:
            wrong.append(f"{where}: {key} is unknown; there are {', '.join(_KEYS)}")
        elif not isinstance(value, kind) or (kind is Sequence and isinstance(value, str)):
            words = {str: "a word", Mapping: "a mapping", Sequence: "a list"}
            wrong.append(f"{where}.{key} is to be {words[kind]}")
        elif key == "mode" and value not in (*MODES, ABSENT):
            wrong.append(f"{where}.mode: {value} is unknown; there are {', '.join(MODES)} and {ABSENT}")
        elif key == "registries":
            wrong += wrong_registries(f"{where}.registries", value)
        elif key == "exemptions":
            form = (
                f"{where}.exemptions: each has container, reason, and rules out of {', '.join(EXEMPT_RULES)}; this is "
            )
            wrong += [form + _short(one) for one in value if _wrong_exemption(one)]
    return wrong


def _short(one: Any) -> str:
    return ", ".join(f"{key}: {value}" for key, value in one.items()) if isinstance(one, Mapping) else str(one)


def _left_behind(there: Mapping[str, Mapping[str, str]], known: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """Namespaces that have walls and that nobody speaks of any more: what runs there is not opened without a word."""
    return {
        name: labels
        for name, labels in there.items()
        if WALLS in labels and name not in known and not _is_kubernetes_own(name)
    }


def read_spaces(
    definitions: Sequence[Mapping[str, Any]],
    declared: Mapping[str, Any],
    environments: Sequence[str],
    *,
    platform: str,
    there: Mapping[str, Mapping[str, str]],
    stands: bool,
    mode: str,
    quota: Mapping[str, Any],
    limits: Mapping[str, Any],
    admission: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that follows from the inventory and from what is there.

    definitions: components, of which name, namespace, state and pod_security count; declared: namespace -> mode, quota, limits, …
    platform: its own namespace; there: namespace -> labels; stands: whether the walls those labels speak of are there
    mode, quota, limits: of what says nothing else; admission: patterns and registries, by variable; only: no others than these,
    which keep the mode they have.

    wrong: what is wrong with declared and admission, a sentence each; namespaces it is about are left out of the rest
    purposes: namespace -> environment, platform or nodes; spaces: namespace -> observe or enforce
    levels: namespace -> Pod Security level, where it is not restricted
    tightened: namespaces that are there and were not enforced until now: what would break in them is found before
    bare: namespaces whose walls the inventory takes down
    figures: namespace -> limits and quota. Both change or refuse what is made, so they are there only where walls are enforced.
    checks: objects that are there where walls are enforced, as module object_info takes them
    """
    wrong = [line for name, said in sorted(declared.items()) for line in _wrong_of(name, said)]
    different = {name: said for name, said in declared.items() if not _wrong_of(name, said)}
    gone = [name for name, said in different.items() if said.get("mode") == ABSENT]
    # Of components that are present, and of those that left something behind.
    own = {
        one["namespace"]: one["pod_security"]
        for one in definitions
        if one["pod_security"] != "none"
        and (one["state"] == "present" or (one["state"] == "absent" and WALLS in there.get(one["namespace"], {})))
    }
    purposes = dict.fromkeys([*(name for name in different if name not in gone), *environments], "environment")
    purposes |= dict.fromkeys([platform, *own], "platform")
    purposes[NODES] = "nodes"
    wrong += [
        f"baseline_namespaces.{name}.mode: the walls of an environment, a component and the platform are not taken down one by one; "
        f"say observe, or take {name} out of what names it"
        for name in gone
        if name in purposes
    ]
    left = _left_behind(there, {*purposes, *gone}) if stands else {}
    purposes |= {name: labels.get(PURPOSE, "environment") for name, labels in left.items()}
    # What may reach into nodes is limited from the first: only the platform puts anything there.
    modes = {NODES: "enforce"} | {name: labels[WALLS] for name, labels in left.items() if labels[WALLS] in MODES}
    if only:
        modes |= {name: there[name][WALLS] for name in only if there.get(name, {}).get(WALLS) in MODES}
    spaces, figures = {}, {}
    for name, purpose in purposes.items():
        if only and name not in only:
            continue
        said = different.get(name, {}) if name not in gone else {}
        spaces[name] = modes.get(name, mode) if only else said.get("mode", modes.get(name, mode))
        usual = purpose == "environment"
        figures[name] = {
            "limits": {**(limits if usual else {}), **said.get("limits", {})},
            "quota": {**(quota if usual else {}), **said.get("quota", {})},
        }
    enforced = [name for name, wanted in spaces.items() if wanted == "enforce"]
    closed = {name for name, labels in there.items() if labels.get(WALLS) == "enforce"} if stands else set()
    policy = {"api_version": "networking.k8s.io/v1", "kind": "NetworkPolicy", "name": "default-deny"}
    return {
        "wrong": wrong + wrong_admission(admission or {}),
        "purposes": purposes,
        "spaces": spaces,
        "levels": {**{name: _level(labels) for name, labels in left.items()}, **own, NODES: "privileged"},
        "tightened": [name for name in enforced if name in there and name not in closed],
        "bare": [name for name in gone if name not in purposes and WALLS in there.get(name, {})],
        "figures": figures,
        "checks": [{**policy, "namespace": name} for name in enforced],
    }


def _level(labels: Mapping[str, str]) -> str:
    """The Pod Security level of walls that stand: each mode warns by it."""
    return labels.get("pod-security.kubernetes.io/warn", "restricted")
