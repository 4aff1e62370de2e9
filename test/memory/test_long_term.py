# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.budgets import frames_between
from livevlm_ros.memory.config import EVICTIONS
from livevlm_ros.memory.long_term import LongTerm
from livevlm_ros.memory.tokens import Tokens

FRAME = 4  # tokens
PAGE = 2
BUDGET = 10
BETWEEN = 1  # frames that come between two bucketings to this budget


def _written(ids: Tensor, shape: CacheShape) -> Tensor:
    """Keys that differ by token, layer, head and width, [layers, kv_heads, tokens, head_dim]."""
    rest = torch.arange(shape.layers * shape.kv_heads * shape.head_dim).float()
    offsets = rest.view(shape.layers, shape.kv_heads, 1, shape.head_dim) / 1000
    return ids[:, None] + offsets


def _frame(number: int, shape: CacheShape) -> Tokens:
    ids = torch.arange(FRAME * number, FRAME * (number + 1))
    keys = _written(ids, shape)
    return Tokens(keys, -keys, ids)


def _check_whole(lane: LongTerm, shape: CacheShape) -> None:
    """Check that every token still has the keys and values it came with, and its time."""
    tokens = lane.tokens
    assert (tokens.ids.diff() > 0).all()
    assert torch.equal(tokens.keys, _written(tokens.ids, shape))
    assert torch.equal(tokens.values, -_written(tokens.ids, shape))
    assert torch.equal(lane.state().tensors['times'], tokens.ids.double() / FRAME)


def _scores(ids: Tensor) -> Tensor:
    """Scores as good as random, [tokens]."""
    return (ids * 7919 % 101 / 101).float()


class Lane:
    """A long-term memory that is fed frames."""

    def __init__(
        self,
        shape: CacheShape,
        eviction: str = 'vsb',
        *,
        budget: int = BUDGET,
        whole_pages: bool = False,
    ) -> None:
        self.long_term = LongTerm(
            shape,
            budget=budget,
            page_tokens=PAGE,
            whole_pages=whole_pages,
            eviction=eviction,
            device=torch.device('cpu'),
            dtype=torch.float32,
        )
        self._shape = shape

    def add(self, numbers: Sequence[int], scores=_scores) -> None:
        for number in numbers:
            new = _frame(number, self._shape)
            ids = torch.cat((self.long_term.tokens.ids, new.ids))
            times = new.ids.double() / FRAME
            self.long_term.commit(self.long_term.stage(new, times, scores(ids)))


def test_within_the_room_every_token_stays(shape: CacheShape) -> None:
    lane, fitting = Lane(shape), (BUDGET + BETWEEN * FRAME) // FRAME
    lane.add(range(fitting))
    assert lane.long_term.tokens.ids.tolist() == list(range(fitting * FRAME))
    _check_whole(lane.long_term, shape)


@pytest.mark.parametrize(
    ('frames', 'between'), [(1, 1), (8, 1), (9, 2), (11, 2), (15, 2), (57, 8), (61, 8), (999, 8)]
)
def test_an_eighth_of_the_budget_may_come_between_two_bucketings(frames, between) -> None:
    for tokens_per_frame in (9, 196):
        budget = frames * tokens_per_frame
        assert frames_between(budget, tokens_per_frame=tokens_per_frame) == between
    assert frames_between(8 * 196 + 1, tokens_per_frame=196) == 2  # a lane's share may be no frame


@pytest.mark.parametrize('whole_pages', [False, True])
@pytest.mark.parametrize(('budget', 'between'), [(0, 1), (10, 1), (32, 1), (34, 2), (93, 3)])
def test_bucketing_leaves_exactly_the_budget_and_what_has_arrived_since(
    shape: CacheShape, budget: int, between: int, whole_pages: bool
) -> None:
    lane, counts, bucketings = Lane(shape, budget=budget, whole_pages=whole_pages), [0], 0
    budget = budget // PAGE * PAGE
    for number in range(100):
        due = lane.long_term.full_with(FRAME)
        lane.add([number])
        bucketings += due
        counts.append(lane.long_term.count)
        assert counts[-1] == (budget if due else counts[-2] + FRAME)
        _check_whole(lane.long_term, shape)
    assert lane.long_term.capacity == budget + between * FRAME
    assert max(counts) <= lane.long_term.capacity
    assert bucketings >= (100 - budget / FRAME) // (between + 1) - 1


@pytest.mark.parametrize('eviction', EVICTIONS)
def test_where_an_archive_has_the_pages_they_stay_or_go_whole(shape: CacheShape, eviction) -> None:
    lane = Lane(shape, eviction, budget=36, whole_pages=True)
    both = eviction == 'infinipot'
    lane.add(range(100), scores=lambda ids: _scores(ids).expand(2, -1) if both else _scores(ids))
    pages = lane.long_term.tokens.ids.view(-1, PAGE)
    assert (pages[:, 0] % PAGE == 0).all()
    assert (pages[:, 1] == pages[:, 0] + 1).all()
    _check_whole(lane.long_term, shape)


