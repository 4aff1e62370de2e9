# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.memory import FrameRef, Reach

REF = FrameRef('front', 50)


@pytest.mark.parametrize(
    ('reach', 'held'),
    [
        (Reach(), True),
        (Reach(cameras=frozenset({'front', 'rear'})), True),
        (Reach(cameras=frozenset({'rear'})), False),
        (Reach(first_ns=50, last_ns=50), True),
        (Reach(first_ns=51), False),
        (Reach(last_ns=49), False),
        (Reach(cameras=frozenset({'front'}), last_ns=49), False),
        (Reach(first_ns=0, last_ns=0), False),
    ],
)
def test_a_frame_is_held_when_camera_and_both_bounds_allow_it(reach: Reach, held: bool) -> None:
    assert reach.holds(REF) == held


@pytest.mark.parametrize(
    ('reach', 'everywhen'),
    [
        (Reach(short_term=False, newest_only=True, share=0.5), True),
        (Reach(cameras=frozenset({'front'})), False),
        (Reach(first_ns=0), False),
        (Reach(last_ns=0), False),
    ],
)
def test_only_cameras_and_times_bound_a_reach(reach: Reach, everywhen: bool) -> None:
    assert reach.everywhen == everywhen
