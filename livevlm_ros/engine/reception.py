# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where questions come in and replies go out: each gets a name, a check and a deadline."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace

from livevlm_ros.engine.admission import InvalidQuestion, admissible
from livevlm_ros.engine.budget import Costs, Deadline
from livevlm_ros.engine.config import EngineConfig
from livevlm_ros.engine.events import Events
from livevlm_ros.engine.inquiry import Inquiry
from livevlm_ros.engine.messages import Answer, Question, Status
from livevlm_ros.engine.questions import STOPPED, PendingQuestion, refusal
from livevlm_ros.engine.stats import AskRecord, AskStats


class Reception:
    """
    The questions and replies of one engine; any thread.

    `model_id` goes into every reply.
    """

    def __init__(self, config: EngineConfig, events: Events) -> None:
        self._config, self._events = config, events
        self._record, self._ids = AskRecord(), itertools.count(1)
        self.model_id = ''

    def receive(
        self, question: Question, costs: Costs | None, *, received_s: float
    ) -> PendingQuestion:
        """
        Take a question; one that is refused has its reply already.

        :param costs: of work now; None: nobody works
        :param received_s: `time.monotonic()` when it came in
        """
        question = replace(question, request_id=question.request_id or f'q{next(self._ids)}')
        if costs is None:
            return _refused(question, Status.NOT_ACTIVE, STOPPED, received_s)
        try:
            question = admissible(question, self._config)
        except InvalidQuestion as error:
            return _refused(question, Status.INVALID, str(error), received_s)
        return pending_question(question, costs, self._config, received_s=received_s)

    def inquiry(self, pending: PendingQuestion) -> Inquiry:
        """Return what its caller waits with."""
        return Inquiry(pending, self._closed)

    def stats(self, *, waiting: int) -> AskStats:
        """Return the counts so far."""
        return self._record.stats(waiting=waiting)

    def _closed(self, answer: Answer, deadline: Deadline) -> Answer:
        """Fill in what is known only now, and count the reply."""
        latency = replace(
            answer.latency,
            budget_ms=0.0 if math.isinf(deadline.budget_s) else deadline.budget_s * 1e3,
            total_ms=(time.monotonic() - deadline.received_s) * 1e3,
        )
        answer = replace(answer, model_id=self.model_id, latency=latency)
        self._record.add(answer)
        self._events.answered(answer)
        return answer


def pending_question(
    question: Question, costs: Costs, config: EngineConfig, *, received_s: float
) -> PendingQuestion:
    """Give an admissible question its deadline; a budget of 0 is what a whole answer takes now."""
    assert question.budget_s is not None and question.max_tokens is not None  # filled in
    budget_s = question.budget_s or usual_budget_s(costs, config, question.max_tokens)
    return PendingQuestion(question, Deadline(received_s, budget_s))


def usual_budget_s(costs: Costs, config: EngineConfig, max_tokens: int) -> float:
    """Return what a whole answer takes now, no more than is allowed."""
    return min(costs.usual_budget_s(max_tokens), config.max_budget_s)


def _refused(
    question: Question, status: Status, message: str, received_s: float
) -> PendingQuestion:
    """Return what has its reply before it got a budget."""
    pending = PendingQuestion(question, Deadline(received_s, 0.0))
    pending.finish(refusal(question, status, message))
    return pending
