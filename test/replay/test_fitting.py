# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from livevlm_ros.engine import AnswerToken, Question
from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.replay.fitting import (
    LEAST_ANSWERS,
    TEMPERATURES,
    Sureness,
    Watched,
    in_words,
    likeliest_temperature,
)
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments


def test_a_temperature_of_one_is_tried() -> None:
    assert 1.0 in TEMPERATURES


@pytest.mark.parametrize('true', [0.5, 1.0, 2.0])
def test_the_temperature_that_marks_come_from_is_found(true: float) -> None:
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(4000, 5)) * 3)
    best = [(scores / each).softmax(1).amax(1).numpy() for each in TEMPERATURES]
    right = (rng.random(4000) < (scores / true).softmax(1).amax(1).numpy()).astype(float)
    found = TEMPERATURES[likeliest_temperature(np.stack(best), right)]
    assert found == pytest.approx(true, rel=0.1)


class Talker:
    """Says one token after another, each with the same scores."""

    def __init__(self) -> None:
        self.scores = torch.tensor([0.0, 2.0])

    def encode_frames(self, images, seconds=None):
        return torch.randn(len(images), 4, 8, generator=torch.Generator().manual_seed(len(images)))

    def answer_tokens(self, words):
        for _ in range(words):
            yield AnswerToken(1, 0.0, self.scores)


def test_what_a_model_says_and_sees_is_noted_and_a_warm_up_forgotten() -> None:
    watched = Watched(Talker())
    watched.encode_frames([np.zeros((2, 2, 3), np.uint8)] * 3)
    watched.begin()
    watched.encode_frames([np.zeros((2, 2, 3), np.uint8)] * 40)

    def ask_now(question):
        words = list(watched.answer_tokens(2))
        return Answer(Status.OK, text='red', completion_tokens=len(words))

    engine = SimpleNamespace(ask_now=ask_now)
    for number in range(30):
        truth = ('red',) if number % 3 else ('blue',)
        entry = QuestionEntry(at=1.0, question='q', answer=truth if number < 27 else ())
        watched.ask(engine, Question('q'), entry, Moments())
    found = watched.fitted()
    assert (found.answers, found.frames) == (27, 40)
    temperature = found.settings['confidence']['temperature']
    sure = float((torch.tensor([0.0, 2.0]) / temperature).softmax(0)[1])
    assert sure == pytest.approx(2 / 3, abs=0.02)
    assert found.after < 0.02 < found.before
    assert found.settings['pictures'].keys() == {'mean', 'precision', 'limit'}
    assert in_words(found).startswith(f'temperature {temperature:g}: confidence is ')


def test_a_fit_tells_choices_apart_that_differ_in_signs_alone() -> None:
    watched = Watched(Talker())
    entry = QuestionEntry(at=1.0, question='q', answer=('-90',), choices=('-90', '90'))

    def ask_now(question):
        words = list(watched.answer_tokens(1))
        return Answer(Status.OK, text='90', choice_index=1, completion_tokens=len(words))

    for _ in range(LEAST_ANSWERS):
        watched.ask(SimpleNamespace(ask_now=ask_now), Question('q'), entry, Moments())
    assert watched.fitted().after == pytest.approx(1 / (1 + np.exp(-2 / TEMPERATURES[-1])))


def test_too_little_is_not_fitted() -> None:
    found = Watched(Talker()).fitted()
    assert found.settings == {}
    assert in_words(Sureness({}, 3, 0, 0.0, 0.0)).startswith('3 answers with a truth are too few')
