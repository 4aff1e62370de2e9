# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from livevlm_ros.engine import BadFrame, Finish, Frame, Question, Rung, Scope, Status
from livevlm_ros.memory import MemoryConfig

FULL_ANSWER = 'a red truck drove by and then a blue bus stopped at the old gate'


@pytest.fixture
def running(make_engine, show):
    """Give an engine that runs and has seen a frame."""
    engine = make_engine(target_fps=1000.0)
    engine.load()
    engine.start()
    show(engine)
    return engine


def test_a_question_is_answered_with_its_evidence(running):
    answer = running.ask(Question('what drove by ?', request_id='mine', attach_images=True))
    assert (answer.status, answer.text, answer.request_id) == (Status.OK, FULL_ANSWER, 'mine')
    assert (answer.finish, answer.truncated, answer.degradation) == (Finish.STOP, False, Rung.ALL)
    (evidence,) = answer.evidence
    assert (evidence.camera, evidence.stamp_ns, evidence.frame_id) == ('camera', 10**9, 'optical')
    assert evidence.score == pytest.approx(1.0)
    assert evidence.thumbnail_jpeg.startswith(b'\xff\xd8')
    assert math.isnan(answer.confidence)
    assert (answer.newest_stamp_ns, answer.frames_considered) == (10**9, 1)
    assert (answer.prompt_tokens, answer.completion_tokens, answer.model_id) == (5, 15, 'fake')


def test_latencies_are_measured_and_their_sum_is_within_the_total(running, model):
    model.prefill_s, model.token_s = 0.05, 0.01
    latency = running.ask(Question('what drove by ?')).latency
    assert latency.prefill_ms >= 50
    assert latency.decode_ms >= 15 * 10
    assert latency.prefill_ms <= latency.first_token_ms <= latency.total_ms
    parts = latency.queue_ms, latency.ingest_wait_ms, latency.prefill_ms, latency.decode_ms
    assert sum(parts) + latency.postprocess_ms <= latency.total_ms
    assert latency.budget_ms == 2000


def test_defaults_fill_a_bare_question_and_every_reply_has_an_id(running):
    first, second = running.ask(Question('now ?')), running.ask(Question('now ?'))
    assert first.request_id and second.request_id and first.request_id != second.request_id
    assert len(first.evidence) == 1 and first.evidence[0].thumbnail_jpeg == b''


def test_an_empty_memory_is_no_evidence(make_engine):
    with make_engine() as engine:
        answer = engine.ask(Question('what drove by ?'))
    assert answer.status is Status.NO_EVIDENCE
    assert 'no frame has been seen' in answer.message


def test_a_question_before_the_first_step_sees_the_frame_that_waits(make_engine, frame):
    engine = make_engine()
    engine.load()
    engine.see(frame(1))
    engine.start()
    assert engine.ask(Question('what drove by ?')).status is Status.OK


@pytest.mark.parametrize(
    ('question', 'named'),
    [
        (Question(''), 'question: got an empty text'),
        (Question(' \t\n '), 'question: got an empty text'),
        (Question('x' * 100_000), 'question: got 100000 characters, at most 2000'),
        (Question('what \x00 now'), "question: got control character or lone surrogate '\\x00'"),
        (
            Question('what \ud800 now'),
            "question: got control character or lone surrogate '\\ud800'",
        ),
        (Question('now ?', budget_s=-1.0), 'latency_budget: got -1.0 s, expected a positive time'),
        (Question('now ?', budget_s=math.nan), 'latency_budget: got nan s'),
        (Question('now ?', max_tokens=0), 'max_tokens: got 0, allowed is 1 to 512'),
        (Question('now ?', max_tokens=513), 'max_tokens: got 513, allowed is 1 to 512'),
        (Question('now ?', temperature=-0.1), 'temperature: got -0.1, allowed is 0.0 to 5.0'),
        (Question('now ?', temperature=math.nan), 'temperature: got nan'),
        (Question('now ?', max_evidence=-1), 'max_evidence: got -1, allowed is 0 to 255'),
        (Question('now ?', scope=Scope.LONG_TERM), 'memory_scope: got <Scope.LONG_TERM: 3>'),
    ],
)
def test_a_bad_question_is_refused_naming_the_field(running, question, named):
    answer = running.ask(question)
    assert answer.status is Status.INVALID
    assert named in answer.message
    assert answer.text == ''


