# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real etcd and kube-apiserver on loopback ports, without kubelets: seconds to start, everything an API has.

Binaries come from the directory ENCLII_TEST_BIN (kube-apiserver, etcd, kubectl).
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import typing as t
import urllib.error
import urllib.request

BINARIES = ("etcd", "kube-apiserver", "kubectl")


def find_binaries(*names: str) -> dict[str, pathlib.Path]:
    """{name: path} of those that are there."""
    directory = pathlib.Path(os.environ.get("ENCLII_TEST_BIN", "/nonexistent"))
    return {name: directory / name for name in names or BINARIES if (directory / name).is_file()}


def missing() -> str:
    """Why the server cannot be started; '' where it can."""
    absent = sorted(set(BINARIES) - set(find_binaries()))
    return f"ENCLII_TEST_BIN has no {', '.join(absent)}" if absent else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ApiServer:
    """start() -> running server with admin kubeconfig at self.kubeconfig; stop() leaves nothing.

    durable: etcd syncs every write to disk, as clusters do; tests do without.
    """

    def __init__(self, *flags: str, durable: bool = False) -> None:
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="enclii-api-"))
        self.flags = flags
        self.durable = durable
        self.port = _free_port()
        self.host = f"https://127.0.0.1:{self.port}"
        self.token = "admin-token-of-a-throw-away-server"
        self.kubeconfig = self.home / "kubeconfig"
        self.ca = self.home / "ca.crt"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._binaries = find_binaries()

    def start(self) -> ApiServer:
        self._certificates()
        etcd, peer = _free_port(), _free_port()
        self._spawn(
            "etcd",
            "--data-dir",
            str(self.home / "etcd"),
            f"--unsafe-no-fsync={str(not self.durable).lower()}",
            "--listen-client-urls",
            f"http://127.0.0.1:{etcd}",
            "--advertise-client-urls",
            f"http://127.0.0.1:{etcd}",
            "--listen-peer-urls",
            f"http://127.0.0.1:{peer}",
            "--initial-advertise-peer-urls",
            f"http://127.0.0.1:{peer}",
            "--initial-cluster",
            f"default=http://127.0.0.1:{peer}",
        )
        self.etcd_url = f"http://127.0.0.1:{etcd}"
        (self.home / "tokens").write_text(f'{self.token},admin,1,"system:masters"\nplain-token,plain,2,"people"\n')
        self.start_api()
        self._write_kubeconfig()
        return self

    def start_api(self) -> None:
        self._api = self._spawn(
            "kube-apiserver",
            "--etcd-servers",
            self.etcd_url,
            "--secure-port",
            str(self.port),
            "--bind-address",
            "127.0.0.1",
            "--advertise-address",
            "127.0.0.1",
            "--tls-cert-file",
            str(self.home / "server.crt"),
            "--tls-private-key-file",
            str(self.home / "server.key"),
            "--client-ca-file",
            str(self.ca),
            "--token-auth-file",
            str(self.home / "tokens"),
            "--service-account-issuer",
            "https://kubernetes.default.svc",
            "--service-account-key-file",
            str(self.home / "sa.pub"),
            "--service-account-signing-key-file",
            str(self.home / "sa.key"),
            "--authorization-mode",
            "RBAC",
            "--service-cluster-ip-range",
            "10.96.0.0/16",
            "--disable-admission-plugins",
            "ServiceAccount",
            "--cert-dir",
            str(self.home / "certs"),
            *self.flags,
        )
        self._wait_ready()

    def stop_api(self) -> None:
        self._api.kill()
        self._api.wait()
        self._processes.remove(self._api)

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes.clear()
        shutil.rmtree(self.home, ignore_errors=True)

    def cpu_seconds(self) -> float:
        """What the API server has used of the processor until now."""
        fields = pathlib.Path(f"/proc/{self._api.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            [str(self._binaries["kubectl"]), "--kubeconfig", str(self.kubeconfig), *args],
            input=stdin,
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {done.stderr}")
        return done.stdout

    def get(self, *args: str) -> t.Any:
        return json.loads(self.kubectl("get", *args, "-o", "json", "--show-managed-fields"))

    def raw(self, path: str, method: str = "GET", body: t.Any = None, kind: str = "application/json") -> t.Any:
        """One request past our own client."""
        context = ssl.create_default_context(cafile=str(self.ca))
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.host + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    # -- inside ---------------------------------------------------------------------------------

    def _spawn(self, name: str, *args: str) -> subprocess.Popen[bytes]:
        with open(self.home / f"{name}.log", "ab") as log:
            process = subprocess.Popen([str(self._binaries[name]), *args], stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._api.poll() is not None:
                break
            try:
                self.raw("/readyz?verbose=0", method="GET")
            except json.JSONDecodeError:
                break  # "ok" is no JSON: it is ready
            except OSError:
                time.sleep(0.1)
        else:
            raise RuntimeError("kube-apiserver is not ready after 60 s")
        if self._api.poll() is not None:
            raise RuntimeError("kube-apiserver ended: " + (self.home / "kube-apiserver.log").read_text()[-2000:])

    def openssl(self, *args: str) -> None:
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=self.home)

    def _certificates(self) -> None:
        self.openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
            "-subj",
            "/CN=test-ca",
            "-days",
            "2",
        )
        (self.home / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.test\n")
        self.sign("server", "/CN=kube-apiserver", "-extfile", "san", "-days", "2")
        self.sign("admin", "/O=system:masters/CN=admin", "-days", "2")
        self.openssl("genrsa", "-out", "sa.key", "2048")
        self.openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")

    def sign(self, name: str, subject: str, *options: str) -> None:
        self.openssl(
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            subject,
        )
        self.openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            f"{name}.crt",
            *options,
        )

    def _write_kubeconfig(self) -> None:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.host, "certificate-authority": "ca.crt"}}],
            "users": [{"name": "admin", "user": {"client-certificate": "admin.crt", "client-key": "admin.key"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }
        self.kubeconfig.write_text(json.dumps(config))
