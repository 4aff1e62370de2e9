# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What answers tell after a clock has jumped."""

from types import SimpleNamespace

from livevlm_ros.engine import Question, Status


def test_a_jump_back_leaves_the_memory_and_goes_on(make_engine, frame):
    engine = make_engine(target_fps=1000.0)
    engine.load()
    for second in (100, 101, 102, 95, 96):
        engine.see(frame(second))
        engine.turn()
    answer = engine.ask_now(Question('now ?', max_evidence=9))
    assert (answer.frames_considered, answer.newest_stamp_ns) == (4, 96 * 10**9)
    assert sorted(found.stamp_ns // 10**9 for found in answer.evidence) == [96, 100, 101, 102]
    before = engine.ask_now(Question('now ?', time_start_ns=100 * 10**9))
    assert (before.frames_considered, before.newest_stamp_ns) == (3, 102 * 10**9)
    assert (engine.stats().time_jumps, engine.stats().time_resets) == (1, 0)


def test_a_jump_to_where_time_began_clears_the_memory_when_told_so(make_engine, frame):
    engine = make_engine(on_jump='reset')
    engine.load()
    for second in (100, 101, 102, 5):
        engine.see(frame(second))
        engine.turn()
    assert engine.ask_now(Question('now ?')).frames_considered == 3  # one stamp is no jump
    engine.see(frame(6))
    engine.turn()
    answer = engine.ask_now(Question('now ?'))
    assert (answer.frames_considered, answer.newest_stamp_ns) == (1, 6 * 10**9)
    assert (engine.stats().time_resets, engine.stats().frames_used) == (1, 4)


def test_a_jump_back_is_dropped_when_told_so(make_engine, frame):
    engine = make_engine(on_jump='drop')
    engine.load()
    for second in (100, 5, 101):
        engine.see(frame(second))
        engine.turn()
    assert engine.ask_now(Question('now ?')).frames_considered == 2
    assert engine.stats().dropped.bad == 1


def test_a_camera_that_comes_back_after_another_leapt_ahead_is_seen(
    make_engine, frame, monkeypatch
):
    clock = SimpleNamespace(s=1000.0)
    steady = SimpleNamespace(monotonic=lambda: clock.s)
    monkeypatch.setattr('livevlm_ros.engine.slot.time', steady)
    engine = _watching(make_engine, frame, left=[1, 2], right=[1, 2])
    clock.s += 89_998  # both were off for a day
    _show(engine, frame, left=[90_000, 90_001, 90_002])
    _show(engine, frame, left=[90_003, 90_004], right=[90_003, 90_004])
    assert engine.stats().cameras['right'].frames_used == 4


def test_frames_that_the_memory_refuses_move_no_time(make_engine, frame):
    engine = _watching(make_engine, frame, left=[50, 51, 52], right=[])
    _show(engine, frame, left=[53, 54], right=[1.7e9, 1.7e9 + 1])  # another clock: refused
    _show(engine, frame, left=[1, 2, 3], right=[])
    assert engine.stats().cameras['right'].frames_used == 0
    assert engine.stats().memory.frames == 5 + 2


def test_where_ids_run_out_the_memory_begins_anew(make_engine, frame, monkeypatch):
    monkeypatch.setattr('livevlm_ros.memory.tokens.ID_BITS', 45)  # an hour or so
    engine = _watching(make_engine, frame, left=range(1, 20_000, 1000))
    stats = engine.stats()
    assert stats.time_resets == stats.cameras['left'].dropped.bad > 1
    assert 0 < stats.memory.frames < 20 - stats.time_resets


def test_cameras_of_a_restored_memory_begin_with_the_same_stamp(make_saving, frame, watch):
    cameras = {'cameras': ('camera', 'rear')}
    first = make_saving(**cameras)
    first.load()
    for second in range(1, 9):
        for camera in cameras['cameras']:
            first.see(frame(second, camera=camera))
        first.turn()
    first.cleanup()
    (second := make_saving(**cameras)).load()
    for camera, stamp in (('camera', 20.0), ('rear', 19.99), ('rear', 21.0), ('camera', 21.0)):
        second.see(frame(stamp, camera=camera))
        second.turn()
    assert second._ingest.timeline.leaps == 0
    assert second.stats().memory.frames == 16 + 4


def test_a_range_of_before_may_be_asked_for_as_of_an_earlier_stamp(make_engine, frame):
    engine = _watching(make_engine, frame, left=[900, 901, 902, 600, 601], right=[])
    asked = {'time_start_ns': 900 * 10**9, 'as_of_ns': 601 * 10**9}
    answer = engine.ask_now(Question('now ?', **asked))
    assert (answer.status, answer.frames_considered) == (Status.OK, 3)


def _watching(make_engine, frame, **seconds):
    engine = make_engine(cameras=('left', 'right'), target_fps=1000.0)
    engine.load()
    _show(engine, frame, **seconds)
    return engine


def _show(engine, frame, *, left=(), right=()) -> None:
    for n in range(max(len(left), len(right))):
        for camera, seconds in (('left', left), ('right', right)):
            if n < len(seconds):
                engine.see(frame(seconds[n], camera=camera))
        engine.turn()
