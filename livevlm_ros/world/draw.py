# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Drawing: one frame of the street, at any size.

Everything is laid out in a unit square and scaled to the frame, so that a scene filmed at two
sizes looks the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from livevlm_ros.world.scene import Thing

RGB = {
    'red': (205, 30, 35),
    'green': (25, 150, 55),
    'blue': (40, 75, 215),
    'yellow': (240, 220, 45),
    'white': (245, 245, 245),
    'black': (24, 24, 28),
    'orange': (245, 130, 25),
    'purple': (140, 45, 170),
}
CENTRE = {'left': 0.18, 'middle': 0.5, 'right': 0.82}
DARK, GLASS, SKIN, STEEL = (20, 20, 22), (150, 190, 210), (225, 180, 150), (110, 112, 118)
Points = Sequence[tuple[float, float]] | np.ndarray  # [points, 2]
SUBPIXEL = 4  # fractional bits of the coordinates given to OpenCV
GRAIN = (120, 160)  # rows and columns of the sensor noise, the same at every frame size


@dataclass(frozen=True)
class Scenery:
    """What stays or drifts slowly in a stream: colors, buildings, light."""

    sky: tuple[float, float, float]
    ground: tuple[float, float, float]
    road: float
    horizon: float
    buildings: np.ndarray  # [count, 4]: left edge, width, height, grey level
    drift: float  # widths per second at which buildings pass
    light: float
    light_swing: float
    light_period: float
    noise: float
    shake: float

    @staticmethod
    def choose(rng: Generator) -> Scenery:
        """Draw the scenery of a stream."""
        ground = np.array([105.0, 120.0, 85.0]) + rng.uniform(-25, 25, 3)
        blue = rng.uniform(0.0, 1.0)
        sky = (1 - blue) * np.array([190.0, 190.0, 195.0]) + blue * np.array([140.0, 185.0, 230.0])
        count = int(rng.integers(3, 8))
        buildings = np.column_stack(
            [
                rng.uniform(0, 1.6, count),
                rng.uniform(0.08, 0.25, count),
                rng.uniform(0.05, 0.24, count),
                rng.uniform(90, 180, count),
            ]
        )
        return Scenery(
            sky=tuple(sky),
            ground=tuple(ground),
            road=float(rng.uniform(75, 110)),
            horizon=float(rng.uniform(0.36, 0.44)),
            buildings=buildings,
            drift=float(rng.uniform(-0.05, 0.05)),
            light=float(rng.uniform(0.8, 1.1)),
            light_swing=float(rng.uniform(0.0, 0.12)),
            light_period=float(rng.uniform(60, 600)),
            noise=float(rng.uniform(2, 9)),
            shake=float(rng.uniform(0.0, 0.008)),
        )


@dataclass(frozen=True)
class Pose:
    """Where and how large a thing stands in one frame, in units of the frame."""

    thing: Thing
    x: float
    y: float
    scale: float


def draw_frame(
    scenery: Scenery, poses: list[Pose], *, t: float, size: tuple[int, int], rng: Generator
) -> np.ndarray:
    """
    Draw one frame.

    :param scenery: the stream's scenery
    :param poses: the things in view
    :param t: seconds since the stream began
    :param size: width and height in pixels
    :param rng: source of this frame's shake, blur and noise
    :returns: uint8 RGB, [height, width, 3]
    """
    brush = _Brush(size, offset=rng.normal(0, scenery.shake, 2))
    _draw_background(brush, scenery, t)
    for pose in sorted(poses, key=lambda pose: pose.y):
        _DRAWINGS[pose.thing.kind](brush.at(pose), RGB.get(pose.thing.color, STEEL))
    return _expose(brush.canvas, scenery, t, rng)


