# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.engine import Question, Scope
from livevlm_ros.engine.reading import filter_of, scope_of
from livevlm_ros.engine.timeline import Timeline
from livevlm_ros.memory import ReadFilter

NOW_NS = 100 * 10**9


def test_a_bare_question_reads_everything():
    assert filter_of(Question('now ?'), Timeline(), newest_ns=NOW_NS) == ReadFilter()


@pytest.mark.parametrize(
    ('fields', 'bounds'),
    [
        ({'time_start_ns': 5}, (5, None)),
        ({'time_end_ns': 9}, (None, 9)),
        ({'time_start_ns': 5, 'time_end_ns': 9}, (5, 9)),
        ({'as_of_ns': 7}, (None, 7)),
        ({'as_of_ns': 7, 'time_end_ns': 9}, (None, 7)),
        ({'as_of_ns': 9, 'time_end_ns': 7}, (None, 7)),
        ({'lookback_s': 1.5}, (NOW_NS - 1_500_000_000, None)),
        ({'lookback_s': 1.5, 'as_of_ns': 2 * 10**9}, (500_000_000, 2 * 10**9)),
        ({'lookback_s': 500.0}, (NOW_NS - 500 * 10**9, None)),  # longer than the stream
    ],
)
def test_times_bound_what_is_read(fields, bounds):
    reading = filter_of(Question('now ?', **fields), Timeline(), newest_ns=NOW_NS)
    assert (reading.first_ns, reading.last_ns) == bounds


@pytest.mark.parametrize(
    ('fields', 'reading'),
    [
        ({'time_start_ns': 95, 'time_end_ns': 98}, ReadFilter(spans=((95, 98), (105, 108)))),
        ({'time_start_ns': 99}, ReadFilter(spans=((99, 100), (109, 2**62)))),
        ({'time_end_ns': 20}, ReadFilter(spans=((-(2**62), 20),))),
        ({'time_start_ns': 101, 'time_end_ns': 102}, ReadFilter(spans=((111, 112),))),
        ({'as_of_ns': 98}, ReadFilter(last_ns=108)),
        ({'as_of_ns': 80}, ReadFilter(last_ns=80)),
        ({'as_of_ns': 93, 'lookback_s': 4e-9}, ReadFilter(first_ns=99, last_ns=103)),
        ({'lookback_s': 7e-9}, ReadFilter(first_ns=103)),
    ],
)
def test_a_stamp_that_came_twice_is_read_both_times_and_as_of_is_the_last(fields, reading):
    timeline = Timeline()
    timeline.restore([[1, 0, 1], [101, 10, 91]])  # set back from 100 to 91
    assert filter_of(Question('now ?', **fields), timeline, newest_ns=110) == reading


def test_only_the_cameras_asked_for_are_read():
    reading = filter_of(Question('now ?', cameras=('left', 'rear')), Timeline(), newest_ns=NOW_NS)
    assert reading == ReadFilter(cameras=frozenset({'left', 'rear'}))


@pytest.mark.parametrize(
    ('scope', 'reading'),
    [
        (Scope.AUTO, ReadFilter()),
        (Scope.ALL, ReadFilter()),
        (Scope.SHORT_TERM, ReadFilter(long_term=False)),
        (Scope.LONG_TERM, ReadFilter(short_term=False)),
        (Scope.NOW, ReadFilter(long_term=False, newest_only=True)),
    ],
)
def test_a_scope_is_a_part_of_the_memory(scope, reading):
    assert filter_of(Question('now ?', scope=scope), Timeline(), newest_ns=NOW_NS) == reading


@pytest.mark.parametrize(
    ('reading', 'retrieves', 'scope'),
    [
        (ReadFilter(), True, Scope.ALL),
        (ReadFilter(), False, Scope.SHORT_TERM),
        (ReadFilter(long_term=False), True, Scope.SHORT_TERM),
        (ReadFilter(short_term=False), True, Scope.LONG_TERM),
        (ReadFilter(long_term=False, newest_only=True), True, Scope.NOW),
    ],
)
def test_an_answer_says_which_part_it_has_read(reading, retrieves, scope):
    assert scope_of(reading, retrieves=retrieves) is scope
