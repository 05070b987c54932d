# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that is up, as tests and benches use it: playbooks, kubectl, commands on nodes."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CLONE))

from lab.core import default_name  # noqa: E402
from lab.inventory import inventory  # noqa: E402
from lab.state import Lab  # noqa: E402

_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
ETCDCTL = (
    "crictl exec $(crictl ps -q --name '^etcd$') etcdctl --endpoints https://127.0.0.1:2379 "
    "--cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/server.crt "
    "--key /etc/kubernetes/pki/etcd/server.key"
)
PLAYBOOK = CLONE / ".venv" / "bin" / "ansible-playbook"


def kill_all(pid: int) -> None:
    """SIGKILL for a process and all below it: Ansible's workers are sessions of their own and would live on."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        kill_all(int(child))


@dataclasses.dataclass
class Outcome:
    """A run of ansible-playbook that ended by itself, or was killed (rc < 0)."""

    rc: int
    output: str
    seconds: float

    @property
    def changed(self) -> dict[str, int]:
        """Host -> number of changes."""
        return {host: int(changed) for host, _ok, changed, _gone, _failed in _RECAP.findall(self.output)}

    def succeeded(self) -> Outcome:
        """This run; an AssertionError with its end where it failed."""
        assert self.rc == 0, self.output[-6000:]
        return self


class LabRun:
    """Everything tests do with the lab. transcript holds all output of all playbooks, to search it for secrets."""

    def __init__(self) -> None:
        lab = Lab.load(default_name())
        if lab is None:
            raise RuntimeError(f"the lab {default_name()} is not up: run `make lab-up`")
        self.lab = lab
        self.hosts: dict[str, dict[str, t.Any]] = inventory(lab)["_meta"]["hostvars"]
        self.nodes = list(lab.nodes)
        self.workers = self.nodes[1:]
        self.kubeconfig = lab.directory / "kubeconfig"
        self.transcript: list[str] = []
        self._environment = {**os.environ, "LAB_NAME": lab.name, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}

    def address(self, node: str) -> str:
        return str(self.hosts[node]["kubernetes_node_ip"])

    def command(self, name: str, *arguments: str, database: bool = False) -> list[str]:
        """The words that run a playbook of the collection on the lab, from the clone's root."""
        without = [] if database else ["-e", "patroni_state=absent"]
        inventory_of = ["-i", str(CLONE / "inventories" / "local")]
        return [str(PLAYBOOK), *inventory_of, f"playbooks/{name}.yml", *without, *arguments]

    def playbook(
        self,
        name: str,
        *arguments: str,
        kill_at: tuple[str, float] | None = None,
        environment: t.Mapping[str, str] | None = None,
        database: bool = False,
    ) -> Outcome:
        """Run a playbook of the collection on the lab.

        kill_at: (part of a task's name, seconds after it began): then it is ended by SIGKILL. environment: added to ours.
        database: with PostgreSQL, which takes a minute to come and which most tests need not.
        """
        argv = self.command(name, *arguments, database=database)
        began = time.monotonic()
        process = subprocess.Popen(
            argv, cwd=CLONE, env={**self._environment, **(environment or {})}, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        lines: list[str] = []
        timer: threading.Timer | None = None
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if kill_at and timer is None and line.startswith("TASK [") and kill_at[0] in line:
                timer = threading.Timer(kill_at[1], kill_all, (process.pid,))
                timer.start()
        rc = process.wait()
        if timer:
            timer.cancel()
        self.transcript.append("".join(lines))
        return Outcome(rc, "".join(lines), time.monotonic() - began)

    def molecule(self, scenario: str) -> None:
        """Run a scenario of Molecule on the lab."""
        argv = ["molecule", "test", "--scenario-name", scenario]
        environment = {**self._environment, "ANSIBLE_FORCE_COLOR": "0", "NO_COLOR": "1"}
        done = subprocess.run(
            argv, cwd=CLONE, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        self.transcript.append(done.stdout)
        assert done.returncode == 0, done.stdout[-6000:]

    def kubectl(self, *words: str, given: str | None = None, check: bool = True) -> str:
        """Output of kubectl as the administrator."""
        argv = [f"{self.lab.paths['bin']}/kubectl", "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(argv, text=True, input=given, capture_output=True, check=False, timeout=300)
        assert not check or done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def get(self, *words: str) -> dict[str, t.Any]:
        """What kubectl get shows, as JSON."""
        return t.cast("dict[str, t.Any]", json.loads(self.kubectl("get", *words, "-o", "json")))

    def ssh(self, node: str) -> list[str]:
        """The words that run a command on a node."""
        host = self.hosts[node]
        options = [*str(host["ansible_ssh_common_args"]).split(), "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
        key = str(host["ansible_ssh_private_key_file"])
        return ["ssh", "-i", key, "-p", str(host["ansible_port"]), *options, f"root@{host['ansible_host']}"]

    def on(self, node: str, command: str, check: bool = True) -> str:
        """Output of a shell command on a node."""
        done = subprocess.run([*self.ssh(node), command], text=True, capture_output=True, check=False, timeout=120)
        assert not check or done.returncode == 0, f"{node}: {command}: {done.stderr}"
        return done.stdout

    def power(self, verb: str, node: str) -> None:
        """kill a node as a power cut does, or start it again."""
        argv = [sys.executable, "-m", "lab", verb, node]
        done = subprocess.run(argv, cwd=CLONE, env=self._environment, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def stored(self, path: str) -> str:
        """What etcd holds below /registry at that path, unprintable bytes as dots."""
        return self.on("cp-1", f"{ETCDCTL} get /registry/{path} --print-value-only | tr -c '[:print:]' .")

    def until(self, what: str, holds: t.Callable[[], t.Any], seconds: float = 60) -> t.Any:
        """Wait until holds() is true; its value. An AssertionError that names what after so many seconds."""
        end = time.monotonic() + seconds
        while True:
            value = holds()
            if value:
                return value
            assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
            time.sleep(0.5)
