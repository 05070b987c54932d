# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run kubeadm so that a run killed at any point is made good by the next.

Before kubeadm starts, and after it succeeded, a record is written to /etc/kubernetes/enclii.json:
{"cluster", "action": init|join, "state": started|done, "version", "settings": sha256 of the configuration}.
A lock keeps a second run waiting while a kubeadm that outlived its own run is still at work.

    no record          kubeadm runs
    init, started      kubeadm init continues over what is there (its phases may be repeated); if that fails, the
                       machine is reset and initialised anew: nothing had joined it yet
    join, started      finished where kubelet already holds its own certificate, else reset and joined anew
    done               nothing
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import typing as t
from pathlib import Path

Run = t.Callable[[list[str]], tuple[int, str, str]]

RECORD = "etc/kubernetes/enclii.json"
LOCK = "run/lock/enclii-kubeadm.lock"

#: What a continued kubeadm init finds of its own first try.
_CONTINUE = (
    "DirAvailable--var-lib-etcd",
    "FileAvailable--etc-kubernetes-manifests-etcd.yaml",
    "FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml",
    "FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml",
    "FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml",
    "Port-10250",
    "Port-10257",
    "Port-10259",
    "Port-2379",
    "Port-2380",
    "Port-6443",
)

#: What kubeadm reset leaves behind.
_LEFT = (
    "etc/kubernetes",
    "etc/cni/net.d",
    "var/lib/cni",
    "var/lib/enclii-cni",
    "var/lib/etcd",
    "var/lib/kubelet",
    "var/log/kubernetes",
)

_TOKEN = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")
_CHAIN = re.compile(
    r"^(?:-A|-I|:) ?(?:KUBE-|CNI-)|(?:-j|-g) (?:KUBE-|CNI-)|--match-set (?:inet6:)?(?:KUBE-|kube-router-)"
    r"|^-A FORWARD -[io] kube-bridge |--comment \"?kube-router-"
)
_SET = re.compile(r"^(?:inet6:)?(?:KUBE-|kube-router-)")


class KubeadmError(Exception):
    """kubeadm failed or must not run; the text says where, why and what to do."""


def without_kubernetes(rules: str) -> str:
    """The text of iptables-save without the chains and rules of kube-proxy, kube-router and CNI plugins."""
    kept = [line for line in rules.splitlines() if not _CHAIN.search(line)]
    return "\n".join(kept) + "\n" if kept else ""


def sets_of_kubernetes(names: str) -> list[str]:
    """Of the names that ipset lists, one a line, those of kube-proxy and kube-router."""
    return [name for name in names.split() if _SET.search(name)]


def explain(out: str, err: str) -> str:
    """What kubeadm said when it failed, without its tokens and its usage text: its errors, else its last lines."""
    lines = [line for line in (out + "\n" + err).splitlines() if line.strip() and not line.startswith("I1")]
    errors = [line.strip() for line in lines if "[ERROR" in line or line.startswith(("error", "Error"))]
    text = " | ".join(errors or [line.strip() for line in lines[-6:]])
    return _TOKEN.sub("<token>", text)[:3000]


class Kubeadm:
    """kubeadm on this machine. root is the root of the file system, run starts a command and returns (rc, out, err)."""

    def __init__(self, run: Run, cluster: str, version: str, ignored: t.Sequence[str] = (), root: str = "/") -> None:
        self._run = run
        self._cluster = cluster
        self._version = version
        self._ignored = list(ignored)
        self._root = Path(root)

    def path(self, name: str) -> Path:
        return self._root / name

    def record(self) -> dict[str, t.Any]:
        """The record; empty where there is none. One cut short counts as a start that did not end."""
        try:
            data = json.loads(self.path(RECORD).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            return {"state": "started"}
        return data if isinstance(data, dict) else {"state": "started"}

    def _note(self, action: str, state: str, settings: str) -> None:
        target = self.path(RECORD)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".new")
        record = {
            "cluster": self._cluster,
            "action": action,
            "state": state,
            "version": self._version,
            "settings": settings,
        }
        with fresh.open("w", encoding="utf-8") as handle:
            json.dump(record, handle)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(target)

    @contextlib.contextmanager
    def locked(self, timeout: float) -> t.Iterator[None]:
        """Hold the lock; waits up to timeout seconds for a kubeadm of an earlier run."""
        lock = self.path(LOCK)
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w", encoding="utf-8") as handle:
            end = time.monotonic() + timeout
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if time.monotonic() > end:
                        raise KubeadmError(
                            f"a kubeadm of an earlier run still holds {lock} after {timeout:.0f} s; see what it waits "
                            "for with journalctl -u kubelet, end it, and run again"
                        ) from error
                    time.sleep(0.2)
            yield

    def _kubeadm(self, action: str, config: str, ignored: t.Sequence[str]) -> tuple[int, str, str]:
        argv = ["kubeadm", action]
        if action == "init":
            argv.append("--skip-token-print")
        if ignored:
            argv.append("--ignore-preflight-errors=" + ",".join(ignored))
        # A join's configuration holds a token: a file for root alone, gone when kubeadm is.
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=self.path("run"), encoding="utf-8") as handle:
            handle.write(config)
            handle.flush()
            return self._run([*argv, "--config", handle.name])

    def _finished_join(self) -> bool:
        if not self.path("etc/kubernetes/kubelet.conf").exists():
            return False
        return self._run(["systemctl", "is-active", "--quiet", "kubelet.service"])[0] == 0

    def ensure(self, action: str, config: str, settings: str) -> str:
        """Initialise or join. settings identifies the configuration without its token. Returns what happened:
        unchanged | started | continued | redone."""
        record = self.record()
        if record.get("state") == "done":
            return "unchanged"
        outcome = "started"
        ignored = self._ignored
        if record:
            outcome = "continued"
            if action == "init":
                ignored = [*self._ignored, *_CONTINUE]
            elif self._finished_join():
                self.path("etc/kubernetes/bootstrap-kubelet.conf").unlink(missing_ok=True)
                self._note(action, "done", settings)
                return outcome
            else:
                self.reset()
                outcome = "redone"
        self._note(action, "started", settings)
        code, out, err = self._kubeadm(action, config, ignored)
        if code != 0 and outcome == "continued":
            self.reset(keep=("audit", "encryption"))
            self._note(action, "started", settings)
            outcome = "redone"
            code, out, err = self._kubeadm(action, config, self._ignored)
        if code != 0:
            raise KubeadmError(f"kubeadm {action} failed: {explain(out, err)}")
        self._note(action, "done", settings)
        return outcome

    def reset(self, keep: t.Collection[str] = ()) -> None:
        """Take the machine out of its cluster and remove what Kubernetes wrote, but directories below /etc/kubernetes
        named in keep."""
        code, out, err = self._run(["kubeadm", "reset", "--force"])
        if code != 0:
            raise KubeadmError(f"kubeadm reset failed: {explain(out, err)}")
        for name in _LEFT:
            folder = self.path(name)
            for child in sorted(folder.iterdir()) if folder.is_dir() else []:
                if name == "etc/kubernetes" and child.name in keep:
                    continue
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                else:
                    child.unlink()

    def present(self) -> bool:
        """Whether anything of a cluster is here that reset would take away."""
        return bool(self.record()) or self.path("etc/kubernetes/kubelet.conf").exists()


def settings_digest(config: str) -> str:
    """Digest of a configuration that still has its placeholder for the token."""
    return hashlib.sha256(config.encode()).hexdigest()
