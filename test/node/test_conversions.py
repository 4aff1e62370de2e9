# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_interfaces.msg import Evidence
from livevlm_ros.node.conversions import (
    attach_pose,
    attach_thumbnail,
    nanoseconds,
    pose_of,
    to_duration,
    to_time,
)
from livevlm_ros.pose import Pose


@pytest.mark.parametrize('stamp_ns', [0, 1, 999_999_999, 1_000_000_000, 2_147_483_647_000_000_001])
def test_a_time_comes_back_to_the_nanosecond(stamp_ns: int) -> None:
    assert nanoseconds(to_time(stamp_ns)) == stamp_ns


@pytest.mark.parametrize('length_s', [0.0, 1e-9, 0.25, 3600.5, -0.75])
def test_a_duration_comes_back(length_s: float) -> None:
    duration = to_duration(length_s)
    assert 0 <= duration.nanosec < 1_000_000_000
    assert nanoseconds(duration) == round(length_s * 1e9)


def test_a_thumbnail_has_the_header_of_its_message() -> None:
    message = Evidence()
    attach_thumbnail(message, b'')
    assert not message.thumbnail.format
    message.header.stamp = to_time(5)
    attach_thumbnail(message, b'jpeg')
    assert message.thumbnail.header.stamp.nanosec == 5
    assert (message.thumbnail.format, bytes(message.thumbnail.data)) == ('jpeg', b'jpeg')


def test_a_pose_comes_back_and_none_stays_none() -> None:
    message = Evidence()
    attach_pose(message, None)
    assert not message.has_pose and pose_of(message) is None
    pose = Pose(1.0, 2.0, 3.0, 0.0, 0.0, 0.6, 0.8)
    attach_pose(message, pose)
    assert message.pose.position.y == 2.0 and pose_of(message) == pytest.approx(pose)
