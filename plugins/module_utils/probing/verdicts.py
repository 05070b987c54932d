# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was tried to verdicts, and from verdicts to findings that name what is to be changed."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..flows.evaluate import Evaluator, Judgement, Pod
from ..flows.model import Flow
from ..flows.render import DEFAULT_DENY
from .in_pod import CONNECTED, DNS_FAILED, ERROR
from .plan import API_SERVER, WITNESS, Aim, Design, Task
from .run import Outcome, Result

OK, OPEN, CLOSED, UNKNOWN = "ok", "open", "closed", "unknown"
DIFFERS, NOTICE = "differs", "notice"
PASS, FAIL = "PASS", "FAIL"
WALLS = "enclii.dev/walls"
_NOT_OPENED = "the run's own policy, which opens one port more, did not open it either"
_SHOWN = 4  # examples in one finding
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Verdict:
    """task's verdict; why: what names it, where it is not ok; pairs with the same cause have the same text"""

    number: int
    verdict: str
    why: str = ""


@dataclass(frozen=True)
class Reached:
    """What connections of the run got to: places, and (node, node) ways between its own pods."""

    places: frozenset[str]
    ways: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Walls:
    """Policies: those there are and those that the flows amount to, by namespace/name, and who judges by them.

    api_server: an address that it calls from
    """

    live: Mapping[str, Obj]
    declared: Mapping[str, Obj]
    live_judge: Evaluator
    declared_judge: Evaluator
    api_server: str = ""


def judge_all(made: Design, outcome: Outcome, walls: Walls) -> list[Verdict]:
    told = [(made.tasks[number], result) for number, result in outcome.results.items()]
    reached = Reached(
        frozenset(task.aim.place for task, result in told if result.outcome == CONNECTED),
        frozenset(
            _way(task, outcome) for task, result in told
            if task.aim.prober and task.source != API_SERVER and CONNECTED in (result.outcome, result.gauge)
        ),
    )  # fmt: skip
    verdicts = []
    for number, task in enumerate(made.tasks):
        if task.flow == WITNESS or number in outcome.moot:
            continue
        result = outcome.results.get(number)
        if task.aim.kind == "metadata" and (result is None or result.outcome != CONNECTED):
            continue  # nothing says that it is there at all; only that somebody reaches it is worth telling
        verdict, why = _judge(task, number, result, reached, outcome, walls)
        verdicts.append(Verdict(number, verdict, why))
    return verdicts


def _judge(
    task: Task, number: int, result: Result | None, reached: Reached, outcome: Outcome, walls: Walls
) -> tuple[str, str]:
    if result is None:
        return UNKNOWN, outcome.skipped.get(number, "it was not tried")
    source = walls.api_server if task.source == API_SERVER else outcome.states[task.source].pod
    target = _end(task.aim, outcome)
    if result.outcome == CONNECTED:
        return (OK, "") if task.expected else (OPEN, _why_open(task, source, target, outcome, walls))
    if result.outcome == ERROR and result.note == "somebody else answered":
        return UNKNOWN, f"somebody else answered at the address of {task.aim.title}"
    if task.expected:
        return _not_reached(task, result, source, target, reached, outcome, walls)
    if task.aim.place not in reached.places:
        return UNKNOWN, f"nothing reached {task.aim.place} in this run, so nothing proves that it is alive"
    if task.aim.prober and result.gauge != CONNECTED:
        return UNKNOWN, _not_opened(_way(task, outcome), reached)
    return OK, ""


def _way(task: Task, outcome: Outcome) -> tuple[str, str]:
    return outcome.states[task.source].node, outcome.states[task.aim.prober].node


def _not_opened(way: tuple[str, str], reached: Reached) -> str:
    """Whether a network is slow with its policies, or carries nothing between two nodes."""
    if way in reached.ways:
        return f"{_NOT_OPENED}: the network had not learned of both pods in time"
    return (
        f"{_NOT_OPENED}, and nothing else of this run got from node {way[0]} to node {way[1]}: see whether the network carries "
        f"pods between them, and by their own addresses (routes, tunnels, masquerading, the log of its agent on both)"
    )


def _not_reached(
    task: Task, result: Result, source: Pod | str, target: Pod | str, reached: Reached, outcome: Outcome, walls: Walls
) -> tuple[str, str]:
    told = walls.live_judge.judge(source, target, task.aim.port, task.aim.protocol)
    if not told.allowed:
        return CLOSED, _why_closed(task, told, source, target, walls)
    place, how = task.aim.place, f"{result.outcome}{f', {result.note}' if result.note else ''}"
    if result.outcome == DNS_FAILED:
        return CLOSED, f"{place} answers, but not with the address of the API server's Service ({how})"
    if task.aim.prober and task.source != API_SERVER and result.gauge != CONNECTED:
        return UNKNOWN, _not_opened(_way(task, outcome), reached)
    if place in reached.places or result.gauge == CONNECTED:
        return CLOSED, (
            f"the policies allow it, and it does not get through ({how}), although the target is reached otherwise: look at what "
            f"else filters on the way, and whether the network has taken over the policies"
        )
    if task.aim.kind in ("dns", "api"):
        # The cluster says that it is there, and nothing lives without it.
        return CLOSED, (
            f"the policies allow it, and nobody reaches {place} ({how}), the run's own witness neither: see whether it runs, and "
            f"what else filters on the way"
        )
    if task.aim.kind == "server" and task.aim.protocol == "UDP":
        return UNKNOWN, f"{place} gives no answer to what is no question of its own, so nothing proves that it is alive"
    return UNKNOWN, f"the policies allow it, and nobody reaches {place} ({how}), so nothing proves that it is alive"


