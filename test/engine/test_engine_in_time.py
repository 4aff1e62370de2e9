# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from livevlm_ros.engine import Priority, Question, Status


def test_the_queue_waits_for_a_step_at_most(running, model, frame):
    """A question that comes in while a step runs is next, whatever else came in."""
    began, go_on = threading.Event(), threading.Event()

    def hold(images) -> None:
        began.set()
        go_on.wait(5)

    model.on_encode = hold
    running.see(frame(200))
    assert began.wait(5)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(running.ask, Question('now ?', unlimited=True))
        running.see(frame(300))
        steps = running.stats().frames_used
        go_on.set()
        answer = asked.result(5)
    assert answer.newest_stamp_ns == 200 * 10**9
    assert steps == 1
    assert answer.latency.ingest_wait_ms > 0


def test_no_camera_is_blind_while_a_long_answer_is_spoken(make_engine, model, frame, show, until):
    engine = make_engine(target_fps=1000.0, max_blind_ms=30.0)
    engine.load()
    engine.start()
    show(engine)
    model.token_s, model.step_s, model.words = 0.02, 0.005, 60
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(engine.ask, Question('what drove by ?', unlimited=True, max_tokens=60))
        until(lambda: engine.stats().busy_with == 'answer')
        number = 0
        while not asked.done():
            number += 1
            engine.see(frame(100 + number))
            time.sleep(0.004)
        answer = asked.result()
    stepped = engine.stats().frames_used
    assert stepped > 10
    assert answer.completion_tokens == 60
    assert answer.frames_considered == 1  # as of its start
    assert answer.latency.ingest_wait_ms > 0


def test_steps_get_at_most_half_of_the_time_of_a_long_answer(make_engine, model, frame, show):
    engine = make_engine(target_fps=1000.0, max_blind_ms=1.0)
    model.step_s = 0.05
    engine.load()
    engine.start()
    show(engine)
    model.token_s, model.words = 0.005, 60
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(engine.ask, Question('what drove by ?', unlimited=True, max_tokens=60))
        number = 0
        while not asked.done():
            number += 1
            engine.see(frame(100 + number))
            time.sleep(0.002)
        latency = asked.result().latency
    assert latency.ingest_wait_ms < 1.5 * latency.decode_ms


def test_a_crowd_of_questions_is_answered_or_refused_but_never_lost(running, model):
    model.token_s = 0.01
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda n: running.ask(Question('now ?', request_id=str(n))), range(50))
        )
    assert [answer.request_id for answer in answers] == [str(n) for n in range(50)]
    served = {answer.status for answer in answers}
    assert Status.OVERLOADED in served and Status.OK in served
    assert served <= {Status.OK, Status.PARTIAL, Status.DEADLINE, Status.OVERLOADED}
    assert all(a.retry_after_s > 0 for a in answers if a.status is Status.OVERLOADED)
    assert all(answer.latency.total_ms <= 2000 for answer in answers)
    ask = running.stats().ask
    assert sum(ask.served.values()) == 50
    assert (ask.deadline_met, ask.deadline_missed, ask.waiting) == (50, 0, 0)


def test_a_wait_that_leaves_no_time_is_refused_with_a_time_to_come_back(make_engine, model, show):
    model.token_s = 0.04
    running = make_engine()
    running.load()
    running.start()
    show(running)
    for _ in range(3):  # the warm-up spoke a few tokens only
        running.ask(Question('now ?', unlimited=True))
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(running.ask, Question('now ?', unlimited=True))
        while running.stats().busy_with != 'answer':
            time.sleep(0.001)
        answer = running.ask(Question('now ?', budget_s=0.2))
        assert answer.status is Status.OVERLOADED
        assert 0 < answer.retry_after_s < 2
        assert answer.latency.total_ms < 200
        assert long.result().status is Status.OK


@pytest.fixture
def filmed(make_engine, model, film, show):
    """Give a running engine in which a frame always waits, and steps follow each other."""
    model.step_s = 0.2
    engine = make_engine(target_fps=1000.0)
    engine.load()
    engine.start()
    show(engine)
    with film(engine, 0.01):
        yield engine


def test_who_comes_back_when_told_to_gets_in(filmed, until):
    question, tries = Question('now ?', budget_s=0.15), [0] * 5
    for number in range(len(tries)):
        steps = filmed.stats().frames_used
        until(lambda steps=steps: filmed.stats().frames_used > steps)
        until(lambda: filmed.stats().busy_with == 'step')
        status = Status.OVERLOADED
        while status is Status.OVERLOADED and tries[number] < 6:
            answer = filmed.ask(question)
            time.sleep(answer.retry_after_s + 0.02)  # the way there takes time
            tries[number] += 1
            status = answer.status
    assert sum(tries) <= 2.5 * len(tries), tries


