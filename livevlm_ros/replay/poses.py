# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Poses of a recording's camera, from a file beside it: `walk.poses.txt` for `walk.mp4`.

A line a pose, as trajectories are written (TUM): seconds from the recording's first frame, x, y, z
in metres, and a quaternion x, y, z, w; lines that begin with # are remarks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from livevlm_ros.engine.messages import Frame
from livevlm_ros.pose import Pose, between
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import FrameSource, SourceOver, stem_of, timed

FARTHEST_S = 1.0
"""Most seconds between a time and the poses around it."""


class Track:
    """
    Where a camera was, by time.

    :param times_s: of the poses, in order
    """

    def __init__(self, times_s: Sequence[float], poses: Sequence[Pose]) -> None:
        self._times_s, self._poses = times_s, poses

    def at(self, second: float) -> Pose | None:
        """Return the pose at a time; None where no pose is near it."""
        after = bisect_left(self._times_s, second)
        near = [
            number
            for number in (after - 1, after)
            if 0 <= number < len(self._times_s)
            and abs(self._times_s[number] - second) <= FARTHEST_S
        ]
        if len(near) < 2:
            return self._poses[near[0]] if near else None
        first, last = (self._times_s[number] for number in near)
        share = (second - first) / (last - first) if last > first else 0.0
        return between(self._poses[near[0]], self._poses[near[1]], share)


class PosedSource(SourceOver):
    """A source whose frames know where they were taken."""

    def __init__(self, source: FrameSource, track: Track) -> None:
        super().__init__(source)
        self._track = track

    def frames(self) -> Iterator[Frame]:
        """Yield the source's frames, each with what tells its pose."""
        for elapsed_ns, frame in timed(self._source):
            yield replace(frame, pose=partial(self._track.at, elapsed_ns / 1e9))


def poses_file(recording: Path) -> Path:
    """Return the name of a recording's file of poses."""
    return recording.with_name(f'{stem_of(recording)}.poses.txt')


def with_poses(source: FrameSource) -> FrameSource:
    """
    Give a source the poses that lie beside its recording, if any do.

    :raises BadInput: when the file is there and holds no poses in order of time
    """
    file = poses_file(source.path)
    return PosedSource(source, Track(*read_poses(file))) if file.is_file() else source


def read_poses(file: Path) -> tuple[list[float], list[Pose]]:
    """
    Read times in seconds and poses.

    :raises BadInput: when the file cannot be read, or holds no poses in order of time
    """
    times_s: list[float] = []
    poses: list[Pose] = []
    try:
        lines = file.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f'{file}: cannot be read: {error}') from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith('#'):
            continue
        try:
            second, *pose = map(float, line.split())
            poses.append(Pose(*pose).unit())
        except (ValueError, TypeError) as error:
            raise BadInput(
                f'{file}: line {number}: expected seconds x y z qx qy qz qw, got {line[:80]!r}'
            ) from error
        times_s.append(second)
    if not poses or times_s != sorted(times_s):
        raise BadInput(f'{file}: expected lines of seconds x y z qx qy qz qw in order of time')
    return times_s, poses


def write_poses(file: Path, times_s: Iterable[float], poses: Iterable[Pose]) -> None:
    """Write a file that `read_poses` reads back."""
    lines = ['# seconds x y z qx qy qz qw']
    for second, pose in zip(times_s, poses, strict=True):
        lines.append(' '.join(f'{part:.6f}' for part in (second, *pose)))
    file.write_text('\n'.join(lines) + '\n', encoding='utf-8')
