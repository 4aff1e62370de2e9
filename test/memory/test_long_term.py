# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.long_term import BUCKETING_FRAMES, LongTerm, Tokens

FRAME = 3  # tokens
BUDGET = 10


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

    def __init__(self, shape: CacheShape, eviction: str = 'vsb') -> None:
        self.dropped: list[Tokens] = []
        self.long_term = LongTerm(
            shape,
            budget=BUDGET,
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
    lane, fitting = Lane(shape), (BUDGET + BUCKETING_FRAMES * FRAME) // FRAME
    lane.add(range(fitting))
    assert lane.long_term.tokens.names.tolist() == [list(range(fitting * FRAME))] * 2
    assert lane.dropped == []
    _check_whole(lane.long_term.tokens, shape)


def test_bucketing_leaves_exactly_the_budget_and_what_has_arrived_since(shape: CacheShape) -> None:
    lane, counts = Lane(shape), []
    for number in range(30):
        due = lane.long_term.full_with(FRAME)
        lane.add([number])
        counts.append(lane.long_term.count)
        assert due == (number in (11, 19, 27))
    first = [FRAME * frames for frames in range(1, 12)]
    again = [BUDGET + FRAME * frames for frames in range(1, 9)]
    assert counts == (first + again + again + again)[:30]


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
    lane.add(range(12))
    assert lane.dropped[0].names.tolist() == [list(range(33 - BUDGET))] * 2


def test_what_is_dropped_is_no_view_of_what_changes(shape: CacheShape) -> None:
    lane = Lane(shape)
    lane.add(range(12))
    lane.add(range(12, 40))
    _check_whole(lane.dropped[0], shape)


def test_storage_never_moves_or_grows_and_clear_empties_it(shape: CacheShape) -> None:
    lane = Lane(shape)
    lane.add([0])
    place, nbytes = lane.long_term.tokens.keys.data_ptr(), lane.long_term.nbytes
    tokens = BUDGET + BUCKETING_FRAMES * FRAME
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
    lane = Lane(shape)
    lane.add(range(20))
    tokens, piece = lane.long_term.tokens, lane.long_term.piece(1)
    assert len(piece) == lane.long_term.count < lane.long_term.capacity
    assert torch.equal(piece.names, tokens.names[1])
    assert torch.equal(piece.keys, tokens.keys[1])
    assert torch.equal(piece.values, tokens.values[1])
