# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import cv2
import numpy as np
import pytest

from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.source import open_source

FPS = 10.0


def write_video(path: Path, count: int = 20) -> None:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), FPS, (64, 48))
    assert video.isOpened()
    for number in range(count):
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., 2] = 10 * number % 250  # red, in OpenCV's order
        video.write(image)
    video.release()


def test_frames_have_the_time_of_the_video_and_rgb_pixels(tmp_path: Path) -> None:
    write_video(tmp_path / 'v.avi')
    source = open_source(tmp_path / 'v.avi')
    assert source.length == 20
    stamps, reds = [], []
    for frame in source.frames():
        stamps.append(frame.stamp_ns)
        reds.append(frame.pixels().mean(axis=(0, 1)))
    assert np.allclose(np.diff(stamps) / 1e9, 1 / FPS, atol=1e-6)
    assert stamps[0] > 0, 'a zero stamp would mean "not set"'
    assert np.allclose([red for red, _, _ in reds], 10 * np.arange(20), atol=8)
    assert max(max(green, blue) for _, green, blue in reds) < 8
    assert source.warnings == []


def test_a_frame_cannot_be_decoded_after_the_next_was_read(tmp_path: Path) -> None:
    write_video(tmp_path / 'v.avi', count=3)
    frames = open_source(tmp_path / 'v.avi').frames()
    first = next(frames)
    next(frames)
    with pytest.raises(BadFrame, match='frame 0'):
        first.pixels()


def test_a_cut_video_is_used_up_to_the_cut_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / 'v.avi'
    write_video(path, count=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path)
    read = len(list(source.frames()))
    assert 10 < read < 90
    if source.length > read:
        assert len(source.warnings) == 1 and f'{read} readable' in source.warnings[0]


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / 'v.avi', count=0)
    with pytest.raises(BadInput, match=r'v\.avi'):
        open_source(tmp_path / 'v.avi')
