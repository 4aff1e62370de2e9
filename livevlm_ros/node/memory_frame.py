# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of the memory as ROS tells them."""

from __future__ import annotations

from livevlm_interfaces.msg import MemoryFrame
from livevlm_ros.engine.held import HeldFrame
from livevlm_ros.engine.messages import Source
from livevlm_ros.node.conversions import (
    attach_pose,
    attach_thumbnail,
    nanoseconds,
    pose_of,
    to_time,
)


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


def to_frame(message: MemoryFrame) -> HeldFrame:
    """Return the frame that a message tells of."""
    return HeldFrame(
        camera=message.camera,
        stamp_ns=nanoseconds(message.header.stamp),
        frame_id=message.header.frame_id,
        frame_key=message.frame_key,
        score=message.score,
        source=Source.SHORT_TERM if message.short_term_tokens else Source.LONG_TERM,
        thumbnail_jpeg=bytes(message.thumbnail.data),
        pose=pose_of(message),
        short_term_tokens=message.short_term_tokens,
        long_term_tokens=message.long_term_tokens,
        archive_tokens=message.archive_tokens,
    )
