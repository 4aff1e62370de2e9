# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import livevlm_bench.first_token


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (('decode',), 'no such suite; expected first-token or standing'),
        (('standing', '--json', '/nowhere/r.json'), 'existing folder'),
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
