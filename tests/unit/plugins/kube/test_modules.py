# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three modules as Ansible starts them: arguments in, one JSON out, arguments in no log."""

from __future__ import annotations

import importlib
import json
import pathlib
import typing as t

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.enclii.platform.plugins.module_utils.kube import front
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

Obj = dict[str, t.Any]
MODULES = ("apply", "release_info", "cluster_info")
AWAY = {"host": "http://127.0.0.1:1"}


def run(name: str, args: Obj, capfd: pytest.CaptureFixture[str]) -> tuple[int, Obj]:
    module = importlib.import_module(f"ansible_collections.enclii.platform.plugins.modules.{name}")
    with patch_module_args(args), pytest.raises(SystemExit) as caught:
        module.main()
    return int(t.cast(int, caught.value.code)), json.loads(capfd.readouterr().out)


@pytest.mark.parametrize("name", MODULES)
def test_unreachable_is_one_error(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    definition = (
        {"definition": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: canary, namespace: x}"}
        if name == "apply"
        else {}
    )
    code, result = run(name, {**AWAY, **definition}, capfd)
    assert code == 1 and result["failed"] and not result["changed"]
    assert result["msg"].startswith("API server http://127.0.0.1:1: connection refused. Start the cluster")
    assert result["error"]["reason"] == "unreachable" and "canary" not in json.dumps(result)


def test_allow_unreachable(capfd: pytest.CaptureFixture[str]) -> None:
    code, result = run("cluster_info", {**AWAY, "allow_unreachable": True}, capfd)
    assert code == 0 and result["reachable"] is False and "connection refused" in result["cause"]


def test_arguments_reach_the_library_and_no_log(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[t.Any] = []
    logged: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, message, **_more: logged.append(str(message)))
    monkeypatch.setattr(
        front, "apply", lambda params, _environ, **more: seen.append((params, more)) or {"changed": True}
    )
    secret = [{"kind": "Secret", "stringData": {"a": "canary"}}]
    code, result = run("apply", {"definition": secret, "_ansible_check_mode": True, "_ansible_diff": True}, capfd)
    params, more = seen[0]
    assert code == 0 and result["changed"] and params["definition"] == secret and more == {"check": True, "diff": True}
    assert (
        params["field_manager"] == "enclii-platform" and params["state"] == "present" and params["wait_timeout"] == 120
    )
    assert "canary" not in json.dumps(result) and "canary" not in " ".join(logged)
    assert result["invocation"]["module_args"]["state"] == "present"


def test_filter_is_the_same_digest() -> None:
    from ansible.errors import AnsibleFilterError

    from ansible_collections.enclii.platform.plugins.filter.values_digest import FilterModule
    from ansible_collections.enclii.platform.plugins.module_utils.kube.helm import values_digest

    digest = FilterModule().filters()["values_digest"]
    assert digest({"a": 1}) == values_digest({"a": 1.0}) and digest(None) == digest({})
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    with pytest.raises(AnsibleFilterError, match="not a list"):
        digest([1])


def test_version_is_the_collections() -> None:
    root = pathlib.Path(__file__).resolve().parents[4]
    assert yaml.safe_load((root / "galaxy.yml").read_text())["version"] == front.VERSION


def test_failure_tells_what_was_done(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(*_args: t.Any, **_more: t.Any) -> t.NoReturn:
        error = KubeError("X y", "because", "Do this", reason="quota", where="file f, document 1")
        error.objects = [{"kind": "A", "name": "b", "action": "created"}]
        raise error

    monkeypatch.setattr(front, "apply", fail)
    code, result = run("apply", {"definition": []}, capfd)
    assert code == 1 and result["changed"] and result["msg"] == "X y (file f, document 1): because. Do this."
    assert result["objects"][0]["name"] == "b" and result["error"]["next_step"] == "Do this"
