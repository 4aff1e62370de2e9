# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether ROS time goes on: with `use_sim_time` it is /clock's, which may be silent."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rclpy.node import Node


@dataclass(frozen=True, slots=True)
class ClockReport:
    """
    ROS time now.

    :param simulated: whether it comes from /clock; the other fields are of no use if not
    :param now_ns: 0 before anything has come on /clock
    :param still_s: seconds since it went on
    :param publishers: of /clock
    """

    simulated: bool = False
    now_ns: int = 0
    still_s: float = 0.0
    publishers: int = 0

    @property
    def silent(self) -> bool:
        """Whether there is no time."""
        return self.simulated and not self.now_ns


class RosClock:
    """Looks at a node's clock."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._went_on = 0, time.monotonic()  # ROS time in nanoseconds, and when it was seen first

    def report(self) -> ClockReport:
        """Return the time, and since when it has stood still."""
        now_ns, now_s = self._node.get_clock().now().nanoseconds, time.monotonic()
        if now_ns != self._went_on[0]:
            self._went_on = now_ns, now_s
        simulated = bool(self._node.get_parameter('use_sim_time').value)
        return ClockReport(
            simulated=simulated,
            now_ns=now_ns,
            still_s=now_s - self._went_on[1],
            publishers=self._node.count_publishers('/clock') if simulated else 0,
        )
