# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters `pose.*`: whether frames keep where the camera was, and who says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from livevlm_ros.node.parameter import Parameter

POSE_PARAMETERS = (
    Parameter(
        'pose.source',
        'none',
        'What says where the camera was at the stamp of a frame: odom, nav_msgs/Odometry, whose '
        'poses are of the robot; tf, from pose.frame to the frame_id of the image; or none.',
        choices=('none', 'odom', 'tf'),
    ),
    Parameter('pose.odom_topic', 'odom', 'Topic of nav_msgs/Odometry.'),
    Parameter(
        'pose.frame',
        'map',
        'Coordinate frame that every pose is in; odometry in another one is refused.',
        pattern=r'[^/\s]\S*',
    ),
    Parameter(
        'pose.max_age_s',
        0.5,
        'Seconds, by stamp, between a frame and the pose it is given, at most; where there is one '
        'on either side, the pose is interpolated.',
        low=0.0,
        high=60.0,
    ),
)


@dataclass(frozen=True, slots=True)
class PoseSettings:
    """
    Where poses come from.

    :param source: none, odom or tf
    :param topic: of the odometry; may be remapped
    :param frame: coordinate frame of every pose
    :param max_age_s: most seconds between the stamps of a frame and of its pose
    """

    source: str = 'none'
    topic: str = 'odom'
    frame: str = 'map'
    max_age_s: float = 0.5

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PoseSettings:
        """Return what the node's parameters say."""
        names = ('source', 'odom_topic', 'frame', 'max_age_s')
        return cls(*(values[f'pose.{name}'] for name in names))
