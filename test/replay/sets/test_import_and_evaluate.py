# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each set in small, imported and answered by the embedded model from one end to the other."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from livevlm_ros.cli import app

FORMATS = {
    'OVO-S-Bench': 'ovo_s_bench',
    'OVO-Bench': 'ovo_bench',
    'StreamingBench': 'streaming_bench',
    'NaVQA': 'navqa',
    'normalised': 'normalised',
}


@pytest.fixture
def answered(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Import a set by the command and evaluate it; returns what both print, and the report."""
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> tuple[str, str, dict[str, Any]]:
        folder = request.getfixturevalue(FORMATS[name])
        imported = CliRunner().invoke(app, ['import', name, str(folder), '--out', 'set'])
        assert (imported.exit_code, imported.stderr) == (0, '')
        given = ['evaluate', 'set', '--set', 'model.threads=1', '--json', 'r.json']
        evaluated = CliRunner().invoke(app, [*given, '--html', 'r.html'])
        assert evaluated.exit_code == 0, evaluated.output
        assert name in Path('r.html').read_text(encoding='utf-8')
        report = json.loads(Path('r.json').read_text(encoding='utf-8'))
        return imported.stdout, evaluated.stdout, report

    return run


@pytest.mark.parametrize('name', FORMATS)
def test_a_set_is_imported_and_scored_by_its_rule(name: str, answered, street) -> None:
    told, printed, report = answered(name)
    first, *left_out = told.splitlines()
    assert first.startswith('set: ') and 'questions of' in first
    assert all(line.startswith(('left out: ', '1 is asked at the end')) for line in left_out)
    asked = report['questions']
    assert asked['outside'] == asked['refused'] == 0 and f'set: {asked["asked"]} ' in told
    assert report['sets'][name]['rule'] in ' '.join(printed.split())
    # A model with a closed vocabulary refuses the words of some rows, and says so.
    answered_ids = {each['id'] for each in report['answers'] if each['status'] != 'INVALID'}
    assert len(answered_ids) >= (3 if name == 'NaVQA' else 6)


def test_the_embedded_model_is_right_about_its_own_street(answered) -> None:
    report = answered('normalised')[2]
    score = report['sets']['normalised']
    assert score['n'] == report['questions']['scored'] and score['score'] > 0.7
    assert list(score['categories']) == ['Episodic Memory']


def test_places_and_times_are_measured_off_the_evidence(answered) -> None:
    report = answered('NaVQA')[2]
    assert {kind: row['n'] for kind, row in report['measured'].items()} == {
        'duration': 1,
        'position': 1,
        'time': 1,
    }
    for kind in ('position', 'time'):
        row = report['measured'][kind]
        assert row['measured'] == 1 and 0 <= row['mean'] <= 60
    by_type = {each['type']: each for each in report['answers']}
    off_m, at_s = by_type['position']['error'], by_type['position']['evidence'][0]
    assert off_m == pytest.approx(2 * abs(at_s - 3.75), abs=1e-3)  # it drives at 2 m/s
    assert report['sets']['NaVQA']['n'] == 1
