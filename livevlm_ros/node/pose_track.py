# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The newest poses of a robot by stamp, and its pose in between."""

from __future__ import annotations

import threading
from bisect import bisect_left

from livevlm_ros.pose import Pose, between

MOST = 4096
"""Poses that are kept: 20 s of odometry at 200 Hz, about a megabyte."""

BACK_NS = 1_000_000_000
"""A stamp that runs back further is that of a clock set back, not of a message that came late."""


class PoseTrack:
    """Poses in the order of their stamps; any thread."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._poses: list[Pose] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._stamps)

    def add(self, stamp_ns: int, pose: Pose) -> None:
        """Keep a pose; one that is late is passed over, and a clock set back begins anew."""
        with self._lock:
            back_ns = self._stamps[-1] - stamp_ns if self._stamps else -1
            if back_ns > BACK_NS:
                self._stamps.clear()
                self._poses.clear()
            elif back_ns >= 0:
                return
            self._stamps.append(stamp_ns)
            self._poses.append(pose)
            if len(self._stamps) > MOST:
                del self._stamps[0], self._poses[0]

    def at(self, stamp_ns: int, *, within_ns: int) -> Pose | None:
        """
        Return the pose at a stamp, interpolated, or else the nearest one.

        :param within_ns: of the stamp; poses further away tell nothing
        """
        with self._lock:
            after = bisect_left(self._stamps, stamp_ns)
            first = max(0, after - 1)
            near = zip(
                self._stamps[first : after + 1], self._poses[first : after + 1], strict=True
            )
            found = [(at_ns, pose) for at_ns, pose in near if abs(at_ns - stamp_ns) <= within_ns]
        if len(found) < 2:
            return found[0][1] if found else None
        (before_ns, before), (after_ns, later) = found
        return between(before, later, (stamp_ns - before_ns) / (after_ns - before_ns))
