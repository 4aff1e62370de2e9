# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A running average that a stall hardly moves."""

from __future__ import annotations


class Average:
    """
    A running average of a cost in seconds.

    One stalled measurement among honest ones moves it by 40 % at most, because a sample counts no
    more than three times the average; a lasting change is followed within some ten samples either
    way.
    """

    WEIGHT = 0.2
    LIMIT = 3.0

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def add(self, sample: float) -> None:
        """Take in one measurement, 0 or more: below, the limit would let it run away."""
        if self.value == 0.0:
            self.value = sample
        else:
            self.value += self.WEIGHT * (min(sample, self.LIMIT * self.value) - self.value)
