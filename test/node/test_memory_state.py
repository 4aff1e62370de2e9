# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip('torch')

from livevlm_ros.engine.slot import CameraStats, Dropped
from livevlm_ros.memory import MemorySizes
from livevlm_ros.node.cameras import CameraReport
from livevlm_ros.node.memory_state import MemoryTeller
from livevlm_ros.node.parameters import table
from livevlm_ros.node.traffic import TrafficStats

DEFAULTS = {name: row.default for name, row in table().items()}
HEARD = CameraReport(
    name='camera',
    topics=('/camera/image_raw',),
    transport='raw',
    publishers=1,
    incompatible='',
    silent_s=0.1,
    encoding='rgb8',
    traffic=TrafficStats(received=300, fps=30.0, p50_ms=0.1, p99_ms=0.2, max_ms=0.3),
)
SIZES = MemorySizes(*([0] * 12))


def test_there_is_no_message_before_there_is_a_memory(fake_engine: Any) -> None:
    assert MemoryTeller().message(fake_engine.stats(), [], DEFAULTS, now_ns=0) is None


def test_the_memory_has_the_name_that_the_engine_gives_it_and_says_that_it_rests(
    fake_engine: Any,
) -> None:
    stats = replace(fake_engine.stats(), memory=SIZES, memory_id='m-3', paused=True)
    message = MemoryTeller().message(stats, [], DEFAULTS, now_ns=0)
    assert message is not None and (message.memory_id, message.paused) == ('m-3', True)


def test_the_rate_of_use_is_taken_over_the_window(fake_engine: Any, monkeypatch: Any) -> None:
    teller = MemoryTeller()
    rate = 0.0
    for second in range(30):
        monkeypatch.setattr('time.monotonic', lambda now=second: 100.0 + now)
        account = CameraStats(frames_used=2 * second, dropped=Dropped(rate=28 * second))
        stats = replace(fake_engine.stats(), memory=SIZES, cameras={'camera': account})
        window = {**DEFAULTS, 'diagnostics.window_s': 5.0}
        rate = teller.message(stats, [HEARD], window, now_ns=0).cameras[0].fps_used
    assert rate == 2.0
