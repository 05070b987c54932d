# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's runs: what each state of a node leads to, and what must not be said aloud."""

from __future__ import annotations

import fcntl
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.node import kubeadm
from ansible_collections.enclii.platform.plugins.module_utils.node.kubeadm import Kubeadm, KubeadmError


class Machine:
    """A machine on which kubeadm's runs succeed or fail as told; notes what was run."""

    def __init__(self, root: Path, fails: t.Sequence[str] = (), kubelet_active: bool = True) -> None:
        self.root = root
        self.fails = list(fails)
        self.kubelet_active = kubelet_active
        self.ran: list[list[str]] = []
        self.configs: list[str] = []
        (root / "run").mkdir()

    def run(self, argv: list[str]) -> tuple[int, str, str]:
        self.ran.append(argv)
        if argv[0] == "systemctl":
            return (0 if self.kubelet_active else 3), "", ""
        if "--config" in argv:
            path = Path(argv[-1])
            assert path.stat().st_mode & 0o077 == 0, "the configuration holds a token"
            self.configs.append(path.read_text())
        if argv[1] in self.fails:
            self.fails.remove(argv[1])
            return 1, "I1122 21:30 noise\n", "[ERROR Port-6443]: Port 6443 is in use\nuse abcdef.0123456789abcdef now\n"
        return 0, "", ""

    @property
    def verbs(self) -> list[str]:
        return [argv[1] for argv in self.ran if argv[0] == "kubeadm"]

    def node(self, **options: t.Any) -> Kubeadm:
        return Kubeadm(self.run, "prod", "1.36.3", root=str(self.root), **options)

    def record(self, **values: str) -> None:
        path = self.root / "etc/kubernetes/enclii.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"cluster": "prod", "version": "1.36.3", "settings": "s", **values}))


@pytest.mark.parametrize("action", ["init", "join"])
def test_a_bare_machine_is_done_once(tmp_path: Path, action: str) -> None:
    machine = Machine(tmp_path)
    assert machine.node().ensure(action, "kind: X", "s") == "started"
    assert machine.node().record() == {
        "cluster": "prod",
        "action": action,
        "state": "done",
        "version": "1.36.3",
        "settings": "s",
    }
    assert machine.node().ensure(action, "kind: X", "s") == "unchanged"
    assert machine.verbs == [action]
    assert machine.configs == ["kind: X"]
    assert list((tmp_path / "run").iterdir()) == [], "no configuration stays behind"


