# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What walls would break, judged without a cluster: quantities, figures, policies that are to come, and the words for people."""

from __future__ import annotations

import re
import typing as t
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import house
from ansible_collections.enclii.platform.plugins.module_utils.adoption import answers, live, quantities
from ansible_collections.enclii.platform.plugins.module_utils.adoption.answers import Answer
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


def broken(*given: t.Any) -> list[Finding]:
    return [one for one in judged(*given) if one.breaks]


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


@pytest.mark.parametrize(
    ("key", "hard", "breaks", "words"),
    [
        ("pods", "0", True, "so that no pod comes back"),
        ("count/pods", "0", True, "so that no pod comes back"),
        ("services.nodeports", "0", False, "so that nothing more of it can be made"),
        ("services", "0", False, "so that nothing more of it can be made"),
    ],
)
def test_only_what_pods_take_of_keeps_them_away(key: str, hard: str, breaks: bool, words: str) -> None:
    """A Service that is there stays there, whatever the quota is."""
    open_to_nodes = {
        "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
    }
    (found,) = quota_findings("shop", {"quota": {key: hard}}, [pod()], [], [open_to_nodes])
    assert (found.breaks, words in found.cause) == (breaks, True)


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


@pytest.mark.parametrize("limits", [{"default": {"memory": "256Mi"}}, {"max": {"memory": "256Mi"}}])
def test_a_default_limit_below_a_request_breaks_the_pod(limits: dict[str, t.Any]) -> None:
    """Kubernetes takes the most for the default limit where there is none."""
    (found,) = limit_findings("shop", limits, [asking({"memory": "1Gi"})])
    assert found.breaks
    assert found.subject == "Pod shop/web-1, container main"
    assert "it asks for 1Gi of memory and sets no limit: it would get 256Mi" in found.cause


def test_a_default_limit_above_a_request_is_only_said() -> None:
    equal, silent, own = asking({"memory": "256Mi"}), pod("b"), asking({"memory": "1Gi"})
    own["spec"]["containers"][0]["resources"]["limits"] = {"memory": "2Gi"}
    (found,) = limit_findings("shop", {"default": {"memory": "256Mi"}}, [equal, silent, own])
    assert (found.breaks, found.cause[:12]) == (False, "2 containers")


# -- network -------------------------------------------------------------------------------------


def test_a_pod_that_no_flow_names_would_be_alone() -> None:
    (found,) = judged([], [pod()])
    assert found.subject == "Pod shop/web-1"
    assert "no flow names it" in found.cause
    assert judged([], [pod(labels={"app": "web", NONE: ""})]) == []
    assert broken([FLOW], [pod()]) == []


@pytest.mark.parametrize(
    ("flows", "words"),
    [
        ([FLOW], ["no flow leads out of it: it reaches nothing but DNS"]),
        ([API], ["no flow leads into it: nobody reaches it"]),
        ([FLOW, API], []),
    ],
)
def test_a_way_that_no_flow_leads_is_said_and_breaks_nothing(flows: list[t.Any], words: list[str]) -> None:
    """Nobody sees from here what a pod connects to."""
    found = judged(flows, [pod()])
    assert [(one.cause, one.breaks) for one in found] == [(cause, False) for cause in words]
    assert judged(flows, [pod(labels={"app": "web", NONE: ""})]) == []


def test_a_denial_of_somebody_else_leads_nowhere() -> None:
    theirs = {
        "metadata": {"name": "deny-all", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    rendered = [*policies([], {"shop": "enforce"}, FACTS), theirs]
    (found,) = Network(rendered, {"shop": {}}, FACTS, [resolver()]).findings([pod()], [])
    assert found.breaks and "no flow names it" in found.cause


def test_a_service_nobody_may_reach_is_named_with_its_port() -> None:
    assert broken([FLOW], [pod()], [service()]) == []
    (found,) = broken([{**FLOW, "port": 9000}], [pod()], [service()])
    assert found.subject == "Service shop/web"
    assert "port 8080/TCP" in found.cause
    (metrics,) = judged([{**FLOW, "port": 9000}, API], [pod()], [service(name="http-metrics")])
    assert not metrics.breaks


def test_dns_that_policies_do_not_know_is_lost() -> None:
    own = pod(dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"]})
    (found,) = broken([FLOW], [own])
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
    causes = [one.cause for one in broken(flows, [pod(serviceAccountName=account, volumes=volumes)])]
    assert [words in cause for words, cause in zip(found, causes, strict=True)] == [True] * len(found)


def test_what_somebody_else_allows_stays_allowed() -> None:
    theirs = {
        "metadata": {"name": "own", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 8080}]}]},
    }
    rendered = [*policies([], {"shop": "enforce"}, FACTS), theirs]
    found = Network(rendered, {"shop": {}}, FACTS, [resolver()]).findings([pod()], [service()])
    assert [one for one in found if one.breaks] == []


