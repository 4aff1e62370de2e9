# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.pose import Pose
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.poses import Track, poses_file, read_poses, write_poses
from livevlm_ros.replay.source import open_source


def test_a_pose_between_two_lies_between_them_and_far_from_any_there_is_none() -> None:
    track = Track([1.0, 2.0, 9.0], [Pose(0, 0, 0), Pose(4, 0, 0), Pose(8, 0, 0)])
    found = {second: track.at(second) for second in (0.5, 1.25, 2.0, 4.0, 9.5, 11.0)}
    assert {second: pose and pose.x for second, pose in found.items()} == {
        0.5: 0.0,
        1.25: 1.0,
        2.0: 4.0,
        4.0: None,
        9.5: 8.0,
        11.0: None,
    }


def test_two_poses_of_one_time_are_no_division_by_nothing() -> None:
    track = Track([1.0, 1.0, 1.5], [Pose(0, 0, 0), Pose(4, 0, 0), Pose(8, 0, 0)])
    assert track.at(1.0) is not None and track.at(1.25) == Pose(6, 0, 0)


def test_frames_of_a_recording_with_poses_beside_it_know_theirs(make_bag, tmp_path: Path) -> None:
    bag = make_bag('drive', frames=4)
    assert all(frame.pose is None for frame in open_source(bag).frames())
    write_poses(poses_file(bag), [0.0, 3.0], [Pose(0, 0, 0), Pose(0, 6, 0)])
    near = [frame.pose() for frame in open_source(bag).frames()]
    assert [pose and pose.y for pose in near] == [0.0, 0.0, 6.0, 6.0]
    write_poses(poses_file(bag), [0, 1, 2, 3], [Pose(0, second, 0) for second in range(4)])
    assert [frame.pose().y for frame in open_source(bag).frames()] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    'text, says',
    [
        ('0 1 2 3\n0 a 0 0 0 0 0 1\n', 'line 2: expected seconds x y z'),
        ('0 1 2\n', 'line 1: expected'),
        ('0 1 2 3 0 0 0 0\n', 'line 1: expected'),
        ('2 0 0 0\n1 0 0 0\n', 'in order of time'),
        ('# nothing\n', 'in order of time'),
    ],
)
def test_a_file_that_holds_no_poses_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / 'p.txt').write_text(text)
    with pytest.raises(BadInput, match=says):
        read_poses(tmp_path / 'p.txt')
