# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API server, the real controller beside it, the real kubeseal, and a namespace of its own for each test."""

from __future__ import annotations

import base64
import datetime
import json
import os
import pathlib
import signal
import subprocess
import time
import typing as t
import uuid

import apiserver
import pytest
import sealing
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.sealing import certificate, seal_front

ROOT = pathlib.Path(__file__).resolve().parents[3]
Obj = dict[str, t.Any]


@pytest.fixture(scope="session")
def server() -> t.Iterator[apiserver.ApiServer]:
    reason = apiserver.missing()
    if reason:
        pytest.skip(reason)
    running = apiserver.ApiServer()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def controller(server: apiserver.ApiServer) -> t.Iterator[sealing.RealController]:
    """The real one. Tests add keys to it and never take one away."""
    reason = sealing.real_controller_missing()
    if reason:
        pytest.skip(reason)
    running = sealing.RealController(server, "--kubeclient-qps=200", "--kubeclient-burst=200")
    try:
        yield running.start()
    finally:
        running.stop()


class Place:
    """A namespace, the front door of sealed_secret with a test's defaults, and second opinions."""

    def __init__(self, controller: sealing.RealController, namespace: str, home: pathlib.Path) -> None:
        self.controller, self.server, self.namespace, self.home = controller, controller.server, namespace, home
        self.kubeconfig = home / "kubeconfig"
        cluster = {"name": "c", "cluster": {"server": controller.url}}
        context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
        users = [{"name": "c", "user": {}}]
        self.kubeconfig.write_text(
            json.dumps({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "c"})
        )
        self.cert = home / "cert.pem"
        self.renew_cert()

    def renew_cert(self) -> None:
        self.cert.write_bytes(self.controller.call("GET", "/v1/cert.pem")[1])

    def certificate(self) -> certificate.Certificate:
        return certificate.load(self.controller.call("GET", "/v1/cert.pem")[1], "controller")

    def past_newest_key(self) -> None:
        """Certificates begin at whole seconds: of two keys of one second nobody can tell the newer one."""
        while datetime.datetime.now(datetime.UTC) < self.certificate().not_before + datetime.timedelta(seconds=1):
            time.sleep(0.1)

    def renewed(self) -> certificate.Certificate:
        """The controller after it made another key, as its signal has it do."""
        old = self.certificate().key_id
        self.past_newest_key()
        self.controller.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 60
        while (new := self.certificate()).key_id == old:
            assert time.monotonic() < deadline, "the controller made no new key"
            time.sleep(0.2)
        self.renew_cert()
        return new

    # -- ours -------------------------------------------------------------------------------------

    def secret(self, data: Obj | None = None, name: str = "login", **more: t.Any) -> Obj:
        return {"name": name, "namespace": self.namespace, "data": data or {}, **more}

    def seal(self, *secrets: Obj, check: bool = False, diff: bool = False, **params: t.Any) -> Obj:
        given = {"secrets": list(secrets), "kubeconfig": str(self.kubeconfig), "exact": True, **params}
        return seal_front.seal(given, {"HOME": "/nonexistent"}, check=check, diff=diff)

    # -- theirs -----------------------------------------------------------------------------------

    def kubeseal(self, *args: str, stdin: str | bytes = b"", ok: bool = True) -> str:
        done = subprocess.run(
            [str(sealing.program("kubeseal")), "--kubeconfig", str(self.kubeconfig),
             "--controller-namespace", self.controller.namespace, "--controller-name", self.controller.name, *args],
            input=stdin.encode() if isinstance(stdin, str) else stdin, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) == ok, done.stderr
        return done.stdout.decode() if ok else done.stderr.decode()

    def private_keys(self) -> pathlib.Path:
        """A backup of the controller's keys, as its documentation says to make one."""
        listed = self.server.kubectl(
            "get",
            "secret",
            "-n",
            self.controller.namespace,
            "-l",
            "sealedsecrets.bitnami.com/sealed-secrets-key",
            "-o",
            "yaml",
        )
        path = self.home / "keys.yaml"
        path.write_text(listed)
        return path

    def recovered(self, manifest: str) -> dict[str, bytes]:
        """What kubeseal unseals with the keys, without a cluster."""
        told = self.kubeseal(
            "--recovery-unseal", "--recovery-private-key", str(self.private_keys()), "-o", "yaml", stdin=manifest
        )
        return decoded(yaml.safe_load(told))

    def put(self, manifest: str) -> None:
        self.server.kubectl("apply", "--server-side", "-f", "-", stdin=manifest)

    def unsealed(self, name: str = "login", wanted: dict[str, bytes] | None = None) -> Obj:
        """The Secret that the controller made, once it is there (and has these values)."""
        deadline = time.monotonic() + 30
        found = ""
        while time.monotonic() < deadline:
            found = self.server.kubectl(
                "get", "secret", name, "-n", self.namespace, "-o", "json", "--show-managed-fields", check=False
            )
            if found and (wanted is None or decoded(json.loads(found)) == wanted):
                return t.cast("Obj", json.loads(found))
            time.sleep(0.05)
        log = (self.controller.home / "log").read_text()[-1500:]
        raise AssertionError(f"{name} did not become what was wanted; the controller's log:\n{log}")

    def live(self, name: str = "login") -> Obj:
        return t.cast("Obj", self.server.get("sealedsecret", name, "-n", self.namespace))


def decoded(secret: Obj) -> dict[str, bytes]:
    return {item: base64.b64decode(value or "") for item, value in (secret.get("data") or {}).items()}


@pytest.fixture
def place(controller: sealing.RealController, tmp_path: pathlib.Path) -> Place:
    name = f"t-{uuid.uuid4().hex[:8]}"
    controller.server.kubectl("create", "namespace", name)
    return Place(controller, name, tmp_path)


class Play:
    """Runs tasks by ansible-playbook on localhost; every registered r_… comes back as a dictionary."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home, self.output = home, ""

    def run(
        self, tasks: list[Obj], *options: str, ok: bool = True, variables: str = "", environment: Obj | None = None
    ) -> Obj:
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
        (self.home / "vars.yml").write_text(variables or "{}\n")
        play = {"hosts": "localhost", "gather_facts": False, "vars_files": ["vars.yml"], "tasks": [*tasks, dump]}
        (self.home / "book.yml").write_text(yaml.safe_dump([play]))
        (self.home / "inventory.yml").write_text(
            "all: {hosts: {localhost: {ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}}}\n"
        )
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.home / "inventory.yml"), str(self.home / "book.yml"), *options],
            cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        self.output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, self.output[-4000:]
        return t.cast("Obj", json.loads(results.read_text())) if results.exists() else {}


@pytest.fixture
def play(tmp_path: pathlib.Path) -> Play:
    return Play(tmp_path)
