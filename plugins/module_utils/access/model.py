# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules, subjects, requests and grants of Kubernetes' RBAC, with its very own idea of what matches what."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping

ANY = "*"
ACCOUNT, USER, GROUP = "ServiceAccount", "User", "Group"
_ACCOUNT_PREFIX = "system:serviceaccount:"
EVERYONE = ("system:authenticated", "system:unauthenticated")
_ANONYMOUS = "system:anonymous"  # the user of whoever shows no login
ALL_ACCOUNTS = "system:serviceaccounts"
_KUBELET_CLIENT = "kube-apiserver-kubelet-client"  # the API server itself, where kubeadm made the cluster


@dataclasses.dataclass(frozen=True)
class Thing:
    """A resource as rules name it. group "" is the core group; each part may be "*"."""

    resource: str
    group: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        group = f".{self.group}" if self.group else ""
        return f"{self.resource}{group}" + (f"/{self.subresource}" if self.subresource else "")


@dataclasses.dataclass(frozen=True)
class Request:
    """One question to the authorizer. namespace "" asks for all namespaces or for what has none; url instead of thing."""

    verb: str
    thing: Thing | None = None
    namespace: str = ""
    name: str = ""
    url: str = ""

    def __str__(self) -> str:
        if self.thing is None:
            return f"{self.verb} {self.url}"
        named = f" named {self.name}" if self.name else ""
        return f"{self.verb} {self.thing}{named}" + (f" in {self.namespace}" if self.namespace else "")

    def attributes(self) -> dict[str, t.Any]:
        """The part of a SubjectAccessReview's spec that says what is asked for."""
        if self.thing is None:
            return {"nonResourceAttributes": {"verb": self.verb, "path": self.url}}
        given = {
            "verb": self.verb,
            "group": self.thing.group,
            "resource": self.thing.resource,
            "subresource": self.thing.subresource,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {"resourceAttributes": {key: value for key, value in given.items() if value}}


@dataclasses.dataclass(frozen=True)
class Rule:
    """A PolicyRule: all of one kind are alternatives, nothing in names means any name."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def read(cls, given: Mapping[str, t.Any]) -> Rule:
        def listed(key: str) -> tuple[str, ...]:
            return tuple(str(one) for one in given.get(key) or ())

        return cls(
            listed("verbs"),
            listed("apiGroups"),
            listed("resources"),
            listed("resourceNames"),
            listed("nonResourceURLs"),
        )

    def verb(self, verb: str) -> bool:
        return ANY in self.verbs or verb in self.verbs

    def group(self, group: str) -> bool:
        return ANY in self.groups or group in self.groups

    def resource(self, resource: str, subresource: str) -> bool:
        whole = f"{resource}/{subresource}" if subresource else resource
        if ANY in self.resources or whole in self.resources:
            return True
        return bool(subresource) and f"*/{subresource}" in self.resources

    def url(self, url: str) -> bool:
        return any(one in (ANY, url) or (one.endswith(ANY) and url.startswith(one.rstrip(ANY))) for one in self.urls)

    def thing(self, thing: Thing) -> bool:
        return self.group(thing.group) and self.resource(thing.resource, thing.subresource)

    def allows(self, request: Request) -> bool:
        if not self.verb(request.verb):
            return False
        if request.thing is None:
            return self.url(request.url)
        return self.thing(request.thing) and (not self.names or request.name in self.names)

    def __str__(self) -> str:
        verbs = ",".join(self.verbs)
        if self.urls:
            return f"{verbs} {','.join(self.urls)}"
        # a group of several resources is written once
        groups = [f".{group}" if group else "" for group in self.groups] or [""]
        things = [
            f"{resource.partition('/')[0]}{group}{_rest(resource)}" for group in groups for resource in self.resources
        ]
        return f"{verbs} {','.join(things)}" + (f" named {','.join(self.names)}" if self.names else "")


def _rest(resource: str) -> str:
    _resource, slash, subresource = resource.partition("/")
    return slash + subresource


@dataclasses.dataclass(frozen=True, order=True)
class Subject:
    """Whom a binding names. namespace only with accounts."""

    kind: str
    name: str
    namespace: str = ""

    @classmethod
    def account(cls, namespace: str, name: str) -> Subject:
        return cls(ACCOUNT, name, namespace)

    @property
    def user(self) -> str:
        """The user name the API server sees; "" for a group."""
        if self.kind == ACCOUNT:
            return f"{_ACCOUNT_PREFIX}{self.namespace}:{self.name}"
        return self.name if self.kind == USER else ""

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that are known without asking anybody: an account's are its own, a person's come with the login."""
        if self.kind == ACCOUNT:
            return (ALL_ACCOUNTS, f"{ALL_ACCOUNTS}:{self.namespace}", EVERYONE[0])
        if self.kind == GROUP:
            return (self.name,)
        return (EVERYONE[1],) if self.name == _ANONYMOUS else (EVERYONE[0],)

    @property
    def system(self) -> bool:
        """Kubernetes' own: names that it reserves, and accounts of its namespace. Who stands for everybody is not."""
        if self.kind == ACCOUNT:
            return self.namespace == "kube-system"
        if self.kind == GROUP and (self.name in EVERYONE or self.name.startswith(ALL_ACCOUNTS)):
            return False
        if self == ANONYMOUS:
            return False
        return self.name.startswith(("system:", "kubeadm:")) or self.name == _KUBELET_CLIENT

    def __str__(self) -> str:
        if self.kind == ACCOUNT:
            return f"account {self.namespace}/{self.name}"
        return f"{self.kind.lower()} {self.name}"


ANONYMOUS = Subject(USER, _ANONYMOUS)


def as_subject(given: Mapping[str, t.Any], namespace: str) -> Subject | None:
    """A binding's subject; None where it names nobody. A user name of an account is that account."""
    kind, name = str(given.get("kind") or ""), str(given.get("name") or "")
    if kind == USER and name.startswith(_ACCOUNT_PREFIX):
        space, _colon, account = name.removeprefix(_ACCOUNT_PREFIX).partition(":")
        return Subject.account(space, account)
    if kind == ACCOUNT:
        space = str(given.get("namespace") or namespace)
        return Subject.account(space, name) if space else None
    return Subject(kind, name) if kind in (USER, GROUP) else None


@dataclasses.dataclass(frozen=True)
class Path:
    """How somebody comes to a rule. origin: the ClusterRole whose rule it is, where another one aggregates it."""

    binding: str
    role: str
    rule: str
    origin: str = ""
    member_of: str = ""

    def steps(self) -> list[str]:
        first = [f"member of group {self.member_of}"] if self.member_of else []
        origin = [f"aggregated from {self.origin}"] if self.origin else []
        return [one for one in (*first, self.binding, self.role, *origin, self.rule) if one]

    def __str__(self) -> str:
        return " → ".join(self.steps())


@dataclasses.dataclass(frozen=True)
class Grant:
    """A rule somebody has. namespace "" is everywhere."""

    subject: Subject
    namespace: str
    rule: Rule
    path: Path

    def allows(self, request: Request) -> bool:
        return self.namespace in ("", request.namespace) and self.rule.allows(request)
