# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.memory import CacheShape, Memory, MemoryConfig


@pytest.mark.parametrize(
    ('settings', 'named'),
    [
        ({'preset': 'everything'}, 'recent, full'),
        ({'short_term_frames': 0}, 'short_term_frames'),
        ({'full_max_tokens': -1}, 'full_max_tokens'),
    ],
)
def test_settings_no_memory_can_have_are_refused_by_name(settings: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        MemoryConfig(**settings)


@pytest.mark.parametrize(
    ('settings', 'cameras', 'said'),
    [
        ({'short_term_frames': 1}, ('left', 'right'), 'less than one frame for each of 2'),
        ({'short_term_frames': 400}, ('front',), '1024 positions'),
        ({'preset': 'full', 'full_max_tokens': 2}, ('front',), 'less than one frame'),
        ({}, (), 'at least one camera'),
    ],
)
def test_a_budget_that_does_not_fit_cameras_or_positions_is_refused(
    shape: CacheShape, settings: dict, cameras: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Memory(MemoryConfig(**settings), shape, cameras)
