# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor

from livevlm_bench import question_suite
from livevlm_bench.question_suite import (
    ANSWER,
    FIRST_TOKEN,
    WARM_UP,
    Bar,
    Row,
    Setting,
    measure,
    suite,
)
from livevlm_bench.rounds import Lap, Quartiles
from livevlm_bench.timed_layers import Language
from livevlm_ros.memory import Memory

AUTHORS, REKV, LIVEVLM, BALANCED, FULL, RECENT = (
    Row(name, 100) for name in ('rekv-authors', 'rekv', 'livevlm', 'balanced', 'full', 'recent')
)
LONGER = Row('balanced', 140)


def small(language: Callable[..., Language], dtype: torch.dtype, *bars: Bar) -> Setting:
    rows = (AUTHORS, REKV, LIVEVLM, BALANCED, LONGER, FULL, RECENT)
    return Setting(lambda: language(dtype), rows, bars)


@pytest.fixture(
    scope='module', params=[torch.float32, torch.bfloat16], ids=['float32', 'bfloat16']
)
def found(
    request: pytest.FixtureRequest, language: Callable[..., Language]
) -> Iterator[dict[str, Any]]:
    bars = (Bar(ANSWER, REKV, LIVEVLM, least=0.0), Bar(ANSWER, REKV, LIVEVLM, most=0.0))
    return measure([small(language, request.param, *bars)], rounds=2, answer_tokens=3)


def test_every_row_tells_its_time_beside_that_of_the_baseline(found: dict[str, Any]) -> None:
    rows = found['settings'][0]['rows']
    assert [row['name'] for row in rows] == [
        'rekv-authors@100',
        'rekv@100',
        'livevlm@100',
        'balanced@100',
        'balanced@140',
        'full@100',
        'recent@100',
    ]
    for row in rows:
        for mark in (FIRST_TOKEN, ANSWER):
            times, faster = row[mark]['wall_ms'], row[mark]['times_as_fast']
            assert 0 < times['p25'] <= times['p50'] <= times['p75']
            assert 0 < faster['p25'] <= faster['p50'] <= faster['p75']
            assert row[mark]['cpu_ms']['p50'] > 0
        assert row[FIRST_TOKEN]['wall_ms']['p50'] < row[ANSWER]['wall_ms']['p50']
    assert rows[0][ANSWER]['times_as_fast']['p50'] == 1.0
    assert json.loads(json.dumps(found)) == found


def test_rows_read_short_term_and_what_their_presets_bring(found: dict[str, Any]) -> None:
    rows = {row['name']: row for row in found['settings'][0]['rows']}
    brought = {'rekv@100': 64, 'livevlm@100': 24, 'full@100': 0, 'recent@100': 0}
    brought |= {'balanced@100': 30, 'balanced@140': 30}
    for name, frames in brought.items():
        short_term = 100 if name == 'full@100' else 16
        assert rows[name]['tokens_brought'] == frames * 18, name
        assert rows[name]['tokens_read'] == (short_term + frames) * 18, name
    authors = rows['rekv-authors@100']
    assert authors['tokens_read'] == 64 * 18
    assert 0 < authors['tokens_brought'] <= 24 * 18  # 76 frames are in their window
    pages = {name: row['pages_ranked'] for name, row in rows.items()}
    assert pages['rekv-authors@100'] == 100
    assert pages['rekv@100'] == 84  # of a frame each, where others have two
    assert (pages['balanced@100'], pages['balanced@140']) == (168, 248)
    assert pages['recent@100'] == pages['full@100'] == 0


def test_bars_are_judged_round_by_round() -> None:
    laps = {
        'rekv@100': {ANSWER: Lap([8.0, 8.0, 90.0], [1.0] * 3)},
        'livevlm@100': {ANSWER: Lap([4.0, 2.0, 30.0], [1.0] * 3)},
    }
    judged = Bar(ANSWER, REKV, LIVEVLM, least=3.0).judge(laps)
    assert judged['quotient'] == 'answer, rekv@100 / livevlm@100'
    assert judged['value'] == 3.0 and judged['met']
    assert judged['quartiles'] == Quartiles.of([2.0, 4.0, 3.0])._asdict()
    assert judged['numbers'] == [8.0, 4.0]  # the medians


def test_a_report_has_its_bars(found: dict[str, Any]) -> None:
    above, below = found['settings'][0]['bars']
    assert above['met'] and not below['met']


@pytest.mark.parametrize('mark', [FIRST_TOKEN, ANSWER])
def test_the_suite_has_the_bars_that_were_promised(mark: str) -> None:
    for setting, longest in zip(suite(mark), ('balanced@4096', 'balanced@16384'), strict=True):
        assert {bar.mark for bar in setting.bars} == {mark}
        bars = [(bar.above.name, bar.below.name, bar.least, bar.most) for bar in setting.bars]
        assert bars == [
            ('rekv-authors@256', 'livevlm@256', 1.5, None),
            ('rekv-authors@256', 'balanced@256', 2.0, None),
            ('full@256', 'balanced@256', 1.0, None),
            (longest, 'balanced@256', None, 1.2),
        ]
        named = {row for bar in setting.bars for row in (bar.above, bar.below)}
        assert named <= set(setting.rows)


def test_the_peers_are_timed_at_the_same_length_and_balanced_at_greater_ones() -> None:
    for setting, longer in zip(suite(ANSWER), ([4096], [1024, 4096, 16_384]), strict=True):
        few = {row.preset for row in setting.rows if row.frames == 256}
        assert few == {'rekv-authors', 'rekv', 'livevlm', 'balanced', 'full', 'recent'}
        lengths = [row.frames for row in setting.rows if row.preset == 'balanced']
        assert lengths == [256, *longer]


def test_a_quick_run_judges_nothing_and_reads_all_the_same() -> None:
    for setting in suite(ANSWER, quick=True):
        assert not setting.bars
        assert all(80 <= row.frames <= 128 for row in setting.rows)


def test_every_round_asks_all_memories_another_question_on_one_thread(
    language: Callable[..., Language], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, asked = [], []
    answer = Language.answer

    def watched(self: Language, question: Tensor, memory: Memory, *, tokens: int) -> Any:
        threads.append(torch.get_num_threads())
        asked.append(question)
        assert tokens == 1
        return answer(self, question, memory, tokens=tokens)

    monkeypatch.setattr(Language, 'answer', watched)
    before = torch.get_num_threads()
    setting = Setting(language, (AUTHORS, BALANCED), ())
    found = measure([setting], rounds=2)
    assert found['suite'] == 'first-token' and ANSWER not in found['settings'][0]['rows'][0]
    assert set(threads) == {1} and torch.get_num_threads() == before
    of_one, of_other = asked[::2], asked[1::2]
    assert len(of_one) == 2 + WARM_UP
    assert all(map(torch.equal, of_one, of_other))
    assert not any(map(torch.equal, of_one, of_one[1:]))


def test_memories_are_given_back_though_one_of_them_fails(
    language: Callable[..., Language], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, number, filled = [], count(), question_suite.filled

    def failing(*given: Any, **named: Any) -> Any:
        if next(number):
            raise MemoryError
        return filled(*given, **named)

    monkeypatch.setattr(question_suite, 'filled', failing)
    monkeypatch.setattr(question_suite.Memory, 'close', lambda self: closed.append(self))
    with pytest.raises(MemoryError):
        measure([Setting(language, (REKV, BALANCED), ())], rounds=2)
    assert len(closed) == 1
