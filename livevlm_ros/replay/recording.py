# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every recording has in common, whatever it is stored in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from livevlm_ros.engine.messages import Frame

CAMERA = 'camera'
"""Logical camera name of every replayed frame: a replay has one camera."""

STORAGE_SUFFIXES = ('.mcap', '.db3')
VIDEO_SUFFIXES = ('.avi', '.mp4', '.mkv', '.mov', '.webm', '.m4v', '.mpg', '.mpeg', '.ogv', '.ts')


class FrameSource(Protocol):
    """
    A recording that can be read once, from its first frame to its last.

    `warnings` and `skipped` (messages that are no images, by type) are complete after the last
    frame.
    """

    path: Path
    length: int
    warnings: list[str]
    skipped: dict[str, int]

    def frames(self) -> Iterator[Frame]:
        """Yield the frames as recorded; pixels are decoded when asked, before the next frame."""
        ...
