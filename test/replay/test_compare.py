# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from livevlm_ros.engine import EngineConfig, MemoryConfig
from livevlm_ros.engine.slot import Dropped
from livevlm_ros.replay.compare import compare, paired, run_rows
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.rows import Row

QUESTION = '- {id: q, at: 5, question: q, answer: red}'


@pytest.fixture
def stream(make_outcome):
    """Make ten outcomes of a recording, of which the first ones are right."""

    def make(recording: str, right: int):
        return [make_outcome(n < right, recording=recording, id=str(n)) for n in range(10)]

    return make


def test_the_difference_is_in_points_over_the_same_questions(make_run, stream) -> None:
    baseline = make_run('recent', *stream('a', 5), *stream('b', 6))
    candidate = make_run('full', *stream('a', 9), *stream('b', 10))
    row = paired(candidate, baseline)
    assert (row['candidate'], row['baseline']) == ('full', 'recent')
    assert (row['n'], row['streams']) == (20, 2)
    assert row['difference'] == pytest.approx(40.0)
    assert (row['gained'], row['lost']) == (8, 0)


def test_questions_are_paired_by_recording_and_id_in_any_order(make_run, make_outcome) -> None:
    def outcomes(*right: bool):
        places = (('a', '1'), ('a', '2'), ('b', '1'))
        return [
            make_outcome(mark, recording=recording, id=id)
            for mark, (recording, id) in zip(right, places, strict=True)
        ]

    baseline = make_run('recent', *reversed(outcomes(True, False, False)))
    row = paired(make_run('full', *outcomes(False, True, True)), baseline)
    assert (row['gained'], row['lost']) == (2, 1)


def test_streams_that_all_differ_alike_leave_no_doubt(make_run, stream) -> None:
    names = 'abcdef'
    row = paired(
        make_run('full', *(o for name in names for o in stream(name, 7))),
        make_run('recent', *(o for name in names for o in stream(name, 4))),
    )
    assert row['low'] == row['high'] == pytest.approx(30.0)


def test_the_interval_tells_how_much_streams_differ(make_run, stream) -> None:
    rights = {name: 10 if number % 2 else 0 for number, name in enumerate('abcdefghijklmnop')}
    row = paired(
        make_run('full', *(o for name, right in rights.items() for o in stream(name, right))),
        make_run('recent', *(o for name in rights for o in stream(name, 5))),
    )
    assert row['difference'] == 0.0
    # Sixteen streams of ±50 points have a standard error of 12.5; questions would have 4.
    assert row['low'] == pytest.approx(-1.96 * 12.5, abs=4)
    assert row['high'] == pytest.approx(1.96 * 12.5, abs=4)
    assert row['lower_bound'] == pytest.approx(-1.64 * 12.5, abs=3.5)
    assert row['low'] < row['lower_bound']


def test_a_single_stream_has_no_interval(make_run, stream) -> None:
    row = paired(make_run('full', *stream('a', 7)), make_run('recent', *stream('a', 4)))
    assert row['difference'] == pytest.approx(30.0)
    assert row['low'] is row['high'] is row['lower_bound'] is None


def test_counts_and_what_is_in_view_are_also_compared_alone(make_run, make_outcome) -> None:
    def outcomes(*right: bool):
        kinds = (('count_class', None), ('now', 1), ('before', 30))
        return [
            make_outcome(mark, recording=recording, id=kind, type=kind, age=age)
            for recording in 'ab'
            for mark, (kind, age) in zip(right, kinds, strict=True)
        ]

    row = paired(
        make_run('full', *outcomes(False, True, True)),
        make_run('recent', *outcomes(True, False, True)),
    )
    assert (row['n'], row['difference']) == (6, 0.0)
    assert (row['without_count']['n'], row['without_count']['difference']) == (4, 50.0)
    assert (row['now']['n'], row['now']['low'], row['now']['high']) == (2, 100.0, 100.0)


def test_agreement_counts_equal_answers_right_or_wrong(make_run, make_outcome) -> None:
    def outcomes(*said: str):
        return [make_outcome(id=str(n), said=word) for n, word in enumerate(said)]

    row = paired(
        make_run('full', *outcomes('red', 'blue', 'The Green', 'red')),
        make_run('recent', *outcomes('red', 'blue', 'green', 'never')),
    )
    agreement = row['agreement']
    assert (agreement['n'], agreement['same'], agreement['rate']) == (4, 3, 0.75)


