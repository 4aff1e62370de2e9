# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers worth looking at: wrong ones, or those in which presets differ, with their frames."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Sequence
from html import escape

from livevlm_ros.replay.answers_table import said
from livevlm_ros.replay.compare import Run
from livevlm_ros.replay.outcome import Outcome

SHOWN_ANSWERS = 12
MARKS = {True: ('right', '✓'), False: ('wrong', '✗'), None: ('', '')}  # class and sign

_Answers = dict[str, Outcome]  # to one question, by preset


def answers_section(runs: Sequence[Run]) -> list[str]:
    """
    Show wrong answers of a single run, or questions that only some of several answer right.

    Every question that has no truth to be scored by is shown.

    :returns: parts of a page, none where there is nothing to show
    """
    questions: defaultdict[tuple[str, str], _Answers] = defaultdict(dict)
    for run in runs:
        for outcome in run.evaluation.outcomes:
            questions[outcome.recording, outcome.entry.id][run.name] = outcome
    free = [answers for answers in questions.values() if _marks(answers) == {None}]
    told = [answers for answers in questions.values() if _worth_telling(answers)]
    parts = ['<h2>Answers</h2>', *map(_question, free)] if free else []
    if told:
        alone = len(runs) == 1
        title, which = ('Wrong answers', 'wrong') if alone else ('Where they differ', 'such')
        parts += [
            f'<h2>{title}</h2><p>{len(told)} {which} in all; one of each kind in turn, with the '
            'frames each answer looked at.</p>',
            *map(_question, _in_turn(told)[:SHOWN_ANSWERS]),
        ]
    return parts


def _worth_telling(answers: _Answers) -> bool:
    marks = _marks(answers)
    return marks == {False} if len(answers) == 1 else marks == {False, True}


def _marks(answers: _Answers) -> set[bool | None]:
    return {outcome.correct for outcome in answers.values()}


def _in_turn(questions: Sequence[_Answers]) -> list[_Answers]:
    """Order questions so that each kind shows once before any shows twice."""
    turns: Counter[str] = Counter()
    ranked = []
    for answers in questions:
        kind = _any(answers).entry.type
        turns[kind] += 1
        ranked.append((turns[kind], answers))
    return [answers for _, answers in sorted(ranked, key=lambda rank: rank[0])]


def _any(answers: _Answers) -> Outcome:
    return next(iter(answers.values()))


def _question(answers: _Answers) -> str:
    outcome = _any(answers)
    entry = outcome.entry
    spans = ' and '.join(f'{first:g} to {last:g}' for first, last in entry.shown)
    visible = f', visible at {spans} s' if spans else ''
    truths = [*entry.answer, *([entry.metric.in_words()] if entry.metric else ())]
    given = ''.join(_given(preset, answer) for preset, answer in answers.items())
    return (
        f'<div class="answer"><b>{escape(entry.question)}</b> '
        f'{escape(" or ".join(truths))}<br>'
        f'<small>{escape(outcome.recording)}, {escape(entry.id)}, asked at {entry.at:g} s'
        f'{visible}</small><div class="given">{given}</div></div>'
    )


def _given(preset: str, outcome: Outcome) -> str:
    mark, sign = MARKS[outcome.correct]
    frames = ''.join(
        f'<img alt="evidence at {second:.1f} s" title="{second:.1f} s" '
        f'src="{_jpeg(found.thumbnail_jpeg)}">'
        for found, second in zip(outcome.answer.evidence, outcome.evidence_s, strict=True)
        if found.thumbnail_jpeg
    )
    times = ', '.join(f'{second:.0f}' for second in outcome.evidence_s)
    return (
        f'<div>{escape(preset)}: <b class="{mark}">{sign} {escape(said(outcome))}</b>'
        f'<small> confidence {outcome.answer.confidence:.2f}'
        f'{f", looked at {times} s" if times else ""}</small><br>{frames}</div>'
    )


def _jpeg(data: bytes) -> str:
    return f'data:image/jpeg;base64,{base64.b64encode(data).decode()}'