def _draw_background(brush: _Brush, scenery: Scenery, t: float) -> None:
    """Paint sky, buildings, ground, road and lane marks."""
    horizon = scenery.horizon
    brush.canvas[:] = scenery.sky
    for left, width, height, grey in scenery.buildings:
        x = (left + scenery.drift * t) % 1.6 - 0.3
        brush.box(x, horizon - height, x + width, horizon + 0.02, (grey, grey * 0.97, grey * 0.93))
    brush.box(-0.1, horizon, 1.1, 1.1, scenery.ground)
    road = (scenery.road,) * 3
    brush.polygon([(0.42, horizon), (0.58, horizon), (1.06, 1.06), (-0.06, 1.06)], road)
    for index in range(4):
        near = ((index + t * 0.7) % 4) / 4
        y = horizon + (1 - horizon) * near**2
        half, length = 0.004 + 0.012 * near, 0.01 + 0.07 * near
        brush.box(0.5 - half, y, 0.5 + half, y + length, (215, 215, 205))


def _expose(canvas: np.ndarray, scenery: Scenery, t: float, rng: Generator) -> np.ndarray:
    """Apply ambient light, an occasional soft focus, and sensor noise."""
    height, width = canvas.shape[:2]
    light = scenery.light + scenery.light_swing * np.sin(2 * np.pi * t / scenery.light_period)
    if rng.random() < 0.15:
        canvas = cv2.GaussianBlur(canvas, (0, 0), 0.006 * width * rng.uniform(0.5, 1))
    noise = cv2.resize(
        rng.normal(0, scenery.noise, GRAIN).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_NEAREST,
    )
    lit = cv2.addWeighted(canvas, light, cv2.merge([noise] * 3), 1.0, 0.0, dtype=cv2.CV_8U)
    return lit


