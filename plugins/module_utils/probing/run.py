# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run: pods made, plans handed out, results read from the pods' logs."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..flows.evaluate import Evaluator, Pod
from ..flows.model import Facts
from ..kube.client import MERGE_PATCH, Client
from ..kube.errors import ApiError, KubeError
from ..kube.explain import explain
from ..kube.ready import pod_reason
from . import objects
from .cleanup import create
from .in_pod import CONNECTED, ERROR, REFUSED, TIMEOUT
from .plan import API_SERVER, Aim, Design, Prober, Task

_LONGEST_PLAN = 200_000  # bytes; all annotations of an object may have 256 KiB
_HOPELESS = ("ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff", "CreateContainerConfigError")
_SOON = 20.0  # seconds until the account of a new namespace must be there
_NUDGE = 4.0  # seconds without a sign that a plan has arrived, until it is sent again
_REACHING = "error trying to reach service:"  # how the API server begins what it says of a connection
_DIALING = ("dial", "proxy error")  # in what it says where it did not come about, or only as far as a proxy of its own
_PROOFS = ("EOF", "malformed HTTP")  # in what only somebody at the other end can have caused
_BUSY = (429, 502, 503, 504)  # what the API server, or a balancer before it, says for itself in plain text
_PROXY_PATIENCE = 40.0  # seconds; the API server gives a connection 30
_ELSEWHERE = "192.0.2.1"  # an address of documentation, for questions about a pod alone
Obj = dict[str, t.Any]


@dataclass(frozen=True)
class Settings:
    """settle: seconds until a verdict that is not as expected is final; start: until a pod that does not run is given up;
    learn: until a network that has not learned of all pods is.

    accounts: namespace to the account that its probe pods run under, where it must not be the default one.
    """

    run: str
    image: str
    script: str
    settle: float = 20.0
    start: float = 60.0
    learn: float = 120.0
    accounts: Mapping[str, str] = field(default_factory=dict)
    interval: float = 0.6
    patience: float = 1.0
    streak: int = 3


@dataclass(frozen=True)
class Result:
    """One task's end. gauge: what became of the gauge's try to the same pod, empty where there is none; since: seconds after the
    start at which it last began or ceased to get through."""

    outcome: str
    ms: float
    note: str = ""
    since: float = 0.0
    gauge: str = ""


@dataclass
class State:
    """What became of one probe pod. problem: why it is of no use, or nothing"""

    name: str
    pod: Pod
    node: str = ""
    node_addresses: tuple[str, ...] = ()
    problem: str = ""


@dataclass
class Outcome:
    """results: by the task's number; skipped: number to why a task was not tried; moot: those no policy has a say in"""

    states: dict[str, State]
    results: dict[int, Result] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    moot: set[int] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)