def test_init_prints_no_token_and_ignores_what_was_asked(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.node(ignored=["SystemVerification"]).ensure("init", "", "s")
    assert "--skip-token-print" in machine.ran[0]
    assert "--ignore-preflight-errors=SystemVerification" in machine.ran[0]


def test_a_failed_run_is_not_done(tmp_path: Path) -> None:
    machine = Machine(tmp_path, fails=["init"])
    with pytest.raises(KubeadmError, match=r"kubeadm init failed: \[ERROR Port-6443\]: Port 6443 is in use"):
        machine.node().ensure("init", "", "s")
    assert machine.node().record()["state"] == "started"


def test_init_continues_over_its_own_remains(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.record(action="init", state="started")
    assert machine.node().ensure("init", "", "s") == "continued"
    assert machine.verbs == ["init"]
    assert "DirAvailable--var-lib-etcd" in machine.ran[0][-3]


def test_init_that_cannot_continue_starts_anew_and_keeps_the_key(tmp_path: Path) -> None:
    machine = Machine(tmp_path, fails=["init"])
    machine.record(action="init", state="started")
    for name in ("etc/kubernetes/encryption/config.json", "etc/kubernetes/pki/ca.crt", "var/lib/etcd/member/wal"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert machine.node().ensure("init", "", "s") == "redone"
    assert machine.verbs == ["init", "reset", "init"]
    assert (tmp_path / "etc/kubernetes/encryption/config.json").exists()
    assert not (tmp_path / "etc/kubernetes/pki").exists()
    assert list((tmp_path / "var/lib/etcd").iterdir()) == []
    assert machine.node().record()["state"] == "done"


def test_a_join_that_only_lacked_its_record_is_finished(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.record(action="join", state="started")
    (tmp_path / "etc/kubernetes/kubelet.conf").write_text("x")
    (tmp_path / "etc/kubernetes/bootstrap-kubelet.conf").write_text("token")
    assert machine.node().ensure("join", "", "s") == "continued"
    assert machine.verbs == []
    assert not (tmp_path / "etc/kubernetes/bootstrap-kubelet.conf").exists()


@pytest.mark.parametrize("kubelet_conf", [True, False])
def test_half_a_join_is_done_anew(tmp_path: Path, kubelet_conf: bool) -> None:
    machine = Machine(tmp_path, kubelet_active=False)
    machine.record(action="join", state="started")
    if kubelet_conf:
        (tmp_path / "etc/kubernetes/kubelet.conf").write_text("x")
    assert machine.node().ensure("join", "", "s") == "redone"
    assert machine.verbs == ["reset", "join"]


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_record_cut_short_is_a_start_without_end(tmp_path: Path, text: str) -> None:
    machine = Machine(tmp_path)
    machine.record()
    (tmp_path / "etc/kubernetes/enclii.json").write_text(text)
    assert machine.node().record() == {"state": "started"}


def test_reset_that_fails_is_an_error_and_removes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, fails=["reset"])
    machine.record(action="join", state="done")
    with pytest.raises(KubeadmError, match="kubeadm reset failed"):
        machine.node().reset()
    assert machine.node().present()


def test_reset_leaves_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.record(action="join", state="done")
    (tmp_path / "var/lib/kubelet/pods").mkdir(parents=True)
    machine.node().reset()
    assert not machine.node().present()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    lock = tmp_path / "run/lock/enclii-kubeadm.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(KubeadmError, match="earlier run still holds"), machine.node().locked(0.3):
            pytest.fail("two at once")
    with machine.node().locked(0.3):
        pass


def test_what_kubeadm_says_is_told_without_tokens() -> None:
    assert kubeadm.explain("", "error: token abcdef.0123456789abcdef is invalid") == "error: token <token> is invalid"
    assert "abcdef" not in kubeadm.explain("kubeadm join --token abcdef.0123456789abcdef", "")


RULES = """*filter
:INPUT ACCEPT [0:0]
:KUBE-FORWARD - [0:0]
:MINE - [0:0]
-A INPUT -m comment --comment "kubernetes" -j KUBE-FIREWALL
-A INPUT -p tcp --dport 22 -j ACCEPT
-A KUBE-FORWARD -j ACCEPT
-A FORWARD -m set --match-set kube-router-pod-subnets src -j ACCEPT
-A FORWARD -o kube-bridge -m comment --comment "allow inbound traffic to pods" -j ACCEPT
-A MINE -s 192.0.2.0/24 -j DROP
-A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -m comment --comment kube-router-pod-egress -j MASQUERADE --random-fully
COMMIT
"""


def test_only_rules_of_kubernetes_go() -> None:
    assert kubeadm.without_kubernetes(RULES).splitlines() == [
        "*filter",
        ":INPUT ACCEPT [0:0]",
        ":MINE - [0:0]",
        "-A INPUT -p tcp --dport 22 -j ACCEPT",
        "-A MINE -s 192.0.2.0/24 -j DROP",
        "COMMIT",
    ]
    assert kubeadm.without_kubernetes("") == ""
    names = "KUBE-SRC-X\nkube-router-pod-subnets\ninet6:kube-router-node-ips\nmine\n"
    assert kubeadm.sets_of_kubernetes(names) == names.split()[:3]


def test_settings_have_a_digest() -> None:
    assert kubeadm.settings_digest("a") == kubeadm.settings_digest("a") != kubeadm.settings_digest("b")
