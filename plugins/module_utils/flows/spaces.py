# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which namespaces have walls, and of what kind: no Ansible inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WALLS = "enclii.dev/walls"
MODES = ("observe", "enforce")
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


def _wrong_of(name: str, said: Any) -> list[str]:
    """What is wrong with what an inventory says of one namespace."""
    where = f"baseline_namespaces.{name}"
    if not isinstance(said, Mapping):
        return [f"{where} is no mapping; give {', '.join(_KEYS)}, or {{}}"]
    wrong = []
    if name == "default" or name.startswith("kube-"):
        wrong.append(f"baseline_namespaces: {name} belongs to Kubernetes and stays as it is; take it out")
    for key, value in said.items():
        kind = _KEYS.get(key)
        if kind is None:
            wrong.append(f"{where}: {key} is unknown; there are {', '.join(_KEYS)}")
        elif not isinstance(value, kind) or (kind is Sequence and isinstance(value, str)):
            words = {str: "a word", Mapping: "a mapping", Sequence: "a list"}
            wrong.append(f"{where}.{key} is to be {words[kind]}")
        elif key == "mode" and value not in MODES:
            wrong.append(f"{where}.mode: {value} is unknown; there are {' and '.join(MODES)}")
        elif key == "exemptions":
            form = (
                f"{where}.exemptions: each has container, reason, and rules out of {', '.join(EXEMPT_RULES)}; this is "
            )
            wrong += [form + _short(one) for one in value if _wrong_exemption(one)]
    return wrong


def _short(one: Any) -> str:
    return ", ".join(f"{key}: {value}" for key, value in one.items()) if isinstance(one, Mapping) else str(one)


def read_spaces(
    definitions: Sequence[Mapping[str, Any]],
    declared: Mapping[str, Any],
    environments: Sequence[str],
    *,
    platform: str,
    there: Mapping[str, Mapping[str, str]],
    mode: str,
    quota: Mapping[str, Any],
    limits: Mapping[str, Any],
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that follows from the inventory and from what is there.

    definitions: components, of which name, namespace, state and pod_security count; declared: namespace -> mode, quota, limits, …
    platform: its own namespace; there: namespace -> labels; mode, quota, limits: of what says nothing else; only: no others than these.

    wrong: what is wrong with declared, a sentence each; what they are about is left out of the rest
    purposes: namespace -> environment, platform or nodes; spaces: namespace -> observe or enforce
    levels: namespace -> Pod Security level, where it is not restricted
    tightened: namespaces that are there and were not enforced until now: what would break in them is found before
    figures: namespace -> limits and quota. Both change or refuse what is made, so they are there only where walls are enforced.
    checks: objects that are there where walls are enforced, as module object_info takes them
    """
    wrong = [line for name, said in sorted(declared.items()) for line in _wrong_of(name, said)]
    different = {name: said for name, said in declared.items() if not _wrong_of(name, said)}
    # Of components that are present, and of those that left something behind.
    own = {
        one["namespace"]: one["pod_security"]
        for one in definitions
        if one["pod_security"] != "none"
        and (one["state"] == "present" or (one["state"] == "absent" and WALLS in there.get(one["namespace"], {})))
    }
    purposes = dict.fromkeys([*different, *environments], "environment")
    purposes |= dict.fromkeys([platform, *own], "platform")
    purposes[NODES] = "nodes"
    spaces, figures = {}, {}
    for name, purpose in purposes.items():
        if only and name not in only:
            continue
        said = different.get(name, {})
        spaces[name] = said.get("mode", mode)
        usual = purpose == "environment"
        figures[name] = {
            "limits": {**(limits if usual else {}), **said.get("limits", {})},
            "quota": {**(quota if usual else {}), **said.get("quota", {})},
        }
    enforced = [name for name, wanted in spaces.items() if wanted == "enforce"]
    policy = {"api_version": "networking.k8s.io/v1", "kind": "NetworkPolicy", "name": "default-deny"}
    return {
        "wrong": wrong,
        "purposes": purposes,
        "spaces": spaces,
        "levels": {**own, NODES: "privileged"},
        "tightened": [name for name in enforced if name in there and there[name].get(WALLS, "") != "enforce"],
        "figures": figures,
        "checks": [{**policy, "namespace": name} for name in enforced],
    }
