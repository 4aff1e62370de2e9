# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What answers tell after a clock has jumped."""

from livevlm_ros.engine import Question


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
