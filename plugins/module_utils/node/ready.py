# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring nodes to the point where the cluster can use them: serving certificates approved, Ready, answering."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ..kube.errors import ApiError
from . import serving

_NODES = "/api/v1/nodes"
_REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_INTERVAL = 0.25  # seconds between two looks


class NotReadyError(Exception):
    """The nodes did not get there in time, or cannot; the text says which, why and what to do."""


class Api(t.Protocol):
    """What is used of kube.client.Client."""

    def get(self, path: str) -> t.Any: ...

    def list(self, path: str, query: t.Mapping[str, str] | None = None) -> list[dict[str, t.Any]]: ...

    def find(self, path: str) -> t.Any: ...

    def request(self, method: str, path: str, query: t.Any = None, body: t.Any = None) -> tuple[int, t.Any]: ...


@dataclasses.dataclass
class Wanted:
    """nodes: name -> addresses. ready: wait for Ready and an answering kubelet, not only for the node's object.
    workloads: (resource, namespace, name), such as ("deployments", "kube-system", "coredns")."""

    nodes: t.Mapping[str, t.Collection[str]]
    ready: bool = True
    workloads: t.Sequence[tuple[str, str, str]] = ()


@dataclasses.dataclass
class Seen:
    """What came of it: names of requests approved, kubelets' versions, reasons for what is still missing."""

    approved: list[str] = dataclasses.field(default_factory=list)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    strangers: list[str] = dataclasses.field(default_factory=list)


def _requests(api: Api, wanted: Wanted, seen: Seen, change: bool) -> None:
    """Approve what fits the inventory; a wrong request of one of our nodes is an error, of a stranger a remark."""
    seen.strangers = []
    for request in api.list(_REQUESTS, {"fieldSelector": f"spec.signerName={serving.SIGNER}"}):
        if not serving.pending(request):
            continue
        name = request["metadata"]["name"]
        why = serving.refusal(request, wanted.nodes)
        if why and serving.requestor(request) in wanted.nodes:
            raise NotReadyError(
                f"CertificateSigningRequest {name} of node {serving.requestor(request)} was not approved: {why}. "
                f"Mend kubernetes_node_ip or the node's name, then kubectl delete csr {name}"
            )
        if why:
            seen.strangers.append(f"{name}: {why}")
            continue
        if change:
            try:
                api.request("PUT", f"{_REQUESTS}/{name}/approval", None, serving.approved(request))
            except ApiError as error:
                if error.status not in (404, 409):  # gone or changed meanwhile: the next look decides
                    raise
                continue
        seen.approved.append(name)


def _node_problem(node: t.Mapping[str, t.Any]) -> str:
    for condition in node["status"].get("conditions") or []:
        if condition["type"] == "Ready":
            return "" if condition["status"] == "True" else str(condition.get("message") or "is not Ready")
    return "has not reported yet"


def _workload_problem(api: Api, resource: str, namespace: str, name: str, nodes: int) -> str:
    found = api.find(f"/apis/apps/v1/namespaces/{namespace}/{resource}/{name}")
    status = (found or {}).get("status") or {}
    if found and int(status.get("observedGeneration") or 0) < int(found["metadata"].get("generation") or 0):
        return "its change has not been seen yet"
    if resource == "daemonsets":
        updated = int(status.get("updatedNumberScheduled") or 0)
        have, need = min(int(status.get("numberReady") or 0), updated), nodes
    else:
        have, need = int(status.get("availableReplicas") or 0), 1
    return "" if have >= need else f"{have} of {need} ready"


def look(api: Api, wanted: Wanted, seen: Seen, answering: set[str], change: bool = True) -> None:
    """One look at everything; fills seen.missing. answering remembers the kubelets that have answered."""
    _requests(api, wanted, seen, change)
    listed = {node["metadata"]["name"]: node for node in api.list(_NODES)}
    seen.missing = {}
    for name in wanted.nodes:
        node = listed.get(name)
        if node is None:
            seen.missing[f"node {name}"] = "has not registered; journalctl -u kubelet on it says why"
            continue
        seen.versions[name] = node["status"]["nodeInfo"]["kubeletVersion"]
        problem = _node_problem(node) if wanted.ready else ""
        if not problem and name not in answering:
            # Through the API server, which accepts only a serving certificate of the cluster's CA; it needs no CNI.
            try:
                api.get(f"{_NODES}/{name}/proxy/configz")
                answering.add(name)
            except ApiError as error:
                problem = f"its kubelet does not answer the API server: {error.message}"
        if problem:
            seen.missing[f"node {name}"] = problem
    for resource, namespace, name in wanted.workloads:
        problem = _workload_problem(api, resource, namespace, name, len(wanted.nodes))
        if problem:
            seen.missing[f"{resource} {namespace}/{name}"] = problem


def wait(
    api: Api,
    wanted: Wanted,
    timeout: float,
    now: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> Seen:
    """Look until nothing is missing; NotReadyError after timeout seconds."""
    seen, answering, end = Seen(), set[str](), now() + timeout
    while True:
        look(api, wanted, seen, answering)
        if not seen.missing:
            return seen
        if now() > end:
            missing = "; ".join(f"{thing}: {why}" for thing, why in sorted(seen.missing.items()))
            raise NotReadyError(f"not ready after {timeout:.0f} s (kubernetes_wait_timeout): {missing}")
        sleep(_INTERVAL)
