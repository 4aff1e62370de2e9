# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of the memory as ROS tells them."""

from __future__ import annotations

from livevlm_interfaces.msg import MemoryFrame
from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.node.conversions import attach_pose, attach_thumbnail, to_time


def to_message(frame: HeldFrame) -> MemoryFrame:
    """Return the message of a frame, with its pose and its thumbnail if it has them."""
    message = MemoryFrame(
        camera=frame.camera,
        frame_key=frame.frame_key,
        score=frame.score,
        short_term_tokens=frame.short_term_tokens,
        long_term_tokens=frame.long_term_tokens,
        archive_tokens=frame.archive_tokens,
    )
    message.header.stamp = to_time(frame.stamp_ns)
    message.header.frame_id = frame.frame_id
    attach_pose(message, frame.pose)
    attach_thumbnail(message, frame.thumbnail_jpeg)
    return message
