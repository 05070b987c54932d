# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real API server behind the policies of role baseline; it needs no nodes, for admission comes before them."""

from __future__ import annotations

import json
import pathlib
import tempfile
import time
import typing as t
import uuid

import admission
import apiserver
import pytest
import yaml
from admission import Api, Obj, good

# Metadata of every request goes to the log, with what admission adds to it.
AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}


class Walls:
    """Namespaces of all modes on a server that has the policies."""

    def __init__(self, server: apiserver.ApiServer, audit: pathlib.Path) -> None:
        self.server, self._audit = server, audit
        self.admin = Api(server)
        self.spaces: dict[str, str] = {}

    def apply(self, objects: t.Iterable[Obj]) -> None:
        self.server.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def parameters(self, **given: t.Any) -> Obj:
        """Put other parameters in force, and wait for that; what they are afterwards."""
        wanted = admission.rendered(**given)[0]
        self.apply([wanted])
        self.in_force()
        return wanted

    def space(self, mode: str = "", purpose: str = "environment", name: str = "", **labels: str) -> str:
        """A namespace with the labels of the walls."""
        name = name or f"t-{uuid.uuid4().hex[:8]}"
        walls = {"enclii.dev/walls": mode, "enclii.dev/purpose": purpose} if mode else {}
        metadata = {"name": name, "labels": {**walls, **labels}}
        self.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
        return name

    def label(self, namespace: str, mode: str) -> None:
        """What a namespace is to be from now on; its labels are in force once a pod without anything finds it so."""
        self.admin.patch("Namespace", "", namespace, {"metadata": {"labels": {"enclii.dev/walls": mode or None}}})
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x"},
            "spec": {"containers": [{"name": "x", "image": "x"}]},
        }
        wanted = {"enforce": (False, 0), "observe": (True, 1), "": (True, 0)}[mode]

        def there() -> bool:
            told = self.admin.create(pod, namespace)
            return (told.ok, len(told.warnings)) == wanted

        self.until(there, mode)

    def in_force(self) -> None:
        """Wait until the policies say what the parameters that are there say."""
        digest = uuid.uuid4().hex[:8]
        live = self.server.get("configmap", "enclii-admission", "-n", "enclii-system")["data"]
        body = {"data": {f"registries.{self.spaces['probe']}": f"{live['registries']} {digest}.example.com"}}
        self.admin.patch("ConfigMap", "enclii-system", "enclii-admission", body)
        pod = good("Pod")
        pod["spec"]["containers"][0]["image"] = f"{digest}.example.com/x@sha256:{64 * 'a'}"
        self.until(lambda: self.admin.create(pod, self.spaces["probe"]).ok, "parameters in force")

    def until(self, holds: t.Callable[[], t.Any], what: str, seconds: float = 20) -> float:
        """Wait until it holds; seconds that took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
            time.sleep(0.02)
        return time.monotonic() - began

    def audited(self, text: str) -> list[Obj]:
        """Entries of the audit log that speak of it."""
        return [json.loads(line) for line in self._audit.read_text().splitlines() if text in line]


@pytest.fixture(scope="session")
def server() -> t.Iterator[apiserver.ApiServer]:
    reason = apiserver.missing()
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="enclii-audit-") as home:
        policy = pathlib.Path(home) / "policy.yaml"
        policy.write_text(yaml.safe_dump(AUDIT))
        running = apiserver.ApiServer(
            "--audit-policy-file", str(policy), "--audit-log-path", f"{home}/audit.log", "--audit-log-mode=blocking"
        )
        running.audit = pathlib.Path(home) / "audit.log"  # type: ignore[attr-defined]
        try:
            yield running.start()
        finally:
            running.stop()


@pytest.fixture(scope="session")
def walls(server: apiserver.ApiServer) -> Walls:
    found = Walls(server, server.audit)  # type: ignore[attr-defined]
    found.space(name="enclii-system")
    found.spaces = {mode: found.space(mode) for mode in ("enforce", "observe")}
    found.spaces |= {"free": found.space(), "probe": found.space("enforce")}
    found.spaces["nodes"] = found.space(
        "enforce", "nodes", "enclii-nodes", **{"pod-security.kubernetes.io/enforce": "privileged"}
    )
    found.apply(admission.rendered())
    bad = good("Pod", image="busybox")
    found.until(lambda: not found.admin.create(bad, found.spaces["enforce"]).ok, "policies in force")
    found.until(lambda: found.admin.create(bad, found.spaces["observe"]).warnings, "policies in force")
    return found
