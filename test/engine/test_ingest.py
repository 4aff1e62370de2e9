# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import logging
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from livevlm_ros.engine import BadFrame, Frame
from livevlm_ros.engine.ingest import Ingest


@pytest.fixture
def make_ingest():
    def make(*, cameras=('camera',), target_fps=1000.0, on_jump='reset') -> Ingest:
        return Ingest(cameras, target_fps=target_fps, on_jump=on_jump)

    return make


def _dropped(ingest: Ingest, camera: str = 'camera'):
    return ingest.stats()[0][camera].dropped


def test_only_the_newest_frame_waits(make_ingest, frame):
    ingest = make_ingest()
    for second in (1, 2, 3):
        ingest.put(frame(second))
    frames, _ = ingest.take()
    assert [seen.stamp_ns for seen in frames] == [3_000_000_000]
    assert _dropped(ingest).newer == 2


def test_a_step_gets_the_newest_frame_of_each_camera_in_stamp_order(make_ingest, frame):
    ingest = make_ingest(cameras=('left', 'right'))
    ingest.put(frame(2.0, camera='left'))
    ingest.put(frame(1.0, camera='right'))
    frames, _ = ingest.take()
    assert [seen.camera for seen in frames] == ['right', 'left']


def test_a_frame_in_a_step_is_still_waiting_for_its_fate(make_ingest, frame):
    ingest = make_ingest()
    ingest.put(frame(1))
    (taken,), _ = ingest.take()
    ingest.put(frame(2))
    account = ingest.stats()[0]['camera']
    assert (account.frames_in, account.frames_used, account.waiting) == (2, 0, 2)
    ingest.used(taken)
    account = ingest.stats()[0]['camera']
    assert (account.frames_in, account.frames_used, account.waiting) == (2, 1, 1)


def test_the_rate_is_kept_by_stamp_against_the_frame_last_taken(make_ingest, frame):
    ingest = make_ingest(target_fps=1.0)
    ingest.put(frame(1.0))
    ingest.take()
    ingest.put(frame(1.5))
    assert _dropped(ingest).rate == 1
    ingest.put(frame(2.0))
    ingest.put(frame(2.5))  # nobody took 2.0 yet, so the newer one is due as well
    frames, _ = ingest.take()
    assert frames[0].stamp_ns == 2_500_000_000


@pytest.mark.parametrize('stamp_ns', [0, -5])
def test_a_stamp_that_is_not_positive_is_bad(make_ingest, frame, stamp_ns):
    ingest = make_ingest()
    ingest.put(Frame('camera', stamp_ns, frame(1).pixels))
    account = ingest.stats()[0]['camera']
    assert account.dropped.bad == 1
    assert f'got stamp {stamp_ns} ns, expected a positive one' in account.last_error


@pytest.mark.parametrize('second', [10.0, 9.5, 9.0])
@pytest.mark.parametrize('on_jump', ['reset', 'drop'])
def test_a_stamp_equal_or_a_little_older_is_bad(make_ingest, frame, second, on_jump):
    ingest = make_ingest(on_jump=on_jump)
    ingest.put(frame(10))
    ingest.put(frame(second))
    account = ingest.stats()[0]['camera']
    assert (account.dropped.bad, account.waiting) == (1, 1)
    assert 'before the newest one seen, expected a later one' in account.last_error
    assert ('do the stamps stand still?' in account.last_error) == (second == 10.0)


def test_bad_frames_in_a_row_are_counted_until_one_is_used(make_ingest, frame):
    ingest = make_ingest()
    for second in (10, 11, 12):
        ingest.put(frame(second))
        (taken,), _ = ingest.take()
        ingest.lost(taken, 'no picture')
    ingest.turn_away('camera', BadFrame('no stamp'))
    assert ingest.stats().cameras['camera'].bad_in_row == 4
    ingest.put(frame(13))
    (taken,), _ = ingest.take()
    ingest.used(taken)
    assert ingest.stats().cameras['camera'].bad_in_row == 0


def test_a_jump_back_is_followed_with_every_camera_beginning_anew(make_ingest, frame, caplog):
    ingest = make_ingest(cameras=('left', 'right'), target_fps=10.0)
    ingest.put(frame(100, camera='left'))
    ingest.put(frame(100, camera='right'))
    assert ingest.take()[1] is False
    with caplog.at_level(logging.WARNING):
        for second in (1, 2):
            ingest.put(frame(second, camera='left'))
            ingest.put(frame(second + 0.1, camera='right'))
    assert [record.getMessage() for record in caplog.records if 'jumped' in record.message] == [
        'camera left: time jumped to 2.000 s, the memory is cleared'
    ]
    frames, jumped = ingest.take()
    assert jumped
    assert [seen.stamp_ns for seen in frames] == [2_000_000_000, 2_100_000_000]
    assert ingest.stats()[2] == 1
    assert [_dropped(ingest, camera).bad for camera in ('left', 'right')] == [1, 1]
    assert ingest.take() == ([], False)


