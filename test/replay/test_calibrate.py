# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibration: what is tried, what is kept of it, and what is written."""

import shutil
from dataclasses import replace
from io import StringIO
from itertools import product
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from livevlm_ros.cli import app
from livevlm_ros.engine import MemoryConfig
from livevlm_ros.memory import RetrievalSettings
from livevlm_ros.memory.retrieval import POOLINGS, SCORES
from livevlm_ros.model import load_model
from livevlm_ros.replay import calibrate as calibration
from livevlm_ros.replay.calibrate import FILMING, GRID, Trial, calibrate, choose
from livevlm_ros.replay.card import COURSES
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.write_world import MAX_STREAMS, Filming, write_world

TWO_WAYS = (
    {'page_tokens': 4, 'pooling': 'last', 'score': 'mass'},
    {'page_tokens': 8, 'pooling': 'mean', 'score': 'cosine'},
)


def livevlm(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def trial(make_run, make_outcome):
    """Make a trial of a hundred questions, of which the numbered ones are wrong."""

    def make(wrong: range, *, tokens_read: float, page_tokens: int = 4) -> Trial:
        outcomes = (make_outcome(n not in wrong, id=str(n)) for n in range(100))
        way = {'page_tokens': page_tokens, 'pooling': 'last', 'score': 'mass'}
        return Trial(way, make_run('balanced', *outcomes), tokens_read)

    return make


def test_every_way_to_find_pages_that_the_memory_knows_is_tried_once() -> None:
    tried = [RetrievalSettings(**way) for way in GRID]
    assert len(set(tried)) == len(tried)
    ways = {(way.pooling, way.score) for way in tried}
    assert ways == set(product(POOLINGS, SCORES))


def test_its_streams_are_none_of_the_cards_and_none_a_world_camera_shows() -> None:
    assert FILMING.seed not in {course.filming.seed for course in COURSES}
    assert FILMING.seed * MAX_STREAMS > 2**31


def test_of_equally_good_ways_the_one_that_reads_least_is_kept(trial) -> None:
    dear, cheap = trial(range(4), tokens_read=300), trial(range(4), tokens_read=200)
    assert choose([dear, cheap]) is cheap
    assert choose([cheap, dear]) is cheap


def test_a_way_one_error_behind_counts_as_good_and_one_further_behind_does_not(trial) -> None:
    # Four more wrong of a hundred: 4 points with an error of 1.97; one more: 1 with one of 1.
    best, near, far = (trial(range(n), tokens_read=300 - 9 * n) for n in (3, 4, 7))
    assert choose([best, near, far]) is near


def test_the_error_is_that_of_the_differences_and_not_of_the_rates(trial) -> None:
    # Two points behind in both cases: twelve questions answered otherwise, or only two.
    best, other = trial(range(5), tokens_read=300), trial(range(40, 47), tokens_read=200)
    same = trial(range(7), tokens_read=100)
    assert choose([best, other]) is other
    assert choose([best, same]) is best


def test_of_ways_that_read_as_much_the_largest_pages_are_kept(trial) -> None:
    small = trial(range(2), tokens_read=200.1, page_tokens=4)
    large = trial(range(2), tokens_read=200.2, page_tokens=16)
    assert choose([small, large]) is large


@pytest.fixture
def two_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, 'GRID', TWO_WAYS)


@pytest.fixture
def config(checkpoint):
    """Make a memory so small that streams of a few frames leave its short-term."""
    tiny = engine_config(model=str(checkpoint), given=('ask.default_max_tokens=1',))
    return replace(
        tiny, memory=MemoryConfig(preset='livevlm', short_term_frames=2, long_term_frames=4)
    )


def test_each_way_answers_the_same_questions_with_one_loaded_model(
    world_folder, config, two_ways
) -> None:
    loads, used, shown = [], [], []

    def load(model_config):
        loads.append(load_model(model_config))
        loads[-1].memory_settings = {'retrieval': {'page_tokens': 2}}
        return loads[-1]

    def note(name, share):
        shown.append(share)
        used.append(name)

    found = calibrate(config, load=load, source=world_folder, progress=note)
    assert len(loads) == 1 and loads[0].memory_settings == {'retrieval': {'page_tokens': 2}}
    assert [trial.retrieval for trial in found.trials] == list(TWO_WAYS)
    assert found.chosen in found.trials and found.recent.run.name == 'recent'
    asked = {
        tuple((o.recording, o.entry.id) for o in trial.run.evaluation.outcomes)
        for trial in (*found.trials, found.recent)
    }
    assert len(asked) == 1 and len(asked.pop()) == 24
    assert shown == sorted(shown) and shown[-1] == 1.0
    assert list(dict.fromkeys(used)) == [
        '1 of 3: recent, no pages',
        '2 of 3: livevlm, 4, last, mass',
        '3 of 3: livevlm, 8, mean, cosine',
    ]


def test_tokens_read_are_those_of_short_term_and_of_the_pages(
    world_folder, config, monkeypatch
) -> None:
    # A share of 0.4 of the room for 36 tokens is 14: one page of 8 or seven of 2.
    ways = [{'page_tokens': size, 'pooling': 'last', 'score': 'mass'} for size in (2, 8)]
    monkeypatch.setattr(calibration, 'GRID', ways)
    found = calibrate(config, load=load_model, source=world_folder)
    small, large = (trial.tokens_read for trial in found.trials)
    assert 2 * 9 < small <= 2 * 9 + 14 + 1
    assert 2 * 9 < large <= 2 * 9 + 8 + 7
    recent = found.recent.run.evaluation.memory
    assert 0 < found.recent.tokens_read <= max(sample.sizes.short_term_tokens for sample in recent)


