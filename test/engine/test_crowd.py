# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Many clients of one slow engine: who is told when to come back finds it free then."""

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from livevlm_ros.engine import Answer, Question, Status

ANSWERED = (Status.OK, Status.PARTIAL)
WAY_S = 0.01  # of a reply to its client, and of the next request to the engine


@pytest.fixture
def slow(make_engine, model, show):
    """Give a running engine that takes a tenth of a second to answer."""
    engine = make_engine(target_fps=1000.0)
    model.step_s, model.prefill_s, model.token_s = 0.02, 0.03, 0.01
    model.words = 6
    engine.load()
    engine.start()
    show(engine)
    return engine


@pytest.fixture
def filming(slow, film):
    """Let frames come, ten a second."""
    with film(slow, 0.1):
        yield slow


def tries_of(engine, question: Question, *, rounds: int, most: int = 8) -> list[list[Answer]]:
    """Ask again and again, coming back when told; return the tries of each question."""
    asked = []
    for _ in range(rounds):
        tries: list[Answer] = []
        while len(tries) < most:
            tries.append(engine.ask(question))
            if tries[-1].status is not Status.OVERLOADED:
                break
            time.sleep(tries[-1].retry_after_s + WAY_S)
        asked.append(tries)
    return asked


def kept(asked: Sequence[Sequence[Answer]]) -> float:
    """Return the share of the refused who came back to an answer, or to a time that held."""
    refused = [tries for tries in asked if tries[0].status is Status.OVERLOADED]
    assert refused
    return sum(len(tries) <= 3 and tries[-1].status in ANSWERED for tries in refused) / len(
        refused
    )


def crowd(engine, budgets_s: Sequence[float], *, rounds: int) -> list[list[Answer]]:
    def client(budget_s: float) -> list[list[Answer]]:
        return tries_of(engine, Question('now ?', budget_s=budget_s), rounds=rounds)

    with ThreadPoolExecutor(len(budgets_s)) as pool:
        return [tries for asked in pool.map(client, budgets_s) for tries in asked]


@pytest.mark.slow
def test_fifty_who_come_back_when_told_are_answered(filming):
    budgets_s = (0.2, 0.3, 0.5, 1.0)
    asked = crowd(filming, [budgets_s[n % len(budgets_s)] for n in range(50)], rounds=2)
    assert kept(asked) >= 0.9


@pytest.mark.slow
def test_who_comes_back_finds_a_place_beside_who_asks_without_pause(make_engine, model, show):
    model.step_s, model.prefill_s, model.token_s, model.words = 0.02, 0.01, 0.002, 6
    engine = make_engine(target_fps=1.0)
    engine.load()
    engine.start()
    show(engine)
    ends_s = time.monotonic() + 8.0

    def client(number: int) -> tuple[int, int]:
        """Ask again and again; return how often it came back when told, and too early."""
        question = Question(f'who is number {number} ?', budget_s=(0.5, 1.0, 2.0)[number % 3])
        told, back, early = False, 0, 0
        while time.monotonic() < ends_s:
            answer = engine.ask(question)
            refused = answer.status is Status.OVERLOADED
            back, early = back + told, early + (told and refused)
            told = refused
            time.sleep(answer.retry_after_s + WAY_S)
        return back, early

    with ThreadPoolExecutor(50) as pool:
        back, early = map(sum, zip(*pool.map(client, range(50)), strict=True))
    assert back > 50
    assert early <= 0.1 * back


def served(engine, frame, *, seconds: float, impatient: bool) -> tuple[int, int]:
    """Ask patiently while frames come, beside one who has no time; count answers and frames."""
    end_s, number = time.monotonic() + seconds, itertools.count(round(time.monotonic() * 100))
    before = engine.stats().frames_used

    def film() -> None:
        while time.monotonic() < end_s:
            engine.see(frame(next(number)))
            time.sleep(0.05)

    def nag() -> None:
        while impatient and time.monotonic() < end_s:
            assert engine.ask(Question('now ?', budget_s=0.1)).status is Status.DEADLINE
            time.sleep(0.1)

    def ask() -> int:
        answers = 0
        while time.monotonic() < end_s:
            answers += engine.ask(Question('now ?', budget_s=2.0)).status in ANSWERED
            time.sleep(0.1)
        return answers

    with ThreadPoolExecutor(3) as pool:
        answers, *_ = [each.result() for each in [pool.submit(work) for work in (ask, film, nag)]]
    return answers, engine.stats().frames_used - before


@pytest.mark.slow
def test_one_who_never_has_the_time_costs_the_others_a_tenth_at_most(make_engine, model, frame):
    model.step_s = model.prefill_s = model.token_s = 0.1
    model.words = 3
    with make_engine(target_fps=1000.0) as engine:
        alone = served(engine, frame, seconds=5.0, impatient=False)
        beside = served(engine, frame, seconds=5.0, impatient=True)
    assert all(mine >= 0.9 * usual - 1 for mine, usual in zip(beside, alone, strict=True)), beside
