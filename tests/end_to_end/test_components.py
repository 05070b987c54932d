# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""T1 and P2 on a real cluster: every component from nothing to nothing, killed on the way, refused where it does not belong.

The tests stand in the order of a platform's life and share its cluster.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from labrun import CLONE, LabRun, Outcome, kill_all

from ansible_collections.enclii.platform.plugins.module_utils.kube import front

COMPONENTS = ("storage", "cert_manager", "sealed_secrets", "metrics_server")
CANARY = f"canary-{secrets.token_hex(12)}"
KEY_LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
# What Kubernetes and the lab bring; everything else was made by us.
CLUSTER_KINDS = (
    "namespace,crd,clusterrole,clusterrolebinding,storageclass,apiservice,"
    "mutatingwebhookconfiguration,validatingwebhookconfiguration"
)
SYSTEM_KINDS = "configmap,secret,serviceaccount,role,rolebinding,service,deployment,poddisruptionbudget"


def names(lab: LabRun, kinds: str, *where: str) -> set[str]:
    return set(lab.kubectl("get", kinds, *where, "-o", "name").split())


def everything(lab: LabRun) -> set[str]:
    """All names that a component could leave behind."""
    found = names(lab, CLUSTER_KINDS)
    for space in lab.kubectl("get", "namespace", "-o", "name").split():
        space = space.partition("/")[2]
        found |= {f"{space}: {one}" for one in names(lab, SYSTEM_KINDS, "-n", space)}
    return found


def platform(lab: LabRun, *arguments: str, **options: t.Any) -> Outcome:
    return lab.playbook("platform", *arguments, **options)


def changes(run: Outcome) -> int:
    return run.succeeded().changed["localhost"]


def converged(lab: LabRun) -> None:
    """What must hold after every run that ended: nothing left to do, and everything works."""
    assert changes(platform(lab)) == 0
    lab.playbook("verify").succeeded()


def releases(lab: LabRun) -> dict[str, dict[str, str]]:
    argv = [f"{lab.lab.paths['bin']}/helm", "--kubeconfig", str(lab.kubeconfig), "list", "-A", "-a", "-o", "json"]
    return {
        one["name"]: one for one in json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    }


def killed_inside_helm(lab: LabRun, release: str, status: str, *arguments: str) -> None:
    """Run the platform's playbook and end it, Helm included, by SIGKILL while the release has that status."""
    argv = lab.command("platform", *arguments)
    environment = {**os.environ, "LAB_NAME": lab.lab.name}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            argv, cwd=CLONE, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            # in process: a start of Helm takes as long as it is inside an installation
            asked = {"kubeconfig": str(lab.kubeconfig), "names": [release], "check_objects": False}
            while process.poll() is None:
                found = front.release_info(asked, {})["releases"]
                if found and found[0]["status"] == status:
                    break
                time.sleep(0.05)
            kill_all(process.pid)
        finally:
            ended = process.wait()
            output.seek(0)
            lab.transcript.append(output.read())
    assert ended == -signal.SIGKILL, lab.transcript[-1][-3000:]
    assert releases(lab)[release]["status"] == status


@pytest.fixture(scope="module")
def before(cluster: LabRun) -> set[str]:
    """Everything on the cluster without the platform."""
    uninstall = [f"{name}_purge=local" for name in ("storage", "cert_manager", "sealed_secrets", "baseline")]
    words = [word for one in ["enclii_uninstall=local", *uninstall] for word in ("-e", one)]
    cluster.playbook("uninstall", *words).succeeded()
    return everything(cluster)


@pytest.fixture(scope="module")
def key_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of one sealing key, as kubectl writes it; its private key is a canary of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sealed-secret")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pair = {
        "tls.crt": certificate.public_bytes(Encoding.PEM),
        "tls.key": key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": "sealed-secrets-keyrestored",
            "namespace": "old",
            "labels": {KEY_LABEL: "active"},
            "uid": "old",
        },
        "data": {part: base64.b64encode(value).decode() for part, value in pair.items()},
    }
    path = tmp_path_factory.mktemp("backup") / "keys.yaml"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [secret]}))
    return path


# -- from nothing --------------------------------------------------------------------------------


def test_check_mode_on_an_empty_cluster_is_honest(cluster: LabRun, before: set[str]) -> None:
    run = platform(cluster, "--check", "--diff")
    assert changes(run) > len(COMPONENTS)
    assert "+kind: StorageClass" in run.output
    assert everything(cluster) ^ before == set()


