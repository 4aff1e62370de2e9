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


def test_seconds_count_since_the_first_image(monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = Traffic()
    assert traffic.stats(window_s=60).counted_s == 0.0
    now = time.monotonic()
    for n in range(60):
        traffic.add(now - 6 + n / 10, 0.0)
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    assert traffic.stats(window_s=60).counted_s == pytest.approx(6.0)
    assert traffic.stats(window_s=3).counted_s == 3.0


def test_no_image_is_no_rate() -> None:
    stats = Traffic().stats(window_s=10)
    assert (stats.received, stats.fps, stats.max_ms) == (0, 0.0, 0.0)


def test_the_rate_is_that_since_the_first_image_however_late_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    traffic = Traffic()
    for n in range(201):  # 10 a second, from 100 s on
        now = 100 + n / 10
        traffic.add(now, 1e-4)
        if n in (0, 20, 200):
            assert traffic.stats(window_s=10).fps == pytest.approx(10.0 if n else 0.0, abs=0.2)
