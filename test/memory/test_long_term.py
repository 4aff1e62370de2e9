# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape, FrameRef
from livevlm_ros.memory.long_term import LongTerm, Tokens, frames_between, tokens_of
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.short_term import Leaving

FRAME = 3  # tokens
BUDGET = 10
BETWEEN = 1  # frames that come between two bucketings to this budget


def _written(names: Tensor, shape: CacheShape) -> Tensor:
    """Keys that differ by token, layer, head and width, [layers, kv_heads, tokens, head_dim]."""
    rest = torch.arange(shape.layers * shape.kv_heads * shape.head_dim).float()
    offsets = rest.view(shape.layers, shape.kv_heads, 1, shape.head_dim) / 1000
    return names[:, None, :, None] + offsets


def _scores(names: Tensor) -> Tensor:
    """Scores as good as random that differ by layer, [layers, tokens]."""
    layers = torch.arange(1, len(names) + 1)[:, None]
    return (names * 7919 * layers % 101 / 101).float()


def _frame(number: int, shape: CacheShape) -> Tokens:
    names = torch.arange(FRAME * number, FRAME * (number + 1)).expand(shape.layers, -1)
    keys = _written(names, shape)
    return Tokens(keys, -keys, names, names.double() / FRAME, _scores(names))


def _check_whole(tokens: Tokens, shape: CacheShape) -> None:
    """Check that every token still has the keys, values, times and scores it came with."""
    assert torch.equal(tokens.keys, _written(tokens.names, shape))
    assert torch.equal(tokens.values, -_written(tokens.names, shape))
    assert torch.equal(tokens.times, tokens.names.double() / FRAME)
    assert torch.equal(tokens.scores, _scores(tokens.names))


