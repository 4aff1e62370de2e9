# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whose clock counts when that of one camera leaps beside another's."""

from itertools import zip_longest
from types import SimpleNamespace

import pytest

from livevlm_ros.engine.ingest import Ingest

DAY = 86400.0


@pytest.fixture
def pair() -> Ingest:
    return Ingest(('left', 'right'), target_fps=1000.0, on_jump='reset')


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """Give a steady clock that stands still until it is set."""
    clock = SimpleNamespace(s=1000.0)
    steady = SimpleNamespace(monotonic=lambda: clock.s)
    monkeypatch.setattr('livevlm_ros.engine.slot.time', steady)
    return clock


def _both(pair: Ingest, frame, left, right) -> dict[str, list[float]]:
    """Show frames of two cameras in turn, all used at once; return the seconds used of each."""
    used = {'left': [], 'right': []}
    for seconds in zip_longest(left, right):
        for camera, second in zip(used, seconds, strict=True):
            if second is None:
                continue
            pair.put(frame(second, camera=camera))
            for seen in pair.take()[0]:
                pair.used(seen)
                used[camera].append(seen.stamp_ns / 1e9)
    return used


@pytest.mark.parametrize('off', [-1.6e9, -30 * DAY, -3600, -20, 3700, 400 * DAY])
def test_a_clock_that_leaps_alone_makes_its_own_frames_bad(pair, frame, off):
    now, on = 1.7e9, range(1, 9)
    used = _both(pair, frame, [now + s for s in on], [now + s + (s > 3) * off for s in on])
    assert used == {'left': [now + s for s in on], 'right': [now + 1, now + 2, now + 3]}
    assert (pair.stats()[2], pair.stats()[0]['right'].dropped.bad) == (0, 5)
    differs = f'its clock differs by {abs(off):.3f} s from that of camera left, which goes on'
    error = pair.stats()[0]['right'].last_error
    assert error.startswith(
        f'camera right: got stamp {round(1e9 * (now + 8 + off))} ns, {differs}'
    )


def test_strays_of_the_camera_that_goes_on_confirm_no_leap_of_the_other(pair, frame):
    left = [1000, 1001, 1.0, 1002, 1002, 1003, 0.5, 1004]
    used = _both(pair, frame, left, [1000, 1001, 1, 2, 3, 4, 5, 6])
    assert used == {'left': [1000, 1001, 1002, 1003, 1004], 'right': [1000, 1001]}
    assert pair.stats()[2] == 0


def test_a_clock_that_is_mended_is_followed_at_once(pair, frame):
    used = _both(pair, frame, range(1000, 1008), [1000, 1, 2, 3, 1004, 1005, 1006, 1007])
    assert used['right'] == [1000, 1004, 1005, 1006, 1007]


@pytest.mark.parametrize('back', [True, False])
def test_a_leap_that_both_cameras_make_is_followed(pair, frame, back):
    before, after = (1e6, 10) if back else (10, 1e6)
    seconds = [*(before + s for s in range(5)), *(after + s for s in range(6))]
    used = _both(pair, frame, seconds, [second + 0.1 for second in seconds])
    assert used['left'][5:] == [after + s for s in range(2, 6)]
    assert used['right'][5:] == [after + s + 0.1 for s in range(1, 6)]
    assert pair.stats()[2] == back


def test_a_leap_is_followed_when_the_other_camera_has_fallen_silent(pair, frame, clock):
    _both(pair, frame, [1000, 1001], [1000, 1001])
    clock.s += 9
    assert _both(pair, frame, [1, 2], []) == {'left': [], 'right': []}
    clock.s += 2
    assert _both(pair, frame, [3, 4], []) == {'left': [3, 4], 'right': []}
    assert pair.stats()[2] == 1


def test_a_camera_that_films_once_a_minute_goes_on(pair, frame, clock):
    for minute in range(1, 4):
        _both(pair, frame, [60 * minute], [60 * minute])
        clock.s += 60
    assert _both(pair, frame, [1, 2, 3], [240])['left'] == []
    assert pair.stats()[2] == 0


@pytest.mark.parametrize('zone', [0, 3 * 3600], ids=['same zone', 'three hours late'])
def test_a_camera_that_pauses_for_hours_while_another_goes_on_is_welcome_back(pair, frame, zone):
    left = range(20000, 30000, 1000)
    right = [second - zone if second in (20000, 29000) else None for second in left]
    assert _both(pair, frame, left, right)['right'] == [20000 - zone, 29000 - zone]
    assert pair.stats()[0]['right'].dropped.bad == 0
