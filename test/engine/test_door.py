# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import re
import time

import pytest

from livevlm_ros.engine import EngineConfig, Priority, Question, Status
from livevlm_ros.engine.budget import RESERVE_S, Deadline
from livevlm_ros.engine.door import SPARE, Door
from livevlm_ros.engine.events import Events
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.loop import Loop
from livevlm_ros.engine.parts import build_parts
from livevlm_ros.engine.places import Place
from livevlm_ros.engine.questions import PendingQuestion, QuestionQueue
from livevlm_ros.engine.watches import Watches

TURN_S = 10.0


class Hall:
    """A door, and who stands behind it; the engine takes ten seconds for each and is at none."""

    def __init__(self, model, **settings) -> None:
        config = EngineConfig(**settings)
        self.questions = QuestionQueue(config.queue_size)
        self.questions.open()
        parts = build_parts(config, load=lambda config: model, progress=lambda phase, done: None)
        parts.costs.turn.value = TURN_S
        ingest = Ingest(config.cameras, target_fps=1.0, on_jump='reset')
        self.loop = Loop(parts, ingest, self.questions, Watches(config, Events()), config)
        self.door = Door(self.loop, self.questions, config)

    def pending(self, budget_s: float, priority: Priority = Priority.NORMAL) -> PendingQuestion:
        """Return a question that comes now."""
        question = Question('now ?', priority=priority)
        return PendingQuestion(question, Deadline(time.monotonic(), budget_s))

    def enter(self, budget_s: float, priority: Priority = Priority.NORMAL):
        """Return the refusal, or None of one who was let in."""
        return self.door.enter(self.pending(budget_s, priority))


@pytest.fixture
def hall(model):
    return Hall(model)


def test_those_refused_in_one_moment_are_told_times_one_behind_the_other(hall):
    assert hall.enter(20.0) is None
    told_s = [hall.enter(10.0).retry_after_s for _ in range(3)]
    for place, after_s in enumerate(told_s, 1):
        assert after_s == pytest.approx(place * SPARE * TURN_S, abs=1.0)


def test_who_comes_back_goes_before_those_who_wait_and_came_later(hall):
    assert hall.enter(60.0) is None
    hall.loop.promises.make(Place(time.monotonic() - 0.01, TURN_S, 5.0, 'now ?'))
    assert hall.enter(5.0) is None
    assert hall.questions.first().deadline.budget_s == 5.0
    assert hall.enter(5.0).status is Status.OVERLOADED  # promised to one alone


def test_a_place_that_is_promised_is_not_given_away_but_to_the_patient(hall):
    hall.loop.promises.make(Place(time.monotonic() + 1.0, TURN_S, 5.0))
    refused = hall.enter(6.0)
    assert refused.status is Status.OVERLOADED
    assert refused.retry_after_s == pytest.approx(1.0 + TURN_S, abs=1.0)
    assert hall.enter(12.0) is None


def test_one_who_waits_long_enough_is_not_refused(hall):
    assert hall.enter(20.0) is None
    needed = float(re.search(r'latency_budget of ([\d.]+) s', hall.enter(8.0).message).group(1))
    assert needed > SPARE * TURN_S
    assert hall.enter(needed - 0.5).status is Status.OVERLOADED


def test_a_full_queue_sends_back(model):
    hall = Hall(model, queue_size=2)
    assert [hall.enter(math.inf) for _ in range(2)] == [None, None]
    refused = hall.enter(math.inf)
    assert refused.status is Status.OVERLOADED
    assert refused.retry_after_s == pytest.approx(2 * SPARE * TURN_S, abs=1.0)


def test_a_high_question_need_not_wait_for_normal_ones_nor_for_promises(hall):
    assert hall.enter(20.0) is None
    hall.loop.promises.make(Place(time.monotonic() + 0.5, TURN_S, 5.0))
    assert hall.enter(5.0).status is Status.OVERLOADED
    assert hall.enter(5.0, Priority.HIGH) is None
    assert hall.questions.first().question.priority is Priority.HIGH
    refused = hall.enter(5.0, Priority.HIGH)
    assert refused.status is Status.OVERLOADED
    assert refused.retry_after_s == pytest.approx(SPARE * 5.0, abs=1.0)


def test_who_must_leave_a_full_queue_for_a_high_question_is_told_when_to_come_back(model):
    hall = Hall(model, queue_size=2)
    first, last = hall.pending(60.0), hall.pending(60.0)
    assert [hall.door.enter(each) for each in (first, last)] == [None, None]
    assert hall.enter(60.0, Priority.HIGH) is None
    told = last.wait()
    assert told.status is Status.OVERLOADED
    assert told.retry_after_s == pytest.approx(2 * SPARE * TURN_S, abs=1.0)
    assert not first.ended
    assert len(hall.loop.promises.all()) == 1


def test_a_refusal_for_want_of_time_names_a_budget_that_works(hall):
    hall.loop.parts.costs.prefill.value = 0.1
    refused = hall.enter(0.2)
    assert refused.status is Status.DEADLINE
    assert 'got a budget of 0.2 s' in refused.message
    assert 'set latency_budget, or ask.default_budget where a request has none' in refused.message
    assert 'ask.max_budget' not in refused.message
    least_s = float(re.search(r'to ([\d.]+) s or more', refused.message).group(1))
    assert 5 * 0.1 + RESERVE_S < least_s < 0.6
    assert hall.enter(least_s) is None


def test_a_refusal_names_the_longest_budget_allowed_where_that_is_too_short(model):
    hall = Hall(model, max_budget_s=3.0)
    hall.loop.parts.costs.prefill.value = 1.0
    assert 'and ask.max_budget, which is 3 s' in hall.enter(3.0).message


def test_a_closed_queue_lets_nobody_in(hall):
    hall.questions.close()
    assert hall.enter(1.0).status is Status.NOT_ACTIVE