def test_pods_alike_are_named_once() -> None:
    owner = [{"controller": True, "uid": "u"}]
    pods = [pod(f"web-{number}") for number in range(3)]
    for one in pods:
        one["metadata"]["ownerReferences"] = owner
    assert [len(one) for one in groups(pods)] == [3]
    (found,) = judged([], pods)
    assert found.subject == "Pod shop/web-0 and 2 like it"
    assert groups([pod(hostNetwork=True)]) == []
    assert len(groups([pod(hostNetwork=True)], on_host=True)) == 1


# -- what the API server said --------------------------------------------------------------------


POLICY = "ValidatingAdmissionPolicy 'enclii-workloads' with binding 'enclii-workloads-observe'"
FOREIGN = "ValidatingAdmissionPolicy 'no-latest' with binding 'no-latest'"


def told(*warned: str, refused: str = "") -> list[Finding]:
    return list(answers.of_workload("Deployment shop/web", "Deployment web", Answer(warned, refused)))


def test_our_policies_are_those_of_the_role() -> None:
    templates = (house.ROOT / "roles" / "baseline" / "templates" / "resources").glob("*.j2")
    texts = [path.read_text(encoding="utf-8") for path in templates]
    named = re.findall(r"kind: ValidatingAdmissionPolicy\nmetadata:\n  name: (.+)", "".join(texts))
    # who may change parameters, and what keeps API servers reading them, says nothing of workloads
    assert set(named) - {"enclii-guard", "enclii-parameters"} == set(answers.OURS)


def test_warnings_become_findings_that_name_the_workload() -> None:
    found = told(
        f'Validation failed for {POLICY}: Deployment web: [image-tag] container "main": image x has no tag',
        'would violate PodSecurity "restricted:latest": runAsNonRoot != true',
        "spec.x: deprecated since v1.30",
    )
    assert [(one.area, one.subject, one.breaks) for one in found] == [
        ("admission", "Deployment shop/web", True),
        ("pod-security", "Deployment shop/web", True),
    ]
    assert found[0].cause == '[image-tag] container "main": image x has no tag'
    assert found[1].cause == "runAsNonRoot != true"


def test_a_policy_of_somebody_else_is_no_wall() -> None:
    (found,) = told(f"Validation failed for {FOREIGN}: its image is latest")
    assert (found.cause, found.breaks) == (
        "policy no-latest, which is not the platform's, warns of it: its image is latest",
        False,
    )


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (f"{POLICY} denied request: Deployment web: [host] hostPID", "[host] hostPID"),
        (f"{FOREIGN} denied request: its image is latest", "it would be refused even now"),
        ('pods "web" is forbidden: nobody may', "it would be refused even now"),
        ('admission webhook "a.example.com" denied the request: not today', "it would be refused even now"),
        ('admission webhook "a.example.com" does not support dry run', "it cannot be told what admission says of it"),
        (
            'Internal error occurred: failed calling webhook "a.example.com"',
            "it cannot be told what admission says of it",
        ),
        ('pods "web-adoption" is forbidden: exceeded quota: theirs, used: pods=3', ""),
        ("", ""),
    ],
)
def test_a_refusal_is_a_finding_unless_it_is_only_of_the_copy(refused: str, words: str) -> None:
    assert [(one.breaks, words in one.cause) for one in told(refused=refused)] == ([(True, True)] if words else [])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer((f"Validation failed for {POLICY}: x",)), ""),
        (Answer((), f"{POLICY.replace('workloads', 'node-agents')} denied request: x"), ""),
        # others do not tell whether ours look
        (Answer((f"Validation failed for {FOREIGN}: x",)), "no admission policy of the platform watches it"),
        (Answer((), f"{FOREIGN} denied request: x"), "something else refuses before"),
        (Answer((), 'admission webhook "a" does not support dry run'), "does not support dry run"),
        (Answer((f"Validation failed for {POLICY}: x",), 'admission webhook "a" denied the request'), ""),
        (Answer(), "no admission policy of the platform watches it"),
    ],
)
def test_only_our_policies_tell_that_they_watch(answer: Answer, words: str) -> None:
    why = answers.unwatched(answer)
    assert words in why if words else why == ""


