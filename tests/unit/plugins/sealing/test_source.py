# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where secrets and certificates come from: sources combined, addresses trusted no further than they deserve, keys of backups."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest
from sealing import CANARY, NOW, SealingKey

from ansible_collections.enclii.platform.plugins.module_utils.kube.front import read_file
from ansible_collections.enclii.platform.plugins.module_utils.sealing import source
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

KEY = SealingKey(3072)
Obj = dict[str, t.Any]


class _Answers(http.server.BaseHTTPRequestHandler):
    elsewhere = ""

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        status = {"/missing": 404, "/moved": 302}.get(self.path, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.elsewhere)
        self.end_headers()
        self.wfile.write(KEY.pem if status == 200 else CANARY.encode())


def serve(context: ssl.SSLContext | None = None) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def plain() -> t.Iterator[str]:
    server = serve()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[str, Path]]:
    """(address, certificate of its CA)"""
    home = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
         "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True, cwd=home,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    server = serve(context)
    yield f"https://127.0.0.1:{server.server_port}", home / "cert.pem"
    server.shutdown()
    server.server_close()


def certificate(given: str, pin: str = "") -> source.certificates.Certificate:
    return source.certificate(
        given, lambda: pytest.fail("the controller was asked"), read_file, NOW, pin=pin, minimum_bits=3072
    )


def test_the_controller_is_asked_where_nothing_is_given() -> None:
    told = source.certificate("", lambda: (KEY.pem, "of X"), read_file, NOW, pin="", minimum_bits=3072)
    assert told.key_id == KEY.key_id and told.source == "of X"


def test_plain_http_needs_a_pin(plain: str) -> None:
    assert certificate(f"{plain}/cert.pem", KEY.key_id).key_id == KEY.key_id
    with pytest.raises(SealingError, match="over plain http anybody on the way can replace it"):
        certificate(f"{plain}/cert.pem")


def test_https_needs_none_but_must_be_trusted_and_stay_https(
    plain: str, secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, authority = secure
    with pytest.raises(SealingError, match="TLS to it failed: self-signed certificate"):
        certificate(f"{address}/cert.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert certificate(f"{address}/cert.pem").key_id == KEY.key_id
    monkeypatch.setattr(_Answers, "elsewhere", f"{plain}/cert.pem")
    with pytest.raises(SealingError, match="it is led on to plain http"):
        certificate(f"{address}/moved")
    assert certificate(f"{address}/moved", KEY.certificate.fingerprint).key_id == KEY.key_id


def test_what_cannot_be_fetched_is_named_without_what_may_be_secret(plain: str) -> None:
    address = plain.replace("http://", f"http://user:{CANARY}@") + f"/missing?token={CANARY}"
    with pytest.raises(SealingError) as caught:
        certificate(plain + "/missing", "x")
    assert str(caught.value) == f"Certificate {plain}/missing: HTTP 404. Correct the address."
    with pytest.raises(SealingError) as caught:
        certificate(address, "x")
    assert CANARY not in str(caught.value) and "user" not in str(caught.value)


def test_keys_of_a_backup_and_of_files_each_once(tmp_path: Path) -> None:
    other = SealingKey(2048)
    backup = {"apiVersion": "v1", "kind": "List", "items": [KEY.secret("a"), other.secret("b")]}
    (tmp_path / "backup.yaml").write_text(json.dumps(backup))
    (tmp_path / "key.pem").write_bytes(KEY.private_pem)
    found = source.keys([str(tmp_path / "backup.yaml"), str(tmp_path / "key.pem")], read_file)
    assert sorted(key.key_id for key in found) == sorted([KEY.key_id, other.key_id])
    (tmp_path / "none.pem").write_text(CANARY)
    with pytest.raises(SealingError) as caught:
        source.keys([str(tmp_path / "none.pem")], read_file)
    assert CANARY not in str(caught.value)


def declare(find: Obj | None = None, **params: t.Any) -> source.Declared:
    given = {"name": "n", "namespace": "ns", **params}
    return source.declared(given, read_file, lambda _namespace, _name: find)


def live(**fields: t.Any) -> Obj:
    return {"metadata": {"name": "s", "namespace": "o"}, "data": {"k": base64.b64encode(b"v").decode()}, **fields}


def test_sources_are_combined(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\0\n")
    told = declare(
        live(),
        data={"d": "é"},
        data_base64={"b": "/w==\n"},
        files={"f": str(tmp_path / "f")},
        from_secret={"namespace": "o", "name": "s"},
    )
    assert told.values == {"k": b"v", "d": "é".encode(), "b": b"\xff", "f": b"\0\n"}


def test_what_a_secret_says_of_itself_is_taken_unless_given() -> None:
    found = live(type="x/y", immutable=True)
    found["metadata"] |= {
        "labels": {"a": "b"}, "uid": "u",
        "annotations": {
            "note": "x", "kubectl.kubernetes.io/last-applied-configuration": CANARY, "sealedsecrets.bitnami.com/managed": "true",
        },
    }  # fmt: skip
    source_of = {"from_secret": {"namespace": "o", "name": "s"}}
    told = declare(found, **source_of)
    assert (told.kind, told.immutable, told.labels, told.annotations) == ("x/y", True, {"a": "b"}, {"note": "x"})
    told = declare(found, **source_of, type="Opaque", immutable=False, labels={}, annotations={"mine": "y"})
    assert (told.kind, told.immutable, told.labels, told.annotations) == ("Opaque", False, {}, {"mine": "y"})
    told = declare(data={"a": "b"})
    assert (told.kind, told.immutable, told.labels, told.annotations) == (None, None, None, None)


@pytest.mark.parametrize(
    ("name", "namespace", "scope", "fine"),
    [
        ("a.b-c", "ns", "strict", True), ("a" * 253, "ns", "strict", True), ("a" * 254, "ns", "strict", False),
        ("A", "ns", "strict", False), ("a_b", "ns", "strict", False), ("-a", "ns", "strict", False),
        ("a..b", "ns", "strict", False), ("a\n", "ns", "strict", False), ("a", "n" * 63, "strict", True),
        ("a", "n" * 64, "strict", False), ("a", "n/m", "strict", False), ("a", "", "namespace-wide", False),
        ("a", "", "cluster-wide", True),
    ],
)  # fmt: skip
def test_names_that_kubernetes_would_refuse_are_refused_here(name: str, namespace: str, scope: str, fine: bool) -> None:
    if fine:
        assert declare(name=name, namespace=namespace, scope=scope, data={"a": "b"}).name == name
        return
    with pytest.raises(SealingError):
        declare(name=name, namespace=namespace, scope=scope, data={"a": "b"})


@pytest.mark.parametrize(
    ("item", "fine"),
    [
        ("a", True), ("A.b_c-9", True), (".hidden", True), ("..data", False), ("", False), (".", False), ("..", False),
        ("a/b", False), ("ä", False), ("x" * 254, False),
    ],
)  # fmt: skip
def test_names_of_items(item: str, fine: bool) -> None:
    if fine:
        assert declare(data={item: "v"}).values == {item: b"v"}
        return
    with pytest.raises(SealingError, match="whose name no Secret can have"):
        declare(data={item: "v"})
