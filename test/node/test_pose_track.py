# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.node import pose_track
from livevlm_ros.node.pose_track import PoseTrack
from livevlm_ros.pose import Pose

SECOND = 10**9


def at(x: float) -> Pose:
    return Pose(x, 0.0, 0.0)


@pytest.fixture
def track() -> PoseTrack:
    """Give a track that moves a metre a second from the tenth second to the twelfth."""
    track = PoseTrack()
    for second in (10, 11, 12):
        track.add(second * SECOND, at(second))
    return track


@pytest.mark.parametrize(
    ('second', 'x'),
    [(11.25, 11.25), (11.0, 11.0), (12.5, 12.0), (9.4, 10.0), (13.1, None), (8.9, None)],
    ids=['between', 'exact', 'after the last', 'before the first', 'too late', 'too early'],
)
def test_a_pose_is_interpolated_or_the_nearest_or_unknown(
    track: PoseTrack, second: float, x: float | None
) -> None:
    found = track.at(round(second * SECOND), within_ns=SECOND)
    assert found is None if x is None else found is not None and found.x == pytest.approx(x)


def test_across_a_gap_the_nearer_pose_counts(track: PoseTrack) -> None:
    track.add(60 * SECOND, at(100.0))
    found = track.at(12 * SECOND + 5, within_ns=SECOND)
    assert found == at(12)
    assert track.at(30 * SECOND, within_ns=SECOND) is None


def test_a_late_pose_is_passed_over_and_a_clock_set_back_begins_anew(track: PoseTrack) -> None:
    track.add(round(11.5 * SECOND), at(99.0))
    track.add(12 * SECOND, at(99.0))
    assert len(track) == 3
    track.add(5 * SECOND, at(5.0))
    track.add(6 * SECOND, at(6.0))
    assert len(track) == 2
    assert track.at(round(5.5 * SECOND), within_ns=SECOND) == at(5.5)


def test_a_track_is_bounded(track: PoseTrack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose_track, 'MOST', 3)
    track.add(13 * SECOND, at(13.0))
    assert len(track) == 3
    assert track.at(10 * SECOND, within_ns=SECOND // 2) is None
    assert track.at(13 * SECOND, within_ns=0) == at(13.0)
