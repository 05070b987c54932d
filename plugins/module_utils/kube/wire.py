# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One keep-alive connection that speaks as much HTTP/1.1 as an API server does.

http.client would do, but it sends head and body apart and parses headers as e-mail: half a millisecond a request, which
for some hundred objects is more than anything else here costs.
"""

from __future__ import annotations

import io
import socket
import ssl
import typing as t

_NO_BODY = (204, 304)
_LONGEST_LINE = 65536


class WireError(OSError):
    """The other side closed the connection, or does not speak HTTP."""


class Wire:
    """host, port: where to connect to. context: None for plain HTTP. server_name: whose certificate is expected.

    tunnel: (host:port, value of Proxy-Authorization or "") where host and port are a proxy's.
    """

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float,
        context: ssl.SSLContext | None,
        server_name: str,
        tunnel: tuple[str, str] | None = None,
    ) -> None:
        sock = socket.create_connection((host, port), timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tunnel:
                _connect(sock, *tunnel)
            self._sock = context.wrap_socket(sock, server_hostname=server_name) if context else sock
        except BaseException:
            sock.close()
            raise
        self._reader: io.BufferedReader = self._sock.makefile("rb")

    def close(self) -> None:
        self._reader.close()
        self._sock.close()

    def exchange(self, head: str, body: bytes | None) -> tuple[int, dict[str, str], bytes, bool]:
        """(status, headers with names in lower case, body, whether the connection can be used again).

        head: request line and headers without Content-Length, each line ended by CRLF.
        """
        if body is None:
            self._sock.sendall(f"{head}\r\n".encode())
        else:
            self._sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        status, headers = _read_head(self._reader)
        while 100 <= status < 200:
            status, headers = _read_head(self._reader)
        keep = headers.get("connection", "").lower() != "close"
        if status in _NO_BODY:
            return status, headers, b"", keep
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return status, headers, self._chunks(), keep
        if "content-length" in headers:
            return status, headers, self._exactly(int(headers["content-length"])), keep
        return status, headers, self._reader.read(), False

    def _exactly(self, length: int) -> bytes:
        data = self._reader.read(length)
        if len(data) < length:
            raise WireError("the connection ended in the middle of an answer")
        return data

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            line = _line(self._reader)
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError:
                raise WireError("the answer is cut into chunks in no known way") from None
            if size == 0:
                break
            parts.append(self._exactly(size))
            _line(self._reader)
        while _line(self._reader):  # trailers
            pass
        return b"".join(parts)


def _line(reader: t.IO[bytes]) -> bytes:
    line = reader.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise WireError("the server closed the connection")
    return line.rstrip(b"\r\n")


def _read_head(reader: t.IO[bytes]) -> tuple[int, dict[str, str]]:
    first = _line(reader).split(None, 2)
    if len(first) < 2 or not first[0].startswith(b"HTTP/1.") or not first[1].isdigit():
        raise WireError("the answer is not HTTP/1.1")
    headers: dict[str, str] = {}
    while True:
        line = _line(reader)
        if not line:
            return int(first[1]), headers
        name, _colon, value = line.partition(b":")
        key, text = name.decode("latin-1").lower(), value.strip().decode("latin-1")
        # the one header an API server repeats: each warning is a line of its own
        headers[key] = f"{headers[key]}\n{text}" if key == "warning" and key in headers else text


def _connect(sock: socket.socket, aim: str, authorization: str) -> None:
    """Ask a proxy for a tunnel. Its answer is read byte by byte: what follows belongs to TLS."""
    login = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
    sock.sendall(f"CONNECT {aim} HTTP/1.1\r\nHost: {aim}\r\n{login}\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte or len(answer) > _LONGEST_LINE:
            raise WireError("the proxy closed the connection")
        answer += byte
    status, _headers = _read_head(io.BytesIO(answer))
    if status != 200:
        raise WireError(f"the proxy refused the tunnel (HTTP {status})")
