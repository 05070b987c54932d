# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""P2 with charts from where users have them: an OCI registry over TLS, and a chart repository."""

from __future__ import annotations

import functools
import http.server
import ipaddress
import json
import os
import socket
import subprocess
import threading
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from labrun import CLONE, LabRun

from lab import builds


def helm(cluster: LabRun, *words: str, **environment: str) -> str:
    argv = [f"{cluster.lab.paths['bin']}/helm", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, **environment}).stdout


def certificate(home: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own authority, and beside it its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (home / "tls.crt").write_bytes(made.public_bytes(Encoding.PEM))
    (home / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return home / "tls.crt"


@pytest.fixture(scope="module")
def packages(cluster: LabRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's charts, packaged under plain versions."""
    home = tmp_path_factory.mktemp("packages")
    for name in ("cert-manager", "metrics-server"):
        helm(cluster, "package", f"{cluster.lab.paths['charts']}/{name}", "--destination", str(home))
    return home


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the registry."""
    return certificate(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="module")
def registry(cluster: LabRun, packages: Path, trust: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """An OCI registry over TLS on loopback that holds cert-manager's chart."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "REGISTRY_HTTP_ADDR": address,
        "REGISTRY_HTTP_TLS_CERTIFICATE": str(trust),
        "REGISTRY_HTTP_TLS_KEY": str(trust.with_suffix(".key")),
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path_factory.mktemp("registry")),
        "OTEL_TRACES_EXPORTER": "none",
    }
    process = subprocess.Popen(
        [builds.binary("registry", "registry"), "serve", CLONE / "lab" / "registry.yml"],
        env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        chart = str(next(packages.glob("cert-manager-*.tgz")))
        pushed = functools.partial(helm, cluster, "push", chart, f"oci://{address}/charts", SSL_CERT_FILE=str(trust))

        def push() -> bool:
            try:
                return bool(pushed() or True)
            except subprocess.CalledProcessError:
                return False

        cluster.until("the registry has the chart", push, 30)
        yield f"oci://{address}/charts"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def repository(cluster: LabRun, packages: Path) -> t.Iterator[str]:
    """A chart repository on loopback that holds all packages."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(packages))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        helm(cluster, "repo", "index", str(packages), "--url", url)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield url
        server.shutdown()


def test_charts_from_a_registry_and_from_a_repository(
    cluster: LabRun, packages: Path, registry: str, repository: str, trust: Path
) -> None:
    cluster.playbook("platform").succeeded()
    versions = {path.name.rpartition("-")[0]: path.stem.rpartition("-")[2] for path in packages.glob("*.tgz")}
    charts = {
        "cert_manager_chart_ref": f"{registry}/cert-manager",
        "cert_manager_chart_version": versions["cert-manager"],
        "metrics_server_chart_ref": "metrics-server",
        "metrics_server_chart_repository": repository,
        "metrics_server_chart_version": versions["metrics-server"],
    }
    arguments = ("-e", json.dumps(charts))
    environment = {"SSL_CERT_FILE": str(trust)}
    first = cluster.playbook("platform", *arguments, environment=environment).succeeded()
    assert first.changed["localhost"] >= 2
    listed = json.loads(helm(cluster, "list", "-A", "-o", "json", "--kubeconfig", str(cluster.kubeconfig)))
    running = {one["name"]: one["chart"] for one in listed}
    for name, version in versions.items():
        assert running[name] == f"{name}-{version}"
    for mode in ((), ("--check",)):
        again = cluster.playbook("platform", *arguments, *mode, environment=environment).succeeded()
        assert again.changed["localhost"] == 0
    back = cluster.playbook("platform").succeeded()
    assert back.changed["localhost"] >= 2
    cluster.playbook("verify").succeeded()
