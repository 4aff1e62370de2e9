# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

from livevlm_bench.one_camera import CLIP, fill
from livevlm_bench.timed_layers import Language
from livevlm_ros.memory import Memory, MemoryConfig


def test_every_second_of_a_range_is_kept_once(language: Callable[..., Language]) -> None:
    memory = Memory(MemoryConfig('full'), language().shape, ('camera',))
    fill(memory, range(3))
    fill(memory, range(3, 2 * CLIP + 1))
    assert [ref.stamp_ns for ref in memory.refs()] == [
        second * 10**9 for second in range(2 * CLIP + 1)
    ]
