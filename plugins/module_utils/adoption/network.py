# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What network policies that are to come would cut off, judged before they are there: no Ansible inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..flows.evaluate import Evaluator, Pod, selector
from ..flows.model import LABEL, Facts
from ..flows.render import ALLOW_DNS, DEFAULT_DENY
from .words import Finding

Obj = dict[str, Any]
NONE = LABEL + "none"  # on a pod that needs nothing but names, and that nobody calls
_ANYBODY = "203.0.113.1"  # of the documentation's network: somebody outside
_METRICS = re.compile(r"metrics|prometheus")
_DECLARE = "Declare it in enclii_flows, and give the pods the flow's label or select them by their own (pods)"


class Network:
    """policies: all that will hold, rendered and somebody else's; facts: the cluster's network; resolvers: its DNS pods."""

    def __init__(
        self,
        policies: Sequence[Mapping[str, Any]],
        labels: Mapping[str, Mapping[str, str]],
        facts: Facts,
        resolvers: Sequence[Obj],
    ) -> None:
        self._judge = Evaluator(policies, labels).judge
        self._policies = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one for one in policies}
        self._facts = facts
        self._resolvers = [as_pod(one) for one in resolvers]

    def findings(self, pods: Sequence[Obj], services: Sequence[Obj]) -> list[Finding]:
        """Of one namespace: pods alike are named once."""
        found: list[Finding] = []
        for alike in groups(pods):
            found += self._of_pods(alike)
        for service in services:
            found += self._of_service(service, pods)
        return found

    def _of_pods(self, alike: Sequence[Obj]) -> Iterator[Finding]:
        pod, subject = as_pod(alike[0]), named(alike)
        outward = self._judge(pod, _ANYBODY, 1).isolated_egress_by
        inward = self._judge(_ANYBODY, pod, 1).isolated_ingress_by
        leads_out, leads_in = self._leads(outward, "egress"), self._leads(inward, "ingress")
        if NONE in pod.labels:
            pass
        elif not leads_out and not leads_in:
            cause = "no flow names it, so that it reaches nothing but DNS and nobody reaches it"
            yield Finding("network", subject, cause, f'{_DECLARE}; label {NONE}: "" says that it needs none')
        elif not leads_out:
            yield Finding(
                "network", subject, "no flow leads out of it: it reaches nothing but DNS", _DECLARE, breaks=False
            )
        elif not leads_in:
            yield Finding("network", subject, "no flow leads into it: nobody reaches it", _DECLARE, breaks=False)
        if not self._resolves(pod, alike[0]):
            cause = "it would not reach the DNS it asks, and without names nothing works"
            yield Finding("network", subject, cause, "Set baseline_dns_addresses to the addresses that answer")
        account = (alike[0].get("spec") or {}).get("serviceAccountName") or "default"
        if account != "default" and has_token(alike[0]) and not self._reaches_api(pod):
            cause = f"it holds a token of account {account}, and would not reach the API server"
            yield Finding(
                "network", subject, cause, "Declare a flow to api-server, or set automountServiceAccountToken: false"
            )

    def _leads(self, names: Sequence[str], way: str) -> bool:
        """Does one of the policies that select a pod open anything that way, besides DNS, or does none select it?"""
        flows = [one for one in names if one.partition("/")[2] not in (DEFAULT_DENY, ALLOW_DNS)]
        return not names or any(self._policies[one]["spec"].get(way) for one in flows)

    def _resolves(self, pod: Pod, live: Obj) -> bool:
        own = ((live.get("spec") or {}).get("dnsConfig") or {}).get("nameservers") or []
        if (live.get("spec") or {}).get("dnsPolicy") == "None":
            return any(self._judge(pod, address, 53, "UDP").allowed for address in own)
        ports = [int(one["port"]) for one in (self._facts.dns or {}).get("ports") or [] if str(one["port"]).isdigit()]
        reached = any(self._judge(pod, one, port, "UDP").allowed for one in self._resolvers for port in ports or [53])
        # A cache on each node answers at an address of its own, and there may be no DNS pod to be seen.
        return reached or not self._resolvers

    def _reaches_api(self, pod: Pod) -> bool:
        return any(self._judge(pod, address, port).allowed for address, port in self._facts.api_server)

    def _of_service(self, service: Obj, pods: Sequence[Obj]) -> Iterator[Finding]:
        spec, metadata = service.get("spec") or {}, service["metadata"]
        behind = [
            one for one in pods if spec.get("selector") and selector({"matchLabels": spec["selector"]})(labels(one))
        ]
        behind = [one for one in behind if not (one.get("spec") or {}).get("hostNetwork")]
        closed: dict[bool, list[str]] = {}
        for port in spec.get("ports") or [] if behind else []:
            number = port_number(behind[0], port.get("targetPort") or port.get("port"))
            protocol = port.get("protocol") or "TCP"
            if number is not None and not self._lets_in(as_pod(behind[0]), number, protocol):
                words = f"{metadata['name']} {port.get('name')} {port.get('targetPort')}"
                closed.setdefault(not _METRICS.search(words), []).append(f"{number}/{protocol}")
        subject = f"Service {metadata['namespace']}/{metadata['name']}"
        for breaks, ports in closed.items():
            cause = f"no flow lets anybody reach port {', '.join(ports)} of its pods"
            cause += "" if breaks else ", by its name for metrics, which nobody could scrape"
            yield Finding("network", subject, cause, _DECLARE, breaks)

    def _lets_in(self, pod: Pod, number: int, protocol: str) -> bool:
        """Is there anybody at all who is let in?"""
        selecting = self._judge(_ANYBODY, pod, number, protocol).isolated_ingress_by
        rules = [rule for name in selecting for rule in self._policies[name]["spec"].get("ingress") or []]
        return not selecting or any(_opens(rule, pod, number, protocol) for rule in rules)


