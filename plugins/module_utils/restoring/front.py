# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of restore_verify to its result, in a module or inside the controller."""

from __future__ import annotations

import contextlib
import secrets
import typing as t
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ..evidence.store import Store, opened, record
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import ApiError, KubeError
from ..kube.ready import pod_reason
from ..postgres.identity import system_id
from . import live, objects
from .cleanup import PATIENCE, Pulse, create, dead, place, sweep

KIND = "restore-proof"
PASS, FAIL, UNKNOWN = "PASS", "FAIL", "UNKNOWN"
# Phases in which PostgreSQL's and pgBackRest's programs work; the rest of the time is ours.
TOOLS = ("verify", "restore", "start", "amcheck", "dump", "stop", "checksums")
_HOPELESS = ("ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff", "CreateContainerConfigError")
_GRACE = 60  # seconds that the kubelet gives the pod beyond the deadline of the script in it
Obj = dict[str, t.Any]
Params = Mapping[str, t.Any]


def restore_verify(
    params: Params,
    environ: Mapping[str, str],
    *,
    check: bool = False,
    clock: Clock | None = None,
    token: t.Callable[[int], str] = secrets.token_hex,
) -> Obj:
    """changed (false), verdict, findings, failures, checks, figures, facts, versions, notices, swept; see module restore_verify.

    Raises KubeError.
    """
    clock = clock or Clock()
    began = clock.monotonic()
    client = Client(load_login(params, environ), clock=clock)
    run = token(4)
    try:
        cronjob, request, notices = _ask(client, params)
        if check:
            return {"changed": False, "request": _without_manifest(request), "notices": notices}
        store = opened(client, params.get("evidence"), clock)
        told, swept, left, started = _go(client, params, cronjob, request, run)
        result = _result(told, clock.monotonic() - began)
        result.update(swept=swept, notices=[*notices, *result["notices"], *left])
        if store is not None:
            _write(store, params, result, started, datetime.fromtimestamp(clock.time(), UTC))
        return result
    finally:
        client.close()


# -- what is asked -----------------------------------------------------------------------------


def _ask(client: Client, params: Params) -> tuple[Obj, Obj, list[str]]:
    """(the CronJob that is the pattern, the request, notices)"""
    space, cluster = str(params["namespace"]), str(params["cluster"])
    label = f"CronJob {space}/{cluster}-restore-proof"
    cronjob = client.find(f"/apis/batch/v1/namespaces/{space}/cronjobs/{cluster}-restore-proof")
    config_map = client.find(f"{place(space, 'configmaps')}/{cluster}-restore-request")
    if cronjob is None or config_map is None:
        raise KubeError(
            label,
            "there is none: without a repository of backups there is nothing to restore",
            "Set patroni_backup_s3, and run the platform's playbook with --tags patroni",
            reason="invalid",
        )
    if problem := objects.unsafe(cronjob):
        step = "Run the platform's playbook with --tags patroni, which makes it as it must be"
        raise KubeError(label, problem, step, reason="invalid")
    try:
        base = objects.base_request(config_map)
    except ValueError as error:
        step = "Run the platform's playbook with --tags patroni"
        raise KubeError(f"ConfigMap {space}/{cluster}-restore-request", str(error), step, reason="invalid") from error
    word, why = live.word(client, space, cluster)
    target = params["target"] or {}
    wanted = {
        **base,
        **_known(word),
        "system_id": system_id(client, space, cluster) or (word or {}).get("system_id") or "",
        "target": aim(target, word, why),
        "set": params["set"],
        "verify": params["verify"],
    }
    wanted["deadline"] = int(params["timeout"])
    if word is not None and target.get("type") == "mark":
        wanted["marker"] = word["marker"]
    for name in ("max_rpo", "jobs"):
        if params.get(name) is not None:
            wanted[name] = int(params[name])
    return cronjob, wanted, [f"the live cluster says nothing of itself: {why}"] if why else []