def _space(end: Pod | str) -> str:
    return end.namespace if isinstance(end, Pod) else end


def _end(aim: Aim, outcome: Outcome) -> Pod | str:
    return outcome.states[aim.prober].pod if aim.prober else aim.pod or aim.address


# -- why ---------------------------------------------------------------------------------------


def _why_open(task: Task, source: Pod | str, target: Pod | str, outcome: Outcome, walls: Walls) -> str:
    live = walls.live_judge.judge(source, target, task.aim.port, task.aim.protocol)
    if not live.allowed:
        return _not_enforced(task, live, outcome)
    wanted = walls.declared_judge.judge(source, target, task.aim.port, task.aim.protocol)
    causes = []
    if wanted.isolated_egress_by and not wanted.egress_by:
        causes.append(_hole(live.isolated_egress_by, live.egress_by, "egress", _space(source), walls))
    if isinstance(target, Pod) and wanted.isolated_ingress_by and not wanted.ingress_by:
        causes.append(_hole(live.isolated_ingress_by, live.ingress_by, "ingress", target.namespace, walls))
    if not causes:
        return "no declared policy forbids it; the flows and their policies disagree"
    return "; ".join(causes)


def _hole(isolated: Sequence[str], by: Sequence[str], direction: str, space: str, walls: Walls) -> str:
    """Which policies open a direction that ought to be closed."""
    if not isolated:
        deny = f"{space}/{DEFAULT_DENY}"
        return f"no policy isolates the {direction} of namespace {space}: {_state(deny, walls)}"
    named = [_state(one, walls) for one in by]
    return f"the {direction} is opened by {', '.join(named)}"


def _state(name: str, walls: Walls) -> str:
    """A policy, and how it stands to what is declared."""
    label = f"NetworkPolicy {name}"
    if name not in walls.declared:
        return f"{label}, which is none of the walls'"
    if name not in walls.live:
        return f"{label} is missing"
    if _shape(walls.live[name]) != _shape(walls.declared[name]):
        return f"{label}, which differs from what the flows say"
    return label


def _not_enforced(task: Task, told: Judgement, outcome: Outcome) -> str:
    """The policies deny it and it got through: on the node of that side nobody carries them out."""
    # Without the policies' names: a network that enforces nothing is one finding, not one for each of them.
    parts = []
    if told.isolated_egress_by and not told.egress_by:
        parts.append(f"the egress of pods on node {outcome.states[task.source].node}")
    if told.isolated_ingress_by and not told.ingress_by:
        node = outcome.states[task.aim.prober].node if task.aim.prober else ""
        parts.append(f"the ingress of pods on node {node}" if node else f"the ingress of {task.aim.title}")
    return f"the policies deny {' and '.join(parts)}, and it is open: the network does not enforce them there"


def _why_closed(task: Task, told: Judgement, source: Pod | str, target: Pod | str, walls: Walls) -> str:
    """Which policies close a direction that ought to be open, and what is missing."""
    wanted = walls.declared_judge.judge(source, target, task.aim.port, task.aim.protocol)
    parts = []
    if told.isolated_egress_by and not told.egress_by:
        parts.append(_gap("egress", _space(source), told.isolated_egress_by, wanted.egress_by, walls))
    if told.isolated_ingress_by and not told.ingress_by:
        parts.append(_gap("ingress", _space(target), told.isolated_ingress_by, wanted.ingress_by, walls))
    return "; ".join(parts)


def _gap(direction: str, space: str, isolated: Sequence[str], wanted: Sequence[str], walls: Walls) -> str:
    missing = [_state(one, walls) for one in wanted]
    strange = [one for one in isolated if one not in walls.declared]
    by = ", ".join(_label(one) for one in strange or isolated[:2])
    what = f"the {direction} in namespace {space} is closed by {by}"
    return f"{what}, and {', '.join(missing)}" if missing else what


def _label(name: str) -> str:
    return f"NetworkPolicy {name}"


def _shape(policy: Obj) -> Obj:
    """What a policy says, without the order of lists and without what the server fills in."""
    spec = policy.get("spec") or {}
    kinds = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return {
        "pods": _sorted(spec.get("podSelector") or {}),
        "kinds": sorted(kinds),
        "ingress": _sorted(spec.get("ingress") or []) if "Ingress" in kinds else None,
        "egress": _sorted(spec.get("egress") or []) if "Egress" in kinds else None,
    }


