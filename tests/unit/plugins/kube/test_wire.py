# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 as API servers and proxies speak it, byte by byte over real sockets."""

from __future__ import annotations

import socket
import threading
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube.wire import Wire, WireError


@pytest.fixture
def answering() -> t.Iterator[t.Callable[..., tuple[Wire, list[bytes]]]]:
    """Starts a server that reads one request for each of the given answers; (a connection to it, what it read)."""
    listeners: list[socket.socket] = []

    def start(*answers: bytes, tunnel: tuple[str, str] | None = None) -> tuple[Wire, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        read: list[bytes] = []

        def serve() -> None:
            peer, _address = listener.accept()
            with peer:
                for answer in answers:
                    read.append(peer.recv(65536))
                    for byte in range(0, len(answer), 7):  # in pieces, as networks deliver
                        peer.sendall(answer[byte : byte + 7])

        threading.Thread(target=serve, daemon=True).start()
        return Wire("127.0.0.1", listener.getsockname()[1], 5.0, None, "x", tunnel), read

    yield start
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello", (200, b"hello", True)),
        (b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", (200, b"", True)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
            (200, b"hello", True),
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n", (200, b"a", True)),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", (201, b"x", True)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
        (b"HTTP/1.1 503 Down\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", (503, b"no", False)),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", (200, b"until the end", False)),
    ],
)
def test_answers(answering: t.Callable[..., t.Any], answer: bytes, expected: t.Any) -> None:
    wire, read = answering(answer)
    status, _headers, body, keep = wire.exchange("GET / HTTP/1.1\r\nHost: x\r\n", None)
    assert (status, body, keep) == expected and read == [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]
    wire.close()


def test_two_requests_on_one_connection_and_headers(answering: t.Callable[..., t.Any]) -> None:
    reply = b"HTTP/1.1 200 OK\r\nRetry-After: 3\r\nContent-Length: 1\r\n\r\nx"
    wire, read = answering(reply, reply)
    assert wire.exchange("GET / HTTP/1.1\r\n", None)[1]["retry-after"] == "3"
    assert wire.exchange("PATCH / HTTP/1.1\r\n", b"{}")[2] == b"x"
    assert read[1] == b"PATCH / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    wire.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort",
        b"HTTP/1.1 200 OK\r\nA: b",
    ],
)
def test_what_is_no_answer_is_an_error(answering: t.Callable[..., t.Any], answer: bytes) -> None:
    wire, _read = answering(answer)
    with pytest.raises(WireError):
        wire.exchange("GET / HTTP/1.1\r\n", None)
    wire.close()


def test_tunnel(answering: t.Callable[..., t.Any]) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    wire, read = answering(
        b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n", reply, tunnel=("api:6443", "Basic abc")
    )
    assert wire.exchange("GET / HTTP/1.1\r\n", None)[2] == b"x"
    assert read[0] == b"CONNECT api:6443 HTTP/1.1\r\nHost: api:6443\r\nProxy-Authorization: Basic abc\r\n\r\n"
    wire.close()
    with pytest.raises(WireError, match="HTTP 407"):
        answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", tunnel=("api:6443", ""))


def test_every_warning_is_kept(answering: t.Callable[..., t.Any]) -> None:
    wire, _read = answering(
        b'HTTP/1.1 200 OK\r\nWarning: 299 - "one"\r\nWarning: 299 - "two"\r\nContent-Length: 0\r\n\r\n'
    )
    assert wire.exchange("GET / HTTP/1.1\r\n", None)[1]["warning"] == '299 - "one"\n299 - "two"'
