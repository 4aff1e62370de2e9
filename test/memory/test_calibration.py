# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibration: what heads want of an archive, and which few of them find as much as all."""

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import (
    CacheShape,
    FrameRef,
    HeadChoice,
    Memory,
    MemoryConfig,
    RetrievalSettings,
    choose_heads,
)
from livevlm_ros.memory.retrieval import page_scores, scaled_rows

LAYERS, Q_HEADS, PAGES, READ = 6, 4, 60, 6
CHANCE = READ / PAGES


class Questions:
    """Forty questions of two true pages each, which noise wants as much as any other page."""

    def __init__(self, seed: int = 0) -> None:
        source = torch.Generator().manual_seed(seed)
        self.scores = [torch.rand(LAYERS, Q_HEADS, PAGES, generator=source) for _ in range(40)]
        self.truth = [torch.zeros(PAGES, dtype=torch.bool) for _ in range(40)]
        for truth in self.truth:
            truth[torch.randperm(PAGES, generator=source)[:2]] = True
        self.held_out = [number % 2 == 1 for number in range(40)]

    def teach(self, layer: int, head: int, *, kind: int | None = None, finds: float = 9.0) -> None:
        """Let a head want the true pages, of all questions or of every other pair of them."""
        for number, (scores, truth) in enumerate(zip(self.scores, self.truth, strict=True)):
            if kind is None or number // 2 % 2 == kind:
                scores[layer, head][truth] += finds

    def choose(self, *, at_least: int = 1) -> HeadChoice:
        return choose_heads(self.scores, self.truth, self.held_out, read=READ, at_least=at_least)


@pytest.fixture
def questions() -> Questions:
    return Questions()


def test_one_head_that_finds_all_is_all_that_is_taken(questions: Questions) -> None:
    questions.teach(3, 2)
    choice = questions.choose()
    assert choice.heads == {3: (2,)}
    assert choice.recalls['chosen'] == choice.recalls['best head'] == (1.0, 1.0)
    assert choice.layers[3] == ((3, 2), (1.0, 1.0))
    assert choice.recalls['chance'] == pytest.approx((CHANCE, CHANCE))


def test_of_two_heads_that_find_and_noise_one_is_enough_and_it_is_the_lower(
    questions: Questions,
) -> None:
    questions.teach(4, 0)
    questions.teach(2, 3)
    assert questions.choose().heads == {2: (3,)}


def test_two_kinds_of_question_get_the_heads_of_both(questions: Questions) -> None:
    questions.teach(2, 1, kind=0)
    questions.teach(4, 3, kind=1)
    choice = questions.choose()
    assert choice.heads == {2: (1,), 4: (3,)}
    (_, alone), (_, both) = choice.taken
    assert alone.choosing < 0.7 and both == choice.recalls['chosen'] == (1.0, 1.0)


def test_more_heads_are_taken_where_fewer_have_failed(questions: Questions) -> None:
    questions.teach(3, 2)
    heads = questions.choose(at_least=4).heads
    assert sum(map(len, heads.values())) == 4 and 2 in heads[3]
    assert questions.choose(at_least=LAYERS * Q_HEADS + 1).heads == {}


def test_heads_of_one_layer_are_listed_together_ascending(questions: Questions) -> None:
    questions.teach(2, 3, kind=0)
    questions.teach(2, 0, kind=1)
    assert questions.choose().heads == {2: (0, 3)}


@pytest.mark.parametrize('seed', range(10))
def test_where_nothing_finds_no_head_is_named(seed: int) -> None:
    choice = Questions(seed).choose()
    assert choice.heads == {} and 'chosen' not in choice.recalls
    assert len(choice.taken) == LAYERS * Q_HEADS


def test_a_head_that_finds_only_where_it_was_chosen_is_not_named(questions: Questions) -> None:
    for scores, truth, out in zip(
        questions.scores, questions.truth, questions.held_out, strict=True
    ):
        if not out:
            scores[3, 2][truth] += 9.0
    choice = questions.choose()
    assert choice.taken[0][0] == (3, 2) and choice.taken[0][1].choosing == 1.0
    assert choice.heads == {}


def test_the_votes_are_those_of_all_layers_and_of_the_middle_and_upper_ones(
    questions: Questions,
) -> None:
    questions.teach(1, 2)
    recalls = questions.choose().recalls
    assert recalls['all heads'].choosing == 1.0
    assert recalls['default vote'].choosing < 0.4


SHAPE = CacheShape(
    layers=2,
    q_heads=4,
    kv_heads=2,
    head_dim=8,
    tokens_per_frame=4,
    rope_theta=10000.0,
    max_positions=2048,
)


def _made(seed: int, tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    source = torch.Generator().manual_seed(seed)
    q_and_kv = (SHAPE.q_heads, SHAPE.kv_heads, SHAPE.kv_heads)
    return tuple(
        torch.randn(SHAPE.layers, heads, tokens, SHAPE.head_dim, generator=source)
        for heads in q_and_kv
    )


@pytest.fixture
def memory():
    """Hold six frames of two pages each, one a second, the newest two in short-term."""
    heads = dict.fromkeys(range(SHAPE.layers), tuple(range(SHAPE.q_heads)))
    memory = Memory(
        MemoryConfig(
            preset='balanced', short_term_frames=2, long_term_frames=2, retrieval_frames=1
        ),
        SHAPE,
        ['front'],
        retrieval=RetrievalSettings(2, heads),
    )
    for second in range(6):
        view = memory.step([FrameRef('front', 5_000 + second, 'front')])
        q, k, v = _made(second, SHAPE.tokens_per_frame)
        for layer in range(SHAPE.layers):
            view.attend(layer, q[layer], k[layer], v[layer])
        view.commit()
    memory.settle()
    yield memory
    memory.close()


def test_what_heads_want_is_what_retrieval_ranks_by_before_it_is_summed(memory: Memory) -> None:
    probe = memory.probe(tokens=3)
    assert probe is not None
    q, k, v = _made(99, 3)
    for layer in range(SHAPE.layers):
        probe.attend(layer, q[layer], k[layer], v[layer])
    found = memory.head_scores(probe)
    assert found.stamps_ns.tolist() == [5_000 + second for second in range(4) for _ in range(2)]
    assert found.read == 2 and found.scores.shape == (SHAPE.layers, SHAPE.q_heads, 8)
    archive = memory._tiers.archive
    assert archive is not None
    expected = page_scores(
        {n: scaled_rows(q[n], None, kv_heads=SHAPE.kv_heads) for n in range(SHAPE.layers)},
        lambda layer: archive.keys(layer, torch.arange(len(archive))),
        page_tokens=2,
    )
    torch.testing.assert_close(found.scores.amax(1).mean(0), expected)
