# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from livevlm_ros.engine.messages import Status
from livevlm_ros.replay.reliability import (
    calibration_error,
    in_words,
    reliability,
    reliability_svg,
)


def of(outcome, confidence: float, **changes):
    return replace(outcome, answer=replace(outcome.answer, confidence=confidence, **changes))


def test_the_error_is_the_mean_distance_of_each_tenth() -> None:
    sure = np.array([0.95, 0.95, 0.95, 0.95, 0.35, 1.0])
    right = np.array([1, 1, 1, 0, 1, 1])
    assert calibration_error(sure, right) == pytest.approx((4.8 - 4 + 0.65) / 6)


def test_answers_without_a_word_or_a_truth_do_not_count(make_outcome) -> None:
    right, wrong = make_outcome(True), make_outcome(False)
    found = reliability(
        [
            of(right, 0.9),
            of(wrong, 0.1),
            of(right, 0.1, status=Status.NOT_SEEN),  # the best guess was right
            of(right, 0.0, completion_tokens=0),
            replace(right, entry=replace(right.entry, answer=())),
        ]
    )
    assert found['n'] == 3
    assert [(row['n'], row['correct']) for row in found['bins']] == [(2, 1), (1, 1)]
    assert found['ece'] == pytest.approx((0.8 + 0.1) / 3)


def test_nothing_is_said_of_nothing() -> None:
    assert reliability([]) == {'n': 0, 'ece': None, 'se': None, 'bins': []}


def test_streams_are_drawn_for_the_error_of_the_error(make_outcome) -> None:
    outcomes = [
        of(make_outcome(number % 3 > 0, recording=recording), 0.7)
        for recording in 'abc'
        for number in range(12)
    ]
    assert reliability(outcomes)['se'] == pytest.approx(0.0, abs=1e-9)
    assert reliability([of(each, 0.7) for each in outcomes[:12]])['se'] is None
    assert in_words(reliability(outcomes)) == '3.3 ± 0.0 % off, the mean of 36 answers'


def test_the_drawing_names_each_run(make_outcome, make_run) -> None:
    runs = [make_run(name, of(make_outcome(True), 0.8)) for name in ('balanced', 'other')]
    drawn = reliability_svg(runs)
    assert drawn.startswith('<?xml') and 'balanced: ECE 20.0 %' in drawn and 'other' in drawn
