# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first secrets of a cluster, with the real controller: made once, sealed, opened, applied from git, and nowhere in plain text."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import secrets
import select
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from labrun import CLONE, PLAYBOOK, LabRun, Outcome

CANARY = f"canary-{secrets.token_hex(12)}"
SPACE = "enclii-dev"
NAMES = ("proof-login", "proof-s3", "proof-old", "proof-killed")
DECLARED: list[dict[str, t.Any]] = [
    {
        "name": "proof-login",
        "keys": [
            {"name": "password", "generator": "random", "length": 40},
            {"name": "cookie", "generator": "token"},
            {"name": "ssh", "generator": "keypair", "format": "openssh", "public": "ssh.pub"},
        ],
    },
    {"name": "proof-s3", "keys": [{"name": "access-key", "generator": "given", "description": "from the console"}]},
]
OLD = {"name": "proof-old", "keys": [{"name": "password", "generator": "random"}]}
GIVEN = {"proof-s3": {"access-key": CANARY}}


def secret(lab: LabRun, name: str) -> dict[str, str]:
    """The values of a Secret; empty where it is not there."""
    found = lab.kubectl("get", "secret", "-n", SPACE, name, "-o", "json", "--ignore-not-found")
    data = json.loads(found).get("data") or {} if found else {}
    return {item: base64.b64decode(value).decode() for item, value in data.items()}


class Inventory:
    """What the inventory of the lab says beside inventories/local: secrets, and a directory of its own for what is sealed."""

    def __init__(self, lab: LabRun, home: Path) -> None:
        self.lab, self.sealed = lab, home / "sealed"
        self.given = home / "given.yml"
        self.password = home / "password"
        self.password.write_text("p\n")
        self.declared: list[dict[str, t.Any]] = list(DECLARED)

    def arguments(self, *more: str) -> list[str]:
        said = {"enclii_secrets": self.declared, "enclii_sealed_directory": str(self.sealed)}
        return ["-e", json.dumps(said), *more]

    def vault(self, values: dict[str, t.Any]) -> list[str]:
        """Arguments that give these values by a file that Ansible Vault encrypts."""
        self.given.write_text(yaml.safe_dump({"enclii_given_secrets": values}))
        argv = [
            str(PLAYBOOK.with_name("ansible-vault")),
            "encrypt",
            "--vault-password-file",
            str(self.password),
            str(self.given),
        ]
        subprocess.run(argv, check=True, capture_output=True, cwd=CLONE)
        assert CANARY not in self.given.read_text()
        return ["-e", f"@{self.given}", "--vault-password-file", str(self.password)]

    def make(self, *more: str, **options: t.Any) -> Outcome:
        return self.lab.playbook("secrets", *self.arguments(*more), **options)

    def platform(self, *more: str) -> Outcome:
        return self.lab.playbook("platform", *self.arguments(*more))

    def manifest(self, name: str) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", yaml.safe_load((self.sealed / f"{SPACE}-{name}.yaml").read_text()))


@pytest.fixture(scope="module")
def inventory(cluster: LabRun, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Inventory]:
    """The platform, and none of the secrets of these tests."""
    cluster.playbook("platform").succeeded()
    made = Inventory(cluster, tmp_path_factory.mktemp("inventory"))

    def clean() -> None:
        cluster.kubectl("delete", "sealedsecret,secret", "-n", SPACE, *NAMES, "--ignore-not-found", "--wait=true")

    clean()
    yield made
    clean()


def changes(run: Outcome) -> int:
    return run.succeeded().changed["localhost"]


def test_preflight_names_all_that_is_missing_and_the_command(inventory: Inventory) -> None:
    run = inventory.platform()
    assert run.rc != 0
    text = " ".join(run.output.split())
    missing = f"the secrets {SPACE}/proof-login with password, cookie, ssh, ssh.pub; {SPACE}/proof-s3 with access-key; set them by: "
    assert f"{missing}ansible-playbook enclii.platform.secrets -i inventories/local" in text
    assert run.changed == {"localhost": 0}
    # one component alone does not wait for the secrets of others, but for those of the inventory
    assert inventory.platform("--tags", "metrics_server").rc != 0