def test_broken_backup_of_sealing_keys_is_refused(
    cluster: LabRun, before: set[str], key_backup: Path, tmp_path: Path
) -> None:
    broken = json.loads(key_backup.read_text())
    broken["items"][0]["data"]["tls.key"] = base64.b64encode(
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}".encode()
    ).decode()
    path = tmp_path / "broken.yaml"
    path.write_text(json.dumps(broken))
    run = platform(cluster, "-vvv", "--diff", "--check", "-e", f"sealed_secrets_key_backup={path}")
    assert run.rc != 0
    assert (
        "Secret sealed-secrets-keyrestored in the backup of sealing keys: tls.key is no readable PEM private key"
        in run.output
    )
    assert CANARY not in run.output
    assert broken["items"][0]["data"]["tls.key"] not in run.output
    assert everything(cluster) ^ before == set()


def test_killed_inside_helm_and_between_steps_and_run_again(cluster: LabRun, key_backup: Path) -> None:
    backup = ("-e", f"sealed_secrets_key_backup={key_backup}")
    assert platform(cluster, *backup, kill_at=("Apply the component's objects", 0.2)).rc < 0
    killed_inside_helm(cluster, "cert-manager", "pending-install", *backup)
    assert platform(cluster, *backup, kill_at=("Issue the root", 0.5)).rc < 0
    killed_inside_helm(cluster, "sealed-secrets", "pending-install", *backup)
    platform(cluster, *backup, "-vvv", "--diff").succeeded()
    assert {one["status"] for one in releases(cluster).values()} == {"deployed"}
    assert changes(platform(cluster, *backup)) == 0
    assert changes(platform(cluster, *backup, "--check", "--diff")) == 0
    cluster.playbook("verify").succeeded()


def test_restored_key_is_the_only_one(cluster: LabRun) -> None:
    """The controller makes a key of its own only when it finds none."""
    keys = cluster.get("secret", "-n", "enclii-system", "-l", KEY_LABEL)["items"]
    assert [one["metadata"]["name"] for one in keys] == ["sealed-secrets-keyrestored"]
    log = cluster.kubectl("logs", "-n", "enclii-system", "deployment/sealed-secrets-controller")
    assert "sealed-secrets-keyrestored" in log


def test_no_proxy_for_every_authenticated_account(cluster: LabRun) -> None:
    bindings = cluster.get("rolebinding", "-n", "enclii-system")["items"]
    subjects = [subject["name"] for one in bindings for subject in one.get("subjects") or []]
    assert subjects
    assert "system:authenticated" not in subjects


def test_private_ca(cluster: LabRun) -> None:
    bundle = cluster.get("configmap", "-n", "enclii-dev", "enclii-ca")["data"]["ca.crt"]
    root = x509.load_pem_x509_certificate(bundle.encode())
    assert root.not_valid_after_utc - root.not_valid_before_utc == timedelta(days=3650)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    secret = cluster.get("secret", "-n", "enclii-system", "metrics-server")["data"]
    leaf = x509.load_pem_x509_certificate(base64.b64decode(secret["tls.crt"]))
    leaf.verify_directly_issued_by(root)


