# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import threading
import time

import pytest

from livevlm_ros.engine import EngineConfig, Question, Status
from livevlm_ros.engine.admission import admissible
from livevlm_ros.engine.budget import Deadline
from livevlm_ros.engine.events import Events
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.loop import Loop
from livevlm_ros.engine.parts import build_parts
from livevlm_ros.engine.places import LATE_S, Place
from livevlm_ros.engine.questions import PendingQuestion, QuestionQueue
from livevlm_ros.engine.watches import Watches


class Desk:
    """A loop with what it takes work from, turned by hand."""

    def __init__(self, model, **settings) -> None:
        self.config = EngineConfig(target_fps=1000.0, **settings)
        self.ingest = Ingest(self.config.cameras, target_fps=1000.0, on_jump='reset')
        self.questions = QuestionQueue(8)
        self.questions.open()
        parts = build_parts(
            self.config, load=lambda config: model, progress=lambda phase, done: None
        )
        self.loop = Loop(
            parts, self.ingest, self.questions, Watches(self.config, Events()), self.config
        )

    def ask(self, budget_s: float = math.inf) -> PendingQuestion:
        pending = PendingQuestion(
            admissible(Question('now ?', unlimited=True), self.config),
            Deadline(time.monotonic(), budget_s),
        )
        self.questions.put(pending)
        return pending

    def expect_back(self, after_s: float) -> None:
        self.loop.promises.make(Place(time.monotonic() + after_s, 0.1))


@pytest.fixture
def desk(model, frame):
    model.step_s = 0.02
    desk = Desk(model)
    desk.ingest.put(frame(1))
    assert desk.loop.turn()
    return desk


def test_a_question_goes_before_nothing(desk):
    assert not desk.loop.turn()
    pending = desk.ask()
    assert desk.loop.turn() and not desk.loop.turn()
    assert pending.wait().status is Status.OK


def test_a_budget_buys_the_newest_frame_first(desk, frame):
    pending = desk.ask(budget_s=5.0)
    desk.ingest.put(frame(2))
    assert desk.loop.turn() and not pending.ended
    assert desk.loop.turn()
    assert pending.wait().newest_stamp_ns == 2 * 10**9
    assert pending.wait().latency.ingest_wait_ms >= 20


def test_a_budget_too_small_for_a_step_goes_without_it(desk, frame):
    desk.loop.parts.costs.step.value = 10.0
    pending = desk.ask(budget_s=5.0)
    desk.ingest.put(frame(2))
    assert desk.loop.turn()
    assert pending.wait().newest_stamp_ns == 10**9


def test_a_question_that_has_waited_for_a_step_waits_for_no_other(desk, frame):
    pending = desk.ask()
    for second in (2, 3):
        desk.ingest.put(frame(second))
        assert desk.loop.turn()
    assert pending.wait().newest_stamp_ns == 2 * 10**9
    assert desk.ingest.waits


def test_questions_one_after_the_other_leave_no_camera_blind(desk, frame, model):
    model.token_s = 0.02
    desk.ingest.put(frame(2))
    answers = []
    while desk.ingest.waits:
        desk.loop.parts.costs.answer.value = 1000.0  # so that no budget buys a step
        pending = desk.ask(budget_s=60.0)
        while not pending.ended:
            desk.loop.turn()
        answers.append(pending.wait())
    assert 1 <= len(answers) <= 3  # each of 0.3 s, and a camera may be blind for 0.5 s
    assert answers[0].newest_stamp_ns == 10**9


def test_a_clear_goes_before_everything(desk):
    pending, forgotten = desk.ask(), desk.loop.order(desk.loop.clear)
    desk.loop.turn()
    assert forgotten.result(0).result(60).frames == 1
    assert pending.wait().status is Status.NO_EVIDENCE
    assert desk.loop.sizes.short_term_frames == 0


