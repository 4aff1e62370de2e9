# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clock that stands still, against real processes."""

import time
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from rosgraph_msgs.msg import Clock

from livevlm_interfaces.srv import Ask
from livevlm_ros.node.client import Client
from livevlm_ros.node.diagnostics import OK

pytestmark = pytest.mark.slow


def test_a_paused_clock_does_not_stop_deadlines_and_diagnostics(
    ros: Any, processes: Any, client: Client
) -> None:
    processes.node({'use_sim_time': True, 'ask.default_max_tokens': 512})
    clock = ros.node('clock').create_publisher(Clock, '/clock', 1)
    camera = processes.start(
        'world_camera',
        {'speed': 2.0, 'rate': 10.0, 'width': 160, 'height': 120, 'wait_for_subscriber': True},
    )
    assert client.wait_for_status('camera/camera', OK, 120)
    camera.close()
    clock.publish(Clock(clock=Time(sec=1010)))
    began = time.monotonic()
    reply = client.send('what color was the car ?', budget_s=1.0, allow_partial=True)
    response = reply.wait(60)
    assert time.monotonic() - began < 10
    assert response.latency.total_ms < 1100
    assert response.status in (
        Ask.Response.STATUS_OK,
        Ask.Response.STATUS_PARTIAL,
        Ask.Response.STATUS_DEADLINE,
    )
    assert 1000 <= response.asked_at.sec <= 1100
    before = client.status('ask')
    assert client._wait(lambda: client.status('ask') is not before, 30)
