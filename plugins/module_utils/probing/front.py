# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From checked arguments of network_probe to its result, in a module or inside the controller."""

from __future__ import annotations

import contextlib
import pathlib
import secrets
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..evidence.store import Store, opened, record
from ..flows.evaluate import Evaluator
from ..flows.matrix import identities
from ..flows.model import Flow, FlowError, read_flows
from ..flows.render import policies
from ..kube.client import Client, Clock
from ..kube.config import load_login
from ..kube.errors import ApiError, KubeError
from . import live, objects, rehearse, verdicts
from .cleanup import PATIENCE, Others, Pulse, create, sweep
from .live import Cluster
from .plan import Design, describe, design
from .run import Outcome, Run, Settings

KIND = "network-probe"
_SETTLE = 20.0  # seconds until a verdict that is not as declared is final
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Question:
    """What is asked of one cluster. names: namespaces with their labels; scratch: that of a rehearsal, or empty; extra: policies it gets"""

    cluster: Cluster
    flows: list[Flow]
    spaces: Mapping[str, str]
    declared: Mapping[str, Obj]
    made: Design
    names: Mapping[str, Mapping[str, str]]
    scratch: str = ""
    extra: Sequence[Obj] = ()
    more: Sequence[str] = ()


def network_probe(
    params: Mapping[str, t.Any],
    environ: Mapping[str, str],
    *,
    check: bool = False,
    clock: Clock | None = None,
    token: t.Callable[[int], str] = secrets.token_hex,
) -> Obj:
    """changed (false), verdict, findings, notices, pairs, counts, figures, plan, swept; see module network_probe. Raises KubeError."""
    clock = clock or Clock()
    began = clock.monotonic()
    try:
        flows = read_flows(params["components"], params["flows"], params["environments"])
    except FlowError as error:
        raise _as_kube_error(error) from error
    client = Client(load_login(params, environ), clock=clock, threads=max(1, int(params["parallel"])))
    run = token(4)
    try:
        question = _ask(client, params, flows, run)
        if check:
            return _planned(question)
        store = opened(client, params.get("evidence"), clock)
        started = datetime.fromtimestamp(clock.time(), UTC)
        outcome, swept, left = _go(client, params, question, run)
        result = _result(client, params, question, outcome)
        result["swept"] = swept
        result["notices"] += left
        result["figures"]["seconds"] = round(clock.monotonic() - began, 2)
        if store is not None:
            _write(store, params, question, result, started, datetime.fromtimestamp(clock.time(), UTC))
        _refuse(params, result)
        return result
    finally:
        client.close()


def _as_kube_error(error: FlowError) -> KubeError:
    return KubeError(error.subject, error.cause, error.next_step, reason="invalid")


# -- what is asked -----------------------------------------------------------------------------


def _ask(client: Client, params: Mapping[str, t.Any], flows: list[Flow], run: str) -> Question:
    spaces = {str(name): str(mode) for name, mode in params["spaces"].items()}
    space = params.get("rehearse") or ""
    ends = {name for flow in flows for end in (flow.source, flow.target) for name in end.namespaces}
    cluster = live.look(client, ends | set(spaces) | ({space} if space else set()))
    missing = sorted((set(spaces) if not space else {space}) - set(cluster.namespaces))
    if missing:
        raise KubeError(
            f"Namespace {missing[0]}",
            f"there {'is no such namespace' if len(missing) == 1 else 'are no namespaces ' + ', '.join(missing)}",
            "Run the platform's playbook with --tags baseline first",
            reason="invalid",
        )
    addresses = [str(one) for one in params["dns_addresses"]]
    try:
        if space:
            return _rehearsal(params, cluster, flows, space, run, addresses)
        declared = live.by_name(policies(flows, spaces, cluster.facts, addresses))
    except FlowError as error:
        raise _as_kube_error(error) from error
    idle = cluster.idle(spaces)
    tried = {name: mode for name, mode in spaces.items() if name not in idle}
    published = {one: service for one in identities(flows, tried) if (service := cluster.publishes(one))}
    made = design(
        flows, tried, cluster.facts, Evaluator(declared.values(), cluster.namespaces),
        servers=live.servers(flows, cluster.pods), sources=params["sources"], targets=params["targets"],
        without=list(published), nodes=cluster.nodes,
        outside=f"enclii-outside-{run}" if "enforce" in tried.values() else "",
    )  # fmt: skip
    if not [task for task in made.tasks if task.flow != "witness"]:
        raise KubeError(
            "Probe",
            "there is no pair to be tried",
            "Give spaces at least one namespace, and filters that take something",
            reason="invalid",
        )
    names = cluster.namespaces
    if made.outside:
        names = {**names, made.outside: objects.namespace(run, made.outside)["metadata"]["labels"]}
    more = [
        f"no node agent runs in namespace {space}, so that no probe pod may run there either: its pods are not tried"
        for space in idle
    ]
    more += [
        f"pods {one.namespace}/{one.name} are not tried: Service {service} has publishNotReadyAddresses, so that a probe pod "
        f"would get its callers"
        for one, service in published.items()
    ]
    return Question(cluster, flows, spaces, declared, made, names, more=more)


