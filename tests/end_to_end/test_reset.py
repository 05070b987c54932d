# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a lab's life: the cluster taken off its machines, and another kind of cluster made of them.

Only for a lab that the tests own (ENCLII_TEST_COMPLETE, set by `make test`): nobody's cluster is reset for a test.
"""

from __future__ import annotations

import json
import os
import secrets

import pytest
from labrun import LabRun

CANARY = f"canary-{secrets.token_hex(12)}"
OWN_CNI = ("-e", "kubernetes_cni=none", "-e", "kubernetes_encryption_provider=aescbc")


@pytest.fixture(scope="module")
def bare(lab: LabRun) -> LabRun:
    """The lab, reset by the playbook to bare machines."""
    if not os.environ.get("ENCLII_TEST_COMPLETE"):
        pytest.skip("the cluster on this lab may be somebody's: `make test` runs this on a lab of its own")
    lab.playbook("bootstrap").succeeded()
    lab.playbook("reset", "-e", f"kubernetes_reset_cluster={lab.lab.name}").succeeded()
    return lab


@pytest.fixture(scope="module")
def cluster(bare: LabRun) -> LabRun:
    """A cluster without a CNI of ours, whose Secrets are encrypted by aescbc."""
    bare.playbook("bootstrap", *OWN_CNI).succeeded()
    return bare


def test_reset_leaves_bare_machines(bare: LabRun) -> None:
    places = "/etc/kubernetes/* /var/lib/etcd/* /var/lib/kubelet/* /usr/local/bin/* /etc/cni/net.d/*"
    network = "iptables-save | grep -i kube; ipset list -n; ip route show proto 17; ls -d /sys/class/net/kube-bridge"
    for node in bare.nodes:
        assert bare.on(node, f"ls {places} 2>/dev/null; ({network}) 2>/dev/null", check=False) == "", node
    run = bare.playbook("reset", "-e", f"kubernetes_reset_cluster={bare.lab.name}").succeeded()
    assert set(run.changed.values()) == {0}


def test_nodes_wait_for_the_cni_of_the_user_and_for_nothing_else(cluster: LabRun) -> None:
    nodes = cluster.get("nodes")["items"]
    assert {one["metadata"]["name"] for one in nodes} == set(cluster.nodes)
    for one in nodes:
        ready = next(part for part in one["status"]["conditions"] if part["type"] == "Ready")
        assert (ready["status"], "cni" in ready["message"]) == ("False", True), ready
    assert "kube-router" not in cluster.kubectl("get", "daemonsets", "-A", "-o", "name")


def test_the_second_run_changes_nothing(cluster: LabRun) -> None:
    assert set(cluster.playbook("bootstrap", *OWN_CNI).succeeded().changed.values()) == {0}


def test_secrets_are_encrypted_by_the_other_provider(cluster: LabRun) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}, "stringData": {"value": CANARY}}
    cluster.kubectl("create", "-n", "default", "-f", "-", given=json.dumps(secret))
    stored = cluster.stored("secrets/default/hidden")
    assert stored.startswith("k8s:enc:aescbc:v1:key1:")
    assert CANARY not in stored
