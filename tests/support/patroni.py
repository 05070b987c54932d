# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's own objects on a real API server, and its pods as containers of this machine: everything real but kubelet and network."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import time
import typing as t
import urllib.request

import apiserver
import containers

import house
from ansible_collections.enclii.platform.plugins.module_utils.postgres import members

Obj = dict[str, t.Any]
WRITER = house.ROOT / "bench" / "failover" / "writer.py"
ROOM = "1g"
NAMESPACE, NAME = "enclii-data", "postgres"
DOMAIN = f"{NAME}-pods.{NAMESPACE}.svc"


def missing() -> str:
    """Why it cannot be tried; '' where it can."""
    return apiserver.missing() or containers.missing()


def rendered(directory: pathlib.Path, variables: Obj) -> list[Obj]:
    """The objects of the role, as the engine would apply them."""
    output = directory / "rendered.json"
    network = {
        "api_server": [],
        "control_plane": [],
        "nodes": [],
        "dns": {"namespace": "", "labels": {}, "addresses": []},
    }
    given = {
        "contract_root": str(house.ROOT), "contract_roles": ["patroni"], "contract_output": str(output),
        "enclii_inventory": "test", "enclii_environments": ["enclii-dev"], "ansible_python_interpreter": sys.executable,
        "baseline_state": "absent",
        "__cluster_info": {"namespaces": {}, "sets": [], "releases": [], "crds": {}, "network": network}, **variables,
    }  # fmt: skip
    argv = ["ansible-playbook", "-i", "localhost,", "tests/contract/render.yml", "-e", json.dumps(given)]
    environ = os.environ | {"ANSIBLE_INVENTORY_ENABLED": "host_list"}
    done = subprocess.run(argv, cwd=house.ROOT, check=False, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return list(json.loads(output.read_text())["patroni"]["objects"])


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Cluster:
    """start() -> members that run; stop() leaves nothing. objects: those of the role."""

    def __init__(self, home: pathlib.Path, server: apiserver.ApiServer, objects: list[Obj], size: int) -> None:
        self.home, self.server, self.objects = home, server, objects
        self.names = [f"{NAME}-{number}" for number in range(size)]
        self.pods: dict[str, containers.Container] = {}
        ports = free_ports(3 * size)
        self.ports = {name: ports[3 * at : 3 * at + 3] for at, name in enumerate(self.names)}
        self.volumes = {name: home / f"volume-{name}" for name in self.names}

    def one(self, kind: str, name: str) -> Obj:
        return next(item for item in self.objects if (item["kind"], item["metadata"]["name"]) == (kind, name))

    def start(self) -> Cluster:
        self.server.kubectl("create", "namespace", NAMESPACE)
        kinds = (
            "ServiceAccount",
            "Role",
            "RoleBinding",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "Service",
            "StatefulSet",
        )
        wanted = [item for item in self.objects if item["kind"] in kinds]
        self.server.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": wanted}))
        self.certificates()
        (self.home / "etc").mkdir()
        for key, text in self.one("ConfigMap", f"{NAME}-patroni")["data"].items():
            (self.home / "etc" / key).write_text(text)
        for name, volume in self.volumes.items():
            volume.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(volume)], check=True)
            self.make(name)
        return self

    def make(self, name: str) -> None:
        """The pod's object, its token, and its container."""
        template = self.one("StatefulSet", NAME)["spec"]["template"]
        labels = template["metadata"]["labels"]
        pod = {"apiVersion": "v1", "kind": "Pod",
               "metadata": {**template["metadata"], "name": name, "namespace": NAMESPACE, "labels": labels},
               "spec": {**template["spec"], "nodeName": "nowhere", "volumes": [], "priorityClassName": "",
                        "containers": [{**one, "volumeMounts": []} for one in template["spec"]["containers"]]}}  # fmt: skip
        self.server.kubectl("create", "-f", "-", stdin=json.dumps(pod))
        account = self.home / f"account-{name}"
        account.mkdir(exist_ok=True)
        bound = ("--bound-object-kind", "Pod", "--bound-object-name", name)
        (account / "token").write_text(self.server.kubectl("create", "token", NAME, "-n", NAMESPACE, *bound))
        (account / "namespace").write_text(NAMESPACE)
        shutil.copy(self.server.ca, account / "ca.crt")
        postgres, rest, _metrics = self.ports[name]
        environ = {
            "POD_NAME": name, "PATRONI_NAME": name, "PGPORT": str(postgres),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.server.port),
            "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{rest}", "PATRONI_RESTAPI_CONNECT_ADDRESS": f"{name}.{DOMAIN}:{rest}",
            "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{postgres}",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"{name}.{DOMAIN}:{postgres}",
        }  # fmt: skip
        mounts = {
            account: "/var/run/secrets/kubernetes.io/serviceaccount", self.home / "etc": "/etc/patroni",
            self.home / "server": "/etc/enclii/tls/server", self.home / "replication": "/etc/enclii/tls/replication",
        }  # fmt: skip
        flags = [word for key, value in environ.items() for word in ("--env", f"{key}={value}")]
        flags += [word for source, target in mounts.items() for word in ("--volume", f"{source}:{target}:ro")]
        flags += [word for other in self.names for word in ("--add-host", f"{other}.{DOMAIN}:127.0.0.1")]
        main = next(one for one in template["spec"]["containers"] if one["name"] == "postgres")
        self.pods[name] = containers.Container(
            "patroni",
            *flags,
            command=[*main["command"], *main["args"]],
            network="host",
            places={containers.DATA: self.volumes[name]},
        )
        self.pods[name].start()

    def certificates(self) -> None:
        """As cert-manager would write them, readable by the pod's group."""
        names = ",".join(f"DNS:{one}" for one in [f"*.{DOMAIN}", NAME, f"{NAME}.{NAMESPACE}.svc"])
        usage = "keyUsage=critical,digitalSignature,keyEncipherment\nauthorityKeyIdentifier=keyid\n"
        (self.server.home / "pg-san").write_text(
            f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n{usage}"
        )
        (self.server.home / "pg-client").write_text(f"extendedKeyUsage=clientAuth\n{usage}")
        self.server.sign("pg-server", f"/CN={NAME}", "-extfile", "pg-san", "-days", "2")
        self.server.sign("pg-replication", "/CN=replicator", "-extfile", "pg-client", "-days", "2")
        for part in ("server", "replication"):
            place = self.home / part
            place.mkdir(exist_ok=True)
            for source, target in ((f"pg-{part}.crt", "tls.crt"), (f"pg-{part}.key", "tls.key"), ("ca.crt", "ca.crt")):
                shutil.copy(self.server.home / source, place / f".{target}")
                os.chown(place / f".{target}", 0, 999)
                os.chmod(place / f".{target}", 0o440)
                os.rename(place / f".{target}", place / target)

    def sql(self, name: str, statement: str, *words: str, check: bool = True) -> str:
        argv = [
            "psql",
            "--no-psqlrc",
            "-X",
            "-A",
            "-t",
            "-h",
            "/run/postgresql",
            "-U",
            "postgres",
            "-d",
            "postgres",
            "-c",
            statement,
            *words,
        ]
        return self.pods[name].run(*argv, check=check).strip()

    def ctl(self, name: str, *words: str) -> str:
        return self.pods[name].run("/usr/local/bin/patronictl", "-c", "/etc/patroni/patroni.yml", *words)

    def info(self, configuration: Obj | None = None) -> Obj:
        given = {"kubeconfig": str(self.server.kubeconfig), "namespace": NAMESPACE, "cluster": NAME, "configuration": configuration or {},
                 "done": [], "wait_timeout": 0}  # fmt: skip
        return members.patroni_info(given, {"HOME": "/nonexistent"})

    def labels(self) -> dict[str, str]:
        found = self.server.get("pods", "-n", NAMESPACE)["items"]
        return {pod["metadata"]["name"]: pod["metadata"]["labels"].get("role", "") for pod in found}

    def wait(self, what: t.Callable[[], t.Any], seconds: float = 90) -> t.Any:
        end = time.monotonic() + seconds
        while not (found := what()):
            if time.monotonic() > end:
                logs = "\n".join(f"== {name}\n{one.logs()[-2500:]}" for name, one in self.pods.items())
                raise AssertionError(f"not after {seconds} s: {self.labels()}\n{logs}")
            time.sleep(0.3)
        return found

    def streaming(self) -> bool:
        states = [one["state"] for one in self.info()["members"]]
        return sorted(states) == ["running", *["streaming"] * (len(self.names) - 1)]

    def metrics(self, name: str) -> dict[str, str]:
        """What Patroni and the pod's exporter answer; the exporter as the role starts it, as an account that is not PostgreSQL's."""
        postgres, rest, port = self.ports[name]
        template = self.one("StatefulSet", NAME)["spec"]["template"]["spec"]
        told = next(one for one in template["containers"] if one["name"] == "exporter")
        (source,) = told["env"]
        words = [
            one if "listen-address" not in one else f"--web.listen-address=127.0.0.1:{port}" for one in told["args"]
        ]
        exporter = containers.Container(
            "patroni", "--env", f"{source['name']}={source['value']} port={postgres}",
            "--user", f"{told['securityContext']['runAsUser']}:{template['securityContext']['runAsGroup']}",
            *("--volume", f"{self.home / 'etc'}:/etc/patroni:ro", "--volume", f"{self.home / 'server'}:/etc/enclii/tls/server:ro"),
            command=[*told["command"], *words], network="host", places={containers.SOCKET: self.pods[name].places[containers.SOCKET]},
        )  # fmt: skip
        context = ssl.create_default_context(cafile=str(self.home / "server" / "ca.crt"))
        context.check_hostname = False  # it is asked by its address

        def read(one: int) -> str:
            try:
                with urllib.request.urlopen(f"https://127.0.0.1:{one}/metrics", context=context, timeout=10) as answer:
                    return str(answer.read().decode())
            except OSError:
                return ""

        try:
            exporter.start()
            return {
                "patroni": self.wait(lambda: read(rest), 20),
                "postgres_exporter": self.wait(lambda: read(port), 20),
            }
        finally:
            exporter.stop()

    def grow(self, name: str, size: str) -> None:
        """The volume's size, as a storage provider changes it: while it is in use."""
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.volumes[name])], check=True)

    @contextlib.contextmanager
    def writer(self, seconds: int) -> t.Iterator[t.Callable[[], Obj]]:
        """A client with one commit after the other to whoever takes them. What is yielded waits for its end and says what it told.

        count: how many commits were acknowledged; lost: those of them that are not there.
        """
        lead = self.info()["leader"]
        self.sql(lead, "create table if not exists written (id bigint primary key)")
        self.sql(
            lead,
            "do $$ begin create role writer login password 'only-in-this-test'; exception when duplicate_object then end $$",
        )
        self.sql(lead, "grant select, insert on written to writer")
        first = int(self.sql(lead, "select coalesce(max(id), 0) + 1 from written"))
        environ = {
            "PGHOST": ",".join(f"{name}.{DOMAIN}" for name in self.names),
            "PGPORT": ",".join(str(self.ports[name][0]) for name in self.names),
            "PGUSER": "writer", "PGPASSWORD": "only-in-this-test", "PGDATABASE": "postgres", "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": "/etc/ca/ca.crt",
        }  # fmt: skip
        flags = [word for key, value in environ.items() for word in ("--env", f"{key}={value}")]
        flags += [word for name in self.names for word in ("--add-host", f"{name}.{DOMAIN}:127.0.0.1")]
        client = containers.Container(
            "toolbox", *flags, "--volume", f"{self.home / 'server'}:/etc/ca:ro", network="host"
        )
        try:
            argv = [
                "podman",
                "--runtime",
                "runc",
                "exec",
                "-i",
                client.start().name,
                "python3",
                "-",
                str(seconds),
                str(first),
            ]
            with (
                WRITER.open() as source,
                subprocess.Popen(argv, stdin=source, stdout=subprocess.PIPE, text=True) as process,
            ):
                assert process.stdout and process.stdout.readline() == "ready\n", "the writer could not write"

                def told() -> Obj:
                    found: Obj = json.loads(process.communicate(timeout=seconds + 60)[0])
                    wanted = {number for first, last in found["acknowledged"] for number in range(first, last + 1)}
                    there = self.sql(self.wait(lambda: self.info()["leader"]), "select id from written").split()
                    return {**found, "count": len(wanted), "lost": sorted(wanted - {int(one) for one in there})}

                yield told
        finally:
            client.stop()

    def stop(self) -> None:
        for one in self.pods.values():
            one.stop()
        for volume in self.volumes.values():
            subprocess.run(["umount", "--lazy", str(volume)], check=False)
