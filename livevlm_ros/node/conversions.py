# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Times, durations, poses and thumbnails, between numbers or bytes and ROS messages."""

from __future__ import annotations

import array
from typing import Any

from builtin_interfaces.msg import Duration, Time

from livevlm_ros.pose import Pose

_SECOND_NS = 1_000_000_000


def to_time(stamp_ns: int) -> Time:
    """Return the message of a time in nanoseconds."""
    sec, nanosec = divmod(stamp_ns, _SECOND_NS)
    return Time(sec=sec, nanosec=nanosec)


def to_duration(length_s: float) -> Duration:
    """Return the message of a length of time in seconds."""
    sec, nanosec = divmod(round(length_s * 1e9), _SECOND_NS)
    return Duration(sec=sec, nanosec=nanosec)


def nanoseconds(time_or_duration: Any) -> int:
    """Return a time or a duration as a number."""
    return int(time_or_duration.sec) * _SECOND_NS + int(time_or_duration.nanosec)


def to_pose(position: Any, orientation: Any) -> Pose:
    """
    Return what two messages say: a point or vector, and a quaternion.

    :raises ValueError: for numbers that are no pose
    """
    place = (position.x, position.y, position.z)
    turned = (orientation.x, orientation.y, orientation.z, orientation.w)
    return Pose(*place, *turned).unit()


def pose_of(message: Any) -> Pose | None:
    """Return the pose of a message that has `pose` and `has_pose`, None without one."""
    if not message.has_pose:
        return None
    return to_pose(message.pose.position, message.pose.orientation)


def attach_pose(message: Any, pose: Pose | None) -> None:
    """Put a pose, if it is known, into a message that has `pose` and `has_pose`."""
    if pose is None:
        return
    message.has_pose = True
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = pose[:3]
    orientation.x, orientation.y, orientation.z, orientation.w = pose[3:]


def attach_thumbnail(message: Any, jpeg: bytes) -> None:
    """Put a jpeg, if there is one, into the thumbnail of a message whose header is filled."""
    if jpeg:
        message.thumbnail.header = message.header
        message.thumbnail.format = 'jpeg'
        message.thumbnail.data = array.array('B', jpeg)
