# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from livevlm_ros.replay import webcam
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.webcam import WebcamSource


class Camera:
    """Shows two blue images and is gone."""

    def __init__(self, index: int) -> None:
        self.left, self.opened = 2, index != 9

    def isOpened(self) -> bool:
        return self.opened

    def grab(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        self.left -= 1
        return self.left >= 0, np.full((2, 3, 3), (255, 0, 0), np.uint8)

    def release(self) -> None:
        pass


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webcam.cv2, 'VideoCapture', Camera)
    monkeypatch.setattr(Path, 'exists', lambda path: True)


def test_frames_are_rgb_with_the_time_of_the_clock(camera) -> None:
    first, second = WebcamSource(0).frames()
    assert isinstance(first.pixels, np.ndarray) and first.pixels[0, 0].tolist() == [0, 0, 255]
    assert 10**18 < first.stamp_ns <= second.stamp_ns


def test_a_camera_that_shows_nothing_is_refused(camera) -> None:
    with pytest.raises(BadInput, match='/dev/video9: this camera shows nothing'):
        WebcamSource(9)


def test_a_camera_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match='/dev/video77: no such camera; found '):
        WebcamSource(77)
