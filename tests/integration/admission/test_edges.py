# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies at the edge of a rule, and what operators do to objects that were there before it."""

from __future__ import annotations

import typing as t

import pytest
from admission import good

DIGEST = "sha256:" + "ab" * 32
KINDS = ["Pod", "ReplicationController", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"]


def spec_of(obj: dict[str, t.Any]) -> t.Any:
    if obj["kind"] == "Pod":
        return obj["spec"]
    outer = obj["spec"]["jobTemplate"]["spec"] if obj["kind"] == "CronJob" else obj["spec"]
    return outer["template"]["spec"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_looked_at_with_init_containers_and_sidecars(walls: t.Any, kind: str) -> None:
    assert walls.admin.create(good(kind), walls.spaces["enforce"]).ok
    for place in ("containers", "initContainers"):
        for sidecar in (False, True) if place == "initContainers" else (False,):
            obj = good(kind)
            container = {**good(kind)["spec"].get("x", {}), **spec_of(good(kind))["containers"][0]}
            container |= {"name": "other", "image": "ghcr.io/madfam/x:latest"}
            if place == "initContainers":
                container = {key: value for key, value in container.items() if sidecar or not key.endswith("Probe")}
                container |= {"restartPolicy": "Always"} if sidecar else {}
            spec_of(obj).setdefault(place, []).append(container)
            answer = walls.admin.create(obj, walls.spaces["enforce"])
            assert '[image-tag] container "other"' in answer.message, (place, sidecar, answer)


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        ("nginx", "image-tag"),
        ("nginx:latest", "image-tag"),
        ("nginx:Latest", "image-tag"),
        ("nginx:latest-2024", "image-tag"),
        ("nginx:alpine", "image-tag"),
        ("docker.io/library/nginx:stable", "image-tag"),
        ("nginx:1.29", ""),
        (f"nginx@{DIGEST}", ""),
        (f"nginx:latest@{DIGEST}", ""),
        ("library/nginx:1", ""),
        ("docker.io/nginx:1", ""),
        ("index.docker.io/library/nginx:1", ""),
        ("registry.k8s.io/pause:3.10", ""),
        ("quay.io/jetstack/cert-manager-controller:v1.21.2", ""),
        ("quay.io/other/cert-manager-controller:v1.21.2", "registry"),
        ("quay.io/jetstack-x/y:1", "registry"),
        ("quay.io.example.com/jetstack/y:1", "registry"),
        ("registry.k8s.io:443/pause:3.10", "registry"),
        ("docker.io/registry.k8s.io/pause:3.10", "registry"),
        ("docker.io:443/library/nginx:1", "registry"),
        ("localhost/library/nginx:1", "registry"),
        ("localhost:5000/nginx:1", "registry"),
        ("[2001:db8::1]:5000/nginx:1", "registry"),
        ("someone/nginx:1", "registry"),
        ("bitnami/sealed-secrets-controller:0.40.0", ""),
        ("bitnami/sealed-secrets-controller-x:0.40.0", "registry"),
        ("example.com:5000/nginx", "image-tag registry"),
    ],
)
def test_images(walls: t.Any, image: str, rule: str) -> None:
    answer = walls.admin.create(good(image=image), walls.spaces["enforce"])
    assert [one for one in ("image-tag", "registry") if f"[{one}]" in answer.message] == rule.split(), answer.message
    assert answer.ok == (rule == "")


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("PASSWORD", "x", True),
        ("dbPassword", "x", True),
        ("DB_PASS", "x", True),
        ("API_KEY", "x", True),
        ("apikey", "x", True),
        ("API_KEY_2", "x", True),
        ("SECRET_KEY_BASE", "x", True),
        ("SESSION_TOKEN", "x", True),
        ("PASSWORD", "", False),
        ("PASSWORD", "$(OTHER)", False),
        ("PASSWORD", "x$(OTHER)", True),
        ("PASSWORD", "no", False),
        ("PASSWORD_FILE", "/run/secrets/x", False),
        ("SECRET_NAME", "database", False),
        ("TOKEN_TTL", "5m", False),
        ("MAX_TOKENS", "100", False),
        ("BYPASS", "x", False),
        ("URL", "https://user:x@example.com/", True),
        ("URL", "redis://:x@redis:6379", True),
        ("URL", "https://user@example.com/", False),
        ("URL", "https://example.com:8443/?to=a@b.example", False),
        ("URL", "https://example.com:8443?to=a@b.example", False),
        ("URL", "postgres://user:$(PASSWORD)@db/x", False),
    ],
)
def test_values_of_variables(walls: t.Any, name: str, value: str, refused: bool) -> None:
    answer = walls.admin.create(good(env=[{"name": name, "value": value}]), walls.spaces["enforce"])
    assert answer.ok == (not refused), answer.message
    assert not refused or f'[secret-env] container "api": env {name} ' in answer.message


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Pod", "ReplicaSet"])
def test_what_was_bad_before_may_change_in_everything_else(walls: t.Any, kind: str) -> None:
    """Labels, replicas, scale, finalizers and status, as people and controllers change them; a new image is looked at."""
    namespace = walls.space()
    bad = good(kind, image="busybox", resources=None, livenessProbe=None)
    assert walls.admin.create(bad, namespace, dry=False).ok
    walls.label(namespace, "enforce")
    patch = walls.admin.patch
    assert patch(kind, namespace, "web", {"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/x"]}}).ok
    assert patch(kind, namespace, "web", {"metadata": {"finalizers": None}}).ok
    if kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        assert patch(kind, namespace, "web", {"spec": {"replicas": 3}}).ok
        assert patch(kind, namespace, "web", {"spec": {"replicas": 2}}, "scale").ok
    if kind == "CronJob":
        assert patch(kind, namespace, "web", {"spec": {"suspend": True}}).ok
    elif kind != "Pod":
        assert patch(kind, namespace, "web", {"status": {"observedGeneration": 1}}, "status").ok
    else:
        phase = {"status": {"conditions": [{"type": "x", "status": "True"}]}}
        assert patch(kind, namespace, "web", phase, "status").ok
        assert patch(kind, namespace, "web", {"spec": {"activeDeadlineSeconds": 99}}).ok
    container: dict[str, t.Any] = {"containers": [{"name": "api", "image": "busybox:1.36"}]}
    changed: dict[str, t.Any] = {"template": {"spec": container}}
    changed = container if kind == "Pod" else {"jobTemplate": {"spec": changed}} if kind == "CronJob" else changed
    answer = patch(kind, namespace, "web", {"spec": changed})
    assert not answer.ok and "[image-tag]" not in answer.message and "[resources]" in answer.message
    if kind in ("Deployment", "StatefulSet", "DaemonSet"):
        restart = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
        # new pods would be refused: whoever asks for them is told, and not the log of a controller
        assert "[image-tag]" in patch(kind, namespace, "web", restart).message
    walls.label(namespace, "observe")
    observed = patch(kind, namespace, "web", {"spec": changed})
    assert observed.ok and len(observed.warnings) == 1
    deleted = walls.admin.call("DELETE", walls.admin.path(kind, namespace, "web"))
    assert deleted.ok and deleted.warnings == ()