class Lane:
    """A long-term memory, and what it dropped."""

    def __init__(self, shape: CacheShape, eviction: str = 'vsb', *, budget: int = BUDGET) -> None:
        self.dropped: list[Tokens] = []
        self.long_term = LongTerm(
            shape,
            budget=budget,
            eviction=eviction,
            device=torch.device('cpu'),
            dtype=torch.float32,
            drop=self.dropped.append,
        )
        self._shape = shape

    def add(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.long_term.add(_frame(number, self._shape))


def test_within_the_room_every_token_stays(shape: CacheShape) -> None:
    lane, fitting = Lane(shape), (BUDGET + BETWEEN * FRAME) // FRAME
    lane.add(range(fitting))
    assert lane.long_term.tokens.names.tolist() == [list(range(fitting * FRAME))] * 2
    assert lane.dropped == []
    _check_whole(lane.long_term.tokens, shape)


@pytest.mark.parametrize(
    ('frames', 'between'), [(1, 1), (8, 1), (9, 2), (11, 2), (15, 2), (57, 8), (61, 8), (999, 8)]
)
def test_an_eighth_of_the_budget_may_come_between_two_bucketings(frames, between) -> None:
    for tokens_per_frame in (9, 196):
        budget = frames * tokens_per_frame
        assert frames_between(budget, tokens_per_frame=tokens_per_frame) == between
    assert frames_between(8 * 196 + 1, tokens_per_frame=196) == 2  # a lane's share may be no frame


@pytest.mark.parametrize(('budget', 'between'), [(10, 1), (24, 1), (25, 2), (70, 3), (200, 8)])
def test_bucketing_leaves_exactly_the_budget_and_what_has_arrived_since(
    shape: CacheShape, budget: int, between: int
) -> None:
    lane, counts, bucketings = Lane(shape, budget=budget), [0], 0
    for number in range(150):
        due = lane.long_term.full_with(FRAME)
        lane.add([number])
        bucketings += due
        counts.append(lane.long_term.count)
        assert counts[-1] == (budget if due else counts[-2]) + FRAME
        assert len(lane.dropped) == bucketings
    assert lane.long_term.capacity == budget + between * FRAME
    assert max(counts) <= lane.long_term.capacity
    assert bucketings >= (150 - budget / FRAME) // between - 1


@pytest.mark.parametrize('eviction', ['vsb', 'fifo', 'uniform'])
def test_kept_and_dropped_are_all_there_was_each_token_whole(
    shape: CacheShape, eviction: str
) -> None:
    lane = Lane(shape, eviction)
    lane.add(range(100))
    assert len(lane.dropped) > 8
    for tokens in (lane.long_term.tokens, *lane.dropped):
        _check_whole(tokens, shape)
        assert (tokens.names.diff(dim=1) > 0).all()
    parts = [lane.long_term.tokens.names, *(dropped.names for dropped in lane.dropped)]
    every = torch.cat(parts, 1).sort(1).values
    assert every.tolist() == [list(range(300))] * 2


def test_each_layer_keeps_its_own_tokens(shape: CacheShape) -> None:
    lane = Lane(shape)
    lane.add(range(100))
    first, second = lane.long_term.tokens.names.tolist()
    assert first != second


def test_the_most_attended_tokens_stay_for_ever_where_scores_count(shape: CacheShape) -> None:
    kept = {}
    for eviction in ('vsb', 'fifo', 'uniform'):
        lane = Lane(shape, eviction)
        for number in range(100):
            frame = _frame(number, shape)
            frame.scores.fill_(0.0)
            if number == 3:
                frame.scores[:, 1] = 1.0
            lane.long_term.add(frame)
        kept[eviction] = (lane.long_term.tokens.names == 10).any(1).tolist()
    assert kept == {'vsb': [True] * 2, 'fifo': [False] * 2, 'uniform': [False] * 2}


def test_fifo_drops_the_oldest(shape: CacheShape) -> None:
    lane = Lane(shape, 'fifo')
    lane.add(range(5))
    assert lane.dropped[0].names.tolist() == [list(range(12 - BUDGET))] * 2


def test_what_is_dropped_is_no_view_of_what_changes(shape: CacheShape) -> None:
    lane = Lane(shape)
    lane.add(range(12))
    lane.add(range(12, 40))
    _check_whole(lane.dropped[0], shape)


def test_storage_never_moves_or_grows_and_clear_empties_it(shape: CacheShape) -> None:
    lane = Lane(shape)
    lane.add([0])
    place, nbytes = lane.long_term.tokens.keys.data_ptr(), lane.long_term.nbytes
    tokens = BUDGET + BETWEEN * FRAME
    names_times_scores = 8 + 8 + 4
    assert nbytes == tokens * (shape.token_bytes(4) + shape.layers * names_times_scores)
    lane.add(range(1, 60))
    assert (lane.long_term.tokens.keys.data_ptr(), lane.long_term.nbytes) == (place, nbytes)
    lane.long_term.clear()
    assert lane.long_term.count == lane.long_term.tokens.count == 0
    lane.add([60])
    assert lane.long_term.tokens.keys.data_ptr() == place
    assert lane.long_term.tokens.names[0].tolist() == [180, 181, 182]


def test_a_piece_is_what_one_layer_holds(shape: CacheShape) -> None:
    lane = Lane(shape, budget=70)
    lane.add(range(20))
    tokens, piece = lane.long_term.tokens, lane.long_term.piece(1)
    assert len(piece) == lane.long_term.count < lane.long_term.capacity
    assert torch.equal(piece.names, tokens.names[1])
    assert torch.equal(piece.keys, tokens.keys[1])
    assert torch.equal(piece.values, tokens.values[1])


def test_what_a_lane_held_it_holds_again_and_goes_on_alike(shape: CacheShape) -> None:
    lane, restored = Lane(shape, budget=70), Lane(shape, budget=70)
    lane.add(range(40))
    state = lane.long_term.state()
    restored.add(range(3))
    restored.long_term.restore(state)
    assert restored.long_term.count == lane.long_term.count
    for either in (lane, restored):
        either.add(range(40, 80))
        _check_whole(either.long_term.tokens, shape)
    assert torch.equal(restored.long_term.tokens.names, lane.long_term.tokens.names)
    assert torch.equal(restored.dropped[-1].names, lane.dropped[-1].names)


def test_a_frame_that_leaves_spreads_its_tokens_over_the_gap_to_the_next(
    shape: CacheShape,
) -> None:
    names = TokenNames(('left', 'right'), FRAME)
    names.begin(10**9)
    ref = FrameRef('right', 3 * 10**9)
    blocks = torch.randn(2, shape.layers, shape.kv_heads, FRAME, shape.head_dim)
    scores = torch.rand(shape.layers, FRAME)
    leaving = Leaving(ref, 6 * 10**9, *blocks, scores)
    tokens = tokens_of(leaving, names)
    assert tokens.times.tolist() == [[2.0, 3.0, 4.0]] * shape.layers
    assert torch.equal(tokens.names, names.of_frame(ref).expand(shape.layers, -1))
    assert torch.equal(tokens.keys, blocks[0]) and torch.equal(tokens.values, blocks[1])
    assert torch.equal(tokens.scores, scores)
