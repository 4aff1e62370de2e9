# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_ros.memory import CacheShape, EvidenceHeads, FrameRef, Memory, MemoryConfig
from livevlm_ros.memory.views.evidence import attention_row, frame_shares


def _memory(shape: CacheShape, evidence: EvidenceHeads | None = None) -> Memory:
    return Memory(MemoryConfig(), shape, ('front',), evidence=evidence)


def _plant(
    memory: Memory, tokens: Callable, *, layer: int, head: int, needle: int, frames: int = 10
) -> list[tuple[FrameRef, float]]:
    """See frames, one of which has keys that a layer's kv head finds; return the evidence."""
    question = tokens(99, 4)
    for stamp in range(frames):
        new = tokens(stamp, 4)
        if stamp == needle:  # position hardly turns the slow pairs, where key and query agree
            slow = torch.tensor([3, 7])
            new.k[layer, head][:, slow] = 30.0
        step = memory.step([FrameRef('front', stamp)])
        new.attend(step)
        step.commit()
    question.q[..., [3, 7]] = -1.0
    question.q[..., -1, [3, 7]] = 1.0  # the last token alone looks for the needle
    view = memory.question(extra_tokens=4)
    question.attend(view)
    return view.evidence()


def test_evidence_finds_the_frame_the_question_attends_to(
    shape: CacheShape, tokens: Callable
) -> None:
    found = _plant(_memory(shape), tokens, layer=1, head=0, needle=6)
    assert found[0][0] == FrameRef('front', 6)


def test_evidence_shares_sum_to_one_best_first(shape: CacheShape, tokens: Callable) -> None:
    found = _plant(_memory(shape), tokens, layer=1, head=0, needle=6)
    shares = [share for _, share in found]
    assert sum(shares) == pytest.approx(1.0, abs=1e-6)
    assert shares == sorted(shares, reverse=True)
    assert len({ref.stamp_ns for ref, _ in found}) == 10


@pytest.mark.parametrize(
    ('heads', 'found'),
    [
        ({1: None}, True),
        ({0: None}, False),
        ({1: (0, 1)}, True),
        ({1: (2, 3)}, False),
        ({0: (2,), 1: (1,)}, True),
    ],
)
def test_only_the_named_layers_and_query_heads_count(
    shape: CacheShape, tokens: Callable, heads: dict, found: bool
) -> None:
    ranked = _plant(_memory(shape, EvidenceHeads(heads)), tokens, layer=1, head=0, needle=6)
    best = dict(ranked)[FrameRef('front', 6)]
    assert (best > 0.4) == found


@pytest.mark.parametrize(('heads', 'found'), [({1: (0,)}, True), ({1: (2,), 0: (1,)}, False)])
def test_without_an_entry_the_heads_that_choose_pages_count(
    make: Callable, tokens: Callable, heads: dict, found: bool
) -> None:
    memory = make(heads=heads)
    ranked = _plant(memory, tokens, layer=1, head=0, needle=6)
    assert (dict(ranked)[FrameRef('front', 6)] > 0.4) == found


def test_evidence_is_that_of_the_question_not_of_the_answer_tokens(
    shape: CacheShape, tokens: Callable
) -> None:
    memory = _memory(shape)
    _plant(memory, tokens, layer=1, head=0, needle=6)
    view = memory.question(extra_tokens=6)
    tokens(99, 4).attend(view)
    after_question = view.evidence()
    tokens(100, 1).attend(view)
    assert view.evidence() == after_question


def test_there_is_no_evidence_without_frames_or_before_the_question(
    shape: CacheShape, tokens: Callable
) -> None:
    memory = _memory(shape)
    view = memory.question(extra_tokens=4)
    tokens(99, 4).attend(view)
    assert view.frames() == []
    assert view.evidence() == []
    step = memory.step([FrameRef('front', 1)])
    tokens(1, 4).attend(step)
    step.commit()
    assert memory.question(extra_tokens=4).evidence() == []


def test_the_row_is_softmax_over_everything_seen() -> None:
    source = torch.Generator().manual_seed(0)
    query, keys = torch.randn(4, 8, generator=source), torch.randn(2, 11, 8, generator=source)
    scores = torch.stack([keys[head // 2] @ query[head] / 8**0.5 for head in range(4)])
    expected = scores.softmax(-1)
    torch.testing.assert_close(attention_row(query, keys, None), expected.mean(0))
    torch.testing.assert_close(attention_row(query, keys, (1, 2)), expected[1:3].mean(0))


def test_shares_are_summed_over_layers_that_may_have_read_other_frames() -> None:
    rows = [
        (torch.tensor([3, 3, 5]), torch.tensor([0.125, 0.25, 0.125])),
        (torch.tensor([4, 5]), torch.tensor([0.375, 0.125])),
    ]
    found = frame_shares(rows)
    assert [frame for frame, _ in found] == [3, 4, 5]
    assert [share for _, share in found] == pytest.approx([0.375, 0.375, 0.25])
    assert frame_shares([]) == []


def test_settings_of_a_checkpoint_choose_layers_and_heads(shape: CacheShape) -> None:
    read = EvidenceHeads.from_settings
    entry = {'evidence': {'layers': [1], 'heads': [0, 3]}}
    assert read(entry, shape, {0: (1,)}) == EvidenceHeads({1: (0, 3)})
    assert read({}, shape, {0: (1,)}) == EvidenceHeads({0: (1,)})
    assert read({}, shape, {}) == EvidenceHeads({0: None, 1: None})
    assert read({'evidence': {'layers': [1], 'heads': None}}, shape, {}) == EvidenceHeads(
        {1: None}
    )
    assert read({'evidence': {'heads': [2]}}, shape, {}) == EvidenceHeads({0: (2,), 1: (2,)})


@pytest.mark.parametrize(
    ('entry', 'said'),
    [
        ({'layers': [2]}, 'evidence.layers must list numbers from 0 to 1'),
        ({'heads': [4]}, 'evidence.heads must list numbers from 0 to 3'),
        ({'layers': 'all'}, 'evidence.layers'),
        ({'layer': [1]}, 'keys layers and heads'),
        ([1], 'keys layers and heads'),
    ],
)
def test_settings_the_model_cannot_meet_are_refused_by_name(
    shape: CacheShape, entry: object, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        EvidenceHeads.from_settings({'evidence': entry}, shape, {})
