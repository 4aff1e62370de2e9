# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From odometry and images to answers that tell where, over ROS, on the embedded model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from livevlm_interfaces.action import LoadMemory, SaveMemory
from livevlm_interfaces.srv import Ask, ClearMemory, GetFrame, QueryTimeline, Recall
from livevlm_ros.node.conversions import to_time
from livevlm_ros.node.memory_client import MemoryClient
from livevlm_ros.node.node import load_engine

SECOND = 10**9
SECONDS = range(1, 31)  # more frames than short-term holds
ASKED = 'what color was the truck ?'
EVERY_S = 0.2  # by the stamps of odometry


class Robot:
    """Drives a metre a second along x, and publishes what it sees."""

    def __init__(self, node: Any) -> None:
        self._images = node.create_publisher(Image, '/camera/image_raw', 1)
        self._odometry = node.create_publisher(Odometry, '/odom', 50)

    def roll(self, second: int) -> None:
        """Publish odometry around a second."""
        for at_s in np.arange(second - 0.5, second + 0.5, EVERY_S):
            moved = Odometry()
            moved.header.stamp, moved.header.frame_id = to_time(round(at_s * SECOND)), 'map'
            moved.pose.pose.position.x = float(at_s)
            self._odometry.publish(moved)

    def look(self, second: int) -> None:
        """Publish the image of a second."""
        noise = np.random.default_rng(second).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        image = Image(height=48, width=64, step=192, encoding='rgb8', data=noise.tobytes())
        image.header.stamp, image.header.frame_id = to_time(second * SECOND), 'lens'
        self._images.publish(image)


@pytest.mark.slow
def test_every_frame_that_is_told_of_says_where_the_robot_was(
    ros: Any,
    live_node: Callable[..., Any],
    eventually: Callable[..., Any],
    tmp_path: Path,
    needs_torch: None,
) -> None:
    given = {'pose.source': 'odom', 'memory.path': str(tmp_path), 'ask.min_confidence': 0.0}
    node = live_node(given, make_engine=load_engine)
    node.trigger_configure()
    node.trigger_activate()
    robot, engine = Robot(ros.node('robot')), node.engine()
    track = node._poses._source._track
    for second in SECONDS:
        used, stamp_ns = engine.stats().frames_used, second * SECOND

        def rolled(second: int = second, stamp_ns: int = stamp_ns) -> bool:
            robot.roll(second)
            return track.at(stamp_ns, within_ns=round(EVERY_S * SECOND)) is not None

        def came(second: int = second, used: int = used) -> bool:
            robot.look(second)
            return engine.stats().frames_used > used

        eventually(rolled)  # time goes faster here than odometry comes
        eventually(came)
    report = node.poses()
    assert report.found == len(SECONDS), report

    def check(frames: Any) -> None:
        assert frames
        for frame in frames:
            assert frame.has_pose
            assert frame.pose.position.x == pytest.approx(frame.header.stamp.sec, abs=EVERY_S)

    with MemoryClient() as asker:

        def told() -> list[Any]:
            request = Recall.Request(question=ASKED, max_frames=40)
            request.latency_budget.sec = 30
            listed = asker.call(QueryTimeline, 'query_timeline', QueryTimeline.Request()).frames
            assert len(listed) == len(SECONDS)
            check(listed)
            check(asker.call(Recall, 'recall', request).frames)
            got = GetFrame.Request(frame_key=listed[0].frame_key)
            check([asker.call(GetFrame, 'get_frame', got).frame])
            reply = asker.send(ASKED, budget_s=30.0, max_evidence=40).wait(60)
            assert reply is not None and reply.status == Ask.Response.STATUS_OK
            check(reply.evidence)
            return [(frame.frame_key, frame.pose) for frame in listed]

        before = told()
        asker.send_goal(SaveMemory, 'save_memory', SaveMemory.Goal(name='a'), lambda *step: None)
        asker.call(ClearMemory, 'clear_memory', ClearMemory.Request())
        loaded = asker.send_goal(
            LoadMemory, 'load_memory', LoadMemory.Goal(name='a'), lambda *step: None
        )
        assert loaded.success, loaded.message
        assert told() == before
