# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Contenders timed in turn: whatever slows the machine down for a while slows all of them."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import quantiles
from typing import Any, NamedTuple


class Contender(NamedTuple):
    """
    One of those that are timed.

    :param run: what is timed; called with the number of the round, that of a warm-up below 0, it
        yields the name of each mark as it comes to it
    :param rest: called after it, not timed: what it set going must not slow others down
    """

    run: Callable[[int], Iterator[str]]
    rest: Callable[[], None]


class Quartiles(NamedTuple):
    """Quartiles of numbers that were measured."""

    p25: float
    p50: float
    p75: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Quartiles:
        """Return the quartiles of at least two numbers."""
        return cls(*quantiles(numbers, n=4, method='inclusive'))


class Lap(NamedTuple):
    """
    What a contender took to a mark, round by round, in milliseconds.

    :param wall: from the start of its turn
    :param cpu: of all threads of this process meanwhile
    """

    wall: list[float]
    cpu: list[float]

    def report(self) -> dict[str, Any]:
        """Return the quartiles of both."""
        return {
            'wall_ms': Quartiles.of(self.wall)._asdict(),
            'cpu_ms': Quartiles.of(self.cpu)._asdict(),
        }


def quotients(above: Lap, below: Lap) -> Quartiles:
    """Return the quartiles of one wall time over another of the same round."""
    return Quartiles.of([one / other for one, other in zip(above.wall, below.wall, strict=True)])


def in_rounds(
    contenders: Mapping[str, Contender],
    *,
    rounds: int,
    warm_up: int,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, dict[str, Lap]]:
    """
    Run all contenders in turn, again and again.

    :param rounds: at least two that count
    :param warm_up: rounds before them that do not
    :param progress: called with the share done, [0, 1]
    :returns: the laps of each contender, by mark
    """
    laps: dict[str, dict[str, Lap]] = {
        name: defaultdict(lambda: Lap([], [])) for name in contenders
    }
    gc.freeze()  # what is alive now needs no look in every round
    try:
        for number in range(-warm_up, rounds):
            gc.collect()
            for name, contender in contenders.items():
                wall, cpu = time.perf_counter(), time.process_time()
                for mark in contender.run(number):
                    lap = laps[name][mark]
                    lap.wall.append((time.perf_counter() - wall) * 1e3)
                    lap.cpu.append((time.process_time() - cpu) * 1e3)
                contender.rest()
            if number == -1:
                for by_mark in laps.values():
                    by_mark.clear()
            progress((number + warm_up + 1) / (rounds + warm_up))
    finally:
        gc.unfreeze()
    return laps
