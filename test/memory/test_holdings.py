# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who looks into a memory finds each token in the tiers that hold it."""

from contextlib import closing

import pytest
import torch

from livevlm_ros.memory import CacheShape, FrameRef, Memory, MemoryConfig

SHAPE = CacheShape(
    layers=1,
    q_heads=2,
    kv_heads=1,
    head_dim=4,
    tokens_per_frame=3,
    rope_theta=1e4,
    max_positions=2048,
)
FRAMES = [
    FrameRef(camera, second * 10**9) for second in range(1, 13) for camera in ('left', 'right')
]


@pytest.mark.parametrize(
    ('config', 'tiers'),
    [
        (MemoryConfig('recent', short_term_frames=4), ['short-term']),
        (MemoryConfig('full'), ['short-term']),
        (MemoryConfig('rekv', short_term_frames=4), ['short-term', 'archive']),
        (
            MemoryConfig('livevlm', short_term_frames=4, long_term_frames=6),
            ['short-term', 'long-term'],
        ),
        (
            MemoryConfig('balanced', short_term_frames=4, long_term_frames=6),
            ['short-term', 'long-term', 'archive'],
        ),
    ],
    ids=lambda given: getattr(given, 'preset', ''),
)
def test_a_token_is_in_short_term_or_where_it_went_from_there(config, tiers):
    with closing(Memory(config, SHAPE, ('left', 'right'))) as memory:
        for first in range(0, len(FRAMES), 2):
            memory.put_noise(FRAMES[first : first + 2])
        memory.settle()
        held, sizes = memory.holds(FRAMES), memory.sizes()
        assert list(held) == tiers
        assert {each.shape for each in held.values()} == {(len(FRAMES), 3)}
        newest = torch.zeros(len(FRAMES), 3, dtype=torch.bool)
        newest[0 if config.preset == 'full' else -4 :] = True
        assert torch.equal(held['short-term'], newest)
        if 'archive' in held:
            assert torch.equal(held['archive'], ~newest)
        if 'long-term' in held:
            assert held['long-term'].sum() == sizes.long_term_tokens
            assert not (held['long-term'] & newest).any()


def test_nothing_is_held_of_frames_that_are_gone():
    with closing(Memory(MemoryConfig('recent', short_term_frames=4), SHAPE, ('left',))) as memory:
        frames = [FrameRef('left', second * 10**9) for second in range(1, 8)]
        for frame in frames:
            memory.put_noise([frame])
        assert memory.holds(frames[3:])['short-term'].all()
        assert not memory.holds(frames[:3])['short-term'].any()
        assert memory.holds([])['short-term'].shape == (0, 3)