def test_unknown_words_are_refused_naming_them_and_what_is_known(running):
    answer = running.ask(Question('where is the zebra ?'))
    assert answer.status is Status.INVALID
    for part in ("'zebra'", 'color_of: "what color is the truck ?"', 'exists: "is there a bus ?"'):
        assert part in answer.message


def test_a_question_too_long_for_the_model_is_refused(running, model):
    model.question = lambda text: type('Prompt', (), {'tokens': 1000, 'embeds': None})()
    answer = running.ask(Question('now ?', unlimited=True))
    assert answer.status is Status.INVALID
    assert 'shorten the question or ask for fewer tokens' in answer.message


def test_an_answer_is_cut_at_max_tokens(running):
    answer = running.ask(Question('what drove by ?', max_tokens=3))
    assert (answer.status, answer.text) == (Status.PARTIAL, 'a red truck')
    assert (answer.finish, answer.truncated) == (Finish.LENGTH, True)
    assert 'max_tokens = 3' in answer.message


def test_an_answer_of_just_max_tokens_is_whole(running):
    answer = running.ask(Question('what drove by ?', max_tokens=15))
    assert (answer.status, answer.finish) == (Status.OK, Finish.STOP)


def test_a_budget_that_ends_while_speaking_gives_the_words_said_so_far(running, model):
    model.token_s = 0.05
    answer = running.ask(Question('what drove by ?', budget_s=0.4))
    assert (answer.status, answer.finish) == (Status.PARTIAL, Finish.BUDGET)
    assert answer.truncated and answer.degradation == Rung.PARTIAL
    assert 1 <= answer.completion_tokens < 15
    assert FULL_ANSWER.startswith(answer.text) and answer.text
    assert answer.evidence
    assert answer.latency.total_ms <= 400


def test_an_answer_that_ends_before_its_tokens_run_out_says_that_not_all_would_have_fitted(
    make_engine, model, show
):
    model.token_s = 0.01
    engine = make_engine()
    engine.load()
    engine.start()
    show(engine)
    model.words = 2
    answer = engine.ask(Question('what drove by ?', budget_s=1.0, max_tokens=500))
    assert (answer.status, answer.text) == (Status.OK, 'a red')
    assert answer.degradation == Rung.FEWER_TOKENS


def test_a_caller_who_takes_no_parts_gets_a_deadline(running, model):
    model.token_s = 0.05
    answer = running.ask(Question('what drove by ?', budget_s=0.4, allow_partial=False))
    assert (answer.status, answer.text, answer.evidence) == (Status.DEADLINE, '', ())
    assert answer.degradation == Rung.REFUSED
    assert answer.latency.total_ms <= 400


def test_a_budget_of_a_millisecond_is_refused_at_the_door(running, model):
    asked = len(model.questions)
    answer = running.ask(Question('what drove by ?', budget_s=0.001))
    assert answer.status is Status.DEADLINE
    assert 'got a budget of 1 ms, the shortest answer takes' in answer.message
    assert len(model.questions) == asked


def test_a_budget_spent_before_the_engine_heard_of_it_is_refused(running):
    answer = running.ask(Question('now ?', budget_s=1.0), received_s=time.monotonic() - 2.0)
    assert answer.status is Status.DEADLINE
    assert answer.latency.total_ms >= 2000


def test_a_budget_above_the_most_allowed_is_cut_to_it(make_engine, show):
    with make_engine(max_budget_s=3.0) as engine:
        show(engine)
        assert engine.ask(Question('now ?', budget_s=100.0)).latency.budget_ms == 3000


