# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is dangerous to be able to do, and which rules give it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from .model import ANY, Grant, Path, Request, Rule, Subject, Thing

_RBAC, _ADMISSION, _CSR = "rbac.authorization.k8s.io", "admissionregistration.k8s.io", "certificates.k8s.io"
_AUTHENTICATION = "authentication.k8s.io"
_READ, _WRITE = ("get", "list", "watch"), ("create", "update", "patch")
_STREAM = ("get", "create")  # a websocket opens with GET, SPDY with POST
_EXTRAS = ("uids", "userextras", "userextras/*")  # a login's further fields are subresources, as in userextras/scopes
_MODE = "impersonate:"
_AS_NODE = ("impersonate:arbitrary-node", "impersonate:associated-node")


@dataclasses.dataclass(frozen=True)
class Want:
    """Verbs on resources of one group, with "/*" for all subresources that rules name.

    cluster: they have no namespace, so that only a cluster-wide grant counts
    """

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    group: str = ""
    cluster: bool = False

    def things(self) -> list[Thing]:
        return [Thing(name.partition("/")[0], self.group, name.partition("/")[2]) for name in self.resources]

    def given(self, rule: Rule) -> list[Thing]:
        """Those that a rule grants."""
        plain = [thing for thing in self.things() if thing.subresource != ANY]
        whole = [thing.resource for thing in self.things() if thing.subresource == ANY]
        parts = [one.partition("/") for one in rule.resources]
        named = [
            Thing(one, self.group, part) for one in whole for name, _slash, part in parts if part and name in (ANY, one)
        ]
        return [thing for thing in (*plain, *named) if rule.thing(thing)]


@dataclasses.dataclass(frozen=True)
class Power:
    """meaning: why it is dangerous, for people."""

    name: str
    meaning: str
    wants: tuple[Want, ...] = ()

    @property
    def cluster(self) -> bool:
        """Whether nothing of it has a namespace."""
        return bool(self.wants) and all(want.cluster for want in self.wants)


