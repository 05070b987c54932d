# Copyright: (c) 2026, The Enclii Platform Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's writer: what counts as acknowledged, and how long a gap is."""

from __future__ import annotations

import typing as t

import pytest

from bench.failover import writer


class World:
    """A clock that only sleeping and committing move, and a server that is away between two moments."""

    def __init__(self, away: tuple[float, float], warns: tuple[float, float] = (-1.0, -1.0)) -> None:
        self.now, self.away, self.warns, self.there = 0.0, away, warns, set[int]()
        self.logins = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def connect(self) -> t.Callable[[int], bool]:
        self.logins += 1
        self._answer(1.0)

        def commit(number: int) -> bool:
            self._answer(2.0)
            self.now += 0.001
            self.there.add(number)
            return not self.warns[0] <= self.now < self.warns[1]

        return commit

    def _answer(self, patience: float) -> None:
        if self.away[0] <= self.now < self.away[1]:
            self.now += patience
            raise OSError("the server is away\n")


def written(world: World, seconds: float = 10.0) -> tuple[list[int], list[float], dict[str, int]]:
    return t.cast("t.Any", writer.write(world.connect, OSError, world.clock, world.sleep, seconds, 1))


def test_without_an_event() -> None:
    numbers, moments, refused = written(World((-1, -1)))
    assert len(numbers) == pytest.approx(1000, abs=1) and numbers[0] == 1
    assert refused == {} and writer.longest(moments) == pytest.approx(writer.INTERVAL)


def test_gap_is_from_the_last_commit_to_the_next() -> None:
    world = World((2.0, 6.5))
    numbers, moments, refused = written(world)
    assert writer.longest(moments) == pytest.approx(5.0, abs=0.1)  # one commit that waited, three logins
    assert refused == {"the server is away": 4} and set(numbers) == world.there


def test_what_is_not_replicated_is_not_acknowledged() -> None:
    world = World((-1, -1), warns=(2.0, 3.0))
    numbers, moments, _ = written(world)
    assert len(world.there - set(numbers)) == pytest.approx(100, abs=2)
    assert writer.longest(moments) == pytest.approx(1.0, abs=0.05)


def test_each_row_on_a_connection_of_its_own() -> None:
    once, anew = World((-1, -1)), World((-1, -1))
    written(once)
    numbers = writer.write(anew.connect, OSError, anew.clock, anew.sleep, 10.0, 1, anew=True)[0]
    assert once.logins == 1 and anew.logins == len(numbers) > 900


def test_it_ends_once_a_gap_is_over() -> None:
    world = World((2.0, 6.5))
    _numbers, moments, _ = writer.write(world.connect, OSError, world.clock, world.sleep, 60.0, 1, enough=True)
    assert writer.longest(moments) == pytest.approx(5.0, abs=0.1)
    assert world.now == pytest.approx(7.0 + writer.AFTERWARDS, abs=0.2)


def test_ranges() -> None:
    assert writer.ranges([]) == [] and writer.ranges([1, 2, 3, 7, 9, 10]) == [[1, 3], [7, 7], [9, 10]]
    assert writer.longest([]) == 0.0 == writer.longest([4.0])