def _rehearsal(
    params: Mapping[str, t.Any], cluster: Cluster, flows: list[Flow], space: str, run: str, addresses: list[str]
) -> Question:
    scratch = f"enclii-rehearsal-{run}"
    moved = rehearse.moved(flows, space, scratch)
    walls, own = rehearse.wanted(moved, space, scratch, cluster.facts, addresses, cluster.policies)
    names = {**cluster.namespaces, scratch: objects.namespace(run, scratch)["metadata"]["labels"]}
    declared = live.by_name(walls)
    judge = Evaluator(walls, names)
    pods = [pod for pod in cluster.pods if pod["metadata"]["namespace"] == space]
    made = design(
        moved, {scratch: "enforce"}, cluster.facts, judge, sources=params["sources"],
        targets=params["targets"] or rehearse.LIFELINES, more=rehearse.identities_of(pods, scratch), home=scratch,
        nodes=cluster.nodes,
    )  # fmt: skip
    more = rehearse.without_api_server(pods, scratch, cluster.facts, judge)
    return Question(cluster, moved, {scratch: "enforce"}, declared, made, names, scratch, [*walls, *own], more)


def _planned(question: Question) -> Obj:
    tried = [task for task in question.made.tasks if task.flow != "witness" and task.aim.kind != "metadata"]
    rows = [
        {
            "source": task.source, "target": task.aim.title, "port": task.aim.port, "protocol": task.aim.protocol,
            "kind": task.aim.kind, "expected": "open" if task.expected else "closed", "flow": task.flow,
        }
        for task in tried
    ]  # fmt: skip
    return {"changed": False, "plan": describe(question.made), "pairs": rows, "notices": list(question.more)}


# -- trying ------------------------------------------------------------------------------------


def _go(
    client: Client, params: Mapping[str, t.Any], question: Question, run: str
) -> tuple[Outcome, list[str], list[str]]:
    """(what came of it, killed runs that were taken away, what is still there of any run, a sentence each).

    Everything that is made is taken away again, whatever happens, and so is what killed runs left behind.
    """
    clock = client.clock
    # In a rehearsal the scratch namespace goes with all that is in it; the pulse is not to go with it.
    place = str(params.get("rehearse") or question.made.home)
    pulse = Pulse(client, run, place)
    others = Others(client, run, clock)
    accounts = question.cluster.accounts()
    settings = Settings(run, str(params["image"]), script(), _SETTLE, float(params["timeout"]), accounts=accounts)
    swept: list[str] = []
    left: list[str] = []
    try:
        for one in others.dead(pulse.start()):
            stays = sweep(client, one, clock)
            left += _stays(one, stays)
            swept += [] if stays else [one]
        judge = question.cluster.evaluator()
        if question.made.outside:
            create(client, "/api/v1/namespaces", objects.namespace(run, question.made.outside))
        if question.scratch:
            judge = _furnish(client, question, run)
        outcome = Run(client, question.made, question.cluster.facts, judge, settings).go()
    except BaseException:
        pulse.stop()
        # What went wrong is what is told; what could not be taken away now, the next run does.
        with contextlib.suppress(KubeError, ApiError):
            sweep(client, run, clock)
        raise
    ending = clock.monotonic()
    pulse.stop()
    # From here on nothing is raised: what was found is worth more than that something stays.
    try:
        left += _stays(run, sweep(client, run, clock))
        for one in others.died_since():
            stays = sweep(client, one, clock)
            left += _stays(one, stays)
            swept += [] if stays else [one]
    except (KubeError, ApiError) as error:
        left.append(f"what the probe made was not all taken away: {error} The next run takes away what is left.")
    outcome.seconds["removed"] = clock.monotonic() - ending
    return outcome, swept, left


def _stays(run: str, left: Sequence[str]) -> list[str]:
    if not left:
        return []
    more = f", and {len(left) - 1} more" if len(left) > 1 else ""
    return [
        f"{left[0]} of run {run} is still there {PATIENCE:.0f} s after its deletion{more}: see whether the kubelet of its node runs; "
        f"the next run takes away what is left"
    ]


