# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real API server says about walls that are to come: by its warnings, and without a change."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
import time
import typing as t

import admission
import pytest
import yaml
from admission import good, template_of

from ansible_collections.enclii.platform.plugins.module_utils.adoption import front
from ansible_collections.enclii.platform.plugins.module_utils.adoption.answers import OURS
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

Obj = dict[str, t.Any]
NETWORK: Obj = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
    "spec": {"selector": {"k8s-app": "kube-dns"}, "ports": [{"port": 53, "protocol": "UDP"}]},
}  # fmt: skip
KINDS = sorted(set(admission.PLURALS) - {"ConfigMap", "Namespace"})
LATE = {"image": "ghcr.io/madfam/switchyard-api:latest"}
NONE = "flow.enclii.dev/none"


def workload(kind: str, name: str, labels: dict[str, str] | None = None, **container: t.Any) -> Obj:
    """Something that no wall is against, but for what is said of its container."""
    made = good(kind, name, **container)
    template = template_of(made)
    template["metadata"]["labels"] |= {NONE: ""} if labels is None else labels
    template["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    safe = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    template["spec"]["containers"][0].setdefault("securityContext", safe)
    return made


def pod(name: str, labels: dict[str, str] | None = None, **container: t.Any) -> Obj:
    return workload("Pod", name, labels, **container)


def made_by(owner: Obj, kind: str, name: str, **container: t.Any) -> Obj:
    """As a controller makes it; nothing runs beside this server that would."""
    made = workload(kind, name, **container)
    metadata = owner["metadata"]
    made["metadata"]["ownerReferences"] = [
        {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"], "controller": True}
    ]  # fmt: skip
    return made


def judged(kube: t.Any, **params: t.Any) -> Obj:
    given = {name: option.get("default") for name, option in front.ADOPTION_INFO.items()}
    given |= {"kubeconfig": str(kube.server.kubeconfig), "namespaces": [kube.namespace], **params}
    return t.cast("Obj", front.adoption_info(given, {"HOME": "/nonexistent"}))


def findings(kube: t.Any, area: str, **params: t.Any) -> dict[str, str]:
    """Object to cause, of one area."""
    found = judged(kube, **params)["namespaces"][0]["findings"]
    return {one["object"]: one["cause"] for one in found if one["area"] == area}


@pytest.fixture(scope="session")
def walls(server: t.Any) -> t.Any:
    """The role's own policies; they look at namespaces that carry its label, and stay as long as the server does."""
    server.kubectl("apply", "-f", "-", stdin=json.dumps(space("enclii-system")))
    ours = [
        one for one in admission.rendered()
        if one["kind"] == "ConfigMap" or {one["metadata"]["name"], one["spec"].get("policyName")} & set(OURS)
    ]  # fmt: skip
    server.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(ours))
    return server


def space(name: str, **labels: str) -> Obj:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


@pytest.fixture
def watched(walls: t.Any, kube: t.Any) -> t.Any:
    """A namespace in mode observe."""
    kube.apply(NETWORK)
    kube.server.kubectl("label", "namespace", kube.namespace, "enclii.dev/walls=observe")
    return kube


@pytest.fixture
def foreign(kube: t.Any) -> t.Iterator[str]:
    """Somebody else's policy, in force: no Deployment or Pod there may be latest. Its name."""
    kube.apply(NETWORK)
    name = f"{kube.namespace}-latest"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                        "resources": ["pods", "deployments"],
                    }
                ]
            },
            "validations": [{
                "expression": "request.kind.kind == 'Pod' ? !object.spec.containers[0].image.endsWith(':latest')"
                              " : !object.spec.template.spec.containers[0].image.endsWith(':latest')",
                "messageExpression": "request.kind.kind + ' ' + object.metadata.name + ': its image is latest'",
            }],
        },
    }  # fmt: skip
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Warn"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}}},
        },
    }  # fmt: skip
    kube.apply(policy, binding)
    api = admission.Api(kube.server)
    end = time.monotonic() + 20
    while name not in "".join(api.create(pod("canary", **LATE), kube.namespace).warnings):
        assert time.monotonic() < end
        time.sleep(0.05)
    yield name
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        kube.server.kubectl("delete", kind, name)


