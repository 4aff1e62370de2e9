# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way of frames into an engine, one by one in the caller's thread, timed in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from livevlm_ros.engine.messages import BadFrame, Frame, NotDone, Pixels
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import FrameSource
from livevlm_ros.seconds import LATEST_S, MICROSECOND_NS, Seconds

if TYPE_CHECKING:  # it brings torch
    from livevlm_ros import engine

SECOND_NS = 1_000_000_000
CLOSEST_NS = 1000 * MICROSECOND_NS  # of two frames of a camera: the engine takes 1000 a second
FURTHEST_NS = 3600 * SECOND_NS  # beyond it the engine takes a stamp for a leap in time
STOP_S = 60.0
CLOSED = 'the engine is closed: open another one'

Given = tuple[float, Any] | tuple[float, Any, str]
"""Seconds, an image and, where there are several, the camera's name."""


class Feed:
    """
    What an engine is shown.

    Second 0 is the first frame of a recording, or 0 of whoever gives seconds. A recording that
    does not begin within the hour after the newest frame goes on a second after it.

    :param cameras: logical names
    """

    def __init__(self, engine: engine.Engine, cameras: Sequence[str]) -> None:
        self._engine, self._cameras = engine, cameras
        self._zero_ns = 0  # none yet

    @property
    def seconds(self) -> Seconds:
        """Stamps as seconds."""
        return Seconds(self._zero_ns)

    @property
    def newest_s(self) -> float:
        """The second of the newest frame."""
        return self.seconds.told(self._newest_ns())

    def begin_anew(self) -> None:
        """Let the next frame say anew what second 0 is."""
        self._zero_ns = 0

    def show(self, frame: Frame) -> bool:
        """
        Let the engine write a frame into its memory.

        :returns: whether it was due: the engine may be told to use fewer
        :raises BadFrame: for one that cannot be used
        :raises NotDone: for an engine that is closed, or in a question that does not end
        """
        if self._engine.running and not self._engine.stop(STOP_S):
            raise NotDone('the last question has not ended yet: try again')
        stats = self._engine.stats()
        if stats.model is None:
            raise NotDone(CLOSED)
        before = stats.cameras[frame.camera]
        self._engine.see(frame)
        self._engine.turn()
        after = self._engine.stats().cameras[frame.camera]
        self._zero_ns = self._zero_ns or after.newest_stamp_ns
        if after.dropped.bad > before.dropped.bad:
            raise BadFrame(after.last_error)
        return after.frames_used > before.frames_used

    def given(self, frames: Iterable[Given]) -> Iterator[Frame]:
        """
        Make frames of images with their seconds.

        :raises BadInput: for what is none, or does not come after the frame before
        """
        self._zero_ns = self._zero_ns or SECOND_NS  # a stamp of zero means "not set" in ROS
        for number, item in enumerate(frames, 1):
            try:
                yield self._frame(item)
            except ValueError as error:
                raise BadInput(f'frame {number}: {error}') from error

    def recorded(self, source: FrameSource) -> Iterator[Frame]:
        """Give the frames of a recording, which is of the first camera."""
        later_ns = None
        for frame in source.frames():
            if later_ns is None:
                later_ns = self._later_ns(frame.stamp_ns)
            yield replace(frame, camera=self._cameras[0], stamp_ns=frame.stamp_ns + later_ns)

    def _later_ns(self, first_ns: int) -> int:
        """Return by how much later a recording is shown than it was made."""
        newest_ns = self._newest_ns()
        goes_on = not newest_ns or 0 < first_ns - newest_ns <= FURTHEST_NS
        return 0 if goes_on else newest_ns + SECOND_NS - first_ns

    def _frame(self, item: Given) -> Frame:
        if not isinstance(item, Sequence) or len(item) not in (2, 3):
            raise ValueError(f'got {type(item).__name__}, expected (seconds, image)')
        seconds, image, camera = item if len(item) == 3 else (*item, self._cameras[0])
        if camera not in self._cameras:
            raise ValueError(f'got camera {camera!r}, expected one of {", ".join(self._cameras)}')
        return Frame(camera, self._stamp_ns(seconds, camera), _pixels(image))

    def _stamp_ns(self, seconds: float, camera: str) -> int:
        try:
            known = 0 <= seconds <= LATEST_S
        except (TypeError, ValueError):  # a text, or a whole array
            known = False
        if not known:
            raise ValueError(f'got {seconds!r:.40}, expected seconds, 0 to {LATEST_S}')
        stamp_ns = self._zero_ns + round(float(seconds) * SECOND_NS)
        newest_ns = self._engine.stats().cameras[camera].newest_stamp_ns
        if newest_ns and not CLOSEST_NS <= stamp_ns - newest_ns <= FURTHEST_NS:
            raise ValueError(
                f'second {seconds:g} comes {(stamp_ns - newest_ns) / SECOND_NS:g} s after the one '
                'before; expected a millisecond to an hour'
            )
        return stamp_ns

    def _newest_ns(self) -> int:
        cameras = self._engine.stats().cameras.values()
        return max(camera.newest_stamp_ns for camera in cameras)


def _pixels(image: Any) -> Pixels:
    """Return an image, whoever's it is, as an array."""
    from livevlm_ros.engine.frames import checked  # it brings torch

    return checked(np.asarray(image))
