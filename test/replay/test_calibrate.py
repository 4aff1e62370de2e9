# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibration: what is asked and noted, what is said of it, and what is written."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from livevlm_ros.engine import Engine, HeadChoice, HeadRecall, MemoryConfig, Question
from livevlm_ros.model import load_model
from livevlm_ros.replay import calibrate as calibration
from livevlm_ros.replay.calibrate import FILMING, Calibration, Trial, calibrate
from livevlm_ros.replay.card import COURSES
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.fitting import Sureness
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.source import open_source
from livevlm_ros.replay.write_world import MAX_STREAMS, START_S, Filming, write_world

FOUND = HeadChoice(
    heads={2: (0, 3)},
    taken=[((2, 0), HeadRecall(0.51, 0.52)), ((2, 3), HeadRecall(0.81, 0.82))],
    layers=[((0, 1), HeadRecall(0.11, 0.12)), ((1, 2), HeadRecall(0.21, 0.22))],
    recalls={'all heads': HeadRecall(0.7, 0.71), 'chosen': HeadRecall(0.81, 0.82)},
)


@pytest.fixture(scope='module')
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Film four streams, long for the memory of `config`."""
    folder = tmp_path_factory.mktemp('film') / 'long'
    write_world(folder, Filming(7, 4, (24, 28), size=(96, 72), questions=24))
    return folder


@pytest.fixture
def config(checkpoint):
    """Make a memory so small that streams of a few frames leave its short-term."""
    tiny = engine_config(model=str(checkpoint), given=('ask.default_max_tokens=1',))
    memory = MemoryConfig(
        preset='balanced', short_term_frames=2, long_term_frames=2, retrieval_frames=4
    )
    return replace(tiny, memory=memory)


def test_its_streams_are_none_of_the_cards_and_none_a_world_camera_shows() -> None:
    assert FILMING.seed not in {course.filming.seed for course in COURSES}
    assert FILMING.seed * MAX_STREAMS > 2**31


def test_a_checkpoint_is_loaded_once_and_asked_with_every_way_to_vote(film, config) -> None:
    loads, shown = [], []

    def load(model_config):
        loads.append(load_model(model_config))
        return loads[-1]

    found = calibrate(config, load=load, source=film, progress=lambda *told: shown.append(told))
    assert len(loads) == 1
    votes = ['all heads', 'default vote']
    assert sorted(found.right) == votes
    rates = [*found.right.values(), *(trial.right for trial in found.tried)]
    assert len({row['n'] for row in rates}) == 1
    assert sum(found.questions) >= calibration.LEAST_QUESTIONS and min(found.questions) > 0
    assert found.retrieval['page_tokens'] == 9
    assert [name.partition(':')[0] for name, share in shown if share == 1.0][:2] == votes
    assert found.sureness.settings['confidence']['temperature'] > 0
    assert found.sureness.frames > 80 and found.sureness.answers > 80


def test_the_true_pages_are_those_of_the_evidence_that_left_short_term(film, config) -> None:
    engine = Engine(config)
    engine.load()
    moments = Moments()
    moments.note(START_S * 10**9, 0)
    for frame in open_source(film / 'stream-0000').frames():
        engine.see(frame)
        engine.turn()
    noted: list = []
    question = Question(text='have you seen a sign ?', unlimited=True)
    for evidence in ((3.0, 5.0), (15.0, 10_000.0), (20_000.0, 20_001.0), None):
        entry = QuestionEntry(at=24.0, question=question.text, evidence=evidence)
        calibration._ask_and_note(noted, engine, question, entry, moments)
    used = engine.stats().frames_used
    engine.cleanup()
    inner, tail, beyond, none = noted
    assert beyond is None and none is None
    assert inner.truth.nonzero()[:, 0].tolist() == [3, 4, 5]
    assert tail.truth.nonzero()[:, 0].tolist() == list(range(15, used - 2))
    assert inner.scores.shape == (4, 4, used - 2) and inner.read == 4


def test_halves_share_no_recording() -> None:
    assert calibration._every_other(['a', 'a', 'b', 'c', 'c', 'd']) == [
        False, False, True, False, False, True,
    ]  # fmt: skip


@pytest.fixture
def choose_of(monkeypatch):
    """Let given heads be chosen, whatever was measured; returns how many were asked for."""

    def give(*replies: HeadChoice) -> list[int]:
        asked: list[int] = []

        def choose(scores, truth, held_out, *, read, at_least):
            asked.append(at_least)
            assert len(scores) == len(truth) == len(held_out) >= calibration.LEAST_QUESTIONS
            return replies[len(asked) - 1]

        monkeypatch.setattr('livevlm_ros.memory.choose_heads', choose)
        return asked

    return give


def _differ(monkeypatch, *differences: tuple[float, float]) -> None:
    """Let the sets of heads answer so much better than the default vote, one after the other."""
    left = iter(differences)
    monkeypatch.setattr(calibration, '_difference', lambda *_: next(left))


def test_heads_that_answer_as_well_as_the_default_vote_are_kept(
    film, config, choose_of, monkeypatch
) -> None:
    asked, given, voters = choose_of(FOUND), [], calibration._Voters
    _differ(monkeypatch, (-0.01, 0.01))
    monkeypatch.setattr(
        calibration, '_Voters', lambda model, entry: given.append(entry) or voters(model, entry)
    )
    found = calibrate(config, load=load_model, source=film)
    assert asked == [1] and found.retrieval == {'page_tokens': 9, 'heads': {2: [0, 3]}}
    every = {layer: [0, 1, 2, 3] for layer in range(6)}
    assert [each.get('heads') for each in given] == [every, None, {2: [0, 3]}, {2: [0, 3]}]


def test_heads_that_answer_worse_are_doubled(film, config, choose_of, monkeypatch) -> None:
    more = replace(FOUND, heads={1: (0,), 2: (0, 3), 3: (2,)})
    asked = choose_of(FOUND, more)
    _differ(monkeypatch, (-0.06, 0.02), (0.0, 0.01))
    found = calibrate(config, load=load_model, source=film)
    assert asked == [1, 4] and [trial.as_good for trial in found.tried] == [False, True]
    assert found.retrieval['heads'] == {1: [0], 2: [0, 3], 3: [2]}


def test_where_no_heads_answer_as_well_none_are_named(
    film, config, choose_of, monkeypatch
) -> None:
    choose_of(FOUND, replace(FOUND, heads={}))
    _differ(monkeypatch, (-0.06, 0.02))
    found = calibrate(config, load=load_model, source=film)
    assert found.retrieval == {'page_tokens': 9} and len(found.tried) == 1


def test_answers_are_compared_question_by_question(make_outcome) -> None:
    answered, default = (
        Evaluation(outcomes=[make_outcome(number not in wrong) for number in range(6)])
        for wrong in ((0, 1), (1, 2, 5))
    )
    held_out = [True, True, True, True, True, False]
    difference, error = calibration._difference(answered, default, held_out)
    assert difference == 0.0 and error == pytest.approx((0.4 / 5) ** 0.5)


def test_the_tables_show_layers_heads_and_what_right_answers_they_cost() -> None:
    votes = {'all heads': {'rate': 0.9, 'se': 0.01}}
    trial = Trial({2: [0, 3]}, FOUND.recalls['chosen'], {'rate': 0.88, 'se': 0.02}, (-0.02, 0.01))
    sureness = Sureness({}, 0, 0, 0.0, 0.0)
    notes = ['[film]/a: no questions file']
    found = Calibration({}, FOUND, votes, [trial], (30, 20), sureness, notes)
    console = Console(width=140, file=StringIO())
    console.print(calibration.calibration_tables(found))
    said = [' '.join(line.split()) for line in console.file.getvalue().splitlines()]
    for row in (
        '1 2 21.0 22.0',
        '1 2 0 51.0 52.0',
        '2 2 3 81.0 82.0',
        'all heads 70.0 71.0 90.0 ± 1.0',
        '2 heads, layer 2: 0 3 81.0 82.0 88.0 ± 2.0 -2.0 ± 1.0',
        'recall and right answers in %; 30 questions chose, 20 check',
        '[film]/a: no questions file',
    ):
        assert row in said


def test_too_few_questions_are_refused_with_how_many_there_are(make_bag, config) -> None:
    bag = make_bag(questions='- {at: 7, question: what do you see now, evidence: [1, 2]}')
    with pytest.raises(BadInput, match=r'bag: 1 questions have evidence .* expected 20 or more'):
        calibrate(config, load=load_model, source=bag)


def test_heads_that_the_model_lacks_are_refused(film, config) -> None:
    def load(model_config):
        model = load_model(model_config)
        model.memory_settings = {'retrieval': {'heads': {99: [0]}}}
        return model

    with pytest.raises(BadInput, match='memory.yaml: retrieval.heads must list, by layer'):
        calibrate(config, load=load, source=film)


def test_words_say_who_chooses() -> None:
    assert calibration.words({'heads': {2: [0]}}) == '1 head, layer 2: 0'
    heads = {'heads': {2: [0, 3], 4: [1]}}
    assert calibration.words(heads) == '3 heads, layer 2: 0 3, layer 4: 1'
    assert calibration.words({'page_tokens': 9}).startswith('all heads of the layers that vote')


def test_a_file_that_cannot_be_finished_is_left_as_it_was(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / 'memory.yaml'
    file.write_text('evidence: {layers: [2]}\n')

    def full(self, text, encoding=None):
        with open(self, 'w') as half:
            half.write(text[:4])
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Path, 'write_text', full)
    with pytest.raises(BadInput, match='No space left'):
        calibration.write_settings(file, {'retrieval': {'page_tokens': 4}})
    assert yaml.safe_load(file.read_text()) == {'evidence': {'layers': [2]}}
