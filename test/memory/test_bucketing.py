# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import Tensor

from livevlm_ros.memory.bucketing import SINK_SHARE, survivors, tokens_to_keep, window_scores
from livevlm_ros.memory.config import EVICTIONS


def _random(seed: int, *, tokens: int = 90) -> tuple[Tensor, Tensor]:
    """Scores and times as a camera that sometimes pauses would give them."""
    source = torch.Generator().manual_seed(seed)
    scores = torch.rand(tokens, generator=source)
    pauses = torch.rand(tokens, generator=source, dtype=torch.float64) ** 4
    return scores, pauses.cumsum(0)


def _slots(times: list[float], slots: int) -> list[int]:
    span = times[-1] - times[0] or 1.0
    return [min(int((time - times[0]) * slots / span), slots - 1) for time in times]


def _walk(scores: list[float], times: list[float], *, budget: int, sinks: int) -> list[int]:
    """Fill the slots phase by phase, token by token."""
    slots = _slots(times, budget)
    by_score = sorted(range(len(scores)), key=lambda token: -scores[token])
    kept = by_score[:sinks]
    taken = {slots[token] for token in kept}
    for token in by_score[sinks:]:
        if len(kept) < budget and slots[token] not in taken:
            kept.append(token)
            taken.add(slots[token])
    rest = [token for token in by_score if token not in kept]
    return sorted(kept + rest[: budget - len(kept)])


def _eighths_of_a_stream(*, sinks: int) -> list[int]:
    """Count what stays of each eighth of a stream bucketed fifty times, most votes for the new."""
    source, new, rounds = torch.Generator().manual_seed(0), 24, 50
    times = torch.empty(0, dtype=torch.float64)
    for start in range(0, new * rounds, new):
        arrived = torch.arange(start, start + new, dtype=torch.float64)
        times = torch.cat((times, arrived))
        scores = torch.rand(times.shape, generator=source) * ((times - start) / 100).exp()
        times = times[tokens_to_keep(scores, times, budget=64, sinks=sinks)]
    return (times * 8 / (new * rounds)).long().bincount(minlength=8).tolist()


# Four slots of 2.25 s hold the tokens 0 1 2 | 3 4 | 5 6 | 7 8 9.
SCORES = torch.tensor([9.0, 8, 7, 1, 2, 4, 3, 0, 1, 0])
TIMES = torch.arange(10, dtype=torch.float64)


def test_the_sinks_stay_by_score_alone() -> None:
    assert tokens_to_keep(SCORES, TIMES, budget=4, sinks=4).tolist() == [0, 1, 2, 5]


def test_without_sinks_each_slot_keeps_its_best_token() -> None:
    assert tokens_to_keep(SCORES, TIMES, budget=4, sinks=0).tolist() == [0, 4, 5, 8]


def test_a_slot_with_sinks_keeps_no_other_and_the_best_of_the_open_slots_come_first() -> None:
    assert tokens_to_keep(SCORES, TIMES, budget=4, sinks=2).tolist() == [0, 1, 4, 5]


def test_slots_that_a_gap_left_empty_are_made_up_for_by_score() -> None:
    times = TIMES.clone()
    times[-1] = 100.0  # two of four slots are empty, the last token is alone in its own
    assert tokens_to_keep(SCORES, times, budget=4, sinks=1).tolist() == [0, 1, 2, 9]


@pytest.mark.parametrize('sinks', [0, 5, 20])
@pytest.mark.parametrize('seed', range(10))
def test_what_stays_is_what_a_walk_through_the_phases_keeps(seed: int, sinks: int) -> None:
    scores, times = _random(seed)
    kept = tokens_to_keep(scores, times, budget=20, sinks=sinks)
    assert kept.tolist() == _walk(scores.tolist(), times.tolist(), budget=20, sinks=sinks)


@pytest.mark.parametrize('seed', range(10))
def test_of_equal_scores_the_earlier_token_stays_whatever_the_times(seed: int) -> None:
    scores, times = _random(seed)
    scores, times = (scores * 4).floor(), times.floor()
    assert len(scores.unique()) == 4 and (times.diff() == 0).any()
    kept = tokens_to_keep(scores, times, budget=20, sinks=5)
    assert kept.tolist() == _walk(scores.tolist(), times.tolist(), budget=20, sinks=5)


def test_tokens_of_one_moment_stay_by_score() -> None:
    kept = tokens_to_keep(SCORES, torch.full_like(TIMES, 7.0), budget=4, sinks=1)
    assert kept.tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize('seed', range(20))