@pytest.fixture
def webhook(watched: t.Any) -> t.Iterator[t.Callable[[Obj], None]]:
    """Somebody else's webhook for changes of Deployments there; call it with what it answers."""
    kube, verdict = watched, {}  # type: t.Any, Obj
    name = f"{kube.namespace}.example.com"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            uid = review["request"]["uid"]
            body = json.dumps({**review, "response": {"uid": uid, "allowed": True, **verdict}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: t.Any) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kube.server.home / "server.crt", kube.server.home / "server.key")
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name},
        "webhooks": [{
            "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {
                "url": f"https://127.0.0.1:{listening.server_address[1]}/",
                "caBundle": base64.b64encode(kube.server.ca.read_bytes()).decode(),
            },
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}},
            "rules": [{
                "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"],
            }],
        }],
    }  # fmt: skip
    kube.apply(configuration)
    yield verdict.update
    kube.server.kubectl("delete", "validatingwebhookconfiguration", name)
    listening.shutdown()
    listening.server_close()


def until_watched(kube: t.Any) -> None:
    """A policy is in force a moment after it was written."""
    end = time.monotonic() + 20
    while any("no admission policy" in cause for cause in findings(kube, "admission").values()):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_an_empty_namespace_and_one_that_is_to_come_are_ready(kube: t.Any) -> None:
    kube.apply(NETWORK)
    found = judged(kube, namespaces=[kube.namespace, "not-there-yet"])
    assert found["ready"]
    assert [one["exists"] for one in found["namespaces"]] == [True, False]


def test_pod_security_names_the_pods_that_would_not_come_back(kube: t.Any) -> None:
    kube.apply(NETWORK, pod("good"), pod("root", securityContext={"runAsUser": 0}), namespace=kube.namespace)
    was = kube.server.get("namespace", kube.namespace)["metadata"]["resourceVersion"]
    found = findings(kube, "pod-security")
    assert list(found) == [f"Pod {kube.namespace}/root"]
    assert "allowPrivilegeEscalation" in found[f"Pod {kube.namespace}/root"]
    assert kube.server.get("namespace", kube.namespace)["metadata"]["resourceVersion"] == was
    assert findings(kube, "pod-security", levels={kube.namespace: "privileged"}) == {}


def unwatched(kube: t.Any) -> dict[str, str]:
    cause = "no admission policy of the platform watches it, so nobody knows yet what it would refuse"
    return {f"Namespace {kube.namespace}": cause}


def test_what_no_policy_watches_is_not_ready(walls: t.Any, kube: t.Any) -> None:
    kube.apply(NETWORK, pod("good"), namespace=kube.namespace)
    assert not judged(kube)["ready"]
    assert findings(kube, "admission") == unwatched(kube)


def test_what_somebody_elses_policy_watches_is_not_ready(foreign: str, kube: t.Any) -> None:
    """It looks at the same objects and says the same of them, and nothing about our walls."""
    kube.apply(workload("Deployment", "web", **LATE), pod("alone"), namespace=kube.namespace)
    assert not judged(kube)["ready"]
    assert findings(kube, "admission") == unwatched(kube)


