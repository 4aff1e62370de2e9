# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from livevlm_ros.engine import Question


@pytest.fixture
def gated(make_engine):
    """Give an engine that keeps a still picture every five seconds, turned by hand."""
    engine = make_engine(cameras=('left', 'right'), target_fps=1000.0, gate=True)
    engine.load()
    return engine


def _show(engine, frame, seconds) -> None:
    for second in seconds:
        engine.see(frame(second, camera='left'))
        assert engine.turn()


def _account(engine) -> tuple[int, int, int]:
    account = engine.stats().cameras['left']
    assert account.frames_in == account.frames_used + account.dropped.total + account.waiting
    return account.frames_used, account.dropped.gate, account.dropped.bad


def test_without_a_gate_every_frame_is_used(make_engine, frame):
    engine = make_engine(cameras=('left',), target_fps=1000.0)
    engine.load()
    _show(engine, frame, range(1, 13))
    assert _account(engine) == (12, 0, 0)


def test_frames_that_repeat_are_never_encoded_but_for_the_heartbeat(gated, frame, model):
    model.encoded.clear()
    _show(gated, frame, range(1, 13))
    assert _account(gated) == (3, 9, 0)
    assert len(model.encoded) == 3
    assert gated.stats().memory.short_term_frames == 3
    assert gated.ask_now(Question('now ?')).newest_stamp_ns == 11 * 10**9


def test_a_skipped_frame_takes_no_other_camera_along(gated, frame):
    _show(gated, frame, [1])
    for camera in ('left', 'right'):
        gated.see(frame(2, camera=camera))
    gated.turn()
    assert _account(gated) == (1, 1, 0)
    assert gated.stats().cameras['right'].frames_used == 1


def test_a_frame_that_was_lost_is_not_what_the_next_is_compared_with(gated, frame, model):
    def fail(images):
        raise RuntimeError('out of memory')

    model.on_encode = fail
    _show(gated, frame, [1])
    model.on_encode = lambda images: None
    _show(gated, frame, [2, 3])
    assert _account(gated) == (1, 1, 1)


def test_after_a_clear_the_same_picture_is_kept_again(gated, frame):
    _show(gated, frame, [10])
    gated.clear()
    _show(gated, frame, [11])
    assert _account(gated) == (2, 0, 0)
    assert gated.stats().memory.short_term_frames == 1


@pytest.mark.parametrize(('on_jump', 'kept'), [('keep', 1), ('reset', 2)])
def test_after_a_jump_in_time_the_same_picture_is_kept_again_if_it_was_forgotten(
    make_engine, frame, on_jump, kept
):
    engine = make_engine(cameras=('left',), target_fps=1000.0, gate=True, on_jump=on_jump)
    engine.load()
    _show(engine, frame, [10, 11])
    engine.see(frame(8.5, camera='left'))  # further back than a second: the next one confirms it
    _show(engine, frame, [9])
    assert engine.stats().time_jumps == 1
    assert _account(engine) == (kept, 3 - kept, 1)
    assert engine.stats().memory.short_term_frames == 1


@pytest.mark.parametrize('on_jump', ['keep', 'reset', 'drop'])
def test_a_clock_that_is_set_after_boot_leaves_the_memory(make_engine, frame, on_jump):
    engine = make_engine(target_fps=1000.0, on_jump=on_jump)
    engine.load()
    for second in (1, 2, 1.8e9, 1.8e9 + 1, 1.8e9 + 2):  # the first in 2027 is to be confirmed
        engine.see(frame(second))
        engine.turn()
    assert engine.stats().memory.frames == 4
    answer = engine.ask_now(Question('now ?', max_evidence=9))
    stamps = sorted(found.stamp_ns / 1e9 for found in answer.evidence)
    assert stamps == [1, 2, 1.8e9 + 1, 1.8e9 + 2]
    recent = engine.ask_now(Question('now ?', lookback_s=3600.0))
    assert recent.frames_considered == 2


@pytest.mark.parametrize(('first', 'other'), [('left', 'right'), ('right', 'left')])
def test_a_camera_whose_clock_is_far_off_takes_no_other_along(make_engine, frame, first, other):
    """The left camera counts from 1970, the right one from when it was switched on."""
    begin = {'left': 2 * 10**9, 'right': 0}
    engine = make_engine(cameras=('left', 'right'), target_fps=1000.0)
    engine.load()
    engine.see(frame(begin[first] + 1, camera=first))
    engine.turn()
    for second in range(2, 9):
        for camera in begin:
            engine.see(frame(begin[camera] + second, camera=camera))
        engine.turn()
    accounts = engine.stats().cameras
    assert (accounts[first].frames_used, accounts[first].dropped.total) == (8, 0)
    assert (accounts[other].frames_used, accounts[other].dropped.bad) == (0, 7)
    assert 'can tell apart at most' in accounts[other].last_error
    assert (engine.stats().memory.frames, engine.stats().time_jumps) == (8, 0)


