# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When images of one camera came, and how long each held its callback."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

REMEMBERED = 36000  # images: the longest window at 60 Hz


@dataclass(frozen=True, slots=True)
class TrafficStats:
    """
    What came in a window of time.

    :param received: images since the counting began
    :param fps: images per second in the window, or since the first image
    :param counted_s: seconds that these were counted
    :param p50_ms: median time in the callback, milliseconds; 0 when the window is empty
    """

    received: int
    fps: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    counted_s: float = 0.0


class Traffic:
    """The account of an image callback; `add` in the callback, `stats` anywhere."""

    def __init__(self) -> None:
        self._began_s = math.inf  # with the first image
        self._images: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._received = 0
        self._lock = threading.Lock()

    def add(self, arrived_s: float, took_s: float) -> None:
        """Count an image that came at `arrived_s`, monotonic, and took `took_s` to hand over."""
        with self._lock:
            self._began_s = min(self._began_s, arrived_s)
            self._received += 1
            self._images.append((arrived_s, took_s))

    def stats(self, window_s: float) -> TrafficStats:
        """Summarise the last `window_s` seconds."""
        now = time.monotonic()
        with self._lock:
            images, received, began_s = list(self._images), self._received, self._began_s
        took_ms = np.array([1e3 * took for arrived, took in images if arrived >= now - window_s])
        counted_s = max(0.0, min(window_s, now - began_s))
        if not took_ms.size:
            return TrafficStats(received, 0.0, 0.0, 0.0, 0.0, counted_s)
        p50, p99 = np.percentile(took_ms, (50, 99))
        # The first image only begins the time that the others took.
        since_s = max(now - began_s, 1e-3)
        fps = took_ms.size / window_s if since_s > window_s else (took_ms.size - 1) / since_s
        return TrafficStats(received, fps, float(p50), float(p99), float(took_ms.max()), counted_s)
