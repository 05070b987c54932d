# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule finds what it is there to find, and nothing else; what is right has no findings; no finding holds a value."""

from __future__ import annotations

import base64
import copy
import json
import re
import time
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest
import sealing
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import house
from ansible_collections.enclii.platform.plugins.module_utils.sealing import controller, keyring, lint, objects, trees
from ansible_collections.enclii.platform.plugins.module_utils.sealing.errors import SealingError

# 3072 bits, the least that is not weak
OURS = sealing.SealingKey(3072)
OLDER = sealing.SealingKey(3072, sealing.NOW - timedelta(days=40))
EXPIRED = sealing.SealingKey(3072, sealing.NOW - timedelta(days=900), 800)
FOREIGN, WEAK = sealing.SealingKey(3072), sealing.SealingKey(2048)
CERTIFICATES = [one.certificate for one in (EXPIRED, OLDER, OURS)]
OPTIONS: dict[str, t.Any] = {"now": sealing.NOW, "certificates": CERTIFICATES, "version": "0.40.0"}
CANARY = sealing.CANARY
Obj = dict[str, t.Any]


def found(tmp_path: Path, files: t.Mapping[str, t.Any], **options: t.Any) -> list[lint.Finding]:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            content
            if isinstance(content, str)
            else yaml.safe_dump_all(content if isinstance(content, list) else [content])
        )
    findings = lint.Linter(lint.Options(**{**OPTIONS, **options})).run(trees.walk([tmp_path]))
    told = json.dumps([one.as_dict() for one in findings])
    assert CANARY not in told
    assert base64.b64encode(CANARY.encode()).decode().rstrip("=")[:-1] not in told
    assert all(one.level in lint.LEVELS and one.message and one.next_step for one in findings)
    return findings


def rules(findings: t.Iterable[lint.Finding]) -> list[str]:
    return sorted({one.rule for one in findings})


def good(**options: t.Any) -> Obj:
    return OURS.seal({"password": CANARY, "tls.key": bytes(range(256))}, **options)


def changed(*path: str, to: t.Any, of: Obj | None = None) -> Obj:
    obj = copy.deepcopy(of or good())
    place = obj
    for step in path[:-1]:
        place = place.setdefault(step, {})
    place[path[-1]] = to
    return obj


def without(*path: str) -> Obj:
    obj = copy.deepcopy(good())
    place = obj
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return obj


def secret(**fields: t.Any) -> Obj:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": "demo"}, **fields}


BARE = without("metadata", "annotations")
WIDE, CLUSTER = objects.NAMESPACE_WIDE, objects.CLUSTER_WIDE
TEMPLATE = ("spec", "template", "metadata")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def test_what_is_right_has_no_findings(tmp_path: Path) -> None:
    template = {
        "config.ini": "user = app\npassword = {{ .password }}\nurl = https://app:{{ .password }}@db/\n",
        "path": "/run/secrets/token",
        "user": "app",
        "tls.key": None,
    }
    files = {
        "strict.yaml": good(),
        "wide.yml": good(name="wide", scope="namespace-wide"),
        "cluster.json": json.dumps(good(name="anywhere", namespace="", scope="cluster-wide")),
        "template.yaml": changed("spec", "template", "data", to=template, of=good(name="template")),
        "list.yaml": {"apiVersion": "v1", "kind": "List", "items": [good(name="one"), good(name="two")]},
        "empty.yaml": secret(data={}),
        "placeholder.yaml": secret(stringData={"password": "<your password>"}),
        "sops.yaml": secret(stringData={"password": "ENC[AES256_GCM,data]"}, sops={"version": "3"}),
        "chart/templates/x.txt": "kind: Secret\ndata: {{ .Values.x }}\n",
        "other.yaml": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}},
        ".git/x.yaml": secret(stringData={"password": CANARY}),
    }
    assert found(tmp_path, files, keys=keyring.read(OURS.private_pem, "k")) == []


