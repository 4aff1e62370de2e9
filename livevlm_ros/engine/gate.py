# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frame gate: a camera that goes on seeing the same thing fills no memory with it.

Each frame is compared with the last one of its camera that was kept, not the last one seen, so
that a slow change adds up until it counts. A heartbeat bounds how long one frame may stand for
those after it, and with it what the coarse comparison can miss.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from livevlm_ros.engine.messages import Frame, Pixels

SIDE = 32  # pixels of a sketch
NOISE = 4.0  # grey levels: a weaker pattern is none, as that of noise and rounding on a plain wall


class FrameGate:
    """
    Knows what each camera's last kept frame looked like; owned by the engine thread.

    :param on: False lets every frame pass
    :param similarity: cosine of two sketches above which a frame repeats another
    :param heartbeat_s: seconds of header time after which a frame is kept whatever it shows
    """

    def __init__(self, *, on: bool, similarity: float, heartbeat_s: float) -> None:
        self._on = on
        self._similarity = similarity
        self._heartbeat_ns = round(heartbeat_s * 1e9)
        self._kept: dict[str, tuple[int, np.ndarray]] = {}  # stream time and sketch by camera

    def repeats(self, frame: Frame, pixels: Pixels) -> bool:
        """Return whether a frame can be skipped: its camera's last kept one stands for it."""
        if frame.camera not in self._kept:
            return False
        kept_ns, kept = self._kept[frame.camera]
        if frame.stream_ns - kept_ns >= self._heartbeat_ns:
            return False
        return float(kept @ sketch(pixels)) > self._similarity

    def keep(self, frame: Frame, pixels: Pixels) -> None:
        """Note a frame that is in the memory now: the next ones are compared with it."""
        if self._on:
            self._kept[frame.camera] = frame.stream_ns, sketch(pixels)

    def clear(self) -> None:
        """Let the next frame of each camera pass: the memory holds none."""
        self._kept.clear()


def sketch(pixels: Pixels) -> np.ndarray:
    """
    Return the pattern of an image, without its size, brightness and contrast.

    The cosine of two images is the product of their sketches. They are in colour, for much that
    drives by is as light as the road behind it. Each carries one more entry, the same in all
    before scaling: it outweighs a pattern weaker than `NOISE`, so that two plain images are alike,
    noise or not, and a plain one is unlike any other.

    :param pixels: uint8 RGB [height, width, 3]
    :returns: float32 of length one, [SIDE * SIDE * 3 + 1]
    """
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    pattern = small - small.mean(axis=(0, 1))  # [SIDE, SIDE, 3]
    pattern = np.append(pattern, np.float32(NOISE * math.sqrt(pattern.size)))
    return pattern / np.linalg.norm(pattern)