def _furnish(client: Client, question: Question, run: str) -> Evaluator:
    """The scratch namespace with the policies of the rehearsed one; who judges by them and by all others."""
    create(client, "/api/v1/namespaces", objects.namespace(run, question.scratch))
    path = f"/apis/networking.k8s.io/v1/namespaces/{question.scratch}/networkpolicies"
    for policy in question.extra:
        about = {**policy["metadata"], "labels": objects.labels(run)}
        create(client, path, {**policy, "metadata": about})
    live_now = [*question.cluster.policies.values(), *question.extra]
    return Evaluator(live_now, question.names)


def script() -> str:
    # Read as a file, not imported: it is what pods run, and what runs there must be what is tested here.
    return (pathlib.Path(__file__).with_name("in_pod.py")).read_text(encoding="utf-8")


# -- telling -----------------------------------------------------------------------------------


def _result(client: Client, params: Mapping[str, t.Any], question: Question, outcome: Outcome) -> Obj:
    notices = list(question.more)
    now = live.policies_now(client)
    if {name: str(one["metadata"].get("resourceVersion")) for name, one in now.items()} != question.cluster.versions():
        notices.append("policies were changed while they were tried: try again for a verdict on what holds now")
    there = {**now, **live.by_name(question.extra)}
    walls = verdicts.Walls(
        there,
        question.declared,
        Evaluator(there.values(), question.names),
        Evaluator(question.declared.values(), question.names),
        next(iter(question.cluster.facts.control_plane), ""),
    )
    judged = verdicts.judge_all(question.made, outcome, walls)
    told = verdicts.findings(question.made, judged)
    severities = []
    if not question.scratch:
        pods = live.running(question.cluster.pods)
        for severity, text in [
            *verdicts.missing_labels(question.flows, params["components"], pods),
            *verdicts.unlabelled(question.spaces, question.cluster.namespaces),
            *verdicts.strange(question.spaces, walls),
        ]:
            notice = severity == verdicts.NOTICE
            (notices if notice else told).append(text if notice else f"{severity}: {text}")
            severities.append(severity)
    counts = dict.fromkeys((verdicts.OK, verdicts.OPEN, verdicts.CLOSED, verdicts.UNKNOWN), 0)
    for one in judged:
        counts[one.verdict] += 1
    good = [outcome.results[one.number].since for one in judged if one.verdict == verdicts.OK]
    figures = {
        "pods": len(outcome.states), "pairs": len(judged), **{f"pairs_{name}": count for name, count in counts.items()},
        "settled_seconds": max(good, default=0.0), **{f"{name}_seconds": round(took, 2) for name, took in outcome.seconds.items()},
    }  # fmt: skip
    return {
        "changed": False,
        "verdict": verdicts.overall(judged, severities),
        "findings": told,
        "notices": notices,
        "counts": counts,
        "figures": figures,
        "plan": describe(question.made),
        "pairs": verdicts.rows(question.made, outcome, judged),
    }


def _refuse(params: Mapping[str, t.Any], result: Obj) -> None:
    """A rehearsal that went wrong is an error unless something else is asked for: what it comes before must not happen."""
    space = params.get("rehearse")
    limit = params.get("fail_on") or ("fail" if space else "never")
    bad = {"fail": (verdicts.FAIL,), "unknown": (verdicts.FAIL, verdicts.UNKNOWN.upper()), "never": ()}[limit]
    if result["verdict"] in bad:
        raise KubeError(
            f"Rehearsal of namespace {space}" if space else "Walls",
            f"{result['verdict']}: " + "; ".join(result["findings"]),
            "Nothing was changed. Correct the flows or the policies that are named, and try again",
            reason="not_ready",
        )


def _write(
    store: Store, params: Mapping[str, t.Any], question: Question, result: Obj, started: datetime, ended: datetime
) -> None:
    wanted = params["evidence"]
    space = params.get("rehearse")
    # Part of the matrix proves nothing about the whole, so it is another subject.
    part = " in part" if params["sources"] or params["targets"] else ""
    obj = record(
        kind=KIND,
        subject=f"rehearsal of {space}{part}" if space else f"walls{part}",
        verdict=result["verdict"],
        started=started,
        ended=ended,
        valid_for=timedelta(hours=int(wanted["valid_for"])),
        figures=result["figures"],
        versions={"kubernetes": question.cluster.version},
        findings=result["findings"],
        details={"plan": result["plan"], "notices": result["notices"]},
    )
    try:
        store.write(obj, keep=int(wanted["keep"]))
    except (KubeError, ApiError) as error:
        # What was found is worth more than its record: the run is told, with why it was not kept.
        result["notices"].append(f"the evidence was not written: {error}")
        return
    result["evidence"] = obj["metadata"]["name"]