class Run:
    """live: judges by the policies that are there; they decide which pods the run's own policies may select."""

    def __init__(self, client: Client, made: Design, facts: Facts, live: Evaluator, settings: Settings) -> None:
        self._client, self._made, self._facts, self._live, self._settings = client, made, facts, live, settings
        self._query = {"labelSelector": f"{objects.RUN}={settings.run}"}
        self._clock = client.clock
        self._texts: dict[str, str] = {}

    def go(self) -> Outcome:
        began = self._clock.monotonic()
        states = self._make()
        made = self._clock.monotonic()
        self._until_running(states)
        running = self._clock.monotonic()
        outcome = Outcome(states)
        plans = self._hand_out(outcome)
        self._collect(plans, outcome)
        self._ask_api_server(outcome)
        ended = self._clock.monotonic()
        outcome.seconds = {"made": made - began, "started": running - made, "tried": ended - running}
        return outcome

    # -- making ---------------------------------------------------------------------------------

    def _make(self) -> dict[str, State]:
        settings = self._settings
        owners = dict(zip(self._made.namespaces, self._client.map(self._script, self._made.namespaces), strict=True))
        states: dict[str, State] = {}
        wanted = objects.policies(settings.run, self._made, owners, self._facts)
        for number, one in enumerate(self._made.probers):
            space = one.identity.namespace
            walled = self._walled(one)
            body = objects.pod(
                settings.run, number, one, owner=owners[space], image=settings.image, gauge=self._made.gauge,
                lifetime=int(settings.start + settings.learn) + 120, walled=walled, account=settings.accounts.get(space, ""),
            )  # fmt: skip
            wanted.append(body)
            about = body["metadata"]
            states[one.key] = State(about["name"], Pod(space, about["labels"], name=about["name"]))
        by_name = {state.name: state for state in states.values()}
        self._client.map(lambda body: self._create_or_tell(body, by_name), wanted)
        refused = [state for state in states.values() if state.problem]
        if len(refused) == len(states):
            raise KubeError(
                f"Pod {refused[0].pod.namespace}/{refused[0].name}",
                f"no probe pod is admitted: {refused[0].problem}",
                f"Change what refuses them; they carry the label {objects.RUN}",
                reason="admission",
            )
        return states

    def _create_or_tell(self, body: Obj, states: Mapping[str, State]) -> None:
        """A pod that a quota or a policy refuses is one that cannot be tried; everything else that is refused ends the run."""
        try:
            self._create(body)
        except KubeError as error:
            state = states.get(body["metadata"]["name"])
            if state is None or error.reason not in ("admission", "forbidden", "quota"):
                raise
            state.problem = f"it was refused: {error.cause}"

    def _walled(self, one: Prober) -> tuple[bool, bool]:
        pod = Pod(one.identity.namespace, objects.pod_labels(self._settings.run, one, (False, False)))
        inward = self._live.judge(_ELSEWHERE, pod, 9, "TCP").isolated_ingress_by
        outward = self._live.judge(pod, _ELSEWHERE, 9, "TCP").isolated_egress_by
        return bool(inward), bool(outward)

    def _script(self, space: str) -> Obj:
        return self._create(objects.script(self._settings.run, space, self._settings.script))

    def _create(self, body: Obj) -> Obj:
        space = body["metadata"]["namespace"]
        path = {
            "Pod": f"/api/v1/namespaces/{space}/pods",
            "ConfigMap": f"/api/v1/namespaces/{space}/configmaps",
            "NetworkPolicy": f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies",
        }[body["kind"]]
        deadline = self._clock.monotonic() + _SOON
        while True:
            try:
                return create(self._client, path, body)
            except KubeError as error:
                # A new namespace gets its account a moment later.
                if "error looking up service account" not in error.cause or self._clock.monotonic() > deadline:
                    raise
                self._clock.sleep(0.2)

    # -- starting -------------------------------------------------------------------------------

    def _until_running(self, states: Mapping[str, State]) -> None:
        """Wait for addresses; what does not run by then keeps its reason, and none at all is an error."""
        by_name = {state.name: state for state in states.values() if not state.problem}
        deadline, pause = self._clock.monotonic() + self._settings.start, 0.3
        while True:
            waiting = self._look(by_name)
            hopeless = [state for state in waiting if any(word in state.problem for word in _HOPELESS)]
            if not waiting or len(hopeless) == len(waiting) or self._clock.monotonic() > deadline:
                break
            self._clock.sleep(pause)
        if len(waiting) == len(by_name):
            raise KubeError(
                f"Probe pods with image {self._settings.image}",
                f"none of {len(by_name)} runs after {self._settings.start:.0f} s: {waiting[0].name}: {waiting[0].problem}",
                "Repair what they wait for, or give image another one with python3; they are taken away",
                reason="not_ready",
            )

    def _look(self, by_name: Mapping[str, State]) -> list[State]:
        """Those that do not run yet."""
        found = {pod["metadata"]["name"]: pod for pod in self._client.list("/api/v1/pods", self._query)}
        waiting = []
        for name, state in by_name.items():
            pod = found.get(name)
            status = (pod or {}).get("status") or {}
            if pod is not None and status.get("phase") == "Running" and status.get("podIP"):
                state.problem, state.node = "", str(pod["spec"].get("nodeName") or "")
                hosts = [str(one.get("ip")) for one in status.get("hostIPs") or []] or [str(status.get("hostIP"))]
                state.node_addresses = tuple(hosts)
                state.pod = Pod(state.pod.namespace, state.pod.labels, str(status["podIP"]), name)
                continue
            state.problem = "somebody deleted it" if pod is None else pod_reason(pod) or "it does not run yet"
            waiting.append(state)
        return waiting

    # -- trying ---------------------------------------------------------------------------------

    def _hand_out(self, outcome: Outcome) -> dict[str, list[int]]:
        """Give every pod its plan; source -> numbers of its tasks, in the order of its tries."""
        by_source: dict[str, list[int]] = {}
        for number, task in enumerate(self._made.tasks):
            why = self._hindrance(task, outcome.states)
            if self._is_moot(task, outcome.states):
                outcome.moot.add(number)
            elif task.source == API_SERVER and not why:
                continue
            elif why:
                outcome.skipped[number] = why
            else:
                by_source.setdefault(task.source, []).append(number)
        self._texts = {source: self.plan(numbers, outcome.states) for source, numbers in by_source.items()}
        self._send(list(by_source), outcome)
        return by_source

    def _send(self, sources: Sequence[str], outcome: Outcome) -> None:
        self._client.map(lambda key: annotate(self._client, outcome.states[key], self._texts[key]), sources)

    def _hindrance(self, task: Task, states: Mapping[str, State]) -> str:
        """Why this cannot be tried, or nothing."""
        if task.source in states and states[task.source].problem:
            return f"its probe pod does not run: {states[task.source].problem}"
        if task.aim.prober and states[task.aim.prober].problem:
            return f"the probe pod it goes to does not run: {states[task.aim.prober].problem}"
        return ""

    def _is_moot(self, task: Task, states: Mapping[str, State]) -> bool:
        """A pod may always reach the node it runs on, so that this says nothing of policies; only that it must is tried."""
        return (
            not task.expected and task.source in states and task.aim.kind in ("api", "node", "outside")
            and task.aim.address in states[task.source].node_addresses
        )  # fmt: skip

    def plan(self, numbers: Sequence[int], states: Mapping[str, State]) -> str:
        tasks = [self._made.tasks[number] for number in numbers]
        gauges = {key: len(tasks) + at for at, key in enumerate(dict.fromkeys(_probers(tasks)))}
        settings = self._settings
        tries = []
        for task in tasks:
            one = self._try(task.aim, states)
            tries.append({**one, "expect": task.expected, "gauge": gauges.get(task.aim.prober)})
        for key in gauges:
            aim = Aim(key, "probe", self._made.gauge, prober=key)
            tries.append({**self._try(aim, states), "expect": True, "gauge": None, "proof": True})
        text = json.dumps(
            {
                "id": settings.run, "interval": settings.interval, "patience": settings.patience,
                "settle": settings.settle, "learn": settings.learn, "streak": settings.streak, "tries": tries,
            },
            separators=(",", ":"),
        )  # fmt: skip
        if len(text) > _LONGEST_PLAN:
            raise KubeError(
                f"The plan of {tasks[0].source}",
                f"its {len(tries)} connections take {len(text)} bytes, and {_LONGEST_PLAN} fit into a pod's annotations",
                "Probe fewer at a time with targets",
                reason="invalid",
            )
        return text

    def _try(self, aim: Aim, states: Mapping[str, State]) -> Obj:
        udp = aim.protocol == "UDP"
        if aim.kind == "dns":
            return {"kind": "dns-udp" if udp else "dns-tcp"}
        if aim.kind == "probe":
            host = states[aim.prober].pod.ip
            words = objects.greeting(self._settings.run, aim.prober)
            return {"kind": "udp" if udp else "tcp", "host": host, "port": aim.port, "greeting": words}
        kind = "tls" if aim.kind == "api" else "datagram" if udp else "connect"
        return {"kind": kind, "host": aim.address, "port": aim.port}

    def _collect(self, plans: Mapping[str, list[int]], outcome: Outcome) -> None:
        pending = dict(plans)
        nudged = self._clock.monotonic()
        deadline = nudged + self._settings.learn + self._settings.settle + 30
        self._clock.sleep(min(1.5, self._settings.settle))
        while pending:
            sources = list(pending)
            logs = self._client.map(lambda key: log_of(self._client, outcome.states[key]), sources)
            late = []
            for source, text in zip(sources, logs, strict=True):
                told, done = read_log(text, self._settings.run)
                if done:
                    self._keep(pending.pop(source), told, outcome)
                elif self._clock.monotonic() > deadline:
                    last = text.strip().splitlines()[-1:] or ["nothing"]
                    why = f"its results did not come; the last that its probe pod said is: {last[0][:200]}"
                    outcome.skipped.update(dict.fromkeys(pending.pop(source), why))
                elif '"plan":' not in text:
                    late.append(source)
            if late and self._clock.monotonic() - nudged > _NUDGE:
                # A busy kubelet may overlook a changed annotation until it looks again after a minute; another change wakes it.
                nudged = self._clock.monotonic()
                self._texts.update({source: self._texts[source] + " " for source in late})
                self._send(late, outcome)
            if pending:
                self._clock.sleep(0.5)

    def _ask_api_server(self, outcome: Outcome) -> None:
        """Let the API server itself connect, by its proxy to pods, to what it must reach."""
        numbers = [
            number for number, task in enumerate(self._made.tasks)
            if task.source == API_SERVER and number not in outcome.skipped
        ]  # fmt: skip
        client = Client(self._client.login, clock=self._clock, timeout=_PROXY_PATIENCE, patience=0.0, threads=4)
        try:
            told = client.map(lambda number: self._proxied(client, self._made.tasks[number].aim, outcome), numbers)
        finally:
            client.close()
        for number, (result, why) in zip(numbers, told, strict=True):
            if result is None:
                outcome.skipped[number] = why
            else:
                outcome.results[number] = result

    def _proxied(self, client: Client, aim: Aim, outcome: Outcome) -> tuple[Result | None, str]:
        """(what the connection came to, why that is not known). Whatever the pod answers, it was reached."""
        space, name = (
            (aim.pod.namespace, aim.pod.name) if aim.pod
            else (outcome.states[aim.prober].pod.namespace, outcome.states[aim.prober].name)
        )  # fmt: skip
        path = f"/api/v1/namespaces/{space}/pods/{name}:{aim.port}/proxy/"
        deadline = self._clock.monotonic() + self._settings.settle
        while True:
            began = self._clock.monotonic()
            came, note = CONNECTED, ""
            try:
                client.request("GET", path, decode=bytes, accept="*/*")
            except ApiError as error:
                if error.status == 403 and "pods/proxy" in error.message:
                    return None, f"asking the API server to connect takes a right: {error.message}"
                if error.status == 404 and f'"{name}"' in error.message:
                    return None, "the pod has gone"
                came, note = proxied(error)
            except KubeError as error:
                came, note = "", error.cause
            ms = round((self._clock.monotonic() - began) * 1000, 1)
            if came == CONNECTED or self._clock.monotonic() > deadline:
                return (Result(came, ms, note), "") if came else (None, f"the API server does not say: {note}")
            self._clock.sleep(1.0)

    def _keep(self, numbers: Sequence[int], told: Mapping[int, Obj], outcome: Outcome) -> None:
        tasks = [self._made.tasks[number] for number in numbers]
        gauges = {key: len(tasks) + at for at, key in enumerate(dict.fromkeys(_probers(tasks)))}
        for at, (number, task) in enumerate(zip(numbers, tasks, strict=True)):
            line = told[at]
            gauge = str(told[gauges[task.aim.prober]]["outcome"]) if task.aim.prober else ""
            outcome.results[number] = Result(
                str(line["outcome"]), float(line["ms"]), str(line["note"]), float(line["since"]), gauge
            )


