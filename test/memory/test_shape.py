# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from livevlm_ros.memory import CacheShape, FrameRef
from livevlm_ros.pose import Pose


def test_a_token_of_the_half_billion_model_takes_12_kib_in_half_precision() -> None:
    shape = CacheShape(24, 14, 2, 64, 196, 1e6, 32768)
    assert shape.token_bytes(2) == 12 * 1024


@pytest.mark.parametrize('pose', [None, Pose(1.5, -2.0, 0.1)])
def test_a_frame_comes_back_from_json_and_is_the_same_with_or_without_a_pose(
    pose: Pose | None,
) -> None:
    ref = FrameRef('front', 12, 'lens', 'front/12', pose, 'map' if pose else '')
    back = FrameRef.of(json.loads(json.dumps(ref.fields())))
    assert (back, back.pose, back.pose_frame) == (ref, pose, ref.pose_frame)
    assert isinstance(back.pose, Pose) == (pose is not None)
    bare = FrameRef('front', 12, 'lens', 'front/12')
    assert bare == ref and hash(bare) == hash(ref)
