# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import torch

from livevlm_bench import first_token
from livevlm_bench.first_token import Bar, Row, Setting, measure, suite
from livevlm_bench.language import Language
from livevlm_bench.reads import Reads

REKV, LIVEVLM, BALANCED = (Row(preset, 100) for preset in ('rekv', 'livevlm', 'balanced'))
LONGER, RECENT = Row('balanced', 140), Row('recent', 100)


def small(language: Callable[..., Language], dtype: torch.dtype, *bars: Bar) -> Setting:
    return Setting(lambda: language(dtype), (REKV, LIVEVLM, BALANCED, LONGER, RECENT), bars)


@pytest.fixture(
    scope='module', params=[torch.float32, torch.bfloat16], ids=['float32', 'bfloat16']
)
def found(
    request: pytest.FixtureRequest, language: Callable[..., Language], reads: Reads
) -> Iterator[dict[str, Any]]:
    bars = (Bar(REKV, LIVEVLM, 0.0, least=True), Bar(REKV, LIVEVLM, 0.0, least=False))
    return measure([small(language, request.param, *bars)], reads, rounds=2)


def test_every_row_tells_its_time_beside_that_of_the_baseline(found: dict[str, Any]) -> None:
    rows = found['settings'][0]['rows']
    assert [row['name'] for row in rows] == [
        'rekv@100',
        'livevlm@100',
        'balanced@100',
        'balanced@140',
        'recent@100',
    ]
    for row in rows:
        times = row['first_token_ms']
        assert 0 < times['p25'] <= times['p50'] <= times['p75']
        expected = rows[0]['first_token_ms']['p50'] / times['p50']
        assert row['times_as_fast'] == pytest.approx(expected)
    assert json.loads(json.dumps(found)) == found


def test_rows_read_as_much_as_was_counted(found: dict[str, Any]) -> None:
    read = {row['name']: row['tokens_read'] / 18 for row in found['settings'][0]['rows']}
    assert read['rekv@100'] == 80
    assert read['recent@100'] == 16
    for name, frames in (('livevlm@100', 38), ('balanced@100', 22), ('balanced@140', 22)):
        assert read[name] == pytest.approx(frames, abs=1.5)  # half a page, and what fills none


def test_bars_are_judged_by_the_medians(found: dict[str, Any]) -> None:
    above, below = found['settings'][0]['bars']
    rows = {row['name']: row['first_token_ms']['p50'] for row in found['settings'][0]['rows']}
    assert above['value'] == pytest.approx(rows['rekv@100'] / rows['livevlm@100'])
    assert above['met'] and not below['met']


@pytest.mark.parametrize(
    ('least', 'limit', 'met'), [(True, 2.0, True), (True, 2.1, False), (False, 2.0, True)]
)
def test_a_bar_that_is_reached_is_met(least: bool, limit: float, met: bool) -> None:
    judged = Bar(REKV, LIVEVLM, limit, least=least).judge({'rekv@100': 8.0, 'livevlm@100': 4.0})
    assert judged['met'] is met
    assert judged['ms'] == [8.0, 4.0] and judged['value'] == 2.0


def test_the_suite_has_the_bars_that_were_promised() -> None:
    large, embedded = suite()
    bars = [(bar.slow.name, bar.fast.name, bar.limit, bar.least) for bar in large.bars]
    assert bars == [
        ('rekv@256', 'livevlm@256', 1.5, True),
        ('rekv@256', 'balanced@256', 2.0, True),
        ('balanced@4096', 'balanced@256', 1.2, False),
    ]
    (bar,) = embedded.bars
    assert (bar.slow.name, bar.fast.name, bar.limit) == ('balanced@16384', 'balanced@256', 1.2)
    for setting in suite():
        named = {row for bar in setting.bars for row in (bar.slow, bar.fast)}
        assert named <= set(setting.rows)


def test_a_quick_run_judges_nothing_and_reads_all_the_same() -> None:
    for setting in suite(quick=True):
        assert not setting.bars
        assert all(80 <= row.frames <= 128 for row in setting.rows)


def test_questions_are_new_every_time_and_timed_on_one_thread(
    language: Callable[..., Language], reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, asked = [], []
    question = first_token.Memory.question

    def watched(self: Any, **given: Any) -> Any:
        threads.append(torch.get_num_threads())
        asked.append(given['asked'])
        return question(self, **given)

    monkeypatch.setattr(first_token.Memory, 'question', watched)
    before = torch.get_num_threads()
    setting = Setting(language, (REKV, BALANCED), ())
    measure([setting], reads, rounds=2)
    assert set(threads) == {1} and torch.get_num_threads() == before
    of_one = asked[::2]
    assert len(of_one) == 2 + first_token.WARM_UP
    assert not any(one.startswith(other) for one in of_one for other in of_one if one is not other)


def test_memories_are_given_back_though_one_of_them_fails(
    language: Callable[..., Language], reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, number, filled = [], count(), first_token.filled

    def failing(*given: Any, **named: Any) -> Any:
        if next(number):
            raise MemoryError
        return filled(*given, **named)

    monkeypatch.setattr(first_token, 'filled', failing)
    monkeypatch.setattr(first_token.Memory, 'close', lambda self: closed.append(self))
    with pytest.raises(MemoryError):
        measure([Setting(language, (REKV, BALANCED), ())], reads, rounds=2)
    assert len(closed) == 1
