# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.replay.accuracy import Report, accuracy_of, rate
from livevlm_ros.replay.outcome import Outcome
from livevlm_ros.replay.questions import QuestionEntry


def outcome(
    given: str,
    *answer: str,
    id: str = '1',
    type: str = 'color_of',
    age: int | None = None,
    choices: tuple[str, ...] = (),
) -> Outcome:
    entry = QuestionEntry(at=9.0, question='q', id=id, answer=answer, type=type, choices=choices)
    return Outcome('bag', entry, Answer(Status.OK, text=given), (), age, None)


def accuracy(*outcomes: Outcome) -> Report:
    return accuracy_of(outcomes)


def test_a_rate_has_its_binomial_standard_error() -> None:
    assert rate(90, 100) == {'n': 100, 'correct': 90, 'rate': 0.9, 'se': pytest.approx(0.03)}


def test_chance_is_the_accepted_share_of_the_choices() -> None:
    made = accuracy(
        outcome('x', 'a', 'b', choices=('a', 'b', 'c', 'd')),
        outcome('x', 'a', choices=('a', 'b', 'c', 'd')),
    )
    assert made['by_type']['color_of']['chance'] == pytest.approx(0.375)


def test_without_all_choices_chance_is_unknown() -> None:
    made = accuracy(outcome('x', 'a', choices=('a', 'b')), outcome('x', 'a'))
    assert made['by_type']['color_of']['chance'] is None


def test_majority_is_the_rate_of_the_commonest_accepted_answer() -> None:
    made = accuracy(outcome('x', 'a'), outcome('x', 'b'), outcome('x', 'b', 'c'))
    assert made['by_type']['color_of']['majority'] == pytest.approx(2 / 3)


def test_ages_fall_into_their_buckets() -> None:
    made = accuracy(*(outcome('a', 'a', age=age) for age in (1, 16, 17, 64, 65, 256, 1024, 1025)))
    counts = {name: row['n'] for name, row in made['by_age'].items()}
    assert counts == {'<=16': 2, '<=64': 2, '<=256': 2, '<=1024': 1, '>1024': 1}


def test_exists_is_balanced_between_yes_and_no() -> None:
    made = accuracy(
        *(outcome('yes', 'yes', id=f'exists-yes-{n}', type='exists') for n in range(3)),
        outcome('no', 'no', id='exists-easy_no-9', type='exists'),
        outcome('yes', 'no', id='exists-hard_no-8', type='exists'),
    )
    assert made['exists_balanced']['rate'] == pytest.approx(0.75)
    assert made['exists_balanced']['se'] == pytest.approx(math.sqrt(0.5 * 0.5 / 2) / 2)
    rates = {name: row['rate'] for name, row in made['by_variant'].items()}
    assert rates == {'exists/yes': 1.0, 'exists/easy_no': 1.0, 'exists/hard_no': 0.0}


def test_always_saying_no_is_worth_half() -> None:
    made = accuracy(
        outcome('no', 'yes', type='exists'), *(outcome('no', 'no', type='exists') for _ in 'abc')
    )
    assert made['exists_balanced']['rate'] == 0.5


def test_all_but_counts_and_what_is_in_view_are_also_rated_alone() -> None:
    made = accuracy(
        outcome('a', 'a', age=1),
        outcome('x', 'a', age=2),
        outcome('x', 'two', type='count_class'),
        outcome('x', 'two', type='count_now', age=1),
    )
    parts = ('without_count', 'now', 'past')
    rates = {part: (made[part]['correct'], made[part]['n']) for part in parts}
    assert rates == {'without_count': (1, 3), 'now': (1, 2), 'past': (0, 1)}
    assert made['now']['se'] == pytest.approx(math.sqrt(0.125))
    assert made['overall']['n'] == 4