def test_without_a_terminal_all_that_nobody_gave_is_named(inventory: Inventory) -> None:
    inventory.declared = [*DECLARED, {"name": "proof-more", "keys": [{"name": "t", "generator": "given"}]}]
    try:
        run = inventory.make()
    finally:
        inventory.declared = list(DECLARED)
    assert run.rc != 0
    assert f"{SPACE}/proof-s3, item access-key (from the console); {SPACE}/proof-more, item t" in " ".join(
        run.output.split()
    )
    assert run.changed == {"localhost": 0}
    assert not inventory.sealed.exists()


def test_check_mode_tells_and_writes_nothing(inventory: Inventory) -> None:
    run = inventory.make("--check", "--diff", "-vvv", *inventory.vault(GIVEN))
    assert changes(run) > 0
    assert not inventory.sealed.exists()
    assert secret(inventory.lab, "proof-login") == {}


def test_made_sealed_and_opened(inventory: Inventory) -> None:
    run = inventory.make("--diff", "-vvv", *inventory.vault(GIVEN))
    assert changes(run) > 0
    assert sorted(path.name for path in inventory.sealed.iterdir()) == [
        f"{SPACE}-proof-login.yaml",
        f"{SPACE}-proof-s3.yaml",
    ]
    assert "git add " in run.output
    assert re.search(r"git commit -m .*proof-login, enclii-dev/proof-s3", " ".join(run.output.split()))
    login = secret(inventory.lab, "proof-login")
    assert set(login) == {"password", "cookie", "ssh", "ssh.pub"}
    assert re.fullmatch(r"[A-Za-z0-9]{40}", login["password"])
    assert len(base64.b64decode(login["cookie"])) == 32
    assert login["ssh.pub"].startswith("ssh-ed25519 ")
    assert secret(inventory.lab, "proof-s3") == {"access-key": CANARY}


def test_a_second_run_changes_nothing_and_needs_no_given_value(inventory: Inventory) -> None:
    before = {path: path.read_bytes() for path in inventory.sealed.iterdir()}
    run = inventory.make()
    assert changes(run) == 0
    assert run.seconds < 30
    assert {path: path.read_bytes() for path in inventory.sealed.iterdir()} == before
    assert changes(inventory.platform()) == 0


def test_the_platform_applies_what_lies_in_git(inventory: Inventory) -> None:
    was = secret(inventory.lab, "proof-login")
    inventory.lab.kubectl("delete", "sealedsecret", "-n", SPACE, "proof-login", "--wait=true")
    inventory.lab.until("the Secret is gone", lambda: not secret(inventory.lab, "proof-login"))
    assert changes(inventory.platform("--check")) == 1
    assert changes(inventory.platform()) == 1
    inventory.lab.until("the Secret is back", lambda: secret(inventory.lab, "proof-login"))
    assert secret(inventory.lab, "proof-login") == was
    assert changes(inventory.platform()) == 0


def test_a_manifest_that_is_missing_in_a_clone_takes_nothing_away(inventory: Inventory) -> None:
    away = inventory.sealed.with_name("away")
    inventory.sealed.rename(away)
    try:
        inventory.declared = []
        assert changes(inventory.platform()) == 0
    finally:
        inventory.declared = list(DECLARED)
        away.rename(inventory.sealed)
    assert secret(inventory.lab, "proof-login")


def test_a_manifest_that_was_lost_is_made_of_what_the_cluster_has(inventory: Inventory) -> None:
    was = secret(inventory.lab, "proof-login")
    (inventory.sealed / f"{SPACE}-proof-login.yaml").unlink()
    run = inventory.make()
    assert changes(run) > 0
    assert "taken over from the cluster" in run.output
    assert set(inventory.manifest("proof-login")["spec"]["encryptedData"]) == set(was)
    assert secret(inventory.lab, "proof-login") == was
    assert changes(inventory.make()) == 0


