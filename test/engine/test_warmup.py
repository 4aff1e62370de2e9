# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import logging
import re

import pytest

from livevlm_ros.engine import warmup

PROMPT = 5  # tokens of the model's question


@pytest.fixture
def warm_up(make_engine, model, monkeypatch, caplog):
    """Load an engine; return it with the steps and the first tokens of its warm-up."""

    def warm_up(*, within_s: float = 60.0):
        monkeypatch.setattr(warmup, 'WARM_UP_S', within_s)
        caplog.set_level(logging.INFO)
        lengths, read = [], model.read
        model.read = lambda embeds, view: lengths.append(len(embeds)) or read(embeds, view)
        engine = make_engine()
        engine.load()
        return engine, len(model.encoded), lengths.count(PROMPT)

    return warm_up


def test_what_pays_for_allocations_is_not_counted(warm_up, model):
    slow = iter([0.2, 0.0, 0.0])
    model.on_encode = lambda images: warmup.time.sleep(next(slow))
    engine, *runs = warm_up()
    assert runs == [3, 2]
    assert engine._loop.parts.costs.step.value < 0.1


def test_a_slow_machine_measures_everything_once(warm_up, model):
    model.step_s = model.prefill_s = model.token_s = 0.05
    engine, *runs = warm_up(within_s=0.05)
    assert runs == [1, 1]
    costs = engine._loop.parts.costs
    for cost_s in (costs.step.value, costs.cheapest_answer_s(), costs.token.value):
        assert 0.05 <= cost_s < 0.15
    assert costs.answer.value < 0.15 + 0.1  # one token, not three


def test_the_log_says_what_was_measured(warm_up, model, caplog):
    model.step_s = 0.03
    warm_up()
    said = [record.getMessage() for record in caplog.records]
    assert 'the weights are loaded, measuring what work costs' in said
    assert any(re.search(r'a step takes 0\.0\d s, the shortest answer 0\.0\d s', s) for s in said)
