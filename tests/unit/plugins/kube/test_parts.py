# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets, adoption, masks, certificates, Helm's values: tables for the small pure parts."""

from __future__ import annotations

import copy
import datetime
import json
import pathlib
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.kube import (
    adopt,
    applyset,
    arguments,
    diff,
    explain,
    fields,
    helm,
    x509,
)
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError, KubeError

Obj = dict[str, t.Any]


def entry(manager: str, operation: str, owned: Obj, **more: t.Any) -> Obj:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": owned,
        **more,
    }


def workload(*entries: Obj, **spec: t.Any) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x", "managedFields": list(entries)},
        "spec": spec,
    }


SPEC = {"f:spec": {"f:replicas": {}, "f:paused": {}}}


def test_take_over_leaves_replicas_people_and_other_versions() -> None:
    entries = [
        entry("kubectl-client-side-apply", "Update", SPEC),
        entry("kubectl-edit", "Update", {"f:spec": {"f:x": {}}}),
        entry("helm", "Update", {"f:spec": {"f:y": {}}}, apiVersion="apps/v1beta1"),
        entry("helm", "Update", {"f:status": {"f:z": {}}}, subresource="status"),
    ]
    owners, managers = adopt.take_over(workload(*entries), workload(paused=True), "ours", "now") or ([], [])
    assert managers == ["kubectl-client-side-apply"]
    assert owners[0] == entry("ours", "Apply", {"f:spec": {"f:paused": {}}}, time="now")
    assert owners[1] == entry("kubectl-client-side-apply", "Update", {"f:spec": {"f:replicas": {}}})
    assert owners[2:] == entries[1:]
    owners, _managers = adopt.take_over(workload(*entries), workload(replicas=2), "ours", "now") or ([], [])
    assert owners[0]["fieldsV1"] == SPEC, "replicas that we set we do take"


def test_only_the_first_time() -> None:
    mine = entry("ours", "Apply", {"f:spec": {"f:a": {}}})
    assert adopt.take_over(workload(mine, entry("helm", "Update", SPEC)), workload(a=1), "ours", "now") is None
    assert adopt.take_over(workload(entry("someone", "Update", SPEC)), workload(a=1), "ours", "now") is None


def test_release_gives_up_one_field() -> None:
    live = workload(entry("ours", "Apply", copy.deepcopy(SPEC)), replicas=3)
    owners = adopt.release(live, ("f:spec", "f:replicas"), "ours")
    assert owners == [entry("ours", "Apply", {"f:spec": {"f:paused": {}}})]
    assert (
        adopt.release(live, ("f:spec", "f:other"), "ours") is None
        and adopt.release(workload(), ("f:spec",), "ours") is None
    )


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (("f:a",), {"b": {"c": 1}, "l": [{"k": "x", "v": 1}, {"k": "y"}], "s": ["p", "q"]}),
        (("f:b", "f:c"), {"a": 1, "b": {}, "l": [{"k": "x", "v": 1}, {"k": "y"}], "s": ["p", "q"]}),
        (("f:l", 'k:{"k":"x"}'), {"a": 1, "b": {"c": 1}, "l": [{"k": "y"}], "s": ["p", "q"]}),
        (("f:l", 'k:{"k":"x"}', "f:v"), {"a": 1, "b": {"c": 1}, "l": [{"k": "x"}, {"k": "y"}], "s": ["p", "q"]}),
        (("f:s", 'v:"p"'), {"a": 1, "b": {"c": 1}, "l": [{"k": "x", "v": 1}, {"k": "y"}], "s": ["q"]}),
        (("f:none", "f:c"), {"a": 1, "b": {"c": 1}, "l": [{"k": "x", "v": 1}, {"k": "y"}], "s": ["p", "q"]}),
        (("f:l", 'k:{"k":"z"}'), {"a": 1, "b": {"c": 1}, "l": [{"k": "x", "v": 1}, {"k": "y"}], "s": ["p", "q"]}),
    ],
)
def test_remove(path: fields.Path, left: Obj) -> None:
    value = {"a": 1, "b": {"c": 1}, "l": [{"k": "x", "v": 1}, {"k": "y"}], "s": ["p", "q"]}
    fields.remove(value, path)
    assert value == left


def parent(**notes: str) -> Obj:
    some = applyset.ApplySet("set", "space")
    body = some.parent({"ConfigMap", "Deployment.apps"}, {"space", "b", "a"}, "1.0.0")
    body["metadata"]["uid"] = "u"
    body["metadata"]["annotations"].update(notes)
    return body


def test_parent_is_read_as_it_was_written() -> None:
    some = applyset.ApplySet("set", "space")
    some.read(parent())
    assert (some.exists, some.uid) == (True, "u")
    assert some.group_kinds == {"ConfigMap", "Deployment.apps"} and some.namespaces == {"space", "a", "b"}
    assert parent()["metadata"]["annotations"][applyset.NAMESPACES] == "a,b"


def test_foreign_parents_are_refused() -> None:
    with pytest.raises(KubeError, match="another tool"):
        applyset.ApplySet("set", "space").read(parent(**{applyset.TOOLING: "kubectl/v1"}))
    with pytest.raises(KubeError, match="not the parent of this set"):
        applyset.ApplySet("other", "space").read(parent())


