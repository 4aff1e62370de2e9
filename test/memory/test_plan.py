# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from dataclasses import replace

import pytest

from livevlm_ros.memory import (
    PRESETS,
    CacheShape,
    Memory,
    MemoryConfig,
    MemoryPlan,
    RetrievalSettings,
)

FREE = 2**20


def _plan(
    config: MemoryConfig, shape: CacheShape, cameras: int, *, page_tokens: int = 2
) -> MemoryPlan:
    return MemoryPlan.of(
        config,
        shape,
        cameras=cameras,
        retrieval=RetrievalSettings(page_tokens),
        itemsize=4,
        free_bytes=FREE,
    )


@pytest.mark.parametrize('cameras', [('front',), ('left', 'right', 'rear')])
@pytest.mark.parametrize('text_tokens', [0, 2])
@pytest.mark.parametrize('preset', PRESETS)
def test_a_memory_takes_to_the_byte_what_was_planned(
    shape: CacheShape, preset: str, text_tokens: int, cameras: tuple[str, ...]
) -> None:
    page_tokens = 4 if text_tokens else 2
    shape = replace(shape, text_tokens=text_tokens)
    config = MemoryConfig(preset, full_max_tokens=160, archive_host_bytes=2**18)
    plan = _plan(config, shape, len(cameras), page_tokens=page_tokens)
    memory = Memory(config, shape, cameras, retrieval=RetrievalSettings(page_tokens))
    sizes = memory.sizes()
    memory.close()
    assert plan.room == sizes.room
    if preset == 'full':  # which grows as it goes
        return
    ahead = 30 * 4 * shape.token_bytes(4) if preset == 'balanced' else 0  # none is chosen yet
    assert plan.device_bytes == sizes.device_bytes
    assert plan.read_bytes == sizes.read_bytes + ahead


@pytest.mark.parametrize('preset', ['full', 'rekv', 'balanced'])
def test_what_fills_up_is_as_large_as_planned(
    make: Callable, watch: Callable, shape: CacheShape, preset: str
) -> None:
    settings = {'full_max_tokens': 480, 'archive_host_bytes': 2**18}
    memory = make(preset=preset, **settings)
    config = MemoryConfig(preset, **settings)
    plan = _plan(config, shape, 1)
    watch(memory, range(2 * plan.room.frames))
    memory.settle()
    sizes = memory.sizes()
    prefix = 2 * shape.token_bytes(4)
    assert sizes.device_bytes - prefix == pytest.approx(plan.device_bytes, rel=0.05)
    if plan.room.archive is not None:
        of_frames = plan.room.archive.host_bytes
        assert 0.95 * of_frames < sizes.host_bytes <= 1.05 * of_frames + plan.sketch_bytes


def test_an_archive_of_free_ram_takes_its_share(shape: CacheShape) -> None:
    plan = _plan(MemoryConfig('balanced', archive_host_bytes=-1), shape, 1)
    assert plan.room.archive is not None
    assert FREE // 4 - plan.ram_frame_bytes < plan.room.archive.host_bytes <= FREE // 4


def test_what_a_model_has_no_positions_for_is_refused(shape: CacheShape) -> None:
    with pytest.raises(ValueError, match='the model has 2048 positions'):
        _plan(MemoryConfig('rekv', retrieval_frames=500), shape, 1)
