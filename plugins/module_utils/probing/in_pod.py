# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside a probe pod: it listens, and once it knows its plan it connects. Python 3.9 and nothing else.

The plan comes as a file that is empty until the pod's annotation is set; a changed file is a new plan. Results are lines
of JSON on standard output. A plan:

    {"id": "…", "interval": 0.5, "patience": 1.0, "settle": 20.0, "learn": 120.0, "streak": 3, "watch": false, "tries": [try, …]}

and a try:

    {"kind": "tcp", "host": "10.0.0.7", "port": 8080, "greeting": "…", "expect": true, "gauge": 3, "proof": false}

kinds: tcp and udp reach another probe pod, whose greeting must be the one expected; connect and datagram reach what really
serves; tls shakes hands without caring for the certificate; dns-udp and dns-tcp ask the pod's own name servers for a name.
gauge: the number of the try that must succeed in the same round for a denial to count, for else nothing proves that the
network has learned of both pods. proof: it is such a gauge, and once it got through it has.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import pathlib
import secrets
import signal
import socket
import struct
import sys
import time
import typing as t

CONNECTED, REFUSED, TIMEOUT, DNS_FAILED, ERROR = "connected", "refused", "timeout", "dns-failed", "error"
Try = dict[str, t.Any]
Tell = t.Callable[[dict[str, t.Any]], None]


class Outcome(t.NamedTuple):
    """What one attempt came to, in how many milliseconds, and what is to be said about it."""

    outcome: str
    ms: float
    note: str


# -- listening ---------------------------------------------------------------------------------


class Echo(asyncio.DatagramProtocol):
    def __init__(self, greeting: bytes) -> None:
        self._greeting = greeting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = t.cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: t.Any) -> None:  # noqa: ARG002
        self._transport.sendto(self._greeting, addr)


async def listen(protocol: str, port: int, greeting: bytes) -> str:
    """Why it cannot listen, or nothing. Once it does, it does so until the pod ends."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(greeting)
            await writer.drain()
            writer.close()
        except OSError:
            writer.close()

    loop = asyncio.get_running_loop()
    errors = []
    for family, host in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):  # noqa: S104 - it is there to be reached
        try:
            if protocol == "UDP":
                await loop.create_datagram_endpoint(lambda: Echo(greeting), (host, port), family=family)
            else:
                await asyncio.start_server(greet, host, port, family=family, backlog=1024)
        except OSError as error:
            errors.append(error.strerror or str(error))
    # One of both families is enough: a cluster may have no IPv6.
    return errors[0] if len(errors) == 2 else ""


# -- connecting --------------------------------------------------------------------------------


async def by_stream(one: Try) -> str:
    """tcp, connect and tls: a note where it worked; the exceptions say how it failed."""
    context = None
    if one["kind"] == "tls":
        import ssl

        context = ssl._create_unverified_context()  # noqa: S323 - nothing is sent, and any certificate proves a way
    reader, writer = await asyncio.open_connection(one["host"], one["port"], ssl=context)
    try:
        if one["kind"] == "tcp":
            told = await reader.read(256)
            return "" if told.decode("utf-8", "replace") == one["greeting"] else "somebody else answered"
        return ""
    finally:
        writer.close()


class Question(asyncio.DatagramProtocol):
    """One datagram, sent again until an answer comes."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = t.cast(asyncio.DatagramTransport, transport)
        self._send()

    def _send(self) -> None:
        if not self.answer.done():
            self._transport.sendto(self._payload)
            asyncio.get_running_loop().call_later(0.3, self._send)

    def datagram_received(self, data: bytes, addr: t.Any) -> None:  # noqa: ARG002
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def ask(host: str, port: int, payload: bytes) -> bytes:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Question(payload), remote_addr=(host, port)
    )
    try:
        return await protocol.answer
    finally:
        protocol.answer.cancel()
        transport.close()


def resolver(text: str) -> tuple[list[str], str]:
    """(name servers, the cluster's domain) of a resolv.conf."""
    servers, domain = [], "cluster.local"
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            servers.append(words[1])
        if words[:1] == ["search"]:
            domain = next((word[4:] for word in words[1:] if word.startswith("svc.")), domain)
    return servers, domain