@pytest.mark.parametrize('off', [-1.7e9, -30 * 86400, -3600, 400 * 86400, 2e9], ids=str)
def test_a_camera_that_loses_its_clock_clears_nothing(make_engine, frame, off):
    engine = make_engine(cameras=('left', 'right'), target_fps=1000.0)
    engine.load()
    now, held = 1.7e9, []
    for second in range(1, 9):
        engine.see(frame(now + second, camera='left'))
        engine.see(frame(now + second + (off if second > 4 else 0.0), camera='right'))
        engine.turn()
        held.append(engine.stats().memory.frames)
    assert held == [2, 4, 6, 8, 9, 10, 11, 12]
    assert engine.stats().time_jumps == 0
    assert engine.stats().cameras['left'].dropped.total == 0
    assert 'from that of camera left' in engine.stats().cameras['right'].last_error


def test_a_camera_that_comes_back_to_a_memory_of_another_time_is_told_whose(
    make_engine, frame, monkeypatch
):
    clock = SimpleNamespace(s=1000.0)
    steady = SimpleNamespace(monotonic=lambda: clock.s)
    monkeypatch.setattr('livevlm_ros.engine.slot.time', steady)
    engine = make_engine(cameras=('left', 'right'), target_fps=1000.0)
    engine.load()

    def show(camera, seconds) -> int:
        for second in seconds:
            engine.see(frame(second, camera=camera))
            engine.turn()
        return engine.stats().memory.frames

    now = 2 * 10**9
    show('left', [now + 1, now + 2])
    show('right', [now + 1, now + 2])
    clock.s += 60  # left has fallen silent
    assert show('right', [1, 2, 3, 4]) == 4 + 3
    assert show('left', [now + 9, now + 10, now + 11]) == 4 + 3
    assert show('right', [5, 6]) == 4 + 5
    assert engine.stats().time_jumps == 1
    error = engine.stats().cameras['left'].last_error
    assert 'differs by 2000000007.000 s from that of camera right, which goes on; ' in error


@pytest.mark.parametrize('on_jump', ['keep', 'drop'])
def test_a_memory_of_simulated_time_does_not_blind_a_robot_in_real_time(
    make_saving, watch, on_jump
):
    cameras = {'cameras': ('camera', 'rear'), 'on_jump': on_jump}
    watch(first := make_saving(**cameras), range(1, 9))
    first.cleanup()
    watch(second := make_saving(**cameras), range(2 * 10**9, 2 * 10**9 + 3))
    assert second.stats().memory.frames == 8 + 3
    assert second.stats().cameras['camera'].dropped.total == 0


@pytest.mark.parametrize(('on_jump', 'held'), [('keep', (8 + 2, 1)), ('drop', (8, 3))])
def test_a_camera_new_to_a_memory_of_real_time_is_seen_in_simulated_time(
    make_saving, frame, watch, on_jump, held
):
    cameras = {'cameras': ('camera', 'rear'), 'on_jump': on_jump}
    watch(first := make_saving(**cameras), range(2 * 10**9, 2 * 10**9 + 8))
    first.cleanup()
    (second := make_saving(**cameras)).load()
    for number in range(1, 4):
        second.see(frame(number, camera='rear'))
        second.turn()
    stats = second.stats()
    assert (stats.memory.frames, stats.cameras['rear'].dropped.bad) == held


def test_a_frame_out_of_order_is_lost_alone(make_engine, frame):
    """As after a restart that forgot what a camera's last stamp was."""
    engine = make_engine(cameras=('left', 'right'), target_fps=1000.0)
    engine.load()
    for camera in ('left', 'right'):
        engine.see(frame(5, camera=camera))
    assert engine.turn()
    engine._ingest.restart()
    engine.see(frame(4, camera='left'))
    engine.see(frame(6, camera='right'))
    assert engine.turn()
    accounts = engine.stats().cameras
    assert (accounts['left'].frames_used, accounts['left'].dropped.bad) == (1, 1)
    assert 'must come after' in accounts['left'].last_error
    assert (accounts['right'].frames_used, accounts['right'].dropped.bad) == (2, 0)
    assert engine.stats().memory.short_term_frames == 3
