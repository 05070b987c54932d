# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL with a real pgBackRest and a real S3 server, configured by what the role renders.

A database pod and a backup pod are two root file systems with the programs of the images; see pods.py. Needs root.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import typing as t

import objectstore
import pods
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSPHRASE = "canary-cipher-0123456789abcdef"
_HOST = "postgres-0.postgres-pods.enclii-data.svc"
Obj = dict[str, t.Any]


def missing() -> str:
    """Why nothing can be tried here, or nothing."""
    if not shutil.which("openssl"):
        return "openssl is not installed"
    return pods.missing() or objectstore.missing()


def render(home: pathlib.Path, **variables: t.Any) -> Obj:
    """objects, archive_command and restore_command, as the role has them with these variables."""
    output = home / "rendered.json"
    wanted = {
        "backups_root": str(ROOT), "backups_output": str(output),
        "patroni_backup_s3": {"endpoint": "192.0.2.7", "bucket": "backups"}, **variables,
    }  # fmt: skip
    argv = [
        str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-e", json.dumps(wanted),
        str(ROOT / "tests/integration/backups/render.yml"),
    ]  # fmt: skip
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told: Obj = json.loads(output.read_text())
    objects = [one for text in told["texts"] for one in yaml.safe_load_all(text or "") if one]
    return {**told, "objects": objects}


