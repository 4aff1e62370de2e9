# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a camera at this machine, by OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import cv2

from livevlm_ros.engine.messages import Frame
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import CAMERA


class WebcamSource:
    """
    What a camera shows from now on, stamped by the clock.

    :param index: of the camera, as in /dev/video0
    :raises BadInput: for a camera that is not there or shows nothing
    """

    def __init__(self, index: int) -> None:
        self.path = Path(f'/dev/video{index}')
        self.warnings: list[str] = []
        self.skipped: dict[str, int] = {}
        self.length = 0  # it has no end
        if not self.path.exists():
            there = ', '.join(str(file) for file in sorted(Path('/dev').glob('video*')))
            raise BadInput(f'{self.path}: no such camera; found {there or "none"}')
        self._camera = cv2.VideoCapture(index)
        if not self._camera.isOpened() or not self._camera.grab():
            raise BadInput(f'{self.path}: this camera shows nothing; does another program use it?')

    def frames(self) -> Iterator[Frame]:
        """Yield each frame as it comes, until the camera is gone."""
        while True:
            ok, image = self._camera.read()
            if not ok:
                break
            yield Frame(CAMERA, time.time_ns(), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        self._camera.release()
