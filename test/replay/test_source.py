# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import shutil
from pathlib import Path

import numpy as np
import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.image_bag import image_bag
from livevlm_ros.replay.questions import questions_beside
from livevlm_ros.replay.source import find_recordings, open_alone, open_source


def make_bag(path: Path) -> None:
    with image_bag(path) as write:
        write(1, np.zeros((8, 8, 3), np.uint8))


def test_a_folder_of_recordings_lists_bags_and_videos_in_order(tmp_path: Path) -> None:
    make_bag(tmp_path / 'b')
    make_bag(tmp_path / 'a')
    (tmp_path / 'c.avi').touch()
    (tmp_path / 'a.questions.yaml').touch()
    (tmp_path / 'notes').mkdir()
    found = find_recordings(tmp_path)
    assert [path.name for path in found] == ['a', 'b', 'c.avi']


def test_a_bag_or_a_file_stands_for_itself(tmp_path: Path) -> None:
    make_bag(tmp_path / 'a')
    assert find_recordings(tmp_path / 'a') == [tmp_path / 'a']
    file = tmp_path / 'a' / 'a.mcap'
    assert find_recordings(file) == [file]


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r'no recording.*metadata\.yaml.*\.mcap.*\.avi'):
        find_recordings(tmp_path)


def test_one_recording_is_opened_and_of_several_none(tmp_path: Path) -> None:
    make_bag(tmp_path / 'a')
    assert open_alone(tmp_path).path == tmp_path / 'a'
    make_bag(tmp_path / 'b')
    with pytest.raises(BadInput, match=f'2 recordings; expected one, such as {tmp_path}/a'):
        open_alone(tmp_path)
    with pytest.raises(BadInput, match='nowhere: no such file'):
        open_alone(tmp_path / 'nowhere')


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match='nowhere: no such file'):
        open_source(tmp_path / 'nowhere')


def test_endings_in_capitals_are_endings(tmp_path: Path) -> None:
    make_bag(tmp_path / 'a')
    (tmp_path / 'a' / 'a.mcap').rename(tmp_path / 'DRIVE.MCAP')
    (tmp_path / 'GOPR0001.MP4').touch()
    found = find_recordings(tmp_path)
    assert [path.name for path in found] == ['DRIVE.MCAP', 'GOPR0001.MP4', 'a']
    source = open_source(tmp_path / 'DRIVE.MCAP')
    assert len(list(source.frames())) == 1 and source.warnings == []


def test_a_point_stands_for_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bag(tmp_path / 'a')
    (tmp_path / 'a.questions.yaml').touch()
    monkeypatch.chdir(tmp_path / 'a')
    (found,) = find_recordings(Path('.'))
    assert found == tmp_path / 'a'
    assert questions_beside(found) == tmp_path / 'a.questions.yaml'
    assert find_recordings(Path('..')) == [tmp_path / 'a']


def test_what_other_systems_leave_on_a_disk_costs_nothing(tmp_path: Path) -> None:
    make_bag(tmp_path / 'a')
    (tmp_path / '._b.mcap').write_bytes(b'\0\5\x16\7' + bytes(100))
    (tmp_path / '.DS_Store').touch()
    (tmp_path / 'gone.mcap').symlink_to('nowhere')
    for name in ('loop', 'loop.mp4'):
        (tmp_path / name).symlink_to(name)
    assert [path.name for path in find_recordings(tmp_path)] == ['._b.mcap', 'a']
    with pytest.raises(BadInput, match=r'\._b\.mcap: no message of this bag can be read'):
        open_source(tmp_path / '._b.mcap')


def test_a_bag_of_ros_1_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    old = tmp_path / 'drive.bag'
    old.write_bytes(b'#ROSBAG V2.0\n' + bytes(100))
    assert find_recordings(tmp_path) == [old]
    cure = f'a bag of ROS 1; .*rosbags-convert --src {old} --dst {tmp_path}/drive'
    with pytest.raises(BadInput, match=cure):
        open_source(old)


@pytest.mark.parametrize(
    ('name', 'tool'), [('v.zip', 'unzip'), ('v.tar', 'tar xf'), ('v.tar.gz', 'tar xf or gunzip')]
)
def test_an_archive_is_refused_with_what_unpacks_it(tmp_path: Path, name: str, tool: str) -> None:
    form = {'v.zip': 'zip', 'v.tar': 'tar', 'v.tar.gz': 'gztar'}[name]
    make_bag(tmp_path / 'in' / 'a')
    archive = shutil.make_archive(str(tmp_path / 'v'), form, tmp_path / 'in')
    with pytest.raises(BadInput, match=rf'{name}: an archive; unpack it first \({tool}\)'):
        open_source(Path(archive))


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    text = tmp_path / 'notes.txt'
    text.write_text('not a video')
    with pytest.raises(BadInput, match='not a bag and not a video that OpenCV can decode$'):
        open_source(text)


def test_a_video_without_its_index_is_said_to_lack_it(tmp_path: Path) -> None:
    cut = tmp_path / 'cut.MP4'
    cut.write_bytes(b'\0\0\0\x18ftypisom\0\0\2\0isomiso2' + b'\0\0\1\0mdat' + bytes(248))
    with pytest.raises(BadInput, match='cut off while it was recorded lacks its index'):
        open_source(cut)


def test_a_topic_makes_no_sense_for_a_video(tmp_path: Path) -> None:
    (tmp_path / 'v.avi').touch()
    with pytest.raises(BadInput, match='a topic was given'):
        open_source(tmp_path / 'v.avi', topic='/camera')
