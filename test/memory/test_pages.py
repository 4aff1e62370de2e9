# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import FrameRef, Memory, Reach

LONG_TERM = {'preset': 'livevlm', 'short_term_frames': 4, 'long_term_frames': 40}  # 120 tokens
SEEN = 34  # frames, of which thirty leave short-term


def _watch(memory: Memory, tokens: Callable, *, needle: int = -1, frames: int = SEEN) -> None:
    """See frames a nanosecond apart, the needle with keys that are what `_question` asks for."""
    for stamp in range(frames):
        new = tokens(stamp, 3)
        if stamp == needle:
            new.k[:] = 3.0
        step = memory.step([FrameRef('front', stamp)])
        new.attend(step)
        step.commit()


def _question(tokens: Callable, strength: float = 1.0) -> Tensor:
    """Return queries whose every number is `strength`, [layers, q_heads, tokens, head_dim]."""
    return torch.full_like(tokens(0, 4).q, strength)


def _found(memory: Memory, q: Tensor, layer: int = 0, **reach) -> list[tuple[int, int]]:
    """Stamp and place of every token found, sorted."""
    assert memory._pages is not None
    memory.settle()
    pieces, _ = memory._pages.find(layer, q[layer], Reach(**reach))
    none = torch.empty(0, dtype=torch.int64)
    names = torch.cat([none, *(piece.names for piece in pieces)]).sort().values
    stamps = memory._names.since_ns(names) + (memory._names.origin_ns or 0)
    return list(zip(stamps.tolist(), (names & 3).tolist(), strict=True))


def _stamps(found: list[tuple[int, int]]) -> list[int]:
    return sorted({stamp for stamp, _ in found})


def _all_of(stamps: range | list[int]) -> list[tuple[int, int]]:
    return [(stamp, place) for stamp in stamps for place in range(3)]


@pytest.mark.parametrize('page_tokens', [1, 4, 16])
def test_a_share_of_one_is_all_of_the_budget(
    make: Callable, tokens: Callable, page_tokens: int
) -> None:
    memory = make(**LONG_TERM, ratio=1.0, page_tokens=page_tokens)
    _watch(memory, tokens)
    for layer in range(2):
        assert _found(memory, tokens(50, 4).q, layer) == _all_of(range(30))


def test_a_fixed_share_is_one_of_the_budget_and_tokens_too_new_for_a_page_come_along(
    make: Callable, tokens: Callable
) -> None:
    memory = make(**LONG_TERM, ratio=0.1, page_tokens=4)  # 12 of 120 tokens: 3 of 22 pages
    _watch(memory, tokens)
    found = _found(memory, tokens(50, 4).q)
    assert len(found) == 12 + 2
    assert found[-2:] == [(29, 1), (29, 2)]


@pytest.mark.parametrize('needle', [0, 11, 28])
def test_the_page_that_a_question_asks_for_is_found(
    make: Callable, tokens: Callable, needle: int
) -> None:
    memory = make(**LONG_TERM, ratio=0.03, page_tokens=1)
    _watch(memory, tokens, needle=needle)
    assert _found(memory, _question(tokens)) == _all_of([needle])


def test_what_long_term_dropped_is_found_in_the_archive_and_without_one_is_gone(
    make: Callable, tokens: Callable
) -> None:
    settings = {'short_term_frames': 4, 'long_term_frames': 8, 'eviction': 'fifo', 'ratio': 0.5}
    found = {}
    for preset in ('livevlm', 'balanced'):
        memory = make(preset=preset, page_tokens=4, **settings)
        _watch(memory, tokens, needle=5)
        found[preset] = set(_found(memory, _question(tokens)))
    assert not found['livevlm'] & set(_all_of([5]))
    assert found['balanced'] >= set(_all_of([5]))


@pytest.mark.parametrize(
    ('needle', 'strength', 'pages'),
    [(8, 9.0, 3), (-1, 0.0, 15)],  # of 120 tokens a tenth, where one page has it all; or half
)
def test_an_adaptive_amount_is_within_its_limits(
    make: Callable, tokens: Callable, needle: int, strength: float, pages: int
) -> None:
    memory = make(**LONG_TERM, retrieval='adaptive', ratio=0.5, page_tokens=4)
    _watch(memory, tokens, needle=needle)
    found = _found(memory, _question(tokens, strength))
    assert len(found) == 4 * pages + 2


