# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from functools import partial

import pytest

from livevlm_ros.memory import CacheShape
from livevlm_ros.memory.archive.costs import (
    LEAST_FRAMES,
    RANKED_FRAMES,
    RecordSize,
    index_bytes,
    room_for,
    sketch_bytes,
)


def test_a_record_on_disk_has_its_index_in_ram(shape: CacheShape) -> None:
    size = RecordSize(shape, 2, 8)
    record, index = size.record_bytes, index_bytes(size, None)
    divide = partial(room_for, size, None, lanes=1)
    ram = 100 * (record + index)
    assert divide(host_bytes=ram, disk_bytes=0).host_frames == 100
    both = divide(host_bytes=ram, disk_bytes=50 * record)
    assert (both.disk_frames, both.disk_bytes) == (50, 50 * record)
    assert both.host_frames == (ram - 50 * index) // (record + index)
    assert ram - record - index < both.host_bytes <= ram
    most = divide(host_bytes=ram, disk_bytes=10**12)
    assert LEAST_FRAMES <= most.host_frames < 2 * LEAST_FRAMES


def test_too_little_ram_for_every_lane_is_refused(shape: CacheShape) -> None:
    size = RecordSize(shape, 2, 8)
    least = 3 * LEAST_FRAMES * (size.record_bytes + index_bytes(size, (0, 1)))
    with pytest.raises(ValueError, match=f'archive_host_bytes must be at least {least}, got 1'):
        room_for(size, (0, 1), lanes=3, host_bytes=1, disk_bytes=0)


def test_few_frames_have_no_sketch(shape: CacheShape) -> None:
    assert sketch_bytes(shape, 2, frames=RANKED_FRAMES) == 0
    assert sketch_bytes(shape, 2, frames=RANKED_FRAMES + 1) > 0
