# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the camera can meet: things with a class, a color and a place, gathered in events."""

from __future__ import annotations

from dataclasses import dataclass

COLORED = ('car', 'truck', 'bus', 'bicycle', 'pedestrian')
PLAIN = ('dog', 'cone', 'sign')
LIGHT = 'light'
CLASSES = (*COLORED, *PLAIN, LIGHT)
COLORS = ('red', 'green', 'blue', 'yellow', 'white', 'black', 'orange', 'purple')
LIGHT_STATES = ('red', 'yellow', 'green')
PLACES = ('left', 'middle', 'right')


def colors_of(kind: str) -> tuple[str, ...]:
    """Return the colors that a class comes in; a plain class has the one color ''."""
    if kind in COLORED:
        return COLORS
    return LIGHT_STATES if kind == LIGHT else ('',)


@dataclass(frozen=True, slots=True)
class Thing:
    """One object: its class, its color ('' if plain, the lit lamp of a light) and its place."""

    kind: str
    color: str
    place: str


@dataclass(frozen=True, slots=True)
class Event:
    """
    Things that stand before the camera for a while, one a place at most and no class twice.

    :param start: first second of the stream at which they are visible
    :param end: second at which they are gone
    """

    start: float
    end: float
    things: tuple[Thing, ...]

    def of_kind(self, kind: str) -> Thing | None:
        """Return the event's thing of a class, if there is one."""
        return next((thing for thing in self.things if thing.kind == kind), None)
