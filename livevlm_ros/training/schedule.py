# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learning rate over a run bounded by time: warm-up, flat, then linear to almost nothing."""

WARM_UP_STEPS = 150
FLAT_UNTIL = 0.6  # share of the run's time
FLOOR = 0.02


def rate(peak: float, *, step: int, progress: float) -> float:
    """
    Return the learning rate of a step.

    :param peak: rate between warm-up and decay
    :param step: steps done
    :param progress: share of the run's time that has passed, [0, 1]
    """
    decay = 1 - (1 - FLOOR) * max(0.0, progress - FLAT_UNTIL) / (1 - FLAT_UNTIL)
    return peak * min(1.0, (step + 1) / WARM_UP_STEPS) * decay
