# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import livevlm_bench.language_suite
import livevlm_bench.language_table
import livevlm_bench.smollm2
from livevlm_bench.language_rows import SHORT_ROWS, TextRow
from livevlm_bench.language_suite import SHORT, Streams

Run = Callable[..., tuple[int, str, str]]


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
    livevlm: Run, measured: dict[str, Any], tmp_path: Path
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


def test_the_short_form_is_one_stream_and_few_rows(livevlm: Run, measured: dict[str, Any]) -> None:
    code, _, _ = livevlm('bench', 'language', '--short', '--seed', 7)
    assert code == 0
    assert measured['streams'] == Streams(7, **SHORT)
    assert measured['rows'] == list(SHORT_ROWS)


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (('--row', 'balanced=balanced'), 'given twice'),
        (('--json', '/nowhere/r.json'), 'existing folder'),
    ],
)
def test_what_cannot_be_used_is_one_line(
    refused: Callable[..., str], arguments: tuple[str, ...], told: str
) -> None:
    assert told in refused('bench', 'language', *arguments)
