# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.replay.sets.rows import LeftOut
from livevlm_ros.replay.sets.videos import Videos, video_length_s


@pytest.fixture
def videos(tmp_path: Path) -> Videos:
    for name in ('src/COIN/a.mp4', 'src/Ego4D/a.mp4', 'cut/7.mp4', 'real/sample_1/x y.mp4'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return Videos(tmp_path)


@pytest.mark.parametrize(
    'named, found',
    [
        (('COIN/a.mp4',), 'src/COIN/a.mp4'),
        (('./Ego4D/a.mp4',), 'src/Ego4D/a.mp4'),
        (('other/7.mp4', 'cut/7.mp4'), 'cut/7.mp4'),
        (('sample_1_real.mp4', 'real/sample_1/'), 'real/sample_1/x y.mp4'),
    ],
)
def test_a_video_is_found_by_the_end_of_its_path(
    videos: Videos, tmp_path: Path, named: tuple[str, ...], found: str
) -> None:
    assert videos.find(*named) == tmp_path / found


@pytest.mark.parametrize('name', ['other/7.mp4', 'sample_1', 'real/sample_2/', '', 'b.mp4'])
def test_a_video_of_another_folder_is_not_taken_for_it(videos: Videos, name: str) -> None:
    with pytest.raises(LeftOut, match='its video is missing'):
        videos.find(name)


def test_a_length_is_the_time_of_the_last_frame(video: Path, tmp_path: Path) -> None:
    assert video_length_s(video) == 23.0
    (tmp_path / 'b.mp4').write_bytes(b'no video')
    with pytest.raises(LeftOut, match='its video cannot be decoded'):
        video_length_s(tmp_path / 'b.mp4')