def test_costs_that_made_the_door_refuse_are_measured_anew(running, model, until):
    costs = running._loop.rooms.costs
    costs.prefill.value = 1.0  # seconds a token, as after a machine's bad minute
    running._loop._measured_s = -math.inf
    assert running.ask(Question('now ?', budget_s=0.5)).status is Status.DEADLINE
    until(lambda: costs.prefill.value < 1.0)


def test_a_model_that_fails_costs_one_question_not_the_engine(running, model, caplog):
    def fail(index: int) -> None:
        raise RuntimeError('device lost')

    model.on_token = fail
    answer = running.ask(Question('what drove by ?'))
    assert (answer.status, answer.message) == (Status.ERROR, 'RuntimeError: device lost')
    assert [record.levelname for record in caplog.records] == ['ERROR']
    model.on_token = lambda index: None
    assert running.ask(Question('what drove by ?')).status is Status.OK


def test_a_step_that_fails_costs_its_frames_not_the_engine(running, model, frame, until, show):
    def fail(images) -> None:
        raise RuntimeError('device lost')

    model.on_encode = fail
    running.see(frame(100))
    until(lambda: running.stats().cameras['camera'].dropped.bad == 1)
    assert 'device lost' in running.stats().cameras['camera'].last_error
    model.on_encode = lambda images: None
    running.see(frame(101))
    until(lambda: running.stats().frames_used == 2)


@pytest.mark.parametrize(
    ('pixels', 'complaint'),
    [
        (np.zeros((4, 4, 3), np.float32), 'got float32 [4, 4, 3], expected a uint8 array'),
        (np.zeros((4, 4), np.uint8), 'got uint8 [4, 4], expected'),
        (np.zeros((4, 4, 4), np.uint8), 'got uint8 [4, 4, 4], expected'),
        (np.zeros((0, 4, 3), np.uint8), 'got uint8 [0, 4, 3], expected'),
        (b'jpeg', 'got bytes, expected a uint8 array'),
    ],
)
def test_a_garbage_frame_is_counted_bad_saying_why(make_engine, pixels, complaint):
    engine = make_engine()
    engine.load()
    engine.see(Frame('camera', 1, pixels))
    engine.turn()
    account = engine.stats().cameras['camera']
    assert (account.frames_in, account.dropped.bad) == (1, 1)
    assert complaint in account.last_error


@pytest.mark.parametrize('error', [BadFrame('corrupt jpeg'), OSError('disk gone')])
def test_a_frame_that_cannot_be_decoded_is_counted_bad(make_engine, frame, error):
    def decode():
        raise error

    engine = make_engine(cameras=('left', 'right'))
    engine.load()
    engine.see(Frame('left', 1, decode))
    engine.see(frame(1, camera='right'))
    engine.turn()
    cameras = engine.stats().cameras
    assert str(error) in cameras['left'].last_error
    assert cameras['right'].frames_used == 1


def test_frames_are_decoded_only_when_a_step_takes_them(make_engine):
    decoded = []
    engine = make_engine(target_fps=1000.0)
    engine.load()
    for stamp in (1, 2, 3):
        image = np.full((8, 8, 3), stamp, np.uint8)
        engine.see(Frame('camera', stamp * 10**9, lambda image=image: decoded.append(1) or image))
    assert engine.turn() and not engine.turn()
    assert len(decoded) == 1


def test_a_jump_back_clears_the_memory_and_goes_on(make_engine, frame):
    engine = make_engine()
    engine.load()
    for second in (100, 101, 102, 5):
        engine.see(frame(second))
        engine.turn()
    answer = engine.ask_now(Question('now ?'))
    assert (answer.frames_considered, answer.newest_stamp_ns) == (1, 5 * 10**9)
    assert (engine.stats().time_jumps, engine.stats().frames_used) == (1, 4)


