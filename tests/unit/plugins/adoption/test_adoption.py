# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What walls would break, judged without a cluster: quantities, figures, policies that are to come, and the words for people."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.adoption import live, quantities
from ansible_collections.enclii.platform.plugins.module_utils.adoption.figures import limit_findings, quota_findings
from ansible_collections.enclii.platform.plugins.module_utils.adoption.network import NONE, Network, groups
from ansible_collections.enclii.platform.plugins.module_utils.adoption.words import Finding, Space, report
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Facts, read_flows
from ansible_collections.enclii.platform.plugins.module_utils.flows.render import policies

FACTS = Facts(
    api_server=(("192.0.2.10", 6443),),
    control_plane=("192.0.2.10",),
    nodes=("192.0.2.10",),
    dns={"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}, "ports": [{"port": 53, "protocol": "UDP"}]},
)
FLOW = {"name": "web", "from": "any", "to": {"namespace": "shop", "pods": {"app": "web"}}, "port": 8080}
API = {"name": "api", "from": {"namespace": "shop", "pods": {"app": "web"}}, "to": "api-server", "port": 443}


def pod(name: str = "web-1", labels: dict[str, str] | None = None, **spec: t.Any) -> dict[str, t.Any]:
    container = {"name": "main", "image": "x", "ports": [{"name": "http", "containerPort": 8080}]}
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "web"} if labels is None else labels}
    return {"metadata": metadata, "spec": {"containers": [container], **spec}, "status": {"podIP": "10.0.0.7"}}


def resolver() -> dict[str, t.Any]:
    return {"metadata": {"name": "dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}, "spec": {}}


def service(**port: t.Any) -> dict[str, t.Any]:
    ports = [{"port": 80, "targetPort": "http", **port}]
    return {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}, "ports": ports}}


def judged(flows: list[dict[str, t.Any]], pods: list[t.Any], services: list[t.Any] | None = None) -> list[Finding]:
    rendered = policies(read_flows([], flows, []), {"shop": "enforce"}, FACTS)
    return Network(rendered, {"shop": {}}, FACTS, [resolver()]).findings(pods, services or [])


# -- quantities ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", "0.25"), ("64Mi", 64 * 2**20), ("1e3", 1000), ("2", 2), ("1.5Gi", 3 * 2**29), ("5k", 5000), (0, 0)],
)
def test_quantities(text: t.Any, number: t.Any) -> None:
    assert quantities.quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "many", "1 Gi", "1Xi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantities.quantity(text)


@given(st.integers(0, 2**50))
def test_bytes_are_shown_near_what_they_are(number: int) -> None:
    back = quantities.quantity(quantities.shown(Decimal(number), "memory"))
    assert abs(back - number) <= Decimal(number) / 10


def asking(requests: dict[str, str], initial: dict[str, str] | None = None) -> dict[str, t.Any]:
    made = pod()
    made["spec"]["containers"][0]["resources"] = {"requests": requests}
    if initial:
        made["spec"]["initContainers"] = [{"name": "first", "resources": {"requests": initial}}]
    return made


def test_a_pod_asks_for_the_larger_of_what_runs_first_and_what_runs_together() -> None:
    assert quantities.of_pod(asking({"cpu": "1"}, {"cpu": "2"}), "requests", "cpu") == 2
    assert quantities.of_pod(asking({"cpu": "3"}, {"cpu": "2"}), "requests", "cpu") == 3


# -- quota and limits ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpu", "words", "breaks"),
    [
        ("1", [], []),
        ("1900m", ["requests.cpu: 1.9 of 2 are used"], [False]),
        ("3", ["requests.cpu: 3 are used, and 2 allowed"], [True]),
    ],
)
def test_a_quota_is_compared_with_what_is_used(cpu: str, words: list[str], breaks: list[bool]) -> None:
    found = list(quota_findings("shop", {"quota": {"requests.cpu": "2"}}, [asking({"cpu": cpu})], [], []))
    assert [one.breaks for one in found] == breaks
    assert all(word in one.cause for one, word in zip(found, words, strict=True))


def test_a_figure_that_cannot_be_told_is_said_and_breaks_nothing() -> None:
    (found,) = quota_findings("shop", {"quota": {"count/secrets": "5"}}, [], [], [])
    assert "cannot be told" in found.cause
    assert not found.breaks


def test_what_says_nothing_counts_with_the_limit_range_to_come() -> None:
    figures = {"quota": {"limits.memory": "200Mi"}, "limits": {"default": {"memory": "256Mi"}}}
    (found,) = quota_findings("shop", figures, [pod()], [], [])
    assert found.breaks


def test_limits_name_the_container() -> None:
    big = asking({"memory": "4Gi"})
    big["spec"]["containers"][0]["resources"]["limits"] = {"memory": "4Gi"}
    found = list(limit_findings("shop", {"max": {"memory": "1Gi"}}, [big]))
    assert [str(one) for one in found] == [
        "[limits] Pod shop/web-1, container main: its limit of memory is 4Gi, and at most 1Gi is allowed."
        " Change it, or the limit in baseline_namespaces.shop.limits."
    ]