# rule -> manifests that break it, and nothing but it
BROKEN: dict[str, list[t.Any]] = {
    "unreadable": [
        f"kind: SealedSecret\nspec: [{CANARY}\n",
        "kind: SealedSecret\nmetadata:\n  name: {{ .Values.name }}\n",
        f"kind: Secret\nstringData: {{a: {CANARY}}}\n  b: c\n",
    ],
    "schema": [
        changed("apiVersion", to="bitnami.com/v1"),
        changed("metadata", "name", to="Login_1", of=changed(*TEMPLATE, "name", to="Login_1")),
        changed("spec", "templates", to={}),
        changed("spec", "encryptedData", to=[CANARY]),
        changed("spec", "template", to="x"),
        changed("metadata", "annotations", to=["x"]),
        changed("spec", "template", "typ", to="Opaque"),
        changed("spec", "template", "immutable", to="true"),
        changed("spec", "template", "type", to=3),
        changed("metadata", "labels", to={"version": 3}),
        changed("spec", "template", "data", to={"port": 8080}),
        changed("spec", "encryptedData", "pass word", to=good()["spec"]["encryptedData"]["password"], of=BARE),
        {key: value for key, value in BARE.items() if key != "spec"},
    ],
    "empty": [changed("spec", "encryptedData", to={}, of=BARE)],
    "deprecated-data": [changed("spec", "data", to="AgB", of=changed("spec", "encryptedData", to={}, of=BARE))],
    "namespace-missing": [good(namespace="")],
    "undecodable": [
        changed("spec", "encryptedData", "password", to=value, of=BARE)
        for value in (CANARY, "AgB", "", 7, good()["spec"]["encryptedData"]["password"][:200])
    ],
    "empty-plaintext": [OURS.seal({"password": ""})],
    "scope-value": [changed("metadata", "annotations", CLUSTER, to="yes"), changed(*TEMPLATE, "annotations", to={WIDE: "True"})],
    "scope-both": [changed("metadata", "annotations", WIDE, to="true", of=good(scope="cluster-wide"))],
    "scope-mismatch": [
        changed(*TEMPLATE, "annotations", to={CLUSTER: "true"}),
        changed(*TEMPLATE, "annotations", to={}, of=good(scope="namespace-wide")),
        changed(*TEMPLATE, "annotations", to={CLUSTER: "true"}, of=good(scope="namespace-wide")),
    ],
    "name-mismatch": [changed(*TEMPLATE, "name", to="other"), changed(*TEMPLATE, "name", to="other", of=good(scope="cluster-wide"))],
    "namespace-mismatch": [changed(*TEMPLATE, "namespace", to="other", of=good(scope="namespace-wide"))],
    "unknown-annotation": [
        changed("metadata", "annotations", objects.PREFIX + "scope", to="cluster-wide"),
        changed(*TEMPLATE, "annotations", to={objects.PREFIX + "namespacewide": "true"}),
    ],
    "last-applied": [
        changed(*TEMPLATE, "annotations", to={LAST_APPLIED: CANARY}),
        changed("metadata", "annotations", LAST_APPLIED, to=json.dumps(good())),
    ],
    "plaintext-beside": [
        changed("stringData", to={"password": CANARY}),
        changed("data", to={"password": CANARY}),
        changed("spec", "stringData", to={"password": CANARY}),
        changed("spec", "template", "stringData", to={"password": CANARY}),
    ],
    "plaintext-template": [
        changed("spec", "template", "data", to=data)
        for data in (
            {"db-password": CANARY},
            {"config.ini": f"user = app\npassword = {CANARY}\n"},
            {"url": f"postgres://app:{CANARY}@db/x"},
            {"setting": "h4G7sKd92LqPz0XwVb5NcTy8"},
            {"id": f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n"},
            {"config.yaml": f"api_key: '{CANARY}'\nother: '{{{{ .password }}}}'\n"},
        )
    ],
    "plaintext-secret": [
        secret(stringData={"password": CANARY}),
        secret(data={"password": base64.b64encode(CANARY.encode()).decode()}),
        {"apiVersion": "v1", "kind": "List", "items": [secret(data={"password": CANARY})]},
    ],
    "sealing-key": [OURS.secret("sealed-secrets-key1")],
    "template-clash": [changed("spec", "template", "data", to={"password": "{{ .password }}"})],
    "template-null": [changed("spec", "template", "data", to={"password": None})],
    "duplicate": [[good(), good()]],
    "sealed-with": [
        changed("metadata", "annotations", objects.SEALED_WITH, to="nonsense"),
        changed("metadata", "annotations", objects.SEALED_WITH, to=json.dumps(dict.fromkeys(("gone", "password", "tls.key"), OURS.key_id))),
    ],
    "certificate-expired": [EXPIRED.seal({"password": CANARY})],
    "certificate-unknown": [FOREIGN.seal({"password": CANARY})],
    "certificate-old": [OLDER.seal({"password": CANARY})],
}  # fmt: skip
VERSIONS = {"template-clash": "0.36.4", "template-null": "0.39.1"}


@pytest.mark.parametrize(("rule", "manifest"), [(rule, one) for rule, all_ in BROKEN.items() for one in all_])
def test_a_broken_rule_is_found_and_no_other(tmp_path: Path, rule: str, manifest: t.Any) -> None:
    findings = found(tmp_path, {"x.yaml": manifest}, version=VERSIONS.get(rule, "0.40.0"))
    assert rules(findings) == [rule]
    assert all(one.file == str(tmp_path / "x.yaml") for one in findings)
    if rule not in ("unreadable", "sealing-key", "plaintext-secret"):
        assert findings[-1].document == (2 if rule == "duplicate" else 1)
    assert found(tmp_path, {}, ignore=[rule]) == []


def places_in(value: t.Any, path: tuple[str, ...] = ()) -> t.Iterator[tuple[str, ...]]:
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield (*path, key)
        yield from places_in(inner, (*path, key))


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({}), st.just([{}])
)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_manifest_is_too_strange_for_it(data: st.DataObject) -> None:
    strange = changed("spec", "template", "data", to={"url": "{{ .password }}"}, of=good(scope="namespace-wide"))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(places_in(strange))))
        strange = changed(*path, to=data.draw(SCALARS), of=strange)
    linter = lint.Linter(lint.Options(**OPTIONS, keys=keyring.read(WEAK.private_pem, "k")))
    linter.file(Path("x.yaml"), json.dumps(strange).encode())
    linter.run([])


