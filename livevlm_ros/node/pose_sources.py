# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What says where a camera was: odometry, or the tree of transforms."""

from __future__ import annotations

import os
from typing import Any, Protocol

from nav_msgs.msg import Odometry as OdometryMessage
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.time import Time

from livevlm_ros.node.conversions import nanoseconds, to_pose
from livevlm_ros.node.pose_settings import PoseSettings
from livevlm_ros.node.pose_track import PoseTrack
from livevlm_ros.pose import Pose

QUEUE = 10  # messages of odometry that wait for their callback
CACHE_S = 10.0  # of transforms


class NoPose(LookupError):
    """
    There is no pose for a frame.

    :param kind: of the reason, by which it is counted
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class PoseSource(Protocol):
    """Hears of poses between `start` and `stop`."""

    def start(self) -> None:
        """Subscribe."""

    def stop(self) -> None:
        """Unsubscribe."""

    def at(self, frame_id: str, stamp_ns: int) -> Pose:
        """
        Return where a coordinate frame was at a stamp, without waiting; any thread.

        :raises NoPose: with the reason
        """


class Odometry:
    """Poses of the robot from `nav_msgs/Odometry`, which are the same for all of its frames."""

    def __init__(self, node: Node, settings: PoseSettings) -> None:
        """
        Prepare without subscribing.

        :raises ValueError: for a topic that is no name
        """
        self._node, self._frame = node, settings.frame
        try:
            self._topic = node.resolve_topic_name(settings.topic)
        except Exception as error:  # of a class that rclpy keeps to itself
            raise ValueError(
                f'pose.odom_topic is {settings.topic!r}, expected the name of a topic: {error}'
            ) from error
        self._within_ns = round(settings.max_age_s * 1e9)
        self._track = PoseTrack()
        self._refused = ''  # why the last message was of no use
        self._subscription: Subscription[Any] | None = None

    def start(self) -> None:
        """Subscribe."""
        self._subscription = self._node.create_subscription(
            OdometryMessage,
            self._topic,
            self._on_odometry,
            QoSProfile(depth=QUEUE, reliability=ReliabilityPolicy.BEST_EFFORT),
            callback_group=MutuallyExclusiveCallbackGroup(),
        )

    def stop(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def at(self, frame_id: str, stamp_ns: int) -> Pose:
        """Return the robot's pose."""
        pose = self._track.at(stamp_ns, within_ns=self._within_ns)
        if pose is not None:
            return pose
        if self._refused:
            raise NoPose('refused', f'odometry on {self._topic} {self._refused}')
        if not len(self._track):
            raise NoPose(
                'nothing_came',
                f'no odometry has come on {self._topic}: start it, or set pose.odom_topic',
            )
        raise NoPose(
            'too_far',
            f'no odometry on {self._topic} has a stamp within pose.max_age_s, '
            f'{self._within_ns / 1e9:g} s, of the image: do both have the same clock?',
        )

    def _on_odometry(self, message: Any) -> None:
        try:
            self._take(message)
        except Exception as error:
            self._refused = f'cannot be used: {error}'

    def _take(self, message: Any) -> None:
        frame_id, stamp_ns = message.header.frame_id, nanoseconds(message.header.stamp)
        if frame_id != self._frame:
            self._refused = (
                f'is in frame {frame_id!r}, expected {self._frame!r}: set pose.frame, or take the '
                'odometry of what localises the robot there'
            )
            return
        if not stamp_ns:
            raise ValueError('header stamp is zero')
        pose = message.pose.pose
        self._track.add(stamp_ns, to_pose(pose.position, pose.orientation))
        self._refused = ''


class Transforms:
    """Poses of the cameras themselves, from tf2."""

    def __init__(self, node: Node, settings: PoseSettings) -> None:
        """
        Make the buffer.

        :raises ValueError: without tf2_ros, naming the package that has it
        """
        try:
            import tf2_ros
        except ImportError as error:
            distro = os.environ.get('ROS_DISTRO', '$ROS_DISTRO')
            raise ValueError(
                f'pose.source is tf, which needs tf2_ros ({error}): '
                f'sudo apt install ros-{distro}-tf2-ros-py'
            ) from error
        self._node, self._frame = node, settings.frame
        self._within_ns = round(settings.max_age_s * 1e9)
        self._tf: Any = tf2_ros
        self._buffer: Any = tf2_ros.Buffer(cache_time=Duration(seconds=CACHE_S))
        self._listener: Any = None

    def start(self) -> None:
        """Subscribe."""
        self._listener = self._tf.TransformListener(self._buffer, self._node)

    def stop(self) -> None:
        """Unsubscribe."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None

    def at(self, frame_id: str, stamp_ns: int) -> Pose:
        """Return the pose of the image's frame; the newest one if its own is still to come."""
        if not frame_id:
            raise NoPose('no_frame_id', 'images have no frame_id: set it in the driver')
        try:
            found = self._look_up(frame_id, stamp_ns)
        except self._tf.TransformException as error:
            raise NoPose('unconnected', f'tf: {error}') from error
        return to_pose(found.transform.translation, found.transform.rotation)

    def _look_up(self, frame_id: str, stamp_ns: int) -> Any:
        try:
            return self._buffer.lookup_transform(self._frame, frame_id, Time(nanoseconds=stamp_ns))
        except self._tf.ExtrapolationException as error:
            newest = self._buffer.lookup_transform(self._frame, frame_id, Time())
            ahead_ns = nanoseconds(newest.header.stamp) - stamp_ns
            if abs(ahead_ns) <= self._within_ns:
                return newest
            self._begin_anew_after(nanoseconds(newest.header.stamp))
            raise NoPose('too_far', f'tf: {error}') from error

    def _begin_anew_after(self, newest_ns: int) -> None:
        """Forget transforms from a future that a clock set back has left: they bar what comes."""
        now_ns = self._node.get_clock().now().nanoseconds
        if newest_ns - now_ns > CACHE_S * 1e9:
            self._buffer.clear()
