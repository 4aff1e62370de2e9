# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from livevlm_ros.replay.clip import Clip, Stretch
from livevlm_ros.replay.endless import Endless, round_ns
from livevlm_ros.replay.source import open_source
from livevlm_ros.replay.street import StreetSource


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Write three frames at ten a second."""
    file = tmp_path / 'walk.avi'
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (64, 48))
    for number in range(3):
        writer.write(np.full((48, 64, 3), 80 * number, np.uint8))
    writer.release()
    return file


def played(source, count: int) -> tuple[list[float], list[int]]:
    """Return seconds and brightness of the first frames."""
    frames = [
        (frame.stamp_ns, round(frame.pixels().mean() / 10))
        for frame in islice(Endless(source).frames(), count)
    ]
    return [(ns - frames[0][0]) / 1e9 for ns, _ in frames], [grey for _, grey in frames]


def test_a_video_begins_again_and_its_stamps_go_on(video: Path) -> None:
    seconds, greys = played(open_source(video), 7)
    assert seconds == pytest.approx([n / 10 for n in range(7)])
    assert greys[:3] == greys[3:6] and greys[0] < greys[1] < greys[2]


def test_a_stretch_of_a_video_begins_again_where_it_began(video: Path) -> None:
    _, greys = played(Clip(open_source(video), Stretch(0, 0.2)), 5)
    assert greys[0] < greys[1] and greys == [*greys[:2], *greys[:2], greys[0]]


def test_a_stretch_of_a_bag_begins_again_where_it_began(make_bag) -> None:
    clip = Clip(open_source(make_bag(frames=9)), Stretch(2, 3))
    seconds, _ = played(clip, 7)
    assert seconds == [0, 1, 2, 3, 4, 5, 6]
    assert Endless(clip).length == 0 and Endless(StreetSource()).warnings == []


def test_what_has_no_frame_ends() -> None:
    empty = SimpleNamespace(path=Path('empty'), length=0, frames=lambda: iter(()))
    assert list(Endless(empty).frames()) == []


def test_a_single_frame_lasts_a_second() -> None:
    assert (round_ns(1, 0), round_ns(5, 400)) == (10**9, 500)
