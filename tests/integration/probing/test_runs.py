# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real API server takes of a probe, refuses, and keeps of it."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.flows.matrix import Identity
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Facts, Port
from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError, KubeError
from ansible_collections.enclii.platform.plugins.module_utils.probing import objects
from ansible_collections.enclii.platform.plugins.module_utils.probing.cleanup import Others, Pulse, create, sweep
from ansible_collections.enclii.platform.plugins.module_utils.probing.plan import WITNESS, Design, Prober

if t.TYPE_CHECKING:
    from conftest import Api

Obj = dict[str, t.Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Skipping(Clock):
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def furnish(api: Api, run: str, *, ports: tuple[Port, ...] = (Port(8080),)) -> list[Obj]:
    """Script, policies and a pod of a run, as the server has them."""
    probers = (
        Prober(Identity("web", api.space, {"flow.enclii.dev/x": "server"}), ports),
        Prober(Identity(WITNESS, api.space, {}), (), WITNESS),
    )
    design = Design(probers, (), 61337, api.space)
    place = f"/api/v1/namespaces/{api.space}"
    owner = create(api.client, f"{place}/configmaps", objects.script(run, api.space, "pass"))
    facts = Facts(
        api_server=(("10.0.0.1", 6443), ("fd00::1", 6443)),
        dns={"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
    )
    made = [owner]
    for policy in objects.policies(run, design, {api.space: owner}, facts):
        path = f"/apis/networking.k8s.io/v1/namespaces/{api.space}/networkpolicies"
        made.append(api.client.request("POST", path, {"fieldValidation": "Strict"}, policy)[1])
    for number, one in enumerate(probers):
        body = objects.pod(run, number, one, owner=owner, image="i", gauge=61337, lifetime=60, walled=(True, False))
        made.append(api.client.request("POST", f"{place}/pods", {"fieldValidation": "Strict"}, body)[1])
    return made


def test_pods_of_a_probe_are_admitted_where_pod_security_is_restricted(api: Api) -> None:
    furnish(api, "r1", ports=(Port(80), Port(53, "UDP")))
    with pytest.raises(ApiError, match="PodSecurity"):
        bad = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "bad"},
            "spec": {"containers": [{"name": "a", "image": "i"}]},
        }
        api.client.request("POST", f"/api/v1/namespaces/{api.space}/pods", None, bad)
    assert sweep(api.client, "r1", Clock()) == []


def test_a_sweep_takes_away_one_run_and_no_other(api: Api) -> None:
    first, second = furnish(api, "r1"), furnish(api, "r2")
    api.server.kubectl("create", "configmap", "mine", "-n", api.space)
    assert len(api.left()) == len(first) + len(second)
    assert sweep(api.client, "r1", Clock()) == []
    assert len(api.left()) == len(second)
    assert sweep(api.client, "r2", Clock()) == []
    assert api.left() == set()
    api.server.kubectl("get", "configmap", "mine", "-n", api.space)


def test_who_lives_is_left_alone_and_who_died_is_not(api: Api) -> None:
    alive = Pulse(api.client, "living", api.space)
    now = alive.start()
    try:
        furnish(api, "living")
        furnish(api, "dead")
        others = Others(api.client, "me", Clock())
        assert others.dead(now) == ["dead"]
        assert others.dead(now + timedelta(seconds=60)) == ["dead", "living"]
        assert Others(api.client, "living", Clock()).dead(now) == ["dead"]
    finally:
        alive.stop()
        for run in ("living", "dead"):
            sweep(api.client, run, Clock())
    assert api.left() == set()


def test_a_pulse_that_stands_still_is_seen_in_the_end(api: Api) -> None:
    pulse, clock = Pulse(api.client, "killed", api.space), Skipping()
    now = pulse.start()
    pulse.stop()
    others = Others(api.client, "me", clock)
    assert others.dead(now) == []
    assert others.died_since() == []  # too early to tell
    clock.ahead = 20
    assert others.died_since() == ["killed"]
    api.server.kubectl(
        "annotate", "configmap", "probe-killed-alive", "-n", api.space, "probe.enclii.dev/beat=7", "--overwrite"
    )
    assert others.died_since() == []
    sweep(api.client, "killed", Clock())


