# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of one camera, one a second."""

from __future__ import annotations

from livevlm_ros.memory import FrameRef, Memory

CAMERA = 'camera'
CLIP = 8
"""Frames that are put in together."""


def frame(second: int) -> FrameRef:
    """Return the frame of a second."""
    return FrameRef(CAMERA, second * 10**9)


def fill(memory: Memory, seconds: range) -> None:
    """Keep frames of random keys and values, as those of steps are kept."""
    for first in range(seconds.start, seconds.stop, CLIP):
        clip = range(first, min(first + CLIP, seconds.stop))
        memory.put_noise([frame(second) for second in clip])
        memory.settle()  # the archive's thread takes only so many at once
