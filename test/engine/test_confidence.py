# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How sure an answer is, choices, and pictures that the checkpoint does not know."""

import logging
import math

import pytest
import torch

from livevlm_ros.engine import Finish, Question, Status
from livevlm_ros.engine.confidence import doubt_among, likeliest, spoken_confidence
from livevlm_ros.model import Absence, Familiarity

CHOICES = ('a red truck', 'yes', 'a bus')  # the fake model likes short ones


@pytest.fixture
def watching(make_engine, frame):
    """Give an engine that has seen three frames."""
    engine = make_engine(target_fps=1000.0)
    engine.load()
    for second in (1, 2, 3):
        engine.see(frame(second))
        engine.turn()
    return engine


def test_a_choice_is_answered_by_the_likeliest(watching):
    answer = watching.ask_now(Question('what drove by ?', choices=CHOICES, max_tokens=1))
    assert (answer.status, answer.finish) == (Status.OK, Finish.STOP)
    assert (answer.text, answer.choice_index, answer.completion_tokens) == ('yes', 1, 1)
    shares = [math.exp(-0.5 * len(choice.split())) for choice in CHOICES]
    assert answer.confidence == pytest.approx(shares[1] / sum(shares))
    assert len(answer.evidence) == 3 and not answer.truncated
    assert watching.ask_now(Question('what drove by ?')).choice_index == -1


def test_a_choice_keeps_its_budget(watching, model):
    long = tuple(' '.join([word] * 20) for word in ('a', 'b', 'c'))
    model.token_s = 0.02
    asked = Question('what drove by ?', choices=long, budget_s=0.5)
    late = watching.ask_now(asked)
    assert (late.status, late.choice_index, late.confidence) == (Status.DEADLINE, -1, 0.0)
    watching.ask_now(Question('what drove by ?', choices=long))
    learned_s = watching._loop.parts.costs.option.value
    assert 0.02 <= learned_s < 0.1
    refused = watching.ask_now(asked)
    assert refused.status is Status.DEADLINE and 'would have done' in refused.message
    assert refused.latency.total_ms < 250  # it is known before any of them is weighed


def test_confidence_is_the_mean_probability_of_the_tokens(watching, model):
    model.share = 0.8
    answer = watching.ask_now(Question('what drove by ?', max_tokens=3))
    assert answer.status is Status.PARTIAL and answer.confidence == pytest.approx(0.8)
    assert spoken_confidence([math.log(0.9), math.log(0.4)], 0.5) == pytest.approx(0.3)
    assert spoken_confidence([], 1.0) == 0.0


def test_of_equal_choices_the_first_is_taken_and_far_ones_do_no_harm():
    assert likeliest([-2.0, -1.0, -1.0], 1.0) == (1, pytest.approx(1 / (2 + math.exp(-1))))
    assert likeliest([-1e5, -2e5], 0.5) == (0, 0.5)


@pytest.mark.parametrize(('least', 'status'), [(0.0, Status.OK), (0.5, Status.NOT_SEEN)])
def test_an_answer_that_is_less_sure_is_not_seen_and_keeps_its_guess(
    watching, model, least, status
):
    model.share = 0.4
    answer = watching.ask_now(Question('what drove by ?', min_confidence=least))
    assert answer.status is status and answer.text.startswith('a red truck')
    assert ('0.40 is less than ask.min_confidence, 0.5' in answer.message) == bool(least)


def test_the_engines_own_least_confidence_is_the_default(make_engine, model, frame):
    engine = make_engine(min_confidence=0.95)
    engine.load()
    engine.see(frame(1))
    engine.turn()
    answer = engine.ask_now(Question('what drove by ?', choices=('yes', 'a bus')))
    assert (answer.status, answer.text, answer.choice_index) == (Status.NOT_SEEN, 'yes', 0)


