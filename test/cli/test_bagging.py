# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Write three seconds of video at ten frames a second."""
    file = tmp_path / 'walk.avi'
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (64, 48))
    for number in range(30):
        writer.write(np.full((48, 64, 3), 8 * number, np.uint8))
    writer.release()
    return file


def test_a_bag_of_a_video_is_evaluated_with_the_questions_beside_it(
    livevlm, video: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = livevlm('bag', video, '--fps', '2')
    assert (code, error) == (0, '')
    assert out == 'walk: 6 frames, 2.5 s; walk.questions.yaml\n'
    code, out, error = livevlm('evaluate', 'walk', '--model', checkpoint)
    assert code == 0, error
    assert 'what do you see now ?' in out and '6 frames, 2.5 s' in out


def test_a_stretch_with_a_field_of_view_is_a_calibrated_bag(
    livevlm, video: Path, tmp_path: Path
) -> None:
    given = ('--start', '1', '--duration', '1.5', '--fov', '90', '--out', tmp_path / 'b')
    code, out, error = livevlm('bag', video, *given)
    assert (code, error) == (0, '') and f'{tmp_path / "b"}: 15 frames, 1.4 s; ' in out
    with Reader(tmp_path / 'b') as reader:
        store = get_typestore(Stores.ROS2_KILTED)
        infos = [
            store.deserialize_cdr(data, connection.msgtype)
            for connection, _, data in reader.messages()
            if connection.topic == '/camera/camera_info'
        ]
    assert len(infos) == 15 and infos[0].k[0] == pytest.approx(32.0)
    code, _, error = livevlm('bag', video, '--start', '60', '--out', tmp_path / 'late')
    assert code == 2 and 'no frame of it can be written' in error
    assert not (tmp_path / 'late').exists()


def test_what_cannot_become_a_bag_is_refused(
    refused, video: Path, film: Path, tmp_path: Path
) -> None:
    assert 'no such file' in refused('bag', tmp_path / 'no.mp4', '--out', tmp_path / 'b')
    assert 'a bag already' in refused('bag', film / 'stream-0000', '--out', tmp_path / 'b')
    (tmp_path / 'b').mkdir()
    assert 'exists already' in refused('bag', video, '--out', tmp_path / 'b')
