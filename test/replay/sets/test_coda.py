# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.sets.coda import CodaSequence
from livevlm_ros.replay.sets.rows import LeftOut


def test_two_pictures_a_second_are_kept(navqa: Path) -> None:
    sequence = CodaSequence(navqa / 'CODa', '0')
    offsets = [second - sequence.begin_s for second, _ in sequence.pictures]
    assert offsets[:4] == pytest.approx([0.0, 0.5, 1.0, 1.5]) and len(offsets) == 48


def test_lines_that_are_no_poses_are_passed_over(navqa: Path) -> None:
    file = navqa / 'CODa/poses/dense/0.txt'
    first, second, *rest = file.read_text().splitlines()
    zero = ' '.join([*second.split()[:4], '0', '0', '0', '0'])
    file.write_text('\n'.join([first, zero, second.replace(' 1.0 ', ' nan ', 1), *rest]))
    track = CodaSequence(navqa / 'CODa', '0').track
    pose = track and track.at(1673884801.25)
    assert pose is not None and pose.x == pytest.approx(2.0)
    file.write_text('1 2 3\n')
    with pytest.raises(BadInput, match=r'0\.txt: expected seconds x y z qw qx qy qz'):
        CodaSequence(navqa / 'CODa', '0')


def test_a_sequence_without_pictures_or_times_is_missing(navqa: Path) -> None:
    (navqa / 'CODa/timestamps/0.txt').unlink()
    with pytest.raises(LeftOut, match='pictures of sequence 0 are missing'):
        CodaSequence(navqa / 'CODa', '0')


def test_a_picture_that_cannot_be_read_is_named(navqa: Path, tmp_path: Path) -> None:
    (navqa / 'CODa/2d_rect/cam0/0/2d_rect_cam0_0_4.png').write_bytes(b'')
    with pytest.raises(BadInput, match=r'2d_rect_cam0_0_4\.png: this picture cannot be read'):
        CodaSequence(navqa / 'CODa', '0').write_bag(tmp_path / 'bag', lambda share: None)