def test_sizes_of_keys(tmp_path: Path) -> None:
    weak = WEAK.seal({"password": CANARY}, annotated=False)
    assert rules(found(tmp_path, {"x.yaml": weak})) == ["key-size", "weak-key"]
    assert rules(found(tmp_path, {}, certificates=[WEAK.certificate])) == ["weak-key"]
    assert rules(found(tmp_path, {}, certificates=[])) == ["weak-key"]


def test_values_that_were_copied(tmp_path: Path) -> None:
    copied = changed("metadata", "name", to="copy", of=changed(*TEMPLATE, "name", to="copy"))
    copied["spec"]["encryptedData"] = good_one = good()["spec"]["encryptedData"]
    first = changed("spec", "encryptedData", to=good_one)
    findings = found(tmp_path, {"a/x.yaml": first, "b/y.yaml": copied})
    assert rules(findings) == ["copied-item"]
    assert {(one.item, one.message) for one in findings} == {
        (item, f"its sealed value is that of SealedSecret demo/login, item {item}") for item in good_one
    }
    wide = good(scope="cluster-wide")
    other = changed("metadata", "name", to="copy", of=changed(*TEMPLATE, "name", to="copy", of=wide))
    assert found(tmp_path, {"a/x.yaml": wide, "b/y.yaml": other}) == []


@pytest.mark.parametrize(
    ("path", "layout", "words"),
    [
        ("demo/login.yaml", "{namespace}/{name}.yaml", []),
        ("prod/demo/sealed/login.yaml", "{namespace}/sealed/{name}.yaml", []),
        ("shop/login.yaml", "{namespace}/{name}.yaml", ["namespace shop"]),
        ("demo/cart.yaml", "{namespace}/{name}.yaml", ["name cart"]),
        ("demo/x/login.sealed.yaml", "{namespace}/*/{name}.sealed.yaml", []),
        ("login.json", "{namespace}/{name}.yaml", ["does not fit"]),
    ],
)
def test_layout(tmp_path: Path, path: str, layout: str, words: list[str]) -> None:
    findings = found(tmp_path, {path: good()}, layout=layout)
    assert [word for word, one in zip(words, findings, strict=True) if word in one.message] == words
    assert rules(findings) == (["layout"] if words else [])


def test_a_layout_that_names_a_thing_twice_is_refused() -> None:
    with pytest.raises(SealingError, match="twice"):
        lint.Linter(lint.Options(**OPTIONS, layout="{name}/{name}.yaml"))


@pytest.mark.parametrize(
    ("kustomization", "scope", "count"),
    [
        ({"namespace": "demo"}, "strict", 0),
        ({"namespace": "prod"}, "strict", 1),
        ({"namespace": "prod"}, "namespace-wide", 1),
        ({"namespace": "prod"}, "cluster-wide", 0),
        ({"namePrefix": "prod-"}, "strict", 1),
        ({"namePrefix": "prod-"}, "namespace-wide", 0),
    ],
)
def test_kustomizations_that_move_a_secret(tmp_path: Path, kustomization: Obj, scope: str, count: int) -> None:
    listed = {"kind": "Kustomization", "resources": ["./x.yaml"], **kustomization}
    files = {"kustomization.yaml": listed, "x.yaml": good(scope=scope), "y.yaml": good(name="not-in-it")}
    assert [one.rule for one in found(tmp_path, files)] == ["kustomize"] * count


