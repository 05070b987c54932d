# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sealed_secret against a real controller, and as users run it; a canary is planted in every input and searched for in every output."""

from __future__ import annotations

import base64
import json
import subprocess
import typing as t
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from sealing import CANARY, SealingKey

from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

# become makes it an ordinary module run of its own process; without it, it runs inside the controller.
WAYS: dict[str, dict[str, t.Any]] = {
    "in process": {},
    "as a module": {"become": True, "become_method": "ansible.builtin.su"},
}
DIGEST_KEY = "digest-" + CANARY
FORMS = (CANARY, base64.b64encode(CANARY.encode()).decode(), base64.b64encode(b"x" + CANARY.encode()).decode()[4:40])
Obj = dict[str, t.Any]


def clean(output: str) -> bool:
    return not any(form.rstrip("=") in output for form in FORMS)


def annotate(place: t.Any, kind: str, name: str, **annotations: str) -> None:
    place.server.kubectl(
        "annotate", kind, name, "-n", place.namespace, *(f"{key}={value}" for key, value in annotations.items())
    )


def by_hand(place: t.Any, name: str = "login", **values: str) -> None:
    literals = [f"--from-literal={item}={value}" for item, value in values.items()]
    place.server.kubectl("create", "secret", "generic", name, "-n", place.namespace, *literals)


# -- the cluster ------------------------------------------------------------------------------------


def test_the_life_of_a_secret_in_the_cluster(place: t.Any) -> None:
    given = place.secret({"a": "1", "b": "2"}, labels={"app": "x"})
    foretold = place.seal(given, apply=True, check=True, diff=True)
    assert foretold["changed"] and not place.server.get("sealedsecret", "-n", place.namespace)["items"]
    told = place.seal(given, apply=True, wait=True, diff=True)
    assert told == foretold
    place.unsealed(wanted={"a": b"1", "b": b"2"})
    before = place.live()
    again = place.seal(given, apply=True, diff=True)
    assert not again["changed"] and again["secrets"][0]["why"] == "live" and again["diff"] == []
    assert place.live()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    told = place.seal(place.secret({"b": "3"}, labels={"app": "x"}), apply=True, wait=True)
    assert told["secrets"][0]["items"] == {"a": "removed", "b": "sealed"}
    place.unsealed(wanted={"b": b"3"})
    assert place.seal(place.secret(state="absent"), apply=True, check=True)["changed"]
    assert place.live()
    assert place.seal(place.secret(state="absent"), apply=True)["changed"]
    assert not place.seal(place.secret(state="absent"), apply=True)["changed"]
    assert not place.server.get("sealedsecret", "-n", place.namespace)["items"]


