# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of a probe pod: the script as pods start it, on loopback, against listeners of its own and of others."""

from __future__ import annotations

import ast
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

import house
from ansible_collections.enclii.platform.plugins.module_utils.probing import in_pod

SCRIPT = house.ROOT / "plugins" / "module_utils" / "probing" / "in_pod.py"
GREETING = "run a/b"
Obj = dict[str, t.Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Pod:
    """The script as a process, with a plan's file."""

    def __init__(self, home: Path, *listen: str) -> None:
        self.plan = home / "plan"
        words = [word for place in listen for word in ("--listen", place)]
        argv = [sys.executable, "-I", "-S", str(SCRIPT), "--greeting", GREETING, "--plan", str(self.plan), *words]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.first: Obj = self.line()

    def line(self) -> Obj:
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        assert text, self.process.communicate()[1]
        return t.cast(Obj, json.loads(text))

    def tell(self, *tries: Obj, **plan: t.Any) -> None:
        whole = {
            "id": "one",
            "interval": 0.1,
            "patience": 0.5,
            "settle": 2.0,
            "learn": 2.0,
            "streak": 2,
            "tries": tries,
            **plan,
        }
        fresh = self.plan.with_suffix(".new")
        fresh.write_text(json.dumps(whole))
        fresh.rename(self.plan)

    def results(self) -> tuple[list[Obj], Obj]:
        found = []
        while True:
            line = self.line()
            if "done" in line:
                return found, line
            if "try" in line:
                found.append(line)


def tried(kind: str, port: int, expect: bool, gauge: int | None = None, greeting: str = GREETING) -> Obj:
    return {"kind": kind, "host": "127.0.0.1", "port": port, "greeting": greeting, "expect": expect, "gauge": gauge}


@pytest.fixture
def start(tmp_path: Path) -> t.Iterator[t.Callable[..., Pod]]:
    pods: list[Pod] = []

    def make(*listen: str) -> Pod:
        pods.append(Pod(tmp_path, *listen))
        return pods[-1]

    yield make
    for pod in pods:
        pod.process.kill()
        pod.process.communicate()


def test_it_needs_nothing_but_an_old_python() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert house.foreign_imports(source) == set()
    relative = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.level]
    assert relative == []
    ast.parse(source, feature_version=(3, 9))


def test_it_listens_connects_and_ends(start: t.Callable[..., Pod]) -> None:
    tcp, udp, nobody = free_port(), free_port(), free_port()
    pod = start(f"TCP/{tcp}", f"UDP/{udp}")
    assert pod.first == {"listening": [f"TCP/{tcp}", f"UDP/{udp}"], "deaf": {}}
    pod.tell(
        tried("tcp", tcp, True),
        tried("udp", udp, True),
        tried("connect", tcp, True),
        tried("datagram", udp, True),
        tried("tcp", nobody, False, gauge=0),
        tried("udp", nobody, False, gauge=0),
    )
    found, done = pod.results()
    outcomes = [one["outcome"] for one in found]
    assert outcomes == ["connected", "connected", "connected", "connected", "refused", "refused"]
    assert done == {"done": "one", "rounds": 2, "settled": True}
    assert all(one["ms"] >= 0 for one in found)
    pod.process.terminate()
    assert pod.process.wait(5) == 0


def test_it_waits_for_what_opens_and_for_what_closes(start: t.Callable[..., Pod]) -> None:
    late, early = free_port(), socket.create_server(("127.0.0.1", 0))
    pod = start(f"TCP/{free_port()}")
    pod.tell(
        tried("connect", late, True), tried("connect", early.getsockname()[1], False), settle=10.0, interval=0.2
    )  # fmt: skip
    time.sleep(0.8)
    early.close()
    with socket.create_server(("127.0.0.1", late)):
        found, done = pod.results()
    assert [one["outcome"] for one in found] == ["connected", "refused"]
    assert done["settled"]
    assert all(0.4 < one["since"] < 5 for one in found)


def test_a_denial_without_its_gauge_does_not_settle(start: t.Callable[..., Pod]) -> None:
    dead = free_port()
    pod = start()
    pod.tell(tried("tcp", free_port(), False, gauge=1), tried("tcp", dead, True), settle=0.5)
    _found, done = pod.results()
    assert not done["settled"]


