# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Odometry over ROS; tf2, which no wheel has, by a stand-in with its names."""

import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry as OdometryMessage

from livevlm_ros.node.conversions import to_time
from livevlm_ros.node.pose_settings import PoseSettings
from livevlm_ros.node.pose_sources import CACHE_S, NoPose, Odometry, Transforms
from livevlm_ros.pose import Pose

SECOND = 10**9


def odometry(second: float, x: float, *, frame_id: str = 'map', qw: float = 1.0) -> Any:
    message = OdometryMessage()
    message.header.stamp = to_time(round(second * SECOND))
    message.header.frame_id = frame_id
    message.pose.pose.position.x, message.pose.pose.orientation.w = x, qw
    return message


class Wheels:
    """A source of odometry that listens, and who publishes it."""

    def __init__(self, ros: Any, eventually: Callable[..., Any], settings: PoseSettings) -> None:
        self.source = Odometry(ros.node('listener'), settings)
        self.publisher = ros.node('base').create_publisher(OdometryMessage, '/wheels/odom', 50)
        self._eventually = eventually
        self.source.start()

    def roll(self, message: Any, heard: Callable[[], Any]) -> None:
        """Publish until it is heard."""

        def comes() -> Any:
            self.publisher.publish(message)
            return heard()

        self._eventually(comes)

    def pose(self, second: float) -> Pose | None:
        try:
            return self.source.at('camera', round(second * SECOND))
        except NoPose:
            return None

    def why(self, second: float) -> tuple[str, str]:
        with pytest.raises(NoPose) as error:
            self.source.at('camera', round(second * SECOND))
        return error.value.kind, str(error.value)


@pytest.fixture
def wheels(ros: Any, eventually: Callable[..., Any]) -> Iterator[Wheels]:
    wheels = Wheels(ros, eventually, PoseSettings('odom', 'wheels/odom'))
    yield wheels
    wheels.source.stop()


def test_odometry_tells_the_pose_between_two_messages(wheels: Wheels) -> None:
    wheels.roll(odometry(10.0, 1.0), lambda: wheels.pose(10.0))
    wheels.roll(odometry(10.5, 2.0), lambda: wheels.pose(10.5) == Pose(2.0, 0.0, 0.0))
    assert wheels.pose(10.25) == Pose(1.5, 0.0, 0.0)
    kind, why = wheels.why(12.0)
    assert kind == 'too_far' and 'pose.max_age_s, 0.5 s' in why
    wheels.source.stop()
    wheels.source.start()
    assert wheels.pose(10.25) is not None


def test_without_odometry_the_topic_is_named(wheels: Wheels) -> None:
    kind, why = wheels.why(1.0)
    assert kind == 'nothing_came'
    assert why == 'no odometry has come on /wheels/odom: start it, or set pose.odom_topic'


@pytest.mark.parametrize(
    ('message', 'says'),
    [
        (odometry(10.0, 1.0, frame_id='odom'), "is in frame 'odom', expected 'map': set pose"),
        (odometry(10.0, 1.0, qw=0.0), 'expected finite numbers and a quaternion'),
        (odometry(10.0, float('nan')), 'expected finite numbers'),
        (odometry(0.0, 1.0), 'header stamp is zero'),
    ],
    ids=['frame', 'quaternion', 'nan', 'stamp'],
)
def test_odometry_of_no_use_is_refused_with_the_reason(
    wheels: Wheels, message: Any, says: str
) -> None:
    wheels.roll(message, lambda: wheels.why(10.0)[0] == 'refused')
    assert says in wheels.why(10.0)[1]
    wheels.roll(odometry(11.0, 3.0), lambda: wheels.pose(11.0))
    assert wheels.why(20.0)[0] == 'too_far'


def test_a_topic_that_is_no_name_is_refused(ros: Any) -> None:
    with pytest.raises(ValueError, match=r'pose.odom_topic is .a b., expected the name'):
        Odometry(ros.node(), PoseSettings('odom', 'a b'))


class TransformException(Exception):
    pass


