# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions on their way: a bounded queue, and where a waiting caller meets the engine thread."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from livevlm_ros.engine.budget import Deadline, Rung
from livevlm_ros.engine.messages import (
    Answer,
    Finish,
    Latency,
    Phase,
    Priority,
    Progress,
    Question,
    Status,
)
from livevlm_ros.engine.places import Place

STOPPED = 'the engine is not running'
HIGH_IN_A_ROW = 3
"""High questions that go one after another while a normal one waits; then it has its turn."""


class QueueFull(RuntimeError):
    """As many questions wait as may."""


class QueueClosed(RuntimeError):
    """The engine does not run."""


class CallerLeft(RuntimeError):
    """Nobody waits for the answer any more."""


class PendingQuestion:
    """
    One admitted question.

    The caller's thread is in `wait` or `follow`; the engine thread reports with `enter` and
    `progress` and ends it with `finish`. The first to end it wins: a caller whose time is up takes
    what has been decoded so far, and `ended` tells the engine thread to stop working on it.
    `latency` says where the time went since the engine thread took it up.

    :param question: the question with every None replaced by the configured default
    :param deadline: when the reply is due
    """

    def __init__(self, question: Question, deadline: Deadline) -> None:
        self.question = question
        self.deadline = deadline
        self.place = Place(0.0, 0.0)  # its turn, as it is let in; at once
        self.latency = Latency()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._news = threading.Event()  # for `follow`; never waited for by the engine thread
        self._phase = Phase.QUEUED
        self._so_far: Callable[[], Answer] | None = None
        self._answer: Answer | None = None

    @property
    def ended(self) -> bool:
        """Whether the reply is settled."""
        return self._done.is_set()

    @property
    def goes_first(self) -> bool:
        """Whether it goes before questions of normal priority."""
        return self.question.priority is Priority.HIGH

    def enter(self, phase: Phase) -> None:
        """Say what is being done for it."""
        self._phase = phase
        self._news.set()

    def progress(self, so_far: Callable[[], Answer]) -> None:
        """Keep what makes the answer as far as it is decoded, for any thread."""
        self._so_far = so_far
        self.enter(Phase.DECODING)

    def finish(self, answer: Answer) -> bool:
        """Settle the reply, unless it is; return whether this is it."""
        with self._lock:
            if self._answer is None:
                self._answer = answer
                self._done.set()
                self._news.set()
            return self._answer is answer

    def cut(self, status: Status, message: str, *, finish: Finish = Finish.BUDGET) -> None:
        """Settle the reply now: with what is decoded if the caller takes parts, else without."""
        so_far = self._so_far
        if so_far is not None and self.question.allow_partial:
            self.finish(replace(so_far(), message=message, finish=finish))
            return
        latency = replace(self.latency)
        if self._phase is Phase.QUEUED:
            latency.queue_ms = (time.monotonic() - self.deadline.received_s) * 1e3
        self.finish(replace(refusal(self.question, status, message), latency=latency))

    def cancel(self) -> None:
        """Settle the reply now, with what is decoded: its caller wants no more."""
        so_far = self._so_far
        answer = refusal(self.question, Status.CANCELED, '') if so_far is None else so_far()
        self.finish(
            replace(
                answer,
                status=Status.CANCELED,
                message='canceled by its caller',
                finish=Finish.CANCELED,
            )
        )

    def follow(self, *, every_s: float) -> Iterator[Progress]:
        """Tell how far it is until the reply is due, as `Inquiry.follow` says."""
        while not self.ended and self.deadline.left_s() > 0:
            self._news.clear()
            yield self._told()
            for event in (self._done, self._news):
                event.wait(min(every_s, max(0.0, self.deadline.left_s())))

    def _told(self) -> Progress:
        phase, so_far = self._phase, self._so_far
        elapsed_s = time.monotonic() - self.deadline.received_s
        left_s = max(0.0, self.deadline.budget_s - elapsed_s)
        if so_far is None:
            return Progress(phase, elapsed_s, left_s)
        answer = so_far()
        return Progress(Phase.DECODING, elapsed_s, left_s, answer.text, answer.completion_tokens)

    def wait(self) -> Answer:
        """Wait for the reply, no longer than the budget allows."""
        unlimited = math.isinf(self.deadline.budget_s)
        try:
            done = self._done.wait(None if unlimited else max(0.0, self.deadline.left_s()))
        except BaseException:  # such as KeyboardInterrupt: the caller waits no more
            self.cancel()
            raise
        if not done:
            self.cut(Status.DEADLINE, 'the budget ended before the answer was complete')
        assert self._answer is not None
        return self._answer


