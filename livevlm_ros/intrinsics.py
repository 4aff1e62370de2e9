# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `sensor_msgs/CameraInfo` says of a camera without distortion."""

from __future__ import annotations

import math
from typing import NamedTuple


class Intrinsics(NamedTuple):
    """Fields of `CameraInfo`, by their names there; matrices row by row."""

    distortion_model: str
    d: list[float]
    k: list[float]  # [3, 3]
    r: list[float]  # [3, 3]
    p: list[float]  # [3, 4]


UNCALIBRATED = Intrinsics('', [], [0.0] * 9, [0.0] * 9, [0.0] * 12)
"""Of a camera of which nothing is known: the message's own text wants zeros."""


def pinhole(width: int, height: int, focal: float) -> Intrinsics:
    """
    Describe a pinhole camera that looks through the middle of its picture.

    :param focal: focal length in widths of the picture
    """
    f, x, y = focal * width, width / 2, height / 2
    return Intrinsics(
        'plumb_bob',
        d=[0.0] * 5,
        k=[f, 0.0, x, 0.0, f, y, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[f, 0.0, x, 0.0, 0.0, f, y, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def focal_of(degrees: float) -> float:
    """Return the focal length, in widths of the picture, of a horizontal field of view."""
    return 0.5 / math.tan(math.radians(degrees) / 2)
