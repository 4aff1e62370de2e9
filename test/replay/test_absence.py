# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""False memories, the limits that withhold them, and the right answers that these cost."""

from collections.abc import Sequence

import numpy as np
import pytest

from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.replay.absence import absence_curve, below, fitted_limits
from livevlm_ros.replay.outcome import Outcome
from livevlm_ros.replay.questions import QuestionEntry


def said(text: str, truth: str, doubt: float = 0.0) -> Outcome:
    entry = QuestionEntry(at=1.0, question='q', answer=(truth,))
    answer = Answer(Status.OK, text=text, completion_tokens=1, doubt=doubt)
    return Outcome('bag', entry, answer, (), None, None)


def fit(*asked: tuple[str, str, float, float]):
    """Fit answers, each with its truth, and how likely `never` and `no` were."""
    outcomes = [said(text, truth) for text, truth, _, _ in asked]
    shares = {'never': np.array([a[2] for a in asked]), 'no': np.array([a[3] for a in asked])}
    return fitted_limits(outcomes, shares)


KNOWN = [('never', 'never', 0.9, 0.0)] * 100 + [('no', 'no', 0.0, 0.9)] * 60
RIGHT = [('red', 'red', 0.001, 0.0)] * 200 + [('yes', 'yes', 0.0, 0.2)] * 20


def test_no_limit_is_lower_than_false_memories_ask_for() -> None:
    claims = [('red', 'never', 0.3, 0.0)] * 10 + [('yes', 'no', 0.0, 0.4)] * 10
    found = fit(*KNOWN, *RIGHT, *claims)
    assert found is not None
    assert found.limits == {'never': 0.29, 'no': 0.39}
    assert found.withheld.before['wrong'] == 20 and found.withheld.before['n'] == 180
    assert (found.withheld.after['wrong'], found.withheld.lost['lost']) == (0, 0)


def test_limits_are_lowered_where_fewer_right_answers_are_lost() -> None:
    claims = [('red', 'never', 0.05, 0.0)] * 8 + [('yes', 'no', 0.0, 0.1)]
    found = fit(*KNOWN, *RIGHT, *claims)
    assert found is not None
    assert found.limits == {'never': 0.049, 'no': 1.0}
    assert (found.withheld.after['wrong'], found.withheld.lost['lost']) == (1, 0)


def test_what_is_left_stays_below_the_target_with_its_error() -> None:
    sure = [('red', 'never', 0.0001, 0.0)] * 3
    found = fit(*KNOWN, *KNOWN, *RIGHT, *sure)
    assert found is not None and found.limits == {'never': 1.0, 'no': 1.0}
    found = fit(*KNOWN, *sure, ('red', 'red', 0.00001, 0.0))
    assert found is not None and found.limits['never'] == 0.00009


def test_no_more_right_answers_are_lost_than_may_be() -> None:
    claims = [('red', 'never', 0.05, 0.0)] * 4 + [('red', 'never', 0.0005, 0.0)] * 4
    found = fit(*KNOWN, *RIGHT, *claims)
    assert found is not None and found.limits['never'] == 0.049
    assert (found.withheld.after['wrong'], found.withheld.lost['lost']) == (4, 0)


def test_few_questions_about_absences_fit_nothing() -> None:
    assert fit(*KNOWN[:99], *RIGHT) is None
    assert fitted_limits([said('never', 'never')] * 100, {}) is None


@pytest.mark.parametrize('share, number', [(0.5, 0.49), (0.0211, 0.021), (0.02, 0.019), (0, 1e-7)])
def test_a_limit_has_two_digits(share: float, number: float) -> None:
    assert below(share) == pytest.approx(number)


def told(outcomes: Sequence[Outcome]) -> dict:
    return {row['max_doubt']: row for row in absence_curve(outcomes)}


def test_the_curve_goes_from_every_answer_withheld_to_none() -> None:
    curve = told(
        [
            said('never', 'never', doubt=40.0),
            said('red', 'never', doubt=3.0),
            said('red', 'never', doubt=0.0),
            said('yes', 'no', doubt=0.2),
            said('red', 'red', doubt=0.3),
            said('red', 'red', doubt=0.0),
            said('blue', 'red', doubt=9.0),
        ]
    )
    left = {most: row['false_memory']['wrong'] for most, row in curve.items()}
    lost = {most: row['lost']['lost'] for most, row in curve.items()}
    assert {row['false_memory']['n'] for row in curve.values()} == {4}
    assert {row['lost']['n'] for row in curve.values()} == {2}
    assert (left[0], lost[0]) == (0, 2), 'refuse everything'
    assert (left[None], lost[None]) == (3, 0), 'refuse nothing'
    assert (left[0.125], lost[0.125]) == (1, 1)
    assert (left[1], lost[1]) == (2, 0)
    assert (left[4], lost[4]) == (3, 0)
    assert absence_curve([said('red', 'never'), said('red', 'red')]) == []


@pytest.mark.parametrize('text', ['No, I did not see it.', 'never.', 'NO', 'Unable to answer.'])
def test_a_denial_is_neither_a_claim_nor_an_answer_to_lose(text: str) -> None:
    doubted = [said('red', 'red', doubt=0.3), said('red', 'never', doubt=0.3)]
    row = told([*doubted, said(text, 'never', doubt=9.0), said(text, text, doubt=9.0)])[None]
    assert row['false_memory']['wrong'] == 1
    assert row['lost']['n'] == 1