def test_what_somebody_elses_policy_warns_of_stops_nothing(watched: t.Any, foreign: str) -> None:
    kube = watched
    # a digest is enough for ours, and is not latest for theirs
    pinned = f"ghcr.io/madfam/switchyard-api@sha256:{64 * 'a'}"
    kube.apply(workload("Deployment", "web", image=pinned), pod("alone", **LATE), namespace=kube.namespace)
    until_watched(kube)
    told = [one for one in judged(kube)["namespaces"][0]["findings"] if one["area"] == "admission"]
    assert [(one["object"], one["breaks"], foreign in one["cause"]) for one in told] == [
        (f"Pod {kube.namespace}/alone", True, False),
        (f"Pod {kube.namespace}/alone", False, True),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_admission_warns_of_each_workload_and_nothing_is_made(watched: t.Any, kind: str) -> None:
    kube = watched
    kube.apply(workload(kind, "right"), workload(kind, "wrong", **LATE), namespace=kube.namespace)
    until_watched(kube)
    found = findings(kube, "admission")
    assert list(found) == [f"{kind} {kube.namespace}/wrong"]
    assert found[f"{kind} {kube.namespace}/wrong"].startswith('[image-tag] container "api": image ghcr.io/madfam')
    assert kube.names(admission.PLURALS[kind][1]) == {"right", "wrong"}


def test_jobs_with_long_names_and_selectors_of_their_own(watched: t.Any) -> None:
    """A copy of them has to be one that the API server would take."""
    kube, jobs = watched, []
    for container in ({}, LATE):
        long = workload("Job", ("late-" if container else "good-") + "n" * 58, **container)
        own = workload("Job", "late" if container else "good", **container)
        own["spec"] |= {"manualSelector": True, "selector": {"matchLabels": {"app": own["metadata"]["name"]}}}
        jobs += [long, own]
    kube.apply(*jobs, namespace=kube.namespace)
    until_watched(kube)
    found = findings(kube, "admission")
    assert set(found) == {f"Job {kube.namespace}/late", f"Job {kube.namespace}/late-{'n' * 58}"}
    assert all(cause.startswith("[image-tag]") for cause in found.values()), found


def test_pods_of_controllers_that_nobody_knows_are_asked_for(watched: t.Any) -> None:
    kube = watched
    database = {"apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "d", "uid": "u"}}
    pods = [made_by(database, "Pod", f"d-{number}", **LATE) for number in range(2)]
    for one in pods:
        one["metadata"]["labels"]["app"] = "d"
    kube.apply(*pods, made_by(database, "Pod", "good"), namespace=kube.namespace)
    until_watched(kube)
    found = findings(kube, "admission")
    assert list(found) == [f"Pod {kube.namespace}/d-0 and 1 like it"]
    assert found[f"Pod {kube.namespace}/d-0 and 1 like it"].startswith("[image-tag]")
    assert judged(kube)["namespaces"][0]["workloads"] == 0


def test_pods_say_only_what_their_workload_does_not(watched: t.Any) -> None:
    """A sidecar that a webhook put into them is in no template."""
    kube = watched
    kube.apply(workload("Deployment", "web", **LATE), namespace=kube.namespace)
    replicas = made_by(kube.live("deployment", "web"), "ReplicaSet", "web-1", **LATE)
    kube.apply(replicas, namespace=kube.namespace)
    owner = kube.live("replicaset", "web-1")
    kube.apply(made_by(owner, "Pod", "web-1-a", **LATE), namespace=kube.namespace)
    until_watched(kube)
    assert list(findings(kube, "admission")) == [f"Deployment {kube.namespace}/web"]
    injected = made_by(owner, "Pod", "web-1-b", **LATE)
    injected["metadata"]["labels"]["injected"] = "yes"
    sidecar = {**injected["spec"]["containers"][0], "name": "sidecar"}
    injected["spec"]["containers"].append(sidecar)
    kube.apply(injected, namespace=kube.namespace)
    found = findings(kube, "admission")
    assert list(found) == [f"Deployment {kube.namespace}/web", f"Pod {kube.namespace}/web-1-b"]
    assert 'container "sidecar"' in found[f"Pod {kube.namespace}/web-1-b"]


def test_a_quota_that_is_full_is_no_reason(watched: t.Any) -> None:
    """What is asked for comes on top of what is there."""
    kube = watched
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "theirs"},
        "spec": {"hard": {"pods": "1"}},
    }
    kube.apply(pod("only"), namespace=kube.namespace)
    kube.apply(quota, namespace=kube.namespace)
    until_watched(kube)
    body = {"status": {"hard": {"pods": "1"}, "used": {"pods": "1"}}}
    kube.server.kubectl(
        "patch",
        "resourcequota",
        "theirs",
        "-n",
        kube.namespace,
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps(body),
    )
    api = admission.Api(kube.server)
    end = time.monotonic() + 20
    while api.create(pod("more"), kube.namespace).ok:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert findings(kube, "admission") == {}