def test_the_table_shows_every_way_and_what_needs_none(world_folder, config, two_ways) -> None:
    found = calibrate(config, load=load_model, source=world_folder)
    console = Console(width=110, file=StringIO())
    console.print(calibration.calibration_table(found))
    lines = console.file.getvalue().splitlines()
    assert '24 questions of 2 recordings' in lines[0]
    rows = [line.split('  ')[0].strip() for line in lines if line.strip()][3:]
    chosen = calibration.words(found.chosen.retrieval)
    ways = ['4, last, mass', '8, mean, cosine']
    marked = [f'{way} (chosen)' if way == chosen else way for way in ways]
    assert [row for row in rows if row[0] != '─'] == [*marked, 'chance', 'majority', 'recent']


def test_the_table_passes_on_what_was_wrong_with_the_source(
    world_folder, config, two_ways, tmp_path
) -> None:
    film = tmp_path / '[film]'
    shutil.copytree(world_folder, film)
    (film / 'stream-0001.questions.yaml').unlink()
    found = calibrate(config, load=load_model, source=film)
    console = Console(width=200, file=StringIO())
    console.print(calibration.calibration_table(found))
    assert '[film]/stream-0001: no questions file' in ' '.join(console.file.getvalue().split())


@pytest.mark.parametrize('preset', ['recent', 'full', 'rekv'])
def test_a_preset_without_pages_to_fit_is_refused(world_folder, preset) -> None:
    with pytest.raises(BadInput, match=f'preset {preset} has no long-term.*livevlm or balanced'):
        calibrate(engine_config(preset=preset), load=load_model, source=world_folder)


def test_questions_without_answers_are_refused(make_bag, config) -> None:
    bag = make_bag(questions='- {at: 5, question: what do you see now}')
    with pytest.raises(BadInput, match='bag: 0 questions have an answer to compare with'):
        calibrate(config, load=load_model, source=bag)


def test_the_command_films_calibrates_and_changes_only_retrieval(
    tmp_path: Path, two_ways, monkeypatch
) -> None:
    monkeypatch.setattr(
        calibration, 'FILMING', Filming(30_000, 2, (18, 20), size=(96, 72), questions=4)
    )
    out = tmp_path / 'memory.yaml'
    kept = {'evidence': {'layers': [3], 'heads': [1]}, 'more': 1, 'retrieval': {'page_tokens': 64}}
    out.write_text(yaml.safe_dump(kept))
    code, said, error = livevlm('calibrate', '--out', out)
    assert code == 0, error
    written = yaml.safe_load(out.read_text())
    assert written.pop('retrieval') in TWO_WAYS and kept.pop('retrieval')
    assert written == kept
    assert '(chosen)' in said and '8 questions of 2 recordings' in said
    assert [file.name for file in tmp_path.iterdir()] == ['memory.yaml']


def test_a_new_file_begins_with_what_the_checkpoint_has(
    checkpoint: Path, tmp_path: Path, two_ways
) -> None:
    out, film = tmp_path / 'memory.yaml', tmp_path / 'film'
    write_world(film, Filming(1, frames=(3, 3), size=(96, 72), questions=2))
    given = ('--model', checkpoint, '--source', film, '--preset', 'livevlm')
    code, _, error = livevlm('calibrate', '--out', out, *given)
    assert code == 0, error
    own = yaml.safe_load((checkpoint / 'memory.yaml').read_text())
    written = yaml.safe_load(out.read_text())
    assert written['evidence'] == own['evidence'] and written['retrieval'] in TWO_WAYS


@pytest.mark.parametrize(
    'arguments, says',
    [
        (('--out', '{tmp}/no/memory.yaml'), 'cannot be written'),
        (('--out', '{tmp}/bad.yaml'), 'bad.yaml: expected a mapping, got list'),
        (('--out', '{tmp}/m.yaml', '--preset', 'recent'), 'has no long-term memory'),
        (('--out', '{tmp}/m.yaml', '--preset', 'elephant'), 'preset must be one of'),
        (('--out', '{tmp}/m.yaml', '--model', '{tmp}/none'), 'no model folder'),
        (('--out', '{tmp}/m.yaml', '--source', '{tmp}/none'), 'none: no such file'),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, arguments, says) -> None:
    (tmp_path / 'bad.yaml').write_text('- 1\n')
    code, _, error = livevlm('calibrate', *(text.format(tmp=tmp_path) for text in arguments))
    assert code == 2 and says in error and error.count('\n') == 1
    assert not (tmp_path / 'm.yaml').exists()


def test_a_file_that_cannot_be_finished_is_left_as_it_was(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / 'memory.yaml'
    file.write_text('evidence: {layers: [2]}\n')

    def full(self, text, encoding=None):
        with open(self, 'w') as half:
            half.write(text[:4])
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Path, 'write_text', full)
    with pytest.raises(OSError):
        calibration.write_settings(file, {'retrieval': {'page_tokens': 4}})
    assert file.read_text() == 'evidence: {layers: [2]}\n'
