# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from livevlm_ros.engine import Engine, Finish, Question, Status
from livevlm_ros.memory import FrameRef
from livevlm_ros.memory.contents import read_refs
from livevlm_ros.memory.snapshot import read_snapshot
from livevlm_ros.memory.snapshot import write_snapshot as write


def _saved(folder: Path) -> list[FrameRef]:
    """Return the frames of the snapshot in a folder."""
    return read_refs(read_snapshot(folder).part('memory').tensors['frames'])


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
    with pytest.raises(TimeoutError):
        running.clear(timeout_s=0.1)  # the memory is the thread's while it lives
    assert running.stats().memory.short_term_frames == 1
    go_on.set()
    assert running.stop()
    assert running.stats().memory.short_term_frames == 0
    model.on_encode = lambda images: None
    running.see(frame(101))
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


def test_a_frame_may_come_while_the_engine_is_cleaned_up(make_engine, frame, monkeypatch):
    engine = make_engine()
    engine.load()
    loops = [engine._loop]  # the first look finds it, the next would not
    with monkeypatch.context() as patch:
        patch.setattr(
            Engine, '_loop', property(lambda self: loops.pop() if loops else None), raising=False
        )
        engine.see(frame(1))
    assert not loops


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


def test_a_step_is_measured_with_a_frame_of_every_camera(make_engine, model):
    batches = []
    model.on_encode = lambda images: batches.append(len(images))
    make_engine(cameras=('left', 'right', 'back')).load()
    assert set(batches) == {3}


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


@pytest.mark.parametrize('what', ['album.Album.state', 'snapshots.write_snapshot'])
def test_a_save_that_fails_in_any_way_is_told_and_lets_the_engine_end(
    make_saving, watch, monkeypatch, caplog, what
):
    def fail(*args, **how) -> None:
        raise MemoryError('no more of it')

    engine = make_saving()
    watch(engine, range(1, 9))
    monkeypatch.setattr(f'livevlm_ros.engine.{what}', fail)
    assert engine.stop()
    engine.cleanup()
    assert engine.stats().state == 'unloaded'
    assert caplog.text.count('the memory is not saved') == 2
    assert 'no more of it' in caplog.text


def test_memory_is_given_back_whatever_ends_a_save(make_saving, watch, monkeypatch, closed):
    engine = make_saving()
    watch(engine, range(1, 9))
    memory = engine._loop.parts.memory

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine._loop.parts.snapshots, 'save', interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.cleanup()
    assert memory in closed and engine.stats().state == 'unloaded'


def test_a_clear_does_not_wait_for_a_save_beyond_its_time_and_is_done_after_it(
    make_saving, watch, tmp_path, monkeypatch
):
    go_on, writing = threading.Event(), threading.Event()

    def hold(folder: Path, state, **how) -> int:
        writing.set()
        assert go_on.wait(10)
        return write(folder, state, **how)

    engine = make_saving()
    watch(engine, range(1, 9))
    monkeypatch.setattr('livevlm_ros.engine.snapshots.write_snapshot', hold)
    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(engine.stop)
        assert writing.wait(10)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            engine.clear(timeout_s=0.1)
        assert time.monotonic() - began < 5.0
        go_on.set()
        assert stopped.result(10)
    assert len(_saved(tmp_path)) == 8
    assert engine.stop()
    assert engine.stats().memory.frames == 0
    assert _saved(tmp_path) == []


def test_who_asks_as_the_thread_ends_is_served_by_the_stop(running):
    running._loop.stop()  # it has looked for the last time, and nobody knows yet
    running._thread.join(10)
    asked = running._do(lambda loop: 'done', 1.0)
    assert not asked.done()
    assert running.stop()
    assert asked.result(0) == 'done'
    assert running._do(lambda loop: 'done', 1.0).result(0) == 'done'


def test_what_goes_wrong_in_an_order_is_told_to_whoever_gave_it(running, model):
    def fail(loop) -> None:
        raise RuntimeError('no such frame')

    with pytest.raises(RuntimeError, match='no such frame'):
        running._do(fail, 5.0).result(10)
    assert running.ask(Question('now ?')).status is Status.OK
