# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing keys and controllers for tests: the real one as a local process, and one that can be told to misbehave."""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import re
import shutil
import ssl
import subprocess
import threading
import time
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apiserver
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.sealing import certificate, objects
from ansible_collections.enclii.platform.plugins.module_utils.sealing import format as sealed
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CANARY = "canary-8f1d6a-never-in-any-output"
PROXY = re.compile(r"/api/v1/namespaces/([^/]+)/services/http:([^:/]+):(\w*)/proxy/v1/(cert\.pem|verify|rotate)")
Obj = dict[str, t.Any]


class FakeClock(Clock):
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return NOW.timestamp() + self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class SealingKey:
    """A key pair as the controller makes them. bits: 2048 is quick to make, the controller's own have 4096."""

    def __init__(self, bits: int = 2048, begins: datetime = NOW - timedelta(days=1), days: float = 3650) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        name = x509.Name([])
        self.pem = (
            x509.CertificateBuilder(name, name, self.private.public_key(), x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=days))
            .sign(self.private, SHA256())
            .public_bytes(Encoding.PEM)
        )
        self.certificate = certificate.load(self.pem, "test")
        self.key_id = self.certificate.key_id
        self.private_pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    def secret(self, name: str, namespace: str = "kube-system", state: str = "active") -> Obj:
        """The Secret that the controller keeps it in."""
        data = {"tls.crt": self.pem, "tls.key": self.private_pem}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": state},
            },
            "type": "kubernetes.io/tls",
            "data": {item: base64.b64encode(value).decode() for item, value in data.items()},
        }

    def seal(
        self, values: t.Mapping[str, str | bytes], name: str = "login", namespace: str = "demo", scope: str = "strict",
        annotated: bool = True,
    ) -> Obj:  # fmt: skip
        """A SealedSecret. annotated: with the annotation that says which key it is sealed for."""
        about = sealed.label(scope, namespace, name)
        items = {
            item: sealed.seal(self.private.public_key(), about, value.encode() if isinstance(value, str) else value)
            for item, value in values.items()
        }
        secret = {"metadata": {"name": name, "namespace": namespace}}
        own = {objects.SEALED_WITH: json.dumps(dict.fromkeys(items, self.key_id))} if annotated else {}
        return objects.compose(secret, scope, items, {"annotations": own})


def opened(obj: Obj, *keys: SealingKey) -> dict[str, bytes]:
    """The values of a SealedSecret, by our own library; SealingError where no key opens it."""
    about = objects.label_of(obj)
    return {
        item: sealed.unseal([key.private for key in keys], about, sealed.parse(value, item), item)[0]
        for item, value in obj["spec"]["encryptedData"].items()
    }


def client_for(server: str, clock: Clock | None = None) -> Client:
    """A client without login, for servers of tests."""
    return Client(load_login({"host": server}, {"HOME": "/nonexistent"}), clock=clock)


