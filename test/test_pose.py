# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from livevlm_ros.pose import Pose, between

HALF = math.sqrt(0.5)
STRAIGHT_ON = Pose(0.0, 0.0, 0.0)
TURNED = Pose(2.0, 4.0, 0.0, 0.0, 0.0, HALF, HALF)  # a quarter to the left


@pytest.mark.parametrize('share', [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize('sign', [1, -1])
def test_between_two_poses_things_move_and_turn_evenly(share: float, sign: int) -> None:
    same = Pose(*TURNED[:3], *(sign * part for part in TURNED[3:]))
    found = between(STRAIGHT_ON, same, share)
    assert found[:3] == pytest.approx((2 * share, 4 * share, 0.0))
    assert 2 * math.atan2(found.qz, found.qw) == pytest.approx(share * math.pi / 2)


def test_a_turn_too_small_for_an_arc_is_a_unit_all_the_same() -> None:
    little = Pose(0.0, 0.0, 0.0, 0.0, 0.0, 1e-3, 1.0).unit()
    assert math.hypot(*between(STRAIGHT_ON, little, 0.3)[3:]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    'pose', [Pose(math.nan, 0.0, 0.0), Pose(0.0, 0.0, math.inf), Pose(1.0, 2.0, 3.0, qw=0.0)]
)
def test_numbers_that_are_no_pose_are_refused(pose: Pose) -> None:
    with pytest.raises(ValueError, match='expected finite numbers and a quaternion'):
        pose.unit()


def test_a_place_is_told_to_the_centimetre() -> None:
    assert Pose(1.234, -5.0, 0.0).place() == '1.23, -5.00, 0.00'