# -- network -------------------------------------------------------------------------------------


def test_a_pod_that_no_flow_names_would_be_alone() -> None:
    (found,) = judged([], [pod()])
    assert found.subject == "Pod shop/web-1"
    assert "no flow names it" in found.cause
    assert judged([], [pod(labels={"app": "web", NONE: ""})]) == []
    assert judged([FLOW], [pod()]) == []


def test_a_service_nobody_may_reach_is_named_with_its_port() -> None:
    assert judged([FLOW], [pod()], [service()]) == []
    (found,) = judged([{**FLOW, "port": 9000}], [pod()], [service()])
    assert found.subject == "Service shop/web"
    assert "port 8080/TCP" in found.cause
    assert found.breaks
    (metrics,) = judged([{**FLOW, "port": 9000}], [pod()], [service(name="http-metrics")])
    assert not metrics.breaks


def test_dns_that_policies_do_not_know_is_lost() -> None:
    own = pod(dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"]})
    (found,) = judged([FLOW], [own])
    assert "would not reach the DNS it asks" in found.cause


@pytest.mark.parametrize(
    ("account", "audience", "flows", "found"),
    [
        ("worker", "", [FLOW], ["it holds a token of account worker"]),
        ("worker", "", [FLOW, API], []),
        ("default", "", [FLOW], []),
        ("worker", "sts.example.com", [FLOW], []),
    ],
)
def test_the_api_server_is_a_lifeline_of_who_holds_a_token(
    account: str, audience: str, flows: list[t.Any], found: list[str]
) -> None:
    token = {"path": "token", **({"audience": audience} if audience else {})}
    volumes = [{"name": "kube-api-access-x", "projected": {"sources": [{"serviceAccountToken": token}]}}]
    causes = [one.cause for one in judged(flows, [pod(serviceAccountName=account, volumes=volumes)])]
    assert [words in cause for words, cause in zip(found, causes, strict=True)] == [True] * len(found)


def test_what_somebody_else_allows_stays_allowed() -> None:
    theirs = {
        "metadata": {"name": "own", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 8080}]}]},
    }
    rendered = [*policies([], {"shop": "enforce"}, FACTS), theirs]
    assert Network(rendered, {"shop": {}}, FACTS, [resolver()]).findings([pod()], [service()]) == []


def test_pods_alike_are_named_once() -> None:
    owner = [{"controller": True, "uid": "u"}]
    pods = [pod(f"web-{number}") for number in range(3)]
    for one in pods:
        one["metadata"]["ownerReferences"] = owner
    assert [len(one) for one in groups(pods)] == [3]
    (found,) = judged([], pods)
    assert found.subject == "Pod shop/web-0 and 2 like it"
    assert groups([pod(hostNetwork=True)]) == []


# -- what the API server said --------------------------------------------------------------------


class Said(live.Space):
    """A namespace without a cluster."""

    def __init__(self) -> None:
        self.name = "shop"


def test_warnings_become_findings_that_name_the_workload() -> None:
    policy = "ValidatingAdmissionPolicy 'enclii-workloads' with binding 'enclii-workloads-observe'"
    warned = [
        f'Validation failed for {policy}: Deployment web: [image-tag] container "main": image x has no tag',
        'would violate PodSecurity "restricted:latest": runAsNonRoot != true',
        "spec.x: deprecated since v1.30",
    ]
    found = list(Said()._told("Deployment shop/web", warned))
    assert [(one.area, one.subject) for one in found] == [
        ("admission", "Deployment shop/web"),
        ("pod-security", "Deployment shop/web"),
    ]
    assert found[0].cause == '[image-tag] container "main": image x has no tag'
    assert found[1].cause == "runAsNonRoot != true"


def test_a_copy_is_another_one() -> None:
    job = {
        "metadata": {"name": "once", "labels": {"job-name": "once", "a": "b"}, "uid": "u", "resourceVersion": "1"},
        "spec": {"selector": {}, "template": {"metadata": {"labels": {"controller-uid": "u"}}, "spec": {}}},
    }
    made = live.another("Job", job)
    assert made["metadata"] == {"name": "once-adoption", "labels": {"a": "b"}}
    assert made["spec"] == {"template": {"metadata": {"labels": {}}, "spec": {}}}
    assert job["spec"]["selector"] == {}


# -- for people ----------------------------------------------------------------------------------


def test_a_report_says_what_breaks_first() -> None:
    space = Space("shop", "observe", workloads=1, pods=2)
    space.findings = [Finding("quota", "Q", "nearly", breaks=False), Finding("network", "S", "closed", "Declare it")]
    assert not space.ready
    assert report([space, Space("new", exists=False), Space("old", "enforce")]).splitlines() == [
        "shop: observed, 1 workload, 2 pods: 1 thing would break",
        "  - [network] S: closed. Declare it.",
        "  - to know: [quota] Q: nearly.",
        "new: it does not exist yet, so nothing can break",
        "old: enforced already, 0 workloads, 0 pods: ready to be enforced",
    ]
