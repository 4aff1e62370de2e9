# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every recording has in common, whatever it is stored in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from livevlm_ros.engine.messages import Frame
from livevlm_ros.replay.recording_time import RecordingTime

CAMERA = 'camera'
"""Logical camera name of every replayed frame: a replay has one camera."""

STORAGE_SUFFIXES = ('.mcap', '.db3', '.mcap.zstd', '.db3.zstd')
VIDEO_SUFFIXES = ('.avi', '.mp4', '.mkv', '.mov', '.webm', '.m4v', '.mpg', '.mpeg', '.ogv', '.ts')


def is_storage(file: Path) -> bool:
    """Tell by its name whether a file is one of a bag's, as cameras and people write endings."""
    return file.name.lower().endswith(STORAGE_SUFFIXES)


def is_video(file: Path) -> bool:
    """Tell by its name whether a file is a video."""
    return file.suffix.lower() in VIDEO_SUFFIXES


def stem_of(recording: Path) -> str:
    """Return a recording's name without what tells its kind."""
    name = recording.name
    if recording.is_dir():
        return name
    known = [ending for ending in STORAGE_SUFFIXES if name.lower().endswith(ending)]
    return name[: len(name) - max(map(len, [*known, recording.suffix]))]


class FrameSource(Protocol):
    """A recording that can be read from its first frame to its last, and again."""

    path: Path
    length: int

    @property
    def warnings(self) -> list[str]:
        """What it lacks; complete after the last frame."""
        ...

    @property
    def skipped(self) -> dict[str, int]:
        """Messages that are no images, by type; complete after the last frame."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Yield the frames as recorded; pixels are decoded when asked, before the next frame."""
        ...


class SourceOver:
    """What the sources have in common that change the frames of another."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self.path: Path = source.path
        self.length = source.length

    @property
    def warnings(self) -> list[str]:
        """What the source lacks."""
        return self._source.warnings

    @property
    def skipped(self) -> dict[str, int]:
        """Messages of the source that are no images."""
        return self._source.skipped


def timed(source: FrameSource) -> Iterator[tuple[int, Frame]]:
    """Yield a source's frames, each with its nanoseconds from the first."""
    time = RecordingTime()
    for frame in source.frames():
        yield time.after(frame.stamp_ns), frame
