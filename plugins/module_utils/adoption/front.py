# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of adoption_info to its result, in a module or inside the controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..flows.model import Facts, FlowError, read_flows
from ..flows.render import policies
from ..kube import network as net
from ..kube.applyset import PART_OF, set_id
from ..kube.arguments import CONNECTION, Spec
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import ApiError, KubeError
from ..kube.explain import explain
from .figures import limit_findings, quota_findings
from .live import WALLS
from .live import Space as Live
from .network import Network
from .words import Finding, Space, report

Obj = dict[str, Any]

ADOPTION_INFO: Spec = {
    **CONNECTION,
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "spaces": {"type": "dict", "default": {}},
    "components": {"type": "list", "elements": "dict", "default": []},
    "flows": {"type": "list", "elements": "dict", "default": []},
    "environments": {"type": "list", "elements": "str", "default": []},
    "dns_addresses": {"type": "list", "elements": "str", "default": []},
    "levels": {"type": "dict", "default": {}},
    "limits": {"type": "dict", "default": {}},
    "set_namespace": {"type": "str", "default": "enclii-system"},
}


def adoption_info(params: Mapping[str, Any], environ: Mapping[str, str], clock: Clock | None = None) -> Obj:
    """changed (false), ready, namespaces and report, see module adoption_info. Raises KubeError."""
    client = Client(load_login(params, environ), clock=clock or Clock())
    try:
        spaces = _judged(client, params)
    except FlowError as error:
        raise KubeError(error.subject, error.cause, error.next_step, reason="invalid") from error
    except ApiError as error:
        raise explain(error, f"Cluster {client.login.server}", "", verb=error.method.lower(), changed=False) from error
    finally:
        client.close()
    return {
        "changed": False,
        "ready": all(one.ready for one in spaces),
        "namespaces": [one.as_dict() for one in spaces],
        "report": report(spaces),
    }


def _judged(client: Client, params: Mapping[str, Any]) -> list[Space]:
    names = list(dict.fromkeys(str(one) for one in params["namespaces"]))
    lists = client.map(lambda one: client.list(*one), net.LISTS.values())
    facts = Facts.read(net.network(*lists))
    flows = read_flows(params["components"], params["flows"], params["environments"])
    rendered = policies(flows, {**params["spaces"], **dict.fromkeys(names, "enforce")}, facts, params["dns_addresses"])
    # Policies add up: what somebody else allows stays allowed.
    ours = set_id("baseline", str(params["set_namespace"]), "ConfigMap")
    theirs = [
        one
        for one in client.list("/apis/networking.k8s.io/v1/networkpolicies")
        if (one["metadata"].get("labels") or {}).get(PART_OF) != ours
    ]
    labels = {one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in client.list("/api/v1/namespaces")}
    network = Network([*rendered, *theirs], labels, facts, _resolvers(client, facts))
    # one after the other: each asks many things at once
    return [_space(Live(client, name), params, network) for name in names]


def _resolvers(client: Client, facts: Facts) -> list[Obj]:
    dns = facts.dns or {}
    if not dns.get("labels"):
        return []
    selector = ",".join(f"{key}={text}" for key, text in dns["labels"].items())
    return client.list(f"/api/v1/namespaces/{dns['namespace']}/pods", {"labelSelector": selector})


def _space(live: Live, params: Mapping[str, Any], network: Network) -> Space:
    name, level = live.name, str(params["levels"].get(live.name) or "restricted")
    figures: Mapping[str, Any] = params["limits"].get(name) or {}
    space = Space(name, live.labels.get(WALLS, ""), live.namespace is not None, len(live.workloads), len(live.pods))
    if not live.pods and not live.workloads:
        return space
    findings = live.pod_security(level) if level != "privileged" else []
    findings += _admission(live)
    findings += network.findings(live.pods, live.services)
    findings += quota_findings(name, figures, live.pods, live.claims, live.services)
    findings += limit_findings(name, figures.get("limits") or {}, live.pods)
    space.findings = _once(findings)
    return space


def _admission(live: Live) -> list[Finding]:
    unknown = live.unwatched()
    if not unknown:
        return live.admission()
    step = "Let it be in mode observe for one run, and ask again"
    return [Finding("admission", f"Namespace {live.name}", unknown, step)]


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """What breaks comes first; nothing is said twice."""
    return sorted(dict.fromkeys(findings), key=lambda one: not one.breaks)
