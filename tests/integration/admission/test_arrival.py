# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies arrive on a server that works: nothing is refused by mistake meanwhile, not even for a moment."""

from __future__ import annotations

import threading
import time
import typing as t

import admission
import apiserver
import pytest
import yaml
from admission import Api, good


@pytest.fixture
def fresh() -> t.Iterator[apiserver.ApiServer]:
    reason = apiserver.missing()
    if reason:
        pytest.skip(reason)
    running = apiserver.ApiServer()
    try:
        yield running.start()
    finally:
        running.stop()


def spaced(server: apiserver.ApiServer) -> None:
    spaces: list[admission.Obj] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "enclii-system"}}]
    for mode in ("observe", "enforce"):
        metadata = {"name": mode, "labels": {"enclii.dev/walls": mode}}
        spaces.append({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(spaces))


def test_arriving_they_refuse_only_what_they_are_for(fresh: apiserver.ApiServer) -> None:
    spaced(fresh)
    pods = {"good": good("Pod"), "bad": good("Pod", image="busybox")}
    seen: dict[tuple[str, str], list[tuple[float, admission.Answer]]] = {}
    stop = threading.Event()

    def ask(mode: str, name: str) -> None:
        api = Api(fresh)
        while not stop.is_set():
            seen[mode, name].append((time.monotonic(), api.create(pods[name], mode)))

    asked = [(mode, name) for mode in ("observe", "enforce") for name in pods]
    seen |= {one: [] for one in asked}
    threads = [threading.Thread(target=ask, args=one) for one in asked]
    for thread in threads:
        thread.start()
    try:
        fresh.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(admission.rendered()))
        applied = time.monotonic()
        # twice the second after which the server looks for new policies, on a busy machine
        while time.monotonic() - applied < 20 and seen["enforce", "bad"][-1][1].ok:
            time.sleep(0.1)
        time.sleep(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    told = {
        one: [(when, answer) for when, answer in rows if not answer.ok or answer.warnings] for one, rows in seen.items()
    }
    assert told["observe", "good"] == told["enforce", "good"] == []
    assert all(answer.ok for _when, answer in told["observe", "bad"])
    assert told["observe", "bad"]
    assert {"[image-tag]" in answer.message for _when, answer in told["enforce", "bad"]} == {True}
    print(f"a new policy refuses {told['enforce', 'bad'][0][0] - applied:.2f} s after it was applied")


def test_gone_and_back_they_find_their_parameters(fresh: apiserver.ApiServer) -> None:
    """What stays when they go is there for this: without it the API server would refuse everything until it starts again."""
    spaced(fresh)
    objects = admission.rendered()
    api, bad = Api(fresh), good("Pod", image="busybox")

    def until(refused: bool) -> None:
        end = time.monotonic() + 20
        while api.create(bad, "enforce").ok == refused:
            assert time.monotonic() < end, f"refused is not {refused} within 20 s"
            time.sleep(0.1)

    for _round in range(2):
        fresh.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
        until(refused=True)
        assert "[image-tag]" in api.create(bad, "enforce").message
        assert api.create(good("Pod"), "enforce").ok
        for one in objects:
            if one["metadata"]["name"] not in ("enclii-parameters", "enclii-admission"):
                fresh.kubectl("delete", one["kind"], one["metadata"]["name"])
        until(refused=False)
