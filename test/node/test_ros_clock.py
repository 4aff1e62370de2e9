# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

from livevlm_ros.node.ros_clock import RosClock


def test_the_time_of_this_machine_goes_on(ros: Any) -> None:
    report = RosClock(ros.node()).report()
    assert not report.simulated and not report.silent
    assert report.now_ns > 0


def test_a_simulated_time_is_silent_until_it_comes_and_then_may_stand_still(
    ros: Any, eventually: Callable[..., Any]
) -> None:
    node = ros.node()
    node.set_parameters([Parameter('use_sim_time', value=True)])
    clock = RosClock(node)
    assert clock.report().silent and clock.report().publishers == 0
    publisher = ros.node('player').create_publisher(Clock, '/clock', 10)

    def came() -> bool:
        message = Clock()
        message.clock.sec = 7
        publisher.publish(message)
        return bool(clock.report().now_ns)

    eventually(came)
    assert not clock.report().silent and clock.report().publishers == 1
    eventually(lambda: clock.report().still_s > 0.2)
