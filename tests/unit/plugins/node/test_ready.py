# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serving certificates are approved for what the inventory says, and for nothing else; then nodes are waited for."""

from __future__ import annotations

import base64
import ipaddress
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError
from ansible_collections.enclii.platform.plugins.module_utils.node import ready, serving

NODES = {"w-1": ["192.0.2.11"], "w-2": ["192.0.2.12"]}
KEY = ec.generate_private_key(ec.SECP256R1())


def pem(
    common: str = "system:node:w-1",
    organisation: str = "system:nodes",
    names: t.Sequence[x509.GeneralName] | None = (
        x509.DNSName("w-1"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.11")),
    ),
) -> bytes:
    subject = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def request(body: bytes | None = None, name: str = "csr-1", **spec: t.Any) -> dict[str, t.Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "signerName": serving.SIGNER,
            "username": "system:node:w-1",
            "groups": ["system:nodes", "system:authenticated"],
            "usages": ["digital signature", "server auth"],
            "request": base64.b64encode(body or pem()).decode(),
            **spec,
        },
        "status": {},
    }


def test_what_the_inventory_says_is_approved() -> None:
    assert serving.refusal(request(), NODES) == ""
    assert serving.refusal(request(pem(names=[x509.DNSName("w-1")])), NODES) == ""


ADDRESS = x509.IPAddress(ipaddress.ip_address("192.0.2.12"))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (request(username="system:node:stranger"), "no node of this inventory"),
        (request(username="kubernetes-admin"), "no node of this inventory"),
        (request(groups=["system:authenticated"]), "system:nodes"),
        (request(usages=["client auth", "server auth"]), "client auth"),
        (request(usages=["digital signature"]), "usages"),
        (request(pem(common="system:node:w-2")), "its subject is"),
        (request(pem(organisation="system:masters")), "its subject is"),
        (request(pem(names=None)), "names no subject alternative names"),
        (request(pem(names=[x509.DNSName("w-1"), ADDRESS])), "192.0.2.12, which the inventory does not give to w-1"),
        (request(pem(names=[x509.DNSName("w-2")])), "w-2, which the inventory"),
        (request(pem(names=[x509.DNSName("kubernetes.default")])), "kubernetes.default"),
        (request(pem(names=[x509.RFC822Name("a@example.org")])), "neither DNS names nor addresses"),
        (request(b"-----BEGIN CERTIFICATE REQUEST-----\n"), "cannot be read"),
    ],
)
def test_anything_else_is_refused(asked: dict[str, t.Any], says: str) -> None:
    assert says in serving.refusal(asked, NODES)


def test_a_request_signed_by_another_key_is_refused() -> None:
    good = x509.load_pem_x509_csr(pem()).public_bytes(serialization.Encoding.DER)
    broken = good[:-1] + bytes([good[-1] ^ 1])
    text = (
        b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(broken) + b"-----END CERTIFICATE REQUEST-----\n"
    )
    assert serving.refusal(request(text), NODES) != ""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"status": {"conditions": [{"type": "Approved"}]}}, False),
        ({"status": {"conditions": [{"type": "Denied"}]}}, False),
        ({"spec": {"signerName": "kubernetes.io/kube-apiserver-client-kubelet"}}, False),
    ],
)
def test_pending(change: dict[str, t.Any], expected: bool) -> None:
    assert serving.pending({**request(), **change}) is expected


