# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's HTTP API: what is sent, what is believed, and how often it is asked. The real one: tests/integration/sealing."""

from __future__ import annotations

import json
import typing as t

import pytest
import sealing
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.sealing import controller, objects
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

OLD, NEW = sealing.SealingKey(), sealing.SealingKey()


@pytest.fixture
def server() -> t.Iterator[sealing.StandIn]:
    with sealing.StandIn(OLD, NEW) as running:
        yield running


def connect(
    server: sealing.StandIn, namespace: str = "", name: str = ""
) -> tuple[controller.Controller, sealing.FakeClock]:
    clock = sealing.FakeClock()
    return controller.discover(sealing.client_for(server.url, clock), clock, namespace, name), clock


def refused(work: t.Callable[[], t.Any]) -> SealingError:
    with pytest.raises(SealingError) as caught:
        work()
    assert caught.value.next_step
    assert sealing.CANARY not in str(caught.value)
    return caught.value


def test_certificate_version_and_flags(server: sealing.StandIn) -> None:
    found, _clock = connect(server)
    assert found.certificate() == NEW.pem
    assert found.version() == "0.40.0"
    assert found.flags() == {"key-renew-period": "48h"}


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("docker.io/bitnami/sealed-secrets-controller:0.38.4@sha256:" + "0" * 64, "0.38.4"),
        ("registry:5000/sealed-secrets-controller:v0.40.0-r3", "0.40.0"),
        ("registry:5000/sealed-secrets-controller", ""),
        ("bitnami/sealed-secrets-controller@sha256:" + "1" * 64, ""),
        ("bitnami/sealed-secrets-controller:latest", ""),
        ("envoy:1.2.3", ""),
    ],
)
def test_version_is_read_from_the_image(server: sealing.StandIn, image: str, version: str) -> None:
    path = "/apis/apps/v1/namespaces/kube-system/deployments/sealed-secrets"
    server.objects[path]["spec"]["template"]["spec"]["containers"][0]["image"] = image
    assert connect(server)[0].version() == version


def test_a_deployment_that_the_service_does_not_lead_to_says_nothing(server: sealing.StandIn) -> None:
    path = "/apis/apps/v1/namespaces/kube-system/deployments/sealed-secrets"
    server.objects[path]["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    assert connect(server)[0].version() == ""


def test_verify(server: sealing.StandIn) -> None:
    found, _clock = connect(server)
    good = OLD.seal({"password": sealing.CANARY})
    assert found.verify(good)
    good["metadata"]["name"] = "other"
    assert not found.verify(good)
    server.faults = [500]
    assert "cannot read" in str(refused(lambda: found.verify(good)))


def test_only_what_is_needed_leaves_this_machine(server: sealing.StandIn) -> None:
    found, _clock = connect(server)
    obj = OLD.seal({"password": "x"}, scope="namespace-wide")
    obj["metadata"]["labels"] = {"app": "shop"}
    obj["spec"]["template"]["data"] = {"url": "{{ .password }}"}
    obj["spec"]["template"]["metadata"]["annotations"][objects.CLUSTER_WIDE] = "true"
    assert found.verify(obj)
    found.rotate(obj)
    metadata = {"name": "login", "namespace": "demo", "annotations": {objects.NAMESPACE_WIDE: "true"}}
    assert [body["metadata"] for _path, body in server.seen] == [metadata, metadata]
    assert {json.dumps(body["spec"]["template"]) for _path, body in server.seen} == {json.dumps({"metadata": metadata})}


def test_rotate(server: sealing.StandIn) -> None:
    found, _clock = connect(server)
    values = {"password": "x", "empty": b"", "binary": bytes(range(256))}
    answer = found.rotate(OLD.seal(values, scope="cluster-wide"))
    assert sealing.opened(answer, NEW) == {item: sealing.opened(OLD.seal(values), OLD)[item] for item in values}
    with pytest.raises(SealingError):
        sealing.opened(answer, OLD)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("widen", "another scope"),
        ("rename", "another name"),
        ("lose", "another set of items"),
        ("garbage", "no JSON"),
        (500, "could not unseal"),
        (413, "larger than it accepts"),
        (418, "HTTP 418"),
    ],
)
def test_an_answer_to_rotate_that_is_not_what_was_asked_for_is_refused(
    server: sealing.StandIn, fault: int | str, words: str
) -> None:
    found, _clock = connect(server)
    server.faults = [fault]
    error = refused(lambda: found.rotate(OLD.seal({"password": sealing.CANARY, "user": "x"})))
    assert words in str(error)
    assert error.reason == "controller"