class ExtrapolationException(TransformException):
    pass


class LookupException(TransformException):
    pass


class Buffer:
    """Transforms from map to frames that move a metre a second."""

    def __init__(self, cache_time: Any) -> None:
        self.cache_s = cache_time.nanoseconds / SECOND
        self.spans: dict[str, tuple[float, float]] = {}  # seconds that are known, by frame
        self.cleared = 0

    def clear(self) -> None:
        self.cleared += 1

    def lookup_transform(self, target: str, source: str, time: Any) -> TransformStamped:
        if target != 'map' or source not in self.spans:
            raise LookupException(f'"{source}" passed to lookupTransform')
        first, last = self.spans[source]
        second = time.nanoseconds / SECOND or last
        if not first <= second <= last:
            raise ExtrapolationException(f'requested {second}, data from {first}')
        found = TransformStamped()
        found.header.stamp = to_time(round(second * SECOND))
        found.transform.translation.x = second
        return found


class TransformListener:
    def __init__(self, buffer: Any, node: Any) -> None:
        self.listens = True
        buffer.listener = self

    def unregister(self) -> None:
        self.listens = False


class Clocked:
    """A node whose clock shows a time."""

    now_s = 12.0

    def get_clock(self) -> Any:
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=round(self.now_s * SECOND)))


TF2_ROS = SimpleNamespace(
    Buffer=Buffer,
    TransformListener=TransformListener,
    TransformException=TransformException,
    ExtrapolationException=ExtrapolationException,
)


@pytest.fixture
def transforms(monkeypatch: pytest.MonkeyPatch) -> Transforms:
    """Give transforms that are known from the tenth second to the twelfth."""
    monkeypatch.setitem(sys.modules, 'tf2_ros', TF2_ROS)
    transforms = Transforms(Clocked(), PoseSettings('tf'))  # type: ignore[arg-type]
    transforms._buffer.spans['camera'] = (10.0, 12.0)
    return transforms


@pytest.mark.parametrize('second', [11.5, 12.25], ids=['its own', 'the newest, not too old'])
def test_tf_tells_where_the_camera_was(transforms: Transforms, second: float) -> None:
    assert transforms.at('camera', round(second * SECOND)).x == min(second, 12.0)
    assert transforms._buffer.cache_s == CACHE_S


@pytest.mark.parametrize(
    ('frame_id', 'second', 'kind', 'says'),
    [
        ('', 11.0, 'no_frame_id', 'images have no frame_id: set it in the driver'),
        ('lens', 11.0, 'unconnected', 'tf: "lens" passed to lookupTransform'),
        ('camera', 12.75, 'too_far', 'tf: requested 12.75, data from 10.0'),
    ],
)
def test_without_a_transform_the_reason_is_told(
    transforms: Transforms, frame_id: str, second: float, kind: str, says: str
) -> None:
    with pytest.raises(NoPose) as error:
        transforms.at(frame_id, round(second * SECOND))
    assert (error.value.kind, str(error.value)) == (kind, says)
    assert not transforms._buffer.cleared


def test_transforms_of_before_a_clock_was_set_back_are_forgotten(
    transforms: Transforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clocked, 'now_s', 1.0)
    with pytest.raises(NoPose, match='requested 1.0'):
        transforms.at('camera', SECOND)
    assert transforms._buffer.cleared == 1


def test_a_camera_that_is_late_costs_no_other_its_transforms(transforms: Transforms) -> None:
    with pytest.raises(NoPose, match='requested 1.0'):
        transforms.at('camera', SECOND)
    assert not transforms._buffer.cleared


def test_tf_is_heard_between_start_and_stop(transforms: Transforms) -> None:
    transforms.start()
    assert transforms._buffer.listener.listens
    transforms.stop()
    assert not transforms._buffer.listener.listens


def test_without_tf2_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    with pytest.raises(ValueError, match='sudo apt install ros-jazzy-tf2-ros-py'):
        Transforms(None, PoseSettings('tf'))  # type: ignore[arg-type]