def test_a_jump_back_is_dropped_when_told_so(make_engine, frame):
    engine = make_engine(on_jump='drop')
    engine.load()
    for second in (100, 5, 101):
        engine.see(frame(second))
        engine.turn()
    assert engine.ask_now(Question('now ?')).frames_considered == 2
    assert engine.stats().dropped.bad == 1


def test_cameras_meet_in_one_step_and_answers_merge_them(make_engine, model, frame):
    engine = make_engine(cameras=('left', 'right'))
    engine.load()
    before = len(model.encoded)
    engine.see(frame(2.0, camera='left', grey=10))
    engine.see(frame(1.5, camera='right', grey=20))
    assert engine.turn() and not engine.turn()
    assert model.encoded[before:] == [20, 10]
    answer = engine.ask_now(Question('now ?'))
    assert {evidence.camera for evidence in answer.evidence} == {'left', 'right'}


def test_a_late_camera_is_merged_by_stamp(make_engine, frame):
    engine = make_engine(cameras=('left', 'right'))
    engine.load()
    engine.see(frame(5.0, camera='left'))
    engine.turn()
    engine.see(frame(2.0, camera='right'))
    engine.turn()
    assert engine.stats().frames_used == 2
    assert engine.ask_now(Question('now ?')).newest_stamp_ns == 5 * 10**9


def test_thumbnails_leave_with_their_frames(make_engine, frame):
    engine = make_engine(memory=MemoryConfig(short_term_frames=4))
    engine.load()
    for second in range(1, 11):
        engine.see(frame(second))
        engine.turn()
    assert len(engine._loop.rooms.album) == 4
    answer = engine.ask_now(Question('now ?', attach_images=True, max_evidence=10))
    assert len(answer.evidence) == 4
    assert all(evidence.thumbnail_jpeg for evidence in answer.evidence)
    assert engine.clear() == 4
    assert len(engine._loop.rooms.album) == 0


def test_clear_forgets_and_lets_time_begin_anew(running, frame, until):
    running.see(frame(50))
    until(lambda: running.stats().frames_used == 2)
    assert running.clear() == 2
    assert running.ask(Question('now ?')).status is Status.NO_EVIDENCE
    running.see(frame(49.9))
    until(lambda: running.stats().frames_used == 3)
    assert running.stats().time_jumps == 0


def test_offline_use_is_one_thread_and_has_no_deadline(make_engine, model, frame):
    engine = make_engine()
    engine.load()
    engine.see(frame(1))
    engine.turn()
    model.token_s = 0.2
    answer = engine.ask_now(Question('what drove by ?'))
    assert (answer.status, answer.latency.budget_ms) == (Status.OK, 0.0)
    assert answer.latency.total_ms > 2000  # longer than the default budget
    answer = engine.ask_now(Question('what drove by ?', budget_s=0.7))
    assert answer.status is Status.PARTIAL


def test_offline_use_is_refused_while_the_thread_runs(running):
    with pytest.raises(RuntimeError, match='ask_now'):
        running.ask_now(Question('now ?'))
    with pytest.raises(RuntimeError, match='turn'):
        running.turn()


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
    assert stats.frames_in == stats.frames_used + stats.dropped.total
    assert stats.frames_used > 10


def test_an_engine_that_does_not_run_says_so(make_engine):
    engine = make_engine()
    assert engine.ask(Question('now ?')).status is Status.NOT_ACTIVE
    engine.load()
    assert engine.ask(Question('now ?')).status is Status.NOT_ACTIVE
    engine.start()
    assert engine.stop()
    assert engine.ask(Question('now ?')).status is Status.NOT_ACTIVE


def test_start_before_load_is_refused(make_engine):
    with pytest.raises(RuntimeError, match='call load'):
        make_engine().start()