def test_the_first_row_is_the_baseline_of_the_others(make_run, make_outcome) -> None:
    runs = [make_run(preset, make_outcome()) for preset in ('recent', 'full', 'rekv')]
    compared = json.loads(json.dumps(compare(runs), allow_nan=False))
    assert list(compared) == ['presets', 'paired', 'cap']
    assert list(compared['presets']) == ['recent', 'full', 'rekv']
    assert compared['presets']['full'] == json.loads(json.dumps(runs[1].report))
    pairs = [(row['candidate'], row['baseline']) for row in compared['paired']]
    assert pairs == [('full', 'recent'), ('rekv', 'recent')]
    assert [card['name'] for card in compared['cap']] == ['recent', 'full', 'rekv']


def test_every_row_is_paired_with_each_baseline_and_these_with_one_another_once(make_run) -> None:
    runs = [make_run(name) for name in ('recent', 'full', 'rekv', 'mine')]
    paired = compare(runs, against=['rekv', 'full'])['paired']
    assert [(row['candidate'], row['baseline']) for row in paired] == [
        ('recent', 'rekv'),
        ('full', 'rekv'),
        ('mine', 'rekv'),
        ('recent', 'full'),
        ('mine', 'full'),
    ]


def test_without_a_scored_question_there_is_no_difference(make_run) -> None:
    row = paired(make_run('full'), make_run('recent'))
    assert row['n'] == 0 and row['difference'] is None and row['agreement']['rate'] is None


@pytest.fixture
def rows() -> list[Row]:
    return [
        Row(f'my-{preset}', replace(EngineConfig(), memory=MemoryConfig(preset=preset)))
        for preset in ('recent', 'full')
    ]


@pytest.fixture
def load(engine):
    """Load the scripted engine, which answers red under full only; notes what is done to it."""
    done = []
    scripted = engine.stats

    def stats() -> SimpleNamespace:
        ingest = {'model': None, 'frames_in': engine.used, 'dropped': Dropped()}
        return SimpleNamespace(**vars(scripted()), **ingest)

    def load(config, progress):
        preset = config.memory.preset
        progress('weights', 0.5)
        done.append(f'load {preset}')
        engine.used = 0
        engine.answers['q'] = 'red' if preset == 'full' else 'blue'
        return engine

    engine.stats = stats
    engine.cleanup = lambda: done.append('cleanup')
    load.done = done
    return load


def test_each_row_replays_the_source_once_with_an_engine_of_its_own(
    make_bag, rows, load, engine
) -> None:
    shown = []
    runs = list(
        run_rows(
            make_bag(questions=QUESTION),
            rows,
            load=load,
            progress=lambda name, share: shown.append((name, share)),
        )
    )
    assert load.done == ['load recent', 'cleanup', 'load full', 'cleanup']
    assert [run.name for run in runs] == ['my-recent', 'my-full']
    assert [run.report['preset'] for run in runs] == ['recent', 'full']
    assert [run.report['accuracy']['overall']['rate'] for run in runs] == [0.0, 1.0]
    assert all(run.evaluation.frames == 8 for run in runs)
    shares = [share for _, share in shown]
    assert shares == sorted(shares) and shares[-1] == 1.0 and 0.5 in shares
    assert shown[0][0] == 'my-recent: weights' and shown[-1][0] == 'my-full: done'


def test_a_source_is_refused_before_an_engine_is_loaded_for_it(tmp_path, rows, load) -> None:
    with pytest.raises(BadInput):
        run_rows(tmp_path / 'missing', rows, load=load)
    assert load.done == []


def test_an_engine_is_given_back_when_its_replay_fails(make_bag, rows, load, engine) -> None:
    def lost(question) -> None:
        raise BadInput('no answer came')

    engine.ask_now = lost
    with pytest.raises(BadInput):
        list(run_rows(make_bag(questions='- {at: 5, question: q}'), rows, load=load))
    assert load.done == ['load recent', 'cleanup']


def test_an_oracle_row_asks_for_the_truth_and_says_so(make_bag, rows, load, engine) -> None:
    asked = []
    plain = engine.ask_now

    def ask_now(question, *, reading=None):
        asked.append(reading)
        return plain(question)

    engine.ask_now = ask_now
    bag = make_bag(questions='- {id: q, at: 5, question: q, answer: red, evidence: [2, 3]}')
    told, blind = run_rows(bag, [rows[0]._replace(oracle=True), rows[1]], load=load)
    assert asked[0].only_ns is not None and asked[1] is None
    assert told.report['settings']['oracle'] and not blind.report['settings']['oracle']
