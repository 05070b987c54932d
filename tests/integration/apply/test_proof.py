# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claim of the unit tests against the real server: what is proven unchanged, the server does not change either."""

from __future__ import annotations

import copy
import typing as t
import urllib.error

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.enclii.platform.plugins.module_utils.kube import applyset, fields

from .test_apply import crd

Obj = dict[str, t.Any]
GROUP = "proof.example.org"
SCALARS = st.one_of(st.integers(0, 2), st.sampled_from(["", "x", "1"]), st.booleans(), st.none(), st.just(1.5))
FREE = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=4,
)
ITEMS = st.lists(
    st.fixed_dictionaries({"k": st.sampled_from("pqr")}, optional={"v": st.sampled_from("xy")}),
    max_size=3,
    unique_by=lambda item: item["k"],
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 2),
        "ratio": st.sampled_from([0.5, 1.5, 1.0]),
        "hosts": st.lists(st.sampled_from("xyz"), unique=True, max_size=3),
        "plain": st.lists(st.sampled_from("xy"), max_size=2),
        "keyed": ITEMS,
        "free": st.dictionaries(st.sampled_from("ab"), FREE, max_size=2),
        "named": st.dictionaries(
            st.sampled_from("ab"),
            st.fixed_dictionaries({}, optional={"n": st.integers(6, 8), "m": st.just("m")}),
            max_size=2,
        ),
    },
)


@pytest.fixture(scope="module")
def things(server: t.Any) -> t.Iterator[t.Callable[..., Obj]]:
    """apply(manager, name, spec, labels) -> the object as the server has it, past our own client."""
    definition = crd(GROUP, "Cluster")
    root = f"/apis/{GROUP}/v1/things/"

    def body(name: str, spec: Obj, labels: Obj) -> Obj:
        return {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Thing",
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
        }

    def apply(manager: str, name: str, spec: Obj, labels: Obj) -> Obj:
        query = f"?fieldManager={manager}&force=true"
        return t.cast(
            Obj, server.raw(root + name + query, "PATCH", body(name, spec, labels), "application/apply-patch+yaml")
        )

    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    server.raw(path, "POST", definition)
    for _attempt in range(200):
        try:
            server.raw(root)
            break
        except urllib.error.HTTPError:
            continue
    yield apply
    server.raw(f"{path}/things.{GROUP}", "DELETE")


LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
COUNT = {"number": 0, "proven": 0}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_proof_is_right_on_the_real_server(things: t.Callable[..., Obj], data: st.DataObject) -> None:
    COUNT["number"] += 1
    name = f"x{COUNT['number']}"
    mine, labels = data.draw(SPECS), data.draw(LABELS)
    try:
        if data.draw(st.booleans(), "somebody else was there"):
            things("other", name, data.draw(SPECS), data.draw(LABELS))
        live = things("ours", name, mine, labels)
        if data.draw(st.sampled_from([False, True, False]), "somebody else came after us"):
            live = things("other", name, data.draw(SPECS), data.draw(LABELS))
    except urllib.error.HTTPError as error:
        # Two managers can make what the schema refuses: spec: null where both gave up its last field.
        assume(error.code != 422)
        raise
    spec = copy.deepcopy(mine)
    if data.draw(st.sampled_from([False, True, False]), "something else is wanted next"):
        spec, labels = data.draw(SPECS), data.draw(LABELS)
    wanted = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": {"name": name, "labels": labels}, "spec": spec}
    if fields.proves(wanted, live, "ours"):
        COUNT["proven"] += 1
        after = things("ours", name, spec, labels)
        assert after["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]


def test_the_property_above_met_enough_proofs(server: t.Any) -> None:
    assert server and COUNT["proven"] > COUNT["number"] / 10, COUNT


def test_set_ids_are_kubectls(kube: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL_APPLYSET", "true")
    manifest = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a, namespace: {kube.namespace}}}\n"
    kube.server.kubectl(
        "apply", "--prune", "--applyset=secrets/theirs", "-n", kube.namespace, "-f", "-", stdin=manifest
    )
    parent = kube.live("secret", "theirs")["metadata"]
    assert parent["labels"][applyset.ID] == applyset.set_id("theirs", kube.namespace, "Secret")
    assert parent["annotations"].keys() >= {applyset.TOOLING, applyset.GROUP_KINDS, applyset.NAMESPACES}
    member = kube.live("secret", "a")["metadata"]["labels"]
    assert member == {applyset.PART_OF: parent["labels"][applyset.ID]}
