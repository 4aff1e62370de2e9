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
        self._video = cv2.VideoCapture(str(path))
        if not self._video.isOpened():
            raise BadInput(f'{path}: not a bag and not a video that OpenCV can decode')
        self._fps = self._video.get(cv2.CAP_PROP_FPS)
        self.length = max(0, int(self._video.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._position = -1
        if not self._video.grab():
            raise BadInput(f'{path}: this video has no frame that can be read')

    def frames(self) -> Iterator[Frame]:
        """Yield every frame in order; the pixels are converted only for frames that are used."""
        stamp_ns, first_ms = START_NS, self._video.get(cv2.CAP_PROP_POS_MSEC)
        grabbed = True
        while grabbed:
            self._position += 1
            # A video of varying rate knows its frames' times; one without times has its rate.
            elapsed_ms = self._video.get(cv2.CAP_PROP_POS_MSEC) - first_ms
            if self._position and elapsed_ms <= 0:
                elapsed_ms = 1000 * self._position / (self._fps or 30.0)
            stamp_ns = max(stamp_ns, START_NS + round(elapsed_ms * 1e6))
            yield Frame(CAMERA, stamp_ns, partial(self._pixels, self._position))
            grabbed = self._video.grab()
        self._video.release()
        read = self._position + 1
        if read < self.length:
            self.warnings.append(
                f'{self.path}: {self.length} frames announced, {read} readable: '
                'the video is cut off or damaged'
            )

    def _pixels(self, position: int) -> Pixels:
        if position != self._position:
            raise BadFrame(f'frame {position} of {self.path} was asked for after the next one')
        ok, image = self._video.retrieve()
        if not ok:
            raise BadFrame(f'frame {position} of {self.path} cannot be decoded')
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
