# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Contenders timed in turn: whatever slows the machine down for a while slows all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import quantiles
from typing import NamedTuple


class Contender(NamedTuple):
    """
    One of those that are timed.

    :param run: what is timed; called with the number of the round, that of a warm-up below 0
    :param rest: called after it, not timed: what it set going must not slow others down
    """

    run: Callable[[int], None]
    rest: Callable[[], None]


class Quartiles(NamedTuple):
    """Quartiles of times, in milliseconds."""

    p25: float
    p50: float
    p75: float

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Quartiles:
        """Return the quartiles of at least two times."""
        return cls(*quantiles(times_ms, n=4, method='inclusive'))


class Took(NamedTuple):
    """
    What a contender took.

    :param wall: from the begin of `run` to its end
    :param cpu: of all threads of this process meanwhile
    """

    wall: Quartiles
    cpu: Quartiles


def in_rounds(
    contenders: Mapping[str, Contender],
    *,
    rounds: int,
    warm_up: int,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Took]:
    """
    Run all contenders in turn, again and again.

    :param rounds: at least two that count
    :param warm_up: rounds before them that do not
    :param progress: called with the share done, [0, 1]
    """
    walls: dict[str, list[float]] = {name: [] for name in contenders}
    cpus: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(-warm_up, rounds):
        gc.collect()
        for name, contender in contenders.items():
            wall, cpu = time.perf_counter(), time.process_time()
            contender.run(number)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            contender.rest()
            if number >= 0:
                walls[name].append(wall * 1e3)
                cpus[name].append(cpu * 1e3)
        progress((number + warm_up + 1) / (rounds + warm_up))
    return {name: Took(Quartiles.of(walls[name]), Quartiles.of(cpus[name])) for name in contenders}
