# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Header stamps as programs are told them: seconds, to the microsecond."""

from __future__ import annotations

from dataclasses import dataclass

MICROSECOND_NS = 1000
LATEST_S = 2**31 - 1
"""The last second that a ROS time holds."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """
    Stamps as seconds, and back again.

    A stamp that was told lies between `begin_ns` and `end_ns` of its seconds, rounded as they are.

    :param zero_ns: the stamp of second 0
    """

    zero_ns: int

    def told(self, stamp_ns: int) -> float:
        """Return the seconds of a stamp."""
        return round((stamp_ns - self.zero_ns) / 1e9, 6)

    def begin_ns(self, seconds: float | None) -> int:
        """Return the first stamp that these seconds may mean; None: open, which is 0."""
        if seconds is None:
            return 0
        return max(1, self._stamp_ns(seconds) - MICROSECOND_NS)

    def end_ns(self, seconds: float | None) -> int:
        """Return the last stamp that these seconds may mean; None: open, which is 0."""
        return 0 if seconds is None else self._stamp_ns(seconds) + MICROSECOND_NS

    def _stamp_ns(self, seconds: float) -> int:
        return self.zero_ns + round(seconds * 1e9)
