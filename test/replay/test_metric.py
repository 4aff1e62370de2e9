# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from livevlm_ros.engine.messages import Answer, Evidence, Status
from livevlm_ros.pose import Pose
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.metric import Metric, read_metric


def answer(text: str = '', pose: Pose | None = None) -> Answer:
    seen = Evidence('camera', 10**9, 'camera', 'key', 0.5, pose=pose)
    return Answer(Status.OK, text=text, evidence=(seen,))


@pytest.mark.parametrize(
    'given',
    [
        {'where': [12.5, -3.0, 0.0], 'tolerance': 2.0},
        {'ago': 2.5, 'unit': 'minutes'},
        {'ago': 40.0, 'unit': 'seconds', 'tolerance': 5.0},
        {'number': 9.0, 'unit': 'cars'},
        {'number': 0.0, 'tolerance': 0.0},
    ],
)
def test_what_is_read_is_given_back(given: dict[str, Any]) -> None:
    metric = read_metric(given)
    assert metric is not None and metric.given() == given


def test_a_truth_is_said_in_words() -> None:
    assert Metric('where', (1.5, -2.0, 0.0), 'metres').in_words() == 'at 1.5, -2, 0'
    assert Metric('ago', (2.25,), 'minutes').in_words() == '2.25 minutes ago'
    assert Metric('number', (3.0,)).in_words() == '3'


@pytest.mark.parametrize(
    'given, says',
    [
        ([1, 2], 'metric must be such as'),
        ({'where': [1, 2, 3], 'ago': 2}, 'got keys where, ago'),
        ({'number': 1, 'about': 2}, 'got keys number, about'),
        ({'where': [1, 2]}, r'where must be \[x, y, z\]'),
        ({'where': [1, 2, 'up']}, "where must be a number, got 'up'"),
        ({'where': [1, 2, 3], 'unit': 'feet'}, 'where is in metres'),
        ({'ago': 3}, 'ago needs a unit, seconds or minutes'),
        ({'ago': -3, 'unit': 'seconds'}, 'ago must be a number, 0 or more'),
        ({'number': 3, 'tolerance': float('nan')}, 'tolerance must be a number'),
        ({'number': 3, 'unit': 4}, 'unit must be a word'),
    ],
)
def test_what_is_no_metric_is_refused(given: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_metric(given)


def test_a_place_is_measured_from_the_frame_looked_at_most() -> None:
    metric = Metric('where', (0.0, 0.0, 0.0), 'metres')
    assert metric.error(answer(pose=Pose(3.0, 4.0, 0.0)), [1.0], 9.0) == 5.0
    assert metric.error(answer(), [1.0], 9.0) is None
    assert metric.error(Answer(Status.OK), [], 9.0) is None


def test_a_time_ago_is_measured_in_its_unit() -> None:
    metric = Metric('ago', (2.0,), 'minutes')
    assert metric.error(answer(), [30.0, 170.0], 180.0) == pytest.approx(0.5)
    assert metric.error(answer(), [], 180.0) is None


@pytest.mark.parametrize(
    'said, error',
    [('about 2.5 minutes', 0.5), ('3', 0.0), ('two', None), ('', None), ('2 or 3', None)],
)
def test_a_number_is_the_only_one_that_is_said(said: str, error: float | None) -> None:
    assert Metric('number', (3.0,)).error(answer(said), [1.0], 9.0) == error
