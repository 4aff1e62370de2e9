# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import livevlm_bench.ingest
import livevlm_bench.ingest_table
import livevlm_bench.kernel_suite
import livevlm_bench.kernel_table
import livevlm_bench.language_suite
import livevlm_bench.language_table
import livevlm_bench.over_ros.budgets
import livevlm_bench.over_ros.budgets_table
import livevlm_bench.over_ros.endurance
import livevlm_bench.question_suite
import livevlm_bench.scaling
import livevlm_bench.scaling_table
import livevlm_bench.smollm2
from livevlm_bench.bars import bar
from livevlm_bench.language_rows import QUICK_ROWS, TextRow
from livevlm_bench.language_suite import QUICK, Streams


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (('decode',), 'expected one of first-token, answer, scaling, ingest, restart, kernels'),
        (('standing', '--json', '/nowhere/r.json'), 'existing folder'),
        (('language', '--row', 'balanced=balanced'), 'given twice'),
    ],
)
def test_what_cannot_be_used_is_one_line(
    refused: Callable[..., str], arguments: tuple[str, ...], told: str
) -> None:
    assert told in refused('bench', *arguments)


@pytest.mark.parametrize(('suite', 'tokens'), [((), 1), (('answer',), 8)])
def test_the_suite_is_printed_and_written(
    livevlm: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suite: tuple[str, ...],
    tokens: int,
) -> None:
    given: dict[str, Any] = {}
    setting = {
        'name': 'small',
        'baseline': 'rekv-authors',
        'dtype': 'float32',
        'question_tokens': 4,
        'rows': [],
        'bars': [bar('a / b', 2.0, 1.0, least=1.5)],
    }

    def measure(settings: object, **named: Any) -> dict[str, Any]:
        given.update(named, settings=settings)
        head = {'machine': {'threads': 1}, 'answer_tokens': named['answer_tokens']}
        return {**head, 'settings': [setting], 'rounds': named['rounds']}

    monkeypatch.setattr(livevlm_bench.question_suite, 'measure', measure)
    chosen = ('--rounds', 15, '--json', tmp_path / 'r.json')
    code, out, _ = livevlm('bench', *suite, '--quick', *chosen)
    assert code == 0 and 'a / b = 2.0 ms / 1.0 ms = 2.00, at least 1.5: met' in out
    assert (given['rounds'], given['answer_tokens']) == (15, tokens)
    assert not any(setting.bars for setting in given['settings'])
    assert json.loads((tmp_path / 'r.json').read_text())['settings'] == [setting]


@pytest.mark.parametrize(
    ('suite', 'module', 'table', 'show', 'little'),
    [
        (
            'scaling',
            livevlm_bench.scaling,
            livevlm_bench.scaling_table,
            'print_scaling',
            {'lengths': (64, 96, 128), 'steps': 20, 'bars': False},
        ),
        (
            'ingest',
            livevlm_bench.ingest,
            livevlm_bench.ingest_table,
            'print_ingest',
            {'held': 24},
        ),
        (
            'kernels',
            livevlm_bench.kernel_suite,
            livevlm_bench.kernel_table,
            'print_kernels',
            {},
        ),
    ],
)
def test_a_quick_run_does_little_and_is_written(
    livevlm: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suite: str,
    module: ModuleType,
    table: ModuleType,
    show: str,
    little: dict[str, Any],
) -> None:
    given: dict[str, Any] = {}

    def measure(*_: object, **named: Any) -> dict[str, Any]:
        given.update(named)
        return {'suite': suite}

    monkeypatch.setattr(module, 'measure', measure)
    monkeypatch.setattr(table, show, lambda found, console: print(f'{found["suite"]} found'))
    file = tmp_path / 'r.json'
    code, out, _ = livevlm('bench', suite, '--quick', '--rounds', 5, '--json', file)
    assert code == 0 and out == f'{suite} found\nwrote {file}\n'
    assert given.items() >= {'rounds': 5, **little}.items()
    assert json.loads(file.read_text()) == {'suite': suite}


@pytest.mark.parametrize(
    ('arguments', 'module', 'shown_by', 'size'),
    [
        (
            ('deadline-ros', '--quick'),
            livevlm_bench.over_ros.budgets,
            (livevlm_bench.over_ros.budgets_table, 'print_budgets'),
            {'questions': 200, 'crowd_s': 10.0},
        ),
        (
            ('endurance', '--minutes', 3, '--viewers', 10),
            livevlm_bench.over_ros.endurance,
            (livevlm_bench.over_ros.endurance, 'print_endurance'),
            {'minutes': 3.0, 'viewers': 10},
        ),
    ],
    ids=['deadline-ros', 'endurance'],
)
def test_a_suite_over_ros_is_as_long_as_is_asked_for(
    livevlm: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str | int, ...],
    module: ModuleType,
    shown_by: tuple[ModuleType, str],
    size: dict[str, float],
) -> None:
    given: dict[str, Any] = {}

    def measure(**named: Any) -> dict[str, Any]:
        given.update(named)
        return {'suite': 'over ROS'}

    monkeypatch.setattr(module, 'measure', measure)
    monkeypatch.setattr(*shown_by, lambda found, console: print(f'{found["suite"]} found'))
    code, out, _ = livevlm('bench', *arguments)
    assert code == 0 and out == 'over ROS found\n'
    assert given.items() >= size.items()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let no model be loaded and nothing measured; returns what was to be."""
    given: dict[str, Any] = {}

    def measure(
        model: object,
        streams: Streams,
        rows: list[TextRow],
        *,
        so_far: Callable[[dict[str, Any]], None],
        **_: Any,
    ) -> dict[str, Any]:
        given.update(model=model, streams=streams, rows=[row.name for row in rows])
        so_far({'rows': {}})
        return {'rows': {}}

    monkeypatch.setattr(livevlm_bench.smollm2, 'load_smollm2', lambda: 'the model')
    monkeypatch.setattr(livevlm_bench.language_suite, 'measure', measure)
    monkeypatch.setattr(
        livevlm_bench.language_table, 'print_language', lambda found, _: given.update(found=found)
    )
    return given


def test_streams_and_rows_are_as_asked(
    livevlm: Callable[..., tuple[int, str, str]], measured: dict[str, Any], tmp_path: Path
) -> None:
    asked = ('--facts', 'f.yaml', '--text', tmp_path, '--seed', 3, '--streams', 4)
    row = ('--row', 'few=balanced retrieval.frames=3')
    file = ('--json', tmp_path / 'r.json')
    code, _, _ = livevlm('bench', 'language', *asked, '--tokens', 6144, *row, *file)
    assert code == 0
    assert measured['streams'] == Streams(3, 4, 6144, Path('f.yaml'), tmp_path)
    assert measured['rows'][-1] == 'few' and 'closed' in measured['rows']
    assert measured['model'] == 'the model'
    assert json.loads((tmp_path / 'r.json').read_text()) == measured['found']


def test_a_quick_run_is_one_stream_and_few_rows(
    livevlm: Callable[..., tuple[int, str, str]], measured: dict[str, Any]
) -> None:
    code, _, _ = livevlm('bench', 'language', '--quick', '--seed', 7)
    assert code == 0
    assert measured['streams'] == Streams(7, **QUICK)
    assert measured['rows'] == list(QUICK_ROWS)