@pytest.mark.parametrize(
    ("line", "by_workload", "found"),
    [
        ('existing pods in namespace "shop" violate the new PodSecurity enforce level "restricted:latest"', False, []),
        ("web-1: hostNetwork", False, [("Pod shop/web-1", "hostNetwork", True)]),
        (
            "web-1 (and 39 other pods): hostNetwork",
            False,
            [("Pod shop/web-1 (and 39 other pods)", "hostNetwork", True)],
        ),
        (
            "new PodSecurity enforce level only checked against the first 3000 of 4000 existing pods",
            False,
            [("Namespace shop", "only checked against the first 3000", True)],
        ),
        (
            "failed to list pods while checking new PodSecurity enforce level",
            True,
            [("Namespace shop", "failed to list pods", False)],
        ),
        (
            'namespace "shop" is exempt from Pod Security, and the policy (enforce=restricted:latest) will be ignored',
            False,
            [("Namespace shop", "is exempt", False)],
        ),
        (f"Validation failed for {FOREIGN}: a namespace has an owner", False, []),
    ],
)
def test_what_pod_security_says_is_of_a_pod_or_of_the_namespace(
    line: str, by_workload: bool, found: list[tuple[str, str, bool]]
) -> None:
    told = list(answers.of_level("shop", "restricted", Answer((line,)), by_workload))
    assert [
        (one.subject, words in one.cause, one.breaks) for one, (_who, words, _) in zip(told, found, strict=True)
    ] == [(subject, True, breaks) for subject, _words, breaks in found]


def test_a_level_that_cannot_be_asked_for_is_not_passed() -> None:
    refused = Answer((), 'admission webhook "a" denied the request: labels are ours')
    (found,) = answers.of_level("shop", "restricted", refused, True)
    assert found.breaks and found.subject == "Namespace shop" and "cannot be told" in found.cause


def test_a_copy_is_another_one() -> None:
    job = {
        "metadata": {"name": "once", "labels": {"job-name": "once", "a": "b"}, "uid": "u", "resourceVersion": "1"},
        "spec": {"selector": {}, "template": {"metadata": {"labels": {"controller-uid": "u"}}, "spec": {}}},
    }
    made = live.another("Job", job)
    assert made["metadata"] == {"name": "once-adoption", "labels": {"a": "b"}}
    assert made["spec"] == {"template": {"metadata": {"labels": {}}, "spec": {}}}
    assert job["spec"]["selector"] == {}


def test_a_copy_keeps_a_selector_that_somebody_wrote() -> None:
    labels = {"job-name": "mine", "app": "once"}
    spec = {"manualSelector": True, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    made = live.another("Job", {"metadata": {"name": "once"}, "spec": spec})
    assert made["spec"] == spec


@pytest.mark.parametrize(
    ("name", "copied"),
    [
        ("a" * 63, "a" * 54 + "-adoption"),
        ("a" * 53 + ".b" * 5, "a" * 53 + "-adoption"),
        ("a" * 54, "a" * 54 + "-adoption"),
    ],
)
def test_the_name_of_a_copy_is_no_longer_than_a_label(name: str, copied: str) -> None:
    assert live.another("Job", {"metadata": {"name": name}, "spec": {"template": {}}})["metadata"]["name"] == copied


def test_a_copy_of_a_pod_is_as_its_controller_would_make_it() -> None:
    owner = [{"kind": "Database", "name": "d", "uid": "u", "controller": True}]
    made = live.another("Pod", {
        "metadata": {"name": "d-0", "ownerReferences": owner, "uid": "v"},
        "spec": {"nodeName": "n", "priority": 5, "preemptionPolicy": "Never", "priorityClassName": "p", "containers": []},
    })  # fmt: skip
    assert made["metadata"] == {"name": "d-0-adoption", "ownerReferences": owner}
    assert made["spec"] == {"priorityClassName": "p", "containers": []}


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