class Cluster:
    """An API server of as many nodes as have registered."""

    def __init__(self) -> None:
        self.requests = [request()]
        self.nodes: dict[str, str] = {"w-1": "True"}
        self.serving = {"w-1"}
        self.approvals: list[str] = []
        self.status = {"availableReplicas": 1, "observedGeneration": 1}

    def list(self, path: str, query: t.Any = None) -> list[dict[str, t.Any]]:
        if path.endswith("certificatesigningrequests"):
            return self.requests
        return [
            {
                "metadata": {"name": name},
                "status": {
                    "conditions": [{"type": "Ready", "status": status, "message": "no CNI"}],
                    "nodeInfo": {"kubeletVersion": "v1.36.3"},
                },
            }
            for name, status in self.nodes.items()
        ]

    def get(self, path: str) -> dict[str, t.Any]:
        name = path.split("/")[4]
        if name not in self.serving:
            raise ApiError("GET", path, 503, {"message": "x509: certificate signed by unknown authority"})
        return {}

    def find(self, path: str) -> dict[str, t.Any]:
        return {"metadata": {"generation": 1}, "status": self.status}

    def request(self, method: str, path: str, query: t.Any = None, body: t.Any = None) -> tuple[int, t.Any]:
        name = path.split("/")[-2]
        assert body["status"]["conditions"][-1]["type"] == "Approved"
        self.approvals.append(name)
        self.requests = [entry for entry in self.requests if entry["metadata"]["name"] != name]
        return 200, body


def wait(cluster: Cluster, nodes: t.Sequence[str] = ("w-1",), **options: t.Any) -> ready.Seen:
    clock = iter(range(1000))
    wanted = ready.Wanted({name: NODES[name] for name in nodes}, **options)
    return ready.wait(cluster, wanted, 5, now=lambda: next(clock), sleep=lambda _seconds: None)


def test_a_good_node_is_approved_and_ready() -> None:
    cluster = Cluster()
    seen = wait(cluster, workloads=[("deployments", "kube-system", "coredns")])
    assert (seen.approved, seen.versions, seen.missing) == (["csr-1"], {"w-1": "v1.36.3"}, {})
    assert wait(cluster).approved == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nodes": {}}, "node w-1: has not registered"),
        ({"nodes": {"w-1": "False"}}, "node w-1: no CNI"),
        ({"serving": set()}, "signed by unknown authority"),
        ({"status": {"availableReplicas": 0, "observedGeneration": 1}}, "coredns: 0 of 1 ready"),
        ({"status": {"availableReplicas": 1}}, "its change has not been seen yet"),
    ],
)
def test_what_is_missing_is_said_in_the_end(change: dict[str, t.Any], says: str) -> None:
    cluster = Cluster()
    vars(cluster).update(change)
    with pytest.raises(ready.NotReadyError, match=says):
        wait(cluster, workloads=[("deployments", "kube-system", "coredns")])


def test_without_a_network_a_registered_node_is_enough() -> None:
    cluster = Cluster()
    cluster.nodes = {"w-1": "False"}
    assert wait(cluster, ready=False).missing == {}


def test_a_daemonset_needs_a_pod_of_its_present_form_on_each_node() -> None:
    cluster = Cluster()
    cluster.nodes = {"w-1": "True", "w-2": "True"}
    cluster.serving = {"w-1", "w-2"}
    cluster.status = {"numberReady": 2, "updatedNumberScheduled": 1, "observedGeneration": 1}
    with pytest.raises(ready.NotReadyError, match="1 of 2 ready"):
        wait(cluster, ["w-1", "w-2"], workloads=[("daemonsets", "kube-system", "kube-router")])


def test_a_wrong_request_of_our_node_stops_at_once_and_a_strangers_is_left_alone() -> None:
    cluster = Cluster()
    cluster.requests.append(request(name="stranger", username="system:node:other"))
    seen = wait(cluster)
    assert cluster.approvals == ["csr-1"]
    assert "system:node:other" in seen.strangers[0]
    cluster.requests = [request(pem(names=[x509.DNSName("evil")]))]
    with pytest.raises(ready.NotReadyError, match="was not approved: it asks for evil"):
        wait(cluster)


def test_looking_in_check_mode_approves_nothing() -> None:
    cluster = Cluster()
    seen = ready.Seen()
    ready.look(cluster, ready.Wanted(NODES), seen, set(), change=False)
    assert (seen.approved, cluster.approvals) == (["csr-1"], [])
    assert "node w-2" in seen.missing