def test_metrics_come_over_verified_connections(cluster: LabRun) -> None:
    arguments = cluster.get("deployment", "-n", "enclii-system", "metrics-server")["spec"]["template"]["spec"][
        "containers"
    ][0]["args"]
    assert "--kubelet-insecure-tls" not in arguments
    assert "insecureSkipTLSVerify" not in cluster.get("apiservice", "v1beta1.metrics.k8s.io")["spec"]
    metered = json.loads(cluster.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"]
    assert {one["metadata"]["name"] for one in metered} == set(cluster.nodes)


def test_volume_holds_what_was_written(cluster: LabRun) -> None:
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "proof"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}},
    }  # fmt: skip
    container = {
        "name": "main", "image": "docker.io/library/busybox:1.36", "command": ["sh", "-c", f"echo {CANARY[:6]} > /data/x && cat /data/x"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}], "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "proof"}}]
    nobody = {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": volumes, "securityContext": nobody}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "proof"}, "spec": spec}
    for one in (claim, pod):
        cluster.kubectl("apply", "-n", "enclii-dev", "-f", "-", given=json.dumps(one))
    phase = lambda: cluster.get("pod", "-n", "enclii-dev", "proof")["status"]["phase"]  # noqa: E731
    cluster.until("the pod has written", lambda: phase() == "Succeeded", 120)
    cluster.kubectl("delete", "-n", "enclii-dev", "pod/proof", "pvc/proof")
    cluster.until("the volume is gone", lambda: not names(cluster, "pv"), 120)


# -- a second run, and what others did meanwhile -------------------------------------------------


def test_backup_that_is_no_longer_named_restarts_the_controller_once(cluster: LabRun) -> None:
    assert changes(platform(cluster)) == 1
    converged(cluster)


@pytest.mark.parametrize("name", COMPONENTS)
def test_each_component_alone_by_its_tag(cluster: LabRun, name: str) -> None:
    run = platform(cluster, "--tags", name)
    assert changes(run) == 0
    assert "Ask the cluster who it is" in run.output
    # what is decided on is named there
    assert [one for one in COMPONENTS if f"(item={one})" in run.output] == [name]


def test_unchanged_run_starts_no_helm(cluster: LabRun, tmp_path: Path) -> None:
    missing = tmp_path / "helm"
    missing.write_text("#!/bin/sh\necho started >> $0.log\nexit 1\n")
    missing.chmod(0o755)
    assert changes(platform(cluster, "-e", f"enclii_helm_binary={missing}")) == 0
    assert not (tmp_path / "helm.log").exists()


def test_objects_deleted_by_hand_come_back(cluster: LabRun) -> None:
    cluster.kubectl("delete", "-n", "enclii-system", "deployment/metrics-server", "configmap/enclii-ca", "--wait=true")
    run = platform(cluster, "--check")
    assert changes(run) > 0
    assert "deleted by hand: Deployment enclii-system/metrics-server" in run.output
    assert changes(platform(cluster)) > 0
    converged(cluster)


def test_crds_deleted_by_hand_come_back(cluster: LabRun) -> None:
    cluster.kubectl("delete", "crd/sealedsecrets.bitnami.com")
    assert changes(platform(cluster)) > 0
    converged(cluster)


def test_upgrade_killed_and_run_again(cluster: LabRun) -> None:
    values = ("-e", json.dumps({"metrics_server_values": {"podLabels": {"proof": "upgrade"}}}))
    killed_inside_helm(cluster, "metrics-server", "pending-upgrade", *values)
    assert changes(platform(cluster, *values)) > 0
    assert releases(cluster)["metrics-server"]["status"] == "deployed"
    assert changes(platform(cluster, *values)) == 0
    labels = cluster.get("deployment", "-n", "enclii-system", "metrics-server")["spec"]["template"]["metadata"][
        "labels"
    ]
    assert labels["proof"] == "upgrade"
    assert changes(platform(cluster)) > 0


def test_same_version_with_other_content_is_an_upgrade(cluster: LabRun, tmp_path: Path) -> None:
    chart = tmp_path / "sealed-secrets"
    # follows the link: the lab's own chart stays as it is
    shutil.copytree(Path(cluster.lab.paths["charts"]) / "sealed-secrets", chart)
    (chart / "templates" / "NOTES.txt").chmod(0o644)
    with (chart / "templates" / "NOTES.txt").open("a") as notes:
        notes.write("\nAnother content.\n")
    was = releases(cluster)["sealed-secrets"]["chart"]
    assert changes(platform(cluster, "-e", f"sealed_secrets_chart_ref={chart}")) > 0
    now = releases(cluster)["sealed-secrets"]["chart"]
    assert now.partition("+")[0] == was.partition("+")[0]
    assert now != was
    assert changes(platform(cluster)) > 0
    assert releases(cluster)["sealed-secrets"]["chart"] == was


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("enclii_inventory=prod", 'it belongs to inventory "local", and this is "prod"'),
        ("enclii_cluster_uid=another", "and this inventory insists on another"),
    ],
)
def test_wrong_cluster_is_refused_before_any_change(cluster: LabRun, variable: str, words: str) -> None:
    was = everything(cluster)
    run = platform(cluster, "-e", variable, "-e", json.dumps({"enclii_environments": ["enclii-other"]}))
    assert run.rc != 0
    assert words in run.output
    assert everything(cluster) == was