def test_a_secret_of_somebody_else_is_taken_over_whole(inventory: Inventory) -> None:
    inventory.lab.kubectl(
        "create",
        "secret",
        "generic",
        "proof-old",
        "-n",
        SPACE,
        f"--from-literal=password={CANARY}",
        "--from-literal=more=kept",
    )
    inventory.declared = [*DECLARED, OLD]
    run = inventory.make("-vvv", "--diff")
    assert changes(run) > 0
    inventory.lab.until(
        "the controller owns it",
        lambda: inventory.lab.get("secret", "-n", SPACE, "proof-old")["metadata"].get("ownerReferences"),
    )
    assert secret(inventory.lab, "proof-old") == {"password": CANARY, "more": "kept"}
    assert changes(inventory.make()) == 0


def test_a_key_that_is_declared_later_is_added_and_nothing_else_is_touched(inventory: Inventory) -> None:
    before = inventory.manifest("proof-login")["spec"]["encryptedData"]
    was = secret(inventory.lab, "proof-login")
    first = {**DECLARED[0], "keys": [*DECLARED[0]["keys"], {"name": "new", "generator": "token", "encoding": "hex"}]}
    inventory.declared = [first, *inventory.declared[1:]]
    assert changes(inventory.make()) > 0
    after = inventory.manifest("proof-login")["spec"]["encryptedData"]
    assert {item: value for item, value in after.items() if item != "new"} == before
    inventory.lab.until("the Secret has it", lambda: "new" in secret(inventory.lab, "proof-login"))
    now = secret(inventory.lab, "proof-login")
    assert re.fullmatch(r"[0-9a-f]{64}", now.pop("new"))
    assert now == was


def test_a_given_value_is_sealed_again_when_it_is_named(inventory: Inventory) -> None:
    again = ["-e", json.dumps({"secrets_replace": [f"{SPACE}/proof-s3"]})]
    run = inventory.make(*again, *inventory.vault({"proof-s3": {"access-key": CANARY + "2"}}))
    assert changes(run) > 0
    inventory.lab.until(
        "the new value is there", lambda: secret(inventory.lab, "proof-s3") == {"access-key": CANARY + "2"}
    )


def test_at_a_terminal_each_is_asked_for_once_and_not_shown(inventory: Inventory) -> None:
    again = ["-e", json.dumps({"secrets_replace": [f"{SPACE}/proof-s3"]})]
    argv = inventory.lab.command("secrets", *inventory.arguments(*again))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(CLONE)
        os.execvpe(argv[0], argv, {**os.environ, "LAB_NAME": inventory.lab.lab.name})
    shown, typed, end = b"", False, time.monotonic() + 120
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        if not typed and b"proof-s3, item access-key (from the console)" in shown:
            typed = True
            time.sleep(0.5)
            os.write(terminal, CANARY.encode() + b"\r")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()[-3000:]
    inventory.lab.transcript.append(shown.decode(errors="replace"))
    assert shown.count(b"item access-key (from the console)") == 1
    inventory.lab.until("what was typed is there", lambda: secret(inventory.lab, "proof-s3") == {"access-key": CANARY})


@pytest.mark.parametrize("after", [0.0, 0.25, 0.5, 1.0])
def test_killed_while_it_seals_and_run_again(inventory: Inventory, after: float) -> None:
    path = inventory.sealed / f"{SPACE}-proof-killed.yaml"
    path.unlink(missing_ok=True)
    inventory.lab.kubectl("delete", "sealedsecret", "-n", SPACE, "proof-killed", "--ignore-not-found", "--wait=true")
    inventory.lab.until("the Secret is gone", lambda: not secret(inventory.lab, "proof-killed"))
    kept = list(inventory.declared)
    keys = [{"name": f"item-{number}", "generator": "token"} for number in range(20)]
    inventory.declared = [*kept, {"name": "proof-killed", "keys": keys}]
    try:
        inventory.make(kill_at=("Seal for this cluster", after))
        before = inventory.manifest("proof-killed") if path.exists() else None
        values = secret(inventory.lab, "proof-killed")
        inventory.make().succeeded()
        assert before in (None, inventory.manifest("proof-killed"))
        assert values in ({}, secret(inventory.lab, "proof-killed"))
        assert len(secret(inventory.lab, "proof-killed")) == 20
        assert changes(inventory.make()) == 0
    finally:
        inventory.declared = kept


