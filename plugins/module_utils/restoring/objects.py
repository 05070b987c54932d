# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a proof: its request, and a pod made after the pattern that the role's CronJob holds."""

from __future__ import annotations

import copy
import json
import typing as t
from collections.abc import Mapping

RUN, ROLE = "restore.enclii.dev/run", "restore.enclii.dev/role"
ALIVE, REQUEST = "alive", "request"
SCHEDULED = "restore.enclii.dev/scheduled"  # on pods that the CronJob makes: their results are recorded by another one
CONTAINER = "proof"
Obj = dict[str, t.Any]


def name_of(run: str) -> str:
    return f"restore-proof-{run}"


def request_map(run: str, namespace: str, request: Mapping[str, t.Any], owner: Obj) -> Obj:
    about = {
        "name": name_of(run),
        "namespace": namespace,
        "labels": {RUN: run, ROLE: REQUEST},
        "ownerReferences": [_owner(owner)],
    }
    data = {"request.json": json.dumps(request, sort_keys=True)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": data}


def base_request(config_map: Obj) -> Obj:
    """What the role says of every proof. Raises ValueError where that is no request."""
    found = json.loads((config_map.get("data") or {}).get("request.json") or "")
    if not isinstance(found, dict) or not found.get("stanza"):
        raise ValueError("it names no stanza")
    return found


def pod(run: str, cronjob: Obj, owner: Obj, deadline: int) -> Obj:
    """owner: the object that lives as long as the run. Its volume is an ephemeral one, which goes with it.

    deadline: seconds after which the kubelet ends it, whether anybody still waits for it or not.
    """
    template = copy.deepcopy(cronjob["spec"]["jobTemplate"]["spec"]["template"])
    labels = {**(template.get("metadata") or {}).get("labels", {}), RUN: run, ROLE: CONTAINER}
    labels.pop(SCHEDULED, None)
    spec = template["spec"]
    spec.update(restartPolicy="Never", activeDeadlineSeconds=deadline)
    for volume in spec.get("volumes") or []:
        if volume["name"] == REQUEST:
            volume.clear()
            volume.update(name=REQUEST, configMap={"name": name_of(run)})
        claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
        if claim is not None:
            about = claim.setdefault("metadata", {})
            about["labels"] = {**about.get("labels", {}), RUN: run}
    about = {
        "name": name_of(run), "namespace": owner["metadata"]["namespace"], "labels": labels, "ownerReferences": [_owner(owner)],
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec}


def unsafe(cronjob: Obj) -> str:
    """Why a pod after this pattern would be none that may hold a restored database; '' where it would."""
    spec = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    volumes = spec.get("volumes") or []
    if spec.get("automountServiceAccountToken") is not False:
        return "its pods get the token of an account"
    if any(
        "serviceAccountToken" in source
        for one in volumes
        for source in (one.get("projected") or {}).get("sources") or []
    ):
        return "its pods mount the token of an account"
    if spec.get("hostNetwork"):
        return "its pods use the network of their node"
    if REQUEST not in {one["name"] for one in volumes}:
        return f"it has no volume {REQUEST}"
    if CONTAINER not in {one["name"] for one in spec["containers"]}:
        return f"it has no container {CONTAINER}"
    return ""


def _owner(obj: Obj) -> Obj:
    about = obj["metadata"]
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "name": about["name"], "uid": about["uid"], "controller": True,
        "blockOwnerDeletion": False,
    }  # fmt: skip
