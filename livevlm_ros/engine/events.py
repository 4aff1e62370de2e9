# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happened to the memory and its answers, kept for whoever takes it; telling never waits."""

from __future__ import annotations

import threading
from collections import deque
from enum import IntEnum
from typing import NamedTuple

from livevlm_ros.engine.messages import ANSWERED, Answer, Status

MOST_EVENTS = 256
"""Events that are kept; when nobody takes them, the oldest are lost."""


class EventKind(IntEnum):
    """What happened (the constants of `MemoryEvent.msg`)."""

    BUCKETED = 0
    ARCHIVED = 1
    SAVED = 2
    LOADED = 3
    CLEARED = 4
    CAMERA_LOST = 5
    CAMERA_BACK = 6
    TIME_JUMP = 7
    DEGRADED = 8
    RECOVERED = 9
    DEADLINE_MISS = 10
    OOM = 11


class Event(NamedTuple):
    """
    One thing that happened.

    :param camera: empty: all, or none
    :param detail: for people
    :param value: in the unit that `MemoryEvent.msg` says
    """

    kind: EventKind
    camera: str = ''
    detail: str = ''
    value: float = 0.0


class Events:
    """The events of one engine; any thread."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._lost = 0
        self._rung = 0  # of the ladder, that the last answer was on
        self._lock = threading.Lock()

    def tell(
        self, kind: EventKind, *, camera: str = '', detail: str = '', value: float = 0.0
    ) -> None:
        """Keep an event."""
        with self._lock:
            self._lost += len(self._kept) == MOST_EVENTS
            self._kept.append(Event(kind, camera, detail, value))

    def answered(self, answer: Answer) -> None:
        """Tell of an answer that missed its budget, or gave up more or less than the last one."""
        latency = answer.latency
        if answer.status == Status.DEADLINE or 0.0 < latency.budget_ms < latency.total_ms:
            detail = f'{answer.status.name} after {latency.total_ms:.0f} ms: {answer.message}'
            self.tell(EventKind.DEADLINE_MISS, detail=detail, value=latency.budget_ms)
        if answer.status not in ANSWERED or answer.degradation == self._rung:
            return
        from livevlm_ros.engine.budget import Rung  # late: torch

        self._rung = answer.degradation
        if self._rung:
            given_up = Rung(self._rung).name.lower().replace('_', ' ')
            self.tell(EventKind.DEGRADED, detail=given_up, value=self._rung)
        else:
            self.tell(EventKind.RECOVERED)

    def take(self) -> tuple[list[Event], int]:
        """Take all that happened, and how many events were lost since the last call."""
        with self._lock:
            kept, lost = list(self._kept), self._lost
            self._kept.clear()
            self._lost = 0
        return kept, lost
