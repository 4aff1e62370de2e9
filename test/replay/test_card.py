# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The model card: every number in it was measured, and its commands are those that measure."""

import shlex
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from livevlm_ros.cli import app
from livevlm_ros.replay import card
from livevlm_ros.replay.card import COURSES, RARE, Measured, Reports, card_text
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.source import find_recordings, open_source
from livevlm_ros.world import KINDS


def report(rate: float) -> dict:
    row = {'n': 100, 'correct': round(100 * rate), 'rate': rate, 'se': 0.01}
    guesses = {'chance': 0.25, 'majority': 0.4}
    return {
        'accuracy': {
            'by_type': {kind: {**row, **guesses} for kind in KINDS},
            'by_variant': {'exists/hard_no': row, 'color_of/never': row, 'where_is/never': row},
            'exists_balanced': row,
        },
        'evidence': {'past': {**row, 'chance': 0.1}},
        'false_memory': {**row, 'rate': 0.02},
    }


RUN = {
    'seed': 3,
    'minutes': 0.75,
    'tower_minutes': 2.0,
    'threads': 1,
    'device': 'cpu',
    'curve': [
        {'step': 40, 'seconds': 45, 'held_out': {'8': {'now': [10, 0.5], 'light': [5, 1.0]}}}
    ],
}


@pytest.fixture
def reports() -> Reports:
    rates = iter(0.9 + 0.01 * number for number in range(10))
    return {(c.name, p): report(next(rates)) for c in COURSES for p in c.presets}


@pytest.fixture
def text(reports) -> str:
    return card_text(Measured(4_375_296, reports), [RUN])


def test_each_kind_has_its_rate_in_each_column(text):
    row = next(line for line in text.splitlines() if line.startswith('| color_of |'))
    rates = [cell.strip() for cell in row.split('|')[2:-1]]
    assert rates == [
        *(f'{rate}.0 ± 1.0 (100)' for rate in (90, 92, 93, 94, 95)),
        '25.0',
        '40.0',
    ]


def test_the_rows_for_what_was_never_seen_add_up(text):
    row = next(line for line in text.splitlines() if line.startswith('| never seen |'))
    assert row.split('|')[2].strip().startswith('90.0 ± ')
    assert '(200)' in row.split('|')[2]


@pytest.mark.parametrize('kind', RARE)
def test_kinds_that_are_rare_in_short_streams_have_streams_of_their_own(text, kind):
    row = next(line for line in text.splitlines() if line.startswith(f'| {kind} |'))
    assert row.split('|')[2].strip().startswith('91.0')
    assert f'| 4 to 16, `full`, {RARE[0]} and {RARE[1]} |' in text


def test_the_training_run_is_told(text):
    assert 'seed 3, 40 steps in 0.8 minutes (CPU threads: 1), after 2 minutes for' in text
    assert '| 1 | 0.8 | 40 | 75.0 |' in text
    assert 'evidence was supervised' in text


def test_the_card_tells_the_gpu_of_a_run(reports):
    assert '40 steps in 0.8 minutes (NVIDIA H100), ' in card_text(
        Measured(1, reports), [{**RUN, 'device': 'NVIDIA H100'}]
    )


def test_the_card_counts_the_kinds_of_question(text):
    assert f'{len(KINDS)} kinds of question' in text


@pytest.mark.parametrize('course', COURSES, ids=lambda course: course.name)
def test_the_commands_of_a_course_film_just_its_streams(course, monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(
        'livevlm_ros.replay.write_world.write_world',
        lambda folder, filming, progress: given.append(filming) or 0,
    )
    command, *_ = course.commands
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert given == [course.filming]


@pytest.fixture
def tiny(monkeypatch) -> list[list[int]]:
    """Make one course of two tiny streams; gives the frames of each that was measured."""
    filming = card.Filming(3, 2, (2, 3), size=(96, 72), questions=1)
    monkeypatch.setattr(card, 'COURSES', (card.Course('tiny', 'tiny', filming, ('full',)),))
    measured = []

    def evaluate(course, preset, bags, model, tell):
        measured.append([open_source(bag).length for bag in find_recordings(bags)])
        return {}, 0

    monkeypatch.setattr(card, '_measure', evaluate)
    return measured


def test_an_interrupted_filming_is_begun_again(tiny, tmp_path):
    def interrupt(name, share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        card.measure('embedded', tmp_path, progress=interrupt)
    assert tiny == [] and not (tmp_path / 'tiny').exists()
    card.measure('embedded', tmp_path)
    assert len(tiny[0]) == 2 and [folder.name for folder in tmp_path.iterdir()] == ['tiny']


def test_streams_are_filmed_once(tiny, tmp_path):
    card.measure('embedded', tmp_path)
    said = []
    card.measure('embedded', tmp_path, progress=lambda name, share: said.append(name))
    assert tiny[0] == tiny[1] and said == []


def test_streams_of_other_settings_or_half_of_them_are_refused(tiny, tmp_path, monkeypatch):
    card.measure('embedded', tmp_path)
    course = card.COURSES[0]
    other = replace(course, filming=replace(course.filming, questions=2))
    monkeypatch.setattr(card, 'COURSES', (other,))
    with pytest.raises(BadInput, match='tiny: not all the streams.*delete this folder'):
        card.measure('embedded', tmp_path)
    monkeypatch.setattr(card, 'COURSES', (course,))
    (tmp_path / 'tiny' / 'filming.json').unlink()
    with pytest.raises(BadInput, match='tiny: not all the streams'):
        card.measure('embedded', tmp_path)


def test_a_card_measures_every_course_with_every_preset(monkeypatch, tmp_path):
    filmed = []
    small = tuple(
        card.Course(
            c.name, c.title, card.Filming(c.filming.seed, 1, (3, 4), questions=3), c.presets
        )
        for c in COURSES[:1]
    )
    monkeypatch.setattr(card, 'COURSES', small)
    measured = card.measure('embedded', tmp_path, progress=lambda name, share: filmed.append(name))
    assert set(measured.reports) == {(c.name, p) for c in small for p in c.presets}
    assert 1e6 < measured.parameters < 6e6
    assert {'filming short', 'short, full'} <= set(filmed)
