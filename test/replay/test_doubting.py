# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Asking a checkpoint how near it comes to saying that nothing was there."""

from pathlib import Path

import pytest

from livevlm_ros.model import load_model
from livevlm_ros.replay import absence, calibrate, card, doubting
from livevlm_ros.replay.doubting import FILMING, find_limits, in_words
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.write_world import Filming, write_world

ALIKE = ('color_of', 'color_at', 'where_is')


@pytest.fixture(scope='module')
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Film two streams and ask about what was never there."""
    folder = tmp_path_factory.mktemp('film') / 'absent'
    filming = Filming(7, 2, (12, 12), size=(96, 72), questions=60, kinds=ALIKE, never=1.0)
    write_world(folder, filming)
    return folder


@pytest.fixture
def config(checkpoint):
    given = ('ask.default_max_tokens=1', 'ask.min_confidence=0')
    return engine_config(model=str(checkpoint), given=given)


def test_its_streams_are_of_no_other_use() -> None:
    seeds = {course.filming.seed for course in card.COURSES} | {calibrate.FILMING.seed}
    assert FILMING.seed not in seeds and FILMING.seed > calibrate.FILMING.seed


def test_every_answer_is_noted_with_the_likelihood_of_an_absence(
    film, config, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted, model = [], load_model(config.model)
    monkeypatch.setattr(doubting, 'fitted_limits', lambda *given: noted.append(given))
    settings = {'confidence': {'temperature': 4.0}}
    assert find_limits(config, settings, load=lambda _: model, source=film) is None
    ((outcomes, shares),) = noted
    assert len(outcomes) > 100 and sum(each.absent for each in outcomes) > 90
    assert shares.keys() == {'never'}, 'nobody asked whether there was something'
    assert len(shares['never']) == len(outcomes) and (shares['never'] > 0).all()
    hot = shares['never'].mean()
    assert find_limits(config, {}, load=lambda _: model, source=film) is None
    vocabulary = len(model._chat._tokenizer)
    assert abs(hot - 1 / vocabulary) < abs(noted[1][1]['never'].mean() - 1 / vocabulary)


def test_limits_are_found_and_told_in_a_line(
    film, config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absence, 'LEAST_ABSENT', 50)
    found = find_limits(config, {}, load=load_model, source=film)
    assert found is not None and found.limits.keys() == {'never'}
    before, after, _ = found.withheld
    assert before['n'] > 90 and after['wrong'] <= 1 < before['wrong']
    assert in_words(found).startswith("limits 'never' ")
    assert in_words(None) == 'fewer than 100 questions are about what was not there: no limit'