def question(name: str, number: int) -> bytes:
    """A DNS query for the IPv4 addresses of a name."""
    labels = b"".join(bytes([len(part)]) + part.encode("ascii") for part in name.rstrip(".").split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def answered(answer: bytes, number: int) -> str:
    """What is wrong with a DNS answer, or nothing."""
    if len(answer) < 12:
        return "the answer is cut off"
    got, flags, _questions, answers = struct.unpack(">HHHH", answer[:8])
    if got != number:
        return "the answer is to another question"
    if flags & 0xF:
        return f"rcode {flags & 0xF}"
    return "" if answers else "no address"


async def by_dns(one: Try) -> str:
    servers, domain = resolver(pathlib.Path("/etc/resolv.conf").read_text(encoding="utf-8"))
    if not servers:
        return "resolv.conf names no server"
    number, name = secrets.randbelow(65536), one.get("name") or ".".join(("kubernetes", "default", "svc", domain, ""))
    payload = question(name, number)
    if one["kind"] == "dns-udp":
        return answered(await ask(servers[0], 53, payload), number)
    reader, writer = await asyncio.open_connection(servers[0], 53)
    try:
        writer.write(struct.pack(">H", len(payload)) + payload)
        (length,) = struct.unpack(">H", await reader.readexactly(2))
        return answered(await reader.readexactly(length), number)
    finally:
        writer.close()


async def by_datagram(one: Try) -> str:
    told = await ask(one["host"], one["port"], b"enclii-probe\n")
    if one["kind"] == "udp" and told.decode("utf-8", "replace") != one["greeting"]:
        return "somebody else answered"
    return ""


WAYS = {
    "tcp": by_stream, "connect": by_stream, "tls": by_stream, "udp": by_datagram, "datagram": by_datagram,
    "dns-udp": by_dns, "dns-tcp": by_dns,
}  # fmt: skip


async def attempt(one: Try, patience: float) -> Outcome:
    began = time.monotonic()

    def over(outcome: str, note: str = "") -> Outcome:
        return Outcome(outcome, round((time.monotonic() - began) * 1000, 1), note)

    try:
        note = await asyncio.wait_for(WAYS[one["kind"]](one), patience)
    except ConnectionRefusedError:
        return over(REFUSED)
    except asyncio.TimeoutError:  # noqa: UP041 - another one before Python 3.11
        return over(TIMEOUT)
    except (OSError, EOFError) as error:
        # No route, network unreachable: a firewall's other ways to say no.
        return over(ERROR, getattr(error, "strerror", None) or type(error).__name__)
    if note:
        return over(DNS_FAILED if one["kind"].startswith("dns") else ERROR, note)
    return over(CONNECTED)


# -- rounds ------------------------------------------------------------------------------------


def counts(one: Try, latest: t.Sequence[Outcome], number: int) -> bool:
    """What got through counts. What did not counts only beside a gauge that did, in the same round."""
    gauge = one.get("gauge")
    return latest[number].outcome == CONNECTED or gauge is None or latest[gauge].outcome == CONNECTED


async def measure(plan: dict[str, t.Any], tell: Tell) -> None:
    """Try everything again and again, until each was as expected for some rounds that count, or the time to settle is over."""
    tries, began, patience = plan["tries"], time.monotonic(), plan["patience"]
    since, streaks = [0.0] * len(tries), [0] * len(tries)
    results: list[Outcome] = []
    rounds, learned = 0, t.cast("float | None", None)
    while True:
        started = time.monotonic()
        latest = list(await asyncio.gather(*(attempt(one, patience) for one in tries)))
        rounds += 1
        results = results or list(latest)
        slow = False
        for number, (one, outcome) in enumerate(zip(tries, latest)):  # noqa: B905 - strict came with Python 3.10
            connected = outcome.outcome == CONNECTED
            slow = slow or (not connected and bool(one["expect"]))
            if not counts(one, latest, number):
                continue
            if connected != (results[number].outcome == CONNECTED):
                since[number] = round(started - began, 3)
            if connected or not one.get("proof"):
                results[number] = outcome
            streaks[number] = streaks[number] + 1 if connected == bool(one["expect"]) else 0
        done = min(streaks, default=plan["streak"]) >= plan["streak"]
        proofs = [number for number, one in enumerate(tries) if one.get("proof")]
        if learned is None and all(results[number].outcome == CONNECTED for number in proofs):
            learned = time.monotonic()
        # Before a network has learned of all pods nothing of them can be judged, so that waits longer.
        over = began + plan["learn"] if learned is None else learned + plan["settle"]
        if done or time.monotonic() >= over:
            break
        if slow:
            # A machine that is busy answers late, which must not look like a network that denies.
            patience = min(patience * 1.5, 4.0)
        await asyncio.sleep(max(0.0, plan["interval"] - (time.monotonic() - started)))
    for number, outcome in enumerate(results):
        tell(
            {"try": number, "outcome": outcome.outcome, "ms": outcome.ms, "note": outcome.note, "since": since[number]}
        )
    tell({"done": plan["id"], "rounds": rounds, "settled": done})


async def watch(plan: dict[str, t.Any], tell: Tell) -> None:
    """Tell each change of each try, with the time, until there is another plan."""

    async def one_by_one(number: int, one: Try) -> None:
        last = ""
        while True:
            started, clock = time.monotonic(), time.time()
            outcome = await attempt(one, plan["patience"])
            if outcome.outcome != last:
                last = outcome.outcome
                tell({"try": number, "outcome": last, "at": clock})
            await asyncio.sleep(max(0.0, plan["interval"] - (time.monotonic() - started)))

    await asyncio.gather(*(one_by_one(number, one) for number, one in enumerate(plan["tries"])))


async def serve(options: argparse.Namespace, tell: Tell) -> None:
    stop = asyncio.Event()
    # As process 1 it would ignore the signal.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    deaf = {}
    for place in options.listen:
        protocol, _slash, port = place.partition("/")
        why = await listen(protocol, int(port), options.greeting.encode())
        if why:
            deaf[place] = why
    tell({"listening": [place for place in options.listen if place not in deaf], "deaf": deaf})
    seen, work = "", None
    while not stop.is_set():
        text = options.plan.read_text(encoding="utf-8").strip() if options.plan.exists() else ""
        if text and text != seen:
            seen = text
            plan = json.loads(text)
            tell({"plan": plan["id"]})
            if work:
                work.cancel()
            work = asyncio.ensure_future(watch(plan, tell) if plan.get("watch") else measure(plan, tell))
        if work and work.done() and not work.cancelled():
            work.result()  # a fault of ours must not look like a slow network
            work = None
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description="The inside of a probe pod.")
    parser.add_argument("--greeting", required=True, help="what this pod's listeners answer")
    parser.add_argument("--listen", action="append", default=[], help="TCP/8080 or UDP/53, any number of times")
    parser.add_argument("--plan", type=pathlib.Path, required=True, help="file that the plan comes in")
    options = parser.parse_args()

    def tell(line: dict[str, t.Any]) -> None:
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    asyncio.run(serve(options, tell))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
