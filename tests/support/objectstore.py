# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real S3 server (versitygw) over TLS on loopback, with a CA and a directory of its own."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t


def program() -> pathlib.Path:
    """Where the lab builds it; it need not be there."""
    from lab import builds

    return pathlib.Path(builds.place("versitygw") / "versitygw")


def missing() -> str:
    """Why the server cannot be started; '' where it can."""
    return (
        ""
        if program().exists()
        else "versitygw is not built: python -c \"from lab import builds; builds.ensure(['versitygw'])\""
    )


class ObjectStore:
    """start() -> a running server with an empty bucket; stop() leaves nothing. options: for Bucket, or for option s3 of modules.

    users: access keys with their secret keys, which may do nothing until a policy of the bucket says so.
    """

    def __init__(self, bucket: str = "backups", users: dict[str, str] | None = None) -> None:
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="enclii-s3-"))
        self.bucket = bucket
        self.access_key, self.secret_key = f"access{secrets.token_hex(6)}", f"canary-s3-{secrets.token_hex(16)}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self.ca = self.home / "ca.crt"
        self._users = users or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> dict[str, t.Any]:
        return {
            "endpoint": self.endpoint, "bucket": self.bucket, "prefix": "test/keys", "region": "us-east-1",
            "access_key": self.access_key, "secret_key": self.secret_key, "session_token": "", "ca_cert": str(self.ca),
        }  # fmt: skip

    def start(self) -> ObjectStore:
        self._certificates()
        (self.home / "data" / self.bucket).mkdir(parents=True)
        (self.home / "sidecar").mkdir()
        (self.home / "users").mkdir()
        accounts = {one: {"access": one, "secret": secret, "role": "user"} for one, secret in self._users.items()}
        (self.home / "users" / "users.json").write_text(json.dumps({"accessAccounts": accounts}))
        return self.resume()

    def pause(self) -> None:
        """Gone, as a store that nobody reaches; what is in it stays."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def resume(self) -> ObjectStore:
        argv = [
            str(program()), "--port", f"127.0.0.1:{self.port}", "--cert", str(self.home / "server.crt"),
            "--key", str(self.home / "server.key"), "--quiet", "--iam-dir", str(self.home / "users"),
            "posix", "--sidecar", str(self.home / "sidecar"),
            str(self.home / "data"),
        ]  # fmt: skip
        environment = {
            "ROOT_ACCESS_KEY": self.access_key,
            "ROOT_SECRET_KEY": self.secret_key,
            "PATH": os.environ["PATH"],
        }
        with open(self.home / "log", "ab") as log:
            self._process = subprocess.Popen(argv, cwd=self.home, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("versitygw does not run: " + (self.home / "log").read_text()[-2000:])

    def objects(self) -> list[pathlib.Path]:
        """The files that the bucket's objects are kept in."""
        return sorted(path for path in (self.home / "data" / self.bucket).rglob("*") if path.is_file())

    def stop(self) -> None:
        self.pause()
        shutil.rmtree(self.home, ignore_errors=True)

    def _certificates(self) -> None:
        (self.home / "san").write_text("subjectAltName=IP:127.0.0.1\n")
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for argv in (
            ["req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test-ca", "-days", "2"],
            ["req", *new, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=s3"],
            ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.crt",
             "-extfile", "san", "-days", "2"],
        ):  # fmt: skip
            subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=self.home)