def test_exactly_the_budget_stays_with_all_sinks_and_no_crowd_in_a_slot(seed: int) -> None:
    budget, sinks = 24, 6
    scores, times = _random(seed)
    kept = tokens_to_keep(scores, times, budget=budget, sinks=sinks)
    assert kept.shape == (budget,)
    assert (kept.diff() > 0).all()
    slots = _slots(times.tolist(), budget)
    best = scores.topk(sinks).indices.tolist()
    assert set(best) <= set(kept.tolist())
    open_slots = set(slots) - {slots[token] for token in best}
    counts = [sum(slots[token] == slot for token in kept.tolist()) for slot in open_slots]
    if sinks + len(open_slots) >= budget:  # phase three is not needed
        assert max(counts) <= 1
    else:
        assert min(counts, default=1) >= 1


@pytest.mark.parametrize(('budget', 'expected'), [(10, 10), (11, 10), (0, 0)])
def test_all_stay_within_the_budget_and_none_without_one(budget: int, expected: int) -> None:
    kept = tokens_to_keep(SCORES, TIMES, budget=budget, sinks=0)
    assert kept.tolist() == list(range(expected))


@pytest.mark.parametrize('sinks', [-1, 5])
def test_sinks_beyond_the_budget_are_refused(sinks: int) -> None:
    with pytest.raises(ValueError, match=f'from 0 to the budget of 4 tokens, got {sinks}'):
        tokens_to_keep(SCORES, TIMES, budget=4, sinks=sinks)


def test_long_ago_stays_covered_though_votes_favour_the_new() -> None:
    assert _eighths_of_a_stream(sinks=64)[:4] == [0, 0, 0, 0]  # by score alone it is lost
    assert min(_eighths_of_a_stream(sinks=16)) >= 3  # of 6 that coverage has for each


@pytest.mark.parametrize('seed', range(5))
def test_sinks_take_half_of_the_budget_where_scores_count(seed: int) -> None:
    scores, times = _random(seed)
    kept = survivors('vsb', scores, times, budget=20)
    assert SINK_SHARE == 0.5
    assert kept.tolist() == _walk(scores.tolist(), times.tolist(), budget=20, sinks=10)


@pytest.mark.parametrize('eviction', ['fifo', 'uniform'])
def test_the_baselines_do_not_look_at_scores(eviction: str) -> None:
    (scores, times), (others, _) = _random(1), _random(2)
    kept = survivors(eviction, scores, times, budget=20)
    assert torch.equal(survivors(eviction, others, times, budget=20), kept)
    if eviction == 'fifo':
        assert kept.tolist() == list(range(70, 90))


def test_uniform_keeps_a_stream_that_is_thinned_again_and_again_even() -> None:
    times = torch.empty(0, dtype=torch.float64)
    for start in range(0, 1200, 24):
        times = torch.cat((times, torch.arange(start, start + 24, dtype=torch.float64)))
        times = times[survivors('uniform', torch.zeros(len(times)), times, budget=64)]
    eighths = (times * 8 / 1200).long().bincount(minlength=8)
    assert eighths.sum() == 64
    assert eighths.min() >= 4 and eighths.max() <= 12  # of 8 each


@pytest.mark.parametrize('eviction', EVICTIONS)
@pytest.mark.parametrize(('budget', 'stay'), [(0, 0), (9, 9), (10, 10), (99, 10)])
def test_as_many_survive_as_the_budget_has_room_for(eviction, budget: int, stay: int) -> None:
    scores = SCORES.expand(2, -1) if eviction == 'infinipot' else SCORES
    kept = survivors(eviction, scores, TIMES, budget=budget)
    assert len(kept) == stay
    assert (kept.diff() > 0).all()


def test_the_cache_of_a_real_model_is_bucketed_at_once() -> None:
    scores, times = _random(0, tokens=14_000)
    kept = tokens_to_keep(scores, times, budget=12_000, sinks=3_000)
    assert kept.shape == (12_000,)
    assert (kept.diff() > 0).all()


@pytest.mark.parametrize('window', [1, 5, 23])
def test_window_scores_are_means_of_causal_softmax_over_everything_seen(window: int) -> None:
    source = torch.Generator().manual_seed(window)
    q = torch.randn(4, window, 8, generator=source)
    keys = torch.randn(2, 23, 8, generator=source)
    expected = torch.zeros(23)
    for head in range(4):
        for row in range(window):
            seen = 23 - window + row + 1
            weights = (keys[head // 2, :seen] @ q[head, row] / 8**0.5).softmax(0)
            expected[:seen] += weights / (4 * window)

    scores = window_scores(q, keys, first=0, last=23)
    torch.testing.assert_close(scores, expected)
    assert scores.sum().item() == pytest.approx(1.0, abs=1e-6)
    part = window_scores(q, keys, first=3, last=17)
    torch.testing.assert_close(part, expected[3:17])


def test_window_scores_of_half_precision_are_float32() -> None:
    source = torch.Generator().manual_seed(0)
    q, keys = torch.randn(4, 5, 8, generator=source), torch.randn(2, 23, 8, generator=source)
    scores = window_scores(q.bfloat16(), keys.bfloat16(), first=0, last=23)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(
        scores, window_scores(q, keys, first=0, last=23), rtol=0.05, atol=0.005
    )
