# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math
import time

import pytest

from livevlm_ros.engine.budget import RESERVE_S, Average, Costs, Deadline


def test_a_deadline_counts_from_receipt_and_keeps_the_reserve():
    deadline = Deadline(time.monotonic() - 0.5, 2.0)
    assert deadline.left_s() == pytest.approx(1.5 - RESERVE_S, abs=0.1)
    assert Deadline(time.monotonic(), math.inf).left_s() == math.inf


def test_one_stall_hardly_moves_an_average():
    average = Average()
    for _ in range(5):
        average.add(0.01)
    average.add(3.0)
    assert average.value == pytest.approx(0.014)


@pytest.mark.parametrize(('before', 'after'), [(0.01, 0.05), (0.05, 0.01)])
def test_a_lasting_change_is_followed_within_a_dozen_samples(before, after):
    average = Average(before)
    for _ in range(12):
        average.add(after)
    assert average.value == pytest.approx(after, rel=0.5)


def test_the_first_sample_is_the_average():
    average = Average()
    average.add(0.2)
    assert average.value == 0.2


@pytest.mark.parametrize(
    ('left_s', 'fitting'),
    [(0.05, 0), (0.11, 1), (0.12, 2), (0.21, 11), (math.inf, math.inf)],
)
def test_tokens_that_fit_come_after_prefill_and_evidence(left_s, fitting):
    costs = Costs()
    costs.prefill.value, costs.finish.value, costs.token.value = 0.01, 0.01, 0.01
    assert costs.tokens_that_fit(left_s, prompt_tokens=10) == pytest.approx(fitting)


def test_the_cheapest_answer_to_an_unknown_question_takes_a_prompt_of_usual_length():
    costs = Costs()
    costs.prompt.value, costs.prefill.value, costs.finish.value = 8.0, 0.01, 0.002
    assert costs.cheapest_answer_s() == pytest.approx(0.082)
    assert costs.cheapest_answer_s(20) == pytest.approx(0.202)