class StandIn(http.server.ThreadingHTTPServer):
    """API server with a controller behind its proxy, which answers as the real one does, or as it is told to.

    objects: path -> object, what GET finds; a path of a collection is found by its items. faults: for the next requests to verify
    or rotate, in order: a status (0 for none), or "widen", "rename", "lose", "garbage"; then all is well again. forbidden: parts of
    paths that the login may not use; forbidden_lists: nor list what all namespaces hold. seen: what was asked of the controller,
    with the body.
    """

    daemon_threads = True

    def __init__(
        self, *keys: SealingKey, namespace: str = "kube-system", name: str = "sealed-secrets", version: str = "0.40.0"
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.keys = list(keys)
        self.faults: list[int | str] = []
        self.seen: list[tuple[str, t.Any]] = []
        self.forbidden: tuple[str, ...] = ()
        self.forbidden_lists = False
        self.objects: dict[str, Obj] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.add_controller(namespace, name, version)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def add_controller(
        self, namespace: str, name: str, version: str = "0.40.0", label: str = "app.kubernetes.io/name=sealed-secrets"
    ) -> None:
        labels = dict([label.split("=")])
        self.add(
            f"/api/v1/namespaces/{namespace}/services", name, namespace, labels=labels,
            spec={"selector": labels, "ports": [{"name": "http", "port": 8080}]},
        )  # fmt: skip
        image = f"registry.test:5000/bitnami/sealed-secrets-controller:{version}"
        pod = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"image": image, "args": ["--key-renew-period=48h"]}]},
        }
        self.add(f"/apis/apps/v1/namespaces/{namespace}/deployments", name, namespace, spec={"template": pod})

    def add(self, collection: str, name: str, namespace: str = "", labels: t.Any = None, **fields: t.Any) -> None:
        metadata = {"name": name, "labels": dict(labels or {}), **({"namespace": namespace} if namespace else {})}
        self.objects[f"{collection}/{name}"] = {"metadata": metadata, **fields}

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that went away is none of ours."""

    def find(self, path: str, selector: str, field: str) -> Obj | None:
        if path in self.objects:
            return self.objects[path]
        tail = path.rpartition("/")[2]
        inside = re.compile(re.escape(path) + "/[^/]+" if "/namespaces/" in path else
                            re.escape(path.rpartition("/")[0]) + f"(/namespaces/[^/]+)?/{tail}/[^/]+")  # fmt: skip
        if tail not in ("services", "deployments", "secrets", "sealedsecrets", "rolebindings", "clusterrolebindings"):
            return None
        label, _is, value = selector.partition("=")
        items = [
            one for place, one in self.objects.items()
            if inside.fullmatch(place)
            and (not selector or (label in one["metadata"]["labels"] and value in ("", one["metadata"]["labels"][label])))
            and (not field or one["metadata"]["name"] == field.partition("=")[2])
        ]  # fmt: skip
        return {"items": items, "metadata": {}}


class _Answers(http.server.BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        path, _mark, query = self.path.partition("?")
        if any(part in path for part in self.server.forbidden):
            self.say(403, {"kind": "Status", "message": "forbidden", "reason": "Forbidden"})
            return
        found = PROXY.fullmatch(path)
        if found:
            self.server.seen.append((found[4], None))
            self.say(200, self.server.keys[-1].pem)
            return
        asked = dict(
            pair.partition("=")[::2] for pair in query.replace("%2F", "/").replace("%3D", "=").split("&") if pair
        )
        if self.server.forbidden_lists and path in ("/api/v1/services", "/api/v1/namespaces"):
            self.say(403, {"kind": "Status", "message": "forbidden", "reason": "Forbidden"})
            return
        answer = self.server.find(path, asked.get("labelSelector", ""), asked.get("fieldSelector", ""))
        self.say(200, answer) if answer else self.say(404, {"kind": "Status", "message": "not found"})

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = PROXY.fullmatch(self.path)
        if not found or any(part in self.path for part in self.server.forbidden):
            self.say(403 if found else 404, {"kind": "Status", "message": "forbidden"})
            return
        self.server.seen.append((found[4], sent))
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if isinstance(fault, int) and fault:
            self.say(fault, b"", {"Retry-After": "1"} if fault == 429 else {})
            return
        try:
            values = opened(sent, *self.server.keys)
        except SealingError:
            self.say(409 if found[4] == "verify" else 500, b"")
            return
        self.say(200, b"" if found[4] == "verify" else self.rotated(sent, values, fault))

    def rotated(self, sent: Obj, values: dict[str, bytes], fault: str) -> t.Any:
        """As the real one: template, labels and all annotations but the scope's are gone."""
        metadata = sent["metadata"]
        scope = objects.scope_of(metadata.get("annotations"))
        if fault == "widen":
            scope = "cluster-wide"
        if fault == "rename":
            metadata = {**metadata, "name": "other"}
        if fault == "lose":
            values.pop(sorted(values)[0])
        if fault == "garbage":
            return b"<html>"
        answer = self.server.keys[-1].seal(
            values, metadata["name"], metadata.get("namespace", ""), scope, annotated=False
        )
        return {part: answer[part] for part in ("metadata", "spec")}

    def say(self, status: int, body: t.Any, headers: t.Mapping[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


# -- the real controller ------------------------------------------------------------------------

# It insists on a service account's files at their place in a pod: a mount namespace of its own has them there.
_IN_A_POD = """
set -e
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
cp "$1"/* /run/secrets/kubernetes.io/serviceaccount/
shift
exec "$@"
"""


def real_controller_missing() -> str:
    """Why the real controller cannot run; '' where it can."""
    if not program("controller").exists():
        return "the sealed-secrets controller is not built: see lab/builds.yml"
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode
    ):
        return "the controller needs a mount namespace: run as root"
    return apiserver.missing()


def program(name: str) -> Path:
    """controller or kubeseal, as the lab builds them."""
    from lab import builds

    return Path(builds.place("sealed-secrets") / name)


class RealController:
    """The controller as a local process against an API server, and that API server with a proxy for its Service.

    url: an API server for our own client, without TLS and as the administrator, whose proxy for the Service
    sealed-secrets-controller in the namespace leads to this process. flags: more of its command line.
    """

    def __init__(self, server: apiserver.ApiServer, *flags: str, namespace: str = "enclii-system") -> None:
        self.server, self.namespace, self.name = server, namespace, "sealed-secrets-controller"
        self.flags = flags
        self.home = server.home / f"controller-{time.monotonic_ns()}"
        self.port, self.metrics = (apiserver._free_port() for _ in range(2))
        self.process: subprocess.Popen[bytes] | None = None
        self._proxy: _ServiceProxy | None = None
        self.url = ""

    def start(self) -> RealController:
        from lab import builds

        source = Path(
            subprocess.run(
                ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/bitnami/sealed-secrets"],
                cwd=builds.LAB / "builds" / "sealed-secrets", check=True, capture_output=True, text=True,
            ).stdout.strip()
        )  # fmt: skip
        self.server.kubectl("apply", "--server-side", "-f", str(source / "helm" / "sealed-secrets" / "crds"))
        self.server.kubectl("wait", "--for=condition=Established", "crd/sealedsecrets.bitnami.com", "--timeout=30s")
        self.server.kubectl("create", "namespace", self.namespace, check=False)
        self.server.kubectl("apply", "-f", "-", stdin=json.dumps(self._service()))
        files = self.home / "account"
        files.mkdir(parents=True)
        (files / "token").write_text(self.server.token)
        shutil.copy(self.server.ca, files / "ca.crt")
        (files / "namespace").write_text(self.namespace)
        self.run()
        self._proxy = _ServiceProxy(self)
        self.url = self._proxy.url
        return self

    def run(self) -> None:
        """Start the process, also again after it was ended: it reads its keys when it starts."""
        host, _is, port = self.server.host.removeprefix("https://").partition(":")
        argv = [
            str(program("controller")), f"--listen-addr=127.0.0.1:{self.port}", f"--listen-metrics-addr=127.0.0.1:{self.metrics}",
            *self.flags,
        ]  # fmt: skip
        environment = {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
            "POD_NAMESPACE": self.namespace,
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        }
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", _IN_A_POD, "sh", str(self.home / "account"), *argv],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.call("GET", "/v1/cert.pem")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError("the controller does not run: " + (self.home / "log").read_text()[-2000:])

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def end(self) -> None:
        """End the process; `run` starts it again."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        self.end()
        if self._proxy:
            self._proxy.shutdown()
            self._proxy.server_close()

    def client(self) -> Client:
        return client_for(self.url)

    def _service(self) -> Obj:
        labels = {"app.kubernetes.io/name": "sealed-secrets"}
        metadata = {"name": self.name, "namespace": self.namespace, "labels": labels}
        ports = [{"name": "http", "port": 8080, "targetPort": "http"}]
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": ports, "selector": labels},
        }


class _ServiceProxy(http.server.ThreadingHTTPServer):
    """The API server, and the proxy for a Service that an API server does not do for processes on loopback."""

    daemon_threads = True

    def __init__(self, controller: RealController) -> None:
        super().__init__(("127.0.0.1", 0), _Forwards)
        self.controller = controller
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that went away is none of ours."""


class _Forwards(http.server.BaseHTTPRequestHandler):
    server: _ServiceProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def forward(self) -> None:
        controller = self.server.controller
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        found = PROXY.fullmatch(self.path)
        if found:
            status, answer, headers = *controller.call(self.command, f"/v1/{found[4]}", body), {}
        else:
            api = controller.server
            connection = http.client.HTTPSConnection(
                "127.0.0.1", api.port, timeout=30, context=ssl.create_default_context(cafile=str(api.ca))
            )
            kept = {name: value for name, value in self.headers.items() if name in ("Accept", "Content-Type")}
            connection.request(self.command, self.path, body, {**kept, "Authorization": f"Bearer {api.token}"})
            reply = connection.getresponse()
            status, answer, headers = reply.status, reply.read(), dict(reply.getheaders())
        self.send_response(status)
        for name in ("Content-Type", "Retry-After"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.forward()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names http.server looks for
