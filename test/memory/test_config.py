# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from livevlm_ros.memory import PRESETS, CacheShape, Memory, MemoryConfig
from livevlm_ros.memory.config import read_preset


@pytest.mark.parametrize(
    ('settings', 'named'),
    [
        ({'preset': 'everything'}, 'recent, full'),
        ({'short_term_frames': 0}, 'short_term_frames'),
        ({'full_max_tokens': -1}, 'full_max_tokens'),
        ({'long_term_frames': -2}, 'long_term_frames must be at least 0, got -2'),
        ({'eviction': 'lru'}, "eviction must be one of vsb, fifo, uniform, got 'lru'"),
        ({'archive_bits': 2}, 'archive_bits must be one of 0, 4, 8, 16, got 2'),
        ({'archive_host_bytes': -1}, 'archive_host_bytes must be at least 0'),
        ({'archive_disk_bytes': -1}, 'archive_disk_bytes must be at least 0'),
        ({'archive_disk_bytes': 2**20}, 'archive_disk_bytes needs a folder: set path'),
        ({'retrieval': 'all'}, "retrieval must be one of fixed, adaptive, frames, got 'all'"),
        ({'ratio': 0.0}, 'ratio must be above 0 and at most 1, or 16 with an archive, got 0.0'),
        ({'preset': 'livevlm', 'ratio': 1.01}, 'ratio must be'),
        ({'preset': 'balanced', 'ratio': 16.01}, 'ratio must be'),
        ({'ratio': math.nan}, 'ratio must be'),
        ({'preset': 'full', 'long_term_frames': 8}, 'must be 0, got 8 and 0'),
        ({'preset': 'full', 'archive_bits': 8}, 'must be 0, got 0 and 8'),
        ({'archive_bits': 8}, 'retrieval fixed reads a share of long_term_frames, which is 0'),
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
        (
            {'preset': 'livevlm', 'long_term_frames': 320},
            ('front',),
            'need 1032 tokens for a step and 447 for a question, the model has 2048 positions',
        ),
        ({'preset': 'rekv', 'short_term_frames': 300}, ('front',), '1092 for a question'),
    ],
)
def test_a_budget_that_does_not_fit_cameras_or_positions_is_refused(
    shape: CacheShape, settings: dict, cameras: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Memory(MemoryConfig(**settings), shape, cameras)


@pytest.mark.parametrize(
    ('preset', 'short_term', 'long_term', 'eviction', 'archive_bits', 'retrieval', 'gives_up'),
    [
        ('recent', 16, 0, 'vsb', 0, 'fixed', 'context'),
        ('full', 0, 0, 'vsb', 0, 'fixed', 'performance, and then memory'),
        ('rekv', 16, 0, 'vsb', 16, 'frames', 'performance'),
        ('livevlm', 16, 61, 'vsb', 0, 'fixed', 'old detail'),
        ('balanced', 16, 15, 'vsb', 8, 'adaptive', 'nothing above the bar'),
    ],
)
def test_presets_say_what_they_keep_and_what_they_give_up(
    preset, short_term, long_term, eviction, archive_bits, retrieval, gives_up
) -> None:
    config = MemoryConfig(preset=preset)
    assert (config.short_term_frames, config.long_term_frames) == (short_term, long_term)
    assert (config.eviction, config.archive_bits) == (eviction, archive_bits)
    assert (config.retrieval, config.gives_up) == (retrieval, gives_up)
    assert config.ratio == (2.0 if preset == 'balanced' else 0.4)
    assert config.retrieves == bool(long_term or archive_bits)


def test_every_preset_has_a_file_and_makes_a_memory(shape: CacheShape) -> None:
    for preset in PRESETS:
        assert Memory(MemoryConfig(preset=preset), shape, ('front',)).frames() == []


def test_what_is_given_goes_before_the_preset_zero_too() -> None:
    given = {
        'short_term_frames': 8,
        'long_term_frames': 15,
        'eviction': 'fifo',
        'archive_bits': 0,
        'retrieval': 'fixed',
        'ratio': 0.7,
    }
    config = MemoryConfig(preset='balanced', **given)
    assert {name: getattr(config, name) for name in given} == given


def test_a_preset_file_may_leave_out_all_but_what_it_gives_up() -> None:
    assert read_preset('gives_up: context', name='mine') == {'gives_up': 'context'}


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('gives_up: a\nshort_frames: 3', 'preset mine: unknown short_frames; expected some of'),
        ('gives_up: a\npreset: full', 'unknown preset'),
        ('short_term_frames: 3', 'preset mine: expected settings with gives_up'),
        ('', 'got None'),
        ('- 3', 'expected settings with gives_up'),
    ],
)
def test_a_preset_file_with_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_preset(text, name='mine')
