# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of the memory as ROS tells them, and its stamps as numbers."""

from __future__ import annotations

import array
from typing import Any

from builtin_interfaces.msg import Time

from livevlm_interfaces.msg import MemoryFrame
from livevlm_ros.engine.held import HeldFrame


def to_message(frame: HeldFrame) -> MemoryFrame:
    """Return the message of a frame, with its thumbnail if it has one."""
    message = MemoryFrame(
        camera=frame.camera,
        frame_key=frame.frame_key,
        score=frame.score,
        short_term_tokens=frame.short_term_tokens,
        long_term_tokens=frame.long_term_tokens,
        archive_tokens=frame.archive_tokens,
    )
    sec, nanosec = divmod(frame.stamp_ns, 1_000_000_000)
    message.header.stamp = Time(sec=sec, nanosec=nanosec)
    message.header.frame_id = frame.frame_id
    if frame.thumbnail_jpeg:
        message.thumbnail.header = message.header
        message.thumbnail.format = 'jpeg'
        message.thumbnail.data = array.array('B', frame.thumbnail_jpeg)
    return message


def nanoseconds(time_or_duration: Any) -> int:
    """Return a time or a duration as a number."""
    return int(time_or_duration.sec) * 1_000_000_000 + int(time_or_duration.nanosec)
