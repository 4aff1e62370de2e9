# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The CAP card: context, accuracy and performance as a user meets them, and which of them is paid.

After The CAP Principle for LLM Serving, arXiv 2405.11299: a memory gains two of the goals at the
cost of the third. Which one a preset pays is measured here, against the best preset of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from livevlm_ros.replay.accuracy import AGES, Report, age_bucket
from livevlm_ros.replay.outcome import Outcome

FRESH = f'<={AGES[0]}'
HOLDS = 0.9
"""Share of the accuracy on fresh questions that older ones must reach."""

FREE = 0.95
"""Share of the best preset from which on a goal counts as not paid."""


def cap_cards(runs: Sequence[tuple[Report, Sequence[Outcome]]]) -> list[Report]:
    """
    Measure the three goals of each run and name the one it pays.

    :param runs: reports, and the outcomes they were made of
    :returns: a card each: `context`, how far back answers hold 90 % of the accuracy on fresh
        questions; `accuracy` over all questions, beside guessing and the commonest answers;
        `performance`; `gives_up`, what its preset is made to pay with; `pays`, the goal with the
        smallest share of the best run's, None for a single run. A run whose reading an oracle
        chose, or that read no frame, pays nothing, and none is measured against it
    """
    cards: list[Report] = [
        {
            'name': report['name'],
            'preset': report['preset'],
            'gives_up': report['gives_up'],
            'oracle': report['settings']['oracle'],
            'alone': report['settings']['alone'],
            'context': _context(report, outcomes),
            'accuracy': {
                **report['accuracy']['overall'],
                'chance': over_kinds(report, 'chance'),
                'majority': over_kinds(report, 'majority'),
            },
            'performance': {'first_token_p95_ms': report['latency_ms']['first_token']['p95']},
        }
        for report, outcomes in runs
    ]
    rivals = [card for card in cards if not (card['oracle'] or card['alone'])]
    payments = [_payment(card, rivals) if card in rivals else None for card in cards]
    return [{**card, 'pays': paid} for card, paid in zip(cards, payments, strict=True)]


def _context(report: Report, outcomes: Sequence[Outcome]) -> Report:
    """
    Walk from fresh to old until answers no longer hold.

    :returns: the oldest age asked within the last bucket that holds, in `frames` and `seconds`,
        None without a right fresh answer; `fails` is the bucket that does not hold, None when all
        that was asked does, so that the true reach may be longer
    """
    asked = {age: row for age, row in report['accuracy']['by_age'].items() if row['n']}
    fresh = asked[FRESH]['rate'] if FRESH in asked else 0.0
    if not fresh:
        return {'frames': None, 'seconds': None, 'fails': None}
    # Rates are ratios of small counts: equal ones must not differ by rounding.
    held = list(takewhile(lambda age: asked[age]['rate'] >= HOLDS * fresh - 1e-9, asked))
    reached = [
        (outcome.age, outcome.entry.at - outcome.entry.evidence[1])
        for outcome in outcomes
        if outcome.correct is not None
        and outcome.age
        and outcome.entry.evidence
        and age_bucket(outcome) == held[-1]
    ]
    return {
        'frames': max(frames for frames, _ in reached),
        'seconds': max(seconds for _, seconds in reached),
        'fails': next((age for age in asked if age not in held), None),
    }


def over_kinds(report: Report, key: str) -> float | None:
    """Return a rate by kind over all questions; None where a kind does not have it."""
    kinds = report['accuracy']['by_type'].values()
    if not kinds or any(kind[key] is None for kind in kinds):
        return None
    return float(sum(kind['n'] * kind[key] for kind in kinds) / sum(kind['n'] for kind in kinds))


def _payment(card: Report, cards: Sequence[Report]) -> Report | None:
    """Find the goal in which a card is furthest from the best one."""
    if len(cards) < 2:
        return None
    shares = {}
    for goal, value in _goals(card).items():
        best = max(cards, key=lambda other: _goals(other).get(goal, 0.0))
        shares[goal] = value / _goals(best)[goal] if value else 0.0, best
    if not shares or min(share for share, _ in shares.values()) >= FREE:
        words = f'nothing: each goal within {100 * (1 - FREE):.0f} % of the best'
        return {'goal': None, 'share': None, 'words': words}
    goal = min(shares, key=lambda name: shares[name][0])
    share, best = shares[goal]
    says = {'context': 'reaches', 'accuracy': 'answers', 'performance': 'first token (p95) after'}
    ours, theirs = _value(card, goal), _value(best, goal)
    words = f'{goal}: {says[goal]} {ours}, against {theirs} with {best["name"]}'
    return {'goal': goal, 'share': share, 'words': words}


def _goals(card: Report) -> Mapping[str, float]:
    """Return what is known of the goals, each such that more is better."""
    milliseconds = card['performance']['first_token_p95_ms']
    known = {
        'context': card['context']['frames'],
        'accuracy': card['accuracy']['rate'],
        'performance': 1 / milliseconds if milliseconds else None,
    }
    return {goal: value for goal, value in known.items() if value is not None}


def _value(card: Report, goal: str) -> str:
    """Write a goal's measure with its unit."""
    if goal == 'context':
        return f'{card["context"]["frames"]} frames'
    if goal == 'accuracy':
        return f'{100 * card["accuracy"]["rate"]:.1f} % right'
    return f'{card["performance"]["first_token_p95_ms"]:.1f} ms'
