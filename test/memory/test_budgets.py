# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from livevlm_ros.memory import CacheShape, MemoryConfig
from livevlm_ros.memory.budgets import lane_frames, reserved_positions


def test_full_holds_what_its_cap_or_the_models_positions_allow(shape: CacheShape) -> None:
    frame = shape.tokens_per_frame
    assert lane_frames(MemoryConfig(preset='full'), shape, 1) == (2048 - 1024) // frame
    assert lane_frames(MemoryConfig(preset='full', full_max_tokens=300), shape, 2) == 37


def test_beside_frames_there_is_room_for_a_question_or_a_step_of_all_cameras(
    shape: CacheShape,
) -> None:
    assert reserved_positions(shape, 8) == 1024
    assert reserved_positions(replace(shape, tokens_per_frame=196), 8) == 256 + 8 * 196
