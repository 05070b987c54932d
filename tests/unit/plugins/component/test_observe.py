# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an object, and what of a Secret never is; rendered texts as objects."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.component.objects import RenderError, labelled, parse
from ansible_collections.enclii.platform.plugins.module_utils.component.observe import fingerprint, judge, label
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

PEM = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(b'root').decode()}\n-----END CERTIFICATE-----\n"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "root", "annotations": {"a": "b"}},
    "data": {"tls.crt": base64.b64encode(PEM.encode()).decode(), "tls.key": base64.b64encode(b"canary").decode()},
}


@pytest.mark.parametrize(
    ("check", "ok", "words"),
    [
        ({}, True, ""),
        ({"keys": ["tls.crt", "tls.key"]}, True, ""),
        ({"keys": ["tls.crt", "ca.crt"]}, False, "it has no key ca.crt"),
        ({"certificate": "tls.crt"}, True, ""),
        ({"certificate": "tls.crt", "fingerprint": fingerprint(PEM).upper()}, True, ""),
        ({"certificate": "tls.crt", "fingerprint": "00"}, False, "expected is 00"),
        ({"certificate": "tls.key"}, False, "is no certificate"),
        ({"show": ["tls.key"]}, True, ""),
    ],
)
def test_secret(check: dict[str, t.Any], ok: bool, words: str) -> None:
    result = judge(check, SECRET)
    assert result["ok"] is ok
    assert words in result["message"]
    assert "canary" not in json.dumps(result)
    assert SECRET["data"]["tls.key"] not in json.dumps(result)  # type: ignore[index]


def test_config_map_shows_what_is_asked_for() -> None:
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"ca.crt": PEM, "other": "x"}}
    assert judge({"show": ["ca.crt", "missing"]}, found)["data"] == {"ca.crt": PEM, "missing": ""}


def test_readiness_is_the_kinds() -> None:
    waiting = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "a"}}
    assert judge({}, waiting)["ok"] is False
    ready = {**waiting, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert judge({}, ready)["ok"] is True


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"kind": "Deployment", "namespace": "a", "name": "b"}, "Deployment a/b"),
        ({"kind": "ClusterIssuer", "name": "b"}, "ClusterIssuer b"),
        ({"path": "/apis/x"}, "List /apis/x"),
        ({"path": "/api/v1/secrets", "kind": "Secret"}, "Secret"),
        ({"crd": "certificates.cert-manager.io"}, "Objects of certificates.cert-manager.io"),
    ],
)
def test_subject(check: dict[str, str], words: str) -> None:
    assert label(check) == words


def test_rendered_text_becomes_objects_with_labels() -> None:
    objects = parse(
        "---\n---\napiVersion: v1\nkind: A\nmetadata: {labels: {own: kept, part: mine}}\n---\napiVersion: v1\nkind: B\n",
        "text 1",
    )
    assert [one["metadata"]["labels"] for one in labelled(objects, {"part": "ours"})] == [
        {"own": "kept", "part": "mine"},
        {"part": "ours"},
    ]


@pytest.mark.parametrize("text", ["- 1", "kind: A", "apiVersion: v1"])
def test_what_is_no_object_is_an_error(text: str) -> None:
    with pytest.raises(RenderError, match="text 1, document 1"):
        parse(text, "text 1")


def test_what_is_no_yaml_is_an_error() -> None:
    with pytest.raises(KubeError, match="not readable as YAML"):
        parse("a: [", "text 1")