def _sorted(value: t.Any) -> t.Any:
    if isinstance(value, Mapping):
        return {key: _sorted(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=repr)
    return value


# -- findings ----------------------------------------------------------------------------------


def missing_labels(
    flows: Iterable[Flow], components: Iterable[Mapping[str, t.Any]], pods: Iterable[Pod]
) -> list[tuple[str, str]]:
    """(severity, text): flows of which nobody in a component's own namespace carries the label. pods: those that run.

    Without a server the flow leads nowhere: "closed". A client may be a Job that runs now and then: "notice".
    """
    spaces = {str(one["name"]): str(one["namespace"]) for one in components if one.get("state", "present") == "present"}
    there = list(pods)
    found = []
    for flow in flows:
        for side, end, severity in (("client", flow.source, NOTICE), ("server", flow.target, CLOSED)):
            if end.kind != "pods" or end.labels is not None or spaces.get(end.title) not in end.namespaces:
                continue
            space = spaces[end.title]
            if any(one.namespace == space and one.labels.get(flow.label) in (side, "peer") for one in there):
                continue
            text = (
                f"no running pod of {end.title} in namespace {space} carries the label {flow.label}={side}, so that flow "
                f"{flow.name} {'leads to nobody' if side == 'server' else 'is of use to nobody'}: label its pods"
            )
            found.append((severity, text))
    return found


def unlabelled(spaces: Mapping[str, str], namespaces: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """(severity, text): namespaces without the label by which admission policies select them."""
    found = []
    for space, mode in spaces.items():
        said = namespaces.get(space, {}).get(WALLS)
        if said != mode:
            what = f"has the label {WALLS}={said}" if said else f"lacks the label {WALLS}"
            found.append((OPEN, f"namespace {space} {what}, and it is declared {mode}: run the platform's playbook"))
    return found


def strange(spaces: Mapping[str, str], walls: Walls) -> list[tuple[str, str]]:
    """(severity, text): policies of the walls that are not as the flows say, and policies beside them that nobody declared.

    What a policy opens need not show between the pods that are tried: it may be for somebody else, or for another port.
    """
    found = []
    for name, policy in sorted(walls.declared.items()):
        there = walls.live.get(name)
        if there is None or _shape(there) != _shape(policy):
            how = "is missing" if there is None else "is not what the flows say"
            found.append((DIFFERS, f"{_label(name)} {how}: run the platform's playbook with --tags baseline"))
    for name in sorted(set(walls.live) - set(walls.declared)):
        if spaces.get(name.partition("/")[0]) == "enforce":
            text = f"{_label(name)} is none of the walls': delete it, or declare as a flow what it is there for"
            found.append((NOTICE, text))
    return found


def findings(made: Design, verdicts: Sequence[Verdict]) -> list[str]:
    """One sentence for each cause, the holes first; with the pairs it concerns."""
    groups: dict[tuple[str, str], list[int]] = {}
    for one in verdicts:
        if one.verdict != OK:
            groups.setdefault((one.verdict, one.why), []).append(one.number)
    order = (OPEN, CLOSED, UNKNOWN)
    told = []
    for (verdict, why), numbers in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), -len(item[1]))):
        pairs = [f"{made.tasks[number].source} to {made.tasks[number].aim.place}" for number in numbers]
        more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        said = {
            OPEN: "open and not declared", CLOSED: "declared and not open", UNKNOWN: "not known",
        }[verdict]  # fmt: skip
        told.append(f"{verdict}: {why}. {len(pairs)} {'pair is' if len(pairs) == 1 else 'pairs are'} {said}: "
                    f"{', '.join(pairs[:_SHOWN])}{more}")  # fmt: skip
    return told


def overall(verdicts: Sequence[Verdict], more: Iterable[str] = ()) -> str:
    """FAIL for what is not as declared, else UNKNOWN where anything is unknown, or nothing was tried."""
    seen = {one.verdict for one in verdicts} | set(more)
    if seen & {OPEN, CLOSED, DIFFERS}:
        return FAIL
    return UNKNOWN.upper() if UNKNOWN in seen or not verdicts else PASS


def rows(made: Design, outcome: Outcome, verdicts: Sequence[Verdict]) -> list[Obj]:
    """Every pair as data."""
    listed = []
    for one in verdicts:
        task, result = made.tasks[one.number], outcome.results.get(one.number)
        row: Obj = {
            "source": task.source, "target": task.aim.title, "port": task.aim.port, "protocol": task.aim.protocol,
            "kind": task.aim.kind, "expected": OPEN if task.expected else CLOSED, "flow": task.flow, "verdict": one.verdict,
            "outcome": result.outcome if result else "", "ms": result.ms if result else None,
        }  # fmt: skip
        if one.why:
            row["why"] = one.why
        listed.append(row)
    return listed
