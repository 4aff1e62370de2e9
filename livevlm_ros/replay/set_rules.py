# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The rules by which the authors of public sets score answers.

A question names its set. Options are chosen, so that an answer is a letter; a set differs in how
letters become a score, and in what is measured in metres or minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livevlm_ros.replay.outcome import Outcome

Report = dict[str, Any]

_OVO_BENCH = {
    **dict.fromkeys(('EPM', 'ASI', 'HLD'), 'backward tracing'),
    **dict.fromkeys(('OCR', 'ACR', 'ATR', 'STU', 'FPD', 'OJR'), 'real-time perception'),
    **dict.fromkeys(('REC', 'SSR', 'CRR'), 'forward responding'),
}


@dataclass(frozen=True, slots=True)
class SetRule:
    """
    How a set is scored.

    :param words: the rule, for people
    :param category: the category of a kind of question
    :param even: the score is the mean of the categories, each the mean of its kinds; else every
        question counts alike
    """

    words: str
    category: Callable[[str], str] = lambda kind: kind
    even: bool = False


SETS = {
    'OVO-S-Bench': SetRule(
        'right options of all questions, and of each level',
        category=lambda kind: f'level {kind[:1]}',
    ),
    'OVO-Bench': SetRule(
        'mean of three categories, each the mean of its tasks; right options, exact counts, '
        'yes or no',
        category=lambda kind: _OVO_BENCH.get(kind, kind),
        even=True,
    ),
    'StreamingBench': SetRule('right options of all questions, and of each task'),
    'NaVQA': SetRule(
        'binary: exact; position: metres from the frame looked at most; time and duration: '
        'minutes off'
    ),
    'normalised': SetRule('right options of all questions, and of each category'),
}


def set_scores(outcomes: Iterable[Outcome]) -> Report:
    """
    Score the questions of each set by its rule.

    :returns: by set: `rule`; `n` and `score` of the questions that are right or wrong, None
        without any; `categories` of them; see also `measured`
    """
    of_sets: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.entry.set:
            of_sets[outcome.entry.set].append(outcome)
    return {name: _scored(SETS[name], group) for name, group in sorted(of_sets.items())}


def measured(outcomes: Iterable[Outcome]) -> Report:
    """
    Say how far answers with a metric truth are off.

    :returns: by kind: `n` asked, how many were `measured`, for others gave no place, time or
        number; `mean` and `median` error in `unit`, None without any
    """
    kinds: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.entry.metric is not None:
            kinds[outcome.entry.type or 'untyped'].append(outcome)
    return {kind: _errors(group) for kind, group in sorted(kinds.items())}


def set_lines(report: Report) -> list[tuple[str, str]]:
    """Say in named lines what sets score and how far metric answers are off."""
    lines = []
    for name, row in report['sets'].items():
        parts = ', '.join(f'{part} {_percent(share)}' for part, share in row['categories'].items())
        score = f'{_percent(row["score"])} % of {row["n"]}: {parts}; ' if row['n'] else ''
        lines.append((name, f'{score}by its rule: {row["rule"]}'))
    return lines + [(f'{kind} off by', _off(row)) for kind, row in report['measured'].items()]


def set_rules(report: Report) -> list[tuple[str, str]]:
    """Say by which rule each set is scored."""
    return [(name, f'scored by its rule: {row["rule"]}') for name, row in report['sets'].items()]


def set_figures(report: Report) -> dict[str, str]:
    """Name the score of each set and the mean error of each kind, to be put side by side."""
    scores = {name: _percent(row['score']) for name, row in report['sets'].items()}
    errors = {
        f'{kind} off by, in the mean': '-' if row['mean'] is None else f'{row["mean"]:.2f}'
        for kind, row in report['measured'].items()
    }
    return scores | errors


def _scored(rule: SetRule, outcomes: Sequence[Outcome]) -> Report:
    kinds: defaultdict[str, list[bool]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.correct is not None:
            kinds[outcome.entry.type].append(outcome.correct)
    categories: defaultdict[str, list[list[bool]]] = defaultdict(list)
    for kind, marks in sorted(kinds.items()):
        categories[rule.category(kind)].append(marks)
    shares = {
        name: fmean(map(fmean, of_kinds)) if rule.even else fmean(sum(of_kinds, []))
        for name, of_kinds in sorted(categories.items())
    }
    marks = [mark for of_kind in kinds.values() for mark in of_kind]
    score = fmean(shares.values() if rule.even else marks) if marks else None
    return {'rule': rule.words, 'n': len(marks), 'score': score, 'categories': shares}


def _errors(outcomes: Sequence[Outcome]) -> Report:
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    metric = outcomes[0].entry.metric
    return {
        'n': len(outcomes),
        'measured': len(errors),
        'unit': metric.unit if metric else '',
        'mean': fmean(errors) if errors else None,
        'median': median(errors) if errors else None,
    }


def _off(row: Report) -> str:
    found = f'measured in {row["measured"]} of {row["n"]} answers'
    if not row['measured']:
        return found
    mean = f'{row["mean"]:.2f} {row["unit"]}'.strip()
    return f'{mean} in the mean, {row["median"]:.2f} median; {found}'


def _percent(share: float | None) -> str:
    return '-' if share is None else f'{100 * share:.1f}'