def _opens(rule: Mapping[str, Any], pod: Pod, number: int, protocol: str) -> bool:
    for one in rule.get("ports") or [{}]:
        wanted = one.get("port")
        if wanted is None and not one:
            return True
        if (one.get("protocol") or "TCP") != protocol:
            continue
        if wanted is None or (isinstance(wanted, str) and pod.ports.get(wanted) == (number, protocol)):
            return True
        if str(wanted).isdigit() and int(wanted) <= number <= int(one.get("endPort") or wanted):
            return True
    return False


def labels(pod: Obj) -> dict[str, str]:
    return dict(pod["metadata"].get("labels") or {})


def as_pod(live: Obj) -> Pod:
    """A live pod as policies see it."""
    spec, metadata = live.get("spec") or {}, live["metadata"]
    ports = {
        one["name"]: (int(one["containerPort"]), one.get("protocol") or "TCP")
        for container in spec.get("containers") or []
        for one in container.get("ports") or []
        if one.get("name")
    }
    address = (live.get("status") or {}).get("podIP") or ""
    return Pod(metadata["namespace"], labels(live), address, metadata["name"], bool(spec.get("hostNetwork")), ports)


def groups(pods: Sequence[Obj], on_host: bool = False) -> list[list[Obj]]:
    """Pods of one controller with the same labels, which policies cannot tell apart.

    on_host: those on the host's network, too, which no network policy selects
    """
    found: dict[tuple[str, ...], list[Obj]] = {}
    for pod in pods:
        if not on_host and (pod.get("spec") or {}).get("hostNetwork"):
            continue
        owners = [one for one in pod["metadata"].get("ownerReferences") or [] if one.get("controller")]
        owner = owners[0]["uid"] if owners else pod["metadata"]["name"]
        # what controllers number their pods by is in no policy
        mine = sorted(
            f"{key}={text}" for key, text in labels(pod).items() if not key.endswith(("pod-index", "pod-name"))
        )
        found.setdefault((owner, *mine), []).append(pod)
    return list(found.values())


def named(alike: Sequence[Obj]) -> str:
    metadata = alike[0]["metadata"]
    more = f" and {len(alike) - 1} like it" if len(alike) > 1 else ""
    return f"Pod {metadata['namespace']}/{metadata['name']}{more}"


def has_token(pod: Obj) -> bool:
    """Does any container hold a token for the API server?"""
    volumes = (pod.get("spec") or {}).get("volumes") or []
    sources = [source for one in volumes for source in (one.get("projected") or {}).get("sources") or []]
    # a token for somebody else, a cloud's identity for one, names its audience
    return any("serviceAccountToken" in one and not one["serviceAccountToken"].get("audience") for one in sources)


def port_number(pod: Obj, port: Any) -> int | None:
    """A Service's target port as a number; None where its name is not the pod's."""
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    known = as_pod(pod).ports.get(str(port))
    return known[0] if known else None
