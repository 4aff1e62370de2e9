# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest

from livevlm_ros.memory import PREFIX_POSITIONS, PRESETS, CacheShape, FrameRef

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
    assert 20 * record_bytes < sizes.host_bytes < 20 * (record_bytes + 100)
    assert sizes.disk_bytes == 0 and not sizes.disk_lost


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
    assert memory.sizes().read_bytes == PREFIX_POSITIONS * a_token