def test_set_id_depends_on_every_part() -> None:
    parts = [
        ("a", "b", "c", "d"),
        ("x", "b", "c", "d"),
        ("a", "x", "c", "d"),
        ("a", "b", "x", "d"),
        ("a", "b", "c", "x"),
    ]
    ids = {applyset.set_id(*part) for part in parts}
    # 63 characters is what a label's value may have.
    assert len(ids) == 5 and all(one.startswith("applyset-") and one.endswith("-v1") and len(one) <= 63 for one in ids)


def secret(**data: str) -> Obj:
    notes = {adopt.LAST_APPLIED: json.dumps(data)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": notes, "uid": "u"},
        "data": data,
    }


@given(st.dictionaries(st.sampled_from("abc"), st.text(min_size=4).map(lambda text: "canary" + text)),
       st.dictionaries(st.sampled_from("abc"), st.text(min_size=4).map(lambda text: "canary" + text)))  # fmt: skip
def test_masks_show_that_and_never_what(old: dict[str, str], new: dict[str, str]) -> None:
    before, after = secret(**old), secret(**new)
    shown = diff.pair(before, after, "Secret s")
    assert "canary" not in json.dumps(shown) and before["data"] == old, "the objects themselves stay"
    for key in "abc":
        changed = key in old and key in new and old[key] != new[key]
        assert (f"{key}: '******** (changed)'" in shown["after"]) is changed
        assert (f"\n  {key}: " in shown["after"]) is (key in new)


def test_diff_leaves_out_the_servers_bookkeeping() -> None:
    live = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "a", "uid": "u", "managedFields": []},
        "status": {"a": 1},
        "b": "ü",
    }
    shown = diff.pair(None, live, "X a")
    assert shown["before"] == "" and shown["after"] == "apiVersion: v1\nb: ü\nkind: X\nmetadata:\n  name: a\n"


def test_not_after(tmp_path: pathlib.Path) -> None:
    cryptography = pytest.importorskip("cryptography")
    from cryptography import x509 as real
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    assert cryptography
    for year in (2031, 2049, 2050, 2120):
        end = datetime.datetime(year, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
        key, name = ec.generate_private_key(ec.SECP256R1()), real.Name([])
        builder = (
            real.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        )
        signed = (
            builder.not_valid_before(end - datetime.timedelta(days=1)).not_valid_after(end).sign(key, hashes.SHA256())
        )
        assert x509.not_after(signed.public_bytes(serialization.Encoding.PEM)) == end.timestamp()
    for nonsense in (
        b"",
        b"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END",
    ):
        assert x509.not_after(nonsense) is None


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=4),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


def through_go(value: t.Any) -> t.Any:
    """As Go's encoding/json into interface{} and out again leaves it: every number a float64."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, list):
        return [through_go(item) for item in value]
    return {key: through_go(item) for key, item in value.items()}


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=3))
def test_digest_survives_helm(values: Obj) -> None:
    assert helm.values_digest(values) == helm.values_digest(through_go(values))
    assert helm.values_digest(dict(reversed(list(values.items())))) == helm.values_digest(values)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, None, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": True}, {"a": "true"}, False),
        ({"a": None}, {}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({1: "a"}, {"1": "a"}, True),
    ],
)
def test_digest(one: t.Any, other: t.Any, same: bool) -> None:
    assert (helm.values_digest(one) == helm.values_digest(other)) is same


@pytest.mark.parametrize(
    ("status", "body", "reason", "words"),
    [
        (403, {"message": 'pods "x" is forbidden: exceeded quota: q'}, "quota", "Raise the ResourceQuota"),
        (403, {"message": 'violates PodSecurity "restricted:latest"'}, "admission", "Pod Security level"),
        (403, {"message": 'User "x" cannot patch resource'}, "forbidden", "Grant this right"),
        (400, {"message": 'admission webhook "w" denied the request: no'}, "admission", "as the policy asks"),
        (500, {"message": 'failed calling webhook "w"'}, "admission", "pods and service"),
        (422, {"message": "spec.x: Invalid value"}, "invalid", "Correct the object"),
        (404, {"message": 'namespaces "x" not found'}, "invalid", "Create the namespace"),
        (413, {}, "invalid", "etcd takes 1.5 MiB"),
        (503, {"message": "down"}, "api", "still so after repeating it: down"),
        (418, {"message": "teapot"}, "api", "HTTP 418: teapot"),
    ],
)
def test_explain(status: int, body: Obj, reason: str, words: str) -> None:
    error = explain.explain(ApiError("PATCH", "/x", status, body), "Pod a/b", "file f, document 2")
    assert error.reason == reason and words in str(error) and str(error).startswith("Pod a/b (file f, document 2): ")


def test_conflict_names_fields_by_owner() -> None:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "helm" using apps/v1: .spec.a',
            "field": ".spec.a",
        },
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "helm" using apps/v1: .spec.b',
            "field": ".spec.b",
        },
        {"reason": "FieldManagerConflict", "message": 'conflict with "hpa" using apps/v1: .spec.c', "field": ".spec.c"},
    ]
    error = explain.explain(ApiError("PATCH", "/x", 409, {"details": {"causes": causes}}), "X y", "")
    assert error.cause == ".spec.a, .spec.b are owned by helm; .spec.c is owned by hpa"


def test_specs_name_no_option_twice() -> None:
    for spec in (arguments.APPLY, arguments.RELEASE_INFO, arguments.CLUSTER_INFO):
        names = [name for key, option in spec.items() for name in (key, *option.get("aliases", []))]
        assert len(names) == len(set(names)) and arguments.CONNECTION.items() <= spec.items()
