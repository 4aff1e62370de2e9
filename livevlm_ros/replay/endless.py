# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording that is played again and again, as a stream without end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from livevlm_ros.engine.messages import Frame
from livevlm_ros.replay.recording import FrameSource, SourceOver, timed


class Endless(SourceOver):
    """A source whose frames come again and again, their stamps going on."""

    def __init__(self, source: FrameSource) -> None:
        super().__init__(source)
        self.length = 0

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of each round; ends only where the source has none."""
        later_ns = 0
        while True:
            frames = last_ns = 0
            for elapsed_ns, frame in timed(self._source):
                frames, last_ns = frames + 1, elapsed_ns
                stamp_ns = frame.stamp_ns + later_ns
                yield replace(frame, stamp_ns=stamp_ns, stream_ns=stamp_ns)
            if not frames:
                return
            later_ns += round_ns(frames, last_ns)


def round_ns(frames: int, elapsed_ns: int) -> int:
    """
    Return how long a round takes, up to the first frame of the next.

    :param frames: of the round
    :param elapsed_ns: from its first frame to its last
    """
    return elapsed_ns + (elapsed_ns // (frames - 1) if frames > 1 else 1_000_000_000)
