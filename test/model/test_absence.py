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
    assert not ABSENCE.says('never mind') and not ABSENCE.says('')