class QuestionQueue:
    """
    Questions by priority and then by their places, with a bound; closed while no engine runs.

    A full one has room for as many again who were told to come back.

    Those of high priority go first, but after `HIGH_IN_A_ROW` of them one that waits with a normal
    priority has its turn.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: list[PendingQuestion] = []  # as they came
        self._passed = 0  # times in a row that a high one went before a normal one
        self._lock = threading.Lock()
        self._open = False

    def __len__(self) -> int:
        with self._lock:
            self._drop_ended()
            return len(self._waiting)

    @property
    def is_open(self) -> bool:
        """Whether questions are let in."""
        return self._open

    def open(self) -> None:
        """Let questions in."""
        with self._lock:
            self._open = True

    def close(self) -> list[PendingQuestion]:
        """Let no more questions in; return those that waited."""
        with self._lock:
            self._open = False
            waited, self._waiting = self._waiting, []
            return waited

    def put(self, pending: PendingQuestion, *, expected: bool = False) -> PendingQuestion | None:
        """
        Queue a question.

        :param expected: its caller was told to come back now: as many again may wait of these
        :returns: the normal one that a high one took the place of, as the queue was full
        :raises QueueFull: as many questions wait as may
        :raises QueueClosed: the engine does not run
        """
        with self._lock:
            if not self._open:
                raise QueueClosed
            self._drop_ended()
            displaced = None
            if len(self._waiting) >= self._size * (2 if expected else 1):
                displaced = self._last_behind(pending)
                self._waiting.remove(displaced)
            self._waiting.append(pending)
            return displaced

    def first(self) -> PendingQuestion | None:
        """Return the question whose turn it is, leaving it in the queue."""
        with self._lock:
            return self._first()

    def take(self) -> PendingQuestion | None:
        """Take out the question whose turn it is."""
        with self._lock:
            first = self._first()
            if first is not None:
                self._waiting.remove(first)
                passes = first.goes_first and any(not each.goes_first for each in self._waiting)
                self._passed = self._passed + 1 if passes else 0
            return first

    def places(self, priority: Priority = Priority.NORMAL) -> list[Place]:
        """Return the places of the questions that go before a new one of this priority."""
        with self._lock:
            self._drop_ended()
            high, normal = self._by_priority()
            if priority is Priority.HIGH:
                normal = normal[: (self._passed + len(high)) // HIGH_IN_A_ROW]
            return [pending.place for pending in (*high, *normal)]

    def _first(self) -> PendingQuestion | None:
        self._drop_ended()
        high, normal = self._by_priority()
        first, then = (normal, high) if self._passed == HIGH_IN_A_ROW else (high, normal)
        return next(iter(first or then), None)

    def _by_priority(self) -> tuple[list[PendingQuestion], list[PendingQuestion]]:
        """Return the high and the normal ones, each by place, equals as they came."""
        by_place = sorted(self._waiting, key=lambda pending: pending.place.at_s)
        high = [pending for pending in by_place if pending.goes_first]
        return high, [pending for pending in by_place if not pending.goes_first]

    def _last_behind(self, pending: PendingQuestion) -> PendingQuestion:
        """Return the last normal question, if it must leave for a high one, or raise QueueFull."""
        _, normal = self._by_priority()
        if not pending.goes_first or len(normal) < 2:  # the first one keeps its turn
            raise QueueFull
        return normal[-1]

    def _drop_ended(self) -> None:
        """Forget questions whose callers left: their time was up, or they were canceled."""
        self._waiting = [pending for pending in self._waiting if not pending.ended]


def refusal(
    question: Question, status: Status, message: str, *, retry_after_s: float = 0.0
) -> Answer:
    """Make the reply that carries no text."""
    late = status in (Status.DEADLINE, Status.OVERLOADED)
    return Answer(
        status=status,
        message=message,
        request_id=question.request_id,
        retry_after_s=retry_after_s,
        finish=Finish.BUDGET if status is Status.DEADLINE else Finish.NONE,
        degradation=Rung.REFUSED if late else Rung.ALL,
    )
