# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learning rate: up, flat, down to almost nothing."""

import pytest

from livevlm_ros.training.schedule import FLOOR, WARM_UP_STEPS, rate


def test_the_rate_warms_up_stays_flat_and_decays():
    assert rate(1.0, step=0, progress=0.0) == pytest.approx(1 / WARM_UP_STEPS)
    assert rate(1.0, step=WARM_UP_STEPS, progress=0.3) == 1.0
    assert rate(1.0, step=10_000, progress=0.8) == pytest.approx((1 + FLOOR) / 2)
    assert rate(1.0, step=10_000, progress=1.0) == pytest.approx(FLOOR)
