# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import livevlm_bench.first_token
from livevlm_bench.reads import Reads


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (('decode',), 'no such suite'),
        (('reads',), 'expected recordings and --json'),
        (('first-token', 'street'), 'takes no recordings'),
        (('--reads', 'nowhere.json'), 'nowhere.json'),
        (('reads', 'nowhere', '--json', '/nowhere/r.json'), 'existing folder'),
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

    def measure(settings: object, reads: Reads, **named: Any) -> dict[str, Any]:
        given.update(named, settings=settings, reads=reads)
        told = {'command': reads.command, 'questions': reads.questions}
        return {'settings': [], 'reads': told}

    monkeypatch.setattr(livevlm_bench.first_token, 'measure', measure)
    frames = {'livevlm': [40.0], 'balanced': [20.0], 'rekv': [80.0]}
    reads = Reads('counted by hand', 24, frames)
    reads.write(tmp_path / 'reads.json')
    chosen = ('--reads', tmp_path / 'reads.json', '--rounds', 15, '--json', tmp_path / 'r.json')
    code, out, _ = livevlm('bench', '--quick', *chosen)
    assert code == 0 and 'counted by hand' in out
    assert given['reads'] == reads and given['rounds'] == 15
    assert not any(setting.bars for setting in given['settings'])
    assert json.loads((tmp_path / 'r.json').read_text())['reads']['questions'] == 24
