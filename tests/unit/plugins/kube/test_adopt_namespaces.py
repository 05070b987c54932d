# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace that people labelled for Pod Security before there were walls."""

from __future__ import annotations

import typing as t

from ansible_collections.enclii.platform.plugins.module_utils.kube import adopt, fields

Obj = dict[str, t.Any]
WARN, ENFORCE = "pod-security.kubernetes.io/warn", "pod-security.kubernetes.io/enforce"


def entry(manager: str, operation: str, *labels: str) -> Obj:
    owned = {f"f:{label}": {} for label in labels}
    return {
        "manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": owned}},
    }  # fmt: skip


def space(*entries: Obj, **labels: str) -> Obj:
    metadata = {"name": "shop", "labels": labels, "managedFields": list(entries)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


WANTED = space(**{WARN: "restricted", "team": "enclii"})


def test_labels_of_pod_security_set_by_hand_become_ours_and_no_others() -> None:
    by_hand = entry("kubectl-label", "Update", WARN, ENFORCE, "team")
    owners, managers = adopt.take_over(space(by_hand), WANTED, "ours", "now") or ([], [])
    assert managers == ["kubectl-label"]
    assert fields.paths(owners[0]["fieldsV1"]) == {("f:metadata", "f:labels", f"f:{WARN}")}
    # a level that we do not set stays, and so does a label that is none of Pod Security's
    assert owners[1] == entry("kubectl-label", "Update", ENFORCE, "team")


def test_an_operators_labels_stay_a_conflict() -> None:
    for one in (entry("flux", "Apply", WARN), entry("terraform", "Update", WARN), entry("kubectl", "Apply", "x")):
        assert adopt.take_over(space(one), WANTED, "ours", "now") is None


def test_only_the_first_time() -> None:
    ours = entry("ours", "Apply", "team")
    assert adopt.take_over(space(ours, entry("kubectl-label", "Update", WARN)), WANTED, "ours", "now") is None


def test_a_dry_run_knows_which_conflicts_are_taken_over() -> None:
    message = 'conflict with "kubectl-label" using v1'
    assert adopt.names_taken(message, f".metadata.labels.{WARN}")
    assert not adopt.names_taken(message, ".metadata.labels.team")
    assert not adopt.names_taken(message)
    assert not adopt.names_taken('conflict with "flux" using v1', f".metadata.labels.{WARN}")