def test_ephemeral_containers_are_looked_at_alone(walls: t.Any) -> None:
    namespace = walls.space()
    assert walls.admin.create(good("Pod", image="busybox", resources=None), namespace, dry=False).ok
    walls.label(namespace, "enforce")

    def debug(**more: t.Any) -> t.Any:
        one = {"name": "debugger", "image": "busybox:1.36", **more}
        return walls.admin.patch(
            "Pod", namespace, "web", {"spec": {"ephemeralContainers": [one]}}, "ephemeralcontainers", True
        )

    assert debug().ok, "a pod that is not as it should be may be debugged"
    for more, rule in [
        ({"image": "busybox"}, "image-tag"),
        ({"image": "example.com/x:1"}, "registry"),
        ({"imagePullPolicy": "Never"}, "pull-policy"),
        ({"env": [{"name": "PASSWORD", "value": "x"}]}, "secret-env"),
    ]:
        assert f'[{rule}] container "debugger"' in debug(**more).message
        assert debug(**more).message.count("[") == 1


def test_probe_pods_need_no_resources_and_no_probes_and_everything_else(walls: t.Any) -> None:
    pod = good("Pod", resources=None, livenessProbe=None, readinessProbe=None)
    pod["metadata"]["labels"]["probe.enclii.dev/run"] = "x"
    message = walls.admin.create(pod, walls.spaces["enforce"]).message
    assert "[resources]" in message and "[liveness]" in message
    pod["spec"]["restartPolicy"] = "Never"
    assert walls.admin.create(pod, walls.spaces["enforce"]).ok
    pod["spec"]["containers"][0]["image"] = "busybox"
    pod["spec"]["hostNetwork"] = True
    message = walls.admin.create(pod, walls.spaces["enforce"]).message
    assert "[image-tag]" in message and "[host]" in message and "[resources]" not in message


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_nobody_is_exempt_by_the_labels_of_his_template(walls: t.Any, kind: str) -> None:
    workload = good(kind, resources=None, livenessProbe=None)
    labels = {"probe.enclii.dev/run": "x"}
    workload["metadata"]["labels"] = labels
    workload["spec"]["template"]["metadata"]["labels"] |= labels
    message = walls.admin.create(workload, walls.spaces["enforce"]).message
    assert "[resources]" in message
    assert ("[liveness]" in message) == (kind == "Deployment")


