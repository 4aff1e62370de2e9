# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from livevlm_ros.engine.messages import BadFrame, Frame
from livevlm_ros.replay import video_bag
from livevlm_ros.replay.clip import Stretch
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.questions import read_questions
from livevlm_ros.replay.source import open_source
from livevlm_ros.replay.video import START_NS
from livevlm_ros.replay.video_bag import write_video_bag

TIMES_S = [0.0, 0.1, 0.2, 1.0, 1.1, 4.0, 4.1]


@pytest.fixture
def bag_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make a bag of a video with frames at `TIMES_S`; one of them is no picture."""

    def make(*, broken: int = -1, error: type[BaseException] = BadFrame, **options):
        def pixels(number: int) -> np.ndarray:
            if number == broken:
                raise error(f'frame {number} is no picture')
            return np.full((8, 8, 3), number, np.uint8)

        frames = [
            Frame('camera', START_NS + round(second * 1e9), partial(pixels, number))
            for number, second in enumerate(TIMES_S)
        ]
        source = SimpleNamespace(
            path=Path('v.mp4'), frames=lambda: iter(frames), length=7, warnings=[]
        )
        monkeypatch.setattr(video_bag, 'open_source', lambda path: source)
        written = write_video_bag(tmp_path / 'v.mp4', tmp_path / 'v', **options)
        stamps = [frame.stamp_ns for frame in open_source(tmp_path / 'v').frames()]
        return written, [(stamp - START_NS) / 1e9 for stamp in stamps]

    return make


def test_frames_keep_the_times_they_have_in_the_video(bag_of) -> None:
    written, seconds = bag_of()
    assert seconds == TIMES_S and (written.frames, written.seconds) == (7, 4.1)


def test_no_more_frames_a_second_are_written_than_wanted(bag_of) -> None:
    assert bag_of(fps=2.0)[1] == [0.0, 1.0, 4.0]


def test_the_rate_counts_from_the_first_frame_of_a_stretch(bag_of) -> None:
    assert bag_of(fps=5.0, stretch=Stretch(1.0, 1.0))[1] == [1.0]


def test_a_stretch_of_a_video_keeps_its_stamps(bag_of, tmp_path: Path) -> None:
    written, seconds = bag_of(stretch=Stretch(1.0, 3.05))
    assert seconds == [1.0, 1.1, 4.0] and (written.frames, written.seconds) == (3, 3.0)
    assert '- at: 3.0' in written.questions.read_text()


def test_a_stretch_without_a_frame_is_refused_and_leaves_nothing(bag_of, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r'v.mp4: no frame of it can be written'):
        bag_of(stretch=Stretch(60.0))
    assert list(tmp_path.iterdir()) == []


def test_a_frame_that_is_no_picture_is_left_out_and_told(bag_of) -> None:
    written, seconds = bag_of(broken=2)
    assert seconds == [second for second in TIMES_S if second != 0.2]
    assert written.warnings == ['frame 2 is no picture']


def test_the_questions_file_can_be_asked_and_is_never_overwritten(bag_of, tmp_path) -> None:
    written, _ = bag_of()
    entries, refused = read_questions(written.questions)
    assert [entry.at for entry in entries] == [4.1] and refused == []
    own = tmp_path / 'own.questions.yaml'
    own.write_text('[]')
    written.questions.rename(tmp_path / 'old')
    own.rename(written.questions)
    (tmp_path / 'v').rename(tmp_path / 'w')
    bag_of()
    assert written.questions.read_text() == '[]'


def test_an_interrupted_bag_is_not_left_behind(bag_of, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        bag_of(broken=3, error=KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []
