# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where recorded frames come from: a bag, a video file, or a folder of them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.poses import with_poses
from livevlm_ros.replay.recording import (
    STORAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    FrameSource,
    is_storage,
    is_video,
)

_ROS1 = b'#ROSBAG V'
_ARCHIVES = {
    b'PK\x03\x04': 'unzip',
    b'\x1f\x8b': 'tar xf or gunzip',
    b'BZh': 'tar xf or bunzip2',
    b'\xfd7zXZ\0': 'tar xf or unxz',
    b'\x28\xb5\x2f\xfd': 'tar xf or unzstd',
    b'7z\xbc\xaf\x27\x1c': '7z x',
    b'Rar!': 'unrar x',
}
_TAR, _TAR_AT = b'ustar', 257


def open_source(path: Path, *, topic: str | None = None) -> FrameSource:
    """
    Open one recording, with the poses that lie beside it.

    :param path: bag folder, `.mcap` or `.db3` file, or video file
    :param topic: image topic of a bag; needed only where it has several
    :raises BadInput: for a path that is none of these, or holds no readable images
    """
    if not path.exists():
        raise BadInput(f'{path}: no such file or folder; expected a bag or a video')
    if path.is_dir() or is_storage(path):
        from livevlm_ros.replay.bag import BagSource

        return with_poses(BagSource(path, topic=topic))
    if topic is not None:
        raise BadInput(f'{path}: a topic was given ({topic}), but a video file has none')
    _refuse_foreign(path)
    from livevlm_ros.replay.video import VideoSource

    return with_poses(VideoSource(path))


def open_alone(path: Path, *, topic: str | None = None) -> FrameSource:
    """
    Open the recording that a path stands for: itself, or the only one in a folder.

    :raises BadInput: where there are several, and as `open_source` does
    """
    found = find_recordings(path) if path.exists() else [path]
    if len(found) > 1:
        raise BadInput(f'{path}: {len(found)} recordings; expected one, such as {found[0]}')
    return open_source(found[0], topic=topic)


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
        or (entry.is_file() and (is_storage(entry) or is_video(entry) or _is_ros1(entry)))
    ]
    if not found:
        raise BadInput(
            f'{path}: no recording in this folder; expected bags (folders with metadata.yaml, '
            f'{", ".join(STORAGE_SUFFIXES)} files) or videos ({", ".join(VIDEO_SUFFIXES)})'
        )
    return found


def _is_bag(folder: Path) -> bool:
    return (folder / 'metadata.yaml').exists() or any(
        is_storage(entry) and entry.name.startswith(folder.name) for entry in folder.iterdir()
    )


def _refuse_foreign(file: Path) -> None:
    """Refuse what holds recordings that only another program can get at, and name it."""
    head = _head(file)
    if head.startswith(_ROS1):
        made = file.with_suffix('')
        raise BadInput(
            f'{file}: a bag of ROS 1; pip install rosbags, then '
            f'rosbags-convert --src {file} --dst {made}'
        )
    tools = [tool for magic, tool in _ARCHIVES.items() if head.startswith(magic)]
    tools += ['tar xf'] if head[_TAR_AT:].startswith(_TAR) else []
    if tools:
        raise BadInput(f'{file}: an archive; unpack it first ({tools[0]})')


def _is_ros1(file: Path) -> bool:
    return file.suffix.lower() == '.bag' and _head(file).startswith(_ROS1)


def _head(file: Path) -> bytes:
    """Return how a file begins; nothing where it is none, or cannot be read."""
    with suppress(OSError):
        if file.is_file():
            with file.open('rb') as stream:
                return stream.read(_TAR_AT + len(_TAR))
    return b''