def test_costs_that_rose_once_are_measured_again_under_streaming_frames(filmed, monkeypatch):
    monkeypatch.setattr('livevlm_ros.engine.loop.MEASURE_EVERY_S', 0.1)
    filmed._loop._measure_from_s = 0.0
    filmed._loop.parts.costs.prefill.value = 0.5  # seconds a token, as after slow questions
    question, end = Question('now ?', budget_s=1.0), time.monotonic() + 30.0
    assert filmed.ask(question).status is Status.DEADLINE
    while filmed.ask(question).status is Status.DEADLINE:
        assert time.monotonic() < end, 'the door stays locked'
        time.sleep(0.05)


def test_an_abandoned_question_is_not_worked_on(running, model, until):
    spoken = []
    model.on_token = spoken.append
    model.prefill_s = (
        0.4  # longer than the caller waits: the engine learns of it after the prefill
    )
    answer = running.ask(Question('what drove by ?', budget_s=0.3))
    assert answer.status is Status.DEADLINE
    assert answer.latency.total_ms <= 300
    until(lambda: running.stats().busy_with == 'idle')
    assert len(spoken) <= 1


def test_a_caller_whose_time_ends_in_a_long_token_gets_what_was_said(running, model):
    def stall(index: int) -> None:
        time.sleep(0.6 if index == 3 else 0.0)

    model.on_token = stall
    answer = running.ask(Question('what drove by ?', budget_s=0.3))
    assert (answer.status, answer.text) == (Status.PARTIAL, 'a red truck')
    assert answer.latency.total_ms <= 300


def test_a_reply_never_comes_after_its_budget(make_engine, model, frame, show):
    """Hundreds of questions of all budgets, from several threads, over frames that keep coming."""
    model.step_s, model.prefill_s, model.token_s = 0.02, 0.02, 0.004
    engine = make_engine(target_fps=20.0, max_blind_ms=100.0)
    engine.load()
    engine.start()
    show(engine)
    stop = threading.Event()

    def film() -> None:
        number = 0
        while not stop.wait(0.01):
            number += 1
            engine.see(frame(100 + number * 0.01))

    def ask(seed: int) -> list:
        draw, answers = random.Random(seed), []
        for _ in range(75):
            budget_s = draw.choice([0.001, 0.05, 0.1, 0.2, 0.3, 1.0])
            question = Question('now ?', budget_s=budget_s, allow_partial=draw.random() < 0.7)
            sent = time.monotonic()
            answers.append((engine.ask(question), time.monotonic() - sent, budget_s))
        return answers

    filming = threading.Thread(target=film)
    filming.start()
    with ThreadPoolExecutor(4) as pool:
        replies = [reply for replies in pool.map(ask, range(4)) for reply in replies]
    stop.set()
    filming.join()
    assert len(replies) == 300
    late = [
        (a.status.name, took, budget) for a, took, budget in replies if took > max(budget, 0.015)
    ]
    assert not late
    statuses = [answer.status for answer, _, _ in replies]
    assert statuses.count(Status.OK) > 20
    patient = [answer.status for answer, _, budget in replies if budget == 1.0]
    assert sum(status in (Status.OK, Status.PARTIAL) for status in patient) > 0.9 * len(patient)
    assert not set(statuses) & {Status.ERROR, Status.NOT_ACTIVE, Status.INVALID}
    stats = engine.stats()
    assert stats.ask.deadline_met + stats.ask.deadline_missed == 300
    assert stats.frames_in == stats.frames_used + stats.dropped.total + stats.waiting
    assert stats.frames_used > 10


@pytest.mark.slow
def test_normal_questions_have_their_turns_under_a_stream_of_high_ones(make_engine, model, show):
    model.token_s = 0.01
    with make_engine(target_fps=1000.0, max_budget_s=20.0) as engine:
        show(engine)
        end_s = time.monotonic() + 4.0

        def ask(priority: Priority) -> int:
            answers, question = 0, Question('now ?', budget_s=10.0, priority=priority)
            while time.monotonic() < end_s:
                answers += engine.ask(question).status is Status.OK
            return answers

        with ThreadPoolExecutor(6) as pool:
            high = [pool.submit(ask, Priority.HIGH) for _ in range(5)]
            normal = pool.submit(ask, Priority.NORMAL).result()
            all_high = sum(each.result() for each in high)
    assert 0.15 < normal / (normal + all_high) < 0.35  # one in four
