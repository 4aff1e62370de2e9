# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One choice for all layers: what it is worth, and that it is what is read."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import FrameRef, Memory, ReadFilter, retrieval
from livevlm_ros.memory.retrieval import best_shares, page_scores, scaled_rows

CAMERAS = ('left', 'right')
PAGE = 2
Heads = dict[int, tuple[int, ...]]
CHOOSING: list[Heads] = [{}, {0: (1,)}, {1: (0, 3)}, {0: (2,), 1: (0, 1)}]


def plain_scores(q: Tensor, keys: Tensor, heads: Heads, allowed: list[bool]) -> list[float]:
    """
    Score pages one layer, head, question token and page at a time.

    :param q: [layers, q_heads, tokens, head_dim]
    :param keys: [layers, kv_heads, tokens, head_dim]
    """
    group = q.shape[1] // keys.shape[1]
    heads = heads or {layer: tuple(range(q.shape[1])) for layer in range(len(q))}
    may = torch.tensor(allowed)
    scores = [0.0] * (len(allowed) // PAGE)
    for layer, choosing in heads.items():
        best = torch.zeros(len(allowed))
        for head in choosing:
            for row in q[layer, head]:
                logits = keys[layer, head // group] @ row / q.shape[-1] ** 0.5
                best[may] = torch.maximum(best[may], logits[may].softmax(0))
        for page in range(len(scores)):
            scores[page] += max(best[PAGE * page : PAGE * (page + 1)].tolist()) / len(heads)
    return scores


@pytest.mark.parametrize('heads', CHOOSING)
@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('confined', [False, True])
def test_a_page_is_worth_what_its_best_token_gets_of_the_heads_that_choose(
    heads: Heads, seed: int, confined: bool
) -> None:
    source = torch.Generator().manual_seed(seed)
    q = torch.randn(2, 4, 3, 8, generator=source)
    keys = torch.randn(2, 2, 20, 8, generator=source) * 2
    allowed = torch.rand(20, generator=source) > 0.4 if confined else torch.ones(20).bool()
    allowed[:PAGE] = not confined  # a page without any
    rows = {
        layer: scaled_rows(q[layer], heads.get(layer), kv_heads=2) for layer in heads or (0, 1)
    }
    scores = page_scores(
        rows, keys.__getitem__, page_tokens=PAGE, allowed=allowed if confined else None
    )
    expected = torch.tensor(plain_scores(q, keys, heads, allowed.tolist()))
    torch.testing.assert_close(scores, expected)
    assert (scores > 0).tolist() == allowed.view(-1, PAGE).any(1).tolist()
    assert scores.max() <= 1


@pytest.mark.parametrize('confined', [False, True])
def test_a_question_ranked_a_row_at_a_time_ranks_as_it_does_at_once(
    monkeypatch: pytest.MonkeyPatch, confined: bool
) -> None:
    source = torch.Generator().manual_seed(2)
    rows = {0: torch.randn(2, 7, 8, generator=source)}
    keys = torch.randn(2, 20, 8, generator=source)
    allowed = torch.arange(20) > 6 if confined else None
    most_rows = []

    def seen(part: Tensor, *rest: Tensor | None) -> Tensor:
        most_rows.append(part.shape[1])
        return best_logs(part, *rest)

    best_logs = retrieval._best_logs
    monkeypatch.setattr(retrieval, '_best_logs', seen)
    whole = page_scores(rows, lambda _: keys, page_tokens=PAGE, allowed=allowed)
    monkeypatch.setattr(retrieval, 'LOGIT_BYTES', 3 * 2 * 20 * 4)
    parts = page_scores(rows, lambda _: keys, page_tokens=PAGE, allowed=allowed)
    assert most_rows == [7, 3, 3, 1]
    torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize('confined', [False, True])
def test_keys_ranked_in_blocks_rank_as_they_do_at_once(
    monkeypatch: pytest.MonkeyPatch, confined: bool
) -> None:
    source = torch.Generator().manual_seed(3)
    rows, keys = torch.randn(2, 7, 8, generator=source), torch.randn(2, 20, 8, generator=source)
    hidden = torch.arange(20) < 9 if confined else None  # the first block is hidden whole
    whole = best_shares(rows, keys, hidden)
    monkeypatch.setattr(retrieval, 'BLOCK_TOKENS', 8)
    torch.testing.assert_close(best_shares(rows, keys, hidden), whole)
    assert (whole > 0).tolist() == [not confined or place >= 9 for place in range(20)]


def test_where_nothing_may_be_read_no_page_is_worth_anything() -> None:
    hidden = torch.ones(4, dtype=torch.bool)
    assert best_shares(torch.ones(2, 3, 8), torch.ones(2, 4, 8), hidden).tolist() == [0.0] * 4


def test_half_precision_is_ranked_in_float32() -> None:
    q = torch.randn(4, 3, 8, generator=torch.Generator().manual_seed(0))
    rows = scaled_rows(q.bfloat16(), None, kv_heads=2)
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows, scaled_rows(q.bfloat16().float(), None, kv_heads=2))


class Watched:
    """A memory that has watched two cameras, and what its frames were made of."""

    def __init__(self, memory: Memory, see: Callable, *, stamps: int = 26) -> None:
        self.memory = memory
        self.seen = {}
        for stamp in range(10, 10 * stamps, 10):
            for lane, camera in enumerate(CAMERAS):
                ref = FrameRef(camera, stamp + lane)
                self.seen[ref] = see(memory, ref)
                memory.settle()
        self.recent = list(self.seen)[-4:]

    def left(self) -> tuple[Tensor, Tensor]:
        """Keys and ids of the tokens that left short-term and may be read, page after page."""
        state = self.memory.state()
        if state.facts['archive']:  # every frame that left, whole
            refs = [ref for ref in self.seen if ref not in self.recent]
            ids = torch.cat([self.memory.ids.of_frame(ref) for ref in refs])
            return torch.cat([self.seen[ref].k for ref in refs], 2), ids
        lanes = [state.part(f'long_term.{lane}').tensors for lane in range(2)]
        return torch.cat([lane['keys'] for lane in lanes], 2), torch.cat(
            [lane['ids'] for lane in lanes]
        )

    def allowed(self, ids: Tensor, reading: ReadFilter) -> list[bool]:
        by_frame = {self.memory.ids.frame(ref): ref for ref in self.seen}
        return [reading.contains(by_frame[f]) for f in self.memory.ids.frames(ids).tolist()]


def _expected(
    watched: Watched, q: Tensor, heads: Heads, reading: ReadFilter, *, most: int
) -> list[int]:
    """Ids that a question must read: its best pages and short-term, by time."""
    keys, ids = watched.left()
    allowed = watched.allowed(ids, reading)
    scores = plain_scores(q, keys, heads, allowed)
    best = sorted(range(len(scores)), key=lambda page: -scores[page])[:most]
    chosen = [
        int(ids[token])
        for page in best
        for token in range(PAGE * page, PAGE * (page + 1))
        if allowed[token]
    ]
    recent = [ref for ref in watched.recent if reading.contains(ref)]
    return sorted(chosen + [n for r in recent for n in watched.memory.ids.of_frame(r).tolist()])


FILTERS = [
    ReadFilter(),
    ReadFilter(cameras=frozenset({'left'})),
    ReadFilter(first_ns=50, last_ns=171),
    ReadFilter(without=frozenset(FrameRef('left', stamp) for stamp in range(20, 200, 20))),
    ReadFilter(share=0.5),
]


@pytest.mark.parametrize('preset', ['livevlm', 'balanced'])
@pytest.mark.parametrize('heads', CHOOSING)
@pytest.mark.parametrize('reading', FILTERS, ids=['all', 'camera', 'times', 'without', 'share'])
def test_the_best_pages_are_read_the_same_in_every_layer(
    small: Callable, see: Callable, tokens: Callable, ask: Callable, preset, heads, reading
) -> None:
    watched = Watched(small(preset, heads=heads), see)
    for seed in (900, 901, 902):
        _, views = ask(watched.memory, seed=seed, reading=reading)
        assert len(views) == 2  # a probe, and what was read
        most = max(1, int(6 * reading.share))  # pages of three frames
        expected = _expected(watched, tokens(seed, 4).q, heads, reading, most=most)
        assert [views[1].ids(layer).tolist() for layer in (0, 1)] == [expected] * 2
        assert views[1].ranked >= 6


@pytest.mark.parametrize('preset', ['livevlm', 'balanced', 'rekv'])
def test_an_oracle_reads_every_token_of_its_frames_and_short_term(
    small: Callable, see: Callable, ask: Callable, preset: str
) -> None:
    watched = Watched(small(preset), see)
    _, ids = (None, None) if preset == 'rekv' else watched.left()
    for reading in (ReadFilter(only_ns=((51, 110),)), ReadFilter(only_ns=((51, 110),), last_ns=5)):
        _, views = ask(watched.memory, reading=reading)
        wanted = [ref for ref in watched.seen if 51 <= ref.stamp_ns <= 110]
        recent = [ref for ref in watched.recent if reading.contains(ref)]
        expected = [n for ref in wanted for n in watched.memory.ids.of_frame(ref).tolist()]
        if preset == 'livevlm':
            expected = [n for n in expected if n in ids.tolist()]
        expected += [n for ref in recent for n in watched.memory.ids.of_frame(ref).tolist()]
        assert len(views) == 1
        assert views[0].ids(0).tolist() == views[0].ids(1).tolist() == sorted(expected)


@pytest.mark.parametrize('preset', ['recent', 'full', 'livevlm', 'balanced', 'rekv'])
@pytest.mark.parametrize(
    'reading',
    [
        ReadFilter(only_ns=((10_000, 20_000),)),
        ReadFilter(only_ns=((51, 110),), long_term=False),
        ReadFilter(first_ns=250),
        ReadFilter(cameras=frozenset()),
    ],
    ids=['nothing', 'short-term only', 'new ones only', 'no camera'],
)
def test_where_nothing_that_left_may_be_read_short_term_is_alone(
    small: Callable, see: Callable, ask: Callable, preset: str, reading: ReadFilter
) -> None:
    settings = {'full_max_tokens': 16} if preset == 'full' else {}
    watched = Watched(small(preset, **settings), see)
    _, views = ask(watched.memory, reading=reading)
    recent = [ref for ref in watched.recent if reading.contains(ref)]
    assert views[-1].tokens_read == [4 * len(recent)] * 2
    assert views[-1].frames() == recent


@pytest.mark.parametrize('preset', ['livevlm', 'balanced', 'rekv'])
def test_the_same_question_reads_the_same_of_a_memory_that_has_not_changed(
    small: Callable, see: Callable, ask: Callable, preset: str
) -> None:
    watched = Watched(small(preset), see)
    first, views = ask(watched.memory)
    ask(watched.memory, seed=901)
    again, others = ask(watched.memory)
    assert torch.equal(first, again)
    assert all(torch.equal(views[-1].ids(n), others[-1].ids(n)) for n in range(2))


def test_a_needle_is_found_by_the_heads_that_look_for_it_alone(
    small: Callable, see: Callable, watch: Callable, ask: Callable, tokens: Callable
) -> None:
    """Queries of one head look for it, those of all others do not."""
    found = {}
    for heads in ({1: (3,)}, {1: (0, 1)}):
        memory = small('balanced', 'front', heads=heads)
        watch(memory, range(60), needles=(7,))
        question = tokens(900, 4)
        question.q[:] = -1.0
        question.q[1, 3] = 1.0
        probe = memory.probe(tokens=4)
        assert len(question.attend(probe)) == 1  # the layer that chooses ends the probe
        view = memory.question(extra_tokens=4, probe=probe)
        question.attend(view)
        found[tuple(heads[1])] = FrameRef('front', 7) in view.frames()
    assert found == {(3,): True, (0, 1): False}


def test_there_is_nothing_to_choose_without_frames_that_left(
    small: Callable, watch: Callable
) -> None:
    for preset in ('livevlm', 'balanced'):
        memory = small(preset, 'front')
        watch(memory, range(4))
        assert memory.probe(tokens=4) is None and memory.pages_to_rank == 0
        watch(memory, range(4, 6))
        assert memory.probe(tokens=4) is not None and memory.pages_to_rank == 4
        assert memory.probe(tokens=4, reading=ReadFilter(long_term=False)) is None
        assert memory.probe(tokens=4, reading=ReadFilter(only_ns=((0, 9),))) is None


@pytest.mark.parametrize('preset', ['recent', 'full', 'rekv'])
def test_presets_that_do_not_choose_once_need_no_probe(
    small: Callable, watch: Callable, ask: Callable, preset: str
) -> None:
    memory = small(preset, 'front')
    watch(memory, range(30))
    assert memory.probe(tokens=4) is None
    assert len(ask(memory)[1]) == 1


@pytest.mark.parametrize('page_tokens', [1, 2, 4])
def test_any_part_of_a_frame_will_do_as_a_page(
    small: Callable, watch: Callable, ask: Callable, page_tokens: int
) -> None:
    memory: Memory = small('balanced', 'front', page_tokens=page_tokens)
    watch(memory, range(40))
    _, views = ask(memory)
    ids: Any = views[-1].ids(0)[:-16].view(-1, page_tokens)
    assert len(ids) == 3 * 4 // page_tokens
    assert (ids[:, 0] % page_tokens == 0).all()
    assert (ids.diff(dim=1) == 1).all()
