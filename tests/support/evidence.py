# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence on a real API server as tests use it: a namespace with the kind, accounts in it, and plays."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t
from datetime import UTC, datetime, timedelta

import apiserver
import jinja2
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.evidence.objects import record
from ansible_collections.enclii.platform.plugins.module_utils.evidence.store import Store
from ansible_collections.enclii.platform.plugins.module_utils.kube import front
from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login

ROLE = pathlib.Path(__file__).resolve().parents[2] / "roles" / "baseline"
HOUR = timedelta(hours=1)
ENVIRON = {"HOME": "/nonexistent"}
Obj = dict[str, t.Any]


def rendered(namespace: str) -> str:
    """What the role applies for evidence, in its order."""
    paths = sorted((ROLE / "templates" / "resources").glob("2?-evidence-*.yaml.j2"))
    texts = [jinja2.Template(path.read_text(encoding="utf-8")).render(enclii_namespace=namespace) for path in paths]
    return "\n---\n".join(texts)


def applied(server: apiserver.ApiServer, text: str, **more: t.Any) -> Obj:
    params = {
        "kubeconfig": str(server.kubeconfig), "definition": text, "namespace": None, "state": "present",
        "field_manager": "enclii-platform", "force_conflicts": False, "wait": True, "wait_timeout": 20,
    }  # fmt: skip
    return front.apply(params, ENVIRON, **more)


class FixedClock(Clock):
    """Time stands still where a test puts it; waiting is real."""

    now: datetime = datetime(2026, 11, 23, 4, tzinfo=UTC)

    def time(self) -> float:
        return self.now.timestamp()


class Place:
    """A namespace, its store, and what tests write into it."""

    def __init__(self, server: apiserver.ApiServer, namespace: str) -> None:
        self.server, self.namespace, self.clock = server, namespace, FixedClock()
        self.client = Client(load_login({"kubeconfig": str(server.kubeconfig)}, ENVIRON))
        self.store = Store(self.client, namespace, self.clock)

    def seen(self, verdict: str = "PASS", hours_ago: float = 1, valid_for: timedelta = 24 * HOUR, **more: t.Any) -> Obj:
        ended = self.clock.now - hours_ago * HOUR
        given = {"kind": "network-probe", "subject": "enclii-dev", "started": ended - timedelta(seconds=8), **more}
        return record(verdict=verdict, ended=ended, valid_for=valid_for, **given)

    def write(self, *words: t.Any, keep: int = 10, **more: t.Any) -> list[str]:
        return self.store.write(self.seen(*words, **more), keep)

    def there(self) -> list[Obj]:
        return t.cast("list[Obj]", self.server.get("evidence", "-n", self.namespace)["items"])

    def login_as(self, account: str, path: pathlib.Path) -> pathlib.Path:
        """A kubeconfig for a service account of this namespace."""
        config = json.loads(self.server.kubeconfig.read_text())
        config["clusters"][0]["cluster"]["certificate-authority"] = str(self.server.ca)
        user = f"system:serviceaccount:{self.namespace}:{account}"
        files = {
            name: str(self.server.home / f"admin.{end}")
            for name, end in (("client-certificate", "crt"), ("client-key", "key"))
        }
        config["users"][0]["user"] = {
            **files,
            "as": user,
            "as-groups": ["system:serviceaccounts", "system:authenticated"],
        }
        path.write_text(json.dumps(config))
        return path

    def bind(self, kind: str, role: str, account: str) -> None:
        """Give an account a Role here, or a ClusterRole everywhere."""
        where = ["-n", self.namespace] if kind == "role" else []
        what = "rolebinding" if kind == "role" else "clusterrolebinding"
        self.server.kubectl(
            "create",
            what,
            f"{self.namespace}-{account}",
            f"--{kind}={role}",
            f"--serviceaccount={self.namespace}:{account}",
            *where,
        )


class Play:
    """Runs tasks by ansible-playbook on localhost; every registered r_… comes back as a dictionary."""

    def __init__(self, place: Place, home: pathlib.Path) -> None:
        self.place, self.home, self.output = place, home, ""

    def run(self, tasks: list[Obj], *options: str, ok: bool = True) -> Obj:
        results = self.home / "results.json"
        results.unlink(missing_ok=True)
        names = [task["register"] for task in tasks if "register" in task]
        dump = {
            "ansible.builtin.copy": {
                "dest": str(results), "mode": "0600", "content": "{{ dict(names | zip(values)) | to_json }}",
            },
            "vars": {"names": names, "values": "{{ names | map('extract', vars) | list }}"},
            "check_mode": False, "diff": False, "no_log": True,
        }  # fmt: skip
        group = {"group/enclii.platform.kube": {"kubeconfig": str(self.place.server.kubeconfig)}}
        book = [{"hosts": "localhost", "gather_facts": False, "module_defaults": group, "tasks": [*tasks, dump]}]
        (self.home / "book.yml").write_text(yaml.safe_dump(book))
        (self.home / "inventory.yml").write_text(
            "all: {hosts: {localhost: {ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}}}\n"
        )
        root = ROLE.parents[1]
        done = subprocess.run(
            [str(root / ".venv/bin/ansible-playbook"), "-i", str(self.home / "inventory.yml"), str(self.home / "book.yml"), *options],
            cwd=root, env=dict(os.environ), capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        self.output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, self.output[-4000:]
        return t.cast("Obj", json.loads(results.read_text())) if results.exists() else {}