@pytest.mark.parametrize("code", [0, 400, 403, 418])
def test_a_webhook_that_refuses_is_a_finding_and_no_end(
    watched: t.Any, webhook: t.Callable[[Obj], None], code: int
) -> None:
    """Without a code the API server answers 400; with one, by whatever the webhook likes."""
    kube = watched
    kube.apply(workload("Deployment", "web"), pod("alone", **LATE), namespace=kube.namespace)
    until_watched(kube)
    webhook({"allowed": False, "status": {"message": "not today", **({"code": code} if code else {})}})
    end = time.monotonic() + 20
    while len(found := findings(kube, "admission")) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert set(found) == {f"Deployment {kube.namespace}/web", f"Pod {kube.namespace}/alone"}
    cause = found[f"Deployment {kube.namespace}/web"]
    assert cause.startswith("it would be refused even now: admission webhook") and "not today" in cause


def test_flows_quota_and_limits_are_judged_together(watched: t.Any) -> None:
    kube = watched
    figures = {"requests": {"cpu": "3", "memory": "1Gi"}, "limits": {"memory": "4Gi"}}
    kube.apply(pod("big", {"app": "big"}, resources=figures), namespace=kube.namespace)
    until_watched(kube)
    limits = {kube.namespace: {"quota": {"requests.cpu": "2"}, "limits": {"max": {"memory": "1Gi"}}}}
    found = judged(kube, limits=limits)
    told = {(one["area"], one["object"]) for one in found["namespaces"][0]["findings"] if one["breaks"]}
    assert told == {
        ("network", f"Pod {kube.namespace}/big"),
        ("quota", f"ResourceQuota {kube.namespace}/enclii-quota"),
        ("limits", f"Pod {kube.namespace}/big, container api"),
    }
    assert f"{kube.namespace}: observed, 1 workload, 1 pod: 3 things would break" in found["report"]


def test_a_default_limit_below_a_request_is_what_the_api_server_refuses(watched: t.Any) -> None:
    """Held against a LimitRange that is really there."""
    kube = watched
    figures = {"requests": {"cpu": "1", "memory": "1Gi"}}
    kube.apply(pod("big", resources=figures), namespace=kube.namespace)
    given = {"default": {"memory": "256Mi"}}
    (found,) = [
        one
        for one in judged(kube, limits={kube.namespace: {"limits": given}})["namespaces"][0]["findings"]
        if one["area"] == "limits"
    ]
    assert found["breaks"] and found["object"] == f"Pod {kube.namespace}/big, container api"
    limit = {
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "theirs"},
        "spec": {"limits": [{"type": "Container", **given}]},
    }  # fmt: skip
    kube.apply(limit, namespace=kube.namespace)
    api = admission.Api(kube.server)
    end = time.monotonic() + 20
    while (answer := api.create(pod("again", resources=figures), kube.namespace)).ok:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert "must be less than or equal to memory limit" in answer.message


def test_flows_that_are_wrong_are_an_error_with_all_of_them(kube: t.Any) -> None:
    kube.apply(NETWORK)
    with pytest.raises(KubeError, match="there is no component of that name"):
        judged(kube, flows=[{"name": "x", "from": "nobody", "to": {"namespace": "a"}, "port": 1}])
