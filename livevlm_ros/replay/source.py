# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where recorded frames come from: a bag, a video file, or a folder of them."""

from __future__ import annotations

from pathlib import Path

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.recording import STORAGE_SUFFIXES, VIDEO_SUFFIXES, FrameSource


def open_source(path: Path, *, topic: str | None = None) -> FrameSource:
    """
    Open one recording.

    :param path: bag folder, `.mcap` or `.db3` file, or video file
    :param topic: image topic of a bag; needed only where it has several
    :raises BadInput: for a path that is none of these, or holds no readable images
    """
    if not path.exists():
        raise BadInput(f'{path}: no such file or folder; expected a bag or a video')
    if path.is_dir() or path.suffix in STORAGE_SUFFIXES:
        from livevlm_ros.replay.bag import BagSource

        return BagSource(path, topic=topic)
    if topic is not None:
        raise BadInput(f'{path}: a topic was given ({topic}), but a video file has none')
    from livevlm_ros.replay.video import VideoSource

    return VideoSource(path)


def find_recordings(path: Path) -> list[Path]:
    """
    List the recordings that a path stands for: itself, or those of a folder of bags and videos.

    A folder is one bag when it has a `metadata.yaml`, or storage files named after the folder (a
    recording that was killed before its metadata was written).

    :raises BadInput: when there is none
    """
    if path.name in ('', '..'):  # a name is needed, of the questions file beside it
        path = path.resolve()
    if not path.is_dir() or _is_bag(path):
        return [path]
    found = [
        entry
        for entry in sorted(path.iterdir())
        if (entry.is_dir() and _is_bag(entry))
        or (entry.is_file() and entry.suffix in STORAGE_SUFFIXES + VIDEO_SUFFIXES)
    ]
    if not found:
        raise BadInput(
            f'{path}: no recording in this folder; expected bags (folders with metadata.yaml, '
            f'{", ".join(STORAGE_SUFFIXES)} files) or videos ({", ".join(VIDEO_SUFFIXES)})'
        )
    return found


def _is_bag(folder: Path) -> bool:
    return (folder / 'metadata.yaml').exists() or any(
        entry.suffix in STORAGE_SUFFIXES and entry.name.startswith(folder.name)
        for entry in folder.iterdir()
    )
