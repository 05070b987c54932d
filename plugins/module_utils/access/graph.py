# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and bindings of a cluster as a graph: who may do what where, and by which path. The same answers as the API server's."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from .model import ANY, GROUP, Grant, Path, Request, Rule, Subject, as_subject

Obj = Mapping[str, t.Any]
# The API server lets this group do everything, without any role.
MASTERS = "system:masters"
_EVERYTHING = (Rule((ANY,), (ANY,), (ANY,)), Rule((ANY,), urls=(ANY,)))


@dataclasses.dataclass(frozen=True)
class Objects:
    """What a graph is made of, as the API server lists it."""

    cluster_roles: Sequence[Obj] = ()
    cluster_role_bindings: Sequence[Obj] = ()
    roles: Sequence[Obj] = ()
    role_bindings: Sequence[Obj] = ()


class Graph:
    """grants: everything anybody may do."""

    def __init__(self, objects: Objects) -> None:
        self._roles: dict[tuple[str, str], list[tuple[Rule, str]]] = {}
        rules = {_name(role): _rules(role) for role in objects.cluster_roles}
        for role in objects.cluster_roles:
            found = rules[_name(role)]
            origins = _origins(role, objects.cluster_roles, rules)
            self._roles["", _name(role)] = [(rule, origins.get(rule, "")) for rule in found]
        for role in objects.roles:
            self._roles[_space(role), _name(role)] = [(rule, "") for rule in _rules(role)]
        masters = Subject(GROUP, MASTERS)
        built_in = [Grant(masters, "", rule, Path("built into the API server", "", str(rule))) for rule in _EVERYTHING]
        self.grants: list[Grant] = [
            *built_in,
            *(grant for one in objects.cluster_role_bindings for grant in self._granted(one, "")),
            *(grant for one in objects.role_bindings for grant in self._granted(one, _space(one))),
        ]
        self._by_user: dict[str, list[Grant]] = {}
        self._by_group: dict[str, list[Grant]] = {}
        for grant in self.grants:
            index, key = (
                (self._by_group, grant.subject.name)
                if grant.subject.kind == GROUP
                else (self._by_user, grant.subject.user)
            )
            index.setdefault(key, []).append(grant)

    def _granted(self, binding: Obj, namespace: str) -> Iterable[Grant]:
        ref = binding.get("roleRef") or {}
        kind, name = str(ref.get("kind") or ""), str(ref.get("name") or "")
        local = kind == "Role"
        # a binding whose role is gone grants nothing
        rules = self._roles.get((namespace if local else "", name), []) if namespace or not local else []
        words = f"RoleBinding {namespace}/{_name(binding)}" if namespace else f"ClusterRoleBinding {_name(binding)}"
        role = f"Role {namespace}/{name}" if local else f"ClusterRole {name}"
        for given in binding.get("subjects") or ():
            subject = as_subject(given, namespace)
            if subject is not None:
                for rule, origin in rules:
                    yield Grant(subject, namespace, rule, Path(words, role, str(rule), origin))

    def subjects(self) -> list[Subject]:
        """Everybody whom a binding names, in order."""
        return sorted({grant.subject for grant in self.grants})

    def of(self, user: str, groups: Iterable[str]) -> list[Grant]:
        """What a login may do. A grant that comes by a group says so in its path."""
        found = list(self._by_user.get(user, ()))
        for group in dict.fromkeys(groups):
            found += [
                dataclasses.replace(grant, path=dataclasses.replace(grant.path, member_of=group))
                for grant in self._by_group.get(group, ())
            ]
        return found

    def of_subject(self, subject: Subject) -> list[Grant]:
        if subject.kind == GROUP:
            return list(self._by_group.get(subject.name, ()))
        return self.of(subject.user, subject.groups)

    def paths(self, request: Request, user: str, groups: Iterable[str]) -> list[Path]:
        """How a login comes to what it asks for; nothing where roles and bindings do not grant it."""
        return [grant.path for grant in self.of(user, groups) if grant.allows(request)]


def _name(obj: Obj) -> str:
    return str(obj["metadata"]["name"])


def _space(obj: Obj) -> str:
    return str(obj["metadata"].get("namespace") or "")


def _rules(role: Obj) -> list[Rule]:
    return [Rule.read(one) for one in role.get("rules") or ()]


def _origins(role: Obj, everyone: Sequence[Obj], rules: Mapping[str, list[Rule]]) -> dict[Rule, str]:
    """Rule -> the ClusterRole it comes from, of a role that aggregates others. What counts are the rules it has now."""
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    found: dict[Rule, str] = {}
    for other in everyone if selectors else ():
        if other is not role and any(selects(one, other["metadata"].get("labels") or {}) for one in selectors):
            for rule in rules[_name(other)]:
                found.setdefault(rule, f"ClusterRole {_name(other)}")
    return found


def selects(selector: Mapping[str, t.Any], labels: Mapping[str, str]) -> bool:
    """Kubernetes' label selector, where nothing selects everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for one in selector.get("matchExpressions") or ():
        key, values = one["key"], one.get("values") or ()
        verdicts = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not verdicts.get(str(one["operator"]), False):
            return False
    return True
