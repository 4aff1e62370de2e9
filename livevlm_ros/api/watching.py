# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames on their way into the memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from livevlm_ros.api.feed import Feed
from livevlm_ros.engine.messages import BadFrame, Frame, NotDone
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import FrameSource


class Watching(Iterator[float]):
    """
    Frames that an engine watches: each is in the memory once a loop has come to it.

    A loop gets the second of each frame and may ask in between. Without a loop, `read` reads all
    of them, and so does the next question. `print` says how far it is.

    `frames` counts the frames so far, `used` those of them that are in the memory.
    """

    def __init__(
        self, feed: Feed, frames: Iterator[Frame], name: str, source: FrameSource | None = None
    ) -> None:
        self._feed, self._shown, self._name, self._source = feed, frames, name, source
        self._bad = self.frames = self.used = 0
        self._why_bad = ''
        self.begun = self.ended = False

    def __next__(self) -> float:
        self.begun = True
        frame = next(self._shown, None)
        if frame is None:
            self._end()
            raise StopIteration
        self.frames += 1
        try:
            self.used += self._feed.show(frame)
        except BadFrame as error:
            if self._source is None:  # it was found good before
                raise NotDone(f'frame {self.frames}: {error}') from error
            self._bad, self._why_bad = self._bad + 1, str(error)
        return self._feed.newest_s

    def read(self) -> Watching:
        """
        Read what is left.

        :raises BadInput: for a given frame that cannot be used, or a recording without a frame
            that can
        :raises NotDone: when the model fails, or the engine is closed
        """
        for _ in self:
            pass
        return self

    def __str__(self) -> str:
        state = '' if self.ended else ', to be read' if not self.begun else ' so far'
        return f'{self._name}: {self.used} of {self.frames} frames used{state}'

    def __repr__(self) -> str:
        return f'<Watching {self}>'

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        for warning in [] if self._source is None else self._source.warnings:
            warnings.warn(warning, stacklevel=3)
        if self._bad == self.frames:
            raise BadInput(f'{self._name}: no frame can be used: {self._why_bad or "it has none"}')
