# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from dataclasses import replace

import pytest

from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.replay.accuracy import accuracy_of
from livevlm_ros.replay.metric import Metric
from livevlm_ros.replay.outcome import Outcome
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.set_rules import measured, set_figures, set_lines, set_scores


def outcome(of_set: str, kind: str, right: bool, status: Status = Status.OK) -> Outcome:
    entry = QuestionEntry(at=9.0, question='q', type=kind, answer=('a',), set=of_set)
    return Outcome('r', entry, Answer(status, text='a' if right else 'b'), (), None, None)


def marks(of_set: str, **kinds: Sequence[int]) -> list[Outcome]:
    return [outcome(of_set, kind, bool(mark)) for kind, of in kinds.items() for mark in of]


def test_ovo_bench_is_the_mean_of_categories_and_each_of_its_tasks() -> None:
    made = set_scores(marks('OVO-Bench', EPM=[1, 1, 1, 1], HLD=[0], OCR=[1], REC=[0, 0, 1, 0]))
    row = made['OVO-Bench']
    assert row['categories'] == {
        'backward tracing': 0.5,
        'real-time perception': 1.0,
        'forward responding': 0.25,
    }
    assert row['score'] == pytest.approx(1.75 / 3) and row['n'] == 10


def test_other_sets_count_every_question_alike() -> None:
    kinds = {'1.1.1 Distance': [1, 1, 0], '1.2.1 Order': [0], '4.1 Map': [1, 1]}
    row = set_scores(marks('OVO-S-Bench', **kinds))['OVO-S-Bench']
    assert row['categories'] == {'level 1': 0.5, 'level 4': 1.0}
    assert row['score'] == pytest.approx(4 / 6)
    row = set_scores(marks('StreamingBench', Counting=[1, 0], Events=[1]))['StreamingBench']
    assert row['categories'] == {'Counting': 0.5, 'Events': 1.0}
    assert row['score'] == pytest.approx(2 / 3)


def test_a_set_scores_the_guess_however_unsure() -> None:
    guessed = outcome('OVO-Bench', 'EPM', True, Status.NOT_SEEN)
    assert guessed.correct is True
    assert replace(guessed, entry=replace(guessed.entry, set='')).correct is False


def test_unable_to_answer_is_an_absence() -> None:
    entry = QuestionEntry(at=1.0, question='q', answer=('Unable to answer',))
    assert Outcome('r', entry, Answer(Status.NOT_SEEN, text='x'), (), None, None).correct is True


def test_errors_are_told_by_kind_with_how_many_could_be_measured() -> None:
    def counted(text: str) -> Outcome:
        metric = Metric('number', (4.0,), 'minutes')
        entry = QuestionEntry(at=9.0, question='q', type='duration', set='NaVQA', metric=metric)
        return Outcome('r', entry, Answer(Status.OK, text=text), (), None, None)

    outcomes = [counted('5'), counted('9'), counted('4'), counted('long')]
    row = measured(outcomes)['duration']
    assert (row['n'], row['measured'], row['unit']) == (4, 3, 'minutes')
    assert (row['mean'], row['median']) == (2.0, 1.0)
    report = {'sets': set_scores(outcomes), 'measured': {'duration': row}}
    lines = dict(set_lines(report))
    off = '2.00 minutes in the mean, 1.00 median; measured in 3 of 4 answers'
    assert lines['duration off by'] == off
    assert lines['NaVQA'].startswith('by its rule: binary: exact; position: metres')
    assert set_figures(report) == {'NaVQA': '-', 'duration off by, in the mean': '2.00'}


def test_a_tolerance_makes_an_error_right_or_wrong() -> None:
    metric = Metric('number', (4.0,), 'times', 0.0)
    entry = QuestionEntry(at=9.0, question='q', type='REC', set='OVO-Bench', metric=metric)

    def said(text: str) -> bool | None:
        return Outcome('r', entry, Answer(Status.OK, text=text), (), None, None).correct

    assert [said(text) for text in ('4', '5', 'four')] == [True, False, False]
    rates = accuracy_of([Outcome('r', entry, Answer(Status.OK, text='4'), (), None, None)])
    assert rates['by_type']['REC']['rate'] == 1.0
    assert rates['by_type']['REC']['chance'] is rates['by_type']['REC']['majority'] is None
