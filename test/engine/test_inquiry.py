# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A question that is followed and canceled, in each of its phases."""

import threading
import time
from itertools import pairwise

import pytest

from livevlm_ros.engine import Finish, Phase, Question, Status
from livevlm_ros.memory import MemoryConfig

EVERY_S = 0.01
ANSWERED_S = 0.2  # a cancel is answered in that time


class Gate:
    """Holds the engine thread in its work until it is opened."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def hold(self, *given) -> None:
        self.reached.set()
        assert self.open.wait(20)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


def cancel(inquiry) -> tuple:
    """Cancel; return the reply, and the seconds it took."""
    began = time.monotonic()
    inquiry.cancel()
    answer = inquiry.reply()
    return answer, time.monotonic() - began


def test_the_phases_and_the_growing_answer_are_told(running, model):
    model.prefill_s, model.token_s = 0.05, 0.02
    inquiry = running.begin(Question('what drove by ?', unlimited=True))
    told = list(inquiry.follow(every_s=EVERY_S))
    answer = inquiry.reply()
    assert answer.status is Status.OK
    phases = [progress.phase for progress in told]
    assert phases == sorted(phases)
    assert {Phase.PREFILL, Phase.DECODING} <= set(phases)
    texts = [progress.text for progress in told if progress.phase is Phase.DECODING]
    assert len(set(texts)) > 5
    assert all(late.startswith(early) for early, late in pairwise([*texts, answer.text]))
    assert [len(text.split()) for text in texts] == [p.tokens for p in told if p.text]


def test_following_tells_of_nothing_new_too_but_never_in_shorter_intervals(running, model, gate):
    model.on_token = gate.hold
    inquiry = running.begin(Question('what drove by ?', unlimited=True))
    began, told = time.monotonic(), 0
    for _ in inquiry.follow(every_s=0.05):
        told += 1
        if time.monotonic() - began > 0.5:
            break
    assert 2 <= told <= 12
    inquiry.cancel()


def test_following_ends_when_the_budget_does(running, model, gate):
    model.on_token = gate.hold
    began = time.monotonic()
    inquiry = running.begin(Question('what drove by ?', budget_s=0.4))
    for _ in inquiry.follow(every_s=10.0):
        pass
    answer = inquiry.reply()
    assert (answer.status, answer.latency.budget_ms) == (Status.DEADLINE, 400.0)
    assert time.monotonic() - began < 0.4


def test_a_refusal_has_nothing_to_follow(make_engine, running):
    for engine, status in ((make_engine(), Status.NOT_ACTIVE), (running, Status.INVALID)):
        inquiry = engine.begin(Question(''))
        assert list(inquiry.follow(every_s=EVERY_S)) == []
        inquiry.cancel()  # too late for anything
        assert inquiry.reply().status is status


def test_a_question_that_waits_leaves_the_queue_when_it_is_canceled(running, model, gate):
    model.on_token = gate.hold
    first = running.begin(Question('what drove by ?', unlimited=True))
    assert gate.reached.wait(20)
    waiting = running.begin(Question('was there a bus ?', unlimited=True))
    assert running.stats().ask.waiting == 1
    assert [next(waiting.follow(every_s=EVERY_S)).phase] == [Phase.QUEUED]
    answer, took_s = cancel(waiting)
    assert took_s < ANSWERED_S
    assert (answer.status, answer.finish, answer.text) == (
        Status.CANCELED,
        Finish.CANCELED,
        '',
    )
    assert answer.request_id
    assert running.stats().ask.waiting == 0
    gate.open.set()
    assert first.reply().status is Status.OK
    assert model.questions[-1] == 'what drove by ?'  # the other one was never begun


def test_a_question_whose_budget_ends_in_the_queue_is_never_begun(running, model, gate):
    model.on_token = gate.hold
    first = running.begin(Question('what drove by ?', unlimited=True))
    assert gate.reached.wait(20)
    running._loop.busy_s = lambda: 0.0  # so that there seems to be time
    late = running.begin(Question('was there a bus ?', budget_s=0.3)).reply()
    assert late.status is Status.DEADLINE
    gate.open.set()
    assert first.reply().status is Status.OK
    assert running.ask(Question('and now ?', budget_s=10.0)).status is Status.OK
    assert 'was there a bus ?' not in model.questions


def test_a_question_that_is_read_is_answered_at_once_when_it_is_canceled(running, model, gate):
    spoken, read = [], model.read
    model.on_token = spoken.append

    def slowly(embeds, view):
        gate.hold()
        return read(embeds, view)

    model.read = slowly
    inquiry = running.begin(Question('what drove by ?', unlimited=True))
    assert gate.reached.wait(20)
    assert next(inquiry.follow(every_s=EVERY_S)).phase is Phase.PREFILL
    answer, took_s = cancel(inquiry)
    assert took_s < ANSWERED_S
    assert (answer.status, answer.text) == (Status.CANCELED, '')
    model.read = read
    gate.open.set()
    assert running.ask(Question('and now ?', unlimited=True)).status is Status.OK
    assert spoken.count(0) <= 2  # the canceled one was dropped after its read


def test_a_question_that_retrieves_is_dropped_before_its_last_read(
    make_engine, model, show, gate, until
):
    memory = MemoryConfig(preset='balanced', short_term_frames=4, long_term_frames=8)
    with make_engine(memory=memory, target_fps=1000.0) as engine:
        show(engine, 12)
        views, read = [], model.read

        def slowly(embeds, view):
            views.append(view)
            gate.hold()
            return read(embeds, view)

        model.read = slowly
        inquiry = engine.begin(Question('what drove by ?', unlimited=True))
        assert gate.reached.wait(20)
        assert next(inquiry.follow(every_s=EVERY_S)).phase is Phase.RETRIEVING
        answer, took_s = cancel(inquiry)
        assert took_s < ANSWERED_S
        assert answer.status is Status.CANCELED
        gate.open.set()
        until(lambda: engine.stats().busy_with == 'idle')
        assert len(views) == 1


@pytest.mark.parametrize('allow_partial', [True, False])
def test_what_was_said_comes_with_the_reply_to_a_cancel(running, model, gate, allow_partial):
    model.on_token = lambda index: gate.hold() if index == 3 else None
    asked = Question('what drove by ?', unlimited=True, allow_partial=allow_partial)
    inquiry = running.begin(asked)
    assert gate.reached.wait(20)
    answer, took_s = cancel(inquiry)
    assert took_s < ANSWERED_S
    assert (answer.status, answer.finish) == (Status.CANCELED, Finish.CANCELED)
    assert (answer.text, answer.completion_tokens) == ('a red truck', 3)
    assert answer.truncated and answer.evidence
    assert answer.latency.total_ms > answer.latency.first_token_ms > 0


def test_canceled_questions_are_counted(running, model, gate):
    model.on_token = gate.hold
    inquiry = running.begin(Question('what drove by ?', budget_s=10.0))
    assert gate.reached.wait(20)
    cancel(inquiry)
    assert running.stats().ask.served[Status.CANCELED] == 1


def test_a_follower_never_holds_the_engine(running, model):
    """Whoever has stopped listening costs the others nothing."""
    inquiry = running.begin(Question('what drove by ?', unlimited=True))
    listening = inquiry.follow(every_s=EVERY_S)
    next(listening)
    assert running.ask(Question('and now ?', budget_s=10.0)).status is Status.OK
    inquiry.cancel()
