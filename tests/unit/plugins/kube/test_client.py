# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's patience, over real sockets: what is repeated, what is not, and how a token is renewed."""

from __future__ import annotations

import http.server
import json
import pathlib
import threading
import time
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, warnings_in
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import Login
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError, KubeError, Unreachable

Answer = tuple[int, t.Any, dict[str, str]]


class Clock:
    """Sleeps take no time but count."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0 + self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Server:
    """Answers from a list; the last one stays. None closes the connection without an answer."""

    def __init__(self) -> None:
        self.answers: list[Answer | None] = [(200, {}, {})]
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.connections = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                outer.seen.append((self.command, self.path, dict(self.headers)))
                reply = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if reply is None:
                    self.close_connection = True
                    return
                status, body, headers = reply
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *args: t.Any) -> None:
                pass

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> t.Iterator[Server]:
    running = Server()
    yield running
    running.httpd.shutdown()
    running.httpd.server_close()


def client(server: Server, **login: t.Any) -> tuple[Client, Clock]:
    clock = Clock()
    return Client(Login(server=server.url, **login), clock=clock), clock  # type: ignore[arg-type]


def status(message: str, reason: str = "") -> t.Any:
    return {"kind": "Status", "message": message, "reason": reason}


@pytest.mark.parametrize(
    "passing",
    [
        (429, status("slow down"), {"Retry-After": "1"}),
        (503, status("shutting down"), {}),
        (504, b"gateway", {}),
        (500, status("etcdserver: leader changed"), {}),
        (500, status('failed calling webhook "x": connection refused'), {}),
        (500, status("x", "ServerTimeout"), {}),
        None,
    ],
)
def test_what_passes_is_repeated(server: Server, passing: Answer | None) -> None:
    server.answers = [(200, {}, {}), passing, passing, (200, {"ok": 1}, {})]
    kube, clock = client(server)
    kube.get("/first")
    assert kube.request("PATCH", "/x", {}, {"a": 1}) == (200, {"ok": 1})
    wanted = 1.0 if passing and passing[2] else 0.1
    assert not clock.slept or clock.slept[0] == wanted


@pytest.mark.parametrize("answer", [(400, {}, {}), (403, {}, {}), (404, {}, {}), (409, {}, {}), (422, {}, {})])
def test_what_does_not_pass_is_not(server: Server, answer: Answer) -> None:
    server.answers = [answer]
    kube, clock = client(server)
    with pytest.raises(ApiError) as caught:
        kube.get("/x")
    assert caught.value.status == answer[0] and len(server.seen) == 1 and clock.slept == []


def test_a_500_about_the_object_is_not_repeated(server: Server) -> None:
    server.answers = [(500, status("failed to create typed patch object: .spec.x: field not declared in schema"), {})]
    kube, clock = client(server)
    with pytest.raises(ApiError):
        kube.get("/x")
    assert len(server.seen) == 1 and clock.slept == []


def test_patience_ends(server: Server) -> None:
    server.answers = [(503, status("still down"), {})]
    kube, clock = client(server)
    with pytest.raises(ApiError, match="still down"):
        kube.get("/x")
    assert 10 < clock.now <= 20


def test_nobody_there_is_told_soon() -> None:
    clock = Clock()
    kube = Client(Login(server="http://127.0.0.1:1", origin="host x"), clock=clock)  # type: ignore[arg-type]
    with pytest.raises(Unreachable, match=r"API server http://127.0.0.1:1: connection refused\. .* \(host x\)"):
        kube.get("/x")
    assert clock.now <= 1.5


def test_connections_are_kept_and_a_stale_one_is_replaced(server: Server) -> None:
    kube, clock = client(server)
    for _number in range(5):
        kube.get("/x")
    assert server.connections == 1
    server.answers = [None, (200, {"ok": 1}, {})]
    assert kube.get("/x") == {"ok": 1} and server.connections == 2 and clock.slept == []


def test_pages_are_followed_and_begun_again_when_the_token_ran_out(server: Server) -> None:
    server.answers = [
        (200, {"items": [{"n": 1}], "metadata": {"continue": "c1"}}, {}),
        (410, status("expired", "Expired"), {}),
        (200, {"items": [{"n": 1}], "metadata": {"continue": "c2"}}, {}),
        (200, {"items": [{"n": 2}], "metadata": {}}, {}),
    ]
    kube, _clock = client(server)
    assert kube.list("/x", {"labelSelector": "a=b"}, page=1) == [{"n": 1}, {"n": 2}]
    assert [path for _method, path, _headers in server.seen][-1] == "/x?labelSelector=a%3Db&limit=1&continue=c2"


def test_token_file_is_read_again(server: Server, tmp_path: pathlib.Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    kube, clock = client(server, token_file=str(token))
    kube.get("/x")
    token.write_text("two\n")
    kube.get("/x")
    clock.now += 61
    kube.get("/x")
    token.write_text("three\n")
    server.answers = [(401, {}, {}), (200, {}, {})]
    kube.get("/x")
    assert [headers["Authorization"] for _m, _p, headers in server.seen] == [
        "Bearer one",
        "Bearer one",
        "Bearer two",
        "Bearer two",
        "Bearer three",
    ]


def test_refused_login_is_one_error(server: Server) -> None:
    server.answers = [(401, status("Unauthorized"), {})]
    kube, _clock = client(server, token="canary")
    with pytest.raises(KubeError) as caught:
        kube.get("/x")
    assert caught.value.reason == "unauthorized" and "does not accept the token" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_many_at_once_in_order_and_the_first_failure_wins(server: Server) -> None:
    kube, _clock = client(server)

    def work(number: int) -> int:
        time.sleep(0.01 * (5 - number % 5))
        if number == 13:
            raise ValueError(number)
        return number

    assert kube.map(work, range(12)) == list(range(12))
    with pytest.raises(ValueError, match="13"):
        kube.map(work, range(30))
    kube.close()


def test_proxy_gets_the_request(server: Server) -> None:
    proxy = server.url.replace("http://", "http://user:pa%40ss@")
    kube = Client(
        Login(server="https://cluster.invalid:6443", proxy=proxy, verify=False), clock=Clock(), first_contact=0
    )  # type: ignore[arg-type]
    with pytest.raises(Unreachable):
        kube.get("/x")
    bad = Client(Login(server="https://x", proxy="socks5://y:1"), clock=Clock())  # type: ignore[arg-type]
    with pytest.raises(KubeError, match="only http:// proxies"):
        bad.get("/x")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ('299 - "one"\n299 - "two"\n299 - "one"', ["one", "two"]),
        (r'299 - "would violate \"restricted:latest\": a (b \\ c)"', ['would violate "restricted:latest": a (b \\ c)']),
        ("no warning at all", []),
    ],
)
def test_warnings_are_read_as_the_server_meant_them(header: str, expected: list[str]) -> None:
    assert warnings_in({"warning": header}) == expected
