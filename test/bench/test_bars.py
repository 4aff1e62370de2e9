# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_bench.bars import bar, bar_words
from livevlm_bench.rounds import Quartiles


@pytest.mark.parametrize(
    ('limit', 'met'),
    [
        ({'least': 2.0}, True),
        ({'least': 2.1}, False),
        ({'most': 2.0}, True),
        ({'most': 1.9}, False),
    ],
)
def test_a_bar_that_is_reached_is_met(limit: dict[str, float], met: bool) -> None:
    judged = bar('a / b', 8.0, 4.0, **limit)
    assert judged['met'] is met
    assert judged['numbers'] == [8.0, 4.0] and judged['value'] == 2.0


def test_the_median_of_the_rounds_is_judged_where_there_are_rounds() -> None:
    judged = bar('a / b', 8.0, 4.0, least=2.0, rounds=Quartiles(1.7, 1.9, 2.3))
    assert judged['value'] == 1.9 and not judged['met']
    assert bar_words(judged) == 'a / b = 8.0 ms / 4.0 ms = 1.90 (1.70 to 2.30), at least 2: missed'


def test_a_bar_gives_both_numbers_and_says_whether_it_is_met() -> None:
    met = bar('rekv / livevlm', 30.0, 12.0, least=1.5)
    assert bar_words(met) == 'rekv / livevlm = 30.0 ms / 12.0 ms = 2.50, at least 1.5: met'
    missed = bar('a / b', 30.0, 12.0, most=1.2, unit='MB')
    assert bar_words(missed) == 'a / b = 30.0 MB / 12.0 MB = 2.50, at most 1.2: missed'
