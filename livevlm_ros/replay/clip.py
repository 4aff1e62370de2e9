# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stretch of a recording: the frames between two times, which stay those of the recording."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from livevlm_ros.engine.messages import Frame
from livevlm_ros.replay.questions import AT_THE_END, QuestionEntry
from livevlm_ros.replay.recording import FrameSource, SourceOver, timed

_TOLERANCE_S = 1e-6


class Stretch(NamedTuple):
    """
    What is used of a recording.

    :param start_s: seconds from the recording's first frame
    :param duration_s: seconds from there
    """

    start_s: float = 0.0
    duration_s: float = math.inf

    def holds(self, seconds: float) -> bool:
        """Return whether a time from the recording's first frame lies in it."""
        return self.start_s - _TOLERANCE_S <= seconds and not self.ended(seconds)

    def ended(self, seconds: float) -> bool:
        """Return whether a time from the recording's first frame is past its end."""
        return seconds >= self.start_s + self.duration_s - _TOLERANCE_S

    def shows(self, entry: QuestionEntry) -> bool:
        """Return whether a question is asked in it, about what it shows or what is not shown."""
        asked = entry.at == AT_THE_END or self.start_s <= entry.at
        return asked and (entry.evidence is None or self.start_s <= entry.evidence[1])


WHOLE = Stretch()


class Clip(SourceOver):
    """A source of which only a stretch is used."""

    def __init__(self, source: FrameSource, stretch: Stretch) -> None:
        super().__init__(source)
        self._stretch = stretch

    @property
    def begins_late(self) -> bool:
        """Whether it leaves out the beginning."""
        return self._stretch.start_s > 0

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of the stretch; the source is read up to the first frame past it."""
        return (frame for _, frame in self.timed())

    def timed(self) -> Iterator[tuple[int, Frame]]:
        """Yield them, each with its nanoseconds from the recording's first frame."""
        for elapsed_ns, frame in timed(self._source):
            if self._stretch.ended(elapsed_ns / 1e9):
                break
            if self._stretch.holds(elapsed_ns / 1e9):
                yield elapsed_ns, frame
