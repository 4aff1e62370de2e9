# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import gc
import time
from collections.abc import Iterator

import pytest

from livevlm_bench.rounds import Contender, Lap, Quartiles, in_rounds, quotients


def no_rest() -> None:
    pass


def idle(number: int) -> Iterator[str]:
    yield 'done'


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time stand still but for what is added to it, in seconds; half of it is CPU's."""
    now = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: now[0])
    monkeypatch.setattr(time, 'process_time', lambda: now[0] / 2)
    return now


def test_contenders_take_turns_and_rest_in_between() -> None:
    seen: list[str] = []

    def contender(name: str) -> Contender:
        def run(number: int) -> Iterator[str]:
            seen.append(f'{name}{number}')
            yield 'done'

        return Contender(run, lambda: seen.append(name))

    in_rounds({name: contender(name) for name in 'ab'}, rounds=2, warm_up=1)
    assert seen == ['a-1', 'a', 'b-1', 'b', 'a0', 'a', 'b0', 'b', 'a1', 'a', 'b1', 'b']


def test_laps_are_of_the_rounds_that_count_without_the_rests(clock: list[float]) -> None:
    def run(number: int) -> Iterator[str]:
        clock[0] += 60.0 if number < 0 else (number + 1) / 1e3
        yield 'half'
        clock[0] += 0.1
        yield 'whole'

    def rest() -> None:
        clock[0] += 60.0

    laps = in_rounds({'a': Contender(run, rest)}, rounds=5, warm_up=2)['a']
    half, whole = (laps[mark].report() for mark in ('half', 'whole'))
    assert half['wall_ms'] == pytest.approx({'p25': 2.0, 'p50': 3.0, 'p75': 4.0})
    assert half['cpu_ms'] == pytest.approx({'p25': 1.0, 'p50': 1.5, 'p75': 2.0})
    assert whole['wall_ms']['p50'] == pytest.approx(103.0)


def test_quotients_are_of_the_same_round() -> None:
    slow, fast = Lap([2.0, 8.0, 30.0], [0.0] * 3), Lap([1.0, 2.0, 10.0], [0.0] * 3)
    assert quotients(slow, fast) == Quartiles.of([2.0, 4.0, 3.0])


def test_progress_ends_with_everything_done() -> None:
    shares: list[float] = []
    contenders = {'a': Contender(idle, no_rest)}
    in_rounds(contenders, rounds=3, warm_up=1, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_what_is_alive_is_collected_again_when_the_rounds_are_over() -> None:
    frozen = gc.get_freeze_count()
    in_rounds({'a': Contender(idle, no_rest)}, rounds=2, warm_up=0)
    assert gc.get_freeze_count() == frozen