def _known(word: Obj | None) -> Obj:
    """What the live cluster says, for the proof to compare with."""
    if word is None:
        return {}
    manifest = {name: word[name] for name in ("roles", "databases", "at") if name in word}
    return {"archived": word.get("archived") or "", "manifest": manifest}


def aim(target: Params, word: Obj | None, why: str) -> Obj:
    """Where recovery is to stop, as the script has it. Raises KubeError for what is none."""
    kind, value = target.get("type") or "latest", target.get("value") or ""
    if kind == "mark":
        if word is None:
            step = "See the log of container heartbeat, or name another target"
            raise KubeError("Target mark", why, step, reason="invalid")
        return {"type": "name", "value": word["marker"], "lsn": word["lsn"]}
    if kind == "latest":
        return {"type": "latest"}
    if kind == "time":
        try:
            if datetime.fromisoformat(value).tzinfo is None:
                raise ValueError(value)
        except ValueError:
            step = "Give RFC 3339, such as 2026-11-23T04:05:00Z"
            raise KubeError("Target time", f"{value!r} is no time with a zone", step, reason="invalid") from None
    elif not value.partition("/")[2]:
        raise KubeError("Target lsn", f"{value!r} is none", "Give one such as 0/5000028", reason="invalid")
    return {"type": kind, "value": value}


def _without_manifest(request: Obj) -> Obj:
    return {name: value for name, value in request.items() if name != "manifest"}


# -- restoring ---------------------------------------------------------------------------------


def _go(
    client: Client, params: Params, cronjob: Obj, request: Obj, run: str
) -> tuple[Obj, list[str], list[str], datetime]:
    """(what the pod told, killed runs that were taken away, what is still there, when it began).

    Everything that is made is taken away again, whatever happens, and so is what killed runs left behind.
    """
    clock, space = client.clock, str(params["namespace"])
    pulse = Pulse(client, run, space)
    swept: list[str] = []
    left: list[str] = []
    try:
        owner, started = pulse.start()
        for one in dead(client, space, run, started):
            stays = sweep(client, space, one, clock)
            left += _stays(one, stays)
            swept += [] if stays else [one]
        # By the server's clock, which the heartbeat's is compared with.
        create(
            client,
            place(space, "configmaps"),
            objects.request_map(run, space, {**request, "asked": started.timestamp()}, owner),
        )
        began = clock.monotonic()
        create(client, place(space, "pods"), objects.pod(run, cronjob, owner, int(params["timeout"]) + _GRACE))
        told, ran = _wait(client, params, run)
        told["phases"] = {"provision": round(ran - began, 3), **told["phases"]}
    except BaseException:
        pulse.stop()
        # What went wrong is what is told; what could not be taken away now, the next run does.
        with contextlib.suppress(KubeError, ApiError):
            sweep(client, space, run, clock)
        raise
    ending = clock.monotonic()
    pulse.stop()
    # From here on nothing is raised: what was found is worth more than that something stays.
    try:
        left += _stays(run, sweep(client, space, run, clock))
    except (KubeError, ApiError) as error:
        left.append(f"what the proof made was not all taken away: {error} The next run takes away what is left.")
    told["phases"]["remove"] = round(clock.monotonic() - ending, 3)
    return told, swept, left, started


def _stays(run: str, left: Sequence[str]) -> list[str]:
    if not left:
        return []
    more = f", and {len(left) - 1} more" if len(left) > 1 else ""
    return [
        f"{left[0]} of run {run} is still there {PATIENCE:.0f} s after its deletion{more}: see whether the kubelet of its node runs; "
        f"the next run takes away what is left"
    ]


