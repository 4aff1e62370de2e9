# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.replay.recording_time import Moments, RecordingTime

YEAR = 365 * 86400


@pytest.mark.parametrize(
    ('stamps', 'seconds'),
    [
        ([10, 11, 13, 13.5], [0, 1, 3, 3.5]),
        ([10, 11, 9000, 13, 14], [0, 1, 1, 3, 4]),
        ([10, 11, 3, 4, 5], [0, 1, 1, 3, 4]),
        ([10, 11, 10 + YEAR, 11 + YEAR, 12 + YEAR], [0, 1, 1, 3, 4]),
        ([1, YEAR, 1 + YEAR, 2 + YEAR], [0, 0, 2, 3]),
        ([10, 11, 50_000, 50_001], [0, 1, 1, 49_991]),
        ([10, 10, 10, 11], [0, 0, 0, 1]),
    ],
    ids=['even', 'stray', 'set back', 'set ahead', 'stray first', 'long pause', 'still'],
)
def test_a_recording_goes_on_whatever_its_clock_does(stamps, seconds) -> None:
    time = RecordingTime()
    assert [time.after(round(stamp * 1e9)) / 1e9 for stamp in stamps] == seconds


def test_the_memory_s_times_are_moments_of_the_recording_after_a_leap_too() -> None:
    moments = Moments()
    for stream_ns, elapsed_ns in ((100, 0), (110, 10), (5000, 30), (5010, 40)):
        moments.note(stream_ns, elapsed_ns)
    assert moments.newest_ns == 5010
    assert [moments.elapsed_ns(ns) for ns in (100, 105, 5000, 5020)] == [0, 5, 30, 50]
    first_ns, last_ns = moments.span_ns(5e-9, 35e-9)
    assert (first_ns + 1000, last_ns - 1000) == (105, 5005)


def test_a_memory_that_was_cleared_has_times_anew() -> None:
    moments = Moments()
    for stream_ns, elapsed_ns in ((100, 0), (110, 10), (101, 30), (111, 40)):
        moments.note(stream_ns, elapsed_ns)
    assert [moments.elapsed_ns(ns) for ns in (101, 111)] == [30, 40]
