# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.replay.compare import paired
from livevlm_ros.replay.outcome import Outcome, accepted
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.reliability import reliability

ALIKE = [('-90', '90'), ('C++', 'C'), ('<5', '>5'), ('a car', 'the car')]


def chosen(choices: tuple[str, ...], place: int, *answer: str, **changes) -> Outcome:
    """Choose one of the choices."""
    entry = QuestionEntry(at=1.0, question='q', answer=answer, choices=choices)
    said = {'text': choices[place], 'choice_index': place, 'completion_tokens': 1, **changes}
    return Outcome('a', entry, Answer(**{'status': Status.OK, **said}), (), None, None)


@pytest.mark.parametrize('choices', ALIKE)
def test_choices_that_differ_in_signs_or_articles_are_two(choices: tuple[str, str]) -> None:
    right, wrong = (chosen(choices, place, choices[0]) for place in (0, 1))
    assert (right.correct, wrong.correct) == (True, False)
    assert [row['correct'] for row in reliability([right, wrong])['bins']] == [1]


def test_whatever_counts_answers_tells_such_choices_apart(make_run) -> None:
    right, wrong = (chosen(ALIKE[0], n, '-90', status=Status.NOT_SEEN) for n in (0, 1))
    runs = make_run('full', right), make_run('recent', wrong)
    assert [run.report['not_seen']['right_guesses'] for run in runs] == [1, 0]
    assert paired(*runs)['agreement']['same'] == 0


def test_an_accepted_answer_that_is_no_choice_is_compared_by_its_words() -> None:
    choices = ('red', 'blue')
    assert [chosen(choices, place, 'The Red').correct for place in (0, 1)] == [True, False]
    assert [chosen(choices, place, 'red', 'Blue').correct for place in (0, 1)] == [True, True]


def test_an_answer_in_any_words_is_compared_by_them() -> None:
    entry = QuestionEntry(at=1.0, question='q', answer=('red',), choices=('red', 'blue'))
    assert accepted(Answer(Status.OK, text='The Red.'), entry)
    assert not accepted(Answer(Status.OVERLOADED), entry)
