# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Places in the engine's time: of questions that wait, and of callers who were told to come back.

A caller who is refused for now is promised the first stretch of time that nobody else has, so
that of many refused in one moment each comes back to a free engine. Callers have no name: whoever
asks the same when a promise is due is taken for the one it was made to, and whoever asks anything
when it has been due for a while. Not all come back, so a promise is not kept against those who
could wait much longer, and none is when there are too many.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass

LATE_S = 0.25
"""
A promise is kept for so long after its time.

Requests of a client beside 49 others over ROS, on two busy cores, came into the node 24 ms late
at the median, 78 ms at p95 and 224 ms at worst.
"""

OVERDUE_S = 0.1
"""For so long after its time a promise is kept for the same question."""

PATIENT = 2.0
"""A question with a budget so many times as long goes before a promise, as it waits inside."""

MOST = 64
"""Promises at a time; where there are more, most of the callers do not come back when told."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """
    A stretch of the engine's time.

    :param at_s: when it begins, on `time.monotonic`
    :param length_s: how long a question of this place holds the engine
    :param budget_s: of that question
    :param text: that question
    """

    at_s: float
    length_s: float
    budget_s: float = math.inf
    text: str = ''


def first_gap_s(taken: Iterable[Place], *, from_s: float, length_s: float) -> float:
    """Return when a stretch of time begins that is so long and nobody's."""
    at_s = from_s
    for place in sorted(taken):
        if at_s + length_s <= place.at_s:
            break
        at_s = max(at_s, place.at_s) + place.length_s
    return at_s


class Promises:
    """The places of callers who have yet to come back; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: list[Place] = []  # by time

    def make(self, place: Place) -> None:
        """Keep a place for a caller, if there are not too many."""
        with self._lock:
            if len(self._places) < MOST:
                insort(self._places, place)

    def claim(self, text: str) -> Place | None:
        """Give the first place that is due to a caller who is there, and asks this."""
        now_s = time.monotonic()
        with self._lock:
            self._forget_before(now_s - LATE_S)
            due = [place for place in self._places if place.at_s <= now_s]
            mine = [place for place in due if place.text == text or place.at_s < now_s - OVERDUE_S]
            if not mine:
                return None
            self._places.remove(mine[0])
            return mine[0]

    def all(self) -> list[Place]:
        """Return the places that nobody has claimed yet, by time."""
        with self._lock:
            self._forget_before(time.monotonic() - LATE_S)
            return list(self._places)

    def kept_from(self, budget_s: float) -> list[Place]:
        """Return the places that a new question with such a budget must not take."""
        places = self.all()
        if len(places) == MOST:
            return []
        return [place for place in places if budget_s < PATIENT * place.budget_s]

    def due_in_s(self) -> float:
        """Return the seconds until the first caller is due; below 0: late; infinite: nobody is."""
        places = self.all()
        return places[0].at_s - time.monotonic() if places else math.inf

    def _forget_before(self, at_s: float) -> None:
        while self._places and self._places[0].at_s < at_s:
            del self._places[0]
