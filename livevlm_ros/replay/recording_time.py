# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The time of a recording, which its questions are asked by, and what the memory calls it.

Both are told by the stamps of the frames, and part where the camera's clock leaps: the memory then
goes on after a gap, the recording after as long as its frames take.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from operator import itemgetter

import numpy as np

from livevlm_ros.engine.messages import BadFrame, Frame
from livevlm_ros.engine.slot import CameraSlot
from livevlm_ros.engine.timeline import LONGEST_GAP_NS

_TOLERANCE_NS = 1000  # seconds of a file, as floats, are no nearer to the stamps they mean
_NO_PIXELS = np.empty((0, 0, 3), np.uint8)


class RecordingTime:
    """
    How far a recording has come.

    It stands still for a frame whose stamp the engine would not believe.
    """

    def __init__(self) -> None:
        self._slot = CameraSlot('camera', target_fps=1.0, on_jump='keep')
        self._elapsed_ns = self._last_ns = 0
        self._frames = 0  # since the last one whose stamp was believed

    def after(self, stamp_ns: int) -> int:
        """Return the nanoseconds from the first frame to the next one, which has this stamp."""
        before_ns, last_ns, self._last_ns = self._slot.newest_ns, self._last_ns, stamp_ns
        self._frames += 1
        with suppress(BadFrame):
            self._slot.put(Frame('camera', stamp_ns, _NO_PIXELS))
            ahead_ns = stamp_ns - before_ns if before_ns else 0
            if not 0 <= ahead_ns <= LONGEST_GAP_NS:  # no pause: the clock was set, or ran over
                ahead_ns = self._frames * (stamp_ns - last_ns)
            self._elapsed_ns += ahead_ns
            self._frames = 0
        return self._elapsed_ns


class Moments:
    """
    When in a recording the memory's frames were taken.

    `newest_ns` is the newest frame's place in the memory's own time.
    """

    def __init__(self) -> None:
        self.newest_ns = 0
        self._begins: list[tuple[int, int]] = []  # of stretches: memory's time and recording's

    def note(self, stream_ns: int, elapsed_ns: int) -> None:
        """Note a frame that the memory took: its place there, and in the recording."""
        if stream_ns <= self.newest_ns:  # the memory was cleared
            self._begins.clear()
        if not self._begins or self.elapsed_ns(stream_ns) != elapsed_ns:
            self._begins.append((stream_ns, elapsed_ns))
        self.newest_ns = stream_ns

    def elapsed_ns(self, stream_ns: int) -> int:
        """Return the nanoseconds from the recording's first frame to a time of the memory's."""
        begin_ns, elapsed_ns = self._stretch(stream_ns, 0)
        return elapsed_ns + stream_ns - begin_ns

    def span_ns(self, first_s: float, last_s: float) -> tuple[int, int]:
        """Return a stretch of the recording in the memory's time."""
        first_ns, last_ns = (self._stream_ns(round(second * 1e9)) for second in (first_s, last_s))
        return first_ns - _TOLERANCE_NS, last_ns + _TOLERANCE_NS

    def _stream_ns(self, elapsed_ns: int) -> int:
        begin_ns, begin_elapsed_ns = self._stretch(elapsed_ns, 1)
        return begin_ns + elapsed_ns - begin_elapsed_ns

    def _stretch(self, ns: int, time: int) -> tuple[int, int]:
        """Return where the stretch of a time begins: the memory's (0) or the recording's (1)."""
        after = bisect_right(self._begins, ns, key=itemgetter(time))
        return self._begins[max(0, after - 1)] if self._begins else (0, 0)
