# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.model import Absence, CheckpointError

ABSENCE = Absence({'never': 0.02, 'no': 0.25})


def test_limits_are_read_from_the_checkpoint() -> None:
    read = Absence.from_settings({'absence': {'Never ': 0.02, 'no': 0.25}})
    assert read == ABSENCE
    assert Absence.from_settings({}) is None


@pytest.mark.parametrize(
    'entry',
    [{}, 0.1, ['never'], {False: 0.1}, {' ': 0.1}, {'never': 0}, {'never': 1.1}, {'never': 'x'}],
)
def test_what_are_no_limits_is_refused(entry) -> None:
    with pytest.raises(CheckpointError, match='memory.yaml: absence takes answers'):
        Absence.from_settings({'absence': entry})


def test_doubt_is_that_of_the_absence_nearest_to_its_limit() -> None:
    assert ABSENCE.doubt({'never': 0.01, 'no': 0.5}) == pytest.approx(2.0)
    assert ABSENCE.doubt({'Never': 0.06, 'red': 0.9}) == pytest.approx(3.0)
    assert ABSENCE.doubt({'red': 1.0}) == 0.0


def test_an_absence_is_told_by_its_words() -> None:
    assert ABSENCE.says(' Never') and ABSENCE.says('no')
    assert not ABSENCE.says('red') and not ABSENCE.says('')


@pytest.mark.parametrize(
    'text',
    ['no.', 'No, I did not see it', 'NO!', '"Never"', '**No**', 'no \u2014 it was not there'],
)
def test_an_absence_may_be_the_first_word_of_an_answer(text: str) -> None:
    assert ABSENCE.says(text)


@pytest.mark.parametrize(
    'text', ['yes, no doubt', 'not red', 'no-one', 'nobody', 'Norway', '.', '-']
)
def test_other_first_words_are_no_absence(text: str) -> None:
    assert not ABSENCE.says(text)


def test_an_absence_of_several_words_is_the_beginning_of_an_answer() -> None:
    absence = Absence({'unable to answer': 0.1})
    assert absence.says('Unable to answer.') and absence.says('unable to  answer: too dark')
    assert not absence.says('unable to') and not absence.says('unable to answering')
    assert not absence.says('I am unable to answer')
