# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of the frames in the memory beside them: small pictures, and which are strange."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
import torch

from livevlm_ros.engine.messages import BadFrame, Pixels
from livevlm_ros.memory import Memory, State

THUMBNAIL_WIDTH = 320
JPEG_QUALITY = 80
MOST_THUMBNAILS = 4096  # some 40 MB of host RAM
FEW = 8  # strange frames that say nothing of what a camera shows


class Picture(NamedTuple):
    """A frame in the memory, as a thumbnail, with its header stamp."""

    key: str
    stamp_ns: int
    jpeg: bytes


class Album:
    """
    Jpeg thumbnails by frame key, so that evidence can be shown; owned by the engine thread.

    It also knows which frames are strange: unlike those that the checkpoint was calibrated on.
    `strangers` counts them, forgotten ones too, but for those of before a restore; `told` says
    whether the log told of them.
    """

    def __init__(self) -> None:
        self._pages: dict[str, bytes] = {}
        self._newest: dict[str, Picture] = {}  # by camera
        self._strange: set[str] = set()
        self.strangers = 0
        self.told = False

    def __len__(self) -> int:
        return max(len(self._pages), len(self._strange))

    def add(self, key: str, jpeg: bytes) -> None:
        """Keep the thumbnail of a frame; the oldest leaves when there are too many."""
        self._pages[key] = jpeg
        if len(self._pages) > MOST_THUMBNAILS:
            del self._pages[next(iter(self._pages))]

    def mark_strange(self, keys: Iterable[str]) -> None:
        """Note that frames are strange."""
        for key in keys:
            self._strange.add(key)
            self.strangers += 1

    def mostly_strange(self, frames: int) -> bool:
        """Return whether most of so many frames are strange."""
        return len(self._strange) > max(FEW, frames / 2)

    def is_strange(self, key: str) -> bool:
        """Return whether a frame is strange."""
        return key in self._strange

    def get(self, key: str) -> bytes:
        """Return the jpeg of a frame, empty when there is none."""
        return self._pages.get(key, b'')

    def show(self, camera: str, picture: Picture) -> None:
        """Let a frame be the newest of its camera."""
        self._newest = {**self._newest, camera: picture}

    def newest(self) -> dict[str, Picture]:
        """Return the newest frame of each camera since the last clearing; any thread."""
        return self._newest

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forget all other frames."""
        kept = dict.fromkeys(keys)
        self._pages = {key: self._pages[key] for key in kept if key in self._pages}
        self._newest = {name: each for name, each in self._newest.items() if each.key in kept}
        self._strange.intersection_update(kept)

    def trim(self, memory: Memory) -> None:
        """Forget the frames that a memory has forgotten, once there are more than it holds."""
        if len(self) > memory.frame_count:
            self.keep_only(ref.key for ref in memory.refs())

    def clear(self) -> None:
        """Forget every frame."""
        self._pages.clear()
        self._newest = {}
        self._strange.clear()

    def state(self) -> State:
        """Return all that is kept, to `restore`."""
        jpegs = np.frombuffer(b''.join(self._pages.values()), np.uint8)
        sizes = {key: len(jpeg) for key, jpeg in self._pages.items()}
        facts = {'bytes': sizes, 'strange': sorted(self._strange)}
        return State({'jpegs': torch.from_numpy(jpegs.copy())}, facts)

    def restore(self, state: State) -> None:
        """Hold what `state` gave and nothing else."""
        jpegs, sizes = state.tensors['jpegs'].numpy().tobytes(), state.facts['bytes']
        ends = itertools.accumulate(sizes.values())
        self._pages = {
            key: jpegs[end - size : end]
            for (key, size), end in zip(sizes.items(), ends, strict=True)
        }
        self._strange = set(state.facts['strange'])
        self.strangers = len(self._strange)


def thumbnail(pixels: Pixels) -> bytes:
    """
    Return a jpeg at most 320 pixels wide of an image, uint8 RGB [height, width, 3].

    :raises BadFrame: for an image too long for a jpeg
    """
    height, width = pixels.shape[:2]
    if width > THUMBNAIL_WIDTH:
        size = (THUMBNAIL_WIDTH, max(1, round(height * THUMBNAIL_WIDTH / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, jpeg = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise BadFrame(f'got an image of {width}x{height} pixels, OpenCV makes no jpeg of it')
    return jpeg.tobytes()
