# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import time

import numpy as np
import pytest

from livevlm_ros.engine import BadFrame, Finish, Frame, Question, Rung, Status
from livevlm_ros.memory import MemoryConfig

FULL_ANSWER = 'a red truck drove by and then a blue bus stopped at the old gate'


def test_a_question_is_answered_with_its_evidence(running):
    answer = running.ask(Question('what drove by ?', request_id='mine', attach_images=True))
    assert (answer.status, answer.text, answer.request_id) == (Status.OK, FULL_ANSWER, 'mine')
    assert (answer.finish, answer.truncated, answer.degradation) == (Finish.STOP, False, Rung.ALL)
    (evidence,) = answer.evidence
    assert (evidence.camera, evidence.stamp_ns, evidence.frame_id) == ('camera', 10**9, 'optical')
    assert evidence.score == pytest.approx(1.0)
    assert evidence.thumbnail_jpeg.startswith(b'\xff\xd8')
    assert answer.confidence == pytest.approx(0.9)
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
        (Question('now ?', min_confidence=1.5), 'min_confidence: got 1.5, allowed is 0.0 to 1.0'),
        (Question('now ?', choices=('yes', ' ')), 'choices: got an empty text, expected words'),
        (Question('now ?', choices=('yes',)), 'choices: got 1, expected 2 to 64'),
        (Question('now ?', choices=tuple(map(str, range(65)))), 'choices: got 65, expected 2'),
        (Question('now ?', choices=('Red', 'a', 'red ')), "choices: got 'Red' and 'red'"),
        (Question('now ?', choices=('yes', 'x' * 501)), 'choices: got 501 characters, at most'),
        (
            Question('now ?', choices=('yes', 'a zebra')),
            "choices: the model does not know 'zebra'",
        ),
        (Question('now ?', cameras=('rear',)), "cameras: got 'rear', expected some of camera"),
        (Question('now ?', time_start_ns=-1), 'time_start: got -1'),
        (Question('now ?', lookback_s=-0.5), 'lookback: got -0.5'),
        (Question('now ?', time_start_ns=2, lookback_s=1.0), 'lookback: time_start is set too'),
        (Question('now ?', time_start_ns=3 * 10**9, time_end_ns=10**9), 'after the end at 1.000'),
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
    for part in ("'zebra'", '"what color is the truck ?"', '"is there a bus ?"'):
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
    assert 'got a budget of 0.001 s, the shortest answer takes' in answer.message
    assert len(model.questions) == asked


def test_a_budget_spent_before_the_engine_heard_of_it_is_refused(running):
    answer = running.ask(Question('now ?', budget_s=1.0), received_s=time.monotonic() - 2.0)
    assert answer.status is Status.DEADLINE
    assert answer.latency.total_ms >= 2000


def test_a_budget_above_the_most_allowed_is_cut_to_it(make_engine, show):
    with make_engine(max_budget_s=3.0) as engine:
        show(engine)
        assert engine.ask(Question('now ?', budget_s=100.0)).latency.budget_ms == 3000


@pytest.mark.parametrize(('token_s', 'budget_s'), [(0.0, 2.0), (0.1, 2 * 64 * 0.1), (10.0, 30.0)])
def test_without_a_budget_a_question_has_what_a_whole_answer_is_measured_to_take(
    running, token_s, budget_s
):
    running._loop.parts.costs.token.value = token_s
    given_ms = running.ask(Question('now ?')).latency.budget_ms
    assert given_ms == pytest.approx(1e3 * budget_s, rel=0.02)


def test_costs_that_made_the_door_refuse_are_measured_anew(running, model, until):
    costs = running._loop.parts.costs
    costs.prefill.value = 1.0  # seconds a token, as after a machine's bad minute
    running._loop._measure_from_s = 0.0
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


def test_a_frame_without_a_thumbnail_costs_no_other_and_leaves_nothing(make_engine, frame):
    engine = make_engine(cameras=('left', 'right'))
    engine.load()
    engine.see(Frame('left', 1, np.zeros((70000, 10, 3), np.uint8)))
    engine.see(frame(1, camera='right'))
    engine.turn()
    stats = engine.stats()
    assert [stats.cameras[name].dropped.bad for name in ('left', 'right')] == [1, 0]
    assert stats.frames_used == stats.memory.short_term_frames == 1


def test_a_device_that_fails_at_every_step_is_told_once_in_a_while(
    make_engine, model, frame, caplog
):
    def fail(images) -> None:
        raise RuntimeError('device lost')

    engine = make_engine(target_fps=1000.0)
    engine.load()
    model.on_encode = fail
    for second in range(1, 20):
        engine.see(frame(second))
        engine.turn()
    (record,) = [each for each in caplog.records if each.levelname != 'INFO']
    assert record.levelname == 'ERROR' and record.exc_info
    assert 'camera camera, stamp 1000000000 ns: device lost' in record.message
    assert engine.stats().dropped.bad == 19


def test_a_question_that_fails_writes_its_id_on_one_line_however_it_reads(running, model, caplog):
    def fail(index):
        raise RuntimeError('device lost')

    model.on_token = fail
    request_id = 'x\n[ERROR] [livevlm]: forged' + 1000 * '!'
    answer = running.ask(Question('now ?', request_id=request_id))
    assert (answer.status, answer.request_id) == (Status.ERROR, request_id)
    (told,) = [record.getMessage() for record in caplog.records if 'failed' in record.msg]
    assert told.startswith("question 'x\\n[ERROR] [livevlm]: forged!!!")
    assert len(told) < 100


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
    assert len(engine._loop.parts.album) == 4
    answer = engine.ask_now(Question('now ?', attach_images=True, max_evidence=10))
    assert len(answer.evidence) == 4
    assert all(evidence.thumbnail_jpeg for evidence in answer.evidence)
    assert engine.clear() == 4
    assert len(engine._loop.parts.album) == 0


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
