# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe has to know of a cluster before it makes anything: policies, namespaces, and the pods that really serve."""

from __future__ import annotations

import typing as t
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..flows.evaluate import Evaluator, Pod, selector
from ..flows.matrix import Identity
from ..flows.model import Facts, Flow
from ..flows.render import capability
from ..kube import network as net
from ..kube.client import Client
from ..kube.errors import ApiError
from ..kube.explain import explain
from ..kube.ready import condition
from .objects import RUN

PURPOSE, NODES = "enclii.dev/purpose", "nodes"
_POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Cluster:
    """policies: those there are without a probe's own, by namespace/name; pods: running pods of the namespaces asked for

    services: of these namespaces; nodes: one address of each node
    """

    facts: Facts
    policies: Mapping[str, Obj]
    namespaces: Mapping[str, Mapping[str, str]]
    pods: Sequence[Obj]
    version: str
    services: Sequence[Obj] = ()
    nodes: Sequence[str] = ()

    def evaluator(self) -> Evaluator:
        return Evaluator(self.policies.values(), self.namespaces)

    def accounts(self) -> dict[str, str]:
        """Of namespaces of node agents, where only named accounts may run: that of a pod that runs there."""
        found: dict[str, str] = {}
        for pod in self.pods:
            space = pod["metadata"]["namespace"]
            if self.namespaces.get(space, {}).get(PURPOSE) == NODES:
                found.setdefault(space, str(pod["spec"].get("serviceAccountName") or ""))
        return found

    def idle(self, spaces: Iterable[str]) -> list[str]:
        """Namespaces of node agents in which none runs, so that no probe pod may."""
        agents = self.accounts()
        return [one for one in spaces if self.namespaces.get(one, {}).get(PURPOSE) == NODES and one not in agents]

    def publishes(self, one: Identity) -> str:
        """The Service that would send callers to a probe pod of that kind although it is never ready, or nothing."""
        for service in self.services:
            about, spec = service["metadata"], service.get("spec") or {}
            wanted = spec.get("selector") if spec.get("publishNotReadyAddresses") else None
            if wanted and about["namespace"] == one.namespace and wanted.items() <= dict(one.labels).items():
                return f"{about['namespace']}/{about['name']}"
        return ""

    def versions(self) -> dict[str, str]:
        """Name of each policy to its resourceVersion, to see whether any changed meanwhile."""
        return {name: str(one["metadata"].get("resourceVersion")) for name, one in self.policies.items()}


def look(client: Client, spaces: Iterable[str]) -> Cluster:
    """Everything in parallel. spaces: whose pods and Services are listed."""
    lists: dict[str, tuple[str, dict[str, str]]] = {
        **net.LISTS,
        "policies": (_POLICIES, {}),
        "namespaces": ("/api/v1/namespaces", {}),
    }
    for space in sorted(set(spaces)):
        path = f"/api/v1/namespaces/{urllib.parse.quote(space)}"
        lists[f"pods {space}"] = (f"{path}/pods", {"fieldSelector": "status.phase=Running"})
        lists[f"services {space}"] = (f"{path}/services", {})

    def read(name: str) -> t.Any:
        path, query = lists[name]
        try:
            return client.list(path, query) if name != "version" else client.get(path)
        except ApiError as error:
            raise explain(error, f"Cluster {client.login.server}", "", verb=f"list {path}", changed=False) from error

    lists["version"] = ("/version", {})
    got = dict(zip(lists, client.map(read, lists), strict=True))
    return Cluster(
        Facts.read(net.network(got["slices"], got["nodes"], got["dns"])),
        by_name(got["policies"]),
        {one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in got["namespaces"]},
        [pod for name in lists if name.startswith("pods ") for pod in got[name] if not _of_a_probe(pod)],
        str(got["version"].get("gitVersion") or ""),
        [service for name in lists if name.startswith("services ") for service in got[name]],
        net.internal(got["nodes"]),
    )


def policies_now(client: Client) -> dict[str, Obj]:
    return by_name(client.list(_POLICIES))


def by_name(policies: Iterable[Obj]) -> dict[str, Obj]:
    """namespace/name to policy; what a probe made for itself is left out."""
    return {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": one for one in policies if not _of_a_probe(one)
    }


def _of_a_probe(one: Obj) -> bool:
    return RUN in (one["metadata"].get("labels") or {})


def as_policies_see_it(pod: Obj) -> Pod:
    about, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    ports = {
        str(port["name"]): (int(port["containerPort"]), str(port.get("protocol") or "TCP"))
        for container in spec.get("containers") or []
        for port in container.get("ports") or []
        if port.get("name")
    }
    return Pod(
        about["namespace"], about.get("labels") or {}, str(status.get("podIP") or ""), about["name"],
        bool(spec.get("hostNetwork")), ports,
    )  # fmt: skip


def running(pods: Iterable[Obj]) -> list[Pod]:
    return [as_policies_see_it(pod) for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def servers(flows: Sequence[Flow], pods: Iterable[Obj]) -> list[Pod]:
    """Ready pods at the end of a flow: one of those that serve the same flows in the same namespace is enough."""
    found: dict[tuple[str, tuple[str, ...]], Pod] = {}
    selectors = [(flow, selector(capability(flow, "server"))) for flow in flows if flow.target.kind == "pods"]
    for pod in sorted(pods, key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"])):
        ready = condition(pod.get("status") or {}, "Ready")
        if pod["metadata"].get("deletionTimestamp") or not ready or ready.get("status") != "True":
            continue
        one = as_policies_see_it(pod)
        serves = tuple(
            flow.name for flow, takes in selectors if one.namespace in flow.target.namespaces and takes(one.labels)
        )
        if serves and one.ip and not one.host_network:
            found.setdefault((one.namespace, serves), one)
    return list(found.values())
