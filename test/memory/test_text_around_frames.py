# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A frame whose image has text around it is one page: nothing of it is held or read in parts."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from livevlm_ros.memory import (
    PRESETS,
    CacheShape,
    FramePositions,
    FrameRef,
    Memory,
    ReadFilter,
    RetrievalSettings,
)

FRAME, TEXT = 7, 3  # tokens, and those of them that are text
VARIANTS = [(preset, {}) for preset in PRESETS] + [
    ('livevlm', {'eviction': 'fifo'}),
    ('livevlm', {'eviction': 'uniform'}),
    ('livevlm', {'eviction': 'infinipot'}),
    ('livevlm', {'retrieval': 'means'}),
    ('balanced', {'retrieval': 'means'}),
    ('balanced', {'archive_bits': 8, 'archive_host_bytes': 2**20}),
    ('rekv', {'retrieval': 'frames-only'}),
]


IN_ROWS = FramePositions(  # of two tokens of text, an image of two rows, and one more
    ((0, 1, 2, 2, 2, 2, 4), (0, 1, 2, 2, 3, 3, 4), (0, 1, 2, 3, 2, 3, 4)),
    advance=5,
    axes=(0, 1, 2, 0),
)


@pytest.fixture(params=[None, IN_ROWS], ids=['in a row', 'in rows'])
def around(request: pytest.FixtureRequest, shape: CacheShape) -> CacheShape:
    """Give a shape like SmolVLM2's and one like Qwen3-VL's."""
    return replace(shape, tokens_per_frame=FRAME, text_tokens=TEXT, positions=request.param)


def _whole_frames(memory: Memory, ids: torch.Tensor) -> int:
    """Count the frames that tokens are of, of which none may lack a token."""
    _, counts = memory.ids.frames(ids).unique(return_counts=True)
    assert (counts == FRAME).all()
    return len(counts)


def _readings() -> Iterator[ReadFilter]:
    yield ReadFilter()
    yield ReadFilter(cameras=frozenset(('left',)))
    yield ReadFilter(share=0.3)
    yield ReadFilter(short_term=False)


@pytest.mark.parametrize('frames', [200, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(('preset', 'settings'), VARIANTS)
def test_no_frame_is_held_or_read_without_its_text(
    small: Callable, ask: Callable, around: CacheShape, preset: str, settings: dict, frames: int
) -> None:
    memory = small(preset, shape=around, page_tokens=FRAME, **settings)
    read = 0
    for number in range(frames):
        memory.put_noise([FrameRef(('left', 'right')[number % 2], number * 10**9)])
        if number % 10 == 0:
            memory.settle()
        if number % (frames // 10) == 0:
            for reading in _readings():
                for view in ask(memory, reading=reading)[1]:
                    read += sum(_whole_frames(memory, view.ids(layer)) for layer in (0, 1))
        for lane in memory._tiers.long_term:
            _whole_frames(memory, lane.tokens.ids)
    memory.forget(ReadFilter(cameras=frozenset(('left',)))).result()
    for lane in memory._tiers.long_term:
        _whole_frames(memory, lane.tokens.ids)
    assert read > 100


def test_the_page_of_such_a_checkpoint_is_the_frame(around: CacheShape) -> None:
    assert RetrievalSettings.from_settings({}, around).page_tokens == 7
    entry = {'retrieval': {'page_tokens': 1}}
    with pytest.raises(ValueError, match='must be the 7 tokens of a frame, .* got 1'):
        RetrievalSettings.from_settings(entry, around)
    bare = replace(around, text_tokens=0, positions=None)
    assert RetrievalSettings.from_settings(entry, bare).page_tokens == 1