class _Brush:
    """Draws shapes given in units of the frame; `at` gives a brush in the units of one thing."""

    def __init__(self, size: tuple[int, int], *, offset: np.ndarray) -> None:
        width, height = size
        self.canvas = np.empty((height, width, 3), np.uint8)
        self._scale = np.array([width, height]) * (1 << SUBPIXEL)
        self._origin = offset
        self._unit = 1.0

    def at(self, pose: Pose) -> _Brush:
        """Return a brush whose origin is where the thing stands; y points down, sizes scale."""
        brush = object.__new__(_Brush)
        brush.canvas = self.canvas
        brush._scale = self._scale
        brush._origin = self._origin + (pose.x, pose.y)
        brush._unit = pose.scale
        return brush

    def polygon(self, points: Points, color: tuple[float, ...]) -> None:
        """Fill a convex or concave polygon."""
        cv2.fillPoly(self.canvas, [self._fixed(points)], color, cv2.LINE_AA, SUBPIXEL)

    def box(self, x0: float, y0: float, x1: float, y1: float, color: tuple[float, ...]) -> None:
        """Fill an upright rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color)

    def disc(self, x: float, y: float, radius: float, color: tuple[float, ...]) -> None:
        """Fill a disc, an ellipse where the frame is not square."""
        angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        ring = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1)
        self.polygon(ring, color)

    def line(
        self, points: list[tuple[float, float]], width: float, color: tuple[float, ...]
    ) -> None:
        """Draw an open line of a given width."""
        thickness = max(1, round(width * self._unit * self.canvas.shape[1]))
        cv2.polylines(
            self.canvas, [self._fixed(points)], False, color, thickness, cv2.LINE_AA, SUBPIXEL
        )

    def _fixed(self, points: Points) -> np.ndarray:
        units = np.asarray(points, np.float64) * self._unit + self._origin
        return np.rint(units * self._scale).astype(np.int32)


def _car(b: _Brush, color: tuple[int, ...]) -> None:
    b.polygon([(-0.075, -0.075), (-0.045, -0.135), (0.05, -0.135), (0.085, -0.075)], color)
    b.polygon([(-0.055, -0.08), (-0.036, -0.122), (0.04, -0.122), (0.064, -0.08)], GLASS)
    b.box(-0.12, -0.085, 0.12, -0.022, color)
    for x in (-0.07, 0.07):
        b.disc(x, -0.02, 0.026, DARK)


def _truck(b: _Brush, color: tuple[int, ...]) -> None:
    b.box(-0.13, -0.25, 0.055, -0.04, color)
    b.box(0.065, -0.16, 0.13, -0.04, STEEL)
    b.box(0.085, -0.145, 0.125, -0.1, GLASS)
    for x in (-0.09, -0.02, 0.095):
        b.disc(x, -0.025, 0.03, DARK)


def _bus(b: _Brush, color: tuple[int, ...]) -> None:
    b.box(-0.14, -0.21, 0.14, -0.03, color)
    for index in range(4):
        x = -0.125 + 0.065 * index
        b.box(x, -0.19, x + 0.05, -0.125, GLASS)
    for x in (-0.085, 0.085):
        b.disc(x, -0.025, 0.027, DARK)


def _bicycle(b: _Brush, color: tuple[int, ...]) -> None:
    for x in (-0.07, 0.07):
        b.disc(x, -0.055, 0.055, DARK)
        b.disc(x, -0.055, 0.036, (165, 165, 160))
    b.line(
        [(-0.07, -0.055), (-0.03, -0.135), (0.05, -0.135), (0.0, -0.05), (-0.07, -0.055)],
        0.022,
        color,
    )
    b.line([(0.07, -0.055), (0.045, -0.16), (0.075, -0.175)], 0.02, color)
    b.line([(0.0, -0.05), (-0.04, -0.16)], 0.022, color)


def _pedestrian(b: _Brush, color: tuple[int, ...]) -> None:
    for x in (-0.022, 0.022):
        b.box(x - 0.014, -0.1, x + 0.014, 0.0, (60, 60, 85))
    b.box(-0.052, -0.235, 0.052, -0.095, color)
    b.disc(0.0, -0.268, 0.034, SKIN)


def _dog(b: _Brush, color: tuple[int, ...]) -> None:
    fur = (135, 90, 50)
    b.box(-0.075, -0.09, 0.06, -0.045, fur)
    for x in (-0.066, -0.04, 0.03, 0.05):
        b.box(x - 0.009, -0.05, x + 0.009, 0.0, fur)
    b.box(0.05, -0.13, 0.105, -0.08, fur)
    b.line([(-0.072, -0.085), (-0.105, -0.13)], 0.016, fur)


def _cone(b: _Brush, color: tuple[int, ...]) -> None:
    b.box(-0.06, -0.016, 0.06, 0.0, (200, 85, 20))
    b.polygon([(-0.048, -0.016), (0.048, -0.016), (0.01, -0.15), (-0.01, -0.15)], (240, 105, 20))
    b.polygon(
        [(-0.034, -0.06), (0.034, -0.06), (0.023, -0.098), (-0.023, -0.098)], (245, 245, 240)
    )


def _sign(b: _Brush, color: tuple[int, ...]) -> None:
    b.box(-0.009, -0.2, 0.009, 0.0, STEEL)
    b.polygon([(0, -0.335), (0.075, -0.255), (0, -0.175), (-0.075, -0.255)], (245, 245, 240))
    b.polygon([(0, -0.318), (0.06, -0.255), (0, -0.192), (-0.06, -0.255)], (200, 25, 30))
    b.box(-0.038, -0.266, 0.038, -0.244, (245, 245, 240))


def _light(b: _Brush, color: tuple[int, ...]) -> None:
    b.box(-0.011, -0.2, 0.011, 0.0, STEEL)
    b.box(-0.048, -0.385, 0.048, -0.18, (16, 16, 18))
    for y, name in ((-0.345, 'red'), (-0.283, 'yellow'), (-0.22, 'green')):
        lit = RGB[name] == color
        b.disc(0, y, 0.03, _LAMPS[name] if lit else (58, 58, 58))


_LAMPS = {'red': (255, 45, 40), 'yellow': (255, 215, 50), 'green': (40, 235, 100)}
_DRAWINGS = {
    'car': _car,
    'truck': _truck,
    'bus': _bus,
    'bicycle': _bicycle,
    'pedestrian': _pedestrian,
    'dog': _dog,
    'cone': _cone,
    'sign': _sign,
    'light': _light,
}
