# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run makes of the API server's words, and that what it found outlives what it could not take away."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.enclii.platform.plugins.module_utils.flows.evaluate import Evaluator
from ansible_collections.enclii.platform.plugins.module_utils.flows.model import Facts
from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import ApiError, KubeError
from ansible_collections.enclii.platform.plugins.module_utils.probing import cleanup, front, live, plan
from ansible_collections.enclii.platform.plugins.module_utils.probing.run import Outcome, Run, Settings, State, proxied

Obj = dict[str, t.Any]
TRYING = "error trying to reach service: "


class Leaping(Clock):
    """Sleeping takes no time, and the clock says that it did."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def refusal(status: int, words: str, *, kind: str = "Status") -> ApiError:
    return ApiError("GET", "/x", status, {"message": words, **({"kind": kind} if kind else {})})


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        # the other end answered by itself
        (refusal(404, "404 page not found", kind=""), "connected"),
        (refusal(400, "Client sent an HTTP request to an HTTPS server.", kind=""), "connected"),
        (refusal(500, "oh no", kind=""), "connected"),
        (refusal(404, "", kind="Complaint"), "connected"),
        (refusal(503, f"{TRYING}EOF"), "connected"),
        (refusal(503, f"{TRYING}unexpected EOF"), "connected"),
        (refusal(503, f'{TRYING}net/http: HTTP/1.x transport connection broken: malformed HTTP response "r b/x"'), "connected"),
        # the connection did not come about
        (refusal(503, f"{TRYING}dial tcp 10.244.1.9:9443: connect: connection refused"), "refused"),
        (refusal(503, f"{TRYING}dial tcp 10.244.1.9:9443: i/o timeout"), "timeout"),
        (refusal(503, f"{TRYING}dial timeout, backstop"), "timeout"),
        (refusal(503, f"{TRYING}context deadline exceeded"), "timeout"),
        (refusal(503, f"{TRYING}dial tcp 10.244.1.9:9443: connect: no route to host"), "error"),
        (refusal(502, f"{TRYING}proxy error from 127.0.0.1:9345 while dialing 10.44.207.181:8443, code 500: "
                      "500 Internal Server Error"), "error"),
        (refusal(503, f"{TRYING}proxy error from 127.0.0.1:9345 while dialing 10.44.207.181:8443: EOF"), "error"),
        (refusal(503, f"{TRYING}something new"), "error"),
        # nobody knows
        (refusal(429, "Too many requests, please try again later.", kind=""), ""),
        (refusal(502, "<html>Bad Gateway", kind=""), ""),
        (refusal(504, "<html>Gateway Time-out", kind=""), ""),
        (refusal(429, "the server has received too many requests"), ""),
        (refusal(504, "Timeout: request did not complete within the allotted timeout"), ""),
        (refusal(500, "no endpoints available for service"), ""),
    ],
)  # fmt: skip
def test_only_what_came_from_the_other_end_proves_that_it_was_reached(error: ApiError, outcome: str) -> None:
    found, note = proxied(error)
    assert found == outcome
    assert bool(note) == (outcome != "connected")


class Answering:
    """A client whose answers are given; the last one stays."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = itertools.chain(answers, itertools.repeat(answers[-1]))

    def request(self, *_words: t.Any, **_more: t.Any) -> tuple[int, bytes]:
        answer = next(self.answers)
        if answer is not None:
            raise answer
        return 200, b""


BUSY = refusal(429, "the server has received too many requests")
REFUSED = refusal(503, f"{TRYING}dial tcp 10.0.0.1:1: connect: connection refused")


@pytest.mark.parametrize(
    ("answers", "outcome", "why"),
    [
        ([None], "connected", ""),
        ([BUSY, REFUSED, None], "connected", ""),
        ([REFUSED], "refused", ""),
        ([BUSY], "", "the API server does not say: HTTP 429: the server has received too many requests"),
        ([KubeError("API server", "no answer within 40 s")], "", "the API server does not say: no answer within 40 s"),
        ([refusal(403, 'cannot get resource "pods/proxy"')], "", "asking the API server to connect takes a right"),
        ([refusal(404, 'pods "hook-0" not found')], "", "the pod has gone"),
    ],
)
def test_what_the_api_server_does_not_say_is_not_known(answers: list[Exception | None], outcome: str, why: str) -> None:
    pod = live.Pod("data", {}, "10.0.0.1", "hook-0")
    aim = plan.Aim("pod data/hook-0", "server", 9443, pod=pod)
    nobody = t.cast(t.Any, type("Nobody", (), {"clock": Leaping()})())
    run = Run(nobody, plan.Design((), (), 1, "data"), Facts(), Evaluator([], {}), Settings("r", "i", "s"))
    result, told = run._proxied(t.cast(t.Any, Answering(*answers)), aim, Outcome({}))
    assert (result.outcome if result else "") == outcome
    assert told.startswith(why) and bool(told) == bool(why)