def test_the_most_attended_tokens_stay_for_ever_where_scores_count(shape: CacheShape) -> None:
    kept = {}
    for eviction in ('vsb', 'fifo', 'uniform'):
        lane = Lane(shape, eviction)
        lane.add(range(100), scores=lambda ids: (ids == 13).float())
        kept[eviction] = 13 in lane.long_term.tokens.ids.tolist()
    assert kept == {'vsb': True, 'fifo': False, 'uniform': False}


def test_a_page_is_worth_the_mean_of_its_tokens(shape: CacheShape) -> None:
    lane = Lane(shape, whole_pages=True)
    lane.add(
        range(100), scores=lambda ids: ((ids == 12) | (ids == 13)).float() * 0.6 + (ids == 20)
    )
    held = lane.long_term.tokens.ids.tolist()
    assert {12, 13, 20, 21} <= set(held)


def test_fifo_drops_the_oldest(shape: CacheShape) -> None:
    lane = Lane(shape, 'fifo')
    lane.add(range(4))
    assert lane.long_term.tokens.ids.tolist() == list(range(16 - BUDGET, 16))


def test_staging_writes_nothing_whether_bucketing_is_due_or_not(shape: CacheShape) -> None:
    lane = Lane(shape)
    for number in range(6):
        before = lane.long_term.state()
        new = _frame(number, shape)
        scores = _scores(torch.cat((lane.long_term.tokens.ids, new.ids)))
        change = lane.long_term.stage(new, new.ids.double() / FRAME, scores)
        after = lane.long_term.state()
        assert all(torch.equal(after.tensors[name], part) for name, part in before.tensors.items())
        lane.long_term.commit(change)
        _check_whole(lane.long_term, shape)


def test_bucketing_without_scores_keeps_as_many(shape: CacheShape) -> None:
    lane = Lane(shape)
    lane.add(range(30), scores=lambda ids: None)
    assert BUDGET <= lane.long_term.count <= lane.long_term.capacity
    _check_whole(lane.long_term, shape)


def test_storage_never_moves_or_grows_and_clear_empties_it(shape: CacheShape) -> None:
    lane = Lane(shape)
    lane.add([0])
    place, nbytes = lane.long_term.tokens.keys.data_ptr(), lane.long_term.nbytes
    ids_and_times = 8 + 8
    assert nbytes == (BUDGET + BETWEEN * FRAME) * (shape.token_bytes(4) + ids_and_times)
    lane.add(range(1, 60))
    assert (lane.long_term.tokens.keys.data_ptr(), lane.long_term.nbytes) == (place, nbytes)
    lane.long_term.clear()
    assert lane.long_term.count == len(lane.long_term.tokens) == 0
    lane.add([60])
    assert lane.long_term.tokens.keys.data_ptr() == place
    assert lane.long_term.tokens.ids.tolist() == [240, 241, 242, 243]


@pytest.mark.parametrize('whole_pages', [False, True])
def test_what_a_lane_held_it_holds_again_and_goes_on_alike(shape: CacheShape, whole_pages) -> None:
    lane, restored = (Lane(shape, budget=70, whole_pages=whole_pages) for _ in range(2))
    lane.add(range(40))
    state = lane.long_term.state()
    restored.add(range(3))
    restored.long_term.restore(state)
    assert restored.long_term.count == lane.long_term.count
    for either in (lane, restored):
        either.add(range(40, 80))
        _check_whole(either.long_term, shape)
    assert torch.equal(restored.long_term.tokens.ids, lane.long_term.tokens.ids)


def test_a_state_is_no_view_of_what_changes(shape: CacheShape) -> None:
    lane = Lane(shape)
    lane.add(range(12))
    state, ids = lane.long_term.state(), lane.long_term.tokens.ids.clone()
    lane.add(range(12, 40))
    assert torch.equal(state.tensors['ids'], ids)
    assert torch.equal(state.tensors['keys'], _written(ids, shape))


@pytest.mark.parametrize('whole_pages', [False, True])
def test_forgotten_tokens_are_gone_the_others_whole_and_so_are_pages(
    shape: CacheShape, whole_pages: bool
) -> None:
    lane = Lane(shape, budget=70, whole_pages=whole_pages)
    lane.add(range(40))
    before, held = lane.long_term.count, lane.long_term.tokens.ids.clone()
    gone = (held >= 4 * 20) & (held < 4 * 30)
    forgotten = lane.long_term.forget(gone)
    assert lane.long_term.count == before - forgotten
    assert 0 <= forgotten - int(gone.sum()) < PAGE
    assert lane.long_term.count % PAGE == 0
    left = lane.long_term.tokens.ids
    assert torch.equal(left, held[~gone][-len(left) :])
    _check_whole(lane.long_term, shape)
    lane.add(range(40, 80))
    _check_whole(lane.long_term, shape)