def test_a_network_that_learns_late_is_waited_for(start: t.Callable[..., Pod]) -> None:
    late = free_port()
    pod = start()
    gauge = {**tried("connect", late, True), "proof": True}
    pod.tell(tried("tcp", free_port(), False, gauge=1), gauge, settle=0.2, learn=10.0)
    time.sleep(0.8)
    with socket.create_server(("127.0.0.1", late)):
        found, done = pod.results()
    assert done["settled"]
    assert [one["outcome"] for one in found] == ["refused", "connected"]


def test_somebody_else_is_not_who_was_meant(start: t.Callable[..., Pod]) -> None:
    port = free_port()
    pod = start(f"TCP/{port}")
    pod.tell(tried("tcp", port, True, greeting="run c/d"), settle=0.2)
    (found,), done = pod.results()
    assert (found["outcome"], found["note"], done["settled"]) == ("error", "somebody else answered", False)


def test_silence_is_a_timeout(start: t.Callable[..., Pod]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        pod = start()
        pod.tell(tried("datagram", silent.getsockname()[1], False), streak=1)
        (found,), _done = pod.results()
    assert found["outcome"] == "timeout"
    assert 400 < found["ms"] < 2000


def test_a_port_that_is_taken_is_told(start: t.Callable[..., Pod]) -> None:
    with socket.create_server(("0.0.0.0", 0)) as four:
        port = four.getsockname()[1]
        with socket.create_server(("::", port), family=socket.AF_INET6):
            pod = start(f"TCP/{port}")
    assert pod.first["listening"] == []
    assert list(pod.first["deaf"]) == [f"TCP/{port}"]


def test_a_watch_tells_changes_with_their_time(start: t.Callable[..., Pod]) -> None:
    port = free_port()
    pod = start()
    pod.tell(tried("connect", port, True), watch=True, interval=0.05)
    assert pod.line() == {"plan": "one"}
    assert pod.line()["outcome"] == "refused"
    before = time.time()
    with socket.create_server(("127.0.0.1", port)):
        line = pod.line()
    assert line["outcome"] == "connected"
    assert before - 0.1 < line["at"] < before + 3


def test_a_fault_of_its_own_ends_it(start: t.Callable[..., Pod]) -> None:
    pod = start()
    pod.tell({"kind": "pigeon", "host": "127.0.0.1", "port": 1, "expect": True})
    assert pod.process.wait(5) == 1
    assert "KeyError" in pod.process.communicate()[1]


def test_resolv_conf() -> None:
    text = "# made\nnameserver 10.96.0.10\nnameserver 10.96.0.11\nsearch a.svc.example.org svc.example.org example.org\noptions ndots:5\n"
    assert in_pod.resolver(text) == (["10.96.0.10", "10.96.0.11"], "example.org")
    assert in_pod.resolver("") == ([], "cluster.local")


def test_a_dns_question_and_its_answers() -> None:
    asked = in_pod.question("a.bc.", 7)
    assert asked == struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\x01a\x02bc\0" + struct.pack(">HH", 1, 1)

    def answer(number: int, flags: int, answers: int) -> bytes:
        return struct.pack(">HHHHHH", number, flags, 1, answers, 0, 0)

    assert in_pod.answered(answer(7, 0x8180, 1), 7) == ""
    assert in_pod.answered(answer(7, 0x8183, 0), 7) == "rcode 3"
    assert in_pod.answered(answer(7, 0x8180, 0), 7) == "no address"
    assert in_pod.answered(answer(8, 0x8180, 1), 7) == "the answer is to another question"
    assert in_pod.answered(b"", 7) == "the answer is cut off"


def test_many_at_once(start: t.Callable[..., Pod]) -> None:
    port = free_port()
    pod = start(f"TCP/{port}")
    pod.tell(*[tried("tcp", port, True) for _ in range(200)], streak=1, patience=5.0, settle=10.0)
    drained: list[Obj] = []
    reader = threading.Thread(target=lambda: drained.extend(pod.results()[0]))
    reader.start()
    reader.join(20)
    assert [one["outcome"] for one in drained] == ["connected"] * 200