def test_costs_in_doubt_are_measured_once_and_not_too_often(desk, model):
    desk.loop.doubt_costs()
    assert not desk.loop.turn()  # measured at load, a moment ago
    desk.loop._measure_from_s = 0.0
    assert desk.loop.turn() and not desk.loop.turn()


def test_measuring_takes_a_twentieth_of_the_time_however_often_costs_are_doubted(desk, model):
    model.token_s = 0.02
    desk.loop._measure_from_s = 0.0
    desk.loop.doubt_costs()
    assert desk.loop.turn()
    rests_until_s = time.monotonic() + 19 * 3 * model.token_s
    while time.monotonic() < rests_until_s:
        desk.loop.doubt_costs()
        assert not desk.loop.turn()
        time.sleep(0.002)


def test_work_that_fails_is_counted_and_the_engine_goes_on(desk, until, monkeypatch):
    def fail(*given) -> None:
        raise MemoryError('no room')

    monkeypatch.setattr('livevlm_ros.engine.loop.measure_answer', fail)
    desk.loop._measure_from_s = 0.0
    desk.loop.doubt_costs()
    desk.loop.begin()
    thread = threading.Thread(target=desk.loop.run)
    thread.start()
    until(lambda: desk.loop.turns_failed == 1)
    pending = desk.ask()
    desk.loop.wake()
    assert pending.wait().status is Status.OK
    desk.loop.stop()
    thread.join()


def test_a_question_that_fails_after_its_reply_is_counted(desk, model):
    def fail(index: int) -> None:
        pending.cancel()
        raise RuntimeError('too late')

    pending, model.on_token = desk.ask(), fail
    desk.loop.turn()
    assert pending.wait().status is Status.CANCELED
    assert desk.loop.turns_failed == 1
    model.on_token = lambda index: None
    desk.ask()
    desk.loop.turn()
    assert desk.loop.turns_failed == 1


def test_who_is_answered_tells_what_reading_costs(desk):
    desk.loop._measure_from_s = 0.0
    desk.ask()
    desk.loop.turn()
    desk.loop.doubt_costs()
    assert not desk.loop.turn()


def test_costs_in_doubt_are_measured_though_frames_always_wait(desk, frame):
    costs = desk.loop.parts.costs
    costs.prefill.value = slow = 10.0
    desk.loop._measure_from_s = 0.0
    desk.loop.doubt_costs()
    for second in range(2, 5):
        desk.ingest.put(frame(second))
        assert desk.loop.turn()
    assert costs.prefill.value < slow
    assert desk.loop.sizes.short_term_frames == 3  # one turn measured, the others were steps


def test_costs_in_doubt_are_not_measured_at_the_cost_of_a_question(desk):
    desk.loop._measure_from_s = 0.0
    desk.loop.doubt_costs()
    pending = desk.ask()
    assert desk.loop.turn() and pending.ended


def test_a_caller_told_to_come_back_finds_no_step_in_its_way(desk, frame):
    desk.expect_back(0.3)
    desk.loop.parts.costs.step.value = 10.0  # longer than that, and than the budget buys
    desk.ingest.put(frame(2))
    assert not desk.loop.turn()
    pending = desk.ask(budget_s=5.0)
    assert desk.loop.turn() and pending.ended


def test_a_question_does_not_take_the_time_that_was_promised_to_another(desk, until):
    pending = desk.ask()
    pending.place = Place(time.monotonic() + 60.0, 0.5)
    desk.expect_back(0.3)
    assert not desk.loop.turn() and not pending.ended
    until(desk.loop.turn)  # who was expected has not come back
    assert pending.ended


def test_a_caller_who_does_not_come_back_leaves_no_camera_blind(desk, frame, until):
    began = time.monotonic()
    desk.expect_back(0.01)
    desk.ingest.put(frame(2))
    until(desk.loop.turn)
    assert LATE_S < time.monotonic() - began < 10.0
    assert desk.loop.sizes.short_term_frames == 2
