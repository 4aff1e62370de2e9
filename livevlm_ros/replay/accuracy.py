# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Rates of right answers, over all questions and over parts of them.

Each rate by kind comes with its standard error, the rate of guessing among the choices, and the
rate of always giving the kind's commonest answer.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from livevlm_ros.replay.outcome import Outcome

AGES = (16, 64, 256, 1024)

PARTS: Mapping[str, Callable[[Outcome], bool]] = {
    'without_count': lambda outcome: outcome.entry.type != 'count_class',
    'now': lambda outcome: outcome.age == 1,
    'past': lambda outcome: outcome.age is not None and outcome.age > 1,
}
"""Questions that are also looked at alone: all but those that count, those about what the newest
frame shows, and those about what only older ones showed."""

Report = dict[str, Any]


def accuracy_of(scored: Sequence[Outcome]) -> Report:
    """
    Compute the rates.

    :param scored: outcomes of questions that have an accepted answer or a tolerance
    :returns: `overall`, each of `PARTS`, `by_type`, `by_variant`, `by_age`, and `exists_balanced`
        where whether something exists was asked
    """
    by_type = groups(scored, lambda outcome: outcome.entry.type or 'untyped')
    by_variant = groups(
        (outcome for outcome in scored if outcome.variant),
        lambda outcome: f'{outcome.entry.type}/{outcome.variant}',
    )
    by_age = groups(scored, age_bucket)
    names = [*(f'<={age}' for age in AGES), f'>{AGES[-1]}']
    accuracy = {
        'overall': _right(scored),
        **{part: _right([o for o in scored if belongs(o)]) for part, belongs in PARTS.items()},
        'by_type': {
            kind: {**_right(group), 'chance': _chance(group), 'majority': _majority(group)}
            for kind, group in sorted(by_type.items())
        },
        'by_variant': {name: _right(group) for name, group in sorted(by_variant.items())},
        'by_age': {name: _right(by_age.get(name, [])) for name in names},
    }
    if 'exists' in by_type:
        accuracy['exists_balanced'] = _balanced(by_type['exists'])
    return accuracy


def rate(hits: int, n: int, *, key: str = 'correct') -> Report:
    """Return a rate with sample size and binomial standard error; None without samples."""
    if not n:
        return {'n': 0, key: 0, 'rate': None, 'se': None}
    share = hits / n
    return {'n': n, key: hits, 'rate': share, 'se': math.sqrt(share * (1 - share) / n)}


def age_bucket(outcome: Outcome) -> str:
    """Return the key of `by_age` that an outcome belongs to, '' without an age."""
    if outcome.age is None:
        return ''
    return next((f'<={limit}' for limit in AGES if outcome.age <= limit), f'>{AGES[-1]}')


def groups(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, list[Outcome]]:
    """Sort outcomes by a key."""
    sorted_by: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        sorted_by[key(outcome)].append(outcome)
    return sorted_by


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; None without values."""
    return sum(values) / len(values) if values else None


def _right(outcomes: Sequence[Outcome]) -> Report:
    return rate(sum(outcome.correct is True for outcome in outcomes), len(outcomes))


def _balanced(outcomes: Sequence[Outcome]) -> Report:
    """Return the mean of the rates where the truth is yes and where it is no."""
    sides = [
        _right([outcome for outcome in outcomes if ('yes' in outcome.entry.answer) is truth])
        for truth in (True, False)
    ]
    if not all(side['n'] for side in sides):
        return {'n': len(outcomes), 'rate': None, 'se': None}
    return {
        'n': len(outcomes),
        'rate': sum(side['rate'] for side in sides) / 2,
        'se': math.hypot(*(side['se'] for side in sides)) / 2,
    }


def _chance(outcomes: Sequence[Outcome]) -> float | None:
    """Return the mean share of accepted among the choices; None where choices are missing."""
    shares = [
        len(set(outcome.entry.choices) & set(outcome.entry.answer)) / len(outcome.entry.choices)
        for outcome in outcomes
        if outcome.entry.choices
    ]
    return mean(shares) if len(shares) == len(outcomes) else None


def _majority(outcomes: Sequence[Outcome]) -> float | None:
    """Return the rate of the one answer that is accepted most often; None of measured ones."""
    accepted = Counter(answer for outcome in outcomes for answer in set(outcome.entry.answer))
    return accepted.most_common(1)[0][1] / len(outcomes) if accepted else None