def test_images_of_volumes_are_images(walls: t.Any) -> None:
    pod = good("Pod")
    pod["spec"]["volumes"] = [{"name": "page", "image": {"reference": "example.com/page:latest"}}]
    message = walls.admin.create(pod, walls.spaces["enforce"]).message
    assert '[image-tag] volume "page"' in message and '[registry] volume "page"' in message
    pod["spec"]["volumes"][0]["image"]["reference"] = "ghcr.io/madfam/page:1.2"
    assert walls.admin.create(pod, walls.spaces["enforce"]).ok


def test_resources_of_the_whole_pod_are_resources(walls: t.Any) -> None:
    pod = good("Pod", resources=None)
    pod["spec"]["resources"] = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    assert walls.admin.create(pod, walls.spaces["enforce"]).ok


def test_limit_ranges_make_up_for_pods_and_workloads_say_it_themselves(walls: t.Any) -> None:
    namespace = walls.space("enforce")
    limits = {"type": "Container", "default": {"memory": "256Mi"}, "defaultRequest": {"cpu": "50m", "memory": "64Mi"}}
    body = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "x", "namespace": namespace},
        "spec": {"limits": [limits]},
    }
    walls.apply([body])
    walls.until(lambda: walls.admin.create(good("Pod", resources=None), namespace).ok, "limit range in force")
    assert "[resources]" in walls.admin.create(good("Deployment", resources=None), namespace).message


def test_kube_system_stays_untouched_whatever_its_labels(walls: t.Any) -> None:
    walls.admin.patch("Namespace", "", "kube-system", {"metadata": {"labels": {"enclii.dev/walls": "enforce"}}})
    try:
        walls.in_force()
        answer = walls.admin.create(good("Pod", image="busybox", resources=None), "kube-system")
        assert answer.ok and answer.warnings == ()
    finally:
        walls.admin.patch("Namespace", "", "kube-system", {"metadata": {"labels": {"enclii.dev/walls": None}}})


def test_many_findings_are_told_at_once_and_cut_where_they_would_be_too_long(walls: t.Any) -> None:
    pod = good("Deployment", image="busybox", resources=None, readinessProbe=None)
    message = walls.admin.create(pod, walls.spaces["enforce"]).message
    assert all(f"[{rule}]" in message for rule in ("image-tag", "resources", "readiness"))
    pod["spec"]["template"]["spec"]["containers"] = [{"name": f"container-{n}", "image": "x" * 200} for n in range(20)]
    long = walls.admin.create(pod, walls.spaces["enforce"]).message
    assert long.endswith(" ... and more") and len(long) < 5000