def test_a_manifest_for_another_cluster_is_named_with_its_cause(inventory: Inventory) -> None:
    path = inventory.sealed / f"{SPACE}-proof-s3.yaml"
    kept = path.read_text()
    manifest = yaml.safe_load(kept)
    value = bytearray(base64.b64decode(manifest["spec"]["encryptedData"]["access-key"]))
    value[300] ^= 1
    manifest["spec"]["encryptedData"]["access-key"] = base64.b64encode(value).decode()
    path.write_text(yaml.safe_dump(manifest))
    try:
        run = inventory.make()
        assert run.rc != 0
        assert f"SealedSecret {SPACE}/proof-s3: Synced is False" in " ".join(run.output.split())
    finally:
        path.write_text(kept)
    inventory.platform().succeeded()


def test_plain_text_among_sealed_manifests_is_refused(inventory: Inventory) -> None:
    path = inventory.sealed / "plain.yaml"
    path.write_text(
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x, namespace: {SPACE}}}\nstringData: {{a: {CANARY}}}\n"
    )
    try:
        for run in (inventory.platform(), inventory.make()):
            assert run.rc != 0
            assert "is no SealedSecret of bitnami.com/v1alpha1 and its values are in plain text" in " ".join(
                run.output.split()
            )
    finally:
        path.unlink()


def test_offline_it_seals_for_a_certificate(inventory: Inventory, tmp_path: Path) -> None:
    proxy = "/api/v1/namespaces/enclii-system/services/http:sealed-secrets-controller:http/proxy/v1/cert.pem"
    certificate = tmp_path / "cluster.pem"
    certificate.write_text(inventory.lab.kubectl("get", "--raw", proxy))
    place = tmp_path / "sealed"
    said = {
        "enclii_sealed_directory": str(place), "secrets_offline": True, "secrets_certificate": str(certificate),
        "enclii_kubeconfig": "/nonexistent", "enclii_given_secrets": GIVEN,
    }  # fmt: skip
    assert changes(inventory.make("-e", json.dumps(said))) > 0
    sealed = yaml.safe_load((place / f"{SPACE}-proof-s3.yaml").read_text())
    inventory.lab.kubectl("delete", "sealedsecret", "-n", SPACE, "proof-s3", "--wait=true")
    inventory.lab.until("the Secret is gone", lambda: not secret(inventory.lab, "proof-s3"))
    inventory.lab.kubectl("create", "-f", "-", given=json.dumps(sealed))
    inventory.lab.until("it is opened", lambda: secret(inventory.lab, "proof-s3") == {"access-key": CANARY})
    inventory.platform().succeeded()


# -- a component that declares a secret -----------------------------------------------------------

ROLE = {
    "vars/main.yml": """
__proof_component:
  name: proof
  state: present
  namespace: proof-component
  pod_security: restricted
  chart: {release: proof, ref: "{{ proof_chart }}", version: 0.1.0, timeout: 90s}
  secrets:
    - {name: proof-needed, keys: [{name: password, generator: random}]}
""",
    "tasks/definition.yml": "[]\n",
    "tasks/main.yml": """
- ansible.builtin.include_role: {name: enclii.platform.component, tasks_from: present.yml}
  vars: {component_definition: "{{ __proof_component }}"}
""",
    "templates/values.yaml.j2": "existingSecret: proof-needed\n",
}
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: proof\nversion: 0.1.0\n",
    "templates/deployment.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: proof}