def test_plain_text_beside_its_sealed_secret_names_both_files(tmp_path: Path) -> None:
    findings = found(tmp_path, {"x.yaml": good(), "plain/old.yml": secret(stringData={"password": CANARY})})
    assert "sealed in " + str(tmp_path / "x.yaml") in findings[0].message


def test_with_private_keys_the_cause_is_told(tmp_path: Path) -> None:
    moved = changed("metadata", "namespace", to="shop", of=changed(*TEMPLATE, "namespace", to="shop"))
    lost = FOREIGN.seal({"password": CANARY}, "lost", "shop", annotated=False)
    keys = keyring.read(OURS.private_pem, "backup.yaml")
    findings = found(tmp_path, {"a.yaml": moved, "b.yaml": lost, "c.yaml": good(name="fine")}, keys=keys)
    causes = {one.subject: one.message for one in findings if one.rule == "decrypt"}
    assert "none of the 1 given keys" in causes["SealedSecret shop/lost, item password"]
    # It was sealed for demo/login: demo is known from c.yaml, login from here.
    assert "namespace demo, name login, scope strict" in causes["SealedSecret shop/login, item password"]
    assert rules(findings) == ["decrypt"]


def test_with_the_controller_the_cause_is_told(tmp_path: Path) -> None:
    moved = changed("metadata", "name", to="cart", of=changed(*TEMPLATE, "name", to="cart"))
    with sealing.StandIn(OURS) as server:
        clock = sealing.FakeClock()
        asked = controller.discover(sealing.client_for(server.url, clock), clock)
        findings = found(tmp_path, {"a.yaml": moved, "b.yaml": good()}, controller=asked)
        assert rules(findings) == ["verify"]
        assert {one.message for one in findings} == {"it was sealed for namespace demo, name login, scope strict"}
        # An old one is not asked: its verify executes templates.
        asked_before = len(server.seen)
        findings = found(tmp_path, {}, controller=asked, version="0.38.2")
        assert rules(findings) == ["controller"]
        assert len(server.seen) == asked_before
        server.faults = [418]
        assert "HTTP 418" in found(tmp_path, {}, controller=asked)[0].message


def test_levels() -> None:
    findings = [lint.Finding("", 0, 0, "", "", "", level, "", "") for level in lint.LEVELS]
    assert [len(lint.failing(findings, level)) for level in (*lint.LEVELS, "never")] == [4, 3, 2, 1, 0]


def test_every_rule_is_tested_and_documented() -> None:
    elsewhere = {"key-size", "weak-key", "copied-item", "layout", "kustomize", "verify", "decrypt", "controller"}
    assert set(BROKEN) | elsewhere == set(lint.RULES)
    page = (house.ROOT / "docs" / "rekeying.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+?) \|$", page, re.MULTILINE)
    assert [(rule, *lint.RULES[rule]) for rule in lint.RULES] == rows


def test_excluded_files_and_paths_that_are_not_there(tmp_path: Path) -> None:
    for name in ("a/x.yaml", "charts/y.yaml", "b/skip-me.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert [path.name for path in trees.walk([tmp_path, tmp_path / "a"], ["*/charts/*", "skip-*"])] == ["x.yaml"]
    (tmp_path / "b" / "link.yaml").symlink_to(tmp_path / "a" / "x.yaml")
    assert [path.name for path in trees.walk([tmp_path], ["y.yaml", "skip-*"])] == ["x.yaml"]
    with pytest.raises(SealingError, match="no such file"):
        trees.walk([tmp_path / "none"])


def test_a_big_tree_is_linted_fast(tmp_path: Path) -> None:
    one = good()
    for number in range(300):
        named = changed("metadata", "name", to=f"n{number}", of=changed(*TEMPLATE, "name", to=f"n{number}", of=one))
        named["spec"]["encryptedData"] = {"x": base64.b64encode(b"\x01\x80" + number.to_bytes(2, "big") * 300).decode()}
        named["metadata"].pop("annotations")
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(named))
        (tmp_path / f"other-{number}.yaml").write_text("kind: ConfigMap\ndata:\n" + "  a: b\n" * 2000)
    began = time.process_time()
    assert rules(found(tmp_path, {})) == []
    assert time.process_time() - began < 5
