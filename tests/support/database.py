# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL on the lab that is up, and a client that writes to it all the time, as tests and benches use them."""

from __future__ import annotations

import base64
import json
import pathlib
import secrets
import ssl
import subprocess
import typing as t

import yaml
from labrun import CLONE, LabRun

SPACE, CLUSTER = "enclii-data", "postgres"
WRITER = pathlib.Path(CLONE, "bench", "failover", "writer.py")
# On PostgreSQL's port TLS begins with a word of its own.
SHOWN = """
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
one = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
if sys.argv[1] == "5432":
    one.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
    one.recv(1)
print(ssl.DER_cert_to_PEM_cert(context.wrap_socket(one).getpeercert(True)))
"""
# The writer stands in no file that others could look for.
ENOUGH = """
import glob, os, signal
for path in glob.glob("/proc/[0-9]*/cmdline"):
    if open(path, "rb").read().split(bytes(1))[:2] == [b"python3", b"-"]:
        os.kill(int(path.split("/")[2]), signal.SIGTERM)
"""
Obj = dict[str, t.Any]


class Database:
    """The database of the lab, and the writer's pod."""

    def __init__(self, run: LabRun) -> None:
        self.run = run
        self._password = secrets.token_urlsafe(24)
        self._next = 1

    def inside(self, pod: str, *words: str, given: str | None = None) -> str:
        return self.run.kubectl("exec", "-i", "-n", SPACE, pod, "-c", "postgres", "--", *words, given=given)

    def members(self) -> list[Obj]:
        """What patronictl lists; [] while it cannot."""
        for pod in (f"{CLUSTER}-{number}" for number in range(3)):
            try:
                listed = self.inside(pod, "patronictl", "-c", "/etc/patroni/patroni.yml", "list", "-f", "json")
                return t.cast("list[Obj]", json.loads(listed))
            except (AssertionError, ValueError, subprocess.TimeoutExpired):
                continue
        return []

    def leader(self) -> str:
        return next((one["Member"] for one in self.members() if one["Role"] == "Leader"), "")

    def whole(self) -> str:
        """The leader, where three members stream and two of them make the quorum; else ''."""
        members = self.members()
        roles = sorted(one["Role"] for one in members)
        states = sorted(one["State"] for one in members)
        fine = roles == ["Leader", "Quorum Standby", "Quorum Standby"] and states == [
            "running",
            "streaming",
            "streaming",
        ]
        return self.leader() if fine and len({one["TL"] for one in members}) == 1 else ""

    def sql(self, text: str, database: str = "postgres") -> str:
        """What the leader answers; the text goes over standard input, so that no password is an argument."""
        words = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]
        return self.inside(self.leader(), *words, given=text)

    def certificate(self) -> str:
        """The server's certificate as cert-manager has it (PEM)."""
        text = self.run.get("secret", f"{CLUSTER}-server", "-n", SPACE)["data"]["tls.crt"]
        return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(base64.b64decode(text).decode())).strip()

    def served(self, pod: str, port: int) -> str:
        """The certificate that a member shows (PEM)."""
        return self.inside(pod, "python3", "-c", SHOWN, str(port)).strip()

    def prepare(self) -> None:
        """A role, a database and a pod of the writer's own."""
        self.remove()
        self.sql(
            f"SET log_statement = 'none'; SET pgaudit.log = 'none'; CREATE ROLE bench LOGIN PASSWORD '{self._password}';"
        )
        self.sql("CREATE DATABASE bench OWNER bench;")
        self.sql(
            "SET ROLE bench; CREATE TABLE written (id bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());",
            "bench",
        )
        about = {"namespace": SPACE, "name": "bench-writer"}
        settings = {"PGHOST": CLUSTER, "PGUSER": "bench", "PGDATABASE": "bench", "PGPASSWORD": self._password}
        settings |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca/ca.crt"}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": about, "stringData": settings}
        self.run.kubectl("apply", "-f", "-", given=json.dumps(secret))
        self.run.kubectl("apply", "-f", "-", given=json.dumps(self.pod(about)))
        self.run.kubectl("wait", "-n", SPACE, "pod/bench-writer", "--for=condition=Ready", "--timeout=120s")

    def pod(self, about: Obj) -> Obj:
        images = yaml.safe_load(self.run.kubectl("get", "statefulset", CLUSTER, "-n", SPACE, "-o", "yaml"))
        image = images["spec"]["template"]["spec"]["containers"][0]["image"]
        closed = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        there = {"exec": {"command": ["true"]}, "periodSeconds": 60}
        container = {
            "name": "postgres", "image": image, "command": ["sleep", "infinity"], "envFrom": [{"secretRef": {"name": "bench-writer"}}],
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}, "securityContext": closed,
            "volumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}], "livenessProbe": there, "readinessProbe": there,
        }  # fmt: skip
        items = [{"key": "ca.crt", "path": "ca.crt"}]
        return {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {**about, "labels": {"flow.enclii.dev/postgres-sql": "client"}},
            "spec": {
                "nodeName": "cp-1", "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0, "containers": [container],
                "tolerations": [{"operator": "Exists"}],
                "securityContext": {"runAsNonRoot": True, "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"}},
                "volumes": [{"name": "ca", "secret": {"secretName": f"{CLUSTER}-server", "items": items}}],
            },
        }  # fmt: skip

    def remove(self) -> None:
        self.run.kubectl(
            "delete", "pod,secret", "bench-writer", "-n", SPACE, "--ignore-not-found", "--grace-period=0", "--force"
        )
        self.sql("DROP DATABASE IF EXISTS bench WITH (FORCE);")
        self.sql("DROP ROLE IF EXISTS bench;")

    def write(self, seconds: int, *more: str) -> subprocess.Popen[str]:
        """The writer, once it has committed; more: further words of its own."""
        first, self._next = self._next, self._next + seconds * 1000
        argv = [
            f"{self.run.lab.paths['bin']}/kubectl",
            "--kubeconfig",
            str(self.run.kubeconfig),
            "exec",
            "-i",
            "-n",
            SPACE,
            "bench-writer",
        ]
        argv += ["--", "python3", "-", str(seconds), str(first), *more]
        with WRITER.open() as source:
            process = subprocess.Popen(argv, stdin=source, stdout=subprocess.PIPE, text=True)
        assert process.stdout and process.stdout.readline() == "ready\n", "the writer could not write"
        return process

    def enough(self, writer: subprocess.Popen[str], patience: float = 60) -> Obj:
        """End the writer; what it says at its end."""
        self.run.kubectl("exec", "-n", SPACE, "bench-writer", "--", "python3", "-c", ENOUGH)
        return t.cast("Obj", json.loads(writer.communicate(timeout=patience)[0].splitlines()[-1]))

    def lost(self, acknowledged: list[list[int]]) -> int:
        """How many acknowledged rows are not there."""
        there = self.sql("SELECT id FROM written ORDER BY id;", "bench").split()
        wanted = {number for first, last in acknowledged for number in range(first, last + 1)}
        return len(wanted - set(map(int, there)))
