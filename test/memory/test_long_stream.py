# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stream many times as long as the archive: no step is held up, and RAM stays as it was said."""

import os
import time
from statistics import median, quantiles

import pytest
import torch

from livevlm_ros.memory import CacheShape, FrameRef, Memory, MemoryConfig, RetrievalSettings
from livevlm_ros.memory.archive.archive import index_bytes
from livevlm_ros.memory.tiers import archive_layout

EMBEDDED = CacheShape(6, 4, 2, 64, 9, 1e4, 4096)
ROOM, FRAMES = 1500, 6000


@pytest.mark.slow
def test_steps_stay_as_quick_and_ram_flat_after_the_archive_is_full() -> None:
    memory, steps_ms, ram = _memory(), [], {}
    for number in range(FRAMES):
        began = time.thread_time()  # of this thread alone, however busy the machine is
        memory.put_noise([FrameRef('front', number * 10**9)])
        steps_ms.append((time.thread_time() - began) * 1e3)
        if number % 10 == 0:
            memory.settle()
        if number in (ROOM // 3, ROOM + 500, FRAMES - 1):
            memory.settle()
            ram[number] = _resident_bytes(), memory.sizes()
    (early, few), (full, held), (late, after) = ram.values()
    memory.close()
    assert after.archive_tokens == held.archive_tokens == 9 * ROOM and after.archive_lost == 0
    assert abs(full - early - (held.host_bytes - few.host_bytes)) < 16e6
    assert late - full < 8e6
    assert quantiles(steps_ms[100:], n=100)[98] < 3 * median(steps_ms[100:])


def _memory() -> Memory:
    config, settings = MemoryConfig('balanced'), RetrievalSettings(9)
    layout, sketched = archive_layout(config, EMBEDDED, settings)
    room = ROOM * (layout.record_bytes + index_bytes(layout, sketched))
    config = MemoryConfig('balanced', archive_host_bytes=room)
    return Memory(config, EMBEDDED, ('front',), dtype=torch.float32, retrieval=settings)


def _resident_bytes() -> int:
    with open('/proc/self/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