def test_what_is_in_the_cluster_and_in_no_file_keeps_items_that_are_not_named(place: t.Any) -> None:
    place.seal(place.secret({"a": "1"}), apply=True, wait=True)
    annotate(place, "sealedsecret", "login", **{"argocd.argoproj.io/sync-wave": "1"})
    place.seal(place.secret({"b": "2"}), apply=True, wait=True, exact=False)
    place.unsealed(wanted={"a": b"1", "b": b"2"})
    assert place.live()["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] == "1"


@pytest.mark.parametrize("how", ["value", "by hand", "another item", "file", "not synced", "no owner"])
def test_the_live_secret_proves_only_what_the_controller_made_of_this_very_item(place: t.Any, how: str) -> None:
    dest = place.home / "login.yaml"
    given = place.secret({"a": "1", "b": "2"}, dest=str(dest))
    place.seal(given, apply=True, wait=True)
    place.unsealed(wanted={"a": b"1", "b": b"2"})
    assert place.seal(given)["secrets"][0]["items"] == {"a": "unchanged", "b": "unchanged"}
    if how == "value":
        given["data"]["a"] = "new"
    elif how in ("by hand", "no owner"):
        # the controller would put it right at once: it is held still while somebody changes the Secret to the wanted value
        place.controller.end()
        given["data"]["a"] = "new" if how == "by hand" else "1"
        patch: Obj = {"stringData": {"a": "new"}} if how == "by hand" else {"metadata": {"ownerReferences": None}}
        place.server.kubectl("patch", "secret", "login", "-n", place.namespace, "--type=merge", "-p", json.dumps(patch))
    elif how == "another item":
        given["data"] = {"a": "2", "b": "1"}
    elif how == "file":
        obj = yaml.safe_load(dest.read_text())
        obj["spec"]["encryptedData"]["a"] = SealingKey(4096).seal({"a": "1"}, namespace=place.namespace)["spec"][
            "encryptedData"
        ]["a"]
        dest.write_text(yaml.safe_dump(obj))
    else:
        place.controller.end()
        place.server.kubectl(
            "patch",
            "sealedsecret",
            "login",
            "-n",
            place.namespace,
            "--type=merge",
            "-p",
            '{"spec":{"template":{"type":"x/y"}}}',
        )
    try:
        told = place.seal(given, certificate=str(place.cert))
    finally:
        if place.controller.process.poll() is not None:
            place.controller.run()
    assert told["secrets"][0]["items"]["a"] == "sealed"


def test_a_secret_that_nobody_sealed_is_taken_over_only_where_asked(place: t.Any) -> None:
    by_hand(place, a="old", other="kept")
    with pytest.raises(
        SealingError, match="no SealedSecret made it, so that the controller would not touch it"
    ) as caught:
        place.seal(place.secret({"a": CANARY}, dest=str(place.home / "x.yaml")), apply=True)
    assert clean(str(caught.value)) and not (place.home / "x.yaml").exists(), "it wrote before it refused"
    assert place.seal(place.secret({"a": "1"}), apply=True, adopt="patch", check=True)["changed"]
    assert "annotations" not in place.unsealed()["metadata"]
    place.seal(place.secret({"a": "1"}), apply=True, adopt="patch", wait=True)
    found = place.unsealed(wanted={"a": b"1", "other": b"kept"})
    assert not found["metadata"].get("ownerReferences")
    by_hand(place, "second", a="old", other="gone")
    place.seal(place.secret({"a": "1"}, "second"), apply=True, adopt="managed", wait=True)
    found = place.unsealed("second", wanted={"a": b"1"})
    assert found["metadata"]["ownerReferences"][0]["kind"] == "SealedSecret"
    assert not place.seal(place.secret({"a": "1"}, "second"), apply=True)["changed"]


def test_from_an_existing_secret_with_its_type_and_labels(place: t.Any) -> None:
    by_hand(place, "source", a="1", b="2")
    place.server.kubectl("label", "secret", "source", "-n", place.namespace, "app=x")
    place.server.kubectl("apply", "-f", "-", stdin=json.dumps({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth", "stringData": {"username": "u", "password": CANARY},
        "metadata": {"name": "applied", "namespace": place.namespace, "labels": {"app": "y"}},
    }))  # fmt: skip
    dest = place.home / "x.yaml"
    source = {"namespace": place.namespace, "name": "applied"}
    place.seal(place.secret(name="applied", from_secret=source, dest=str(dest)), apply=True, adopt="managed", wait=True)
    found = place.unsealed("applied", wanted={"username": b"u", "password": CANARY.encode()})
    assert found["type"] == "kubernetes.io/basic-auth" and found["metadata"]["labels"] == {"app": "y"}
    assert clean(dest.read_text()), "kubectl's annotation with the values went into the manifest"
    place.seal(
        place.secret({"c": "3"}, "copy", from_secret={**source, "name": "source", "items": ["a"]}),
        apply=True,
        wait=True,
    )
    place.unsealed("copy", wanted={"a": b"1", "c": b"3"})
    for wrong, words in (({"items": ["z"]}, "has no item z. It has a, b"), ({"name": "none"}, "does not exist")):
        with pytest.raises(SealingError, match=words):
            place.seal(place.secret(from_secret={**source, "name": "source", **wrong}, dest=str(dest)))


def test_what_the_controller_cannot_unseal_is_the_error(place: t.Any) -> None:
    stranger = SealingKey(4096, begins=datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(SealingError, match="its controller reports: ") as caught:
        place.seal(place.secret({"a": CANARY}), apply=True, wait=True, certificate=stranger.pem.decode())
    assert caught.value.reason == "controller" and clean(str(caught.value))
    # sealed for this cluster the next run puts it right
    assert place.seal(place.secret({"a": "1"}), apply=True, wait=True)["changed"]


def test_the_controller_s_certificate_is_pinned(place: t.Any) -> None:
    with pytest.raises(
        SealingError, match=r"Certificate of Controller enclii-system/sealed-secrets-controller: its fingerprint is"
    ):
        place.seal(place.secret({"a": CANARY}), apply=True, certificate_fingerprint="SHA256:another")
    assert not place.server.get("sealedsecret", "-n", place.namespace)["items"]


def test_a_cluster_that_is_not_there(place: t.Any) -> None:
    place.kubeconfig.write_text(place.kubeconfig.read_text().replace(place.controller.url, "http://127.0.0.1:1"))
    with pytest.raises(KubeError, match="connection refused"):
        place.seal(place.secret({"a": CANARY}, dest=str(place.home / "x.yaml")))
    assert not (place.home / "x.yaml").exists()


def test_many_into_the_cluster_in_one_task(place: t.Any) -> None:
    secrets = [
        place.secret({"a": str(number)}, f"s{number}", dest=str(place.home / "all.yaml")) for number in range(60)
    ]
    assert place.seal(*secrets, apply=True)["changed"]
    assert len(place.server.get("sealedsecret", "-n", place.namespace)["items"]) == 60
    place.unsealed("s59", wanted={"a": b"59"})


# -- as users run it --------------------------------------------------------------------------------


def task(place: t.Any, register: str, way: str, *secrets: Obj, **args: t.Any) -> Obj:
    given = {"secrets": list(secrets), "kubeconfig": str(place.kubeconfig), **args}
    return {"name": register, "enclii.platform.sealed_secret": given, "register": register, **WAYS[way]}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_playbook_with_vaulted_values_shows_none_of_them(place: t.Any, play: t.Any, way: str) -> None:
    (place.home / "pass").write_text("x")
    (place.home / "blob").write_bytes(b"\xff" + CANARY.encode())
    by_hand(place, "source", password=CANARY)
    vault = [
        subprocess.run(
            ["ansible-vault", "encrypt_string", "--vault-password-file", str(place.home / "pass"), "--name", name, value],
            check=True, capture_output=True, text=True,
        ).stdout
        for name, value in (("vault_password", CANARY), ("vault_digest", DIGEST_KEY))
    ]  # fmt: skip
    dest = place.home / "sealed.yaml"
    secrets = [
        place.secret({"password": "{{ vault_password }}"}, dest=str(dest)),
        place.secret(name="more", data_base64={"a": "{{ vault_password | b64encode }}"}, dest=str(dest),
                     files={"b": str(place.home / "blob")}),
        place.secret(name="third", from_secret={"namespace": place.namespace, "name": "source"}, dest=str(dest)),
    ]  # fmt: skip
    args = {"digest_key": "{{ vault_digest }}", "apply": True, "wait": True}
    options = ("-vvv", "--diff", "--vault-password-file", str(place.home / "pass"))
    variables = "".join(vault)
    outputs = []
    foretold = play.run([task(place, "r_1", way, *secrets, **args)], *options, "--check", variables=variables)
    outputs.append(play.output)
    assert foretold["r_1"]["changed"] and not dest.exists()
    real = play.run(
        [task(place, name, way, *secrets, **args) for name in ("r_1", "r_2")]
        + [task(place, "r_3", way, *secrets[:2], **{**args, "apply": False, "certificate": str(place.cert), "kubeconfig": None})],
        *options, variables=variables,
    )  # fmt: skip
    outputs.append(play.output)
    assert real["r_1"]["changed"] and not real["r_2"]["changed"] and not real["r_3"]["changed"]
    assert [one["why"] for one in real["r_2"]["secrets"]] == ["live"] * 3
    place.unsealed(wanted={"password": CANARY.encode()})
    place.unsealed("more", wanted={"a": CANARY.encode(), "b": b"\xff" + CANARY.encode()})
    secrets[0]["data"]["password"] = "{{ vault_password }}2"
    play.run([task(place, "r_1", way, *secrets, **args)], *options, variables=variables)
    outputs.append(play.output)
    assert "item password: sealed anew" in play.output
    assert all(clean(output) for output in outputs) and clean(dest.read_text()) and clean(json.dumps(real))


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize(
    ("wrong", "args", "words"),
    [
        ({"data": {"a": CANARY, "b": 17}}, {}, "item b: its value is a number, not a text"),
        ({"data": CANARY}, {}, ""),
        ({"data": [CANARY]}, {}, ""),
        ({"data_base64": {"a": CANARY + "!"}}, {}, "item a: its value is not base64"),
        ({"data": {"a": CANARY}, "scope": CANARY[:6]}, {}, "scope"),
        ({"data": {"a": CANARY}, "unknown": 1}, {}, "nsupported parameters"),
        ({"data": {"a": CANARY}}, {"digest_key": CANARY[:15]}, "digest_key: it is shorter than 16 characters"),
        ({"data": {"a": CANARY}}, {"certificate": "{{ playbook_dir }}/key.pem"}, "it holds a private key, and no certificate"),
        ({"data": {"a": CANARY}}, {"certificate": "{{ playbook_dir }}/garbage.pem"}, "it is no PEM certificate"),
        ({"data": {"a": CANARY}}, {"certificate": "{{ playbook_dir }}/small.pem"}, "its key has 2048 bits"),
        ({"data": {"a": CANARY}}, {"certificate": "{{ playbook_dir }}/none.pem"}, "none.pem"),
        ({"data": {"a": CANARY}}, {"certificate_fingerprint": "0" * 64}, "is expected"),
        ({"data": {"a": CANARY}, "dest": "{{ playbook_dir }}/none/x.yaml"}, {}, "No such file or directory"),
    ],
)  # fmt: skip
def test_errors_are_clear_and_hold_no_value(
    place: t.Any, play: t.Any, way: str, wrong: Obj, args: Obj, words: str
) -> None:
    small = SealingKey(2048)
    (place.home / "small.pem").write_bytes(small.pem)
    (place.home / "key.pem").write_bytes(small.private_pem)
    (place.home / "garbage.pem").write_text(CANARY)
    secrets = [{"name": "login", "namespace": place.namespace, "dest": str(place.home / "x.yaml"), **wrong}]
    play.run([task(place, "r_1", way, *secrets, **args)], "-vvv", "--diff", ok=False)
    assert words in " ".join(play.output.split()) and not (place.home / "x.yaml").exists()
    assert clean(play.output), [line for line in play.output.splitlines() if not clean(line)]
    assert "Traceback" not in play.output


def test_both_ways_return_the_same(place: t.Any, play: t.Any) -> None:
    found = []
    for number, way in enumerate(WAYS):
        dest = place.home / f"{number}.yaml"
        told = play.run([task(place, "r_1", way, place.secret({"password": "password"}, dest=str(dest)))])["r_1"]
        assert told["secrets"][0].pop("dest") == str(dest)
        found.append({name: told[name] for name in ("changed", "secrets", "certificate")})
    assert found[0] == found[1] and found[0]["secrets"][0]["items"] == {"password": "sealed"}
