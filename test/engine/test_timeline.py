# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The memory's own time, and the clocks of real cameras that it has to bear."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.messages import Frame
from livevlm_ros.engine.timeline import GAP_NS, LONGEST_GAP_NS, MOST_EPISODES, NEVER, Timeline

S = 10**9
HZ = 30
BEGAN = 1_700_000_000 * S


@pytest.fixture
def timeline() -> Timeline:
    """Give one that saw 100 to 200 s, and was set back to 150 s."""
    timeline = Timeline()
    for second in (100, 200):
        timeline.seen(timeline.stream_ns(second * S))
    timeline.leap(150 * S)
    timeline.seen(timeline.stream_ns(150 * S))
    return timeline


def test_without_a_leap_stream_time_is_the_stamp():
    timeline = Timeline()
    assert (timeline.stream_ns(7), timeline.header_ns(7), timeline.leaps) == (7, 7, 0)
    timeline.seen(7)
    assert (timeline.stream_ns(9), timeline.header_ns(5), timeline.leaps) == (9, 5, 0)


def test_a_step_back_goes_on_after_the_newest_frame(timeline):
    assert timeline.stream_ns(150 * S) == 200 * S + GAP_NS
    assert timeline.stream_ns(160 * S) == 210 * S + GAP_NS
    assert timeline.leaps == 1


def test_each_frame_keeps_the_stamp_it_came_with(timeline):
    assert [timeline.header_ns(second * S) for second in (100, 200)] == [100 * S, 200 * S]
    assert timeline.header_ns(200 * S + GAP_NS) == 150 * S
    assert timeline.header_ns(200 * S + GAP_NS - S) == 149 * S  # another camera, a little late
    assert timeline.header_ns(201 * S) == 201 * S  # out of a step that ran


def test_a_pause_is_no_leap_and_half_a_century_is_a_day():
    timeline = Timeline()
    timeline.seen(100)
    timeline.leap(100 + LONGEST_GAP_NS)
    assert timeline.leaps == 0
    timeline.leap(BEGAN)
    assert timeline.stream_ns(BEGAN) == 100 + LONGEST_GAP_NS
    assert timeline.header_ns(100 + LONGEST_GAP_NS) == BEGAN


def test_a_stamp_that_came_twice_lies_in_two_spans(timeline):
    both = ((150 * S, 160 * S), (200 * S + GAP_NS, 210 * S + GAP_NS))
    assert timeline.spans(150 * S, 160 * S) == both
    assert timeline.spans(120 * S, 130 * S) == ((120 * S, 130 * S),)
    assert timeline.spans(300 * S, 250 * S) == (NEVER,)


def test_the_last_time_a_stamp_was_reached_counts_as_of(timeline):
    assert timeline.as_of_ns(155 * S) == 205 * S + GAP_NS
    assert timeline.as_of_ns(120 * S) == 120 * S


def test_what_is_restored_translates_as_before(timeline):
    restored = Timeline()
    restored.restore(timeline.facts())
    for stream_ns in (50 * S, 100 * S, 200 * S, 200 * S + 1, 200 * S + GAP_NS):
        assert restored.header_ns(stream_ns) == timeline.header_ns(stream_ns)
    restored.seen(timeline.stream_ns(150 * S))
    restored.leap(10 * S)
    assert restored.stream_ns(10 * S) == 200 * S + 2 * GAP_NS


def test_a_clock_that_never_rests_fills_no_memory(timeline):
    for _ in range(2 * MOST_EPISODES):
        timeline.leap(150 * S)
        timeline.seen(timeline.stream_ns(150 * S))
    assert len(timeline.facts()) == MOST_EPISODES
    assert timeline.header_ns(timeline.stream_ns(150 * S)) == 150 * S


def _at(begin_ns: int, count: int = 20 * HZ) -> list[int]:
    """Return stamps at the rate of the camera, after one."""
    return [begin_ns + (number + 1) * S // HZ for number in range(count)]


BEFORE = _at(BEGAN, 60 * HZ)
END = BEFORE[-1]
ON = _at(END)

CLOCKS: dict[str, tuple[list[int], float, int]] = {  # stamps, share used at least, leaps at most
    'set back 0.5 s': (_at(END - S // 2), 0.95, 0),
    'set back 1.2 s': (_at(END - 12 * S // 10), 0.99, 1),
    'set back 5 s': (_at(END - 5 * S), 0.99, 1),
    'wraps after 2 ** 32 ms': (_at(END - 4294967296 * 10**6), 0.99, 1),
    'two frames 4.3 s in the past': (
        [*ON[:30], END - 3300 * 10**6, END - 3267 * 10**6, *_at(END + 11 * S // 10)],
        0.99,
        1,
    ),
    'one frame 4.3 s in the past': ([*ON[:30], END - 3300 * 10**6, *_at(END + S)], 0.99, 0),
    'every other frame 7 s in the past': (
        [stamp - 7 * S * (n % 2) for n, stamp in enumerate(ON)],
        0.49,
        0,
    ),
    'pairs of frames 7 s apart': ([s - 7 * S * (n % 4 > 1) for n, s in enumerate(ON)], 0.74, 150),
    'neighbours exchanged': (
        [s for pair in zip(ON[::2], ON[1::2], strict=True) for s in reversed(pair)],
        0.49,
        0,
    ),
    'two drivers 2 s apart': ([s for stamp in ON for s in (stamp, stamp - 2 * S)], 0.49, 0),
    'two drivers 0.5 s apart': ([s for stamp in ON for s in (stamp, stamp - S // 2)], 0.49, 0),
    'a bag that loops': (BEFORE, 0.99, 1),
    'not set before NTP': ([*_at(100 * S, 60), *_at(BEGAN)], 0.9, 2),
}


@pytest.mark.parametrize('name', CLOCKS)
def test_no_clock_costs_the_memory(name: str, looked_at: Callable[[list[int]], Ingest]) -> None:
    stamps, least, leaps = CLOCKS[name]
    ingest = looked_at([*BEFORE, *stamps])
    stats = ingest.stats()
    used = stats.cameras['camera'].frames_used - len(BEFORE)
    assert used >= least * len(stamps)
    assert stats.jumps <= leaps
    assert stats.resets == 0


def test_stamps_that_stand_still_are_bad_and_cost_nothing_else(looked_at) -> None:
    account = looked_at([*BEFORE, *[END] * 50]).stats().cameras['camera']
    assert (account.frames_used, account.dropped.bad) == (len(BEFORE), 50)


@pytest.fixture
def looked_at() -> Callable[[list[int]], Ingest]:
    """Show stamps to an ingest that uses each frame; the memory's time must rise and tell them."""

    def look(stamps: list[int]) -> Ingest:
        ingest = Ingest(('camera',), target_fps=1000.0, on_jump='keep')
        used: list[Frame] = []
        for stamp in stamps:
            ingest.put(Frame('camera', stamp, lambda: None))
            frames, cleared = ingest.take()
            assert not cleared
            for frame in frames:
                ingest.used(frame)
                used.append(frame)
        assert all(before.stream_ns < after.stream_ns for before, after in pairwise(used))
        told = [ingest.timeline.header_ns(frame.stream_ns) for frame in used]
        assert told == [frame.stamp_ns for frame in used]
        return ingest

    return look
