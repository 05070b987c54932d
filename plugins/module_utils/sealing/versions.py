# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the controller's versions: their faults, and which of our paths meet one."""

from __future__ import annotations

import re
import typing as t

from .errors import SealingError

if t.TYPE_CHECKING:
    from ..kube.client import Client

RECOMMENDED = "0.40.0"
# Tags without images or charts of their own, by the project's release notes.
INCOMPLETE = ("0.36.3", "0.36.5", "0.36.6", "0.38.1", "0.38.3", "0.38.4")
# template.data may hold null, which drops an item from the Secret.
NULL_IN_TEMPLATE = "0.40.0"
# An item wins over template.data of the same name; before, the template did.
ITEM_WINS = "0.37.0"
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
# Groups that hold everybody, or every pod.
_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")
Obj = dict[str, t.Any]


class Fault(t.NamedTuple):
    """fixed_in: the first version without it; paths: what of the controller it is in (rotate, verify, template, keys)."""

    fixed_in: str
    what: str
    reference: str
    paths: tuple[str, ...]

    def as_dict(self) -> dict[str, t.Any]:
        return {**self._asdict(), "paths": list(self.paths)}


FAULTS = (
    Fault("0.30.0", "Template functions show data of the controller to who may write a SealedSecret", "PR 1703", ("template",)),
    Fault(
        "0.36.0",
        "/v1/rotate takes the scope from the template, which nothing protects: a strict secret comes back cluster-wide",
        "CVE-2026-22728, GHSA-465p-v42x-3fmj, PR 1885, PR 1886",
        ("rotate",),
    ),
    Fault("0.38.0", "The list of keys is read and written at once, and may be wrong for a moment after a renewal", "PR 1905", ("keys",)),
    Fault(
        "0.39.0",
        "/v1/verify executes the template, which nothing protects: it tells a value bit by bit to who may reach it",
        "PR 2019",
        ("verify",),
    ),
    Fault(
        "0.39.0",
        "/v1/rotate has no limit of requests: who may reach it can keep the controller busy",
        "GHSA-jpp5-6cf2-prqh, PR 1971",
        ("rotate",),
    ),
    Fault(
        "0.40.0",
        "/v1/rotate executes the template, which nothing protects: it tells values to who may reach it",
        "PR 2049",
        ("rotate",),
    ),
)  # fmt: skip


def parse(version: str) -> tuple[int, int, int] | None:
    """(0, 40, 0) of "0.40.0" or "v0.40.0"; None where it is no version."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def before(version: str, fixed_in: str) -> bool:
    """Whether a version is older than another. An unknown one is not."""
    one, other = parse(version), parse(fixed_in)
    return one is not None and other is not None and one < other


def faults(version: str) -> list[Fault]:
    """The known faults of a version, gravest last; [] where it is not known."""
    return [fault for fault in FAULTS if before(version, fault.fixed_in)]


def refuse(version: str, path: str) -> None:
    """Raise SealingError where a path ("rotate", "verify") of a version has a fault, or the version is not known."""
    subject = f"Controller {version}" if version else "Controller"
    if parse(version) is None:
        raise SealingError(
            subject,
            f"its version is not known, and /v1/{path} of old ones has faults",
            "Say which it is by controller_version, or use private keys, which need no controller",
            reason="controller",
        )
    met = [fault for fault in faults(version) if path in fault.paths]
    if met:
        raise SealingError(
            subject,
            f"/v1/{path} is not used, for it has a fault: {met[-1].what} ({met[-1].reference})",
            f"Update the controller to {RECOMMENDED}, or use private keys, which need no controller",
            reason="controller",
        )


def open_to_everybody(client: Client, namespace: str, service: str) -> list[str]:
    """The bindings by which everybody with a login reaches the controller's HTTP API, "RoleBinding namespace/name to group".

    Raises ApiError where bindings may not be read.
    """
    base = "/apis/rbac.authorization.k8s.io/v1"
    listed = [
        *client.list(f"{base}/namespaces/{namespace}/rolebindings"),
        *client.list(f"{base}/clusterrolebindings"),
    ]
    found = []
    for binding in listed:
        groups = [
            subject["name"]
            for subject in binding.get("subjects") or []
            if subject.get("kind") == "Group"
            and subject.get("name") in (*_EVERYBODY, f"system:serviceaccounts:{namespace}")
        ]
        if not groups:
            continue
        own, role = binding["metadata"].get("namespace", ""), binding["roleRef"]
        place = f"{base}/namespaces/{own}/roles" if role["kind"] == "Role" else f"{base}/clusterroles"
        rules = (client.find(f"{place}/{role['name']}") or {}).get("rules") or []
        if any(_reaches(rule, service) for rule in rules):
            name = (
                f"RoleBinding {own}/{binding['metadata']['name']}"
                if own
                else f"ClusterRoleBinding {binding['metadata']['name']}"
            )
            found += [f"{name} to {group}" for group in groups]
    return sorted(found)


def _reaches(rule: Obj, service: str) -> bool:
    groups, resources, verbs, names = (
        rule.get(part) or [] for part in ("apiGroups", "resources", "verbs", "resourceNames")
    )
    return (
        bool({"", "*"} & set(groups))
        and bool({"services/proxy", "*/proxy", "*"} & set(resources))
        and bool({"create", "*"} & set(verbs))
        and (not names or any(name in (service, f"{service}:") or f":{service}:" in name for name in names))
    )


def findings(version: str, bindings: t.Sequence[str] | None) -> list[dict[str, str]]:
    """What a person has to know of a controller, gravest first: level (critical, error, warning), what, next_step.

    bindings: those by which everybody reaches it; None where they could not be read.
    """
    out: list[dict[str, str]] = []

    def add(level: str, what: str, step: str) -> None:
        out.append({"level": level, "what": what, "next_step": step})

    update = f"Update the controller to {RECOMMENDED}"
    old = before(version, "0.40.0")
    if bindings and old:
        add(
            "critical",
            f"Everybody with a login, every pod too, can have values told by the controller {version}: {', '.join(bindings)}",
            f"{update}, and delete the binding (rbac.serviceProxier.bind=false in its chart)",
        )
    elif bindings:
        add(
            "warning",
            f"Everybody with a login reaches the controller's HTTP API: {', '.join(bindings)}",
            "Bind it to those who verify or seal anew (rbac.serviceProxier.subjects in its chart)",
        )
    if bindings is None:
        add(
            "warning",
            "Who reaches the controller's HTTP API is not known: the login may not read the bindings",
            "Allow it to list them",
        )
    if parse(version) is None:
        add(
            "warning", "The controller's version is not known, and with it its faults", "Give its image a version's tag"
        )
    for fault in reversed(faults(version)):
        add("error", f"{fault.what} ({fault.reference}; fixed in {fault.fixed_in})", update)
    if version in INCOMPLETE:
        add("warning", f"{version} was not released completely", update)
    return out
