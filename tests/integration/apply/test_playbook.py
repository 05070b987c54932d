# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three modules as users run them: inside the controller and as modules, with one and the same outcome."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
# become makes it an ordinary module run of its own process; without it, it runs inside the controller.
WAYS = {"in process": {}, "as a module": {"become": True, "become_method": "ansible.builtin.su"}}
Obj = dict[str, t.Any]


class Play:
    """Runs tasks by ansible-playbook on localhost; every registered r_… comes back as a dictionary."""

    def __init__(self, kube: t.Any, home: pathlib.Path) -> None:
        self.kube, self.home = kube, home
        self.output = ""

    def run(
        self, tasks: list[Obj], *options: str, ok: bool = True, environment: Obj | None = None, **play: t.Any
    ) -> Obj:
        results = self.home / "results.json"
        results.unlink(missing_ok=True)
        names = [task["register"] for task in tasks if "register" in task]
        dump = {
            "ansible.builtin.copy": {
                "dest": str(results),
                "mode": "0600",
                "content": "{{ dict(names | zip(values)) | to_json }}",
            },
            "vars": {"names": names, "values": "{{ names | map('extract', vars) | list }}"},
            "check_mode": False,
            "diff": False,
            "no_log": True,
        }
        group = {"group/enclii.platform.kube": {"kubeconfig": str(self.kube.server.kubeconfig)}}
        book = [
            {"hosts": "localhost", "gather_facts": False, "module_defaults": group, "tasks": [*tasks, dump], **play}
        ]
        (self.home / "book.yml").write_text(yaml.safe_dump(book))
        (self.home / "inventory.yml").write_text(
            "all: {hosts: {localhost: {ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}}}\n"
        )
        done = subprocess.run(
            [
                str(ROOT / ".venv/bin/ansible-playbook"),
                "-i",
                str(self.home / "inventory.yml"),
                str(self.home / "book.yml"),
                *options,
            ],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.output = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, self.output
        return t.cast(Obj, json.loads(results.read_text())) if results.exists() else {}


@pytest.fixture
def play(kube: t.Any, tmp_path: pathlib.Path) -> Play:
    return Play(kube, tmp_path)


def apply_task(kube: t.Any, register: str, way: Obj, **args: t.Any) -> Obj:
    return {
        "enclii.platform.apply": {"apply_set": {"name": "set", "namespace": kube.namespace}, **args},
        "register": register,
        **way,
    }


def secret(kube: t.Any, value: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": kube.namespace},
        "stringData": {"k": value},
    }


@pytest.mark.parametrize("way", sorted(WAYS))
def test_the_life_of_a_set(play: Play, kube: t.Any, way: str) -> None:
    objects = [kube.config_map("a"), secret(kube, "canary-play"), kube.config_map("b")]
    task = apply_task(kube, "r_1", WAYS[way], definition=objects)
    foretold = play.run([task], "--check", "--diff", "-vvv")
    assert foretold["r_1"]["counts"] == {"created": 3} and foretold["r_1"]["changed"] and kube.names("cm") == set()
    assert "+++ after: ConfigMap" in play.output
    outputs = [play.output]
    real = play.run([task, {**task, "register": "r_2"}], "--diff", "-vvv")
    outputs.append(play.output)
    assert real["r_1"]["changed"] and not real["r_2"]["changed"] and real["r_2"]["counts"] == {"unchanged": 3}
    assert real["r_1"]["objects"] == foretold["r_1"]["objects"]
    gone = play.run([apply_task(kube, "r_1", WAYS[way], state="absent")], "--diff", "-vvv")
    outputs.append(play.output)
    assert gone["r_1"]["counts"] == {"deleted": 3} and kube.names("cm") == set()
    for output in outputs:
        assert "canary-play" not in output and "Y2FuYXJ5LXBsYX" not in output


def test_both_ways_return_the_same(play: Play, kube: t.Any) -> None:
    found: list[Obj] = []
    for way in WAYS.values():
        tasks = [
            apply_task(
                kube,
                "r_1",
                way,
                definition=[kube.config_map("a")],
                apply_set={"name": "set", "namespace": kube.namespace},
            ),
            apply_task(
                kube,
                "r_2",
                way,
                definition=[kube.config_map("BAD")],
                apply_set={"name": "set", "namespace": kube.namespace},
            )
            | {"ignore_errors": True},
            apply_task(kube, "r_3", way, definition=[kube.config_map("a")], stat="present") | {"ignore_errors": True},
            apply_task(kube, "r_4", way, definition=[kube.config_map("a")], state="gone") | {"ignore_errors": True},
            apply_task(kube, "r_5", way, apply_set={"name": "x"}) | {"ignore_errors": True},
            {"enclii.platform.cluster_info": {"api_groups": ["apps"]}, "register": "r_6", **way},
            {"enclii.platform.release_info": {}, "register": "r_7", **way},
            apply_task(kube, "r_8", way, state="absent"),
        ]
        results = play.run(tasks)
        for result in results.values():
            for key in (
                "invocation",
                "exception",
                "stderr",
                "stdout",
                "stdout_lines",
                "stderr_lines",
                "warnings",
                "deprecations",
            ):
                result.pop(key, None)
        found.append(results)
    assert found[0] == found[1]
    assert (
        found[0]["r_2"]["failed"]
        and "ConfigMap" in found[0]["r_2"]["msg"]
        and "metadata.name" in found[0]["r_2"]["msg"]
    )
    assert (
        "stat" in found[0]["r_3"]["msg"] and "gone" in found[0]["r_4"]["msg"] and "namespace" in found[0]["r_5"]["msg"]
    )


def test_in_process_is_in_process(play: Play, kube: t.Any) -> None:
    play.run([apply_task(kube, "r_1", {}, definition=[kube.config_map("a")])], "-vvv")
    assert "plugins/modules/apply.py" not in play.output
    play.run([apply_task(kube, "r_1", WAYS["as a module"], definition=[kube.config_map("a")])], "-vvv")
    assert "plugins/modules/apply.py" in play.output


def test_async_runs_as_a_module(play: Play, kube: t.Any) -> None:
    task = apply_task(kube, "r_1", {"async": 60, "poll": 1}, definition=[kube.config_map("a")])
    assert play.run([task])["r_1"]["counts"] == {"created": 1}


def test_src_is_found_and_decrypted(play: Play, kube: t.Any) -> None:
    files = play.home / "files"
    files.mkdir()
    (files / "some.yaml").write_text(yaml.safe_dump_all([kube.config_map("a"), secret(kube, "canary-vault")]))
    (play.home / "password").write_text("x")
    subprocess.run(
        [
            str(ROOT / ".venv/bin/ansible-vault"),
            "encrypt",
            "--vault-password-file",
            str(play.home / "password"),
            str(files / "some.yaml"),
        ],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    result = play.run(
        [apply_task(kube, "r_1", {}, src="some.yaml")], "--vault-password-file", str(play.home / "password")
    )
    assert result["r_1"]["counts"] == {"created": 2}
    assert result["r_1"]["objects"][0]["source"].startswith(f"file {files / 'some.yaml'}, document 1")
    play.run([apply_task(kube, "r_1", {}, src="gone.yaml")], ok=False)
    assert "file gone.yaml: No such file or directory" in play.output


@pytest.mark.parametrize("way", sorted(WAYS))
def test_environment_of_the_task_counts(play: Play, kube: t.Any, way: str) -> None:
    task = {
        "enclii.platform.cluster_info": {},
        "register": "r_1",
        **WAYS[way],
        "environment": {"K8S_AUTH_KUBECONFIG": str(kube.server.kubeconfig), "K8S_AUTH_CONTEXT": "test"},
    }
    assert play.run([task], module_defaults={})["r_1"]["server"] == kube.server.host


def test_templates_and_tagged_values(play: Play, kube: t.Any) -> None:
    text = "{{ [thing, more] | map('combine', {'apiVersion': 'v1'}) | list }}"
    variables = {
        "thing": {
            "kind": "ConfigMap",
            "metadata": {"name": "a", "namespace": "{{ space }}"},
            "data": {"x": "{{ 1 + 1 }}"},
        },
        "more": {
            "kind": "ConfigMap",
            "metadata": {"name": "b", "namespace": "{{ space }}"},
            "data": {"when": "2026-01-01"},
        },
        "space": kube.namespace,
    }
    task = apply_task(kube, "r_1", {"vars": variables}, definition=text)
    assert play.run([{**task, "vars": {**variables, "thing": {**variables["thing"], "data": {"x": "two"}}}}])["r_1"][
        "changed"
    ]
    assert kube.live("cm", "a")["data"] == {"x": "two"} and kube.live("cm", "b")["data"] == {"when": "2026-01-01"}


def test_no_log_hides_everything(play: Play, kube: t.Any) -> None:
    play.run([apply_task(kube, "r_1", {"no_log": True}, definition=[kube.config_map("canary-name")])], "-vvv", "--diff")
    assert "canary-name" not in play.output


def test_api_key_is_never_shown(play: Play, kube: t.Any) -> None:
    for way in WAYS.values():
        args = {"host": kube.server.host, "ca_cert": str(kube.server.ca), "api_key": "canary-token"}
        play.run([{"enclii.platform.cluster_info": args, **way}], "-vvv", ok=False, module_defaults={})
        assert "does not accept the token" in play.output and "canary-token" not in play.output


@pytest.mark.parametrize("way", sorted(WAYS))
def test_warning_is_shown(play: Play, kube: t.Any, way: str) -> None:
    thing = {"apiVersion": "no.example.org/v1", "kind": "Thing", "metadata": {"name": "x", "namespace": kube.namespace}}
    result = play.run([apply_task(kube, "r_1", WAYS[way], definition=[thing])], "--check")
    assert result["r_1"]["objects"][0]["predicted"]
    assert "[WARNING]: Thing" in play.output and "it can only be predicted" in " ".join(play.output.split())