def _wait(client: Client, params: Params, run: str) -> tuple[Obj, float]:
    """(what the script told, when its pod ran). Raises KubeError where it told nothing."""
    clock, space, name = client.clock, str(params["namespace"]), objects.name_of(run)
    label, path = f"Pod {space}/{name}", f"{place(space, 'pods')}/{name}"
    born, ran = clock.monotonic(), 0.0
    while True:
        pod = client.find(path)
        if pod is None:
            raise KubeError(label, "somebody has deleted it", "Try again", reason="not_ready")
        phase = (pod.get("status") or {}).get("phase")
        if not ran and phase in ("Running", "Succeeded", "Failed"):
            ran = clock.monotonic()
        if phase in ("Succeeded", "Failed"):
            return told_by(live.log(client, space, name, objects.CONTAINER, 20), pod, label), ran
        waited = clock.monotonic() - (ran or born)
        why = pod_reason(pod)
        if not ran and (waited > float(params["start_timeout"]) or any(word in why for word in _HOPELESS)):
            raise KubeError(
                label, f"it does not run after {waited:.0f} s: {why}", "Repair what it waits for", reason="not_ready"
            )
        if ran and waited > float(params["timeout"]) + 2 * _GRACE:
            step = "See whether the kubelet of its node runs"
            raise KubeError(label, f"it has not ended after {waited:.0f} s", step, reason="timeout")
        clock.sleep(1.0 if ran else 0.3)


def told_by(text: str, pod: Obj, label: str) -> Obj:
    """The result in a log. Raises KubeError where there is none."""
    found = live.lines(text, "enclii-restore-proof")
    if found:
        return found[-1]
    status = pod.get("status") or {}
    ends = [(one.get("state") or {}).get("terminated") or {} for one in status.get("containerStatuses") or []]
    how = next(
        (f"{one.get('reason') or 'it ended'}, exit code {one.get('exitCode')}" for one in ends if one),
        status.get("reason") or "it ended",
    )
    last = " ".join(text.split())[-300:]
    step = "Give it more memory or a larger timeout if that is why; else look at what it said"
    raise KubeError(label, f"it told no result ({how}){f': {last}' if last else ''}", step, reason="not_ready")


# -- telling -----------------------------------------------------------------------------------


def _result(told: Obj, seconds: float) -> Obj:
    phases = {name: float(value) for name, value in told["phases"].items()}
    tools = sum(phases.get(name, 0.0) for name in TOOLS)
    figures = {
        **told["figures"], **{f"{name}_seconds": value for name, value in phases.items() if name != "total"},
        "seconds": round(seconds, 3), "own_seconds": round(seconds - tools, 3),
    }  # fmt: skip
    verdict = told["verdict"] if told["verdict"] in (PASS, FAIL) else UNKNOWN
    return {
        "changed": False, "verdict": verdict, "findings": findings(told), "failures": told["failures"], "checks": told["checks"],
        "figures": figures, "facts": told["facts"], "versions": told["versions"], "notices": list(told["notices"]),
    }  # fmt: skip


def findings(told: Obj) -> list[str]:
    """One sentence for each failure, by its name, and for what is not known."""
    found = [f"{one['name']}: {one['object']}: {one['cause']}. {one['next']}" for one in told["failures"]]
    return found + [f"unknown: {one['name']}: {one['why']}" for one in told["checks"] if one["verdict"] == UNKNOWN]


def _write(store: Store, params: Params, result: Obj, started: datetime, ended: datetime) -> None:
    wanted = params["evidence"]
    kind = (params["target"] or {}).get("type") or "latest"
    # To recover to a moment and to the newest prove different things, so that they are two subjects.
    part = "" if kind == "latest" else f" to a {kind}"
    obj = record(
        kind=KIND,
        subject=f"{params['namespace']}/{params['cluster']}{part}",
        verdict=result["verdict"],
        started=min(started, ended),
        ended=ended,
        valid_for=timedelta(hours=int(wanted["valid_for"])),
        figures=result["figures"],
        versions=result["versions"],
        findings=result["findings"],
        details={"checks": result["checks"], "facts": result["facts"], "notices": result["notices"]},
    )
    try:
        store.write(obj, keep=int(wanted["keep"]))
    except (KubeError, ApiError) as error:
        # What was found is worth more than its record: the run is told, with why it was not kept.
        result["notices"].append(f"the evidence was not written: {error}")
        return
    result["evidence"] = obj["metadata"]["name"]
