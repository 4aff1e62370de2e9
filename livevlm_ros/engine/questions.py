# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions on their way: a bounded queue, and where a waiting caller meets the engine thread."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace

from livevlm_ros.engine.budget import Deadline, Rung
from livevlm_ros.engine.messages import Answer, Finish, Question, Status
from livevlm_ros.engine.places import Place

STOPPED = 'the engine is not running'


class QueueFull(RuntimeError):
    """As many questions wait as may."""


class QueueClosed(RuntimeError):
    """The engine does not run."""


class CallerLeft(RuntimeError):
    """Nobody waits for the answer any more."""


class PendingQuestion:
    """
    One admitted question.

    The caller's thread is in `wait`; the engine thread reports with `progress` and ends it with
    `finish`. The first to end it wins: a caller whose time is up takes what has been decoded so
    far, and `ended` tells the engine thread to stop working on it.

    :param question: the question with every None replaced by the configured default
    :param deadline: when the reply is due
    """

    def __init__(self, question: Question, deadline: Deadline) -> None:
        self.question = question
        self.deadline = deadline
        self.place = Place(0.0, 0.0)  # its turn, as it is let in; at once
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._so_far: Callable[[], Answer] | None = None
        self._answer: Answer | None = None

    @property
    def ended(self) -> bool:
        """Whether the reply is settled."""
        return self._done.is_set()

    def progress(self, so_far: Callable[[], Answer]) -> None:
        """Keep what makes the answer as far as it is decoded, for `cut` in any thread."""
        self._so_far = so_far

    def finish(self, answer: Answer) -> None:
        """Settle the reply, unless it is."""
        with self._lock:
            if self._answer is None:
                self._answer = answer
                self._done.set()

    def cut(self, status: Status, message: str, *, finish: Finish = Finish.BUDGET) -> None:
        """Settle the reply now: with what is decoded if the caller takes parts, else without."""
        so_far = self._so_far
        if so_far is not None and self.question.allow_partial:
            self.finish(replace(so_far(), message=message, finish=finish))
        else:
            self.finish(refusal(self.question, status, message))

    def wait(self) -> Answer:
        """Wait for the reply, no longer than the budget allows."""
        unlimited = math.isinf(self.deadline.budget_s)
        try:
            done = self._done.wait(None if unlimited else max(0.0, self.deadline.left_s()))
        except BaseException:  # such as KeyboardInterrupt: the caller waits no more
            self.cut(Status.CANCELED, 'the caller left', finish=Finish.CANCELED)
            raise
        if not done:
            self.cut(Status.DEADLINE, 'the budget ended before the answer was complete')
        assert self._answer is not None
        return self._answer


class QuestionQueue:
    """Questions by their places, with a bound; closed while the engine does not run."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: list[PendingQuestion] = []  # as they came
        self._lock = threading.Lock()
        self._open = False

    def __len__(self) -> int:
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

    def put(self, pending: PendingQuestion) -> None:
        """
        Queue a question.

        :raises QueueFull: as many questions wait as may
        :raises QueueClosed: the engine does not run
        """
        with self._lock:
            if not self._open:
                raise QueueClosed
            self._drop_ended()
            if len(self._waiting) >= self._size:
                raise QueueFull
            self._waiting.append(pending)

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
            return first

    def places(self) -> list[Place]:
        """Return the places of the questions that wait."""
        with self._lock:
            self._drop_ended()
            return [pending.place for pending in self._waiting]

    def _first(self) -> PendingQuestion | None:
        """Return the question with the earliest place, of equals the one that came first."""
        self._drop_ended()
        return min(self._waiting, key=lambda pending: pending.place.at_s, default=None)

    def _drop_ended(self) -> None:
        """Forget questions whose callers left when their time was up."""
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
