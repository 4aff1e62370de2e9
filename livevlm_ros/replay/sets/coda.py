# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Sequences of CODa (UT Austin): pictures of a robot's camera, their times, and poses, into a bag.

    2d_rect/cam0/3/2d_rect_cam0_3_120.png     the picture whose time is line 121 of
    timestamps/3.txt                          seconds, a line a picture
    poses/dense/3.txt                         seconds x y z qw qx qy qz
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from livevlm_ros.pose import Pose
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.image_bag import image_bag
from livevlm_ros.replay.poses import Track, poses_file, write_poses
from livevlm_ros.replay.sets.rows import LeftOut

PICTURES_A_SECOND = 2.0
"""As many as the captioner of NaVQA's authors looks at; CODa has ten."""

_NUMBER = re.compile(r'_(\d+)\.(?:png|jpg)$')


class CodaSequence:
    """
    One drive of the robot.

    :param root: folder that has CODa's `2d_rect`, `timestamps` and `poses`
    :raises LeftOut: where its pictures or their times are missing
    """

    def __init__(self, root: Path, name: str) -> None:
        times_s = _numbers(root / 'timestamps' / f'{name}.txt')
        numbered = [
            (int(match[1]), file)
            for file in (root / '2d_rect' / 'cam0' / name).glob('*')
            if (match := _NUMBER.search(file.name))
        ]
        timed = [(float(times_s[n, 0]), file) for n, file in numbered if n < len(times_s)]
        if not timed:
            raise LeftOut(f'pictures of sequence {name} are missing')
        self.pictures: list[tuple[float, Path]] = _spread(timed)
        self.begin_s = self.pictures[0][0]
        self._times_s, self._poses = _posed(root / 'poses' / 'dense' / f'{name}.txt')

    @property
    def track(self) -> Track | None:
        """Where the robot was, by unix seconds; None where CODa's poses are missing."""
        return Track(self._times_s, self._poses) if self._poses else None

    def write_bag(self, bag: Path, progress: Callable[[float], None]) -> None:
        """
        Write the pictures into a new bag at their own times, and the poses beside it.

        :raises BadInput: when a picture cannot be read
        """
        with image_bag(bag) as write:
            for number, (second, file) in enumerate(self.pictures, 1):
                picture = cv2.imread(str(file))
                if picture is None:
                    raise BadInput(f'{file}: this picture cannot be read')
                write(round(second * 1e6) * 1000, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
                progress(number / len(self.pictures))
        if self._poses:
            times_s = [second - self.begin_s for second in self._times_s]
            write_poses(poses_file(bag), times_s, self._poses)


def _spread(timed: list[tuple[float, Path]]) -> list[tuple[float, Path]]:
    """Return pictures at most `PICTURES_A_SECOND`, in order of time."""
    kept: list[tuple[float, Path]] = []
    for second, file in sorted(timed):
        if not kept or second - kept[-1][0] >= 1 / PICTURES_A_SECOND - 0.05:
            kept.append((second, file))
    return kept


def _posed(file: Path) -> tuple[list[float], list[Pose]]:
    """Return times and poses in their order; lines without an orientation are no poses."""
    rows = _numbers(file)
    if len(rows) and rows.shape[1] != 8:
        raise BadInput(f'{file}: expected seconds x y z qw qx qy qz in each line')
    rows = rows[np.isfinite(rows).all(axis=1) & (np.abs(rows[:, 4:]).sum(axis=1) > 0)]
    rows = rows[np.argsort(rows[:, 0], kind='stable')]
    poses = [Pose(x, y, z, qx, qy, qz, qw).unit() for _, x, y, z, qw, qx, qy, qz in rows.tolist()]
    return rows[:, 0].tolist(), poses


def _numbers(file: Path) -> np.ndarray:
    """Return a file's lines of numbers, [lines, columns]; none where it is missing."""
    if not file.is_file():
        return np.empty((0, 1))
    try:
        return np.loadtxt(file, dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise BadInput(f'{file}: expected lines of numbers: {error}') from error
