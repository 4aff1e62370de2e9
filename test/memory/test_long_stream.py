# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stream many times as long as the archive: nothing is held up, and RAM stays as it was said."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median, quantiles

import pytest
import torch

from livevlm_ros.memory import CacheShape, FrameRef, Memory, MemoryConfig, RetrievalSettings
from livevlm_ros.memory.archive.costs import index_bytes
from livevlm_ros.memory.tiers import archive_layout

EMBEDDED = CacheShape(6, 4, 2, 64, 9, 1e4, 4096)
ROOM, FRAMES = 1500, 6000


MAKING_BYTES = 48e6
"""Of the sketch's centroids, which are in no sizes, and of what they are made from."""


class Timed:
    """Calls, and how long they kept their thread: however busy the machine is, about the same."""

    def __init__(self, call: Callable[..., None]) -> None:
        self.call, self.ms = call, list[float]()

    def __call__(self, *given: object) -> None:
        began = time.thread_time()
        self.call(*given)
        self.ms.append((time.thread_time() - began) * 1e3)

    def check(self, most: float) -> None:
        """Check that but for one in a hundred none takes more than so many times the median."""
        of_all = self.ms[100:]
        assert quantiles(of_all, n=100)[98] < most * median(of_all)


@pytest.mark.slow
def test_steps_stay_as_quick_and_ram_flat_after_the_archive_is_full() -> None:
    """In a process of its own, whose RAM no other test takes or gives back."""
    alone = subprocess.run([sys.executable, __file__], capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr


def _live_on() -> None:
    memory, ram = _memory(), {}
    archive = memory._tiers.archive
    step, put = Timed(memory.put_noise), Timed(archive.put)
    archive.put = put
    for number in range(FRAMES):
        step([FrameRef('front', number * 10**9)])
        if number % 10 == 0:
            memory.settle()
        if number in (ROOM // 3, ROOM + 500, FRAMES - 1):
            memory.settle()
            ram[number] = _resident_bytes(), memory.sizes()
    (early, few), (full, held), (late, after) = ram.values()
    memory.close()
    assert after.archive_tokens == held.archive_tokens == 9 * ROOM and after.archive_lost == 0
    assert abs(full - early - (held.host_bytes - few.host_bytes)) < MAKING_BYTES
    came = FRAMES - ROOM - 500
    assert late - full < came * held.host_bytes / ROOM / 2  # what malloc keeps comes and goes
    step.check(6.0)  # without the model's part, which is the same in all
    put.check(5.0)


def _memory() -> Memory:
    config, settings = MemoryConfig('balanced'), RetrievalSettings(9)
    layout, sketched = archive_layout(config, EMBEDDED, settings)
    room = ROOM * (layout.record_bytes + index_bytes(layout, sketched))
    config = MemoryConfig('balanced', archive_host_bytes=room)
    return Memory(config, EMBEDDED, ('front',), dtype=torch.float32, retrieval=settings)


def _resident_bytes() -> int:
    with open('/proc/self/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


if __name__ == '__main__':
    _live_on()
