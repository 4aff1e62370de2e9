# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from livevlm_bench.filling import (
    archive_in_ram,
    archive_on_disk,
    filled,
    frame_bytes,
)
from livevlm_bench.one_camera import CLIP
from livevlm_bench.timed_layers import Language
from livevlm_ros.memory import FrameRef, Memory, MemoryConfig, RetrievalSettings


@pytest.mark.parametrize('preset', ['recent', 'livevlm', 'balanced', 'rekv'])
def test_a_memory_holds_what_its_preset_keeps_of_every_frame(
    language: Callable[..., Language], preset: str
) -> None:
    frames, frame = 9 * CLIP + 50, 18  # more than balanced's short-term and long-term
    memory = filled(language(), preset=preset, frames=frames)
    sizes = memory.sizes()
    memory.close()
    assert sizes.short_term_frames + sizes.evictions == frames
    assert sizes.short_term_tokens == 16 * frame
    left = (frames - 16) * frame
    archived = {'balanced': left, 'rekv': left}.get(preset, 0)
    assert (sizes.archive_tokens, sizes.archive_lost) == (archived, 0)
    kept = {'livevlm': 61, 'balanced': 15}.get(preset, 0)
    assert (sizes.long_term_tokens >= kept * frame) and bool(sizes.long_term_tokens) == bool(kept)


@pytest.mark.parametrize('preset', ['balanced', 'rekv'])
@pytest.mark.parametrize('frames', [CLIP, 600])
def test_the_archive_has_room_for_every_frame(
    language: Callable[..., Language], preset: str, frames: int
) -> None:
    memory = filled(language(), preset=preset, frames=frames)
    sizes = memory.sizes()
    memory.close()
    assert sizes.archive_tokens == max(0, frames - 16) * 18


def test_keys_and_values_have_the_type_of_the_model(language: Callable[..., Language]) -> None:
    def device_bytes(dtype: torch.dtype) -> int:
        return filled(language(dtype), preset='recent', frames=16).sizes().device_bytes

    assert device_bytes(torch.bfloat16) < 0.6 * device_bytes(torch.float32)


@pytest.mark.parametrize('preset', ['balanced', 'rekv'])
def test_an_archive_gets_as_many_bytes_as_its_frames_take(
    language: Callable[..., Language], preset: str, tmp_path: Path
) -> None:
    shape, retrieval = language().shape, RetrievalSettings(9)
    config = MemoryConfig(preset)
    record, index = frame_bytes(config, shape, retrieval)
    in_ram = archive_in_ram(config, shape, retrieval, frames=40)
    folder = str(tmp_path)
    on_disk = archive_on_disk(config, shape, retrieval, frames=36, folder=folder)
    assert in_ram.archive_host_bytes == 40 * (record + index)
    for given, expected in ((in_ram, (40, 0)), (on_disk, (4, 36))):
        memory = Memory(given, shape, ('camera',), retrieval=retrieval)
        for second in range(16 + 60):
            memory.put_noise([FrameRef('camera', second * 10**9)])
            memory.settle()
        sizes = memory.sizes()
        memory.close()
        in_ram_bytes = expected[0] * record + sizes.archive_tokens // 18 * index
        assert (sizes.host_bytes, sizes.disk_bytes) == (in_ram_bytes, expected[1] * record)
        assert sizes.archive_tokens == 40 * 18
