# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames out of a video file, by OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2

from livevlm_ros.engine.messages import BadFrame, Frame, Pixels
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import CAMERA

RAW_SUFFIXES = ('.h264', '.264', '.h265', '.265', '.hevc', '.mjpeg', '.mjpg')
"""Endings of streams without a container, whose frames have no times."""

INDEXED_SUFFIXES = ('.mp4', '.mov', '.m4v')
"""Endings of containers whose index is written last."""

CUT_OFF = '; one that was cut off while it was recorded lacks its index'

USUAL_FPS = 30.0
"""Rate of a video that names none."""

START_NS = 1_000_000_000
"""Stamp of a video's first frame: a stamp of zero means "not set" in ROS."""


class VideoSource:
    """
    The frames of a video file, stamped by their time in it.

    :param path: any file that OpenCV decodes
    :raises BadInput: for a file that is no video, or a video without a frame
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.skipped: dict[str, int] = {}
        # Absolute: OpenCV takes what stands before a colon for a protocol.
        self._name = str(path.absolute())
        self._video = cv2.VideoCapture(self._name)
        if not self._video.isOpened():
            why = CUT_OFF if path.suffix.lower() in INDEXED_SUFFIXES else ''
            raise BadInput(f'{path}: not a bag and not a video that OpenCV can decode{why}')
        self._named_fps = self._video.get(cv2.CAP_PROP_FPS)
        self._fps = self._named_fps or USUAL_FPS
        self.length = max(0, int(self._video.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._position = -1
        if not self._video.grab():
            raise BadInput(f'{path}: this video has no frame that can be read')
        self._at_first = True

    def frames(self) -> Iterator[Frame]:
        """Yield every frame in order; the pixels are converted only for frames that are used."""
        if not self._at_first:
            self._video.open(self._name)
            self._video.grab()
        self._at_first, self._position = False, -1
        stamp_ns, first_ms = START_NS, self._video.get(cv2.CAP_PROP_POS_MSEC)
        last_ms = longest_ms = 0.0
        grabbed, untimed = True, 0
        try:
            while grabbed:
                self._position += 1
                # A video of varying rate knows its frames' times; one without times has its rate.
                elapsed_ms = self._video.get(cv2.CAP_PROP_POS_MSEC) - first_ms
                if self._position and elapsed_ms <= 0:
                    elapsed_ms = 1000 * self._position / self._fps
                    untimed += 1
                longest_ms, last_ms = max(longest_ms, elapsed_ms - last_ms), elapsed_ms
                stamp_ns = max(stamp_ns, START_NS + round(elapsed_ms * 1e6))
                yield Frame(CAMERA, stamp_ns, partial(self._pixels, self._position))
                grabbed = self._video.grab()
            self._tell_missing(first_ms + last_ms + max(longest_ms, 1000 / self._fps))
        finally:  # where no more than its beginning is read, too
            self._video.release()
            self._tell_guesses(untimed)

    def _tell_missing(self, lasts_ms: float) -> None:
        """
        Tell of frames that are missing.

        Some containers tell how long a video is, not of how many frames, which OpenCV then guesses
        from its rate. Such a video is whole if it lasts as long as it says.
        """
        read = self._position + 1
        if read < self.length and lasts_ms < 1000 * self.length / self._fps - 1:
            self._warn(
                f'{self.length} frames announced, {read} readable: the video is cut off or damaged'
            )

    def _tell_guesses(self, untimed: int) -> None:
        if untimed or self.path.suffix.lower() in RAW_SUFFIXES:
            rate = 'its rate of' if self._named_fps else 'a rate of'
            self._warn(
                f'its frames have no times; times are guessed from {rate} {self._fps:g} frames a '
                'second'
            )

    def _warn(self, text: str) -> None:
        """Warn once, however often the video is read."""
        if (warning := f'{self.path}: {text}') not in self.warnings:
            self.warnings.append(warning)

    def _pixels(self, position: int) -> Pixels:
        if position != self._position:
            raise BadFrame(f'frame {position} of {self.path} was asked for after the next one')
        ok, image = self._video.retrieve()
        if not ok:
            raise BadFrame(f'frame {position} of {self.path} cannot be decoded')
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
