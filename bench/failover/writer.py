# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commits one row every 10 ms and tells which commits were acknowledged, and how long it could not. Runs in a pod of the toolbox image.

    python3 - SECONDS FIRST [anew] [enough] < writer.py

Where to and as whom come from libpq's variables. The first line is "ready" once a row was committed; the last is one of JSON:
{"acknowledged": [[first, last], …], "gap": seconds, "refused": {"what a failure said": times}}. A row whose commit failed, or was not
said to be replicated, is not acknowledged: it may be there, and may not. anew: each row on a connection of its own. enough: it
ends sooner, a few seconds after a gap of one second or more. So it does when it is sent SIGTERM.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
import time

INTERVAL = 0.01
GAP, AFTERWARDS = 1.0, 5.0  # seconds
# Nothing but the network's own limits ends a commit that waits: one that is cancelled is acknowledged, and on one server only.
LIMITS = {
    "autocommit": True, "connect_timeout": 2, "target_session_attrs": "read-write", "tcp_user_timeout": 2000, "keepalives_idle": 1,
    "keepalives_interval": 1, "keepalives_count": 2, "application_name": "bench-failover",
}  # fmt: skip


def ranges(numbers):
    """[[first, last], …] of ascending numbers."""
    out = []
    for number in numbers:
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return out


def longest(moments):
    """The longest time between two of them; 0 of fewer than two."""
    return max((later - sooner for sooner, later in itertools.pairwise(moments)), default=0.0)


def write(connect, failures, clock, sleep, seconds, first, anew=False, enough=False, stopped=lambda: False):
    """(numbers, moments) of the acknowledged commits, and {failure: times}.

    connect() -> commit(number) -> whether it is replicated too. anew: connect for each. enough: end AFTERWARDS a gap.
    stopped() -> whether to end now.
    """
    numbers, moments, refused = [], [], {}
    end, number, commit = clock() + seconds, first, None
    while clock() < end and not stopped():
        began = clock()
        try:
            commit = (None if anew else commit) or connect()
            if commit(number):
                numbers.append(number)
                moments.append(clock())
                if enough and len(moments) > 1 and moments[-1] - moments[-2] >= GAP:
                    end, enough = min(end, moments[-1] + AFTERWARDS), False
        except failures as error:
            commit = None
            said = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            refused[said] = refused.get(said, 0) + 1
        if len(numbers) == 1 and number == numbers[0]:
            print("ready", flush=True)
        number += 1
        sleep(max(0.0, INTERVAL - (clock() - began)))
    return numbers, moments, refused


def main():
    import psycopg

    def connect():
        connection, warned = psycopg.connect(**LIMITS), []
        connection.add_notice_handler(lambda notice: warned.append(notice.message_primary))

        def commit(number):
            warned.clear()
            connection.execute("INSERT INTO written (id) VALUES (%s)", (number,))
            return not warned

        return commit

    seconds, first = float(sys.argv[1]), int(sys.argv[2])
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    ways = {"stopped": lambda: bool(told), "anew": "anew" in sys.argv[3:], "enough": "enough" in sys.argv[3:]}
    numbers, moments, refused = write(
        connect, (psycopg.Error, OSError), time.monotonic, time.sleep, seconds, first, **ways
    )
    print(json.dumps({"acknowledged": ranges(numbers), "gap": round(longest(moments), 3), "refused": refused}))


if __name__ == "__main__":
    main()