_CONTROLLERS = ("deployments", "daemonsets", "statefulsets", "replicasets")
POWERS: dict[str, Power] = {
    power.name: power
    for power in (
        Power("everything", "does whatever it likes"),
        Power("read-secrets", "reads passwords and keys", (Want(_READ, ("secrets",)),)),
        Power(
            "write-secrets",
            "puts other passwords and keys in place, and makes Secrets into which Kubernetes writes an account's token",
            (Want(_WRITE, ("secrets",)),),
        ),
        Power("exec", "runs commands in containers", (Want(_STREAM, ("pods/exec",)),)),
        Power("attach", "takes over the input and output of containers", (Want(_STREAM, ("pods/attach",)),)),
        Power(
            "port-forward",
            "reaches every port of a pod, past all network policies",
            (Want(_STREAM, ("pods/portforward",)),),
        ),
        Power(
            "proxy",
            "reaches ports of pods and services through the API server, past all network policies",
            (Want((ANY,), ("pods/proxy", "services/proxy")),),
        ),
        Power(
            "ephemeral-containers",
            "puts containers into running pods",
            (Want(("update", "patch"), ("pods/ephemeralcontainers",)),),
        ),
        Power(
            "create-pods",
            "runs what it likes as any account of the namespace, with all its Secrets mounted",
            (
                Want(_WRITE, ("pods", "replicationcontrollers")),
                Want(_WRITE, _CONTROLLERS, "apps"),
                Want(_WRITE, ("jobs", "cronjobs"), "batch"),
            ),
        ),
        Power("create-tokens", "logs in as other accounts", (Want(("create",), ("serviceaccounts/token",)),)),
        Power(
            "impersonate",
            "acts as somebody else",
            (
                Want(("impersonate",), ("users", "groups"), cluster=True),
                Want(("impersonate",), ("serviceaccounts",)),
                Want(("impersonate",), _EXTRAS, _AUTHENTICATION, cluster=True),
                # what is constrained goes by verbs of its own, and names everybody in one group
                Want(("impersonate:user-info",), ("users", "groups", *_EXTRAS), _AUTHENTICATION, cluster=True),
                Want(("impersonate:serviceaccount",), ("serviceaccounts",), _AUTHENTICATION),
                Want(_AS_NODE, ("nodes",), _AUTHENTICATION, cluster=True),
            ),
        ),
        Power(
            "escalate",
            "gives roles rights that it does not have itself",
            (Want(("escalate",), ("roles",), _RBAC), Want(("escalate",), ("clusterroles",), _RBAC, cluster=True)),
        ),
        Power(
            "bind",
            "gives people roles that it does not have itself",
            (Want(("bind",), ("roles", "clusterroles"), _RBAC),),
        ),
        Power(
            "write-rbac",
            "changes who may do what",
            (
                Want((*_WRITE, "delete", "deletecollection"), ("roles", "rolebindings"), _RBAC),
                Want(
                    (*_WRITE, "delete", "deletecollection"),
                    ("clusterroles", "clusterrolebindings"),
                    _RBAC,
                    cluster=True,
                ),
            ),
        ),
        Power(
            "node-proxy",
            "runs commands in every pod of a node through its kubelet, past audit log and admission",
            (Want((ANY,), ("nodes/proxy",), cluster=True),),
        ),
        Power(
            "write-admission",
            "sees and changes every object that is written, or switches policies off",
            (
                Want(
                    (*_WRITE, "delete", "deletecollection"),
                    (
                        "mutatingwebhookconfigurations",
                        "validatingwebhookconfigurations",
                        "validatingadmissionpolicies",
                        "validatingadmissionpolicybindings",
                        "mutatingadmissionpolicies",
                        "mutatingadmissionpolicybindings",
                    ),
                    _ADMISSION,
                    cluster=True,
                ),
            ),
        ),
        Power(
            "write-apis",
            "puts a server of its own behind a part of the API, or a converter in front of custom resources",
            (
                Want(_WRITE, ("apiservices",), "apiregistration.k8s.io", cluster=True),
                Want(_WRITE, ("customresourcedefinitions",), "apiextensions.k8s.io", cluster=True),
            ),
        ),
        Power(
            "sign-certificates",
            "makes client certificates, which are logins",
            (
                Want(
                    ("update", "patch"),
                    ("certificatesigningrequests/approval", "certificatesigningrequests/status"),
                    _CSR,
                    cluster=True,
                ),
                Want(("approve", "sign"), ("signers",), _CSR, cluster=True),
            ),
        ),
        Power(
            "write-walls",
            "opens the walls of namespaces: their Pod Security labels and network policies",
            (
                Want(_WRITE, ("namespaces",)),
                Want((*_WRITE, "delete", "deletecollection"), ("networkpolicies",), "networking.k8s.io"),
            ),
        ),
        Power(
            "create-volumes",
            "makes volumes of directories of nodes, past Pod Security",
            (Want(_WRITE, ("persistentvolumes",), cluster=True),),
        ),
        Power("wildcard", "may do what nobody has thought of yet"),
        Power("delete", "takes away what others need"),
    )
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """Somebody has a power over one resource. namespace "" is everywhere; no names means any name."""

    power: str
    subject: Subject
    verbs: tuple[str, ...]
    what: str
    namespace: str
    names: tuple[str, ...]
    path: Path

    @property
    def scope(self) -> str:
        return f"namespace {self.namespace}" if self.namespace else "everywhere"

    def request(self) -> Request:
        """A question whose answer is yes as long as the finding is true."""
        name = self.names[0] if self.names else ""
        if self.what.startswith("/"):
            return Request(self.verbs[0], url=self.what.rstrip(ANY) or "/")
        whole, _slash, subresource = self.what.partition("/")
        resource, _dot, group = whole.partition(".")
        return Request(self.verbs[0], Thing(resource, group, subresource), self.namespace, name)

    def __str__(self) -> str:
        named = f" named {','.join(self.names)}" if self.names else ""
        place = f" in {self.namespace}" if self.namespace else " everywhere"
        return f"{self.subject}: {self.power} ({','.join(self.verbs)} {self.what}{named}){place}"


def total(rule: Rule) -> bool:
    return ANY in rule.verbs and ANY in rule.groups and ANY in rule.resources and not rule.names


def find(grant: Grant, subject: Subject | None = None) -> list[Finding]:
    """All powers a grant gives. subject: who has it, where it comes by a group."""
    return [
        Finding(power, subject or grant.subject, verbs, what, grant.namespace, names, grant.path)
        for power, verbs, what, names in _found(grant.rule, grant.namespace)
    ]


def _found(rule: Rule, namespace: str) -> Iterator[tuple[str, tuple[str, ...], str, tuple[str, ...]]]:
    if total(rule):
        yield "everything", (ANY,), "*.*", ()
    for power in POWERS.values():
        for want in power.wants:
            if want.cluster and namespace:
                continue
            verbs = _verbs(rule, want)
            for thing in want.given(rule) if verbs else ():
                yield power.name, verbs, str(thing), rule.names
    things = _things(rule)
    wild = [thing for thing in things if ANY in (thing.resource, thing.group, thing.subresource)]
    if ANY in rule.verbs:
        wild = things
    for thing in wild:
        yield "wildcard", rule.verbs, str(thing), rule.names
    if ANY in rule.urls and not namespace:
        yield "wildcard", rule.verbs, "/*", ()
    removes = tuple(verb for verb in ("delete", "deletecollection") if rule.verb(verb))
    for thing in things if removes else ():
        yield "delete", removes, str(thing), rule.names


def _verbs(rule: Rule, want: Want) -> tuple[str, ...]:
    """The verbs of a rule that count. A way to impersonate that Kubernetes adds later counts with those of today."""
    if ANY in want.verbs:
        return rule.verbs
    modes = [verb for verb in rule.verbs if verb.startswith(_MODE)] if want.verbs[0].startswith(_MODE) else []
    return tuple(dict.fromkeys((*(verb for verb in want.verbs if rule.verb(verb)), *modes)))


def _things(rule: Rule) -> list[Thing]:
    parts = [one.partition("/") for one in rule.resources]
    return [Thing(resource, group, subresource) for group in rule.groups for resource, _slash, subresource in parts]


def probes(subject: Subject) -> list[Finding]:
    """One question for every resource of every power, cluster-wide and in the account's namespace, as if the answer were yes.

    Other authorizers than RBAC may allow what no role shows; these questions find it.
    """
    nowhere = Path("granted by another authorizer than RBAC", "", "")
    return [
        Finding(power.name, subject, ("get" if ANY in want.verbs else want.verbs[0],), str(thing), space, (), nowhere)
        for power in POWERS.values()
        for want in power.wants
        for thing in want.things()
        if thing.subresource != ANY  # nobody can ask for all of them
        for space in dict.fromkeys(("",) if want.cluster else ("", subject.namespace))
    ]