@pytest.mark.parametrize(
    ("cause", "again"),
    [
        ('pods "p" is forbidden: error looking up service account a/default: serviceaccount "default" not found', True),
        (
            'pods is forbidden: User "system:serviceaccount:a:b" cannot create resource "pods" in the namespace "a"',
            False,
        ),
    ],
)
def test_only_an_account_that_is_not_there_yet_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, cause: str, again: bool
) -> None:
    asked = []

    def create(*_words: t.Any) -> Obj:
        asked.append(1)
        if len(asked) == 1:
            raise KubeError("Pod a/p", cause, reason="forbidden")
        return {}

    monkeypatch.setattr("ansible_collections.enclii.platform.plugins.module_utils.probing.run.create", create)
    nobody = t.cast(t.Any, type("Nobody", (), {"clock": Leaping()})())
    run = Run(nobody, plan.Design((), (), 1, "a"), Facts(), Evaluator([], {}), Settings("r", "i", "s"))
    body = {"kind": "Pod", "metadata": {"namespace": "a", "name": "p"}}
    if again:
        run._create(body)
    else:
        with pytest.raises(KubeError, match="cannot create"):
            run._create(body)
    assert len(asked) == 1 + again


# -- what stays --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stays", "swept", "told"),
    [
        ({}, ["dead", "late"], []),
        ({"mine": ["Pod a/p", "Pod a/q"]}, ["dead", "late"], ["Pod a/p of run mine is still there 120 s"]),
        ({"dead": ["Pod a/p"]}, ["late"], ["Pod a/p of run dead is still there 120 s"]),
        ({"late": ["Pod a/p"]}, ["dead"], ["Pod a/p of run late is still there 120 s"]),
        ({"mine": KubeError("What the probe made", "no answer")}, ["dead"], ["what the probe made was not all taken away"]),
    ],
)  # fmt: skip
def test_what_was_found_outlives_what_stays(
    monkeypatch: pytest.MonkeyPatch, stays: dict[str, t.Any], swept: list[str], told: list[str]
) -> None:
    """Nothing that could not be taken away loses a verdict, and what is still there is not said to be gone."""

    class Beating:
        def start(self) -> None: ...

        def stop(self) -> None: ...

    class Ran:
        def go(self) -> Outcome:
            return Outcome({"a/bare": State("p", live.Pod("a", {}))})

    def sweep(_client: t.Any, run: str, _clock: Clock) -> list[str]:
        left = stays.get(run, [])
        if isinstance(left, Exception):
            raise left
        return t.cast("list[str]", left)

    others = type("Others", (), {"dead": lambda *_: ["dead"], "died_since": lambda _: ["late"]})()
    monkeypatch.setattr(front, "Pulse", lambda *_: Beating())
    monkeypatch.setattr(front, "Others", lambda *_: others)
    monkeypatch.setattr(front, "Run", lambda *_: Ran())
    monkeypatch.setattr(front, "sweep", sweep)
    cluster = live.Cluster(Facts(), {}, {}, [], "v1")
    question = front.Question(cluster, [], {}, {}, plan.Design((), (), 1, "a"), {})
    client = t.cast(t.Any, type("Nobody", (), {"clock": Leaping()})())
    outcome, gone, left = front._go(client, {"image": "i", "timeout": 1}, question, "mine")
    assert list(outcome.states) == ["a/bare"]
    assert gone == swept
    assert [text[: len(start)] for text, start in zip(left, told, strict=True)] == told


@pytest.mark.parametrize(("passed", "dead"), [(9.5, []), (14.0, []), (15.5, ["other"])])
def test_a_run_counts_as_dead_when_its_pulse_has_stood_still_for_long_enough(passed: float, dead: list[str]) -> None:
    clock = Leaping()
    others = cleanup.Others(t.cast(t.Any, None), "mine", clock)
    pulse = {"metadata": {"annotations": {cleanup.BEAT: "3"}}}
    t.cast(t.Any, others)._look = lambda: ({"other"}, {"other": pulse})
    others._beats = {"other": "3"}
    clock.now += passed
    assert others.died_since() == dead
