# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

from livevlm_ros.engine.percentiles import Percentiles


def test_percentiles_lie_between_samples_in_proportion():
    assert Percentiles.of(range(101)) == Percentiles(50, 95, 99, 100)
    assert Percentiles.of([1.0, 2.0]) == Percentiles(1.5, 1.95, 1.99, 2.0)
    assert Percentiles.of([7.0]) == Percentiles(7.0, 7.0, 7.0, 7.0)
    assert math.isnan(Percentiles.of([]).p99)
