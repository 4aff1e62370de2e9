# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What work costs by how many tokens of the memory are read for it."""

from __future__ import annotations

from livevlm_ros.engine.average import Average


class ByLength:
    """
    Running averages of a cost in seconds that grows with a length, one for each power of two.

    `value` is that of the length which was measured last.
    """

    def __init__(self) -> None:
        self._averages: dict[int, tuple[int, Average]] = {}  # by bits, with the last length
        self._value = 0.0

    @property
    def value(self) -> float:
        """Seconds at the length that was measured last."""
        return self._value

    @value.setter
    def value(self, value: float) -> None:
        """Take a cost for one of any length."""
        self._averages, self._value = {}, value

    def add(self, sample: float, length: int) -> None:
        """Take in one measurement; the first near a length is weighed with what others say."""
        bits = length.bit_length()
        _, average = self._averages.get(bits) or (0, Average(self.at(length)))
        average.add(sample)
        self._averages = {**self._averages, bits: (length, average)}
        self._value = average.value

    def at(self, length: int) -> float:
        """Return what it costs there: no more than at any longer length, or in proportion."""
        averages, bits = self._averages, length.bit_length()
        if not averages:
            return self._value
        if longer := [average.value for each, (_, average) in averages.items() if each >= bits]:
            return min(longer)
        longest, average = averages[max(averages)]
        return average.value * length / max(1, longest)
