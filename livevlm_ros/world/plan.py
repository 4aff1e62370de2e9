# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The script of a stream: which events happen when.

A stream has regulars, classes that keep coming back in the same few colors and places, and guests,
which appear once or a few times. Regulars fill the memory and serve as distractors; guests are
what is worth asking about.
"""

from __future__ import annotations

from numpy.random import Generator

from livevlm_ros.world.scene import CLASSES, PLACES, Event, Thing, colors_of

SECONDS = (1, 2, 3, 4, 5, 6, 7, 8)
SECONDS_WEIGHT = (0.14, 0.26, 0.22, 0.14, 0.1, 0.06, 0.05, 0.03)
EMPTY_SHARE = 0.22
SECOND_THING_SHARE = 0.28
THIRD_THING_SHARE = 0.25
GUEST_SHARE = 0.4  # of the events of a stream, at most
ALONE_SHARE = 0.6  # guests that have their event for themselves


def plan_events(rng: Generator, seconds: float) -> list[Event]:
    """
    Write the script of one stream.

    :param rng: source of every choice
    :param seconds: length of the stream
    :returns: events in time order; they never overlap, and no class stands in two events that
        touch
    """
    spans = _spans(rng, seconds)
    regulars = _habits(rng)
    guests = _guests(rng, regulars)
    visited = rng.permutation(len(spans))[: round(GUEST_SHARE * len(spans))]
    guest_of = dict(zip(visited.tolist(), guests, strict=False))
    events: list[Event] = []
    for index, (start, end) in enumerate(spans):
        touching = events[-1].things if events and events[-1].end == start else ()
        taken = {thing.kind for thing in touching}
        things = _cast(rng, regulars, guest_of.get(index), taken)
        if things:
            events.append(Event(start, end, things))
    return events


def _spans(rng: Generator, seconds: float) -> list[tuple[float, float]]:
    """Cut the stream into whole-second spans and leave out the empty stretches."""
    spans = []
    start = 0.0
    while start < seconds:
        end = min(start + float(rng.choice(SECONDS, p=SECONDS_WEIGHT)), seconds)
        if rng.random() >= EMPTY_SHARE:
            spans.append((start, end))
        start = end
    return spans


def _habits(rng: Generator) -> list[Thing]:
    """Choose two to four regulars, each with up to three looks of distinct color and place."""
    habits = []
    for kind in rng.permutation(CLASSES)[: rng.integers(2, 5)].tolist():
        looks = int(rng.integers(1, 4))
        colors = rng.permutation(colors_of(kind))[:looks].tolist()
        places = rng.permutation(PLACES)[: len(colors)].tolist()
        habits += [Thing(kind, *look) for look in zip(colors, places, strict=True)]
    return habits


def _guests(rng: Generator, regulars: list[Thing]) -> list[Thing]:
    """Choose the rare things: a new class one to three times, a regular once in a new color."""
    known = {thing.kind: {t.color for t in regulars if t.kind == thing.kind} for thing in regulars}
    guests = []
    for kind in CLASSES:
        fresh = [color for color in colors_of(kind) if color not in known.get(kind, set())]
        if not fresh:
            continue
        times = 1 if kind in known else int(rng.choice((1, 2, 3), p=(0.6, 0.25, 0.15)))
        guests += [
            Thing(kind, str(rng.choice(fresh)), str(rng.choice(PLACES))) for _ in range(times)
        ]
    return [guests[index] for index in rng.permutation(len(guests))]


def _cast(
    rng: Generator, regulars: list[Thing], guest: Thing | None, taken: set[str]
) -> tuple[Thing, ...]:
    """Put together one event: its guest, if any, and regulars whose class and place are free."""
    things = [guest] if guest is not None and guest.kind not in taken else []
    if things and rng.random() < ALONE_SHARE:
        return tuple(things)
    wanted = 1
    if rng.random() < SECOND_THING_SHARE:
        wanted = 3 if rng.random() < THIRD_THING_SHARE else 2
    for index in rng.permutation(len(regulars)):
        thing = regulars[index]
        used = {other.kind for other in things} | taken
        if (
            len(things) < wanted
            and thing.kind not in used
            and all(thing.place != other.place for other in things)
        ):
            things.append(thing)
    return tuple(things)
