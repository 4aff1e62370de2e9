# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import time

import pytest

from livevlm_bench.rounds import Contender, Quartiles, Took, in_rounds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time stand still but for what is added to it, in seconds; half of it is CPU's."""
    now = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: now[0])
    monkeypatch.setattr(time, 'process_time', lambda: now[0] / 2)
    return now


def test_contenders_take_turns_and_rest_in_between() -> None:
    seen: list[str] = []
    contenders = {
        name: Contender(
            lambda number, name=name: seen.append(f'{name}{number}'),
            lambda name=name: seen.append(name),
        )
        for name in 'ab'
    }
    in_rounds(contenders, rounds=2, warm_up=1)
    assert seen == ['a-1', 'a', 'b-1', 'b', 'a0', 'a', 'b0', 'b', 'a1', 'a', 'b1', 'b']


def test_quartiles_are_of_the_rounds_that_count_without_the_rests(clock: list[float]) -> None:
    def run(number: int) -> None:
        clock[0] += 60.0 if number < 0 else (number + 1) / 1e3

    def rest() -> None:
        clock[0] += 60.0

    took: Took = in_rounds({'a': Contender(run, rest)}, rounds=5, warm_up=2)['a']
    assert took.wall == pytest.approx(Quartiles(2.0, 3.0, 4.0))
    assert took.cpu == pytest.approx(Quartiles(1.0, 1.5, 2.0))


def test_progress_ends_with_everything_done() -> None:
    shares: list[float] = []
    idle = {'a': Contender(lambda number: None, lambda: None)}
    in_rounds(idle, rounds=3, warm_up=1, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
