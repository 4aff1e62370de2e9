# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import threading
import time

import pytest

from livevlm_ros.engine import Answer, Finish, Priority, Question, Status
from livevlm_ros.engine.budget import Deadline
from livevlm_ros.engine.messages import Phase
from livevlm_ros.engine.places import Place
from livevlm_ros.engine.questions import PendingQuestion, QuestionQueue, QueueClosed, QueueFull


@pytest.fixture
def make_pending():
    def make(text: str = 'now ?', *, budget_s: float = math.inf, **fields) -> PendingQuestion:
        return PendingQuestion(Question(text, **fields), Deadline(time.monotonic(), budget_s))

    return make


def _queue(size: int) -> QuestionQueue:
    queue = QuestionQueue(size)
    queue.open()
    return queue


def test_questions_are_taken_in_the_order_they_came(make_pending):
    queue, pending = _queue(3), [make_pending() for _ in range(3)]
    for question in pending:
        queue.put(question)
    assert queue.first() is pending[0]
    assert [queue.take() for _ in range(4)] == [*pending, None]


def test_the_earliest_place_is_taken_first(make_pending):
    queue, late, early = _queue(3), make_pending(), make_pending()
    late.place, early.place = Place(2.0, 1.0), Place(1.0, 1.0)
    for question in (late, early):
        queue.put(question)
    assert queue.places() == [early.place, late.place]
    assert queue.first() is early
    assert [queue.take(), queue.take()] == [early, late]


def test_a_reply_that_is_cut_says_where_the_time_went(make_pending):
    waiting, read = make_pending(budget_s=1e-3), make_pending(budget_s=1e-3)
    read.latency.queue_ms, read.latency.ingest_wait_ms = 3.0, 20.0
    read.enter(Phase.RETRIEVING)
    cut = [pending.wait() for pending in (waiting, read)]
    assert [answer.status for answer in cut] == [Status.DEADLINE] * 2
    assert cut[0].latency.queue_ms > 0.0 == cut[0].latency.ingest_wait_ms
    assert (cut[1].latency.queue_ms, cut[1].latency.ingest_wait_ms) == (3.0, 20.0)


def test_a_full_queue_refuses(make_pending):
    queue = _queue(1)
    queue.put(make_pending())
    with pytest.raises(QueueFull):
        queue.put(make_pending())


def test_a_full_queue_lets_in_who_was_told_to_come_back_now(make_pending):
    queue = _queue(1)
    queue.put(make_pending())
    queue.put(make_pending(), expected=True)
    assert len(queue) == 2
    with pytest.raises(QueueFull):
        queue.put(make_pending(), expected=True)


HIGH = Priority.HIGH


def test_high_questions_go_first_and_after_three_a_normal_one(make_pending):
    queue = _queue(10)
    normal = [make_pending(f'n{n}') for n in range(2)]
    high = [make_pending(f'h{n}', priority=HIGH) for n in range(6)]
    for question in (*normal, *high):
        queue.put(question)
    order = [queue.take().question.text for _ in range(8)]
    assert order == ['h0', 'h1', 'h2', 'n0', 'h3', 'h4', 'h5', 'n1']


def test_high_questions_that_nobody_waits_behind_do_not_count(make_pending):
    queue = _queue(10)
    for n in range(5):
        queue.put(make_pending(f'h{n}', priority=HIGH))
    assert [queue.take().question.text for _ in range(3)] == ['h0', 'h1', 'h2']
    queue.put(make_pending('n0'))
    assert [queue.take().question.text for _ in range(3)] == ['h3', 'h4', 'n0']


def test_a_high_question_has_the_high_ones_before_it_and_a_normal_one_for_three(make_pending):
    queue, normal = _queue(10), make_pending()
    queue.put(normal)
    places = []
    for n in range(4):
        places.append(queue.places(HIGH))
        high = make_pending(priority=HIGH)
        high.place = Place(0.0, n + 1.0)
        queue.put(high)
    lengths = [[place.length_s for place in before] for before in places]
    assert lengths == [[], [1.0], [1.0, 2.0], [1.0, 2.0, 3.0, 0.0]]
    assert len(queue.places()) == 5


def test_a_high_question_takes_the_place_of_the_last_normal_one_in_a_full_queue(make_pending):
    queue, normal = _queue(2), [make_pending() for _ in range(2)]
    normal[0].place, normal[1].place = Place(2.0, 1.0), Place(1.0, 1.0)
    for question in normal:
        queue.put(question)
    assert queue.put(make_pending(priority=HIGH)) is normal[0]
    with pytest.raises(QueueFull):  # one normal question keeps its turn
        queue.put(make_pending(priority=HIGH))
    assert len(queue) == 2


def test_questions_whose_callers_left_make_room(make_pending):
    queue, left, stays = _queue(1), make_pending(), make_pending()
    queue.put(left)
    left.cut(Status.DEADLINE, 'late')
    assert len(queue) == 0
    queue.put(stays)
    assert queue.take() is stays


def test_a_closed_queue_refuses_and_hands_back_what_waited(make_pending):
    queue, waiting = _queue(2), make_pending()
    queue.put(waiting)
    assert queue.close() == [waiting]
    assert not queue.is_open and len(queue) == 0
    with pytest.raises(QueueClosed):
        queue.put(make_pending())


def test_a_reply_wakes_the_caller(make_pending):
    pending, answer = make_pending(budget_s=60.0), Answer(Status.OK, text='red')
    threading.Timer(0.02, pending.finish, [answer]).start()
    assert pending.wait() is answer


def test_a_caller_whose_time_is_up_leaves_with_nothing_when_nothing_is_said(make_pending):
    pending = make_pending(budget_s=0.05)
    answer = pending.wait()
    assert (answer.status, answer.finish, answer.text) == (Status.DEADLINE, Finish.BUDGET, '')
    assert pending.ended


@pytest.mark.parametrize(
    ('allow_partial', 'status', 'text'),
    [(True, Status.PARTIAL, 'a red'), (False, Status.DEADLINE, '')],
)
def test_a_caller_whose_time_is_up_leaves_with_what_is_said(
    make_pending, allow_partial, status, text
):
    pending = make_pending(budget_s=0.05, allow_partial=allow_partial)
    pending.progress(lambda: Answer(Status.PARTIAL, text='a'))
    pending.progress(lambda: Answer(Status.PARTIAL, text='a red'))
    answer = pending.wait()
    assert (answer.status, answer.text) == (status, text)


def test_a_caller_who_is_interrupted_waits_no_more(make_pending, monkeypatch):
    pending = make_pending()

    def interrupt(timeout_s: float | None) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(pending._done, 'wait', interrupt)
    with pytest.raises(KeyboardInterrupt):
        pending.wait()
    assert pending.ended


def test_the_first_reply_stands(make_pending):
    pending = make_pending()
    pending.cut(Status.NOT_ACTIVE, 'stopped', finish=Finish.CANCELED)
    pending.finish(Answer(Status.OK, text='too late'))
    assert pending.wait().status is Status.NOT_ACTIVE
