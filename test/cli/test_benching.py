# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import livevlm_bench.first_token
import livevlm_bench.language_suite
import livevlm_bench.language_table
import livevlm_bench.smollm2
from livevlm_bench.language_rows import SHORT_ROWS, TextRow
from livevlm_bench.language_suite import SHORT, Streams


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (('decode',), 'expected first-token, standing, deadline or language'),
        (('standing', '--json', '/nowhere/r.json'), 'existing folder'),
        (('language', '--row', 'balanced=balanced'), 'given twice'),
    ],
)
def test_what_cannot_be_used_is_one_line(
    refused: Callable[..., str], arguments: tuple[str, ...], told: str
) -> None:
    assert told in refused('bench', *arguments)


def test_the_suite_is_printed_and_written(
    livevlm: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    bar = {'quotient': 'a / b', 'ms': [2.0, 1.0], 'value': 2.0, 'least': 1.5, 'met': True}
    setting = {
        'name': 'small',
        'dtype': 'float32',
        'question_tokens': 4,
        'rows': [],
        'bars': [bar],
    }

    def measure(settings: object, **named: Any) -> dict[str, Any]:
        given.update(named, settings=settings)
        return {'settings': [setting], 'threads': 1, 'rounds': named['rounds']}

    monkeypatch.setattr(livevlm_bench.first_token, 'measure', measure)
    chosen = ('--rounds', 15, '--json', tmp_path / 'r.json')
    code, out, _ = livevlm('bench', '--quick', *chosen)
    assert code == 0 and 'a / b = 2.0 ms / 1.0 ms = 2.00, at least 1.5: met' in out
    assert given['rounds'] == 15
    assert not any(setting.bars for setting in given['settings'])
    assert json.loads((tmp_path / 'r.json').read_text())['settings'] == [setting]


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


def test_the_short_form_is_one_stream_and_few_rows(
    livevlm: Callable[..., tuple[int, str, str]], measured: dict[str, Any]
) -> None:
    code, _, _ = livevlm('bench', 'language', '--short', '--seed', 7)
    assert code == 0
    assert measured['streams'] == Streams(7, **SHORT)
    assert measured['rows'] == list(SHORT_ROWS)
