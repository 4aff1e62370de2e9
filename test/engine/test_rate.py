# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from livevlm_ros.engine.rate import RateGate


def _taken(stamps_s, *, fps: float) -> list[float]:
    gate, taken = RateGate(fps), []
    for second in stamps_s:
        if gate.due(round(second * 1e9)):
            gate.take(round(second * 1e9))
            taken.append(second)
    return taken


@pytest.mark.parametrize('fps', [0.5, 1.0, 10.0, 30.0])
def test_a_fast_camera_is_cut_to_the_target_rate(fps):
    taken = _taken((1 + n / 120 for n in range(120 * 60)), fps=fps)
    assert len(taken) == pytest.approx(60 * fps, abs=1)


def test_a_camera_at_the_target_rate_loses_no_frame_to_jitter():
    draw = random.Random(1)
    stamps = [1 + n / 10 + draw.uniform(-0.002, 0.002) for n in range(1000)]
    assert len(_taken(stamps, fps=10.0)) == 1000


def test_frames_after_a_gap_are_not_made_up_for():
    stamps = [1.0, *(100 + n / 10 for n in range(11))]
    assert _taken(stamps, fps=1.0) == [1.0, 100.0, 101.0]


def test_a_frame_given_back_leaves_its_turn_to_the_next():
    gate = RateGate(1.0)
    gate.take(1_000_000_000)
    gate.take(2_000_000_000)
    gate.give_back()
    assert gate.due(2_100_000_000)
    assert not gate.due(1_900_000_000)
