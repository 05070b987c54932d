# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a login comes from, and what wins over what."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.kube import config
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ConfigError

Obj = dict[str, t.Any]


def kubeconfig(name: str, **user: t.Any) -> Obj:
    return {
        "current-context": name,
        "clusters": [
            {"name": name, "cluster": {"server": f"https://{name}:6443/", "certificate-authority-data": "Y2E="}}
        ],
        "users": [{"name": name, "user": user or {"token": f"token-{name}"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(json.dumps(kubeconfig("default")))
    for name in ("a", "b"):
        (tmp_path / name).write_text(json.dumps(kubeconfig(name)))
    return tmp_path


@pytest.mark.parametrize(
    ("params", "environ", "server", "token"),
    [
        ({}, {}, "https://default:6443", "token-default"),
        ({}, {"KUBECONFIG": "H/a"}, "https://a:6443", "token-a"),
        ({}, {"KUBECONFIG": "H/a:H/b"}, "https://a:6443", "token-a"),
        ({"context": "b"}, {"KUBECONFIG": "H/none:H/a:H/b"}, "https://b:6443", "token-b"),
        ({"kubeconfig": "H/b"}, {"KUBECONFIG": "H/a"}, "https://b:6443", "token-b"),
        ({}, {"K8S_AUTH_KUBECONFIG": "H/b", "KUBECONFIG": "H/a"}, "https://b:6443", "token-b"),
        ({}, {"K8S_AUTH_KUBECONFIG": "H/a:H/b", "K8S_AUTH_CONTEXT": "b"}, "https://b:6443", "token-b"),
        ({"host": "x:1", "api_key": "t"}, {}, "https://x:1", "t"),
        ({"host": "http://x:1"}, {}, "http://x:1", None),
        ({"kubeconfig": "H/a", "host": "https://other"}, {}, "https://other", "token-a"),
        ({"kubeconfig": "H/a", "api_key": "mine"}, {}, "https://a:6443", "mine"),
        ({"kubeconfig": kubeconfig("dict")}, {}, "https://dict:6443", "token-dict"),
    ],
)
def test_what_wins(home: pathlib.Path, params: Obj, environ: dict[str, str], server: str, token: str | None) -> None:
    def fill(values: t.Mapping[str, t.Any]) -> Obj:
        return {
            key: value.replace("H/", f"{home}/") if isinstance(value, str) else value for key, value in values.items()
        }

    login = config.load_login(fill(params), {"HOME": str(home), **fill(environ)})
    assert (login.server, login.token) == (server, token)


def test_in_cluster(home: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "SERVICE_ACCOUNT", str(tmp_path))
    (tmp_path / "ca.crt").write_text("ca")
    environ = {"HOME": str(home), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    assert config.load_login({}, environ).server == "https://default:6443", "no token, no pod"
    (tmp_path / "token").write_text("t")
    login = config.load_login({}, environ)
    assert (login.server, login.token_file, login.ca) == ("https://[fd00::1]:443", str(tmp_path / "token"), b"ca")
    assert config.load_login({"kubeconfig": str(home / "a")}, environ).server == "https://a:6443"


def test_paths_count_from_the_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "pki").mkdir()
    for name in ("ca", "crt", "key"):
        (tmp_path / "pki" / name).write_text(name)
    content = kubeconfig("a", **{"client-certificate": "pki/crt", "client-key": "pki/key"})
    content["clusters"][0]["cluster"] = {"server": "https://a", "certificate-authority": "pki/ca"}
    (tmp_path / "config").write_text(json.dumps(content))
    login = config.load_login({"kubeconfig": os.path.relpath(tmp_path / "config")}, {})
    assert (login.ca, login.client_cert, login.client_key) == (b"ca", b"crt", b"key")


@pytest.mark.parametrize(
    ("environ", "no_proxy", "expected"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://p:1"}, None, "http://p:1"),
        ({"https_proxy": "http://p:1"}, None, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other,.example.org"}, None, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x"}, "example.org", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, None, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "ample.org"}, None, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None, None),
        ({"K8S_AUTH_PROXY": "http://q:1", "HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None, "http://q:1"),
    ],
)
def test_proxy(environ: dict[str, str], no_proxy: str | None, expected: str | None) -> None:
    login = config.load_login({"host": "https://api.example.org:6443", "no_proxy": no_proxy}, environ)
    assert login.proxy == expected


def test_networks_and_this_machine_need_no_proxy() -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}
    assert config.load_login({"host": "https://10.1.2.3"}, environ).proxy is None
    assert config.load_login({"host": "https://11.1.2.3"}, environ).proxy == "http://p:1"
    assert config.load_login({"host": "https://127.0.0.1:1"}, environ).proxy is None


@pytest.mark.parametrize(
    ("value", "verify"), [("false", False), ("no", False), ("0", False), ("true", True), ("yes", True)]
)
def test_validate_certs_from_the_environment(value: str, verify: bool) -> None:
    assert config.load_login({"host": "https://x"}, {"K8S_AUTH_VERIFY_SSL": value}).verify is verify


def test_exec_login_by_the_official_client(tmp_path: pathlib.Path) -> None:
    """A real program prints the credential, as the clouds' logins do."""
    pytest.importorskip("kubernetes")
    script = tmp_path / "login"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-exec"},
    }
    script.write_text(f"#!/bin/sh\necho '{json.dumps(credential)}'\n")
    script.chmod(0o755)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    login = config.load_login({"kubeconfig": kubeconfig("a", exec=run)}, {})
    assert login.token == "from-exec"
    script.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(ConfigError, match="credentials"):
        config.load_login({"kubeconfig": kubeconfig("a", exec=run)}, {})


def test_exec_login_without_the_official_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(ConfigError, match="Python package kubernetes does, and it is missing"):
        config.load_login({"kubeconfig": kubeconfig("a", exec={"command": "x"})}, {})


def test_the_official_client_is_not_loaded_for_plain_logins() -> None:
    import subprocess

    code = (
        "import sys; sys.path.insert(0, '.collections')\n"
        "from ansible_collections.enclii.platform.plugins.module_utils.kube import front, config\n"
        "config.load_login({'host': 'https://x', 'api_key': 'y'}, {})\n"
        "assert not {'kubernetes', 'requests', 'ansible'} & set(sys.modules)"
    )
    root = pathlib.Path(__file__).resolve().parents[4]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
