# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
import torch

from livevlm_ros.memory import CacheShape, MemoryConfig
from livevlm_ros.memory.budgets import identity, lane_frames, new_archive, reserved_positions

CAMERAS = ('left', 'right', 'rear')


@pytest.mark.parametrize(
    ('settings', 'cameras', 'frames'),
    [
        ({'short_term_frames': 16}, 3, 5),
        ({'preset': 'full'}, 1, 341),  # (2048 - 1024) / 3
        ({'preset': 'full', 'full_max_tokens': 300}, 2, 50),
    ],
)
def test_cameras_share_what_the_positions_and_the_budget_allow(
    shape: CacheShape, settings: dict, cameras: int, frames: int
) -> None:
    assert lane_frames(MemoryConfig(**settings), shape, cameras) == frames


def test_a_step_of_many_cameras_may_reserve_more_than_a_question(shape: CacheShape) -> None:
    assert reserved_positions(shape, 2) == 1024
    assert reserved_positions(replace(shape, tokens_per_frame=196), 8) == 256 + 8 * 196


def test_a_preset_without_an_archive_makes_none(shape: CacheShape) -> None:
    def made(preset: str):
        return new_archive(MemoryConfig(preset=preset), shape, cameras=1, page_tokens=4)

    assert made('livevlm') is None
    assert made('balanced') is not None


def _identity(shape: CacheShape, cameras=CAMERAS, page_tokens=4, **settings) -> dict:
    config = MemoryConfig(**{'preset': 'balanced', **settings})
    return identity(config, shape, cameras, dtype=torch.float32, page_tokens=page_tokens)


def test_memories_are_of_one_identity_if_one_can_hold_what_the_other_held(
    shape: CacheShape,
) -> None:
    mine = _identity(shape)
    reading = {'ratio': 0.2, 'retrieval': 'fixed', 'archive_host_bytes': 2**30}
    assert _identity(shape, **reading) == mine
    assert _identity(shape, short_term_frames=18) != mine
    assert _identity(shape, long_term_frames=18) != mine
    assert _identity(shape, archive_bits=4) != mine
    assert _identity(shape, page_tokens=8) != mine
    assert _identity(shape, cameras=CAMERAS[:2]) != mine
    assert _identity(replace(shape, layers=3)) != mine
    unarchived = {'preset': 'livevlm'}  # whose pages are cut anew for each question
    assert _identity(shape, page_tokens=8, **unarchived) == _identity(shape, **unarchived)
