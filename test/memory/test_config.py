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
        ({'eviction': 'lru'}, "eviction must be one of vsb, fifo, uniform, infinipot, got 'lru'"),
        ({'archive_bits': 2}, 'archive_bits must be one of 0, 4, 8, 16, got 2'),
        ({'archive_host_bytes': -2}, 'archive_host_bytes must be at least -1'),
        ({'archive_disk_bytes': -2}, 'archive_disk_bytes must be at least -1'),
        ({'archive_disk_bytes': 2**20}, 'archive_disk_bytes needs a folder: set path'),
        ({'archive_disk_bytes': -1}, 'archive_disk_bytes needs a folder: set path'),
        (
            {'retrieval': 'all'},
            "retrieval must be one of tokens, means, frames, frames-only, got 'all'",
        ),
        ({'retrieval_frames': -2}, 'retrieval_frames must be at least 0, got -2'),
        ({'preset': 'livevlm', 'retrieval_frames': 0}, 'retrieval_frames is 0, but'),
        ({'archive_bits': 8}, 'retrieval_frames is 0, but frames that left short-term are kept'),
        ({'tau': math.nan}, 'tau must be a number, got nan'),
        ({'preset': 'full', 'long_term_frames': 8}, 'must be 0, got 8 and 0'),
        ({'preset': 'full', 'archive_bits': 8}, 'must be 0, got 0 and 8'),
    ],
)
def test_settings_no_memory_can_have_are_refused_by_name(settings: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        MemoryConfig(**settings)


@pytest.mark.parametrize(
    ('preset', 'short_term', 'long_term', 'archive_bits', 'retrieval', 'frames', 'gives_up'),
    [
        ('recent', 16, 0, 0, 'tokens', 0, 'context'),
        ('full', 0, 0, 0, 'tokens', 0, 'performance, and then memory'),
        ('rekv', 16, 0, 16, 'frames', 64, 'performance'),
        ('livevlm', 16, 61, 0, 'tokens', 24, 'old detail'),
        ('balanced', 16, 15, 8, 'tokens', 30, 'performance'),
    ],
)
def test_presets_say_what_they_keep_and_what_they_give_up(
    preset, short_term, long_term, archive_bits, retrieval, frames, gives_up
) -> None:
    config = MemoryConfig(preset=preset)
    assert (config.short_term_frames, config.long_term_frames) == (short_term, long_term)
    assert (config.eviction, config.archive_bits) == ('vsb', archive_bits)
    assert (config.retrieval, config.retrieval_frames) == (retrieval, frames)
    assert config.gives_up == gives_up
    assert config.retrieves == bool(long_term or archive_bits)


def test_every_preset_has_a_file_and_makes_a_memory(shape: CacheShape) -> None:
    for preset in PRESETS:
        memory = Memory(MemoryConfig(preset=preset), shape, ('front',))
        assert memory.refs() == []
        memory.close()


def test_what_is_given_goes_before_the_preset_zero_too() -> None:
    given = {
        'short_term_frames': 8,
        'long_term_frames': 15,
        'eviction': 'fifo',
        'archive_bits': 0,
        'retrieval': 'means',
        'retrieval_frames': 7,
    }
    config = MemoryConfig(preset='balanced', **given)
    assert {name: getattr(config, name) for name in given} == given
    assert MemoryConfig(preset='balanced', long_term_frames=0).long_term_frames == 0


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


@pytest.mark.parametrize(
    ('preset', 'held', 'share', 'frames'),
    [
        ('recent', 4, 1.0, 4),
        ('recent', 400, 1.0, 16),
        ('balanced', 400, 0.0, 16),
        ('balanced', 400, 0.5, 16 + 15),
        ('balanced', 30, 1.0, 30),
        ('full', 400, 1.0, 400),
    ],
)
def test_a_question_reads_what_is_held_up_to_the_settings(
    preset: str, held: int, share: float, frames: int
) -> None:
    assert MemoryConfig(preset).frames_read(held, share=share) == frames