def test_frames_are_read_whole_the_64_that_the_question_is_most_like(
    make: Callable, tokens: Callable
) -> None:
    memory = make(preset='rekv', short_term_frames=4)
    _watch(memory, tokens, needle=7, frames=100)
    found = _found(memory, _question(tokens))
    assert len(_stamps(found)) == 64
    assert found == _all_of(_stamps(found))
    assert 7 in _stamps(found) and max(_stamps(found)) < 96


def test_a_question_in_a_hurry_reads_its_share_of_the_best(
    make: Callable, tokens: Callable
) -> None:
    memory = make(**LONG_TERM, ratio=0.4, page_tokens=4)
    _watch(memory, tokens, needle=8)
    whole = _found(memory, _question(tokens))
    half = _found(memory, _question(tokens), share=0.5)
    assert (len(whole), len(half)) == (4 * 12 + 2, 4 * 6 + 2)
    assert set(half) <= set(whole)
    assert 8 in _stamps(half)
    assert 8 in _stamps(_found(memory, _question(tokens), share=0.01))


@pytest.mark.parametrize('bounds', [(None, 16), (7, None), (7, 16), (7, 7), (50, 60)])
def test_no_token_out_of_reach_is_read_though_its_page_lies_on_a_bound(
    make: Callable, tokens: Callable, bounds: tuple[int | None, int | None]
) -> None:
    memory = make(**LONG_TERM, ratio=1.0, page_tokens=4)
    _watch(memory, tokens)
    first, last = bounds
    within = [n for n in range(30) if (first is None or n >= first) and (not last or n <= last)]
    assert _found(memory, tokens(50, 4).q, first_ns=first, last_ns=last) == _all_of(within)


def test_pages_out_of_reach_take_no_place_of_those_within(
    make: Callable, tokens: Callable
) -> None:
    memory = make(**LONG_TERM, ratio=0.03, page_tokens=1)
    _watch(memory, tokens, needle=8)
    found = _found(memory, _question(tokens), first_ns=9)
    assert len(found) == 3 and min(_stamps(found)) >= 9


def test_only_the_cameras_asked_for_are_found(make: Callable, see: Callable, tokens) -> None:
    memory = make('left', 'right', **LONG_TERM, ratio=1.0, page_tokens=4)
    for stamp in range(0, 20, 2):
        see(memory, FrameRef('left', stamp))
        see(memory, FrameRef('right', stamp + 1))
    found = {
        cameras: _stamps(_found(memory, tokens(50, 4).q, cameras=frozenset(cameras)))
        for cameras in (('left',), ('right',), ('left', 'right'))
    }
    assert found == {
        ('left',): list(range(0, 16, 2)),
        ('right',): list(range(1, 16, 2)),
        ('left', 'right'): list(range(16)),
    }


@pytest.mark.parametrize('retrieval', ['fixed', 'adaptive'])
@pytest.mark.parametrize(('long_term_frames', 'page_tokens'), [(1, 16), (2, 64), (12, 4), (12, 1)])
def test_never_more_is_found_than_there_is_room_for(
    make: Callable, tokens: Callable, retrieval: str, long_term_frames: int, page_tokens: int
) -> None:
    memory = make(
        preset='livevlm',
        short_term_frames=4,
        long_term_frames=long_term_frames,
        retrieval=retrieval,
        page_tokens=page_tokens,
    )
    assert memory._pages is not None
    for stamp in range(60):
        step = memory.step([FrameRef('front', stamp)])
        tokens(stamp, 3).attend(step)
        step.commit()
        if stamp % 5:
            continue
        memory.settle()
        found, _ = memory._pages.find(0, tokens(50, 4).q[0], Reach())
        assert sum(map(len, found)) <= memory._pages.most_tokens(Reach(), layers=2)
