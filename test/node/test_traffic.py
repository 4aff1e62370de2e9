# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import time

import pytest

from livevlm_ros.node.traffic import Traffic


def test_only_the_window_counts() -> None:
    traffic = Traffic()
    now = time.monotonic()
    for n in range(100):
        traffic.add(now - 50, 1.0)
        traffic.add(now, n / 1e5)
    stats = traffic.stats(window_s=10)
    assert stats.received == 200
    assert stats.p50_ms == pytest.approx(0.495)
    assert stats.p99_ms == pytest.approx(0.9801)
    assert stats.max_ms == pytest.approx(0.99)


def test_a_rate_is_that_since_the_first_image(monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = Traffic()
    now = time.monotonic()
    for n in range(60):
        traffic.add(now - 6 + n / 10, 0.0)
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    assert traffic.stats(window_s=60).fps == pytest.approx(10.0)
    assert traffic.stats(window_s=60).counted_s == pytest.approx(6.0)
    assert traffic.stats(window_s=3).counted_s == 3.0


def test_no_image_is_no_rate() -> None:
    stats = Traffic().stats(window_s=10)
    assert (stats.received, stats.fps, stats.max_ms) == (0, 0.0, 0.0)
