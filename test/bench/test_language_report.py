# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from livevlm_bench.language_model import Tokens
from livevlm_bench.language_report import Asked, fingerprint, language_report, paired
from livevlm_bench.language_rows import TextRow
from livevlm_bench.text_memory import Told
from livevlm_bench.text_streams import Fact, TextStream
from livevlm_ros.memory import MemoryConfig


def _asked(
    row: str, right: bool | None, *, stream: int = 0, kind: str = 'single', age: int = 40,
    choices: int = 4, sure: float = -1.0, logp: float = -2.0, recall: float = 0.5,
) -> Asked:  # fmt: skip
    fact = Fact(kind, 'Who?', Tokens([1], [0]), 'me', choices)
    told = Told(right, logp, sure, None if right is None else recall, 320.0)
    return Asked(row, stream, fact, None if right is None else age, told)


ROWS = [TextRow('full', MemoryConfig('full')), TextRow('recent', MemoryConfig('recent'))]
FULL = [
    _asked('full', True, age=1, recall=0.1),
    _asked('full', True, age=17, recall=1.0, choices=8),
    _asked('full', False, stream=1, age=90, logp=-5.0, kind='two_hop', recall=0.0),
    _asked('full', None, stream=1, kind='not_said', sure=-3.0, logp=-50.0),
]
RECENT = [
    _asked('recent', True, age=1),
    _asked('recent', False, age=17, sure=-4.0, choices=8),
    _asked('recent', False, stream=1, age=90, kind='two_hop'),
    _asked('recent', None, stream=1, kind='not_said', sure=-2.0),
]


def test_rates_leave_out_what_was_not_said() -> None:
    report = language_report([*FULL, *RECENT], ROWS, tokens=1536)
    full = report['rows']['full']
    assert (full['right'], full['n']) == (pytest.approx(2 / 3), 3)
    assert full['se'] == pytest.approx(math.sqrt(2 / 9 / 3))
    assert full['logp'] == -3.0
    assert report['chance'] == pytest.approx((1 / 4 + 1 / 8 + 1 / 4) / 3)
    assert full['tokens_read'] == 320 and full['share_read'] == 320 / 1536
    assert report['rows']['recent']['right'] == pytest.approx(1 / 3)


def test_recall_is_that_of_facts_older_than_short_term() -> None:
    full = language_report([*FULL, *RECENT], ROWS, tokens=1536)['rows']['full']
    assert full['recall'] == 0.5  # of the ages 17 and 90


def test_ages_and_types_have_rates_of_their_own() -> None:
    full = language_report([*FULL, *RECENT], ROWS, tokens=1536)['rows']['full']
    ages = {name: (age['right'], age['n']) for name, age in full['by_age'].items()}
    assert ages == {'<=16': (1.0, 1), '<=64': (1.0, 1), '<=256': (0.0, 1), '<=1024': (None, 0)}
    assert full['by_type']['single']['right'] == 1.0
    assert full['by_type']['two_hop']['right'] == 0.0
    assert full['by_type']['recent']['n'] == 0


def test_how_sure_a_row_is_tells_what_was_said_from_what_was_not() -> None:
    rows = language_report([*FULL, *RECENT], ROWS, tokens=1536)['rows']
    assert rows['full']['by_type']['not_said'] == {
        'n': 1, 'sure': -3.0, 'sure_said': -1.0, 'told_apart': 1.0,
    }  # fmt: skip
    assert rows['recent']['by_type']['not_said']['told_apart'] == 0.5


def test_rows_are_compared_in_pairs_and_streams_are_resampled() -> None:
    pair = paired(RECENT, FULL)
    assert pair['difference'] == pytest.approx(-100 / 3)
    assert (pair['gained'], pair['lost'], pair['n'], pair['streams']) == (0, 1, 3, 2)
    assert pair['low'] <= pair['difference'] <= pair['high']
    assert pair['logp'] == pytest.approx(1.0)
    assert pair['logp_low'] <= 1.0 <= pair['logp_high']
    report = language_report([*FULL, *RECENT], ROWS, tokens=1536)
    assert report['paired'] == [{'candidate': 'recent', 'baseline': 'full', **pair}]


def test_of_one_stream_no_interval_is_told() -> None:
    pair = paired(RECENT[:2], FULL[:2])
    assert pair['low'] is None and pair['logp_low'] is None


def test_each_question_tells_what_each_row_made_of_it() -> None:
    questions = language_report([*FULL, *RECENT], ROWS, tokens=1536)['questions']
    assert [question['age'] for question in questions] == [1, 17, 90, None]
    assert questions[1]['rows']['full']['right'] and not questions[1]['rows']['recent']['right']


def test_other_streams_have_another_fingerprint() -> None:
    one, other = TextStream([1, 2], []), TextStream([1, 3], [])
    assert fingerprint([one]) == fingerprint([TextStream([1, 2], [])])
    assert len({fingerprint(of) for of in ([one], [other], [one, other])}) == 3
