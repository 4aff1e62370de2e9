# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
All watches of an engine, and whose round is next.

Rounds are ordinary questions that go after all others. They take a third of the engine's time at
most, `SHARE`: after each the watches rest. The due watch that has had the least of that time goes
first, so that one with slow answers waits for the others, not they for it.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from livevlm_ros.engine.admission import InvalidQuestion, admissible
from livevlm_ros.engine.budget import Costs
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.events import EventKind, Events
from livevlm_ros.engine.messages import ANSWERED, NAME_CHARACTERS, Answer, Frame, Question, Status
from livevlm_ros.engine.questions import PendingQuestion
from livevlm_ros.engine.reception import pending_question
from livevlm_ros.engine.watch import Standing, Watch, WatchEvent, WatchState

MOST_WATCHES = 16
SHARE = 1 / 3
"""Most of the engine's time that all watches together may take."""

MOST_EVENTS = 256
"""Events that are kept; when nobody takes them, the oldest are lost."""


class Watches:
    """
    The watches of one engine, which outlive a stop; no snapshot holds them.

    Any thread may `add`, `remove`, `list` and `take_events`; the rest is the engine thread's.
    """

    def __init__(self, config: EngineConfig, events: Events) -> None:
        self._config, self._events = config, events
        self._lock = threading.Lock()
        self._standing: dict[str, Standing] = {}
        self._asked: dict[str, Question] = {}  # what each watch asks, with defaults filled in
        self._newest_ns: dict[str, int] = {}  # stream time, by camera
        self._told: deque[WatchEvent] = deque(maxlen=MOST_EVENTS)
        self._lost = 0
        self._number = 0  # of the last name made
        self._round: Standing | None = None
        self._rest_until_s = 0.0

    def add(self, watch: Watch) -> str:
        """
        Ask a standing question; its first round is due as soon as there is a frame.

        :returns: its name
        :raises InvalidQuestion: naming the field that is out of range
        """
        _check(watch)
        question = admissible(
            Question(
                watch.text,
                cameras=watch.cameras,
                budget_s=watch.budget_s,
                temperature=0.0,
                allow_partial=False,  # a part of an answer differs from the whole
                min_confidence=watch.min_confidence,
            ),
            self._config,
        )
        with self._lock:
            if watch.watch_id in self._standing:
                raise InvalidQuestion(f'watch_id: got {watch.watch_id!r}, which exists already')
            if len(self._standing) == MOST_WATCHES:
                raise InvalidQuestion(
                    f'watch: there are {MOST_WATCHES} watches, no more are allowed: remove one'
                )
            watch = replace(watch, watch_id=watch.watch_id or self._new_name(), text=question.text)
            spent_s = min((each.spent_s for each in self._standing.values()), default=0.0)
            self._standing[watch.watch_id] = Standing(watch, self._newest_ns, spent_s)
            self._asked[watch.watch_id] = replace(question, min_confidence=0.0)
        return watch.watch_id

    def remove(self, watch_id: str = '') -> int:
        """
        End a watch; without a name, all of them.

        :returns: how many there were
        """
        with self._lock:
            gone = [watch_id] if watch_id else list(self._standing)
            return sum(self._standing.pop(each, None) is not None for each in gone)

    def list(self) -> tuple[WatchState, ...]:
        """Return the watches, oldest first."""
        with self._lock:
            return tuple(standing.state() for standing in self._standing.values())

    def take_events(self) -> tuple[Sequence[WatchEvent], int]:
        """Take the events since the last call, and how many more were lost; never waits."""
        with self._lock:
            told, lost = tuple(self._told), self._lost
            self._told.clear()
            self._lost = 0
        return told, lost

    def saw(self, frames: Sequence[Frame]) -> None:
        """Count frames that entered the memory."""
        with self._lock:
            self._newest_ns |= {frame.camera: frame.stream_ns for frame in frames}
            for standing in self._standing.values():
                standing.saw(frames)

    def due_in_s(self) -> float:
        """Return the seconds until a round may begin; infinite: none is due."""
        with self._lock:
            if not any(standing.due for standing in self._standing.values()):
                return math.inf
        return max(0.0, self._rest_until_s - time.monotonic())

    def begin(self, costs: Costs) -> PendingQuestion | None:
        """Begin the round whose turn it is; None: none is due, or the watches rest."""
        if self.due_in_s() > 0:
            return None
        with self._lock:
            due = [standing for standing in self._standing.values() if standing.due]
            if not due:
                return None
            self._round = min(due, key=lambda standing: standing.spent_s)
            question = self._asked[self._round.watch.watch_id]
        return pending_question(question, costs, self._config, received_s=time.monotonic())

    def end(self, pending: PendingQuestion, took_s: float) -> None:
        """
        End the round that was begun; one that gave way to a question stays due.

        :param took_s: of the engine's time
        """
        self._rest_until_s = time.monotonic() + took_s * (1 / SHARE - 1)
        answer = pending.wait()
        with self._lock:
            standing, self._round = self._round, None
            assert standing is not None
            standing.spent_s += took_s
            if answer.status in (Status.CANCELED, Status.NOT_ACTIVE):
                return
            standing.took_s = took_s
            standing.end_round()
            self._note(standing, _problem(answer, pending.deadline.budget_s))
            event = standing.hear(answer) if answer.status in ANSWERED else None
            if event is not None and standing.watch.watch_id in self._standing:
                self._lost += len(self._told) == MOST_EVENTS
                self._told.append(event)

    def _note(self, standing: Standing, problem: str) -> None:
        """Keep why a round had no answer, and tell of it when that is new."""
        if problem and not standing.problem:
            detail = f'watch {standing.watch.watch_id}: {problem}'
            self._events.tell(EventKind.DEADLINE_MISS, detail=detail)
        standing.problem = problem

    def _new_name(self) -> str:
        while True:
            self._number += 1
            if (name := f'w{self._number}') not in self._standing:
                return name


def _problem(answer: Answer, budget_s: float) -> str:
    """Return why there is no answer, if there should be one: a frame may not have come yet."""
    if answer.status in ANSWERED or answer.status is Status.NO_EVIDENCE:
        return ''
    if answer.status is Status.DEADLINE:
        return f'a latency_budget of {budget_s:g} s is too short: {answer.message}'
    return answer.message


def _check(watch: Watch) -> None:
    """Refuse the first field that no question has and that is out of range."""
    if len(watch.watch_id) > NAME_CHARACTERS:
        raise InvalidQuestion(
            f'watch_id: got {len(watch.watch_id)} characters, at most {NAME_CHARACTERS} are '
            'allowed'
        )
    for field in ('period', 'cooldown'):
        given_s = getattr(watch, f'{field}_s')
        if not 0.0 <= given_s < math.inf:
            raise InvalidQuestion(f'{field}: got {given_s:g} s, expected 0 or more')
    if watch.every_frames < 0:
        raise InvalidQuestion(f'every_frames: got {watch.every_frames}, expected 0 or more')
    if bool(watch.period_s) == bool(watch.every_frames):
        both = 'both are set' if watch.period_s else 'both are 0'
        raise InvalidQuestion(f'period, every_frames: {both}, expected one of them')
