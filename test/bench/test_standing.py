# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest

from livevlm_bench import standing
from livevlm_bench.robots import Run, Second
from livevlm_bench.standing import BLOCKING, DEFAULT, compared, judged, measure
from livevlm_bench.standing_table import print_standing
from livevlm_ros.replay.table import report_console

RED = ('red',)
SECONDS, FIRST_ASKED_S = 40, 20


def run(answers: str, *, exposed: float = 1.0, answer: float = 20.0, idle: float = 5.0) -> Run:
    """Make a run that answered with these letters."""
    second = Second(step=7.0, idle=idle, hidden=2.0, exposed=exposed, answer=answer)
    return Run(answers=list(answers), seconds=[second] * len(answers))


def runs(**default: float) -> dict[str, Run]:
    return {
        BLOCKING: run('aaba', exposed=6.0),
        DEFAULT: run('aaaa', **default),
    }


@pytest.fixture(scope='module')
def found() -> dict[str, Any]:
    return measure(seconds=SECONDS, first_asked_s=FIRST_ASKED_S, left_out=2)


def test_both_memories_answer_the_same_questions(found: dict[str, Any]) -> None:
    assert found['questions'] == SECONDS - FIRST_ASKED_S
    assert [row['name'] for row in found['rows']] == [BLOCKING, DEFAULT]
    for row in found['rows']:
        assert row['agrees']['n'] == row['right']['n'] == found['questions']
        assert 0 < row['exposed_ms']['p50'] < row['answer_ms']['p50']
        assert 0 < row['exposed_share'] < 1
    assert json.loads(json.dumps(found)) == found


def test_only_what_trusts_it_reads_what_was_chosen_ahead(found: dict[str, Any]) -> None:
    blocking, default = found['rows']
    assert blocking['ahead']['ahead'] == blocking['corrected']['n'] == 0
    assert default['ahead']['ahead'] == default['corrected']['n'] == found['questions'] - 1
    assert default['hidden_ms_per_s'] > 0


def test_agreement_stands_beside_that_of_always_the_same_answer() -> None:
    found = compared(runs(), [RED] * 4, left_out=1)
    assert found['commonest']['answer'] == 'a' and found['commonest']['rate'] == 0.75
    assert [row['agrees']['rate'] for row in found['rows']] == [1.0, 0.75]


def test_an_answer_is_right_where_the_world_says_so() -> None:
    found = compared(runs(), [('a',), ('b',), ('b', 'a'), ()], left_out=0)
    assert [row['right']['correct'] for row in found['rows']] == [2, 2]


def test_times_of_the_first_questions_do_not_count() -> None:
    slow_first = runs()
    slow_first[DEFAULT].seconds[0] = Second(500.0, 0.0, 300.0, 400.0, 450.0)
    found = compared(slow_first, [RED] * 4, left_out=1)
    row = found['rows'][1]
    assert row['exposed_ms'] == {'p50': 1.0, 'p95': 1.0, 'most': 1.0}
    assert row['hidden_ms_per_s'] == 2.0 and row['exposed_share'] == 1 / 20


@pytest.mark.parametrize(
    ('default', 'met'),
    [
        ({'exposed': 2.0, 'answer': 20.0, 'idle': 973.0}, [True, True, True]),
        ({'exposed': 2.1, 'answer': 30.0}, [False, True, True]),
        ({'exposed': 2.0, 'answer': 19.0}, [True, False, True]),
        ({'exposed': 2.0, 'answer': 20.0, 'idle': 973.1}, [True, True, False]),
    ],
)
def test_bars_are_met_up_to_their_limits(default: dict[str, float], met: list[bool]) -> None:
    assert [bar['met'] for bar in judged(runs(**default), left_out=1)] == met


def test_what_was_found_is_printed(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    print_standing(found, report_console())
    out = capsys.readouterr().out
    assert standing.QUESTION in out and 'always "' in out
    assert 'wait for pages, default / blocking' in out
    for name in (BLOCKING, DEFAULT):
        assert name in out


def test_no_file_is_left_and_no_bar_judged_that_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing.tempfile, 'tempdir', str(tmp_path))
    found = measure(seconds=25, first_asked_s=20, left_out=1, bars=False)
    assert found['bars'] == []
    assert not list(tmp_path.iterdir())
