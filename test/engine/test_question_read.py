# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What reading a question took is told apart: waiting, probing, finding and reading."""

from types import SimpleNamespace

import pytest
import torch

from livevlm_ros.engine import question_read
from livevlm_ros.engine.budget import Costs
from livevlm_ros.engine.question_read import read_question
from livevlm_ros.memory import ReadFilter


class Clock:
    """A clock that goes on by what each piece of work takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(question_read.time, 'monotonic', lambda: self.now)

    def views(self, *made: tuple[float, SimpleNamespace]):
        for takes_s, view in made:
            self.now += takes_s
            yield view

    def read(self, embeds: torch.Tensor, view: SimpleNamespace) -> torch.Tensor:
        self.now += view.takes_s
        return embeds[-1]


def view(takes_s: float, **fields) -> SimpleNamespace:
    nothing = {
        'rank_s': 0.0,
        'find_s': 0.0,
        'waited_s': 0.0,
        'ranked': 0,
        'speculated': False,
        'tokens_read': [4],
    }
    return SimpleNamespace(takes_s=takes_s, reading=ReadFilter(), **{**nothing, **fields})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def taught(clock: Clock, *made: tuple[float, SimpleNamespace]) -> Costs:
    costs = Costs()
    question = read_question(clock, torch.zeros(10, 4), clock.views(*made))
    question.teach(costs, tokens=10, until_s=clock.now)
    return costs


def test_waiting_for_the_archive_is_no_cost_of_retrieval(clock: Clock) -> None:
    chosen = view(0.5, ranked=100, rank_s=0.2, waited_s=4.0)
    costs = taught(clock, (4.0, view(0.3)), (0.6, chosen))
    assert costs.probe.value == pytest.approx(0.3)
    assert costs.retrieval.value == pytest.approx(0.4)
    assert costs.rank.value == pytest.approx(0.002)
    assert costs.prefill.value == pytest.approx(0.05)


def test_layers_that_find_while_they_read_need_no_probe(clock: Clock) -> None:
    costs = taught(clock, (4.0, view(0.5, ranked=100, find_s=0.3, waited_s=4.0)))
    assert costs.probe.value == 0.0
    assert costs.retrieval.value == pytest.approx(0.3)
    assert costs.prefill.value == pytest.approx(0.02)


def test_pages_chosen_ahead_teach_nothing_though_they_are_corrected(clock: Clock) -> None:
    ahead, probe, chosen = view(0.5, speculated=True), view(0.3), view(0.5, ranked=9, rank_s=0.1)
    costs = taught(clock, (0.0, ahead), (0.0, probe), (0.2, chosen))
    assert costs.in_ms() == Costs().in_ms()
