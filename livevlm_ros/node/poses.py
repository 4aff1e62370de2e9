# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames with their poses: each is looked up when the frame enters the memory, and counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from rclpy.node import Node

from livevlm_ros.engine.messages import Frame
from livevlm_ros.node.pose_settings import PoseSettings
from livevlm_ros.node.pose_sources import NoPose, Odometry, PoseSource, Transforms
from livevlm_ros.pose import Pose

SOURCES: dict[str, Callable[[Node, PoseSettings], PoseSource]] = {
    'odom': Odometry,
    'tf': Transforms,
}


@dataclass(frozen=True, slots=True)
class PoseReport:
    """
    How many frames have a pose.

    :param missing: frames without one, by kind of reason
    :param missing_in_row: frames without one since the last that has one
    :param why: the last reason, in words
    """

    settings: PoseSettings
    found: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    missing_in_row: int = 0
    why: str = ''


class Poses:
    """Gives frames their poses, from the node's source; without one they have none."""

    def __init__(self, node: Node, settings: PoseSettings) -> None:
        """
        Prepare the source without subscribing.

        :raises ValueError: if it cannot be had: says what is missing
        """
        self._settings = settings
        make = SOURCES.get(settings.source)
        self._source = make(node, settings) if make else None
        self._counting = threading.Lock()
        self._found = self._missing_in_row = 0
        self._missing: Counter[str] = Counter()
        self._why = ''

    def start(self) -> None:
        """Let the source subscribe."""
        if self._source is not None:
            self._source.start()

    def stop(self) -> None:
        """Let the source unsubscribe."""
        if self._source is not None:
            self._source.stop()

    def with_pose(self, frame: Frame) -> Frame:
        """Return a frame that has its pose looked up when the engine takes it."""
        if self._source is None:
            return frame
        return replace(frame, pose=partial(self._at, self._source, frame.frame_id, frame.stamp_ns))

    def report(self) -> PoseReport | None:
        """Return the account since the node was configured; None without a source."""
        if self._source is None:
            return None
        with self._counting:
            return PoseReport(
                self._settings, self._found, dict(self._missing), self._missing_in_row, self._why
            )

    def _at(self, source: PoseSource, frame_id: str, stamp_ns: int) -> Pose | None:
        """Look a pose up, and count what comes of it; in the engine's thread."""
        try:
            pose = source.at(frame_id, stamp_ns)
        except NoPose as error:
            self._miss(error.kind, str(error))
            return None
        except Exception as error:  # costs the pose, not the frame
            self._miss('failed', repr(error))
            return None
        with self._counting:
            self._found += 1
            self._missing_in_row = 0
        return pose

    def _miss(self, kind: str, why: str) -> None:
        with self._counting:
            self._missing[kind] += 1
            self._missing_in_row += 1
            self._why = why
