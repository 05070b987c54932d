# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Kubernetes client: JSON over a few keep-alive connections, repeated where repeating is safe.

Every request this library makes may be repeated: reads, server-side apply, deletes with a UID
precondition, patches with a resourceVersion precondition.
"""

from __future__ import annotations

import base64
import concurrent.futures
import json
import os
import queue
import re
import socket
import ssl
import tempfile
import threading
import time
import typing as t
import urllib.parse

from .config import Login
from .errors import ApiError, KubeError, Unreachable
from .wire import Wire
from .x509 import not_after

THREADS = 8
MERGE_PATCH = "application/merge-patch+json"
PATIENCE = 20.0  # seconds an answer may stay away before it is an error
RETRY_STATUS = (429, 500, 502, 503, 504)
_WARNING = re.compile(r'^\d{3} \S+ "((?:[^"\\]|\\.)*)"')
Json = t.Any
Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


class Clock:
    """Time as the library sees it; tests bring their own."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Client:
    """One API server.

    patience: seconds an answer may stay away (restarting server, 429, 5xx) before it is an error.
    first_contact: the same before the server has answered once, short because a wrong address stays wrong.
    """

    def __init__(
        self,
        login: Login,
        *,
        clock: Clock | None = None,
        timeout: float = 60.0,
        patience: float | None = None,
        first_contact: float = 1.5,
        threads: int = THREADS,
    ) -> None:
        self.login = login
        self.clock = clock or Clock()
        self._timeout = timeout
        self._patience = PATIENCE if patience is None else patience
        self._first_contact = first_contact
        self._idle: queue.LifoQueue[Wire] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._token: tuple[str, float] | None = None
        self._answered = False
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="kube")
        url = urllib.parse.urlsplit(login.server)
        try:
            self._host, self._port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        except ValueError as error:
            raise KubeError(f"API server {login.server}", str(error), "Correct host", reason="config") from error
        self._prefix = url.path.rstrip("/")
        self._netloc = url.netloc.rpartition("@")[2]
        self._context = _tls(login) if url.scheme == "https" else None

    # -- many at once ---------------------------------------------------------------------------

    def map(self, work: t.Callable[[Item], Result], items: t.Iterable[Item]) -> list[Result]:
        """work(item) for all, a few at a time, results in order. The first failure is raised, the rest not started."""
        listed = list(items)
        if len(listed) == 1:
            return [work(listed[0])]
        futures = [self._pool.submit(work, item) for item in listed]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            # What is under way ends first, so that what was done can be told.
            concurrent.futures.wait(futures)
            raise

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get_nowait().close()

    # -- one request ----------------------------------------------------------------------------

    def get(self, path: str, query: t.Mapping[str, str] | None = None, accept: str = "application/json") -> Json:
        return self.request("GET", path, query, accept=accept)[1]

    def find(self, path: str) -> Json:
        """As get, None where there is no such thing."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, path: str, query: t.Mapping[str, str] | None = None, *, metadata_only: bool = False, page: int = 500
    ) -> list[dict[str, Json]]:
        """All items of a collection, page by page; from the start again where the continue token ran out."""
        accept = "application/json"
        if metadata_only:
            accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        for attempt in (1, 2, 3):
            items: list[dict[str, Json]] = []
            token = ""
            try:
                while True:
                    asked = {**(query or {}), "limit": str(page), **({"continue": token} if token else {})}
                    answer = self.get(path, asked, accept)
                    items += answer.get("items") or []
                    token = (answer.get("metadata") or {}).get("continue") or ""
                    if not token:
                        return items
            except ApiError as error:
                if error.status != 410 or attempt == 3:
                    raise
        return []

    def request(  # noqa: C901 one loop, and one way out of it for each kind of failure
        self,
        method: str,
        path: str,
        query: t.Mapping[str, str] | None = None,
        body: Json = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        decode: t.Callable[[bytes], Json] = json.loads,
        warned: t.MutableSequence[str] | None = None,
    ) -> tuple[int, Json]:
        """(status, answer) of a 2xx; ApiError for what the server refuses, Unreachable where nobody answers.

        decode: what makes the answer of its bytes, for what is no JSON. warned: takes what the server warns of.
        """
        url = self._prefix + path + ("?" + urllib.parse.urlencode(query) if query else "")
        payload = None if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        started, delay, renewed = self.clock.monotonic(), 0.1, False
        while True:
            problem: Exception
            try:
                status, headers, raw = self._once(method, url, payload, content_type, accept)
            except ssl.SSLCertVerificationError as error:
                raise self._certificate(error) from error
            except ssl.SSLError as error:
                raise Unreachable(
                    self.login.server, f"TLS failed: {error.reason or error}", "Check host, port and client certificate"
                ) from error
            except OSError as error:
                problem, pause = error, delay
            else:
                self._answered = True
                if warned is not None:
                    warned[:] = warnings_in(headers)
                if status < 300:
                    return status, decode(raw) if raw else {}
                refusal = ApiError(method, path, status, _status(raw), _seconds(headers.get("retry-after")))
                if status == 401:
                    if self.login.token_file and not renewed:
                        renewed, self._token = True, None
                        continue
                    raise self._unauthorized(refusal)
                if not _passing(refusal):
                    raise refusal
                problem, pause = refusal, max(delay, refusal.retry_after)
            budget = self._patience if self._answered else self._first_contact
            if self.clock.monotonic() - started + pause > budget:
                if isinstance(problem, ApiError):
                    raise problem
                raise self._unreachable(problem) from problem
            self.clock.sleep(pause)
            delay = min(delay * 2, 2.0)

    def _once(
        self, method: str, url: str, payload: bytes | None, content_type: str, accept: str
    ) -> tuple[int, dict[str, str], bytes]:
        head = self._head(method, url, accept, content_type if payload is not None else "")
        try:
            connection, used = self._idle.get_nowait(), True
        except queue.Empty:
            connection, used = self._open(), False
        while True:
            try:
                status, headers, raw, keep = connection.exchange(head, payload)
                break
            except OSError:
                connection.close()
                if not used:
                    raise
                # The server closed an idle connection; that is no failure, a fresh one decides.
                connection, used = self._open(), False
        if keep:
            self._idle.put(connection)
        else:
            connection.close()
        return status, headers, raw

    def _head(self, method: str, url: str, accept: str, content_type: str) -> str:
        lines = [
            f"{method} {url} HTTP/1.1",
            f"Host: {self._netloc}",
            f"Accept: {accept}",
            "User-Agent: enclii-platform",
        ]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        bearer = self._bearer()
        if bearer:
            lines.append(f"Authorization: Bearer {bearer}")
        elif self.login.basic:
            lines.append(f"Authorization: Basic {self.login.basic}")
        lines += [f"{name}: {value}" for name, value in self.login.headers]
        if not all(line.isprintable() and line.isascii() for line in lines):
            cause = "token, impersonated user or address hold a character that cannot stand in a request"
            raise KubeError(f"Login ({self.login.origin})", cause, "Give it without line breaks", reason="config")
        return "".join(f"{line}\r\n" for line in lines)

    def _open(self) -> Wire:
        host, port = self._host, self._port
        tunnel: tuple[str, str] | None = None
        if self.login.proxy:
            proxy = urllib.parse.urlsplit(self.login.proxy)
            if proxy.scheme != "http" or not proxy.hostname:
                cause = "only http:// proxies are supported"
                raise KubeError(
                    f"proxy {proxy.scheme}://{proxy.hostname}", cause, "Give http://host:port", reason="config"
                )
            login = ""
            if proxy.username:
                secret = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password or '')}"
                login = "Basic " + base64.b64encode(secret.encode()).decode()
            tunnel = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}", login)
            host, port = proxy.hostname, proxy.port or 3128
        return Wire(host, port, self._timeout, self._context, self.login.tls_server_name or self._host, tunnel)

    def _bearer(self) -> str | None:
        if not self.login.token_file:
            return self.login.token
        with self._lock:
            if self._token is None or self.clock.monotonic() - self._token[1] > 60:
                try:
                    with open(self.login.token_file, encoding="utf-8") as handle:
                        self._token = (handle.read().strip(), self.clock.monotonic())
                except OSError as error:
                    raise KubeError(
                        f"token file {self.login.token_file}", str(error.strerror), "Make it readable", reason="config"
                    ) from error
            return self._token[0]

    # -- refusals in words ----------------------------------------------------------------------

    def _unreachable(self, error: Exception) -> Unreachable:
        if isinstance(error, socket.gaierror):
            cause, step = "its name does not resolve", "Correct the address or the name service"
        elif isinstance(error, ConnectionRefusedError):
            cause, step = "connection refused", "Start the cluster, or correct host and port"
        elif isinstance(error, TimeoutError):
            cause, step = f"no answer within {self._timeout:.0f} s", "Check network, firewall and VPN"
        else:
            cause, step = (
                f"{type(error).__name__}: {error}".rstrip(": "),
                "Check that the cluster runs and the address is right",
            )
        return Unreachable(self.login.server, cause, f"{step} ({self.login.origin})")

    def _certificate(self, error: ssl.SSLCertVerificationError) -> Unreachable:
        words = error.verify_message or str(error)
        if "expired" in words:
            step = "Renew the API server's certificate (kubeadm certs renew all), or check this machine's clock"
        elif "match" in words or "valid for" in words:
            step = "Use a name or address that is in the certificate"
        else:
            step = "Give the cluster's CA by ca_cert or in the kubeconfig"
        return Unreachable(
            self.login.server, f"its certificate is not accepted: {words}", f"{step} ({self.login.origin})"
        )

    def _unauthorized(self, error: ApiError) -> KubeError:
        subject = f"API server {self.login.server}"
        end = not_after(self.login.client_cert) if self.login.client_cert and not self.login.token else None
        if end is not None and end < self.clock.time():
            day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(end))
            return KubeError(
                subject,
                f"the client certificate expired on {day}",
                f"Renew it (kubeadm certs renew admin.conf) and update the {self.login.origin}",
                reason="unauthorized",
            )
        what = (
            "token" if self._bearer() else "client certificate" if self.login.client_cert else "login (none was given)"
        )
        return KubeError(
            subject,
            f"it does not accept the {what}: {error.message}",
            f"Renew the credentials ({self.login.origin})",
            reason="unauthorized",
        )


def _passing(error: ApiError) -> bool:
    """Will it pass if asked again? A 500 that states an invalid request will not."""
    if error.status == 500:
        words = error.message
        return error.reason in ("ServerTimeout", "Timeout") or any(
            sign in words
            for sign in ("failed calling webhook", "etcdserver:", "connection re", "context deadline", "timeout")
        )
    return error.status in RETRY_STATUS


def warnings_in(headers: t.Mapping[str, str]) -> list[str]:
    """What the server warns of, each once and in its order: texts of headers `Warning: 299 - "text"`."""
    found = []
    for line in headers.get("warning", "").split("\n"):
        quoted = _WARNING.search(line)
        if quoted:
            text = quoted.group(1).encode("latin-1").decode("utf-8", "replace")
            found.append(re.sub(r"\\(.)", r"\1", text))
    return list(dict.fromkeys(found))


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else 0.0


def _status(raw: bytes) -> dict[str, Json]:
    try:
        body = json.loads(raw)
    except ValueError:
        return {"message": raw[:300].decode("utf-8", "replace").strip()}
    return body if isinstance(body, dict) else {}


def _tls(login: Login) -> ssl.SSLContext:
    try:
        if not login.verify:
            context = ssl._create_unverified_context()  # noqa: S323 - asked for by validate_certs=false
        elif login.ca:
            # create_default_context would also read the system's 140 CAs: 20 ms, and wrong to trust here.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=login.ca.decode("ascii"))
        else:
            context = ssl.create_default_context()
    except (ValueError, ssl.SSLError) as error:
        raise KubeError(
            f"CA certificate ({login.origin})", f"it cannot be read: {error}", "Give PEM", reason="config"
        ) from error
    if login.client_cert:
        if not login.client_key:
            raise KubeError(
                f"client certificate ({login.origin})", "its key is missing", "Give client_key", reason="config"
            )
        try:
            _load_chain(context, login.client_cert + b"\n" + login.client_key)
        except (ValueError, ssl.SSLError) as error:
            raise KubeError(
                f"client certificate ({login.origin})",
                f"certificate and key cannot be used: {error}",
                "Give a matching pair in PEM",
                reason="config",
            ) from error
    return context


def _load_chain(context: ssl.SSLContext, pem: bytes) -> None:
    """ssl reads keys from files only: one in memory where the system has it, else one that only we can read."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("kube")
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
    try:
        os.write(descriptor, pem)
        context.load_cert_chain(path)
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            os.unlink(path)
