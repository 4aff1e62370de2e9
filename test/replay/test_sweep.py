# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from livevlm_ros.engine.slot import Dropped
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.sweep import numbers, run_sweep, sweep_grid, sweep_table

QUESTIONS = """
- {id: new, at: 5, question: new, answer: red, type: now, choices: [red, blue], evidence: [5, 5]}
- {id: old, at: 7, question: old, answer: red, type: before, choices: [red, blue],
   evidence: [0, 0]}
"""


@pytest.fixture
def load(engine):
    """Load the scripted engine, which knows what is old with the larger budget only."""
    scripted = engine.stats

    def stats() -> SimpleNamespace:
        ingest = {'model': None, 'frames_in': engine.used, 'dropped': Dropped()}
        return SimpleNamespace(**vars(scripted()), **ingest)

    def load(config, progress):
        engine.used = 0
        old = 'red' if config.memory.long_term_frames > 8 else 'blue'
        engine.answers.update(new='red', old=old)
        engine.total_ms = 10 * config.memory.retrieval_frames
        return engine

    engine.stats = stats
    engine.cleanup = lambda: None
    return load


@pytest.fixture
def swept(make_bag, load):
    grid = sweep_grid('balanced', [8, 16], [1, 4])
    return run_sweep(make_bag(questions=QUESTIONS), grid, load=load)


def test_the_grid_has_every_combination_and_the_settings_of_all() -> None:
    grid = sweep_grid('livevlm', [8, 30], [4, 1], given=['memory.short_term_frames=4'])
    memories = [row.config.memory for row in grid]
    made = [(memory.long_term_frames, memory.retrieval_frames) for memory in memories]
    assert made == [(8, 4), (8, 1), (30, 4), (30, 1)]
    assert len({row.name for row in grid}) == 4 and not any(row.oracle for row in grid)
    assert {row.config.memory.preset for row in grid} == {'livevlm'}
    assert {row.config.memory.short_term_frames for row in grid} == {4}


@pytest.mark.parametrize('preset', ['recent', 'full', 'rekv', 'elephant'])
def test_a_preset_without_both_settings_is_refused(preset: str) -> None:
    with pytest.raises(BadInput, match=f'preset {preset} has no .* expected livevlm or balanced'):
        sweep_grid(preset, [8], [1])


def test_numbers_are_read_with_commas_between() -> None:
    assert numbers('--long-term', '8, 15,30') == [8, 15, 30]


@pytest.mark.parametrize('text', ['', '8,', '8,x', '8,0', '-1', '8,8', 'nan', 'inf', '1.5'])
def test_what_is_no_list_of_different_numbers_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match='--long-term .*: expected different whole numbers above 0'):
        numbers('--long-term', text)


def test_every_combination_has_its_figures_with_sizes(swept) -> None:
    swept = json.loads(json.dumps(swept, allow_nan=False))
    assert (swept['preset'], swept['chance'], swept['majority']) == ('balanced', 0.5, 1.0)
    figures = [
        (
            point['long_term_frames'],
            point['read_frames'],
            point['accuracy']['rate'],
            point['first_token_ms']['p50'],
        )
        for point in swept['points']
    ]
    assert figures == [
        (8, 1, 0.5, pytest.approx(5.0)),
        (8, 4, 0.5, pytest.approx(20.0)),
        (16, 1, 1.0, pytest.approx(5.0)),
        (16, 4, 1.0, pytest.approx(20.0)),
    ]
    first = swept['points'][0]
    assert first['accuracy']['n'] == 2 and first['accuracy']['se'] > 0
    assert (first['device_bytes'], first['read_bytes']) == (1000, 500)


def test_the_oldest_age_is_the_last_that_was_asked(make_bag, load) -> None:
    old = '- {id: old, at: 19, question: old, answer: red, evidence: [0, 0]}'
    bag = make_bag(frames=20, questions=QUESTIONS + old.replace('id: old', 'id: older'))
    (point,) = run_sweep(bag, sweep_grid('balanced', [8], [1]), load=load)['points']
    assert (point['oldest_age'], point['oldest']['n']) == ('<=64', 1)
    assert point['oldest']['rate'] == 0.0 and point['accuracy']['n'] == 3


def test_progress_says_which_and_a_note_how_long_after_the_first(make_bag, load) -> None:
    shown, notes = [], []
    run_sweep(
        make_bag(questions=QUESTIONS),
        sweep_grid('balanced', [8, 16], [1]),
        load=load,
        note=lambda text: notes.append((text, shown[-1][1])),
        progress=lambda name, share: shown.append((name, share)),
    )
    shares = [share for _, share in shown]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert any(name.startswith('1 of 2, 8 frames, 1 read: bag') for name, _ in shown)
    assert any(name.startswith('2 of 2, 16 frames, 1 read: bag') for name, _ in shown)
    ((text, share),) = notes
    assert text.startswith('the first of 2 took') and 'the rest: about' in text and share == 0.5


def test_the_table_fits_a_terminal(swept) -> None:
    console = Console(file=StringIO(), width=80)
    console.print(sweep_table(swept))
    text = console.file.getvalue()
    assert '…' not in text and 'chance 50.0' in text and 'majority' in text
    assert '2 questions of 1 recording;' in ' '.join(text.split())
    rows = [line.split() for line in text.splitlines() if line.strip().startswith(('8 ', '16 '))]
    assert [row[:2] for row in rows] == [['8', '1'], ['8', '4'], ['16', '1'], ['16', '4']]
    assert rows[0][2:6] == ['50.0', '±', '35.4', '2'] and rows[3][2:6] == [
        '100.0',
        '±',
        '0.0',
        '2',
    ]
    assert '1 kB' in text and '500 B' in text and '20.0 / 20.0 ms' in text


def test_without_scored_questions_the_costs_are_told(make_bag, load) -> None:
    bag = make_bag(questions='- {at: 5, question: new}')
    swept = run_sweep(bag, sweep_grid('balanced', [8], [1]), load=load)
    assert swept['chance'] is None and swept['points'][0]['oldest'] is None
    console = Console(file=StringIO(), width=80)
    console.print(sweep_table(swept))
    assert '5.0 / 5.0 ms' in console.file.getvalue()
