# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Publishes `/diagnostics` and `~/memory_state`, on a timer that a paused clock does not stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from livevlm_interfaces.msg import MemoryState
from livevlm_ros.engine.messages import Status
from livevlm_ros.node.cameras import Camera
from livevlm_ros.node.console import Console
from livevlm_ros.node.conversions import to_time
from livevlm_ros.node.diagnostics import Lifecycle, healths
from livevlm_ros.node.memory_state import MemoryTeller
from livevlm_ros.node.poses import PoseReport
from livevlm_ros.node.ros_clock import RosClock


class Reported(Protocol):
    """What the reports are about: the node."""

    def values(self) -> dict[str, Any]:
        """Return every parameter."""

    def state(self) -> Lifecycle:
        """Return the lifecycle state."""

    def engine(self) -> Any:
        """Return the engine or None."""

    def cameras(self) -> list[Camera]:
        """Return the cameras."""

    def poses(self) -> PoseReport | None:
        """Return how many frames have a pose; None without a source of poses."""

    def refused(self) -> Mapping[Status, int]:
        """Return the replies that the engine has not seen, by status."""


class Reporter:
    """Looks at the node every `diagnostics.period` and tells; faults go to the console too."""

    def __init__(self, node: Node, subject: Reported, *, clock: Clock) -> None:
        """
        Start reporting.

        :param clock: steady
        """
        self._node = node
        self._subject = subject
        self._name = node.get_fully_qualified_name().removeprefix('/')
        self._clock = RosClock(node)
        self._console = Console(node.get_logger())
        self._told_of: Any = None
        self._teller = MemoryTeller()
        self._diagnostics = node.create_publisher(
            DiagnosticArray, '/diagnostics', QoSProfile(depth=1)
        )
        self._memory_state = node.create_publisher(
            MemoryState,
            '~/memory_state',
            QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
        )
        period_s = subject.values()['diagnostics.period']
        node.create_timer(period_s, self.report, MutuallyExclusiveCallbackGroup(), clock=clock)

    def report(self) -> None:
        """Publish now."""
        try:
            self._report()
        except Exception as error:
            self._node.get_logger().error(f'diagnostics: {error!r}', throttle_duration_sec=10)

    def _report(self) -> None:
        values, engine = self._subject.values(), self._subject.engine()
        stats = engine.stats() if engine is not None else None
        window_s = values['diagnostics.window_s']
        reports = [camera.report(window_s) for camera in self._subject.cameras()]
        clock = self._clock.report()
        found = healths(
            self._subject.state(),
            reports,
            stats,
            values,
            refused=self._subject.refused(),
            clock=clock,
            poses=self._subject.poses(),
        )
        device = stats.model.device if stats is not None and stats.model is not None else ''
        message = DiagnosticArray(status=[h.to_message(self._name, device) for h in found])
        message.header.stamp = to_time(clock.now_ns)
        self._diagnostics.publish(message)
        self._console.tell(found, time.monotonic())
        if engine is not self._told_of:
            self._told_of, self._teller = engine, MemoryTeller()
        state = stats and self._teller.message(stats, reports, values, now_ns=clock.now_ns)
        if state:
            self._memory_state.publish(state)
