# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where something was and which way it was turned, and what lies between two such poses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

STRAIGHT = 0.9995
"""Cosine of half the angle between two orientations above which the arc is as good as straight."""


class Pose(NamedTuple):
    """A position in metres, and an orientation as a unit quaternion."""

    x: float
    y: float
    z: float
    qx: float = 0.0
    qy: float = 0.0
    qz: float = 0.0
    qw: float = 1.0

    def place(self) -> str:
        """Return the position to the centimetre, for people."""
        return ', '.join(f'{part:.2f}' for part in self[:3])

    def unit(self) -> Pose:
        """
        Return the pose with its quaternion made a unit.

        :raises ValueError: for numbers that are no pose
        """
        length = math.hypot(*self[3:])
        if not all(map(math.isfinite, self)) or not length:
            raise ValueError(f'got {self}, expected finite numbers and a quaternion that is not 0')
        return Pose(*self[:3], *(part / length for part in self[3:]))


def between(before: Pose, after: Pose, share: float) -> Pose:
    """
    Return the pose a share of the way from one to another, at even speed, the short way round.

    :param share: 0: `before`, 1: `after`
    """
    cosine = sum(a * b for a, b in zip(before[3:], after[3:], strict=True))
    first, second = 1 - share, share
    if abs(cosine) < STRAIGHT:
        angle = math.acos(abs(cosine))
        first, second = math.sin(first * angle), math.sin(second * angle)
    if cosine < 0:  # a quaternion and its negative are the same orientation
        second = -second
    place = _mixed(before[:3], after[:3], 1 - share, share)
    return Pose(*place, *_mixed(before[3:], after[3:], first, second)).unit()


def _mixed(
    one: Sequence[float], other: Sequence[float], first: float, second: float
) -> list[float]:
    return [first * a + second * b for a, b in zip(one, other, strict=True)]
