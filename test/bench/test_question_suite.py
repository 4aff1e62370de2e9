# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor

from livevlm_bench import first_token
from livevlm_bench.first_token import Bar, Row, Setting, measure, suite
from livevlm_bench.timed_layers import Language
from livevlm_ros.memory import Memory

REKV, LIVEVLM, BALANCED, FULL, RECENT = (
    Row(preset, 100) for preset in ('rekv', 'livevlm', 'balanced', 'full', 'recent')
)
LONGER = Row('balanced', 140)


def small(language: Callable[..., Language], dtype: torch.dtype, *bars: Bar) -> Setting:
    rows = (REKV, LIVEVLM, BALANCED, LONGER, FULL, RECENT)
    return Setting(lambda: language(dtype), rows, bars)


@pytest.fixture(
    scope='module', params=[torch.float32, torch.bfloat16], ids=['float32', 'bfloat16']
)
def found(
    request: pytest.FixtureRequest, language: Callable[..., Language]
) -> Iterator[dict[str, Any]]:
    bars = (Bar(REKV, LIVEVLM, 0.0, least=True), Bar(REKV, LIVEVLM, 0.0, least=False))
    return measure([small(language, request.param, *bars)], rounds=2)


def test_every_row_tells_its_time_beside_that_of_the_baseline(found: dict[str, Any]) -> None:
    rows = found['settings'][0]['rows']
    assert [row['name'] for row in rows] == [
        'rekv@100',
        'livevlm@100',
        'balanced@100',
        'balanced@140',
        'full@100',
        'recent@100',
    ]
    for row in rows:
        times = row['first_token_ms']
        assert 0 < times['p25'] <= times['p50'] <= times['p75']
        expected = rows[0]['first_token_ms']['p50'] / times['p50']
        assert row['times_as_fast'] == pytest.approx(expected)
        assert row['cpu_ms']['p50'] > 0
    assert json.loads(json.dumps(found)) == found


def test_rows_read_short_term_and_what_their_presets_bring(found: dict[str, Any]) -> None:
    rows = {row['name']: row for row in found['settings'][0]['rows']}
    brought = {'rekv@100': 64, 'livevlm@100': 24, 'full@100': 0, 'recent@100': 0}
    brought |= {'balanced@100': 30, 'balanced@140': 30}
    for name, frames in brought.items():
        short_term = 100 if name == 'full@100' else 16
        assert rows[name]['tokens_brought'] == frames * 18, name
        assert rows[name]['tokens_read'] == (short_term + frames) * 18, name
    pages = {name: row['pages_ranked'] for name, row in rows.items()}
    assert pages['rekv@100'] == 84  # of a frame each, where others have two
    assert (pages['balanced@100'], pages['balanced@140']) == (168, 248)
    assert pages['recent@100'] == pages['full@100'] == 0


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


def test_the_peers_are_timed_at_the_same_length_and_balanced_at_greater_ones() -> None:
    for setting, longer in zip(suite(), ([4096], [1024, 4096, 16_384]), strict=True):
        few = {row.preset for row in setting.rows if row.frames == 256}
        assert few == {'rekv', 'livevlm', 'balanced', 'full', 'recent'}
        lengths = [row.frames for row in setting.rows if row.preset == 'balanced']
        assert lengths == [256, *longer]


def test_a_quick_run_judges_nothing_and_reads_all_the_same() -> None:
    for setting in suite(quick=True):
        assert not setting.bars
        assert all(80 <= row.frames <= 128 for row in setting.rows)


def test_every_round_asks_all_memories_another_question_on_one_thread(
    language: Callable[..., Language], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, asked = [], []
    first = Language.first_token

    def watched(self: Language, question: Tensor, memory: Memory) -> Any:
        threads.append(torch.get_num_threads())
        asked.append(question)
        return first(self, question, memory)

    monkeypatch.setattr(Language, 'first_token', watched)
    before = torch.get_num_threads()
    setting = Setting(language, (REKV, BALANCED), ())
    measure([setting], rounds=2)
    assert set(threads) == {1} and torch.get_num_threads() == before
    of_one, of_other = asked[::2], asked[1::2]
    assert len(of_one) == 2 + first_token.WARM_UP
    assert all(map(torch.equal, of_one, of_other))
    assert not any(map(torch.equal, of_one, of_one[1:]))


def test_memories_are_given_back_though_one_of_them_fails(
    language: Callable[..., Language], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, number, filled = [], count(), first_token.filled

    def failing(*given: Any, **named: Any) -> Any:
        if next(number):
            raise MemoryError
        return filled(*given, **named)

    monkeypatch.setattr(first_token, 'filled', failing)
    monkeypatch.setattr(first_token.Memory, 'close', lambda self: closed.append(self))
    with pytest.raises(MemoryError):
        measure([Setting(language, (REKV, BALANCED), ())], rounds=2)
    assert len(closed) == 1