def test_a_busy_controller_is_asked_again_when_it_says_so(server: sealing.StandIn) -> None:
    found, clock = connect(server)
    server.faults = [429, 429]
    assert found.verify(OLD.seal({"a": "b"}))
    assert [path for path, _body in server.seen] == ["verify"] * 3
    assert sum(clock.slept) >= 2  # Retry-After was a second each time
    server.faults = [429] * 60
    assert "asked too often" in str(refused(lambda: found.verify(OLD.seal({"a": "b"}))))


def test_the_controllers_limit_is_kept_before_it_has_to_say_so(server: sealing.StandIn) -> None:
    found, clock = connect(server)
    obj = OLD.seal({"a": "b"})
    began = clock.now
    for _ in range(6):
        found.verify(obj)
    assert clock.now - began == pytest.approx(2.0)  # two at once, then one each half second


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 3), max_size=40))
def test_never_more_calls_than_rate_and_burst_allow(pauses: list[float]) -> None:
    clock = sealing.FakeClock()
    bucket = controller.TokenBucket(clock)
    turns = []
    for pause in pauses:
        clock.now += pause
        bucket.take()
        turns.append(clock.now)
    for number, first in enumerate(turns):
        for count, last in enumerate(turns[number:], 1):
            assert count <= controller.BURST + (last - first) * controller.RATE + 1e-6


def test_discovery_by_label_leaves_out_the_service_of_metrics(server: sealing.StandIn) -> None:
    server.add(
        "/api/v1/namespaces/kube-system/services", "sealed-secrets-metrics", "kube-system",
        labels={"app.kubernetes.io/name": "sealed-secrets"}, spec={"ports": [{"name": "metrics", "port": 8081}]},
    )  # fmt: skip
    assert connect(server)[0].subject == "Controller kube-system/sealed-secrets"


def test_discovery_of_the_plain_manifest_and_of_one_of_several(server: sealing.StandIn) -> None:
    server.objects = {}
    server.add_controller("kube-system", "sealed-secrets-controller", label="name=sealed-secrets-controller")
    assert connect(server)[0].name == "sealed-secrets-controller"
    server.add_controller("second", "other")
    error = refused(lambda: connect(server))
    assert "kube-system/sealed-secrets-controller, second/other" in str(error)
    assert connect(server, namespace="second")[0].name == "other"
    assert connect(server, name="other")[0].namespace == "second"
    assert connect(server, "second", "other")[0].subject == "Controller second/other"


def test_discovery_says_what_it_looked_for(server: sealing.StandIn) -> None:
    server.objects = {}
    assert "app.kubernetes.io/name=sealed-secrets or name=sealed-secrets-controller" in str(
        refused(lambda: connect(server))
    )
    assert "Service kube-system/none" in str(refused(lambda: connect(server, "kube-system", "none")))
    assert "in namespace demo with app" in str(refused(lambda: connect(server, "demo")))
    assert "in all namespaces with metadata.name=x" in str(refused(lambda: connect(server, name="x")))


def test_who_may_not_list_services_still_finds_the_usual_places(server: sealing.StandIn) -> None:
    server.forbidden_lists = True
    assert connect(server)[0].name == "sealed-secrets"
    server.objects = {}
    assert "may not list" in str(refused(lambda: connect(server)))


def test_a_login_without_the_proxys_role_is_told_about_it(server: sealing.StandIn) -> None:
    found, _clock = connect(server)
    server.forbidden = ("/proxy/",)
    for work in (found.certificate, lambda: found.verify(OLD.seal({})), lambda: found.rotate(OLD.seal({}))):
        assert "sealed-secrets-service-proxier" in str(refused(work))


def test_no_pod_behind_the_service(server: sealing.StandIn) -> None:
    found, clock = connect(server)
    server.faults = [503] * 60
    assert "no pod of it answers" in str(refused(lambda: found.verify(OLD.seal({}))))
    assert sum(clock.slept) > 5