spec:
  selector: {matchLabels: {app: proof}}
  template:
    metadata: {labels: {app: proof}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: docker.io/library/busybox:1.36
          imagePullPolicy: IfNotPresent
          command: [sleep, "3600"]
          readinessProbe: {exec: {command: ["true"]}}
          livenessProbe: {exec: {command: ["true"]}}
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: "{{ .Values.existingSecret }}", key: password}}}]
""",
}
PLAY = """
- hosts: platform
  gather_facts: false
  module_defaults:
    group/enclii.platform.kube: &login {kubeconfig: "{{ enclii_kubeconfig }}", context: "{{ enclii_context }}"}
    group/kubernetes.core.helm:
      binary_path: "{{ enclii_helm_binary }}"
      kubeconfig: "{{ enclii_kubeconfig }}"
      context: "{{ enclii_context }}"
  vars:
    sealed_secrets_namespace: enclii-system
    component_definitions: ["{{ __proof_component }}"]
  tasks:
    - ansible.builtin.import_role: {name: proof, tasks_from: definition.yml}
    - ansible.builtin.import_role: {name: enclii.platform.cluster}
      vars: {__cluster_secrets_expected: "{{ not making }}", __cluster_secret_components: [proof]}
    - ansible.builtin.import_role: {name: enclii.platform.secrets}
      when: making
    - ansible.builtin.import_role: {name: enclii.platform.component, tasks_from: survey.yml}
      when: not making
    - ansible.builtin.include_role: {name: "{{ one }}"}
      loop: "{{ __component_unsettled }}"
      loop_control: {loop_var: one}
      when: not making
"""


def test_a_component_has_its_secrets_before_its_chart(inventory: Inventory, tmp_path: Path) -> None:
    lab, space = inventory.lab, "proof-component"
    for home, files in (
        (tmp_path / "roles" / "proof", ROLE),
        (tmp_path / "chart", CHART),
        (tmp_path, {"play.yml": PLAY}),
    ):
        for name, text in files.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text)

    def play(making: bool, *more: str) -> Outcome:
        said = {
            "making": making,
            "proof_chart": str(tmp_path / "chart"),
            "enclii_sealed_directory": str(tmp_path / "sealed"),
        }
        return lab.playbook(os.path.relpath(tmp_path / "play", CLONE / "playbooks"), "-e", json.dumps(said), *more)

    helm = [
        f"{lab.lab.paths['bin']}/helm",
        "--kubeconfig",
        str(lab.kubeconfig),
        "uninstall",
        "proof",
        "-n",
        space,
        "--ignore-not-found",
    ]
    try:
        run = play(making=False)
        assert run.rc != 0
        assert f"the secrets {space}/proof-needed with password; set them by" in " ".join(run.output.split())
        # its namespace is not there: sealed now, applied with the component
        assert changes(play(making=True)) > 0
        assert (tmp_path / "sealed" / f"{space}-proof-needed.yaml").exists()
        assert lab.kubectl("get", "namespace", space, "--ignore-not-found") == ""
        assert changes(play(False, "--check")) > 0
        assert changes(play(making=False)) > 0
        assert changes(play(making=False)) == 0
        assert changes(play(making=True)) == 0
        # somebody seals it anew: the component has nothing to do, and the manifest is applied all the same
        lab.kubectl("delete", "-n", space, "sealedsecret", "proof-needed", "--wait=true")
        assert changes(play(making=False)) == 1
        lab.until("it is back", lambda: lab.kubectl("get", "secret", "-n", space, "proof-needed", "--ignore-not-found"))
    finally:
        subprocess.run(helm, check=True, capture_output=True)
        lab.kubectl("delete", "namespace", space, "--ignore-not-found")


def test_no_value_is_anywhere_in_what_was_printed_or_written(inventory: Inventory) -> None:
    """Last: everything of this file was printed, -vvv and --diff included."""
    values = {CANARY, *(value for name in NAMES for value in secret(inventory.lab, name).values() if len(value) > 16)}
    # a public key is public, and the name of nothing
    values -= {value for value in values if value.startswith("ssh-ed25519 ")}
    assert len(values) > 4
    encoded = {base64.b64encode(value.encode()).decode() for value in values}
    texts = [*inventory.lab.transcript, *(path.read_text() for path in inventory.sealed.iterdir())]
    for value in [*values, *encoded]:
        # lines of a key in PEM are shown apart
        parts = [line for line in value.splitlines() if len(line) > 16 and not line.startswith("-----")] or [value]
        assert not any(part in text for part in parts for text in texts), "a value was printed or written"
    assert shutil.which("git")