def test_everything_that_is_missing_is_said_at_once(cluster: LabRun) -> None:
    words = [
        "enclii_environments=[]",
        "storage_state=external",
        "enclii_helm_binary=/nowhere/helm",
        "cert_manager_chart_ref=/nowhere/chart",
    ]
    run = platform(cluster, *(part for one in words for part in ("-e", one)), "-e", "storage_class=", "-e", "enclii_inventory=prod",
                   "-e", "enclii_context=")  # fmt: skip
    assert run.rc != 0
    for variable in (
        "enclii_environments",
        "storage_class",
        "enclii_helm_binary",
        "<role>_chart_ref",
        "enclii_context",
    ):
        assert f"set {variable}" in run.output


def test_replaced_root_stops_the_run(cluster: LabRun) -> None:
    was = cluster.get("secret", "-n", "cert-manager", "enclii-ca-1")["metadata"]["uid"]
    cluster.kubectl("delete", "-n", "cert-manager", "secret/enclii-ca-1")

    def replaced() -> bool:
        # by its whole name: on the way there is a Secret whose name only begins with it
        found = cluster.get("secrets", "-n", "cert-manager")["items"]
        return any(one["metadata"]["name"] == "enclii-ca-1" and one["metadata"]["uid"] != was for one in found)

    cluster.until("cert-manager has made another root", replaced, 60)
    run = platform(cluster)
    assert run.rc != 0
    assert "The root of the private CA was replaced: Secret enclii-ca-1 holds" in run.output
    assert changes_before_failure(run) == 0


def changes_before_failure(run: Outcome) -> int:
    return run.changed["localhost"]


def test_rotation_on_demand_keeps_the_previous_root(cluster: LabRun) -> None:
    record = cluster.get("configmap", "-n", "enclii-system", "enclii-ca")
    old = record["metadata"]["annotations"]["enclii.dev/ca-fingerprint"]
    rotate = ("-e", f"cert_manager_ca_rotate={old}")
    assert changes(platform(cluster, *rotate)) > 0
    assert changes(platform(cluster, *rotate)) == 0
    converged(cluster)
    bundle = cluster.get("configmap", "-n", "enclii-dev", "enclii-ca")["data"]["ca.crt"]
    found = [one.fingerprint(hashes.SHA256()).hex() for one in x509.load_pem_x509_certificates(bundle.encode())]
    assert len(found) == 2
    assert found[1] == old
    assert cluster.get("clusterissuer", "enclii-ca")["spec"]["ca"]["secretName"] == "enclii-ca-2"


# -- somebody else's, and gone -------------------------------------------------------------------


def test_external_changes_nothing_and_verifies(cluster: LabRun) -> None:
    external = [word for name in COMPONENTS for word in ("-e", f"{name}_state=external")]
    was = everything(cluster)
    assert changes(platform(cluster, *external, "-e", "storage_class=enclii-local")) == 0
    assert everything(cluster) == was
    run = platform(cluster, *external, "-e", "storage_class=nobody")
    assert run.rc != 0
    assert 'it has no storage class "nobody"' in run.output


def test_uninstall_asks_for_the_name(cluster: LabRun) -> None:
    was = everything(cluster)
    run = cluster.playbook("uninstall")
    assert run.rc != 0
    assert "-e enclii_uninstall=local" in run.output
    assert everything(cluster) == was


def test_absent_leaves_only_what_it_says(cluster: LabRun, before: set[str]) -> None:
    check = cluster.playbook("uninstall", "-e", "enclii_uninstall=local", "--check").succeeded()
    assert check.changed["localhost"] > 0
    run = cluster.playbook("uninstall", "-e", "enclii_uninstall=local").succeeded()
    left = everything(cluster) - before
    secrets_left = {
        "cert-manager: secret/enclii-ca-1",
        "cert-manager: secret/enclii-ca-2",
        "enclii-system: secret/sealed-secrets-keyrestored",
    }
    own = {"namespace/cert-manager", "cert-manager: configmap/kube-root-ca.crt", "cert-manager: serviceaccount/default"}
    assert left - own == secrets_left
    for name in secrets_left:
        assert name.partition("secret/")[2] in run.output
    assert changes(cluster.playbook("uninstall", "-e", "enclii_uninstall=local")) == 0


def test_canary_is_nowhere(cluster: LabRun, key_backup: Path) -> None:
    """Neither the restored key nor what stood in a broken one, in all output of all runs, some of them with -vvv --diff."""
    data = json.loads(key_backup.read_text())["items"][0]["data"]["tls.key"]
    key = base64.b64decode(data).decode().splitlines()[1]
    assert len(cluster.transcript) > 10
    for text in cluster.transcript:
        assert data not in text
        assert key not in text
        assert CANARY not in text