class Site:
    """start() -> PostgreSQL that archives, pgBackRest's server beside it, and a backup pod; stop() leaves nothing."""

    def __init__(self, **variables: t.Any) -> None:
        self.home = pods.place("enclii-backups-")
        self.store = objectstore.ObjectStore()
        self._variables = variables
        self.processes: list[subprocess.Popen[str]] = []
        self.pod: pods.Pod
        self.job: pods.Pod
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def start(self) -> Site:
        self.store.start()
        self._certificates()
        self.rendered = self._render()
        maps = {one["metadata"]["name"]: one["data"] for one in self.rendered["objects"] if one["kind"] == "ConfigMap"}
        self.pod, self.job = pods.Pod(self.home, "pod"), pods.Pod(self.home, "job")
        for pod, name in ((self.pod, "postgres-pgbackrest"), (self.job, "postgres-pgbackrest-client")):
            for file, text in maps[name].items():
                pod.write(f"etc/pgbackrest/{file}", text)
            self.secrets(pod)
        self.mount_certificates()
        self.job.write("etc/hosts", f"127.0.0.1 localhost\n127.0.0.1 {_HOST}\n", 0o444)
        self._start_database()
        self.serve()
        return self

    def serve(self) -> subprocess.Popen[str]:
        words = ("--watch", "/etc/enclii/tls/server", "--period", "0.5", "--", "/usr/bin/pgbackrest")
        server = self.pod.start(
            "/usr/local/bin/enclii-patroni", *words, "--config=/etc/pgbackrest/server.conf", "server"
        )
        self.processes.append(server)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return server
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("pgbackrest server does not listen")

    def mount_certificates(self, client: str = "client") -> None:
        """client: whose the job's is."""
        for pod, name, place in ((self.pod, "server", "server"), (self.job, client, "backup")):
            for file, source in (("tls.crt", f"{name}.crt"), ("tls.key", f"{name}.key"), ("ca.crt", "ca.crt")):
                pod.write(f"etc/enclii/tls/{place}/{file}", (self.home / source).read_text())

    def renew_certificates(self) -> None:
        """By another authority, which is the hardest renewal there is."""
        self._certificates()
        self.mount_certificates()

    def secrets(self, pod: pods.Pod, **other: str) -> None:
        known = {"s3-key": self.store.access_key, "s3-secret": self.store.secret_key, "cipher-passphrase": PASSPHRASE}
        for name, value in {**known, **{name.replace("_", "-"): value for name, value in other.items()}}.items():
            pod.write(f"etc/pgbackrest/conf.d/{name}", value)

    def sql(self, text: str) -> str:
        done = self.pod.run("psql", "-h", "/run/postgresql", "-qAtX", "-c", text, "postgres")
        return done.stdout.strip()

    def write(self, rows: int = 200) -> str:
        """Some rows and a segment of WAL; the segment."""
        self.sql(f"INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, {rows}) g")
        return self.sql("SELECT pg_walfile_name(pg_switch_wal())")

    def archived(self, segment: str, patience: float = 30.0) -> None:
        deadline = time.monotonic() + patience
        while self.sql("SELECT last_archived_wal FROM pg_stat_archiver") < segment:
            assert time.monotonic() < deadline, self.sql("SELECT * FROM pg_stat_archiver") + self.log()[-2000:]
            time.sleep(0.1)

    def log(self) -> str:
        return (self.pod.root / "var/lib/postgresql/data/log").read_text()

    def take(self, kind: str = "full", **environ: str) -> Obj:
        return self._told("take", f"--type={kind}", "--again=2", **environ)

    def info(self, bucket: str = "", **environ: str) -> Obj:
        """What the backup pod tells. bucket: another one than the site's."""
        more = {"PGBACKREST_REPO1_S3_BUCKET": bucket} if bucket else {}
        return self._told("info", **more, **environ)

    def _told(self, *words: str, **environ: str) -> Obj:
        done = self.job.run("/usr/local/bin/enclii-backup", *words, "--stanza=postgres", check=False, **environ)
        assert done.stdout.strip(), done.stderr
        told: Obj = json.loads(done.stdout.strip().splitlines()[-1])
        assert done.returncode == (0 if told["ok"] else 1), done
        return told

    def copy(self, name: str) -> pathlib.Path:
        """A bucket that holds what the site's holds now; its directory."""
        for place in ("data", "sidecar"):
            source = self.store.home / place / self.store.bucket
            if source.exists():
                shutil.copytree(source, self.store.home / place / name)
        return self.store.home / "data" / name

    def stop(self) -> None:
        if hasattr(self, "pod"):
            data = "/var/lib/postgresql/data/pgdata"
            self.pod.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", check=False)
        for process in self.processes:
            process.terminate()
            process.wait(10)
        for name in ("pod", "job"):
            if hasattr(self, name):
                getattr(self, name).remove()
        self.store.stop()
        pods.clear(self.home)

    def begin_anew(self) -> None:
        """Another database in the place of this one."""
        data = "/var/lib/postgresql/data/pgdata"
        self.pod.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.pod.root / data.lstrip("/"))
        self._start_database()

    def _start_database(self) -> None:
        data = "/var/lib/postgresql/data/pgdata"
        self.pod.run("initdb", "-D", data, "-k", "-N", "-A", "peer", "-U", "postgres", "-E", "UTF8", "--no-locale")
        settings = {
            "archive_mode": "on", "archive_command": self.rendered["archive_command"], "listen_addresses": "",
            "unix_socket_directories": "/run/postgresql", "fsync": "off", "wal_level": "replica", "archive_timeout": "60s",
            "shared_buffers": "16MB", "max_wal_size": "64MB",
        }  # fmt: skip
        text = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        with open(self.pod.root / data.lstrip("/") / "postgresql.conf", "a", encoding="utf-8") as handle:
            handle.write(text)
        self.pod.run("pg_ctl", "-D", data, "-l", "/var/lib/postgresql/data/log", "-w", "start")
        self.sql("CREATE TABLE t (a int, b text)")

    def _render(self) -> Obj:
        store = {
            "endpoint": "127.0.0.1", "port": self.store.port, "bucket": self.store.bucket, "ca_cert": str(self.store.ca),
            "path_style": True,
        }  # fmt: skip
        wanted = {
            "patroni_replicas": 1,
            "__patroni_backup_port": self.port,
            "patroni_backup_s3": store,
            **self._variables,
        }
        return render(self.home, **wanted)

    def _certificates(self) -> None:
        (self.home / "san").write_text(f"subjectAltName=DNS:{_HOST}\n")
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        calls = [["req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca", "-days", "2"]]
        for name, subject in (
            ("server", "/CN=postgres"),
            ("client", "/CN=pgbackrest-client"),
            ("other", "/CN=somebody"),
        ):
            calls.append(["req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject])
            calls.append(["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                          "-out", f"{name}.crt", "-extfile", "san", "-days", "2"])  # fmt: skip
        for argv in calls:
            subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=self.home)
