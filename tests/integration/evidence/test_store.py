# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing, keeping and reading evidence on a real API server: several writers at a time, killed ones, answers that were lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
import typing as t
from datetime import UTC, datetime, timedelta

import pytest
from evidence import ENVIRON, HOUR, Place

from ansible_collections.enclii.platform.plugins.module_utils.evidence.objects import record
from ansible_collections.enclii.platform.plugins.module_utils.evidence.store import EvidenceError, Store
from ansible_collections.enclii.platform.plugins.module_utils.kube.client import Client, Clock
from ansible_collections.enclii.platform.plugins.module_utils.kube.config import load_login
from ansible_collections.enclii.platform.plugins.module_utils.kube.errors import KubeError

Obj = dict[str, t.Any]


def hours(place: Place) -> list[tuple[str, float]]:
    """(verdict, age in hours) of all there are, newest first."""
    now = place.clock.now
    ages = [
        (one["spec"]["verdict"], (now - datetime.fromisoformat(one["spec"]["ended"])) / HOUR) for one in place.there()
    ]
    return sorted(ages, key=lambda one: one[1])


def test_the_newest_are_kept_and_the_newest_pass_beside_them(place: Place) -> None:
    assert place.write("PASS", 9, keep=3) == []
    assert place.write("PASS", 8, keep=3) == []
    assert place.write("FAIL", 7, keep=3) == []
    first = place.write("FAIL", 6, keep=3)
    assert len(first) == 1 and "-20261122t190000000-" in first[0]  # the PASS of 9 hours ago
    assert place.write("UNKNOWN", 5, keep=3) == []
    place.write("FAIL", 4, keep=3)
    assert hours(place) == [("FAIL", 4), ("UNKNOWN", 5), ("FAIL", 6), ("PASS", 8)]
    place.write("PASS", 1, keep=1)
    assert hours(place) == [("PASS", 1)]


def test_each_kind_and_subject_has_its_own(place: Place) -> None:
    for subject in ("enclii-dev", "enclii/dev", "Enclii-Dev"):
        for age in (2, 1):
            place.write("FAIL", age, keep=1, subject=subject)
    place.write("FAIL", 1, keep=1, kind="access")
    assert len(place.there()) == 4
    assert [(one.kind, one.subject) for one in place.store.current()] == [
        ("access", "enclii-dev"), ("network-probe", "Enclii-Dev"), ("network-probe", "enclii-dev"), ("network-probe", "enclii/dev"),
    ]  # fmt: skip
    assert [one.kind for one in place.store.current("access")] == ["access"]


def test_one_that_comes_late_pushes_no_newer_one_out(place: Place) -> None:
    for age in (2, 1):
        place.write("FAIL", age, keep=2)
    late = place.seen("FAIL", 9)
    assert place.store.write(late, keep=2) == [late["metadata"]["name"]]
    assert hours(place) == [("FAIL", 1), ("FAIL", 2)]


def test_state_goes_with_time(place: Place) -> None:
    place.write("PASS", 1, valid_for=2 * HOUR)
    expected = [("network-probe", "enclii-dev"), ("restore-drill", "orders")]
    seen, absent = place.store.current(expected=expected)
    assert (seen.state, seen.verdict, seen.why) == ("PASS", "PASS", "")
    assert (absent.state, absent.why, absent.name) == ("UNKNOWN", "there is no evidence of it", "")
    place.clock.now += HOUR
    (seen,) = place.store.current("network-probe")
    assert (seen.state, seen.verdict) == ("UNKNOWN", "PASS") and "expired at 2026-11-23T05:00:00" in seen.why
    place.write("FAIL", 0, findings=["cart reaches the database"])
    (seen,) = place.store.current()
    assert (seen.state, seen.why) == ("FAIL", "cart reaches the database")
    assert seen.last_pass == "2026-11-23T03:00:00.000000Z"


def test_an_answer_that_was_lost_is_no_second_object(place: Place) -> None:
    obj = place.seen()
    made = place.store.create(obj)
    assert place.store.create(obj)["metadata"]["uid"] == made["metadata"]["uid"] and len(place.there()) == 1
    obj["spec"]["verdict"] = "FAIL"
    with pytest.raises(KubeError, match="already exists"):
        place.store.create(obj)


def test_nothing_to_keep_is_refused_and_a_dry_run_writes_nothing(place: Place) -> None:
    with pytest.raises(EvidenceError, match="0 are to be kept"):
        place.store.retain("a", "b", 0)
    place.store.create(place.seen(), check=True)
    assert place.there() == []


def test_one_that_was_written_by_hand_counts_and_is_left_alone(place: Place) -> None:
    by_hand = place.seen("FAIL", 9)
    by_hand["metadata"] = {"name": "by-hand"}
    place.store.create(by_hand)
    assert [one.name for one in place.store.current()] == ["by-hand"]
    for age in (2, 1):
        place.write("FAIL", age, keep=1)
    assert hours(place) == [("FAIL", 1), ("FAIL", 9)]


def store_of(kubeconfig: str, namespace: str) -> Store:
    return Store(Client(load_login({"kubeconfig": kubeconfig}, ENVIRON)), namespace, Clock())


def prove(store: Store, verdict: str, keep: int) -> None:
    now = datetime.now(UTC)
    store.write(
        record(kind="drill", subject="s", verdict=verdict, started=now, ended=now, valid_for=timedelta(hours=1)),
        keep=keep,
    )


def prove_for_ever(kubeconfig: str, namespace: str) -> None:
    store = store_of(kubeconfig, namespace)
    while True:
        prove(store, "FAIL", 4)


def test_many_writers_at_once(place: Place) -> None:
    kubeconfig = str(place.server.kubeconfig)
    prove(store_of(kubeconfig, place.namespace), "PASS", 4)
    (proof,) = [one["metadata"]["name"] for one in place.there()]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            store = store_of(kubeconfig, place.namespace)
            for _ in range(12):
                prove(store, "FAIL", 4)
        except BaseException as error:  # noqa: BLE001 - told by the test itself
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    prove(store_of(kubeconfig, place.namespace), "FAIL", 4)
    there = place.there()
    assert len(there) == 5 and proof in {one["metadata"]["name"] for one in there}


def test_writers_that_are_killed(place: Place) -> None:
    """Whatever a kill leaves, the newest PASS is there, and the next writer tidies up."""
    kubeconfig = str(place.server.kubeconfig)
    prove(store_of(kubeconfig, place.namespace), "PASS", 4)
    (proof,) = [one["metadata"]["name"] for one in place.there()]
    context = multiprocessing.get_context("spawn")
    chance = random.Random(7)
    for _ in range(4):
        writers = [context.Process(target=prove_for_ever, args=(kubeconfig, place.namespace)) for _ in range(2)]
        for writer in writers:
            writer.start()
        before = {one["metadata"]["name"] for one in place.there()}
        deadline = time.monotonic() + 60
        while {one["metadata"]["name"] for one in place.there()} <= before:
            assert time.monotonic() < deadline, "nobody wrote anything"
            time.sleep(0.05)
        time.sleep(chance.random())
        for writer in writers:
            assert writer.pid and writer.is_alive()
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
        assert proof in {one["metadata"]["name"] for one in place.there()}
    prove(store_of(kubeconfig, place.namespace), "FAIL", 4)
    there = place.there()
    assert len(there) == 5 and proof in {one["metadata"]["name"] for one in there}
