# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from livevlm_ros.engine.messages import Frame
from livevlm_ros.node import poses as poses_module
from livevlm_ros.node.conversions import to_time
from livevlm_ros.node.diagnostics import OK, STALE, WARN, Lifecycle, healths
from livevlm_ros.node.parameters import table
from livevlm_ros.node.pose_settings import PoseSettings
from livevlm_ros.node.pose_sources import NoPose
from livevlm_ros.node.poses import Poses
from livevlm_ros.node.ros_clock import ClockReport
from livevlm_ros.pose import Pose

HERE = Pose(1.0, 2.0, 0.0)
FRAME = Frame('front', 5 * 10**9, b'', 'lens')  # type: ignore[arg-type]


class Told:
    """A source that says what the test lets it say."""

    def __init__(self, node: Any, settings: PoseSettings) -> None:
        self.says: Pose | Exception = HERE
        self.asked: list[tuple[str, int]] = []

    def at(self, frame_id: str, stamp_ns: int) -> Pose:
        self.asked.append((frame_id, stamp_ns))
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.fixture
def poses(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(poses_module.SOURCES, 'odom', Told)  # type: ignore[arg-type]
    return Poses(None, PoseSettings('odom'))  # type: ignore[arg-type]


def test_a_pose_is_looked_up_when_the_frame_is_taken_and_not_before(poses: Any) -> None:
    frame = poses.with_pose(FRAME)
    assert poses._source.asked == []
    assert frame.pose() == HERE
    assert poses._source.asked == [('lens', 5 * 10**9)]
    assert replace(frame, pose=None) == FRAME


def test_without_a_source_a_frame_stays_as_it_is() -> None:
    poses = Poses(None, PoseSettings())  # type: ignore[arg-type]
    assert poses.with_pose(FRAME) is FRAME
    assert poses.report() is None


def test_frames_without_a_pose_are_counted_by_reason_and_told(
    poses: Any, fake_engine: Any, needs_torch: None
) -> None:
    take = poses.with_pose(FRAME).pose

    def told(label: str = 'active') -> Any:
        found = healths(
            Lifecycle(label),
            [],
            fake_engine.stats(),
            {name: row.default for name, row in table().items()},
            refused={},
            clock=ClockReport(),
            poses=poses.report(),
        )
        (health,) = (health for health in found if health.task == 'poses')
        return health

    assert take() == HERE
    assert told().level == OK
    assert told().message == '1 of 1 frames have their pose in map'
    poses._source.says = NoPose('too_far', 'no odometry near')
    assert take() is None and take() is None
    poses._source.says = RuntimeError('broken')
    assert take() is None
    assert (told().level, told().fault) == (WARN, 'no pose')
    assert told().message == "the last 3 frames have no pose: RuntimeError('broken')"
    values = told().values
    assert (values['found'], values['missing']) == (1, 3)
    assert (values['missing_too_far'], values['missing_failed']) == (2, 1)
    poses._source.says = HERE
    take()
    assert told().level == OK and told().message.startswith('2 of 5 frames')
    assert told('inactive').level == STALE


def test_the_node_gives_its_frames_the_poses_of_odometry(
    ros: Any, live_node: Callable[..., Any], fake_engine: Any, eventually: Callable[..., Any]
) -> None:
    parameters = {'pose.source': 'odom', 'pose.frame': 'odom', 'pose.odom_topic': 'base/odom'}
    node = live_node(parameters)
    driver = ros.node('robot')
    images = driver.create_publisher(Image, '/camera/image_raw', 1)
    odometry = driver.create_publisher(Odometry, '/base/odom', 10)
    image = Image(height=1, width=1, encoding='mono8', step=1, data=b'\x05')
    moved = Odometry()
    moved.header.frame_id = 'odom'
    image.header.stamp = moved.header.stamp = to_time(7 * 10**9)
    moved.pose.pose.position.x = 3.0
    assert node.poses() is None
    node.trigger_configure()
    node.trigger_activate()

    def came() -> bool:
        odometry.publish(moved)
        images.publish(image)
        return any(frame.pose() is not None for frame in fake_engine.frames)

    eventually(came)
    assert fake_engine.frames[-1].pose() == Pose(3.0, 0.0, 0.0)
    node.trigger_deactivate()
    eventually(lambda: odometry.get_subscription_count() == 0)
    assert node.poses().found


def test_a_source_that_cannot_be_had_is_said_at_configure(
    live_node: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    node = live_node({'pose.source': 'tf'})
    node.trigger_configure()
    assert node.state().label == 'unconfigured'
    assert 'configure failed: pose.source is tf, which needs tf2_ros' in node.state().problem