def test_stop_ends_the_answer_being_spoken_and_those_that_wait(running, model, until):
    model.token_s = 0.1
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(running.ask, Question('now ?', unlimited=True)) for _ in range(3)]
        until(lambda: running.stats().ask.waiting == 2)
        until(lambda: running._loop.answering is not None and running._loop.answering._so_far)
        began = time.monotonic()
        assert running.stop()
        assert time.monotonic() - began < 3.0
        answers = [future.result(1) for future in asked]
    assert sorted(answer.status for answer in answers) == [
        Status.PARTIAL,
        Status.NOT_ACTIVE,
        Status.NOT_ACTIVE,
    ]
    assert [a.finish for a in answers if a.status is Status.PARTIAL] == [Finish.CANCELED]


def test_stop_returns_in_time_from_a_step_that_does_not_end(running, model, frame, until, caplog):
    go_on = threading.Event()
    began = threading.Event()

    def hold(images) -> None:
        began.set()
        go_on.wait(10)

    model.on_encode = hold
    running.see(frame(100))
    assert began.wait(5)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(running.ask, Question('now ?', unlimited=True))
        until(lambda: running.stats().ask.waiting == 1)
        assert running.stop(timeout_s=0.2) is False
        assert asked.result(1).status is Status.NOT_ACTIVE
    assert 'still at work' in caplog.text
    with pytest.raises(RuntimeError, match='try again'):
        running.start()
    go_on.set()
    assert running.stop()
    running.start()
    assert running.ask(Question('now ?')).status is Status.OK


def test_the_memory_outlives_stop_and_not_cleanup(running):
    running.stop()
    running.start()
    assert running.ask(Question('now ?')).status is Status.OK
    running.cleanup()
    assert running.stats().state == 'unloaded'
    running.load()
    running.start()
    assert running.ask(Question('now ?')).status is Status.NO_EVIDENCE


def test_stats_say_what_the_engine_is_at(make_engine, show):
    engine = make_engine()
    assert (engine.stats().state, engine.stats().model) == ('unloaded', None)
    engine.load()
    stats = engine.stats()
    assert (stats.state, stats.busy_with, stats.frames_in) == ('loaded', 'idle', 0)
    assert (
        stats.model.model_id == 'fake'
        and stats.model.warm_up_ms.keys() == stats.model.costs_ms.keys()
    )
    assert math.isnan(stats.heartbeat_age_s) and math.isnan(stats.ask.total_ms.p50)
    engine.start()
    show(engine, 3)
    answer = engine.ask(Question('now ?'))
    stats = engine.stats()
    assert (stats.state, stats.frames_used, stats.memory.short_term_frames) == ('running', 3, 3)
    assert stats.heartbeat_age_s < 5
    assert stats.ask.served == {Status.OK: 1}
    assert stats.ask.total_ms.p50 == stats.ask.total_ms.max == answer.latency.total_ms
    assert stats.cameras['camera'].used_stamp_ns == stats.cameras['camera'].newest_stamp_ns


def test_stats_do_not_wait_for_the_engine_thread(running, model, frame):
    began, go_on = threading.Event(), threading.Event()

    def hold(images) -> None:
        began.set()
        go_on.wait(5)

    model.on_encode = hold
    running.see(frame(100))
    assert began.wait(5)
    asked = time.monotonic()
    stats = running.stats()
    assert time.monotonic() - asked < 1.0
    assert (stats.busy_with, stats.cameras['camera'].waiting) == ('step', 1)
    go_on.set()


def test_a_loaded_engine_knows_its_costs_before_the_first_question(make_engine, model):
    model.step_s, model.prefill_s, model.token_s = 0.05, 0.03, 0.01
    engine = make_engine()
    phases = []
    engine.load(lambda phase, done: phases.append(phase))
    costs = engine.stats().model.warm_up_ms
    assert 50 <= costs['step_ms'] < 500
    assert 6 <= costs['prefill_ms_per_token'] < 60
    assert 10 <= costs['decode_ms_per_token'] < 100
    assert phases == ['weights', 'warm-up', 'memory', 'ready']
    engine.start()
    assert engine.ask(Question('now ?', budget_s=0.05)).status is Status.DEADLINE