@pytest.mark.parametrize(
    ('doubt', 'settings', 'status'),
    [
        (0.9, {}, Status.OK),
        (1.1, {}, Status.NOT_SEEN),
        (1.1, {'max_doubt': 2.0}, Status.OK),
        (9.0, {'max_doubt': 0.0}, Status.OK),
        (9.0, {'min_confidence': 0.0}, Status.OK),
    ],
)
def test_an_answer_is_not_seen_where_the_model_nearly_said_so(
    make_engine, model, frame, doubt, settings, status
):
    model.absence, model.nearness = Absence({'never': 0.02}), doubt
    engine = make_engine(**settings)
    engine.load()
    engine.see(frame(1))
    engine.turn()
    answer = engine.ask_now(Question('what drove by ?'))
    assert (answer.status, answer.doubt) == (status, doubt)
    assert answer.text.startswith('a red truck')
    assert ('a doubt of 1.1 is more than ask.max_doubt, 1' in answer.message) == (status != 0)


def test_an_absence_is_an_answer_and_a_checkpoint_without_any_is_not_doubted(watching, model):
    model.nearness = 50.0
    assert watching.ask_now(Question('what drove by ?')).status is Status.OK
    model.absence = Absence({watching.ask_now(Question('what drove by ?')).text: 0.02})
    assert watching.ask_now(Question('what drove by ?')).status is Status.OK


def test_a_question_may_bear_more_doubt_than_others(watching, model):
    model.absence, model.nearness = Absence({'never': 0.02}), 5.0
    assert watching.ask_now(Question('what drove by ?')).status is Status.NOT_SEEN
    assert watching.ask_now(Question('what drove by ?', max_doubt=6.0)).status is Status.OK


def test_a_choice_is_doubted_where_one_that_says_absent_came_near(watching, model):
    choices = ('a bus', 'never ever')
    shares = [math.exp(-0.5 * len(choice.split())) for choice in choices]
    model.absence = Absence({'never ever': 0.2})
    answer = watching.ask_now(Question('what drove by ?', choices=choices))
    assert (answer.status, answer.text) == (Status.NOT_SEEN, 'a bus')
    assert answer.doubt == pytest.approx(shares[1] / sum(shares) / 0.2)
    assert doubt_among(choices, [-1.0, -1.0], None) == 0.0


@pytest.fixture
def grey_alone(model):
    """Let the model know nothing but grey."""
    model.familiarity = Familiarity(
        mean=torch.tensor([math.log(100 / 255)] * 2 + [math.log(1e-12)]),
        precision=torch.diag(torch.tensor([1.0, 1.0, 0.0])),
        limit=0.5,
    )


def test_strange_pictures_take_their_share_of_the_confidence(
    make_engine, model, frame, grey_alone, caplog
):
    engine = make_engine(target_fps=1000.0)
    engine.load()
    for second in range(1, 5):
        engine.see(frame(second, grey=100 if second < 4 else 250))
        engine.turn()
    answer = engine.ask_now(Question('what drove by ?', max_evidence=9))
    known = sum(seen.score for seen in answer.evidence if seen.stamp_ns < 4 * 10**9)
    assert 0.0 < known < 1.0 and answer.confidence == pytest.approx(0.9 * known, rel=1e-5)
    old = engine.ask_now(Question('what drove by ?', as_of_ns=3 * 10**9))
    assert (old.status, old.confidence) == (Status.OK, pytest.approx(0.9))
    assert engine.stats().strangers == 1 and not caplog.records


def test_where_most_pictures_are_strange_nothing_is_seen_and_the_log_says_so_once(
    make_engine, model, frame, grey_alone, caplog
):
    engine = make_engine(target_fps=1000.0)
    engine.load()
    with caplog.at_level(logging.WARNING):
        for second in range(1, 21):
            engine.see(frame(second, grey=250))
            engine.turn()
    (record,) = [each for each in caplog.records if 'outside what fake knows' in each.message]
    assert record.levelname == 'WARNING'
    answer = engine.ask_now(Question('what drove by ?'))
    assert (answer.status, answer.confidence) == (Status.NOT_SEEN, 0.0)
    assert 'pictures outside what fake knows' in answer.message


def test_a_frame_of_a_model_without_numbers_is_never_strange(watching):
    assert watching.stats().strangers == 0
