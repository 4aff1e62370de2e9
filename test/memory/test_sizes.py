# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import PREFIX_POSITIONS, PRESETS, CacheShape, FrameRef
from livevlm_ros.memory.archive.costs import ROW_BYTES

ID_BYTES = 8


def test_sizes_count_tokens_and_the_cache_nothing_would_have_dropped(
    make: Callable, watch: Callable, shape: CacheShape
) -> None:
    memory = make(short_term_frames=4)
    watch(memory, range(10))
    sizes = memory.sizes()
    assert (sizes.short_term_frames, sizes.short_term_tokens, sizes.frames) == (4, 16, 4)
    assert sizes.full_cache_bytes == 10 * 4 * shape.token_bytes(4)
    assert sizes.device_bytes == (4 * 4 + 2) * shape.token_bytes(4)
    assert not sizes.context_truncated


def test_what_left_short_term_is_counted_where_it_is(
    small: Callable, watch: Callable, shape: CacheShape
) -> None:
    memory = small('balanced', 'front')
    watch(memory, range(24))
    sizes = memory.sizes()
    assert (sizes.archive_tokens, sizes.evictions, sizes.archive_lost) == (80, 20, 0)
    assert sizes.long_term_tokens == 32 <= sizes.long_term_capacity == 36
    room = 4 * 4 + 2 + sizes.long_term_capacity
    assert sizes.device_bytes == room * shape.token_bytes(4) + 36 * 2 * ID_BYTES
    record_bytes = 4 * shape.token_bytes(2)
    beside = sizes.host_bytes - 20 * (record_bytes + ROW_BYTES)  # codes of the sketches
    assert 0 < beside < 20 * 76
    assert sizes.disk_bytes == 0 and not sizes.disk_lost


@pytest.mark.parametrize('cameras', [('front',), ('left', 'right')])
@pytest.mark.parametrize('preset', [*PRESETS, 'on disk'])
def test_as_many_frames_as_there_is_room_for_stay_whole_and_no_more(
    small: Callable, watch: Callable, tmp_path: Path, preset: str, cameras: tuple[str, ...]
) -> None:
    settings = {'archive_host_bytes': 2**14}
    if preset == 'on disk':
        settings |= {'archive_disk_bytes': 2**14, 'path': str(tmp_path)}
    memory = small('balanced' if preset == 'on disk' else preset, *cameras, **settings)
    room = memory.sizes().room
    seen: list[FrameRef] = []
    while len(seen) <= room.frames:
        sizes = memory.sizes()
        seen.append(FrameRef(cameras[len(seen) % len(cameras)], len(seen) // len(cameras) * 10**9))
        watch(memory, [seen[-1].stamp_ns], seen[-1].camera)
        memory.settle()
        held = torch.stack(list(memory.holds(seen).values())).any(0)  # by any tier
        assert bool(held.all()) == (len(seen) <= room.frames)
    if room.archive is not None:
        assert sizes.host_bytes == room.archive.host_bytes <= 2**14
        assert sizes.disk_bytes == room.archive.disk_bytes <= 2**14


@pytest.mark.parametrize('preset', PRESETS)
def test_how_far_back_a_memory_reaches_is_told(
    small: Callable, watch: Callable, preset: str
) -> None:
    memory = small(preset, 'front')
    sizes = memory.sizes()
    assert (sizes.oldest_stamp_ns, sizes.short_term_oldest_ns) == (0, 0)
    watch(memory, range(1000, 1060))
    sizes = memory.sizes()
    assert sizes.oldest_stamp_ns == memory.refs()[0].stamp_ns
    newest = [ref for ref in memory.refs() if memory.in_short_term(ref)]
    assert sizes.short_term_oldest_ns == newest[0].stamp_ns
    assert len(newest) == sizes.short_term_frames


def test_steps_read_through_the_room_of_one_layer(
    make: Callable, see: Callable, shape: CacheShape
) -> None:
    memory = make(preset='full')
    see(memory, FrameRef('front', 1))
    angles = 2 * shape.head_dim // 2 * 4
    a_token = shape.token_bytes(4) // shape.layers + angles
    of_questions = shape.token_bytes(4)  # which read all layers
    assert memory.sizes().read_bytes == PREFIX_POSITIONS * (a_token + of_questions)
