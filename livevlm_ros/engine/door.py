# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The door of the engine: who may wait inside, who is told to come back, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import replace

from livevlm_ros.engine.budget import RESERVE_S
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.loop import Loop
from livevlm_ros.engine.messages import Answer, Priority, Status
from livevlm_ros.engine.places import Place, first_gap_s
from livevlm_ros.engine.questions import (
    STOPPED,
    PendingQuestion,
    QuestionQueue,
    QueueClosed,
    QueueFull,
    refusal,
)

SPARE = 1.1
"""A place is so much longer than a question holds the engine: lateness does not add up."""


class Door:
    """Lets questions into the queue if they can be answered in time; any thread."""

    def __init__(self, loop: Loop, questions: QuestionQueue, config: EngineConfig) -> None:
        self._loop, self._questions = loop, questions
        self._most_s = config.max_budget_s
        self._lock = threading.Lock()  # from the look at who waits to the place among them

    def enter(self, pending: PendingQuestion) -> Answer | None:
        """Let a question in and return None, or else return its refusal."""
        with self._lock:
            if not self._fits(pending, time.monotonic()):
                return self._too_little_time(pending)
            promised = None if pending.goes_first else self._promised_place(pending)
            place = promised or self._next_place_in_time(pending)
            if place is None:
                return self._come_back(pending)
            pending.place = place
            try:
                displaced = self._questions.put(pending, expected=promised is not None)
            except QueueFull:
                return self._come_back(pending)
            except QueueClosed:
                return refusal(pending.question, Status.NOT_ACTIVE, STOPPED)
            if displaced is not None:
                displaced.finish(self._come_back(displaced))
        self._loop.give_way()
        return None

    def _promised_place(self, pending: PendingQuestion) -> Place | None:
        """Return the place that is due to somebody who was told to come back, if it is in time."""
        claimed = self._loop.promises.claim(pending.question.text)
        if claimed is None:
            return None
        waiting = self._questions.places()
        before_s = sum(place.length_s for place in waiting if place.at_s <= claimed.at_s)
        if self._fits(pending, self._free_s() + before_s):
            return claimed
        self._loop.promises.make(claimed)  # it was another's
        return None

    def _next_place_in_time(self, pending: PendingQuestion) -> Place | None:
        """Return the first place that nobody has, if it is in time."""
        if pending.goes_first:
            place = self._next_place(pending, self._questions.places(Priority.HIGH))
            return replace(place, at_s=0.0) if self._fits(pending, place.at_s) else None
        kept = self._loop.promises.kept_from(pending.deadline.budget_s)
        place = self._next_place(pending, [*self._questions.places(), *kept])
        return place if self._fits(pending, place.at_s) else None

    def _next_place(self, pending: PendingQuestion, taken: Iterable[Place]) -> Place:
        budget_s = pending.deadline.budget_s
        length_s = SPARE * min(self._loop.parts.costs.turn_s, budget_s)
        at_s = first_gap_s(taken, from_s=self._free_s(), length_s=length_s)
        return Place(at_s, length_s, budget_s, pending.question.text)

    def _free_s(self) -> float:
        """Return when the engine ends what it has begun."""
        return time.monotonic() + self._loop.busy_s()

    def _fits(self, pending: PendingQuestion, begins_s: float) -> bool:
        """Return whether the shortest answer comes in time if the engine begins with it then."""
        needed_s = begins_s - time.monotonic() + self._loop.parts.costs.cheapest_answer_s()
        return pending.deadline.left_s() >= needed_s

    def _come_back(self, pending: PendingQuestion) -> Answer:
        """Promise a place to a caller who cannot wait for one here; a high one needs none."""
        waiting, promises = self._questions.places(pending.question.priority), self._loop.promises
        if pending.goes_first:
            place = self._next_place(pending, waiting)
        else:
            place = self._next_place(pending, [*waiting, *promises.all()])
            promises.make(place)
        wait_s = max(RESERVE_S, place.at_s - time.monotonic())
        needed_s = wait_s + self._loop.parts.costs.cheapest_answer_s() + RESERVE_S
        message = f'the engine is busy for about {wait_s:.2f} s more: come back then'
        if needed_s <= self._most_s:
            message += f', or wait here with a latency_budget of {needed_s:.2f} s'
        return refusal(pending.question, Status.OVERLOADED, message, retry_after_s=wait_s)

    def _too_little_time(self, pending: PendingQuestion) -> Answer:
        """Refuse a budget that even an idle engine cannot keep, and name one that works."""
        self._loop.doubt_costs()
        costs = self._loop.parts.costs
        least_s = costs.least_budget_s()
        message = (
            f'got a budget of {pending.deadline.budget_s:g} s, the shortest answer takes '
            f'{costs.cheapest_answer_s() + RESERVE_S:.2f} s: set latency_budget, or '
            f'ask.default_budget where a request has none, to {least_s:.2f} s or more'
        )
        if least_s > self._most_s:
            message += f', and ask.max_budget, which is {self._most_s:g} s'
        return refusal(pending.question, Status.DEADLINE, message)