def test_a_jump_back_is_dropped_when_told_so(make_ingest, frame):
    ingest = make_ingest(on_jump='drop')
    for second in (100, 1, 2, 3, 100.5):
        ingest.put(frame(second))
    frames, jumped = ingest.take()
    assert (frames[0].stamp_ns, jumped) == (100_500_000_000, False)
    assert _dropped(ingest).bad == 3


def _used(ingest: Ingest, frame, seconds) -> tuple[list[float], int]:
    """Show frames to an ingest that uses each at once; return those used and the jumps."""
    used = []
    for second in seconds:
        ingest.put(frame(second))
        for seen in ingest.take()[0]:
            ingest.used(seen)
            used.append(seen.stamp_ns / 1e9)
    return used, ingest.stats()[2]


@pytest.mark.parametrize('on_jump', ['reset', 'drop'])
@pytest.mark.parametrize('stray', [1e9, 4.0, 0.5], ids=['future', 'past', 'long past'])
def test_a_stray_stamp_costs_its_own_frame_only(make_ingest, frame, on_jump, stray):
    ingest = make_ingest(on_jump=on_jump)
    before, after = range(1, 11), range(11, 15)
    used, jumps = _used(ingest, frame, [*before, stray, *after])
    assert (used, jumps) == ([*before, *after], 0)
    account = ingest.stats()[0]['camera']
    assert (account.dropped.bad, account.newest_stamp_ns) == (1, 14 * 10**9)
    assert f'got stamp {round(stray * 1e9)} ns, ' in account.last_error


def test_a_stray_stamp_is_told_what_would_make_it_count(make_ingest, frame):
    ingest = make_ingest()
    for second in (10, 1e9):
        ingest.put(frame(second))
    assert '999999990.000 s after the newest one seen: a leap in time counts when the next' in (
        ingest.stats()[0]['camera'].last_error
    )


def test_stray_stamps_that_do_not_follow_each_other_confirm_none(make_ingest, frame):
    ingest = make_ingest()
    strays = [1e9, 2e9, 1e9, 1e9, 3.0, 2.0, 2.0]
    assert _used(ingest, frame, [9, 10, *strays, 11]) == ([9, 10, 11], 0)


@pytest.mark.parametrize('on_jump', ['reset', 'drop'])
def test_a_clock_set_ahead_is_followed_from_its_second_frame(make_ingest, frame, on_jump):
    ingest = make_ingest(on_jump=on_jump)
    used, jumps = _used(ingest, frame, [1, 2, 1e9, 1e9 + 1, 1e9 + 2])
    assert (used, jumps) == ([1, 2, 1e9 + 1, 1e9 + 2], 0)
    assert _dropped(ingest).bad == 1


def test_a_camera_may_pause_for_an_hour(make_ingest, frame):
    assert _used(make_ingest(), frame, [1, 3601, 7201])[0] == [1, 3601, 7201]


def test_each_round_of_a_bag_is_followed_from_its_second_frame(make_ingest, frame):
    ingest = make_ingest()
    bag = [1, 2, 3, 4, 5]
    used, jumps = _used(ingest, frame, bag * 3)
    assert (used, jumps) == (bag + bag[1:] * 2, 2)
    assert _dropped(ingest).bad == 2


def test_a_jump_back_just_over_the_limit_is_followed(make_ingest, frame):
    used, jumps = _used(make_ingest(), frame, [10.0, 8.9, 9.0, 9.1])
    assert (used, jumps) == ([10.0, 9.0, 9.1], 1)


def test_a_frame_of_an_unknown_camera_is_counted_and_named(make_ingest, frame):
    ingest = make_ingest(cameras=('left', 'right'))
    assert ingest.put(frame(1, camera='back')) is False
    unknown = ingest.stats().unknown
    assert (unknown.frames_in, unknown.dropped.bad) == (1, 1)
    assert "got a frame of camera 'back', expected one of left, right" in unknown.last_error


def test_names_are_kept_no_longer_than_a_name_may_be(make_ingest, frame):
    ingest = make_ingest()
    ingest.put(replace(frame(1), frame_id='f' * 10**6))
    ingest.put(frame(1, camera='c' * 10**6))
    (taken,), _ = ingest.take()
    assert taken.frame_id == 'f' * 256
    assert len(ingest.stats()[1].last_error) < 400


@pytest.mark.parametrize('camera', ['left', 'back'])
def test_a_frame_that_is_turned_away_is_counted_and_told(make_ingest, caplog, camera):
    ingest = make_ingest(cameras=('left', 'right'))
    ingest.turn_away(camera, BadFrame(f'camera {camera}: no time'))
    stats = ingest.stats()
    account = stats.cameras.get(camera, stats.unknown)
    assert (account.frames_in, account.dropped.bad) == (1, 1)
    assert account.last_error == f'camera {camera}: no time'
    assert f'bad frame dropped: camera {camera}: no time' in caplog.text


def test_a_bad_frame_gives_its_turn_to_the_next(make_ingest, frame):
    ingest = make_ingest(target_fps=1.0)
    ingest.put(frame(1))
    (taken,), _ = ingest.take()
    ingest.bad(taken, ValueError('torn'))
    assert ingest.put(frame(1.1))
    assert 'stamp 1000000000 ns: torn' in ingest.stats()[0]['camera'].last_error


