# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from livevlm_ros.engine import Engine
from livevlm_ros.engine.messages import Status
from livevlm_ros.model import load_model
from livevlm_ros.replay import memory_picture
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import evaluate
from livevlm_ros.replay.memory_look import Look
from livevlm_ros.replay.memory_picture import draw_memory_picture
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.settings import engine_config


@pytest.fixture(scope='module')
def config(checkpoint: Path):
    given = ('ask.default_max_tokens=1', 'model.threads=1', 'memory.short_term_frames=2')
    return engine_config(model=str(checkpoint), preset='recent', given=given)


@pytest.fixture(scope='module')
def evaluated(world_folder: Path, config) -> Evaluation:
    engine = Engine(config)
    engine.load()
    return evaluate(world_folder, engine)


def colored(file: Path, color: str) -> int:
    """Count the pixels of a colour."""
    bgr = [int(color[place : place + 2], 16) for place in (5, 3, 1)]
    image = cv2.imread(str(file))
    assert image is not None
    return int(np.all(np.abs(image.astype(int) - bgr) < 8, axis=2).sum())


def test_the_picture_shows_what_is_held_and_the_frames_of_the_truth(
    world_folder, config, evaluated, tmp_path: Path
) -> None:
    file = tmp_path / 'p.png'
    draw_memory_picture(world_folder, config, evaluated, file, load=load_model)
    # held and read panel, two frames each of at most ten
    assert colored(file, memory_picture.TIERS['short-term']) > 20_000
    assert colored(file, memory_picture.TRUTH) > 500
    assert not colored(file, memory_picture.TIERS['archive'])


def test_times_of_a_short_stream_are_those_of_frames() -> None:
    seconds = np.arange(20.0)
    look = Look(seconds, {}, np.zeros((1, 20, 9), bool), np.zeros(20), {})
    axes = Figure().add_subplot()
    memory_picture._attention(axes, look)
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_each_stretch_of_the_truth_has_a_frame_of_its_own(make_outcome) -> None:
    look = Look(np.arange(20.0), {}, np.zeros((1, 20, 9), bool), np.zeros(20), {})
    outcome = make_outcome()
    entry = replace(outcome.entry, evidence=(1.0, 12.0), intervals=((1.0, 2.0), (11.0, 12.0)))
    axes = Figure().add_subplot()
    memory_picture._frame_truth(axes, look, replace(outcome, entry=entry))
    framed = [(frame.get_x(), frame.get_x() + frame.get_width()) for frame in axes.patches]
    assert framed == [(1.0, 3.0), (11.0, 13.0)]


def test_the_question_drawn_is_the_right_one_that_lies_furthest_back(
    make_run, make_outcome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unknown = make_outcome(False, age=50, id='unknown')
    unknown = replace(unknown, answer=replace(unknown.answer, status=Status.INVALID))
    outcomes = [
        make_outcome(age=20, id='near'),
        make_outcome(age=30, id='far'),
        make_outcome(False, age=40, id='wrong'),
        make_outcome(age=1, id='now'),
        unknown,
    ]
    assert all(o.evidence_hit for o in outcomes)
    asked = []

    def look(recording: Path, entry, config, **_) -> Look:
        asked.append(entry.id)
        raise BadInput('enough')

    monkeypatch.setattr(memory_picture, 'look_at_memory', look)
    monkeypatch.setattr(memory_picture, 'find_recordings', lambda path: [tmp_path / 'a'])
    for among in (outcomes, outcomes[2:]):
        evaluation = make_run('recent', *among).evaluation
        with pytest.raises(BadInput, match='enough'):
            draw_memory_picture(tmp_path, None, evaluation, tmp_path / 'p.png', load=load_model)
    assert asked == ['far', 'wrong']


def test_no_picture_without_a_question_about_the_past(
    make_run, make_outcome, config, tmp_path: Path
) -> None:
    evaluation = make_run('recent', make_outcome(age=1), make_outcome(age=None)).evaluation
    with pytest.raises(BadInput, match='nothing asked has evidence in the past'):
        draw_memory_picture(tmp_path, config, evaluation, tmp_path / 'p.png', load=load_model)


def test_a_picture_of_an_unknown_kind_is_refused(
    world_folder, config, evaluated, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r'p\.xyz: the picture cannot be written'):
        draw_memory_picture(world_folder, config, evaluated, tmp_path / 'p.xyz', load=load_model)
