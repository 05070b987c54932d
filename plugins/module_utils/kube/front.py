# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments to a result: what the modules do, callable from a module or inside the controller."""

from __future__ import annotations

import typing as t

from . import info
from .applyset import ApplySet
from .client import Client, Clock
from .config import load_login
from .engine import Engine
from .errors import ApiError, KubeError, Unreachable
from .explain import explain
from .manifests import collect, plain, wanted_object
from .plan import Options

Obj = dict[str, t.Any]
VERSION = "1.0.0"


def _client(params: t.Mapping[str, t.Any], environ: t.Mapping[str, str], clock: Clock | None) -> Client:
    connection = dict(params)
    if isinstance(connection.get("kubeconfig"), dict):
        connection["kubeconfig"] = plain(connection["kubeconfig"])
    return Client(load_login(connection, environ), clock=clock)


def apply(
    params: t.Mapping[str, t.Any],
    environ: t.Mapping[str, str],
    *,
    check: bool = False,
    diff: bool = False,
    clock: Clock | None = None,
    read: t.Callable[[str], tuple[bytes, str]] | None = None,
) -> Obj:
    """changed, objects, counts, apply_set, warnings, diff; KubeError with .objects where it fails."""
    whole_set = params.get("apply_set") and params["state"] == "absent"
    if params.get("definition") is None and not params.get("src") and not whole_set:
        raise KubeError(
            "apply",
            "neither definition nor src is given",
            "Give one; apply_set alone is enough for state absent",
            reason="invalid",
        )
    documents = collect(
        params.get("definition"), *((read or read_file)(str(params["src"])) if params.get("src") else (None, ""))
    )
    wanted = [wanted_object(where, document, params.get("namespace")) for where, document in documents]
    apply_set = ApplySet(**plain(params["apply_set"])) if params.get("apply_set") else None
    if apply_set and not wanted and params["state"] == "present" and apply_set.prune:
        raise KubeError(
            f"Set {apply_set.label}",
            "the definition holds no object, which would prune everything",
            "Nothing was changed. Use state: absent to delete a set",
            reason="invalid",
        )
    options = Options(
        state=str(params["state"]),
        field_manager=str(params["field_manager"]),
        force_conflicts=bool(params["force_conflicts"]),
        wait=bool(params["wait"]),
        wait_timeout=float(params["wait_timeout"]),
        check=check,
        diff=diff,
        version=VERSION,
    )
    if not wanted and apply_set is None:
        return {"changed": False, "objects": [], "counts": {}}
    client = _client(params, environ, clock)
    try:
        engine = Engine(client, options, apply_set)
        engine.run(wanted)
    finally:
        client.close()
    return _apply_result(engine, apply_set, diff)


def _apply_result(engine: Engine, apply_set: ApplySet | None, diff: bool) -> Obj:
    counts: dict[str, int] = {}
    for entry in engine.results:
        counts[entry["action"]] = counts.get(entry["action"], 0) + 1
    result: Obj = {"changed": engine.changed, "objects": engine.results, "counts": counts}
    if apply_set:
        result["apply_set"] = {
            "id": apply_set.id,
            "name": apply_set.name,
            "namespace": apply_set.namespace,
            "kind": apply_set.kind,
            "action": engine.set_action,
        }
    if engine.warnings:
        result["warnings"] = engine.warnings
    if diff:
        result["diff"] = engine.diffs
    return result


def read_file(src: str) -> tuple[bytes, str]:
    """(content, path as it is named in messages)."""
    try:
        with open(src, "rb") as handle:
            return handle.read(), src
    except OSError as error:
        raise KubeError(
            f"file {src}",
            str(error.strerror),
            "Nothing was changed. Give a readable file",
            reason="unparsable",
        ) from error


def release_info(params: t.Mapping[str, t.Any], environ: t.Mapping[str, str], *, clock: Clock | None = None) -> Obj:
    """changed (false), releases."""
    client = _client(params, environ, clock)
    try:
        found = info.releases(client, params.get("namespaces"), params.get("names"), bool(params["check_objects"]))
    finally:
        client.close()
    return {"changed": False, "releases": found}


def cluster_info(params: t.Mapping[str, t.Any], environ: t.Mapping[str, str], *, clock: Clock | None = None) -> Obj:
    """changed (false), reachable, cause, what info.cluster tells and, where asked for, what info.releases does."""
    try:
        client = _client(params, environ, clock)
        try:
            found = info.cluster(
                client,
                (str(params["identity_namespace"]), str(params["identity_name"])),
                [str(group) for group in params["api_groups"]],
                [str(crd) for crd in params["crds"]],
                inside=bool(params.get("inside")),
                network=bool(params.get("network")),
            )
            if params["releases"]:
                found["releases"] = info.releases(client, None, None, check_objects=True)
        finally:
            client.close()
    except KubeError as error:
        # A missing kubeconfig is a cluster that is not there yet, too.
        if not params["allow_unreachable"] or not (isinstance(error, Unreachable) or error.reason == "config"):
            raise
        return {"changed": False, "reachable": False, "cause": str(error)}
    return {"changed": False, "reachable": True, "cause": "", **found}


def failure(error: KubeError | ApiError) -> Obj:
    """msg, error and objects for a failing result."""
    if isinstance(error, ApiError):
        error = explain(error, f"{error.method} {error.path}", "")
    result: Obj = {"msg": str(error), "error": error.as_dict()}
    if error.objects:
        result["objects"] = error.objects
    return result


def did_change(error: KubeError | ApiError) -> bool:
    """Whether something had been changed before it failed."""
    objects = error.objects if isinstance(error, KubeError) else []
    return any(entry["action"] in ("created", "changed", "adopted", "deleted") for entry in objects)