def proxied(error: ApiError) -> tuple[str, str]:
    """(outcome, what is to be said about it) of a call that the API server was asked to make. No outcome: it does not tell.

    Only what must have come from the other end proves that it was reached.
    """
    words = error.message
    if error.body.get("kind") != "Status":
        return ("", f"HTTP {error.status}: {words}") if error.status in _BUSY else (CONNECTED, "")
    if _REACHING not in words:
        return "", f"HTTP {error.status}: {words}"
    said = words.partition(_REACHING)[2].strip()
    if not any(one in said for one in _DIALING) and any(one in said for one in _PROOFS):
        return CONNECTED, ""
    if "refused" in said:
        return REFUSED, said
    return (TIMEOUT if "timeout" in said or "deadline" in said else ERROR), said


def _probers(tasks: Iterable[Task]) -> list[str]:
    return [task.aim.prober for task in tasks if task.aim.prober]


def annotate(client: Client, state: State, text: str) -> None:
    path = f"/api/v1/namespaces/{state.pod.namespace}/pods/{state.name}"
    body = {"metadata": {"annotations": {objects.PLAN: text}}}
    try:
        client.request("PATCH", path, None, body, content_type=MERGE_PATCH)
    except ApiError as error:
        raise explain(error, f"Pod {state.pod.namespace}/{state.name}", "", verb="patch pods") from error


def log_of(client: Client, state: State) -> str:
    path = f"/api/v1/namespaces/{state.pod.namespace}/pods/{state.name}/log"
    try:
        answer = client.request("GET", path, decode=lambda raw: raw.decode("utf-8", "replace"), accept="*/*")[1]
    except ApiError as error:
        if error.status in (400, 404):
            return f"no log: {error.message}"
        raise explain(error, f"Log of pod {state.pod.namespace}/{state.name}", "", verb="get pods/log") from error
    return str(answer or "")


def read_log(text: str, plan: str) -> tuple[dict[int, Obj], bool]:
    """(try's number -> its line, whether the plan has been carried out)."""
    told: dict[int, Obj] = {}
    for line in text.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and "try" in one:
            told[int(one["try"])] = one
        if isinstance(one, dict) and one.get("done") == plan:
            return told, True
    return told, False
