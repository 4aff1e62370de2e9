# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from livevlm_ros.memory.config import EVICTIONS
from livevlm_ros.memory.eviction import survivors

SCORES = torch.tensor(
    [[0.0, 3, 2, 1, 1, 2, 1, 1, 2, 1, 9, 8], [5, 6, 7, 1, 2, 1, 1, 2, 1, 2, 1, 1]]
)
TIMES = torch.arange(12, dtype=torch.float64).repeat(2, 1)


def test_vsb_keeps_a_quarter_by_score_and_covers_time_with_the_rest() -> None:
    kept = survivors('vsb', SCORES, TIMES, budget=8)  # two of them sinks
    assert kept.tolist() == [[1, 2, 3, 5, 6, 8, 10, 11], [1, 2, 4, 5, 6, 7, 9, 10]]


def test_fifo_keeps_the_newest() -> None:
    assert survivors('fifo', SCORES, TIMES, budget=4).tolist() == [[8, 9, 10, 11]] * 2


def test_uniform_keeps_tokens_at_equal_distances_whatever_their_scores() -> None:
    for scores in (SCORES, -SCORES):
        assert survivors('uniform', scores, TIMES, budget=4).tolist() == [[0, 3, 6, 9]] * 2


def test_uniform_thins_where_tokens_are_dense() -> None:
    times = torch.tensor([[0.0, 10, 14, 30, 31, 32, 33, 34]], dtype=torch.float64)
    kept = survivors('uniform', torch.zeros(1, 8), times, budget=4)
    assert times[0, kept[0]].tolist() == [0.0, 10.0, 14.0, 30.0]


def test_uniform_stays_even_when_a_stream_is_thinned_again_and_again() -> None:
    times = torch.empty(1, 0, dtype=torch.float64)
    for start in range(0, 1200, 24):
        arrived = torch.arange(start, start + 24, dtype=torch.float64)[None]
        times = torch.cat((times, arrived), 1)
        kept = survivors('uniform', torch.zeros_like(times), times, budget=64)
        times = times.gather(1, kept)
    counts = (times[0] * 8 / 1200).long().bincount(minlength=8)
    assert counts.min() >= 5 and counts.max() <= 12  # 8 would be perfect


@pytest.mark.parametrize('eviction', EVICTIONS)
@pytest.mark.parametrize('budget', [1, 7, 11])
def test_exactly_the_budget_stays_in_order_of_time(eviction: str, budget: int) -> None:
    kept = survivors(eviction, SCORES, TIMES, budget=budget)
    assert kept.shape == (2, budget)
    assert (kept.diff(dim=1) > 0).all()


@pytest.mark.parametrize('eviction', EVICTIONS)
@pytest.mark.parametrize(('budget', 'expected'), [(12, 12), (13, 12), (0, 0)])
def test_all_stay_within_the_budget_and_none_without_one(
    eviction: str, budget: int, expected: int
) -> None:
    kept = survivors(eviction, SCORES, TIMES, budget=budget)
    assert kept.tolist() == [list(range(expected))] * 2


def test_an_unknown_eviction_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="one of vsb, fifo, uniform, got 'lru'"):
        survivors('lru', SCORES, TIMES, budget=4)