def test_a_skipped_frame_is_dropped_by_the_gate_with_its_turn_spent(make_ingest, frame):
    ingest = make_ingest(target_fps=1.0)
    ingest.put(frame(1))
    (taken,), _ = ingest.take()
    ingest.skipped(taken)
    account = ingest.stats()[0]['camera']
    assert (account.frames_used, account.dropped.gate, account.waiting) == (0, 1, 0)
    assert account.used_stamp_ns == taken.stamp_ns  # the memory is as new as this frame
    assert not ingest.put(frame(1.5))


def test_blindness_counts_from_the_first_frame_passed_over(make_ingest, frame, until):
    ingest = make_ingest()
    assert ingest.blind_s() == 0.0
    ingest.put(frame(1))
    until(lambda: ingest.blind_s() > 0.02)
    ingest.put(frame(2))
    assert ingest.blind_s() > 0.02
    ingest.take()
    assert ingest.blind_s() == 0.0


def test_frames_in_are_used_dropped_or_waiting_at_any_moment_under_hammering(make_ingest, frame):
    ingest = make_ingest(cameras=('left', 'right'), target_fps=200.0)
    count, sums = 5000, []

    def produce(camera: str) -> None:
        for number in range(count):
            stamp_s = number * 0.001 if number % 100 else 0.0  # now and then a bad one
            ingest.put(frame(stamp_s, camera=camera))

    producers = [threading.Thread(target=produce, args=(name,)) for name in ('left', 'right')]
    for thread in producers:
        thread.start()
    taken = 0
    while any(thread.is_alive() for thread in producers) or ingest.waits:
        for seen in ingest.take()[0]:
            taken += 1
            if taken % 3 == 0:
                ingest.bad(seen, ValueError('every third'))
            elif taken % 3 == 1:
                ingest.skipped(seen)
            else:
                ingest.used(seen)
        sums.append(
            [
                (a.frames_in, a.frames_used + a.dropped.total + a.waiting)
                for a in ingest.stats()[0].values()
            ]
        )
    assert all(came == known for accounts in sums for came, known in accounts)
    for account in ingest.stats()[0].values():
        assert (account.frames_in, account.waiting) == (count, 0)


@pytest.mark.parametrize('pause_s', [0.001, 1.0, 10.0**6])
def test_after_an_earlier_life_the_first_frame_may_be_any_that_is_later(
    make_ingest, frame, pause_s
):
    ingest = make_ingest(cameras=('left', 'right'))
    ingest.resume({'left': 100 * 10**9})
    assert ingest.put(frame(100 + pause_s, camera='left'))
    assert ingest.put(frame(7, camera='right'))  # of which the memory holds nothing
    frames, jumped = ingest.take()
    assert len(frames) == 2 and not jumped
    assert _dropped(ingest, 'left').total == 0


def test_after_the_first_frame_of_a_new_life_a_leap_must_be_confirmed_as_ever(make_ingest, frame):
    ingest = make_ingest()
    ingest.resume({'camera': 100 * 10**9})
    ingest.put(frame(101))
    ingest.put(frame(10**6))
    assert _dropped(ingest).bad == 1
    assert [seen.stamp_ns for seen in ingest.take()[0]] == [101 * 10**9]


@pytest.mark.parametrize('second', [100.0, 99.5])
def test_a_frame_as_old_as_the_earlier_life_is_bad(make_ingest, frame, second):
    ingest = make_ingest()
    ingest.resume({'camera': 100 * 10**9})
    assert not ingest.put(frame(second))
    assert 'expected a later one' in ingest.stats()[0]['camera'].last_error


def test_time_that_began_anew_since_the_earlier_life_is_a_leap(make_ingest, frame):
    ingest = make_ingest()
    ingest.resume({'camera': 100 * 10**9})
    assert not ingest.put(frame(1))
    assert ingest.put(frame(2))
    frames, jumped = ingest.take()
    assert jumped and [seen.stamp_ns for seen in frames] == [2 * 10**9]


def test_a_clear_forgets_the_earlier_life(make_ingest, frame):
    ingest = make_ingest()
    ingest.resume({'camera': 100 * 10**9})
    ingest.restart()
    assert ingest.put(frame(1))


def test_what_goes_on_is_warned_of_ever_less_often(make_ingest, monkeypatch, caplog):
    clock = SimpleNamespace(s=1000.0)
    steady = SimpleNamespace(monotonic=lambda: clock.s)
    monkeypatch.setattr('livevlm_ros.engine.ingest.time', steady)
    ingest, told = make_ingest(), []
    for second in range(3600):
        clock.s = 1000.0 + second
        ingest.turn_away('camera', BadFrame('no picture'))
        if len(caplog.records) > len(told):
            told.append(second)
    assert told == [0, 5, 15, 35, 75, 155, 315, 635, 1235, 1835, 2435, 3035]
    clock.s += 1200.0
    for _ in range(2):
        clock.s += 5.0
        ingest.turn_away('camera', BadFrame('no picture'))
    assert len(caplog.records) == len(told) + 2