def test_check_mode_makes_nothing(api: Api) -> None:
    told = api.probe(check=True)
    assert told["plan"]["namespaces"] == [api.space]
    assert told["changed"] is False
    assert api.left() == set()


def test_pods_that_do_not_start_are_an_error_and_are_taken_away(api: Api) -> None:
    with pytest.raises(KubeError, match="none of 4 runs after 1 s") as caught:
        api.probe(timeout=1, **api.within)
    assert caught.value.reason == "not_ready"
    assert api.left() == set()


def test_a_quota_that_refuses_all_pods_is_told(api: Api) -> None:
    api.server.kubectl("create", "quota", "none", "--hard=pods=0", "-n", api.space)
    # without a controller manager nobody else would fill in what the quota counts from
    quota = {"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}}
    path = f"/api/v1/namespaces/{api.space}/resourcequotas/none/status"
    api.server.raw(path, "PATCH", quota, "application/merge-patch+json")
    with pytest.raises(KubeError, match="exceeded quota"):
        api.probe(timeout=1, **api.within)
    assert api.left() == set()


def test_the_namespace_of_a_stranger_is_taken_away_also_after_a_kill(api: Api) -> None:
    api.client.request("POST", "/api/v1/namespaces", None, objects.namespace("killed", f"{api.space}-outside"))
    assert Others(api.client, "me", Clock()).dead(NOW) == ["killed"]
    assert sweep(api.client, "killed", Clock(), patience=0) == [f"Namespace {api.space}-outside"]
    # without a controller manager nobody else lets it go
    api.server.raw(f"/api/v1/namespaces/{api.space}-outside/finalize", "PUT", {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{api.space}-outside"}, "spec": {"finalizers": []},
    }, "application/json")  # fmt: skip
    assert sweep(api.client, "killed", Clock()) == []


def test_what_cannot_be_tried_is_a_notice(api: Api) -> None:
    """A namespace of node agents without any, and pods whose callers a Service would send to a probe pod."""
    agents = f"{api.space}-agents"
    api.server.kubectl("create", "namespace", agents)
    api.server.kubectl("label", "namespace", agents, "enclii.dev/purpose=nodes", "enclii.dev/walls=enforce")
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "early", "namespace": api.space},
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"app": "db"}, "ports": [{"port": 1}]},
    }  # fmt: skip
    api.server.kubectl("apply", "-f", "-", stdin=json.dumps(service))
    flows = [
        {
            "name": "x",
            "from": {"namespace": api.space},
            "to": {"namespace": api.space, "pods": {"app": "db"}},
            "port": 1,
        }
    ]
    told = api.probe(check=True, flows=flows, spaces={api.space: "enforce", agents: "enforce"})
    assert told["plan"]["namespaces"] == [api.space]
    pods = {one.partition(" ")[0] for one in told["plan"]["pods"]}
    assert pods == {"outside/stranger", *(f"{api.space}/{name}" for name in ("bare", "x-client", "witness"))}
    idle, published = told["notices"]
    assert idle.startswith(f"no node agent runs in namespace {agents}")
    assert published.startswith(
        f"pods {api.space}/x-server are not tried: Service {api.space}/early has publishNotReadyAddresses"
    )


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"spaces": {"nowhere": "enforce"}}, "there is no such namespace.*--tags baseline"),
        ({"rehearse": "nowhere"}, "there is no such namespace"),
        ({"flows": [{"name": "x", "from": "nobody", "to": "any", "port": 1}]}, "no component of that name"),
        ({"sources": ["nowhere/*"]}, "there is no pair to be tried"),
        ({"evidence": {"namespace": "enclii-system", "keep": 1, "valid_for": 1}}, "Evidence is not installed"),
        ({"spaces": {}}, "there is no pair to be tried"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(api: Api, params: Obj, told: str) -> None:
    with pytest.raises(KubeError, match=told) as caught:
        api.probe(**params)
    assert caught.value.next_step
    assert api.left() == set()


def test_nothing_secret_is_in_what_it_makes(api: Api) -> None:
    made = furnish(api, "r1")
    text = json.dumps(made)
    assert "serviceAccountToken" not in text
    assert "secretName" not in text
    sweep(api.client, "r1", Clock())
