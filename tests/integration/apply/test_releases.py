# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_info reads what the real Helm wrote, and its digest of values is the one a role computes before Helm starts."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

import apiserver
import pytest
import yaml

from ansible_collections.enclii.platform.plugins.module_utils.kube import front
from ansible_collections.enclii.platform.plugins.module_utils.kube.helm import values_digest

VALUES: list[t.Any] = [
    {},
    {
        "replicas": 3,
        "on": True,
        "off": False,
        "text": "1",
        "float": 1.5,
        "whole": 2.0,
        "big": 2**60,
        "exp": 1e30,
        "small": 1e-7,
    },
    {
        "nested": {"list": [1, "a", {"b": None}], "empty": {}, "none": []},
        "unicode": "größe 漢字 <&>",
        "multi": "a\nb\n",
    },
    {"gone": None, "deep": {"gone": None, "there": 1}},
    {"yes": "yes", "port": "0644", "mode": 420, "date": "2026-01-01", "negative": -1, "quote": 'a"b'},
]


@pytest.fixture(scope="session")
def helm() -> str:
    path = apiserver.find_binaries("helm").get("helm")
    if path is None:
        pytest.skip("ENCLII_TEST_BIN has no helm")
    return str(path)


class Releases:
    def __init__(self, kube: t.Any, helm: str, home: pathlib.Path) -> None:
        self.kube, self.binary, self.home = kube, helm, home
        chart = home / "chart"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: some\nversion: 1.2.3\nappVersion: v9\n")
        (chart / "values.yaml").write_text("fail: false\n")
        (chart / "templates" / "all.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b}\n---\n"
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata:"
            " {labels: {a: b}}, spec: {containers: [{name: c, image: 'i:1'}]}}}\n---\n"
            "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: {{ .Release.Namespace }}}\nspec: {capacity: {storage: 1Gi},"
            " accessModes: [ReadWriteOnce], hostPath: {path: /x}}\n{{ if .Values.fail }}\n---\napiVersion: v1\nkind: ConfigMap\n"
            "metadata: {name: BAD}\n{{ end }}\n"
        )

    def helm(self, *args: str, check: bool = True) -> None:
        env = {
            **os.environ,
            "KUBECONFIG": str(self.kube.server.kubeconfig),
            "HELM_CACHE_HOME": str(self.home / "cache"),
            "HELM_CONFIG_HOME": str(self.home / "config"),
            "HELM_DATA_HOME": str(self.home / "data"),
        }
        done = subprocess.run(
            [self.binary, *args, "-n", self.kube.namespace], env=env, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr

    def upgrade(self, name: str, values: t.Any, *args: str, check: bool = True) -> None:
        path = self.home / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        self.helm("upgrade", "--install", name, str(self.home / "chart"), "-f", str(path), *args, check=check)

    def info(self, **params: t.Any) -> list[dict[str, t.Any]]:
        given = {
            "kubeconfig": str(self.kube.server.kubeconfig),
            "namespaces": [self.kube.namespace],
            "names": None,
            "check_objects": False,
            **params,
        }
        return t.cast("list[dict[str, t.Any]]", front.release_info(given, {})["releases"])


@pytest.fixture
def releases(kube: t.Any, helm: str, tmp_path: pathlib.Path) -> Releases:
    return Releases(kube, helm, tmp_path)


@pytest.mark.parametrize("values", VALUES)
def test_digest_of_values_is_the_same_before_and_after_helm(releases: Releases, values: t.Any) -> None:
    releases.upgrade("r", values)
    (found,) = releases.info()
    assert found["values_digest"] == values_digest(values)
    assert found["values_digest"] != values_digest({**values, "more": 1})


def test_what_is_told_and_what_is_not(releases: Releases) -> None:
    releases.upgrade("r", {"password": "canary"})
    releases.upgrade("r", {"password": "canary"})
    (found,) = releases.info()
    assert found.pop("updated").startswith("20")
    assert found == {
        "name": "r",
        "namespace": releases.kube.namespace,
        "revision": 2,
        "status": "deployed",
        "pending": False,
        "chart": "some",
        "chart_version": "1.2.3",
        "app_version": "v9",
        "values_digest": values_digest({"password": "canary"}),
    }
    assert "canary" not in repr(releases.info(check_objects=True))
    assert releases.info(names=["other"]) == [] and len(releases.info(namespaces=None, names=["r"])) >= 1


def test_missing_objects_and_workloads_that_are_not_ready(releases: Releases) -> None:
    releases.upgrade("r", {})
    (found,) = releases.info(check_objects=True)
    space = releases.kube.namespace
    assert found["missing"] == []
    assert found["not_ready"] == [
        {"object": f"Deployment {space}/web", "why": "its controller has not seen the change yet"}
    ]
    releases.kube.server.kubectl("delete", "cm/one", "-n", space)
    (found,) = releases.info(check_objects=True)
    assert found["missing"] == [f"ConfigMap {space}/one"]


def test_failed_and_pending(releases: Releases) -> None:
    releases.upgrade("r", {})
    releases.upgrade("r", {"fail": True}, check=False)
    (found,) = releases.info()
    assert (found["revision"], found["status"], found["pending"]) == (2, "failed", False)
    # What a helm killed in the middle leaves: the newest revision says pending-upgrade.
    name = "sh.helm.release.v1.r.v2"
    import base64
    import gzip
    import json

    secret = releases.kube.live("secret", name)
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    release["info"]["status"] = "pending-upgrade"
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    patch = {"data": {"release": packed}, "metadata": {"labels": {"status": "pending-upgrade"}}}
    path = f"/api/v1/namespaces/{releases.kube.namespace}/secrets/{name}"
    releases.kube.server.raw(path, "PATCH", patch, "application/merge-patch+json")
    (found,) = releases.info()
    assert (found["revision"], found["status"], found["pending"]) == (2, "pending-upgrade", True)
